/* fields.c - Input: any bytes as the stored fields of webhooks, and a webhook that is merged into them. Property: the result can
 * be written and is read back equal; the same merge once more changes nothing. */
#include <stdlib.h>

#include "domain/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void free_fields(struct fields **f) {
  *f = fields_free(*f);
}

static void require(bool holds) {
  if (!holds) abort();
}

/* The first byte's worth of bytes is the document, the rest name=value; … */
static void make_part(struct str rest, struct delivery_part *part) {
  struct str field, name, value;
  part->rank =
      (struct delivery_rank){.terminal = rest.n & 1, .sequence = (int64_t)(rest.n % 7) - 1, .timestamp_ms = -1};
  part->count = 0;
  while (rest.n && part->count < DELIVERY_FIELDS_MAX) {
    (void)str_cut(rest, ';', &field, &rest); /* the last one has no ';' */
    if (!str_cut(field, '=', &name, &value) || !value.n || !str_is_utf8(value) || !name.n || !str_is_utf8(name)) return;
    part->fields[part->count++] = (struct delivery_field){name, value};
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static struct delivery_part part;
  if (n < 1) return 0;
  struct str all = str_of((const char *)bytes + 1, n - 1);
  struct str document = str_head(all, bytes[0]);
  make_part(str_skip(all, document.n), &part);
  struct fields *f CLEANUP(free_fields) = NULL, *again CLEANUP(free_fields) = NULL;
  if (fields_read(document, &f) != OK) return 0;
  bool changed;
  size_t dropped;
  if (fields_merge(f, &part, &changed, &dropped) != OK) return 0;
  require(fields_merge(f, &part, &changed, &dropped) == OK && !changed);
  struct buf first CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX), second CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  require(fields_write(f, &first) == OK);
  require(fields_read(buf_str(&first), &again) == OK);
  require(fields_write(again, &second) == OK && str_eq(buf_str(&first), buf_str(&second)));
  return 0;
}
