/* holds.c - see holds.h.
 *
 *   SET --holds_mark_part, until all is marked--> MARKED --holds_remove--> REMOVED --holds_mark_part--> the row is deleted
 *
 * Invariants
 *  (1) Only the rows of `holds` decide what may be removed; recordings.hold only shows it and keeps it out of an index.
 *  (2) A row that is_removed covers nothing. */
#include "ledger/holds.h"

#include <string.h>

#include "base/clock.h"
#include "base/mention.h"
#include "ledger/changes.h"

enum { MARK_RECORDINGS_MAX = 20, MARK_CALLS_MAX = 16, LOOKED_MAX = 500, LEGS_PART = 20, KEYS_SIZE = 8 << 20 };

#define HOLD_COLUMNS "hold_id, business_id, key, reason, set_by, set_at"

static enum err read_row(const struct db_rows *q, struct hold *ret_hold) {
  struct hold h = {.hold_id = db_int(q, 0), .business_id = db_int(q, 1), .at = db_int(q, 5)};
  enum err e = str_copy(h.key, sizeof(h.key), db_text(q, 2));
  if (e == OK) e = str_copy(h.reason, sizeof(h.reason), db_text(q, 3));
  if (e == OK) e = str_copy(h.by, sizeof(h.by), db_text(q, 4));
  if (e != OK) return ERR_CORRUPT;
  *ret_hold = h;
  return OK;
}

static enum err write_shown(const struct hold *h, struct buf *b) {
  char at[DATE_TEXT_SIZE];
  date_format_rfc3339(h->at, at);
  TRY(buf_add(b, STR("{\"reason\":")));
  TRY(buf_add_json(b, str_from(h->reason)));
  TRY(buf_add(b, STR(",\"by\":")));
  TRY(buf_add_json(b, str_from(h->by)));
  return buf_addf(b, ",\"at\":\"%s\"}", at);
}

/* ---- setting and removing ---- */

static enum err has_room(struct db *db, int64_t business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select count(*) from (select 1 from holds where business_id = ?1 limit ?2) few",
               DB_INT(business_id), DB_INT(HOLDS_PER_BUSINESS_MAX)));
  TRY(db_next(&q));
  return db_int(&q, 0) < HOLDS_PER_BUSINESS_MAX ? OK : ERR_TOO_BIG;
}

enum err holds_set(struct db *db, const struct hold *hold, int64_t *ret_id) {
  struct buf shown CLEANUP(buf_done) = BUF_INIT(RECORDING_HOLD_SIZE - 1);
  TRY(has_room(db, hold->business_id));
  TRY(write_shown(hold, &shown));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "insert into holds (business_id, key, reason, set_by, set_at, shown) values (?1, ?2, ?3, ?4, ?5, ?6)"
      " on conflict (business_id, key) do update set reason = ?3, set_by = ?4, set_at = ?5, shown = ?6, is_removed = 0,"
      " marked = 0, mark_step = 0, mark_after = '' returning hold_id",
      DB_INT(hold->business_id), DB_TEXT(str_from(hold->key)), DB_TEXT(str_from(hold->reason)),
      DB_TEXT(str_from(hold->by)), DB_INT(hold->at), DB_TEXT(buf_str(&shown))));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  return OK;
}

enum err holds_find(struct db *db, int64_t business_id, struct str key, struct hold *ret_hold) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " HOLD_COLUMNS " from holds where business_id = ?1 and key = ?2 and is_removed = 0",
               DB_INT(business_id), DB_TEXT(key)));
  TRY(db_next(&q));
  return read_row(&q, ret_hold);
}

enum err holds_get(struct db *db, int64_t business_id, int64_t hold_id, struct hold *ret_hold) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " HOLD_COLUMNS " from holds indexed by holds_business where business_id = ?1 and hold_id = ?2"
               " and is_removed = 0",
               DB_INT(business_id), DB_INT(hold_id)));
  TRY(db_next(&q));
  return read_row(&q, ret_hold);
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
    TRY(read_row(&q, &h));
    TRY(fn(arg, &h));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- what is covered ---- */

static enum err query_has_row(struct db_rows *q, bool *ret_has) {
  enum err e = db_next(q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

enum err holds_any(struct db *db, int64_t business_id, bool *ret_any) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from holds where business_id = ?1 limit 1", DB_INT(business_id)));
  return query_has_row(&q, ret_any);
}

enum err holds_in_force(struct db *db, int64_t business_id, bool *ret_any) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from holds where business_id = ?1 and is_removed = 0 limit 1", DB_INT(business_id)));
  return query_has_row(&q, ret_any);
}

/* Keys of holds, as a JSON array without its end. */
static enum err keys_add(struct buf *keys, struct str sid) {
  TRY(buf_add_char(keys, keys->n ? ',' : '['));
  return buf_add_json(keys, sid);
}

static enum err keys_add_number(void *arg, struct str digits) {
  struct buf *keys = arg;
  TRY(buf_addf(keys, "%c\"+", keys->n ? ',' : '['));
  TRY(buf_add(keys, digits));
  return buf_add_char(keys, '"');
}

/* Sets *hold to the one among keys that was set first, unless it has an earlier one. Empties keys. hold_id 0: none. */
static enum err earliest(struct db *db, int64_t business_id, struct buf *keys, struct hold *hold) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct hold found;
  if (!keys->n) return OK;
  TRY(buf_add_char(keys, ']'));
  TRY(db_query(db, &q,
               "select " HOLD_COLUMNS " from holds where is_removed = 0 and hold_id = (select min(h.hold_id) from"
               " (select distinct value as sid from json_each(?2)) k cross join holds h on h.business_id = ?1"
               " and h.key = k.sid and h.is_removed = 0)",
               DB_INT(business_id), DB_TEXT(buf_str(keys))));
  buf_clear(keys);
  enum err e = db_next(&q);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(read_row(&q, &found));
  if (!hold->hold_id || found.hold_id < hold->hold_id) *hold = found;
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
    TRY(keys_add(keys, db_text(&q, 0)));
    TRY(mention_each(db_text(&q, 1), keys_add_number, keys));
    TRY(mention_each(db_text(&q, 2), keys_add_number, keys));
    TRY(str_copy(after, SID_SIZE, db_text(&q, 0)));
    ++*ret_count;
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Sets *hold to the one that covers a leg of the tree and was set first, unless it has an earlier one. */
static enum err covering_legs(struct db *db, int64_t business_id, struct str top_sid, struct hold *hold) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(KEYS_SIZE);
  char after[SID_SIZE] = "";
  int count = LEGS_PART;
  while (count == LEGS_PART) {
    TRY(keys_add_legs(db, business_id, top_sid, &keys, after, &count));
    TRY(earliest(db, business_id, &keys, hold));
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

/* The hold that covers the recording and was set first. ERR_NOT_FOUND: none. */
static enum err covering(struct db *db, const struct recording *row, struct hold *ret_hold) {
  struct buf keys CLEANUP(buf_done) = BUF_INIT(4 * SID_SIZE);
  struct hold hold = {.hold_id = 0};
  char top_sid[SID_SIZE];
  TRY(keys_add(&keys, str_from(row->recording_sid)));
  if (row->call_sid[0]) TRY(keys_add(&keys, str_from(row->call_sid)));
  TRY(earliest(db, row->business_id, &keys, &hold));
  enum err e = row->call_sid[0] ? top_of(db, row->business_id, str_from(row->call_sid), top_sid) : ERR_NOT_FOUND;
  if (e == OK) e = covering_legs(db, row->business_id, str_from(top_sid), &hold);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (!hold.hold_id) return ERR_NOT_FOUND;
  *ret_hold = hold;
  return OK;
}

enum err holds_cover(struct db *db, const struct recording *row, bool *ret_held) {
  bool any;
  struct hold h;
  TRY(holds_any(db, row->business_id, &any));
  enum err e = any ? covering(db, row, &h) : ERR_NOT_FOUND;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_held = e == OK; /* (1) */
  return OK;
}

enum err holds_cover_tree(struct db *db, int64_t business_id, struct str top_sid, bool *ret_held) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct hold hold = {.hold_id = 0};
  TRY(holds_any(db, business_id, ret_held));
  if (!*ret_held) return OK;
  TRY(covering_legs(db, business_id, top_sid, &hold));
  if (hold.hold_id) return OK;
  TRY(db_query(db, &q,
               "select 1 from calls l indexed by calls_legs cross join recordings r indexed by recordings_call"
               "  on r.business_id = ?1 and r.call_sid = l.call_sid cross join holds h on h.business_id = ?1"
               "  and h.key = r.recording_sid and h.is_removed = 0 where l.business_id = ?1 and l.top_sid = ?2 limit 1",
               DB_INT(business_id), DB_TEXT(top_sid)));
  return query_has_row(&q, ret_held);
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

/* ---- what is shown ---- */

enum err holds_mark_row(struct db *db, const struct recording *row) {
  struct buf shown CLEANUP(buf_done) = BUF_INIT(RECORDING_HOLD_SIZE - 1);
  struct hold h;
  enum err e = covering(db, row, &h);
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
  struct hold hold = {.hold_id = 0};
  if (call->hold[0] || (is_plain_number(call->from_number) && is_plain_number(call->to_number))) return OK;
  TRY(mention_each(str_from(call->from_number), keys_add_number, &keys));
  TRY(mention_each(str_from(call->to_number), keys_add_number, &keys));
  TRY(earliest(db, call->business_id, &keys, &hold));
  if (!hold.hold_id) return OK;
  TRY(write_shown(&hold, &shown));
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

static enum err read_legs(struct db *db, int64_t business_id, struct str top_sid, char ret_sids[LEGS_PART][SID_SIZE],
                          int *ret_count) {
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
  if (e == OK) e = read_legs(db, business_id, str_from(top_sid), legs, &count);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  for (int i = 0; i < count && f.count < f.max; i++)
    if (!str_eq(call_sid, str_from(legs[i])))
      TRY(recordings_of_call(db, business_id, str_from(legs[i]), rows_found_add, &f));
  for (int i = 0; i < f.count; i++) TRY(holds_mark_row(db, &rows[i]));
  return OK;
}

/* ---- what has yet to be marked ---- */

struct marking {
  struct hold hold;
  int step;
  char after[SID_SIZE];
};

static enum err marking_first(struct db *db, struct marking *ret_marking) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct marking m = {.step = 0};
  TRY(db_query(db, &q,
               "select " HOLD_COLUMNS ", mark_step, mark_after from holds indexed by holds_unmarked where marked = 0"
               " order by hold_id limit 1"));
  TRY(db_next(&q));
  TRY(read_row(&q, &m.hold));
  m.step = (int)db_int(&q, 6);
  if (str_copy(m.after, sizeof(m.after), db_text(&q, 7)) != OK) return ERR_CORRUPT;
  *ret_marking = m;
  return OK;
}

/* The next calls that the hold may cover. A call's: its legs; a number's: calls from it, calls to it, and both without its +;
 * in the last step all calls. */
static enum err marking_query(struct db *db, const struct marking *m, int limit, struct db_rows *q) {
  if (m->step == HOLD_STEPS)
    return db_query(db, q,
                    "select call_sid, from_number, to_number from calls where business_id = ?1 and call_sid > ?2"
                    " order by call_sid limit ?3",
                    DB_INT(m->hold.business_id), DB_TEXT(str_from(m->after)), DB_INT(LOOKED_MAX));
  struct db_value business = DB_INT(m->hold.business_id), key = DB_TEXT(str_from(m->hold.key + (m->step >= 2)));
  struct db_value after = DB_TEXT(str_from(m->after));
  if (m->hold.key[0] != '+')
    return db_query(db, q,
                    "select l.call_sid from calls c cross join calls l indexed by calls_legs on l.business_id = ?1"
                    " and l.top_sid = c.top_sid and l.call_sid > ?3"
                    " where c.business_id = ?1 and c.call_sid = ?2 order by l.call_sid limit ?4",
                    business, key, after, DB_INT(limit));
  if (m->step % 2 == 0)
    return db_query(db, q,
                    "select call_sid from calls indexed by calls_from_number where business_id = ?1"
                    " and from_number = ?2 and call_sid > ?3 order by call_sid limit ?4",
                    business, key, after, DB_INT(limit));
  return db_query(db, q,
                  "select call_sid from calls indexed by calls_to_number where business_id = ?1 and to_number = ?2"
                  " and call_sid > ?3 order by call_sid limit ?4",
                  business, key, after, DB_INT(limit));
}

/* Of all calls only those count that an address makes one of the number's. */
static bool marking_names(const struct marking *m, struct db_rows *q) {
  struct str digits = str_skip(str_from(m->hold.key), 1);
  return m->step < HOLD_STEPS || mention_is_in(db_text(q, 1), digits, MENTION_PLAIN) ||
         mention_is_in(db_text(q, 2), digits, MENTION_PLAIN);
}

/* *ret_count: how many calls it looked at. */
static enum err marking_calls(struct db *db, struct marking *m, int limit, int *ret_count) {
  char sids[MARK_CALLS_MAX][SID_SIZE];
  int n = 0, most = limit < MARK_CALLS_MAX ? limit : MARK_CALLS_MAX;
  enum err e = OK;
  *ret_count = 0;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(marking_query(db, m, most, &q));
    while (n < most && (e = db_next(&q)) == OK) {
      TRY(db_text_copy(&q, 0, m->after, sizeof(m->after)));
      if (marking_names(m, &q)) memcpy(sids[n++], m->after, SID_SIZE);
      ++*ret_count;
    }
    if (n < most && e != ERR_NOT_FOUND) return e;
  }
  for (int i = 0; i < n; i++) TRY(holds_mark_call(db, m->hold.business_id, str_from(sids[i]), MARK_RECORDINGS_MAX));
  return OK;
}

static enum err marking_store(struct db *db, const struct marking *m, bool is_over) {
  if (!is_over)
    return db_run(db, "update holds set mark_step = ?2, mark_after = ?3 where hold_id = ?1", DB_INT(m->hold.hold_id),
                  DB_INT(m->step), DB_TEXT(str_from(m->after)));
  TRY(db_run(db, "delete from holds where hold_id = ?1 and is_removed = 1", DB_INT(m->hold.hold_id)));
  return db_run(db, "update holds set marked = 1 where hold_id = ?1", DB_INT(m->hold.hold_id));
}

enum err holds_mark_part(struct db *db, int limit, bool *ret_more) {
  struct marking m;
  enum err e = marking_first(db, &m);
  *ret_more = e == OK;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  struct recording row;
  int count;
  e = recordings_get(db, m.hold.business_id, str_from(m.hold.key), &row);
  if (e == OK) TRY(holds_mark_row(db, &row));
  if (e == OK) return marking_store(db, &m, true);
  if (e != ERR_NOT_FOUND) return e;
  TRY(marking_calls(db, &m, limit, &count));
  if (count) return marking_store(db, &m, false);
  bool is_over = m.hold.key[0] != '+' || m.step == HOLD_STEPS;
  m.step++;
  m.after[0] = '\0';
  return marking_store(db, &m, is_over);
}
