/* erasures.c - see erasures.h. */
#include "ledger/erasures.h"

#include "base/mention.h"
#include "ledger/changes.h"

#define ERASURE_COLUMNS                                                                                      \
  "erasure_id, business_id, kind, key, digest, reason, at_provider, asked_by, created_at, ended_at, calls, " \
  "recordings, held, step, after_sid, tree_sid, role, ip, edited, until_at, after_at"

enum err erasure_number(struct str text, char ret_number[HOLD_KEY_SIZE]) {
  char digits[MENTION_DIGITS_MAX + 1];
  size_t n = 0;
  text = str_trim(text);
  if (text.n == 0 || text.p[0] != '+') return ERR_INVALID;
  for (size_t i = 1; i < text.n; i++) {
    char c = text.p[i];
    if (str_index(STR(" -().\t"), c, 0) < STR(" -().\t").n) continue;
    if (c < '0' || c > '9' || n == MENTION_DIGITS_MAX) return ERR_INVALID;
    digits[n++] = c;
  }
  if (n < MENTION_DIGITS_LEAST || digits[0] == '0') return ERR_INVALID;
  ret_number[0] = '+';
  return str_copy(ret_number + 1, HOLD_KEY_SIZE - 1, str_of(digits, n));
}

static enum err erasures_read_row(const struct db_rows *q, struct erasure *ret_erasure) {
  struct erasure x = {.erasure_id = db_int(q, 0), .business_id = db_int(q, 1), .at_provider = db_int(q, 6) != 0};
  x.is_number = str_eq(db_text(q, 2), STR("number"));
  x.is_retention = str_eq(db_text(q, 2), STR("retention"));
  enum err e = str_copy(x.key, sizeof(x.key), db_text(q, 3));
  if (e == OK) e = str_copy(x.digest, sizeof(x.digest), db_text(q, 4));
  if (e == OK) e = str_copy(x.reason, sizeof(x.reason), db_text(q, 5));
  if (e == OK) e = str_copy(x.by, sizeof(x.by), db_text(q, 7));
  if (e == OK) e = str_copy(x.after, sizeof(x.after), db_text(q, 14));
  if (e == OK) e = str_copy(x.tree_sid, sizeof(x.tree_sid), db_text(q, 15));
  if (e == OK) e = str_copy(x.role, sizeof(x.role), db_text(q, 16));
  if (e == OK) e = str_copy(x.ip, sizeof(x.ip), db_text(q, 17));
  if (e != OK) return ERR_CORRUPT;
  x.created_at = db_int(q, 8);
  x.ended_at = db_int(q, 9);
  x.calls = db_int(q, 10);
  x.recordings = db_int(q, 11);
  x.held = db_int(q, 12);
  x.step = (int)db_int(q, 13);
  x.edited = db_int(q, 18);
  x.until_at = db_int(q, 19);
  x.after_at = db_int(q, 20);
  *ret_erasure = x;
  return OK;
}

static enum err erasures_query_has_row(struct db_rows *q, bool *ret_has) {
  enum err e = db_next(q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

enum err erasures_count(struct db *db, int64_t business_id, int most, int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q,
                 "select count(*) from (select 1 from erasures indexed by erasures_key where ended_at is null"
                 " and business_id = ?1 limit ?2) few",
                 DB_INT(business_id), DB_INT(most)));
  else
    TRY(db_query(db, &q,
                 "select count(*) from (select 1 from erasures indexed by erasures_open where ended_at is null"
                 " and erasure_id > 0 limit ?1) few",
                 DB_INT(most)));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

static enum err erasures_have_room(struct db *db, int64_t business_id) {
  int64_t open;
  TRY(erasures_count(db, business_id, ERASURES_OPEN_MAX, &open));
  return open < ERASURES_OPEN_MAX ? OK : ERR_BUSY;
}

static struct str erasure_kind_of(const struct erasure *x) {
  return x->is_number ? STR("number") : x->is_retention ? STR("retention") : STR("call");
}

enum err erasures_begin(struct db *db, struct erasure *x, int64_t now) {
  if (!x->is_unbounded) TRY(erasures_have_room(db, x->business_id));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "insert into erasures (business_id, kind, key, tree_sid, digest, reason, at_provider, asked_by, role,"
      " ip, created_at, until_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) returning erasure_id",
      DB_INT(x->business_id), DB_TEXT(erasure_kind_of(x)), DB_TEXT(str_from(x->key)), DB_FILLED_OR_NULL(x->tree_sid),
      DB_TEXT(str_from(x->digest)), DB_TEXT(str_from(x->reason)), DB_INT(x->at_provider), DB_TEXT(str_from(x->by)),
      DB_TEXT(str_from(x->role)), DB_TEXT(str_from(x->ip)), DB_INT(now), DB_INT(x->until_at)));
  TRY(db_next(&q));
  x->erasure_id = db_int(&q, 0);
  x->created_at = now;
  return OK;
}

static enum err first_after(struct db *db, int64_t after, struct erasure *ret_erasure) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " ERASURE_COLUMNS " from erasures indexed by erasures_open where ended_at is null"
               " and erasure_id > ?1 order by erasure_id limit 1",
               DB_INT(after)));
  TRY(db_next(&q));
  return erasures_read_row(&q, ret_erasure);
}

enum err erasures_next(struct db *db, int64_t after, struct erasure *ret_erasure) {
  enum err e = first_after(db, after, ret_erasure);
  return e == ERR_NOT_FOUND && after > 0 ? first_after(db, 0, ret_erasure) : e;
}

enum err erasures_get(struct db *db, int64_t business_id, int64_t erasure_id, struct erasure *ret_erasure) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " ERASURE_COLUMNS
               " from erasures indexed by erasures_own where business_id = ?1 and erasure_id = ?2",
               DB_INT(business_id), DB_INT(erasure_id)));
  TRY(db_next(&q));
  return erasures_read_row(&q, ret_erasure);
}

enum err erasures_store(struct db *db, const struct erasure *x) {
  return db_run(db,
                "update erasures set calls = ?2, recordings = ?3, held = ?4, step = ?5, after_sid = ?6, tree_sid = ?7,"
                " edited = ?8, after_at = ?9 where erasure_id = ?1",
                DB_INT(x->erasure_id), DB_INT(x->calls), DB_INT(x->recordings), DB_INT(x->held), DB_INT(x->step),
                DB_TEXT(str_from(x->after)), DB_FILLED_OR_NULL(x->tree_sid), DB_INT(x->edited), DB_INT(x->after_at));
}

enum err erasures_delete(struct db *db, const struct erasure *x) {
  return db_run(db, "delete from erasures where erasure_id = ?1", DB_INT(x->erasure_id));
}

enum err erasures_end(struct db *db, const struct erasure *x, int64_t now) {
  TRY(erasures_store(db, x));
  return db_run(db,
                "update erasures set key = null, tree_sid = null, after_sid = '', ended_at = ?2 where erasure_id = ?1",
                DB_INT(x->erasure_id), DB_INT(now));
}

/* ---- what is too late to hold ---- */

enum err erasures_find(struct db *db, int64_t business_id, struct str key, struct erasure *ret_erasure) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " ERASURE_COLUMNS
               " from erasures indexed by erasures_key where ended_at is null and business_id = ?1 and key = ?2"
               " limit 1",
               DB_INT(business_id), DB_TEXT(key)));
  TRY(db_next(&q));
  return erasures_read_row(&q, ret_erasure);
}

enum err erasures_cover_tree(struct db *db, int64_t business_id, struct str top_sid, bool *ret_covered) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select 1 from erasures indexed by erasures_tree where tree_sid is not null and business_id = ?1"
               " and tree_sid = ?2 limit 1",
               DB_INT(business_id), DB_TEXT(top_sid)));
  return erasures_query_has_row(&q, ret_covered);
}

enum err erasures_cover_call(struct db *db, int64_t business_id, struct str call_sid, bool *ret_covered,
                             bool *ret_is_old) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select e.kind from calls c cross join erasures e indexed by erasures_tree on e.tree_sid is not null"
      " and e.business_id = ?1 and e.tree_sid = c.top_sid where c.business_id = ?1 and c.call_sid = ?2 limit 1",
      DB_INT(business_id), DB_TEXT(call_sid)));
  TRY(erasures_query_has_row(&q, ret_covered));
  *ret_is_old = *ret_covered && str_eq(db_text(&q, 0), STR("retention"));
  return OK;
}

enum err erasures_cover_child(struct db *db, int64_t business_id, struct str call_sid, bool *ret_covered) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select 1 from erasures e indexed by erasures_tree cross join calls l indexed by calls_legs"
               " on l.business_id = ?1 and l.top_sid = e.tree_sid and l.parent_call_sid = ?2"
               " where e.tree_sid is not null and e.business_id = ?1 limit 1",
               DB_INT(business_id), DB_TEXT(call_sid)));
  return erasures_query_has_row(&q, ret_covered);
}

enum err erasures_any_tree(struct db *db, int64_t business_id, bool *ret_any) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q, "select 1 from erasures indexed by erasures_tree where tree_sid is not null and business_id = ?1 limit 1",
      DB_INT(business_id)));
  return erasures_query_has_row(&q, ret_any);
}

/* Whether a call that is being removed has a leg from or to the number. */
static enum err trees_name(struct db *db, int64_t business_id, struct str number, bool *ret_named) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct str digits = str_skip(number, 1);
  enum err e;
  TRY(db_query(db, &q,
               "select l.from_number, l.to_number from erasures e indexed by erasures_tree cross join calls l"
               " indexed by calls_legs on l.business_id = ?1 and l.top_sid = e.tree_sid"
               " where e.tree_sid is not null and e.business_id = ?1",
               DB_INT(business_id)));
  *ret_named = false;
  while (!*ret_named && (e = db_next(&q)) == OK)
    *ret_named =
        mention_is_in(db_text(&q, 0), digits, MENTION_PLAIN) || mention_is_in(db_text(&q, 1), digits, MENTION_PLAIN);
  return *ret_named || e == ERR_NOT_FOUND ? OK : e;
}

enum err erasures_cover_number(struct db *db, int64_t business_id, struct str number, bool *ret_covered) {
  struct erasure x;
  enum err e = erasures_find(db, business_id, number, &x);
  if (e == ERR_NOT_FOUND) return trees_name(db, business_id, number, ret_covered);
  TRY(e);
  *ret_covered = true;
  return OK;
}

enum err erasures_ended_since(struct db *db, int64_t since, bool *ret_any) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from erasures indexed by erasures_ended where ended_at > ?1 limit 1", DB_INT(since)));
  return erasures_query_has_row(&q, ret_any);
}

/* ---- what is to be removed ---- */

enum err erasures_legs(struct db *db, int64_t business_id, struct str top_sid, int limit, struct erasure_leg *ret_legs,
                       int *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select call_sid, parent_call_sid from (select call_sid, parent_call_sid from calls"
      "  where business_id = ?1 and call_sid = ?2"
      " union all select call_sid, parent_call_sid from (select call_sid, parent_call_sid from calls"
      "  indexed by calls_legs where business_id = ?1 and top_sid = ?2 and call_sid <> ?2 limit ?3) others) legs"
      " limit ?3",
      DB_INT(business_id), DB_TEXT(top_sid), DB_INT(limit)));
  enum err e = OK;
  int n = 0;
  for (; n < limit && (e = db_next(&q)) == OK; n++) {
    TRY(str_copy(ret_legs[n].call_sid, SID_SIZE, db_text(&q, 0)));
    TRY(str_copy(ret_legs[n].parent_call_sid, SID_SIZE, db_text(&q, 1)));
  }
  if (n < limit && e != ERR_NOT_FOUND) return e;
  *ret_count = n;
  return OK;
}

enum err erasures_next_call(struct db *db, const struct erasure *x, char ret_call_sid[SID_SIZE],
                            char ret_top_sid[SID_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct db_value business = DB_INT(x->business_id), key = DB_TEXT(str_from(x->key + (x->step >= 2))),
                  after = DB_TEXT(str_from(x->after));
  if (x->step % 2 == 0)
    TRY(db_query(db, &q,
                 "select call_sid, top_sid from calls indexed by calls_from_number where business_id = ?1"
                 " and from_number = ?2 and call_sid > ?3 order by call_sid limit 1",
                 business, key, after));
  else
    TRY(db_query(db, &q,
                 "select call_sid, top_sid from calls indexed by calls_to_number where business_id = ?1"
                 " and to_number = ?2 and call_sid > ?3 order by call_sid limit 1",
                 business, key, after));
  TRY(db_next(&q));
  TRY(str_copy(ret_call_sid, SID_SIZE, db_text(&q, 0)));
  return str_copy(ret_top_sid, SID_SIZE, db_text(&q, 1));
}

enum err erasures_next_old_call(struct db *db, const struct erasure *x, char ret_top_sid[SID_SIZE], int64_t *ret_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select call_sid, sort_at from calls indexed by calls_newest where business_id = ?1"
               " and top_sid = call_sid and sort_at <= ?2 and (sort_at, call_sid) > (?3, ?4)"
               " order by sort_at, call_sid limit 1",
               DB_INT(x->business_id), DB_INT(x->until_at), DB_INT(x->after_at), DB_TEXT(str_from(x->after))));
  TRY(db_next(&q));
  *ret_at = db_int(&q, 1);
  return str_copy(ret_top_sid, SID_SIZE, db_text(&q, 0));
}

enum err erasures_tree_is_kept(struct db *db, int64_t business_id, struct str top_sid, bool *ret_kept) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select 1 from calls l indexed by calls_legs cross join recordings r indexed by recordings_call"
               " on r.business_id = ?1 and r.call_sid = l.call_sid and r.status <> 'expired'"
               " where l.business_id = ?1 and l.top_sid = ?2 limit 1",
               DB_INT(business_id), DB_TEXT(top_sid)));
  return erasures_query_has_row(&q, ret_kept);
}

enum err recordings_wipe(struct db *db, int64_t business_id, struct str recording_sid, struct str reason) {
  TRY(db_run(db,
             "update recordings set call_sid = null, provider_status = '', url = '', told_duration_s = null,"
             " told_channels = null, source = null, fields = '{}', expire_reason = ?3, hold = null,"
             " version = version + 1 where business_id = ?1 and recording_sid = ?2 and status = 'expired'",
             DB_INT(business_id), DB_TEXT(recording_sid), DB_TEXT(reason)));
  return changes_add(db, CHANGE_RECORDING, business_id, recording_sid);
}
