/* sound.h - makes audio files for tests, and passes them through audio.h. */
#pragma once

#include "audio/audio.h"
#include "base/buf.h"

enum { SOUND_MAX_BYTES = 8 << 20 };

/* Appends an MP3 of a tone, encoded by lame; index: with a complete Info frame. b needs room for SOUND_MAX_BYTES. */
void sound_mp3(struct buf *b, int sample_rate, int channels, int kbit, double seconds, bool vbr, bool index);
/* Appends a canonical header of 44 bytes that announces data_size, then `bytes` bytes of samples. */
void sound_wav(struct buf *b, unsigned format, unsigned channels, unsigned rate, unsigned bits, uint32_t data_size,
               size_t bytes);
void sound_le32(struct buf *b, uint32_t value);
void sound_le16(struct buf *b, unsigned value);
void sound_id3(struct buf *b, size_t bytes); /* an ID3v2 tag with that much inside */
void sound_add(struct buf *b, struct str s);
void sound_zeros(struct buf *b, size_t n);

struct heard {
  enum audio_verdict before; /* audio_finish */
  enum audio_kind kind;
  enum audio_verdict after;
  struct audio_info info;
};
/* Feeds bytes in pieces of at most most_bytes, of random length if random is true. */
struct heard sound_hear(struct str bytes, size_t most_bytes, bool random);
