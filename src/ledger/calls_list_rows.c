/* calls_list_rows.c - reads the rows of a page of calls: how many fit, all legs of its trees, and their recordings. */
#include "ledger/calls_list.h"
#include "ledger/holds.h"
#include "ledger/recordings_row.h"

/* Selects the child of `parent` that started first; ?1 is the business. */
#define FIRST_CHILD(columns, parent)                                                                                 \
  "select " columns " from calls k indexed by calls_parent where k.business_id = ?1 and k.parent_call_sid = " parent \
  " order by k.sort_at, k.call_sid limit 1"

enum { KEYS_JSON_MAX = (SID_SIZE * 6 + 3) * CALLS_LIST_LIMIT_MAX };

/* Any number of SIDs is one SQL parameter: a JSON array. */
static enum err add_json_sid(struct buf *json, const char *sid) {
  TRY(buf_add_char(json, json->n ? ',' : '['));
  return buf_add_json(json, str_from(sid));
}

static enum err add_json_keys(struct buf *json, const struct calls_key *keys, size_t count) {
  for (size_t i = 0; i < count; i++) TRY(add_json_sid(json, keys[i].call_sid));
  return buf_add_char(json, ']');
}

#define TREE_LEGS \
  "select c.call_sid from calls c indexed by calls_legs where c.business_id = ?1 and c.top_sid = tops.sid"

/* One row for each tree, in the order of its first key: that key's index, its legs, its recordings. SQLite counts a tree, in
 * indexes only, when its row is read; a caller that stops early does not count the rest. */
static enum err query_tree_sizes(struct db *db, int64_t business_id, struct str keys, struct db_rows *q) {
  return db_query(db, q,
                  "select place, (select count(*) from (" TREE_LEGS
                  " limit ?3) legs), (select count(*) from"
                  "  (select 1 from (" TREE_LEGS
                  " limit ?3) l cross join recordings r indexed by recordings_call"
                  "   on r.business_id = ?1 and r.call_sid = l.call_sid limit ?3) found)"
                  " from (select t.top_sid as sid, min(page.key) as place from json_each(?2) page"
                  "  cross join calls t on t.business_id = ?1 and t.call_sid = page.value group by 1 order by 2) tops",
                  DB_INT(business_id), DB_TEXT(keys), DB_INT(CALLS_LIST_LEGS_MAX + 1));
}

enum err calls_list_fit(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                        size_t *ret_fit) {
  struct buf json CLEANUP(buf_done) = BUF_INIT(KEYS_JSON_MAX);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int64_t legs = 0, recordings = 0, fit = (int64_t)count;
  if (count <= 1) {
    *ret_fit = count;
    return OK;
  }
  TRY(add_json_keys(&json, keys, count));
  TRY(query_tree_sizes(db, business_id, buf_str(&json), &q));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    legs += db_int(&q, 1);
    recordings += db_int(&q, 2);
    if (legs > CALLS_LIST_LEGS_MAX || recordings > CALLS_LIST_LEGS_MAX) {
      fit = db_int(&q, 0) > 0 ? db_int(&q, 0) : 1;
      break;
    }
  }
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_fit = (size_t)fit;
  return OK;
}

static enum err calls_read_each(struct db *db, struct db_rows *q, calls_each_fn *fn, void *arg) {
  enum err e;
  while ((e = db_next(q)) == OK) {
    struct call c;
    TRY(calls_read_row(q, 0, &c));
    TRY(holds_show_address(db, &c));
    TRY(fn(arg, &c));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err calls_list_legs(struct db *db, int64_t business_id, const struct calls_key *keys, size_t count,
                         calls_each_fn *fn, void *arg) {
  if (!count) return OK;
  struct buf json CLEANUP(buf_done) = BUF_INIT(KEYS_JSON_MAX);
  TRY(add_json_keys(&json, keys, count));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "with page(sid) as (select value from json_each(?2)), tops(sid) as (select distinct t.top_sid from page"
               " cross join calls t on t.business_id = ?1 and t.call_sid = page.sid)"
               " select " CALL_COLUMNS
               " from tops cross join calls c indexed by calls_legs on c.business_id = ?1 and c.top_sid = tops.sid"
               " order by c.call_sid in (select sid from page) desc, c.call_sid = c.top_sid desc, c.sort_at, c.call_sid"
               " limit ?3",
               DB_INT(business_id), DB_TEXT(buf_str(&json)), DB_INT(CALLS_LIST_LEGS_MAX + 1)));
  return calls_read_each(db, &q, fn, arg);
}

/* The same order as in calls_list_legs: the call itself, then top legs, then the rest by time. */
static enum err list_related_of_child(struct db *db, int64_t business_id, const char *call_sid, calls_each_fn *fn,
                                      void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "with own(sid, parent, top) as (select call_sid, parent_call_sid, top_sid from calls"
      "  where business_id = ?1 and call_sid = ?2),"
      " related(sid) as (select sid from own union select parent from own union select top from own"
      "  union select k.call_sid from own cross join calls k indexed by calls_parent"
      "   on k.business_id = ?1 and k.parent_call_sid = own.sid"
      "  union select call_sid from (" FIRST_CHILD(
          "k.call_sid",
          "(select top from own)") ") child)"
                                   " select " CALL_COLUMNS
                                   " from related cross join calls c on c.business_id = ?1 and c.call_sid = related.sid"
                                   " order by c.call_sid = ?2 desc, c.call_sid = c.top_sid desc, c.sort_at, c.call_sid "
                                   "limit ?3",
      DB_INT(business_id), DB_TEXT(str_from(call_sid)), DB_INT(CALLS_LIST_LEGS_MAX + 1)));
  return calls_read_each(db, &q, fn, arg);
}

static enum err is_top_leg(struct db *db, int64_t business_id, const char *call_sid, bool *ret_top) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select top_sid = call_sid from calls where business_id = ?1 and call_sid = ?2",
               DB_INT(business_id), DB_TEXT(str_from(call_sid))));
  TRY(db_next(&q));
  *ret_top = db_int(&q, 0);
  return OK;
}

enum err calls_list_related(struct db *db, int64_t business_id, const char *call_sid, calls_each_fn *fn, void *arg) {
  struct calls_key key = {.sort_at = 0};
  bool is_top = false;
  TRY(str_copy(key.call_sid, sizeof(key.call_sid), str_from(call_sid)));
  enum err e = is_top_leg(db, business_id, call_sid, &is_top);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  return is_top ? calls_list_legs(db, business_id, &key, 1, fn, arg)
                : list_related_of_child(db, business_id, call_sid, fn, arg);
}

enum err calls_first_child(struct db *db, int64_t business_id, const char *call_sid, struct call *ret_call) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " CALL_COLUMNS
               " from (" FIRST_CHILD("k.call_sid", "?2") ") first cross join calls c"
                                                         " on c.business_id = ?1 and c.call_sid = first.call_sid",
               DB_INT(business_id), DB_TEXT(str_from(call_sid))));
  TRY(db_next(&q));
  return calls_read_row(&q, 0, ret_call);
}

enum err calls_list_recordings(struct db *db, int64_t business_id, const struct call *calls, size_t count,
                               recordings_each_fn *fn, void *arg) {
  if (!count) return OK;
  struct buf json CLEANUP(buf_done) = BUF_INIT((SID_SIZE * 6 + 3) * (CALLS_LIST_LEGS_MAX + 1));
  for (size_t i = 0; i < count; i++) TRY(add_json_sid(&json, calls[i].call_sid));
  TRY(buf_add_char(&json, ']'));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS " from (select distinct value as sid from json_each(?2)) k"
               " cross join recordings r on r.business_id = ?1 and r.call_sid = k.sid"
               " order by coalesce(r.started_at, r.first_seen_at) desc, r.recording_sid desc limit ?3",
               DB_INT(business_id), DB_TEXT(buf_str(&json)), DB_INT(CALLS_LIST_LEGS_MAX + 1)));
  return recordings_read_each(&q, fn, arg);
}
