/* holds.h - the table `holds`: legal holds on a recording, a call or a telephone number. What a hold covers can't be removed.
 *
 *   TRY(holds_cover(db, &row, &held));            in the transaction that would remove the recording
 *
 * A hold on a call covers the recordings of all its legs; one on a number covers all calls with a leg whose from or to names that
 * number (base/mention.h), as +972501234567, 972501234567 or sip:+972501234567@a.example do: what an erasure of the number would
 * remove. It covers those that come later too. What a hold covered it covers until it is removed: the table `hold_keeps` has the
 * legs and recordings whose numbers, parent or call were changed since (holds_keep_call, holds_keep_recording). The column `hold`
 * of recordings only shows the hold: holds_mark_part writes it in parts, holds_mark_row for one row.
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "ledger/calls.h"

enum { HOLD_KEY_SIZE = 40, HOLD_REASON_SIZE = 201, HOLD_BY_SIZE = 101, HOLDS_PER_BUSINESS_MAX = 10000 };
/* A number's calls are looked through as: from it, to it, from it without its +, to it without its +; then all calls, for those
 * from and to an address that names it. */
enum { HOLD_STEPS = 4 };

struct hold {
  int64_t hold_id;
  int64_t business_id;
  char key[HOLD_KEY_SIZE]; /* SID of a recording or a call, or a number in E.164 */
  char reason[HOLD_REASON_SIZE];
  char by[HOLD_BY_SIZE];
  int64_t at;
};

/* Sets a hold, or replaces the reason of the one that has this key. Uses all members but hold_id. ERR_TOO_BIG: the business has
 * HOLDS_PER_BUSINESS_MAX. */
CHECKED enum err holds_set(struct db *db, const struct hold *hold, int64_t *ret_id);
/* ERR_NOT_FOUND: there is none. */
CHECKED enum err holds_find(struct db *db, int64_t business_id, struct str key, struct hold *ret_hold);
CHECKED enum err holds_get(struct db *db, int64_t business_id, int64_t hold_id, struct hold *ret_hold);
/* Ends the hold. Objects that it covered show it until holds_mark_part has read them again, but may be removed at once. */
CHECKED enum err holds_remove(struct db *db, const struct hold *hold);
/* Stores the hold's reason; all that it covers will show it. */
CHECKED enum err holds_set_reason(struct db *db, const struct hold *hold);
typedef enum err holds_each_fn(void *arg, const struct hold *hold);
/* Calls fn with at most limit holds of a business, in order of id, after the id `after`. */
CHECKED enum err holds_each(struct db *db, int64_t business_id, int64_t after, int limit, holds_each_fn *fn, void *arg);

/* The kind of object that is held: "number", "call" or "recording". A literal. */
const char *hold_on(const struct hold *hold);
/* Before a delivery changes a call or a recording: what covered it, and what it leaves, stays covered. They may keep the numbers,
 * the parent or the call of `was` in `next`, if very many holds cover it. */
CHECKED enum err holds_keep_call(struct db *db, const struct call *was, struct call *next);
CHECKED enum err holds_keep_recording(struct db *db, const struct recording *was, struct recording *next);

/* Whether a hold covers the recording now. ERR_BUSY: legs of its call are being moved in the tree, and a hold may be on one of
 * them. Ask again later; the same holds for holds_cover_tree. */
CHECKED enum err holds_cover(struct db *db, const struct recording *row, bool *ret_held);
/* Whether a hold covers the call with that top leg, one of its legs or of their recordings. */
CHECKED enum err holds_cover_tree(struct db *db, int64_t business_id, struct str top_sid, bool *ret_held);
/* Whether a number that these texts name is held. */
CHECKED enum err holds_cover_numbers(struct db *db, int64_t business_id, struct str from, struct str to,
                                     bool *ret_held);
/* Whether the call with that top leg has recordings, and all of them have expired. */
CHECKED enum err holds_tree_has_expired(struct db *db, int64_t business_id, struct str top_sid, bool *ret_expired);
/* Makes the recording show the hold that covers it, or none. */
CHECKED enum err holds_mark_row(struct db *db, const struct recording *row);
/* The same for at most limit recordings of a call and its other legs. */
CHECKED enum err holds_mark_call(struct db *db, int64_t business_id, struct str call_sid, int limit);
/* Looks again at what some hold covers that was set or removed lately: at most limit calls, among the numbers of some hundred.
 * *ret_more: call it again. */
CHECKED enum err holds_mark_part(struct db *db, int limit, bool *ret_more);
/* Makes a call that was read from the database show the hold on a number that an address of it names. */
CHECKED enum err holds_show_address(struct db *db, struct call *call);
/* Whether a hold of the business is in force. */
CHECKED enum err holds_in_force(struct db *db, int64_t business_id, bool *ret_any);
/* Whether the business has any hold, also one that was removed and is still shown: else nothing has to be marked. */
CHECKED enum err holds_any(struct db *db, int64_t business_id, bool *ret_any);
