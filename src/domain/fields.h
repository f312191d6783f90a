/* fields.h - the document of all that was told of a call or a recording, each field with the rank of who told it.
 *
 * A field is that of the highest-ranked delivery that has it non-empty, so the document does not depend on the order in
 * which deliveries arrive, nor on how often. Equal ranks: the bytewise greater value. Thread rule: one owner at a time. */
#pragma once

#include "base/buf.h"
#include "domain/delivery.h"

enum { FIELDS_COUNT_MAX = 300, FIELDS_TEXT_MAX = 256 * 1024 };

struct fields;

/* text: what fields_write wrote, or empty. ERR_CORRUPT, ERR_NOMEM. */
CHECKED enum err fields_read(struct str text, struct fields **ret_fields);
struct fields *fields_free(struct fields *f);
/* ERR_TOO_BIG past FIELDS_COUNT_MAX names. *ret_changed: the document differs now. */
CHECKED enum err fields_merge(struct fields *f, const struct delivery_part *part, bool *ret_changed);
/* The value, valid until the next merge; STR_NONE when nobody told it. */
struct str fields_get(const struct fields *f, const char *name);
CHECKED enum err fields_write(const struct fields *f, struct buf *b);
