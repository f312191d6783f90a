/* audio_boxes.h - the boxes of an MP4 (ISO/IEC 14496-12), whole or in fragments. Part of audio_container.c.
 *
 * Thread rule: one owner. */
#pragma once

#include "audio/audio_parser.h"

enum { BOXES_HEAD_BYTES = 8 };

/* Parses c->head, which has the bytes that were wanted. */
void boxes_step(struct container *c, const unsigned char *head);
int64_t boxes_duration_ms(const struct container *c); /* -1: unknown */
