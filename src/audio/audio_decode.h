/* audio_decode.h - samples of an MP3, from its bytes as they pass (libmpg123). One owner.
 *
 *   decoder_new(8000, 1, &d);  decoder_feed(d, bytes, take, arg);  decoder_free(d);
 *
 * The output is of the rate and channels that were asked for, whatever a damaged header claims in mid-stream. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct decoder;

/* channels: 1 or 2. ERR_NOMEM, ERR_UNSUPPORTED. */
CHECKED enum err decoder_new(int sample_rate, int channels, struct decoder **ret_decoder);
struct decoder *decoder_free(struct decoder *d); /* NULL is fine; always NULL */
/* bytes: of whole frames at last; at most some 100 KiB at once. ERR_CORRUPT: it can't go on, or it keeps what it is given
 * and gives no samples; nothing more comes of it. */
CHECKED enum err decoder_feed(struct decoder *d, struct str bytes,
                              void (*take)(void *arg, const int16_t *samples, size_t frames), void *arg);
