/* fields.h - all fields that deliveries reported of one call or recording, each with the rank of its delivery.
 *
 *   TRY(fields_read(text, &fields));   TRY(fields_merge(fields, &delivery->call, &changed, &dropped));
 *   value = fields_get(fields, CALL_FIELD_FROM);   TRY(fields_write(fields, &buf));
 *
 * A field's value comes from the highest-ranked delivery in which it is not empty; with equal ranks, the bytewise
 * greater value wins. So the document does not depend on the order in which deliveries arrive, or on repeats.
 * Thread rule: one owner at a time. */
#pragma once

#include "base/buf.h"
#include "domain/delivery.h"

/* Limits for fields that callreel does not know; there are at most DELIVERY_FURTHER_MAX of them. Even a document of
 * control characters only, with six bytes each in JSON, fits FIELDS_TEXT_MAX. */
enum {
  FIELDS_FURTHER_NAME_MAX = 128,
  FIELDS_FURTHER_VALUE_MAX = 4 * 1024,
  FIELDS_FURTHER_BYTES_MAX = 64 * 1024, /* of all names and values */
  FIELDS_TEXT_MAX = 640 * 1024
};

struct fields;

/* text: written by fields_write, or empty. ERR_CORRUPT, ERR_NOMEM. */
CHECKED enum err fields_read(struct str text, struct fields **ret_fields);
struct fields *fields_free(struct fields *f);
/* Merges a delivery. *ret_changed: the document changed. *ret_dropped: how many unknown fields had no room. */
CHECKED enum err fields_merge(struct fields *f, const struct delivery_part *part, bool *ret_changed,
                              size_t *ret_dropped);
/* The value, valid until the next merge; STR_NONE if no delivery had it. */
struct str fields_get(const struct fields *f, const char *name);
CHECKED enum err fields_write(const struct fields *f, struct buf *b);
