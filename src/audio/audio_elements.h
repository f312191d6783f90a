/* audio_elements.h - the elements of a WebM (RFC 8794, RFC 9559). Part of audio_container.c.
 *
 * Thread rule: one owner. */
#pragma once

#include "audio/audio_parser.h"

enum { ELEMENTS_HEAD_BYTES = 2, ELEMENTS_SCALE_NS = 1000 * 1000 /* where the file says none */ };

/* Parses c->head, which has the bytes that were wanted. */
void elements_step(struct container *c, const unsigned char *head);
int64_t elements_duration_ms(const struct container *c); /* -1: unknown */
