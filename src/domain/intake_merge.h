/* intake_merge.h - the rules by which a delivery changes the rows of a call and a recording. Pure: no database.
 *
 * For the files of intake only: intake.c applies them to one delivery, intake_set.c to many. Thread rule: pure. */
#pragma once

#include "domain/fields.h"
#include "domain/delivery.h"
#include "domain/intake_result.h"
#include "ledger/calls.h"

/* STR_NONE: no such field. */
struct str intake_part_get(const struct delivery_part *part, const char *name);
CHECKED enum err intake_new_call(const struct delivery *d, struct call *ret_call);
CHECKED enum err intake_new_recording(const struct delivery *d, struct recording *ret_row);
/* Merges the delivery into the call's ranked fields and its row. *ret_changed: the row or its fields must be written. Notes in
 * *result what it did. */
CHECKED enum err intake_merge_call(struct call *c, bool is_known, struct fields *f, const struct delivery *d,
                                   struct intake_result *result, bool *ret_changed);
/* The same for a recording: the row becomes *ret_next, which may be row itself. */
CHECKED enum err intake_merge_recording(const struct recording *row, bool is_known, struct fields *f,
                                        const struct delivery *d, int64_t now, struct recording *ret_next,
                                        struct intake_result *result, bool *ret_row_changed, bool *ret_fields_changed);
