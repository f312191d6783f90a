/* speech_arena.c - memory that is freed at once. */
#include "speech/speech_arena.h"

#include <stddef.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 16 * 1024 };

struct speech_arena_block {
  struct speech_arena_block *next;
  size_t used, size;
  max_align_t memory[];
};

static enum err arena_grow(struct speech_arena *a, size_t bytes) {
  size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
  if (size > a->max || a->used > a->max - size) {
    size = bytes; /* the last ones may be exact */
    if (size > a->max || a->used > a->max - size) return ERR_TOO_BIG;
  }
  struct speech_arena_block *b = calloc(1, sizeof(*b) + size);
  if (!b) return ERR_NOMEM;
  b->size = size;
  b->next = a->blocks;
  a->blocks = b;
  a->used += size;
  return OK;
}

enum err speech_arena_take(struct speech_arena *a, size_t bytes, void **ret_memory) {
  size_t unit = sizeof(max_align_t);
  if (bytes > SIZE_MAX - unit - sizeof(struct speech_arena_block)) return ERR_TOO_BIG;
  bytes = (bytes + unit - 1) / unit * unit;
  if (!a->blocks || a->blocks->size - a->blocks->used < bytes) TRY(arena_grow(a, bytes));
  *ret_memory = (char *)a->blocks->memory + a->blocks->used;
  a->blocks->used += bytes;
  return OK;
}

enum err speech_arena_take_array(struct speech_arena *a, size_t count, size_t each_bytes, void **ret_memory) {
  if (each_bytes > 0 && count > SIZE_MAX / each_bytes) return ERR_TOO_BIG;
  return speech_arena_take(a, count * each_bytes, ret_memory);
}

enum err speech_arena_copy(struct speech_arena *a, struct str text, struct str *ret_text) {
  void *p;
  if (text.n == SIZE_MAX) return ERR_TOO_BIG;
  TRY(speech_arena_take(a, text.n + 1, &p));
  if (text.n > 0) memcpy(p, text.p, text.n);
  *ret_text = str_of(p, text.n);
  return OK;
}

void speech_arena_done(struct speech_arena *a) {
  while (a->blocks) {
    struct speech_arena_block *b = a->blocks;
    a->blocks = b->next;
    free(b);
  }
  a->used = 0;
}
