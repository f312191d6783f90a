/* audio_decode.h - decodes an MP3 into samples, as its bytes arrive (libmpg123).
 *
 *   decoder_new(8000, 1, &d);  decoder_feed(d, bytes, take, arg);  decoder_free(d);
 *
 * The output has the given rate and number of channels, whatever a damaged header in the stream says. Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct decoder;

/* channels: 1 or 2. ERR_NOMEM, ERR_UNSUPPORTED. */
CHECKED enum err decoder_new(int sample_rate, int channels, struct decoder **ret_decoder);
struct decoder *decoder_free(struct decoder *d); /* NULL is allowed; always returns NULL */
/* Calls take with the samples of the frames that bytes complete. bytes: frames without tags, at most about 100 KiB a call.
 * ERR_CORRUPT: decoding failed, or the decoder only keeps bytes and makes no samples; then free the decoder. */
CHECKED enum err decoder_feed(struct decoder *d, struct str bytes,
                              void (*take)(void *arg, const int16_t *samples, size_t frames), void *arg);
