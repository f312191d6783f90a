/* audio_container.h - reads the duration of audio that is not decoded from its container or frames, as its bytes arrive.
 *
 *   container_init(&c, AUDIO_OGG);  container_feed(&c, bytes) …;  container_duration_ms(&c);   from the file's first byte on
 *
 * Thread rule: one owner. */
#pragma once

#include <stdint.h>

#include "audio/audio_parser.h"

/* kind: one that is neither MP3 nor WAV. */
void container_init(struct container *c, enum audio_kind kind);
/* AAC: counts blocks of samples that were not fed. To be called before the first bytes. */
void container_add_blocks(struct container *c, uint64_t blocks);
void container_feed(struct container *c, struct str bytes);
int64_t container_duration_ms(const struct container *c); /* -1: unknown */
/* False while there are headers only. */
bool container_has_sound(const struct container *c);
/* True if no sound can follow any more, because the bytes are not understood. */
bool container_is_bad(const struct container *c);
/* False if the bytes end within a frame, page, box or element. */
bool container_is_whole(const struct container *c);
