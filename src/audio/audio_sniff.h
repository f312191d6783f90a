/* audio_sniff.h - what the first bytes are. Pure. */
#pragma once

#include "audio/audio.h"

struct audio_sniff {
  enum audio_verdict verdict; /* AUDIO_YES: kind is known; a WAV's samples are still to be seen */
  enum audio_kind kind;
  size_t start; /* where the audio begins in the bytes that were looked at */
};

/* Judges the first bytes of a file, without its ID3v2 tag. More bytes never change a verdict that is no
 * AUDIO_UNDECIDED, and AUDIO_SNIFF_BYTES always give one. */
struct audio_sniff audio_sniff(struct str head);
