/* audio_kind.h - the kinds of audio that are recognised, and the verdicts. audio.h has the kinds' names and includes this.
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

enum audio_verdict {
  AUDIO_UNDECIDED, /* more bytes are needed: AUDIO_SNIFF_BYTES after tags at most, or the headers of a known kind */
  AUDIO_YES,
  AUDIO_NO, /* XML, HTML, JSON, an archive, a bare header, noise … */
};
enum {
  AUDIO_JUNK_BYTES = 64 * 1024, /* at most so much junk may stand before the sound or its header */
  AUDIO_SNIFF_BYTES = AUDIO_JUNK_BYTES + 8 * 1024,
  AUDIO_LEAST_BYTES = 1001
};
