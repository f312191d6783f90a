/* audio_sniff.h - detects the kind of audio from the first bytes.
 *
 *   struct audio_sniff found = audio_sniff(head, 0);
 *
 * Thread rule: pure function. */
#pragma once

#include <stdint.h>

#include "audio/audio_kind.h"
#include "base/str.h"

enum { AUDIO_TAG_HEADER_BYTES = 16 };

struct audio_sniff {
  enum audio_verdict verdict; /* AUDIO_YES: kind is known, but a WAV may still turn out to have no samples */
  enum audio_kind kind;
  size_t start; /* AUDIO_YES: offset of the audio in head; AUDIO_UNDECIDED: no frame begins before */
};

/* head: the first bytes of a file, after its tags. searched: the start that an earlier call with fewer bytes returned, else 0.
 * More bytes do not change a verdict of AUDIO_YES or AUDIO_NO, and AUDIO_SNIFF_BYTES bytes suffice for one. */
struct audio_sniff audio_sniff(struct str head, size_t searched);
/* Whether head, the first bytes of a file or fewer, begins like a tag. */
bool audio_may_be_tag(struct str head);
/* The whole length of the ID3v2, ID3v1 or APE tag that begins with head, which has AUDIO_TAG_HEADER_BYTES; 0: no tag. */
uint64_t audio_tag_bytes(struct str head);
/* How many bytes at least are the tag's header, of the AUDIO_TAG_HEADER_BYTES with which it begins. */
size_t audio_tag_header_bytes(struct str head);
/* The kind of the container that begins with head; AUDIO_NONE also while head has too few bytes. */
enum audio_kind audio_sniff_container(struct str head);
/* Length of the frame of AAC in ADTS whose header, of 7 bytes, is at p; 0: there is none. */
size_t audio_sniff_adts_frame(const unsigned char *p);
