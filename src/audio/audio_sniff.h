/* audio_sniff.h - detects the kind of audio from the first bytes.
 *
 *   struct audio_sniff found = audio_sniff(head, 0);
 *
 * Thread rule: pure function. */
#pragma once

#include "audio/audio.h"

enum { AUDIO_TAG_HEADER_BYTES = 16, AUDIO_TAG_LEAST_HEADER_BYTES = 10 };

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

/* ---- sound in a tag ---- */

/* Searches a tag that may claim more bytes than it has for the beginning of audio that is no MP3 (mp3_run_feed finds MP3).
 *
 *   hidden_init(&h);
 *   while (h.kind == AUDIO_NONE && bytes.n > 0) bytes = str_skip(bytes, hidden_search(&h, bytes));
 *   if (h.kind != AUDIO_NONE) feed the parser of that kind with hidden_head(&h), and then with the rest
 *
 * Thread rule: one owner. */
enum { HIDDEN_ADTS_FRAMES = 8 /* so many adjacent frames of AAC are sound */ };

struct hidden {
  enum audio_kind kind;              /* AUDIO_NONE: nothing was found yet */
  char head[AUDIO_TAG_HEADER_BYTES]; /* the last bytes, or those with which the sound begins */
  size_t head_bytes;
  /* adjacent frames of AAC in ADTS */
  unsigned frames;     /* headers */
  size_t left;         /* bytes up to the next header */
  unsigned char fixed; /* profile and sample rate of all */
};

void hidden_init(struct hidden *h);
/* Consumes bytes up to those with which the sound begins, and returns how many. */
size_t hidden_search(struct hidden *h, struct str bytes);
/* The first bytes of what was found. They were consumed. Of AAC, HIDDEN_ADTS_FRAMES - 1 frames were before them. */
struct str hidden_head(const struct hidden *h);
