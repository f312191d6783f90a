/* audio_sniff.h - detects the kind of audio from the first bytes.
 *
 *   struct audio_sniff found = audio_sniff(head);
 *
 * Thread rule: pure function. */
#pragma once

#include "audio/audio.h"

struct audio_sniff {
  enum audio_verdict verdict; /* AUDIO_YES: kind is known, but a WAV may still turn out to have no samples */
  enum audio_kind kind;
  size_t start; /* offset of the audio in head */
};

/* head: the first bytes of a file, after its ID3v2 tag. More bytes do not change a verdict of AUDIO_YES or AUDIO_NO, and
 * AUDIO_SNIFF_BYTES bytes suffice for one. */
struct audio_sniff audio_sniff(struct str head);
