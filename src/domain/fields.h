/* fields.h - the document of all that was told of a call or a recording, each field with the rank of who told it.
 *
 * A field is that of the highest-ranked delivery that has it non-empty, so the document does not depend on the order in
 * which deliveries arrive, nor on how often. Equal ranks: the bytewise greater value.
 * Thread rule: one owner at a time. */
#pragma once

#include "base/buf.h"
#include "domain/delivery.h"

/* The quota of further fields, those that callreel does not know: DELIVERY_FURTHER_MAX of them, and bytes. A document
 * of nothing but control characters, six bytes each in JSON, fits FIELDS_TEXT_MAX. */
enum {
  FIELDS_FURTHER_NAME_MAX = 128,
  FIELDS_FURTHER_VALUE_MAX = 4 * 1024,
  FIELDS_FURTHER_BYTES_MAX = 64 * 1024, /* of all names and values */
  FIELDS_TEXT_MAX = 640 * 1024
};

struct fields;

/* text: what fields_write wrote, or empty. ERR_CORRUPT, ERR_NOMEM. */
CHECKED enum err fields_read(struct str text, struct fields **ret_fields);
struct fields *fields_free(struct fields *f);
/* *ret_changed: the document differs now. *ret_dropped: further fields of the part that it had no room for. */
CHECKED enum err fields_merge(struct fields *f, const struct delivery_part *part, bool *ret_changed,
                              size_t *ret_dropped);
/* The value, valid until the next merge; STR_NONE when nobody told it. */
struct str fields_get(const struct fields *f, const char *name);
CHECKED enum err fields_write(const struct fields *f, struct buf *b);
