/* speech_arena.h - memory that is freed at once: the texts and arrays of a document or an answer.
 *
 *   struct speech_arena a = {.max = 1 << 20};   void *p;   TRY(speech_arena_take(&a, bytes, &p));   speech_arena_done(&a);
 *
 * Memory that was taken does not move until speech_arena_done. Thread rule: one owner at a time. */
#pragma once

#include "base/buf.h"

struct speech_arena_block;

struct speech_arena {
  size_t max;                        /* ceiling, bytes */
  size_t used;                       /* bytes allocated */
  struct speech_arena_block *blocks; /* the newest first */
};

/* Zeroed memory for any type. ERR_NOMEM; ERR_TOO_BIG past the ceiling. */
CHECKED enum err speech_arena_take(struct speech_arena *a, size_t bytes, void **ret_memory);
/* An array; the same errors. */
CHECKED enum err speech_arena_take_array(struct speech_arena *a, size_t count, size_t each_bytes, void **ret_memory);
/* A copy of text, with a NUL behind it. */
CHECKED enum err speech_arena_copy(struct speech_arena *a, struct str text, struct str *ret_text);
void speech_arena_done(struct speech_arena *a); /* frees all; the arena can be used again */
