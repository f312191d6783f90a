/* voice.c - loads or generates phrases, and encodes them on demand.
 *
 * Invariants
 *  (1) After voice_new only `frames` change, each once, under the lock: a pointer that a reader got stays valid.
 *  (2) A phrase of n samples has n / 576 + 3 frames: its samples, the encoder's delay and the decoder's tail. */
#include "voice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lame/lame.h>

#include "base/fs.h"
#include "base/lock.h"
#include "random.h"

enum {
  PHRASES_MAX = 2000,
  FILE_MAX = 4 * 1024 * 1024,
  SAMPLES_MIN = VOICE_RATE * 3 / 4,
  SAMPLES_MAX = VOICE_RATE * 7,
  TONGUE_PHRASES = 40,
  QUALITY = 5, /* the encoder's: 0 best, 9 fastest */
  TAIL_FRAMES = 3,
  SILENCE_FRAMES = 12,
  FLUSH_ROOM = 7200, /* the size that lame's documentation gives */
};

struct phrase {
  char *name; /* the file's name */
  int16_t *samples;
  size_t count;
  uint8_t *frames[VOICE_SIDES];
};

struct voice {
  struct lock lock;
  struct phrase *phrases;
  size_t count;
  bool real;
  uint8_t silence[2][VOICE_FRAME_BYTES];
};

static uint32_t le32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t le16(const uint8_t *p) {
  return (uint16_t)(p[0] | p[1] << 8);
}

/* The chunk of that name in a RIFF file, or NULL. */
static const uint8_t *find_chunk(const uint8_t *file, size_t size, const char *name, size_t *ret_size) {
  for (size_t at = 12; at + 8 <= size;) {
    size_t length = le32(file + at + 4);
    if (length > size - at - 8) length = size - at - 8;
    if (memcmp(file + at, name, 4) == 0) {
      *ret_size = length;
      return file + at + 8;
    }
    at += 8 + length + (length & 1);
  }
  return NULL;
}

/* The samples of a telephone quality WAV file of a fitting length; NULL for anything else. */
static int16_t *decode_wav(const uint8_t *file, size_t size, size_t *ret_count) {
  size_t format_size = 0, data_size = 0;
  if (size < 12 || memcmp(file, "RIFF", 4) != 0 || memcmp(file + 8, "WAVE", 4) != 0) return NULL;
  const uint8_t *format = find_chunk(file, size, "fmt ", &format_size);
  const uint8_t *data = find_chunk(file, size, "data", &data_size);
  if (!format || format_size < 16 || !data) return NULL;
  if (le16(format) != 1 || le16(format + 2) != 1 || le32(format + 4) != VOICE_RATE || le16(format + 14) != 16)
    return NULL;
  size_t count = data_size / 2;
  if (count < SAMPLES_MIN || count > SAMPLES_MAX) return NULL;
  int16_t *samples = malloc(count * sizeof(*samples));
  if (!samples) return NULL;
  for (size_t i = 0; i < count; i++) samples[i] = (int16_t)le16(data + 2 * i);
  *ret_count = count;
  return samples;
}

static enum err load_file(void *arg, int dir, const char *name, bool is_dir) {
  struct voice *v = arg;
  char *bytes CLEANUP(free_char) = NULL;
  size_t size;
  if (is_dir || v->count == PHRASES_MAX || !str_ends(str_from(name), STR(".wav"))) return OK;
  if (fs_read_whole(dir, name, FILE_MAX, &bytes, &size) != OK) return OK; /* skip the file */
  struct phrase phrase = {0};
  phrase.samples = decode_wav((const uint8_t *)bytes, size, &phrase.count);
  if (!phrase.samples) return OK;
  phrase.name = str_dup(str_from(name));
  if (!phrase.name) {
    free(phrase.samples);
    return ERR_NOMEM;
  }
  v->phrases[v->count++] = phrase;
  return OK;
}

static int phrase_cmp(const void *a, const void *b) {
  return strcmp(((const struct phrase *)a)->name, ((const struct phrase *)b)->name);
}

/* Generates a phrase: a tone with overtones, in syllables, that rises and falls. */
static enum err make_tongue(struct voice *v) {
  struct random random = random_from(STR("tongue"));
  for (size_t n = 0; n < TONGUE_PHRASES; n++) {
    struct phrase phrase = {.count = SAMPLES_MIN + random_below(&random, 2 * VOICE_RATE)};
    phrase.samples = malloc(phrase.count * sizeof(*phrase.samples));
    if (!phrase.samples) return ERR_NOMEM;
    double pitch = 95.0 + (double)random_below(&random, 130), angle = 0;
    double syllables = 3.0 + 0.1 * (double)random_below(&random, 25), length = (double)phrase.count / VOICE_RATE;
    for (size_t i = 0; i < phrase.count; i++) {
      double t = (double)i / VOICE_RATE, sum = 0;
      angle += 2 * M_PI * pitch * (1.0 + 0.12 * sin(2.1 * t) - 0.1 * t / length) / VOICE_RATE;
      double vowel = 500.0 + 350.0 * sin(2 * M_PI * syllables * 0.37 * t);
      for (int h = 1; h <= 14; h++) {
        double away = (h * pitch - vowel) / 320.0;
        sum += sin(h * angle) * (0.15 / h + exp(-away * away) / 3.0);
      }
      double syllable = sin(M_PI * syllables * t);
      double edge = fmin(1.0, fmin(t, length - t) * 20.0);
      phrase.samples[i] = (int16_t)(9000.0 * sum * syllable * syllable * edge / 2.0);
    }
    v->phrases[v->count++] = phrase;
  }
  return OK;
}

/* Encodes samples of one or two channels (right NULL: one) into exactly `frames` frames; unused bytes stay 0. */
static enum err encode(const int16_t *left, const int16_t *right, size_t count, size_t frames, uint8_t *ret) {
  enum err e = ERR_NOMEM;
  size_t room = count * 5 / 4 + FLUSH_ROOM, wanted = frames * VOICE_FRAME_BYTES;
  uint8_t *bytes = malloc(room);
  lame_t lame = lame_init();
  if (!bytes || !lame) goto done;
  lame_set_in_samplerate(lame, VOICE_RATE);
  lame_set_out_samplerate(lame, VOICE_RATE);
  lame_set_num_channels(lame, right ? 2 : 1);
  lame_set_mode(lame, right ? JOINT_STEREO : MONO);
  lame_set_VBR(lame, vbr_off);
  lame_set_brate(lame, 32);
  lame_set_bWriteVbrTag(lame, 0);
  lame_set_disable_reservoir(lame, 1);
  lame_set_quality(lame, QUALITY);
  e = ERR_UNSUPPORTED;
  if (lame_init_params(lame) < 0) goto done;
  int n = lame_encode_buffer(lame, left, right ? right : left, (int)count, bytes, (int)room);
  int tail = n < 0 ? n : lame_encode_flush(lame, bytes + n, (int)room - n);
  if (tail < 0 || (size_t)(n + tail) < wanted) goto done;
  memcpy(ret, bytes, wanted);
  e = OK;
done:
  if (lame) lame_close(lame);
  free(bytes);
  return e;
}

/* A frame from the middle of encoded silence. */
static enum err make_silence(struct voice *v) {
  static const int16_t nothing[SILENCE_FRAMES * VOICE_FRAME_SAMPLES];
  uint8_t frames[SILENCE_FRAMES * VOICE_FRAME_BYTES];
  for (unsigned channels = 1; channels <= 2; channels++) {
    TRY(encode(nothing, channels == 2 ? nothing : NULL, COUNT_OF(nothing), SILENCE_FRAMES, frames));
    memcpy(v->silence[channels - 1], frames + (size_t)SILENCE_FRAMES / 2 * VOICE_FRAME_BYTES, VOICE_FRAME_BYTES);
  }
  return OK;
}

enum err voice_new(const char *directory, struct voice **ret_voice) {
  int dir CLEANUP(fs_close_) = -1;
  struct voice *v = calloc(1, sizeof(*v));
  if (!v) return ERR_NOMEM;
  lock_init(&v->lock, "voice", LOCK_RANK_ENGINE);
  enum err e = ERR_NOMEM;
  v->phrases = calloc(PHRASES_MAX, sizeof(v->phrases[0]));
  if (!v->phrases) goto failed;
  e = OK;
  if (fs_open_root(directory, false, &dir) == OK) e = fs_each(dir, ".", load_file, v);
  if (e == ERR_NOMEM) goto failed;
  v->real = v->count > 0;
  if (v->real)
    qsort(v->phrases, v->count, sizeof(v->phrases[0]), phrase_cmp);
  else
    e = make_tongue(v);
  if (e == OK) e = make_silence(v);
  if (e != OK) goto failed;
  *ret_voice = v;
  return OK;
failed:
  voice_free(v);
  return e;
}

struct voice *voice_free(struct voice *v) {
  if (!v) return NULL;
  for (size_t i = 0; i < v->count; i++) {
    free(v->phrases[i].name);
    free(v->phrases[i].samples);
    for (size_t side = 0; side < VOICE_SIDES; side++) free(v->phrases[i].frames[side]);
  }
  free(v->phrases);
  lock_done(&v->lock);
  free(v);
  return NULL;
}

bool voice_is_real(const struct voice *v) {
  return v->real;
}

size_t voice_count(const struct voice *v) {
  return v->count;
}

const int16_t *voice_samples(const struct voice *v, size_t i, size_t *ret_count) {
  *ret_count = v->phrases[i].count;
  return v->phrases[i].samples;
}

size_t voice_frame_count(const struct voice *v, size_t i) {
  return v->phrases[i].count / VOICE_FRAME_SAMPLES + TAIL_FRAMES; /* (2) */
}

static uint8_t *encode_phrase(const struct voice *v, size_t i, enum voice_side side) {
  const struct phrase *p = &v->phrases[i];
  size_t frames = voice_frame_count(v, i);
  uint8_t *bytes = malloc(frames * VOICE_FRAME_BYTES);
  int16_t *nothing = calloc(p->count, sizeof(*nothing));
  const int16_t *left = side == VOICE_RIGHT ? nothing : p->samples;
  const int16_t *right = side == VOICE_MONO ? NULL : side == VOICE_LEFT ? nothing : p->samples;
  if (!bytes || !nothing || encode(left, right, p->count, frames, bytes) != OK) {
    free(bytes);
    bytes = NULL;
  }
  free(nothing);
  return bytes;
}

const uint8_t *voice_frames(struct voice *v, size_t i, enum voice_side side) {
  LOCKED(&v->lock);
  uint8_t **frames = &v->phrases[i].frames[side];
  if (!*frames) *frames = encode_phrase(v, i, side); /* (1) */
  return *frames;
}

const uint8_t *voice_silence(const struct voice *v, unsigned channels) {
  return v->silence[channels == 2 ? 1 : 0];
}
