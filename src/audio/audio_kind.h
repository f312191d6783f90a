/* audio_kind.h - the kinds of audio that are recognised. audio.h has their names and includes this.
 * Thread rule: constants only. */
#pragma once

enum audio_kind {
  AUDIO_NONE,
  AUDIO_MP3,
  AUDIO_WAV,
  AUDIO_OGG,
  AUDIO_FLAC,
  AUDIO_M4A,
  AUDIO_AMR,
  AUDIO_AAC, /* in ADTS */
  AUDIO_WEBM
};
