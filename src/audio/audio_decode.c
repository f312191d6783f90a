/* audio_decode.c - decodes an MP3 into samples with libmpg123.
 *
 * Invariants
 *  (1) The output format is fixed before the first byte.
 *  (2) A decoder that was fed SILENT_MAX bytes without making a sample has failed: it keeps them in memory. */
#include "audio/audio_decode.h"

#include <mpg123.h>
#include <stdlib.h>

/* SILENT_MAX: some 6 s at the highest bit rate, of which a second has 40,000 bytes. */
enum { RESYNC_BYTES_MAX = 1024 * 1024, SILENT_MAX = 256 * 1024, SAMPLES_AT_ONCE = 8192 };

struct decoder {
  mpg123_handle *handle;
  size_t channels;
  size_t silent; /* bytes fed since the last samples */
};

static enum err open_feed(struct decoder *d, int sample_rate, int channels) {
  d->handle = mpg123_new(NULL, NULL);
  if (!d->handle) return ERR_NOMEM;
  bool ok = mpg123_param(d->handle, MPG123_ADD_FLAGS, MPG123_QUIET | MPG123_SKIP_ID3V2, 0) == MPG123_OK &&
            mpg123_param(d->handle, MPG123_RESYNC_LIMIT, RESYNC_BYTES_MAX, 0) == MPG123_OK &&
            mpg123_format_none(d->handle) == MPG123_OK &&
            mpg123_format(d->handle, sample_rate, channels == 1 ? MPG123_MONO : MPG123_STEREO, MPG123_ENC_SIGNED_16) ==
                MPG123_OK &&
            mpg123_open_feed(d->handle) == MPG123_OK;
  return ok ? OK : ERR_UNSUPPORTED;
}

enum err decoder_new(int sample_rate, int channels, struct decoder **ret_decoder) {
  struct decoder *d = calloc(1, sizeof(*d));
  if (!d) return ERR_NOMEM;
  d->channels = (size_t)channels;
  enum err e = open_feed(d, sample_rate, channels);
  if (e == OK)
    *ret_decoder = d;
  else
    decoder_free(d);
  return e;
}

struct decoder *decoder_free(struct decoder *d) {
  if (!d) return NULL;
  mpg123_delete(d->handle);
  free(d);
  return NULL;
}

enum err decoder_feed(struct decoder *d, struct str bytes,
                      void (*take)(void *arg, const int16_t *samples, size_t frames), void *arg) {
  int16_t samples[SAMPLES_AT_ONCE];
  size_t done;
  int code;
  d->silent += bytes.n;
  if (mpg123_feed(d->handle, (const unsigned char *)bytes.p, bytes.n) != MPG123_OK) return ERR_CORRUPT;
  do {
    done = 0;
    code = mpg123_read(d->handle, samples, sizeof(samples), &done);
    if (done > 0) {
      d->silent = 0;
      take(arg, samples, done / sizeof(samples[0]) / d->channels);
    }
  } while (code == MPG123_OK || code == MPG123_NEW_FORMAT);
  if (d->silent > SILENT_MAX) return ERR_CORRUPT;
  return code == MPG123_NEED_MORE || code == MPG123_DONE ? OK : ERR_CORRUPT;
}
