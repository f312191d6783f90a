/* talk.c - generates the audio of a recording.
 *
 * A script has turns: at which frame a phrase begins, and which speaker says it; between turns there is silence. The MP3 consists
 * of the phrases' frames and silent frames, the WAV of the phrases' samples at the same places. */
#include "talk.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { WAV_BLOCK_MAX = VOICE_FRAME_SAMPLES * 2 * 2 };

struct turn {
  uint32_t frame; /* first */
  uint32_t phrase;
  unsigned speaker; /* 0 or 1 */
};

struct talk {
  struct voice *voice;
  enum talk_format format;
  int64_t seconds;
  unsigned channels;
  uint32_t frames;
  struct turn *turns;
  size_t count, room;
};

static int64_t frames_of(int64_t seconds) {
  return (seconds * VOICE_RATE + VOICE_FRAME_SAMPLES - 1) / VOICE_FRAME_SAMPLES;
}

int64_t talk_size(enum talk_format format, int64_t seconds, unsigned channels) {
  if (format == TALK_MP3) return frames_of(seconds) * VOICE_FRAME_BYTES;
  return TALK_WAV_HEADER + seconds * VOICE_RATE * 2 * (int64_t)channels;
}

static enum err add_turn(struct talk *t, struct turn turn) {
  if (t->count == t->room) {
    size_t room = t->room ? 2 * t->room : 16;
    struct turn *turns = realloc(t->turns, room * sizeof(*turns));
    if (!turns) return ERR_NOMEM;
    t->turns = turns;
    t->room = room;
  }
  t->turns[t->count++] = turn;
  return OK;
}

static enum err write_script(struct talk *t, struct str sid) {
  struct random random = random_from(sid);
  unsigned speaker = 0;
  uint64_t frame = 1 + random_below(&random, 4);
  while (frame < t->frames) {
    size_t phrase = random_below(&random, voice_count(t->voice));
    TRY(add_turn(t, (struct turn){(uint32_t)frame, (uint32_t)phrase, speaker}));
    frame += voice_frame_count(t->voice, phrase) + 3 + random_below(&random, 12);
    if (random_below(&random, 4) > 0) speaker = 1 - speaker;
  }
  return OK;
}

enum err talk_new(struct voice *voice, struct str sid, enum talk_format format, int64_t seconds, unsigned channels,
                  struct talk **ret_talk) {
  if (seconds < 0 || seconds > TALK_SECONDS_MAX || channels < 1 || channels > 2) return ERR_INVALID;
  struct talk *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  t->voice = voice;
  t->format = format;
  t->seconds = seconds;
  t->channels = channels;
  t->frames = (uint32_t)frames_of(seconds);
  enum err e = write_script(t, sid);
  if (e != OK) {
    talk_free(t);
    return e;
  }
  *ret_talk = t;
  return OK;
}

struct talk *talk_free(struct talk *t) {
  if (!t) return NULL;
  free(t->turns);
  free(t);
  return NULL;
}

/* The last turn that begins at or before the frame; NULL if there is none. */
static const struct turn *find_turn(const struct talk *t, uint32_t frame) {
  size_t low = 0, high = t->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (t->turns[middle].frame <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low == 0 ? NULL : &t->turns[low - 1];
}

static const uint8_t *find_frame(struct talk *t, uint32_t frame) {
  const struct turn *turn = find_turn(t, frame);
  if (!turn || frame - turn->frame >= voice_frame_count(t->voice, turn->phrase))
    return voice_silence(t->voice, t->channels);
  enum voice_side side = t->channels == 1 ? VOICE_MONO : turn->speaker == 0 ? VOICE_LEFT : VOICE_RIGHT;
  const uint8_t *frames = voice_frames(t->voice, turn->phrase, side);
  return frames ? frames + (size_t)(frame - turn->frame) * VOICE_FRAME_BYTES : NULL;
}

static enum err read_mp3(struct talk *t, int64_t offset, size_t room, uint8_t *ret_bytes, size_t *ret_n) {
  size_t n = 0;
  while (n < room) {
    uint64_t at = (uint64_t)offset + n;
    uint32_t frame = (uint32_t)(at / VOICE_FRAME_BYTES);
    size_t within = (size_t)(at % VOICE_FRAME_BYTES), part = VOICE_FRAME_BYTES - within;
    if (frame >= t->frames) break;
    const uint8_t *bytes = find_frame(t, frame);
    if (!bytes) return ERR_NOMEM;
    if (part > room - n) part = room - n;
    memcpy(ret_bytes + n, bytes + within, part);
    n += part;
  }
  *ret_n = n;
  return OK;
}

static void put16(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)value;
  p[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *p, uint32_t value) {
  put16(p, value);
  put16(p + 2, value >> 16);
}

static void wav_header(const struct talk *t, uint8_t ret_header[TALK_WAV_HEADER]) {
  uint32_t size = (uint32_t)talk_size(TALK_WAV, t->seconds, t->channels), block = 2 * t->channels;
  memcpy(ret_header, "RIFF....WAVEfmt ", 16);
  put32(ret_header + 4, size - 8);
  put32(ret_header + 16, 16);
  put16(ret_header + 20, 1);
  put16(ret_header + 22, t->channels);
  put32(ret_header + 24, VOICE_RATE);
  put32(ret_header + 28, VOICE_RATE * block);
  put16(ret_header + 32, block);
  put16(ret_header + 34, 16);
  memcpy(ret_header + 36, "data", 4);
  put32(ret_header + 40, size - TALK_WAV_HEADER);
}

/* Adds a turn's samples to the block that begins at sample `first`, delayed as an MP3 decoder would delay them. */
static void render_turn(const struct talk *t, const struct turn *turn, int64_t first, uint8_t *ret_block) {
  size_t count, block = 2 * t->channels;
  unsigned channel = t->channels == 2 ? turn->speaker : 0;
  const int16_t *samples = voice_samples(t->voice, turn->phrase, &count);
  for (int64_t i = 0; i < VOICE_FRAME_SAMPLES; i++) {
    int64_t at = first + i - (int64_t)turn->frame * VOICE_FRAME_SAMPLES - VOICE_DELAY_SAMPLES;
    if (at >= 0 && at < (int64_t)count) put16(ret_block + (size_t)i * block + 2 * channel, (uint16_t)samples[at]);
  }
}

/* The samples of one frame, all channels. */
static void render_block(const struct talk *t, uint32_t frame, uint8_t *ret_block) {
  memset(ret_block, 0, WAV_BLOCK_MAX);
  const struct turn *turn = find_turn(t, frame);
  if (!turn) return;
  if (turn > t->turns) render_turn(t, turn - 1, (int64_t)frame * VOICE_FRAME_SAMPLES, ret_block);
  render_turn(t, turn, (int64_t)frame * VOICE_FRAME_SAMPLES, ret_block);
}

static enum err read_wav(struct talk *t, int64_t offset, size_t room, uint8_t *ret_bytes, size_t *ret_n) {
  int64_t size = talk_size(TALK_WAV, t->seconds, t->channels), left = size - offset;
  size_t n = 0, block_size = (size_t)VOICE_FRAME_SAMPLES * 2 * t->channels;
  uint8_t header[TALK_WAV_HEADER], block[WAV_BLOCK_MAX];
  if (left < (int64_t)room) room = left > 0 ? (size_t)left : 0;
  wav_header(t, header);
  while (n < room) {
    uint64_t at = (uint64_t)offset + n;
    const uint8_t *from = header;
    size_t within = (size_t)at, whole = TALK_WAV_HEADER;
    if (at >= TALK_WAV_HEADER) {
      at -= TALK_WAV_HEADER;
      render_block(t, (uint32_t)(at / block_size), block);
      from = block;
      within = (size_t)(at % block_size);
      whole = block_size;
    }
    size_t part = whole - within < room - n ? whole - within : room - n;
    memcpy(ret_bytes + n, from + within, part);
    n += part;
  }
  *ret_n = n;
  return OK;
}

enum err talk_read(struct talk *t, int64_t offset, size_t room, uint8_t *ret_bytes, size_t *ret_n) {
  if (offset < 0) return ERR_INVALID;
  return t->format == TALK_MP3 ? read_mp3(t, offset, room, ret_bytes, ret_n)
                               : read_wav(t, offset, room, ret_bytes, ret_n);
}
