/* erasure.c - see erasure.h.
 *
 *   a part: up to RECORDINGS recordings of up to LEGS legs expire and are wiped; a leg without recordings is deleted
 *   a number: the trees of its calls, one after the other; then what else names it (erasure_texts.c, erasure_transcripts.c,
 *             erasure_names.c). A
 *   tree that a hold covers is passed over
 *
 * Invariants
 *  (1) A tree is begun only if no hold covers it and all its legs are in it, in the transaction that asks. From then on tree_sid
 *      names it, and a hold on it is too late (domain/hold.c); one on a number of it, too. So a tree that was begun goes whatever
 *      is held later.
 *  (2) A recording's row stays, wiped and expired. The SIDs of a call's legs and of their parents stay in removed_calls, and so
 *      does that of a leg that comes later (domain/intake_removed.c). So no delivery brings anything back.
 *  (3) The audit has an entry for each recording and leg, so that a restored backup can be compared with it
 *      (cmd_audit_compare.c), and one for the whole with the digest of the key. None names the number. */
#include "domain/erasure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "domain/erasure_names.h"
#include "domain/erasure_texts.h"
#include "domain/erasure_transcripts.h"
#include "domain/removal.h"
#include "ledger/businesses.h"
#include "ledger/calls_tree.h"
#include "ledger/forgets.h"
#include "ledger/removed_calls.h"

/* Before the SID in a late one's key: a deletion of the same call that a person asks for has a key of its own. */
#define LATE_MARK '~'
enum { LEGS = 6, RECORDINGS = 8, PASSED_MAX = 20, BUSINESSES_MAX = 20, FORGET_MS = 2 * 60 * 1000 };

struct erasing {
  struct db *db;
  struct erasure *erasure;
  erasure_mask_fn *mask; /* NULL: the first part, which comes to no transcripts */
  int64_t now;
  int left; /* recordings that this part may still take */
};

struct some_recordings {
  struct recording *rows;
  int count;
};

static enum err some_recordings_add(void *arg, const struct recording *row) {
  struct some_recordings *s = arg;
  if (s->count < RECORDINGS) s->rows[s->count++] = *row;
  return OK;
}

static enum removal_reason reason_of(const struct erasure *x) {
  for (int r = 0; r < REMOVAL_REASON_COUNT_; r++)
    if (strcmp(removal_reason_name((enum removal_reason)r), x->reason) == 0) return (enum removal_reason)r;
  return REMOVAL_ERASED;
}

static void free_rows(struct recording **rows) {
  free(*rows);
}

/* action DELETE: of a recording or a leg; ERASURE: the certificate. */
static enum err note_audit(const struct erasing *e, enum audit_action action, struct str object, struct str details) {
  const struct erasure *x = e->erasure;
  const struct audit_entry entry = {.at = e->now,
                                    .actor = str_from(x->by),
                                    .role = str_from(x->role),
                                    .action = action,
                                    .object = object,
                                    .ip = str_from(x->ip),
                                    .details = details};
  return audit_append(e->db, x->business_id, &entry);
}

static enum err note_deleted(const struct erasing *e, struct str object) {
  if (e->erasure->is_retention) return OK; /* note_end sums up */
  struct buf details CLEANUP(buf_done) = BUF_INIT(64);
  TRY(buf_addf(&details, "{\"erasure\":%lld}", (long long)e->erasure->erasure_id));
  return note_audit(e, AUDIT_DELETE, object, buf_str(&details)); /* (3) */
}

static enum err erase_recording(struct erasing *e, const struct recording *row) {
  struct erasure *x = e->erasure;
  const struct removal removal = {
      .reason = reason_of(x), .rank = RECORDING_RANK_PLAY, .at_provider = x->at_provider, .despite_holds = true};
  struct recording gone;
  struct recording_outcome outcome;
  struct str sid = str_from(row->recording_sid);
  TRY(removal_expire(e->db, row, &removal, e->now, &gone, &outcome)); /* (1) */
  TRY(recordings_wipe(e->db, x->business_id, sid, str_from(x->reason)));
  TRY(note_deleted(e, sid));
  x->recordings++;
  e->left--;
  return OK;
}

/* *ret_done: the leg is deleted. */
static enum err erase_leg(struct erasing *e, const struct erasure_leg *leg, bool *ret_done) {
  struct erasure *x = e->erasure;
  struct recording *rows CLEANUP(free_rows) = calloc(RECORDINGS, sizeof(*rows));
  struct some_recordings some = {rows, 0};
  struct str call_sid = str_from(leg->call_sid), parent_sid = str_from(leg->parent_call_sid);
  if (!rows) return ERR_NOMEM;
  TRY(recordings_of_call(e->db, x->business_id, call_sid, some_recordings_add, &some));
  for (int i = 0; i < some.count && e->left > 0; i++) TRY(erase_recording(e, &rows[i]));
  *ret_done = some.count < RECORDINGS && e->left > 0;
  if (!*ret_done) return OK;
  x->calls++;
  TRY(note_deleted(e, call_sid));
  enum removed_kind kind = x->is_retention ? REMOVED_OLD : REMOVED_DELETED;
  enum removed_kind parents_kind = x->is_retention ? REMOVED_OLD : REMOVED_RELATED;
  TRY(removed_calls_delete(e->db, x->business_id, call_sid, kind, e->now));
  return parent_sid.n ? removed_calls_add(e->db, x->business_id, parent_sid, parents_kind, e->now) : OK; /* (2) */
}

/* *ret_done: the tree is gone. */
static enum err erase_tree(struct erasing *e, bool *ret_done) {
  struct erasure_leg legs[LEGS];
  int count;
  bool done = true;
  TRY(erasures_legs(e->db, e->erasure->business_id, str_from(e->erasure->tree_sid), LEGS, legs, &count));
  for (int i = 0; i < count && done; i++) TRY(erase_leg(e, &legs[i], &done));
  *ret_done = done && count < LEGS;
  if (*ret_done) e->erasure->tree_sid[0] = '\0';
  return OK;
}

/* Whether the tree with that top leg may be removed now. *ret_held: no, a hold covers it. ERR_BUSY: its legs are being moved. */
static enum err may_begin(struct db *db, int64_t business_id, const char *top_sid, bool *ret_held) {
  bool moving;
  TRY(calls_tree_is_moving(db, business_id, str_from(top_sid), &moving));
  if (moving) return ERR_BUSY;
  return holds_cover_tree(db, business_id, str_from(top_sid), ret_held); /* (1) */
}

/* Of a number: begins the next tree that has a call of it. */
static enum err begin_next_tree(struct erasing *e) {
  struct erasure *x = e->erasure;
  char call_sid[SID_SIZE], top_sid[SID_SIZE];
  bool held;
  enum err found = erasures_next_call(e->db, x, call_sid, top_sid);
  if (found == ERR_NOT_FOUND) {
    x->step++;
    x->after[0] = '\0';
    return OK;
  }
  TRY(found);
  found = may_begin(e->db, x->business_id, top_sid, &held);
  if (found == ERR_BUSY) return OK; /* the next part asks again */
  TRY(found);
  if (held) {
    x->held++;
    memcpy(x->after, call_sid, sizeof(x->after));
  } else {
    memcpy(x->tree_sid, top_sid, sizeof(x->tree_sid));
  }
  return OK;
}

static enum err erase_number(struct erasing *e, bool *ret_done) {
  struct erasure *x = e->erasure;
  *ret_done = false;
  if (x->step >= ERASURE_NAMES) return erasure_names_part(e->db, x, ret_done);
  if (x->step >= ERASURE_ANSWERS) return erasure_transcripts_part(e->db, x, e->mask, e->now);
  if (!x->tree_sid[0]) TRY(x->step < HOLD_STEPS ? begin_next_tree(e) : erasure_texts_part(e->db, x));
  bool tree_done;
  return x->tree_sid[0] ? erase_tree(e, &tree_done) : OK;
}

/* Passes over calls that a legal hold covers, or that have a recording that is kept. */
static enum err begin_next_old_tree(struct erasing *e, bool *ret_done) {
  struct erasure *x = e->erasure;
  char top_sid[SID_SIZE];
  int64_t at;
  for (int passed = 0; passed < PASSED_MAX; passed++) {
    bool held, kept;
    enum err found = erasures_next_old_call(e->db, x, top_sid, &at);
    *ret_done = found == ERR_NOT_FOUND;
    if (*ret_done) return OK;
    TRY(found);
    found = may_begin(e->db, x->business_id, top_sid, &held);
    if (found == ERR_BUSY) return OK; /* the next part asks again */
    TRY(found);
    TRY(erasures_tree_is_kept(e->db, x->business_id, str_from(top_sid), &kept));
    if (!held && !kept) return str_copy(x->tree_sid, sizeof(x->tree_sid), str_from(top_sid));
    x->held += held;
    x->after_at = at;
    memcpy(x->after, top_sid, sizeof(x->after));
  }
  return OK;
}

static enum err erase_old_calls(struct erasing *e, bool *ret_done) {
  struct erasure *x = e->erasure;
  int64_t before = x->calls;
  *ret_done = false;
  while (!*ret_done && x->calls - before < LEGS && e->left > 0) {
    bool tree_done = true;
    if (!x->tree_sid[0]) TRY(begin_next_old_tree(e, ret_done));
    if (!x->tree_sid[0]) return OK;
    TRY(erase_tree(e, &tree_done));
    if (!tree_done) return OK;
  }
  return OK;
}

/* One call. A late one (erasure_begin_late) is begun here. */
static enum err erase_call(struct erasing *e, bool *ret_done) {
  struct erasure *x = e->erasure;
  char top_sid[SID_SIZE];
  bool held;
  if (x->tree_sid[0]) return erase_tree(e, ret_done);
  enum err found = calls_tree_top_now(e->db, x->business_id, str_skip(str_from(x->key), 1), top_sid);
  *ret_done = found == ERR_NOT_FOUND; /* another erasure removed it */
  if (*ret_done) return OK;
  TRY(found);
  found = may_begin(e->db, x->business_id, top_sid, &held);
  if (found == ERR_BUSY) return OK;
  TRY(found);
  *ret_done = held;
  x->held += held;
  if (held) return OK;
  memcpy(x->tree_sid, top_sid, sizeof(x->tree_sid));
  return erase_tree(e, ret_done);
}

/* The calls that their retention removed. */
static enum err note_retention_end(const struct erasing *e) {
  const struct erasure *x = e->erasure;
  struct buf details CLEANUP(buf_done) = BUF_INIT(512), object CLEANUP(buf_done) = BUF_INIT(32);
  TRY(buf_addf(&object, "business:%lld", (long long)x->business_id));
  TRY(buf_addf(&details, "{\"calls\":%lld,\"recordings\":%lld,\"held\":%lld}", (long long)x->calls,
               (long long)x->recordings, (long long)x->held));
  return note_audit(e, AUDIT_RETENTION, buf_str(&object), buf_str(&details));
}

/* The certificate: the digest of the number, counts and times. */
static enum err note_end(const struct erasing *e) {
  const struct erasure *x = e->erasure;
  struct buf details CLEANUP(buf_done) = BUF_INIT(512), object CLEANUP(buf_done) = BUF_INIT(32);
  char begun_at[DATE_TEXT_SIZE];
  date_format_rfc3339(x->created_at, begun_at);
  TRY(buf_addf(&object, "erasure:%lld", (long long)x->erasure_id));
  TRY(buf_addf(&details,
               "{\"of\":\"%s\",\"digest\":\"%s\",\"calls\":%lld,\"recordings\":%lld,\"held\":%lld,"
               "\"edited\":%lld,\"begun_at\":\"%s\"}",
               x->is_number ? "number" : "call", x->digest, (long long)x->calls, (long long)x->recordings,
               (long long)x->held, (long long)x->edited, begun_at));
  return note_audit(e, AUDIT_ERASURE, buf_str(&object), buf_str(&details));
}

static enum err run_part(struct db *db, struct erasure *x, erasure_mask_fn *mask, int64_t now) {
  struct erasing e = {db, x, mask, now, RECORDINGS};
  bool done;
  TRY(x->is_number ? erase_number(&e, &done) : x->is_retention ? erase_old_calls(&e, &done) : erase_call(&e, &done));
  if (!done) return erasures_store(db, x);
  if ((x->is_retention || !x->digest[0]) && !x->calls && !x->recordings) return erasures_delete(db, x);
  TRY(x->is_retention ? note_retention_end(&e) : note_end(&e));
  if (x->edited) TRY(forgets_want(db)); /* the others' documents had the number */
  return erasures_end(db, x, now);
}

/* A number that is held itself: nothing of it goes. */
static enum err is_held(struct db *db, const struct erasure *x, bool *ret_held) {
  struct hold hold;
  if (!x->is_number) return may_begin(db, x->business_id, x->key, ret_held);
  enum err e = holds_find(db, x->business_id, str_from(x->key), &hold);
  *ret_held = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err erasure_begin(struct db *db, struct erasure *erasure, int64_t now, bool *ret_held) {
  struct erasure open;
  enum err e = erasures_find(db, erasure->business_id, str_from(erasure->key), &open);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_held = false;
  if (e == OK) {
    *erasure = open;
    return OK;
  }
  TRY(is_held(db, erasure, ret_held));
  if (*ret_held) return OK;
  if (!erasure->is_number) memcpy(erasure->tree_sid, erasure->key, SID_SIZE);
  TRY(erasures_begin(db, erasure, now));
  return run_part(db, erasure, NULL, now);
}

enum err erasure_begin_late(struct db *db, int64_t business_id, struct str call_sid, int64_t now) {
  struct erasure open, x = {.business_id = business_id, .is_unbounded = true, .by = "service", .role = "service"};
  x.key[0] = LATE_MARK;
  TRY(str_copy(x.key + 1, sizeof(x.key) - 1, call_sid));
  TRY(str_copy(x.reason, sizeof(x.reason), str_from(removal_reason_name(REMOVAL_CALL_DELETED))));
  enum err e = erasures_find(db, business_id, str_from(x.key), &open);
  return e == ERR_NOT_FOUND ? erasures_begin(db, &x, now) : e;
}

static enum err begin_retention_of(struct db *db, int64_t business_id, int64_t until_at, int64_t now) {
  struct erasure open, x = {.business_id = business_id,
                            .is_retention = true,
                            .key = ERASURE_RETENTION_KEY,
                            .by = "service",
                            .role = "service",
                            .until_at = until_at};
  char top_sid[SID_SIZE];
  int64_t at;
  enum err e = erasures_find(db, business_id, STR(ERASURE_RETENTION_KEY), &open);
  if (e == ERR_NOT_FOUND)
    e = erasures_next_old_call(db, &x, top_sid, &at);
  else if (e == OK)
    return OK;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(str_copy(x.reason, sizeof(x.reason), str_from(removal_reason_name(REMOVAL_METADATA))));
  e = erasures_begin(db, &x, now);
  return e == ERR_BUSY ? OK : e; /* the next round begins it */
}

enum err erasure_begin_retention(struct db *db, int64_t default_days, int64_t *after, int64_t now, bool *ret_more) {
  *ret_more = true;
  for (int i = 0; i < BUSINESSES_MAX; i++) {
    int64_t id, days;
    enum err e = businesses_next_metadata(db, *after, default_days, &id, &days);
    if (e == ERR_NOT_FOUND) {
      *after = 0;
      *ret_more = false;
      return OK;
    }
    TRY(e);
    if (days > 0) TRY(begin_retention_of(db, id, now - days * RETENTION_DAY_MS, now));
    *after = id;
  }
  return OK;
}

/* For some time after an erasure the log is cut again and again: the search's documents are deleted behind it. */
static enum err erasure_forget_later(struct db *db, int64_t now) {
  bool any;
  TRY(erasures_ended_since(db, now - FORGET_MS, &any));
  if (any) db_forget_later(db);
  return OK;
}

enum err erasure_part(struct db *db, erasure_mask_fn *mask, int64_t *after, int64_t now, bool *ret_more) {
  struct erasure x;
  enum err e = erasures_next(db, *after, &x);
  *ret_more = e == OK;
  if (e == ERR_NOT_FOUND) return erasure_forget_later(db, now);
  TRY(e);
  *after = x.erasure_id;
  return run_part(db, &x, mask, now);
}
