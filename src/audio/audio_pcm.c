/* audio_pcm.c - converts the samples of a WAV to 16 bits.
 *
 * Invariant
 *  (1) A frame that is split between two feeds is joined in `carry`, which holds less than a frame. */
#include "audio/audio_pcm.h"

#include <string.h>

enum { FRAMES_AT_ONCE = 512 };

bool pcm_init(struct pcm *p, enum pcm_kind kind, int bits, int channels, bool is_big_endian) {
  bool law = kind == PCM_A_LAW || kind == PCM_MU_LAW;
  size_t sample_bytes = law ? 1 : (size_t)bits / 8;
  bool known = law || (kind == PCM_LINEAR && sample_bytes >= 1 && sample_bytes <= 4) ||
               (kind == PCM_FLOAT && (sample_bytes == 4 || sample_bytes == 8));
  if (!known || channels < 1 || (size_t)channels * sample_bytes > PCM_FRAME_BYTES_MAX) return false;
  *p = (struct pcm){
      .kind = kind, .sample_bytes = sample_bytes, .channels = (size_t)channels, .is_big_endian = is_big_endian};
  return true;
}

/* ITU-T G.711. */
static int16_t of_mu_law(unsigned char byte) {
  unsigned u = ~(unsigned)byte & 0xff;
  int magnitude = (int)((((u & 15) << 3) + 132) << (u >> 4 & 7)) - 132;
  return (int16_t)(u & 128 ? -magnitude : magnitude);
}

static int16_t of_a_law(unsigned char byte) {
  unsigned a = byte ^ 0x55u, exponent = a >> 4 & 7;
  int magnitude = (int)((a & 15) << 4) + 8;
  if (exponent > 0) magnitude = (magnitude + 256) << (exponent - 1);
  return (int16_t)(a & 128 ? magnitude : -magnitude);
}

static int16_t of_real(double value) {
  if (!(value > -1)) return -32768; /* also for NaN */
  if (value >= 1) return 32767;
  return (int16_t)(value * 32767);
}

static int16_t of_float(const unsigned char *p, size_t bytes) {
  float single;
  double real;
  if (bytes == sizeof(single)) {
    memcpy(&single, p, sizeof(single));
    return of_real(single);
  }
  memcpy(&real, p, sizeof(real));
  return of_real(real);
}

static int16_t sample_at(const struct pcm *p, const unsigned char *at) {
  unsigned char reversed[sizeof(double)];
  if (p->is_big_endian) {
    for (size_t i = 0; i < p->sample_bytes; i++) reversed[i] = at[p->sample_bytes - 1 - i];
    at = reversed;
  }
  switch (p->kind) {
    case PCM_MU_LAW:
      return of_mu_law(at[0]);
    case PCM_A_LAW:
      return of_a_law(at[0]);
    case PCM_FLOAT:
      return of_float(at, p->sample_bytes);
    default:
      break;
  }
  if (p->sample_bytes == 1) return (int16_t)((at[0] - 128) * 256);
  at += p->sample_bytes - 2; /* the upper 16 bits */
  return (int16_t)(uint16_t)(at[1] << 8 | at[0]);
}

typedef void take_fn(void *arg, const int16_t *samples, size_t frames);

static void convert(const struct pcm *p, const unsigned char *bytes, size_t frames, take_fn *take, void *arg) {
  int16_t samples[FRAMES_AT_ONCE * PCM_FRAME_BYTES_MAX];
  while (frames > 0) {
    size_t n = frames < FRAMES_AT_ONCE ? frames : FRAMES_AT_ONCE;
    for (size_t i = 0; i < n * p->channels; i++, bytes += p->sample_bytes) samples[i] = sample_at(p, bytes);
    take(arg, samples, n);
    frames -= n;
  }
}

void pcm_feed(struct pcm *p, struct str bytes, take_fn *take, void *arg) {
  size_t frame = p->sample_bytes * p->channels;
  if (p->carry_bytes > 0) {
    size_t n = frame - p->carry_bytes < bytes.n ? frame - p->carry_bytes : bytes.n;
    if (n > 0) memcpy(p->carry + p->carry_bytes, bytes.p, n);
    p->carry_bytes += n;
    bytes = str_skip(bytes, n);
    if (p->carry_bytes < frame) return;
    convert(p, p->carry, 1, take, arg);
    p->carry_bytes = 0;
  }
  size_t frames = bytes.n / frame;
  convert(p, (const unsigned char *)bytes.p, frames, take, arg);
  bytes = str_skip(bytes, frames * frame);
  if (bytes.n > 0) memcpy(p->carry, bytes.p, bytes.n);
  p->carry_bytes = bytes.n;
}
