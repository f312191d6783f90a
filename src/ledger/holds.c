/* holds.c - see holds.h.
 *
 *   SET --holds_mark_part, until all is marked--> MARKED --holds_remove--> REMOVED --holds_mark_part--> the row is deleted
 *
 * Invariants
 *  (1) Only the rows of `holds` and `hold_keeps` decide what may be removed; recordings.hold only shows it and keeps it out
 *      of an index.
 *  (2) A row that is_removed covers nothing, and a row of hold_keeps only in the round of its hold in which it was written.
 *  (3) What a hold covered it covers until it is removed. A delivery that takes a leg or a recording from under a hold adds
 *      rows of hold_keeps in its transaction. A leg that leaves its tree takes the tree's holds along, and they stay with what
 *      remains.
 *  (4) What more than KEPT_MAX holds cover stays where it is: such a delivery changes no number, parent or call of it.
 *  (5) While legs have yet to follow into their tree, a hold that is not found may be on one of them: ERR_BUSY. */
#include "ledger/holds.h"

#include <string.h>

#include "base/clock.h"
#include "base/mention.h"
#include "ledger/calls_tree.h"
#include "ledger/changes.h"

enum { MARK_RECORDINGS_MAX = 20, LEGS_PART = 20, KEYS_SIZE = 8 << 20, KEPT_MAX = 50, ABOVE_MAX = 8 };

#define HOLD_COLUMNS "hold_id, business_id, key, reason, set_by, set_at"

static enum err holds_read_row(const struct db_rows *q, struct hold *ret_hold) {
  struct hold h = {.hold_id = db_int(q, 0), .business_id = db_int(q, 1), .at = db_int(q, 5)};
  enum err e = str_copy(h.key, sizeof(h.key), db_text(q, 2));
  if (e == OK) e = str_copy(h.reason, sizeof(h.reason), db_text(q, 3));
  if (e == OK) e = str_copy(h.by, sizeof(h.by), db_text(q, 4));
  if (e != OK) return ERR_CORRUPT;
  *ret_hold = h;
  return OK;
}

const char *hold_on(const struct hold *h) {
  return h->key[0] == '+' ? "number" : h->key[0] == 'C' ? "call" : "recording";
}

static enum err write_shown(const struct hold *h, struct buf *b) {
  char at[DATE_TEXT_SIZE];
  date_format_rfc3339(h->at, at);
  TRY(buf_addf(b, "{\"hold_id\":%lld,\"on\":\"%s\",\"reason\":", (long long)h->hold_id, hold_on(h)));
  TRY(buf_add_json(b, str_from(h->reason)));
  TRY(buf_add(b, STR(",\"by\":")));
  TRY(buf_add_json(b, str_from(h->by)));
  return buf_addf(b, ",\"at\":\"%s\"}", at);
}

/* ---- setting and removing ---- */

static enum err holds_have_room(struct db *db, int64_t business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select count(*) from (select 1 from holds where business_id = ?1 limit ?2) few",
               DB_INT(business_id), DB_INT(HOLDS_PER_BUSINESS_MAX)));
  TRY(db_next(&q));
  return db_int(&q, 0) < HOLDS_PER_BUSINESS_MAX ? OK : ERR_TOO_BIG;
}

/* Its id. One that was removed, but is shown still, begins another round. */
static enum err write_row(struct db *db, const struct hold *h, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "insert into holds (business_id, key, reason, set_by, set_at) values (?1, ?2, ?3, ?4, ?5)"
               " on conflict (business_id, key) do update set reason = ?3, set_by = ?4, set_at = ?5,"
               " round = holds.round + holds.is_removed, is_removed = 0, marked = 0, mark_step = 0, mark_after = ''"
               " returning hold_id",
               DB_INT(h->business_id), DB_TEXT(str_from(h->key)), DB_TEXT(str_from(h->reason)),
               DB_TEXT(str_from(h->by)), DB_INT(h->at)));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  return OK;
}

enum err holds_set(struct db *db, const struct hold *hold, int64_t *ret_id) {
  struct buf shown CLEANUP(buf_done) = BUF_INIT(RECORDING_HOLD_SIZE - 1);
  struct hold h = *hold;
  TRY(holds_have_room(db, h.business_id));
  TRY(write_row(db, &h, &h.hold_id));
  TRY(write_shown(&h, &shown));
  TRY(db_run(db, "update holds set shown = ?2 where hold_id = ?1", DB_INT(h.hold_id), DB_TEXT(buf_str(&shown))));
  *ret_id = h.hold_id;
  return OK;
}

enum err holds_set_reason(struct db *db, const struct hold *hold) {
  struct buf shown CLEANUP(buf_done) = BUF_INIT(RECORDING_HOLD_SIZE - 1);
  TRY(write_shown(hold, &shown));
  return db_run(
      db, "update holds set reason = ?2, shown = ?3, marked = 0, mark_step = 0, mark_after = '' where hold_id = ?1",
      DB_INT(hold->hold_id), DB_TEXT(str_from(hold->reason)), DB_TEXT(buf_str(&shown)));
}

enum err holds_find(struct db *db, int64_t business_id, struct str key, struct hold *ret_hold) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " HOLD_COLUMNS " from holds where business_id = ?1 and key = ?2 and is_removed = 0",
               DB_INT(business_id), DB_TEXT(key)));
  TRY(db_next(&q));
  return holds_read_row(&q, ret_hold);
}

enum err holds_get(struct db *db, int64_t business_id, int64_t hold_id, struct hold *ret_hold) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " HOLD_COLUMNS " from holds indexed by holds_business where business_id = ?1 and hold_id = ?2"
               " and is_removed = 0",
               DB_INT(business_id), DB_INT(hold_id)));
  TRY(db_next(&q));
  return holds_read_row(&q, ret_hold);
}

enum err holds_remove(struct db *db, const struct hold *hold) {
  return db_run(db, "update holds set is_removed = 1, marked = 0, mark_step = 0, mark_after = '' where hold_id = ?1",
                DB_INT(hold->hold_id));
}

enum err holds_each(struct db *db, int64_t business_id, int64_t after, int limit, holds_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " HOLD_COLUMNS " from holds indexed by holds_business where business_id = ?1 and hold_id > ?2"
               " and is_removed = 0 order by hold_id limit ?3",
               DB_INT(business_id), DB_INT(after), DB_INT(limit)));
  struct hold h;
  enum err e;
  while ((e = db_next(&q)) == OK) {
    TRY(holds_read_row(&q, &h));
    TRY(fn(arg, &h));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- what is covered ---- */

static enum err holds_query_has_row(struct db_rows *q, bool *ret_has) {
  enum err e = db_next(q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

enum err holds_any(struct db *db, int64_t business_id, bool *ret_any) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from holds where business_id = ?1 limit 1", DB_INT(business_id)));
  return holds_query_has_row(&q, ret_any);
}

enum err holds_in_force(struct db *db, int64_t business_id, bool *ret_any) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from holds where business_id = ?1 and is_removed = 0 limit 1", DB_INT(business_id)));
  return holds_query_has_row(&q, ret_any);
}

/* Keys of holds, as a JSON array without its end. */
static enum err hold_keys_add(struct buf *keys, struct str sid) {
  TRY(buf_add_char(keys, keys->n ? ',' : '['));
  return buf_add_json(keys, sid);
}

static enum err keys_add_number(void *arg, struct str digits) {
  struct buf *keys = arg;
  TRY(buf_addf(keys, "%c\"+", keys->n ? ',' : '['));
  TRY(buf_add(keys, digits));
  return buf_add_char(keys, '"');
}

/* The holds that cover the keys ?2 of the business ?1. */
#define HOLDS_OF_KEYS                                                                                   \
  "(select h.hold_id as id from (select distinct value as sid from json_each(?2)) k cross join holds h" \
  " on h.business_id = ?1 and h.key = k.sid and h.is_removed = 0"                                       \
  " union all select e.hold_id from (select distinct value as sid from json_each(?2)) k cross join"     \
  " hold_keeps e on e.business_id = ?1 and e.sid = k.sid cross join holds h on h.hold_id = e.hold_id"   \
  " and h.round = e.round and h.is_removed = 0) covering"

/* The holds that were found so far. */
struct found {
  bool all;          /* else only the one that was set first, which is read whole */
  struct hold first; /* hold_id 0: none */
  int64_t ids[KEPT_MAX + 1];
  int count; /* KEPT_MAX + 1: there may be more */
};

static enum err find_first(struct db *db, int64_t business_id, struct str keys, struct found *f) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct hold found;
  TRY(db_query(db, &q, "select " HOLD_COLUMNS " from holds where hold_id = (select min(id) from " HOLDS_OF_KEYS ")",
               DB_INT(business_id), DB_TEXT(keys)));
  enum err e = db_next(&q);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(holds_read_row(&q, &found));
  if (!f->first.hold_id || found.hold_id < f->first.hold_id) f->first = found;
  return OK;
}

static void found_add(struct found *f, int64_t id) {
  for (int i = 0; i < f->count; i++)
    if (f->ids[i] == id) return;
  if (f->count <= KEPT_MAX) f->ids[f->count++] = id;
}

static enum err find_all(struct db *db, int64_t business_id, struct str keys, struct found *f) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query(db, &q, "select distinct id from " HOLDS_OF_KEYS " limit ?3", DB_INT(business_id), DB_TEXT(keys),
               DB_INT(KEPT_MAX + 1)));
  while ((e = db_next(&q)) == OK) found_add(f, db_int(&q, 0));
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Adds the holds on these keys. Empties keys. */
static enum err find_keys(struct db *db, int64_t business_id, struct buf *keys, struct found *f) {
  if (!keys->n) return OK;
  TRY(buf_add_char(keys, ']'));
  TRY(f->all ? find_all(db, business_id, buf_str(keys), f) : find_first(db, business_id, buf_str(keys), f));
  buf_clear(keys);
  return OK;
}

/* Adds the keys of the next legs of a tree. *after: the last of them. */
static enum err keys_add_legs(struct db *db, int64_t business_id, struct str top_sid, struct buf *keys,
                              char after[SID_SIZE], int *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query(db, &q,
               "select call_sid, from_number, to_number from calls indexed by calls_legs where business_id = ?1"
               " and top_sid = ?2 and call_sid > ?3 order by call_sid limit ?4",
               DB_INT(business_id), DB_TEXT(top_sid), DB_TEXT(str_from(after)), DB_INT(LEGS_PART)));
  *ret_count = 0;
  while ((e = db_next(&q)) == OK) {
    TRY(hold_keys_add(keys, db_text(&q, 0)));
    TRY(mention_each(db_text(&q, 1), keys_add_number, keys));
    TRY(mention_each(db_text(&q, 2), keys_add_number, keys));
    TRY(str_copy(after, SID_SIZE, db_text(&q, 0)));
    ++*ret_count;
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err find_legs(struct db *db, int64_t business_id, struct str top_sid, struct found *f) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(KEYS_SIZE);
  char after[SID_SIZE] = "";
  int count = LEGS_PART;
  TRY(hold_keys_add(&keys, top_sid));
  while (count == LEGS_PART) {
    TRY(keys_add_legs(db, business_id, top_sid, &keys, after, &count));
    TRY(find_keys(db, business_id, &keys, f));
  }
  return OK;
}

static enum err top_of(struct db *db, int64_t business_id, struct str call_sid, char ret_top_sid[SID_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select top_sid from calls where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(call_sid)));
  TRY(db_next(&q));
  return db_text_copy(&q, 0, ret_top_sid, SID_SIZE);
}

/* The holds on the tree with that top leg. While its legs have yet to follow it (calls_tree.h), also those on the tree that it
 * is a leg of now. */
static enum err find_tree(struct db *db, int64_t business_id, struct str top_sid, struct found *f) {
  char at[SID_SIZE], above[SID_SIZE];
  TRY(str_copy(at, sizeof(at), top_sid));
  for (int i = 0; i < ABOVE_MAX; i++) {
    TRY(find_legs(db, business_id, str_from(at), f));
    enum err e = calls_tree_top_now(db, business_id, str_from(at), above);
    if (e == ERR_NOT_FOUND || (e == OK && strcmp(above, at) == 0)) return OK;
    TRY(e);
    memcpy(at, above, sizeof(at));
  }
  return OK;
}

/* The hold that covers the recording and was set first. ERR_NOT_FOUND: none. */
static enum err holds_covering(struct db *db, const struct recording *row, struct hold *ret_hold) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(4 * SID_SIZE);
  struct found f = {.all = false};
  char top_sid[SID_SIZE];
  TRY(hold_keys_add(&keys, str_from(row->recording_sid)));
  if (row->call_sid[0]) TRY(hold_keys_add(&keys, str_from(row->call_sid)));
  TRY(find_keys(db, row->business_id, &keys, &f));
  enum err e = row->call_sid[0] ? top_of(db, row->business_id, str_from(row->call_sid), top_sid) : ERR_NOT_FOUND;
  if (e == OK) e = find_tree(db, row->business_id, str_from(top_sid), &f);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (!f.first.hold_id) return ERR_NOT_FOUND;
  *ret_hold = f.first;
  return OK;
}

/* (5) */
static enum err wait_for_tree(struct db *db, int64_t business_id, const char *call_sid) {
  bool moving = false;
  if (call_sid[0]) TRY(calls_tree_is_moving(db, business_id, str_from(call_sid), &moving));
  return moving ? ERR_BUSY : OK;
}

enum err holds_cover(struct db *db, const struct recording *row, bool *ret_held) {
  bool any;
  struct hold h;
  TRY(holds_any(db, row->business_id, &any));
  enum err e = any ? holds_covering(db, row, &h) : ERR_NOT_FOUND;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (any && e == ERR_NOT_FOUND) TRY(wait_for_tree(db, row->business_id, row->call_sid));
  *ret_held = e == OK; /* (1) */
  return OK;
}

enum err holds_cover_numbers(struct db *db, int64_t business_id, struct str from, struct str to, bool *ret_held) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(KEYS_SIZE);
  struct found f = {.all = false};
  TRY(mention_each(from, keys_add_number, &keys));
  TRY(mention_each(to, keys_add_number, &keys));
  TRY(find_keys(db, business_id, &keys, &f));
  *ret_held = f.first.hold_id != 0;
  return OK;
}

/* Whether a hold covers a recording of the tree, but not the tree. */
static enum err cover_recordings(struct db *db, int64_t business_id, struct str top_sid, bool *ret_held) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select 1 from calls l indexed by calls_legs cross join recordings r indexed by recordings_call"
               "  on r.business_id = ?1 and r.call_sid = l.call_sid"
               " where l.business_id = ?1 and l.top_sid = ?2 and (exists (select 1 from holds h"
               "  where h.business_id = ?1 and h.key = r.recording_sid and h.is_removed = 0)"
               " or exists (select 1 from hold_keeps e cross join holds h on h.hold_id = e.hold_id"
               "  and h.round = e.round and h.is_removed = 0 where e.business_id = ?1 and e.sid = r.recording_sid))"
               " limit 1",
               DB_INT(business_id), DB_TEXT(top_sid)));
  return holds_query_has_row(&q, ret_held);
}

enum err holds_cover_tree(struct db *db, int64_t business_id, struct str top_sid, bool *ret_held) {
  struct found f = {.all = false};
  TRY(holds_any(db, business_id, ret_held));
  if (!*ret_held) return OK;
  TRY(find_tree(db, business_id, top_sid, &f));
  if (!f.first.hold_id) TRY(cover_recordings(db, business_id, top_sid, ret_held));
  char sid[SID_SIZE];
  TRY(str_copy(sid, sizeof(sid), top_sid));
  return *ret_held ? OK : wait_for_tree(db, business_id, sid);
}

enum err holds_tree_has_expired(struct db *db, int64_t business_id, struct str top_sid, bool *ret_expired) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select coalesce(max(case when r.status <> 'expired' then 1 else 0 end), 1) from calls l indexed by"
               " calls_legs cross join recordings r indexed by recordings_call on r.business_id = ?1"
               " and r.call_sid = l.call_sid where l.business_id = ?1 and l.top_sid = ?2",
               DB_INT(business_id), DB_TEXT(top_sid)));
  TRY(db_next(&q));
  *ret_expired = db_int(&q, 0) == 0;
  return OK;
}

/* ---- what stays covered ---- */

static enum err keep(struct db *db, int64_t business_id, const char *sid, const struct found *f) {
  for (int i = 0; i < f->count; i++)
    TRY(db_run_later(db,
                     "insert into hold_keeps (business_id, sid, hold_id, round) select business_id, ?2, hold_id, round"
                     " from holds where hold_id = ?3 and business_id = ?1"
                     " on conflict (business_id, sid, hold_id) do update set round = excluded.round",
                     DB_INT(business_id), DB_TEXT(str_from(sid)), DB_INT(f->ids[i])));
  return OK;
}

static bool is_same(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

static enum err keep_numbers(struct db *db, const struct call *was, struct call *next) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(KEYS_SIZE);
  struct found f = {.all = true};
  TRY(mention_each(str_from(was->from_number), keys_add_number, &keys));
  TRY(mention_each(str_from(was->to_number), keys_add_number, &keys));
  TRY(find_keys(db, was->business_id, &keys, &f));
  if (f.count <= KEPT_MAX) return keep(db, was->business_id, was->call_sid, &f);
  memcpy(next->from_number, was->from_number, sizeof(next->from_number)); /* (4) */
  memcpy(next->to_number, was->to_number, sizeof(next->to_number));
  return OK;
}

/* Both parts of the tree that the leg leaves stay covered. */
static enum err keep_tree(struct db *db, const struct call *was, struct call *next) {
  struct found f = {.all = true};
  TRY(find_tree(db, was->business_id, str_from(was->top_sid), &f));
  if (f.count > KEPT_MAX) return str_copy(next->parent_call_sid, SID_SIZE, str_from(was->parent_call_sid)); /* (4) */
  TRY(keep(db, was->business_id, was->call_sid, &f));
  return is_same(was->call_sid, was->top_sid) ? OK : keep(db, was->business_id, was->top_sid, &f);
}

enum err holds_keep_call(struct db *db, const struct call *was, struct call *next) {
  bool same_numbers = is_same(was->from_number, next->from_number) && is_same(was->to_number, next->to_number);
  bool same_parent = is_same(was->parent_call_sid, next->parent_call_sid), any;
  if (same_numbers && same_parent) return OK; /* most deliveries */
  TRY(holds_any(db, was->business_id, &any));
  if (any && !same_numbers) TRY(keep_numbers(db, was, next)); /* (3) */
  return any && !same_parent ? keep_tree(db, was, next) : OK;
}

enum err holds_keep_recording(struct db *db, const struct recording *was, struct recording *next) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(2 * SID_SIZE);
  struct found f = {.all = true};
  char top_sid[SID_SIZE];
  bool any = false;
  if (was->call_sid[0] && !is_same(was->call_sid, next->call_sid)) TRY(holds_any(db, was->business_id, &any));
  if (!any) return OK;
  TRY(hold_keys_add(&keys, str_from(was->call_sid)));
  TRY(find_keys(db, was->business_id, &keys, &f));
  enum err e = top_of(db, was->business_id, str_from(was->call_sid), top_sid);
  if (e == OK) e = find_tree(db, was->business_id, str_from(top_sid), &f);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (f.count > KEPT_MAX) return str_copy(next->call_sid, SID_SIZE, str_from(was->call_sid)); /* (4) */
  return keep(db, was->business_id, was->recording_sid, &f);                                  /* (3) */
}

/* ---- what is shown ---- */

enum err holds_mark_row(struct db *db, const struct recording *row) {
  struct buf shown CLEANUP(buf_done) = BUF_INIT(RECORDING_HOLD_SIZE - 1);
  struct hold h;
  enum err e = holds_covering(db, row, &h);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (e == OK) TRY(write_shown(&h, &shown));
  if (str_eq(str_from(row->hold), buf_str(&shown))) return OK;
  TRY(db_run(db, "update recordings set hold = ?3, version = version + 1 where business_id = ?1 and recording_sid = ?2",
             DB_INT(row->business_id), DB_TEXT(str_from(row->recording_sid)),
             shown.n ? DB_TEXT(buf_str(&shown)) : DB_NULL));
  return changes_add(db, CHANGE_RECORDING, row->business_id, str_from(row->recording_sid));
}

/* Whether the row itself shows the holds on that number (CALL_COLUMNS), or it is none. */
static bool is_plain_number(const char *text) {
  return text[strspn(text, "+0123456789")] == '\0' && !str_starts(str_from(text), STR("00"));
}

enum err holds_show_address(struct db *db, struct call *call) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(KEYS_SIZE), shown CLEANUP(buf_done) = BUF_INIT(sizeof(call->hold) - 1);
  struct found f = {.all = false};
  if (call->hold[0] || (is_plain_number(call->from_number) && is_plain_number(call->to_number))) return OK;
  TRY(mention_each(str_from(call->from_number), keys_add_number, &keys));
  TRY(mention_each(str_from(call->to_number), keys_add_number, &keys));
  TRY(find_keys(db, call->business_id, &keys, &f));
  if (!f.first.hold_id) return OK;
  TRY(write_shown(&f.first, &shown));
  return str_copy(call->hold, sizeof(call->hold), buf_str(&shown));
}

struct rows_found {
  struct recording *rows;
  int count, max;
};

static enum err rows_found_add(void *arg, const struct recording *row) {
  struct rows_found *f = arg;
  if (f->count < f->max) f->rows[f->count++] = *row;
  return OK;
}

static enum err holds_read_legs(struct db *db, int64_t business_id, struct str top_sid,
                                char ret_sids[LEGS_PART][SID_SIZE], int *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e = OK;
  int n = 0;
  TRY(db_query(db, &q,
               "select call_sid from calls indexed by calls_legs where business_id = ?1 and top_sid = ?2 limit ?3",
               DB_INT(business_id), DB_TEXT(top_sid), DB_INT(LEGS_PART)));
  while (n < LEGS_PART && (e = db_next(&q)) == OK) TRY(db_text_copy(&q, 0, ret_sids[n++], SID_SIZE));
  *ret_count = n;
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err holds_mark_call(struct db *db, int64_t business_id, struct str call_sid, int limit) {
  struct recording rows[MARK_RECORDINGS_MAX];
  struct rows_found f = {rows, 0, limit < MARK_RECORDINGS_MAX ? limit : MARK_RECORDINGS_MAX};
  char top_sid[SID_SIZE], legs[LEGS_PART][SID_SIZE];
  int count = 0;
  TRY(recordings_of_call(db, business_id, call_sid, rows_found_add, &f));
  enum err e = top_of(db, business_id, call_sid, top_sid);
  if (e == OK) e = holds_read_legs(db, business_id, str_from(top_sid), legs, &count);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  for (int i = 0; i < count && f.count < f.max; i++)
    if (!str_eq(call_sid, str_from(legs[i])))
      TRY(recordings_of_call(db, business_id, str_from(legs[i]), rows_found_add, &f));
  for (int i = 0; i < f.count; i++) TRY(holds_mark_row(db, &rows[i]));
  return OK;
}
