/* calls.c - rows of the table `calls`, and which leg is on top.
 *
 * Invariants
 *  (1) top_sid is the end of the chain of known parents; itself where there is none. It does not depend on the order in
 *      which legs became known: a leg that arrives carries all that hang below it.
 *  (2) A chain of parents that comes back to itself ends at the leg that closed it.
 *  (3) Every write adds a row to `changes`, and brings the search in line, in the same transaction. */
#include "ledger/calls.h"

#include <string.h>

#include "ledger/calls_search.h"
#include "ledger/changes.h"

static enum err take(char *dst, size_t size, struct db_rows *q, int column) {
  return str_copy(dst, size, db_text(q, column)) == OK ? OK : ERR_CORRUPT;
}

enum err calls_read_row(struct db_rows *q, int from, struct call *ret_call) {
  struct call c;
  memset(&c, 0, sizeof(c));
  int at = from;
  c.business_id = db_int(q, at++);
#define TAKE_TEXT(member) TRY(take(c.member, sizeof(c.member), q, at++))
  TAKE_TEXT(call_sid);
  TAKE_TEXT(parent_call_sid);
  TAKE_TEXT(top_sid);
  TAKE_TEXT(account_sid);
  TAKE_TEXT(provider_direction);
  TAKE_TEXT(direction);
  TAKE_TEXT(from_number);
  TAKE_TEXT(to_number);
  TAKE_TEXT(caller_name);
  TAKE_TEXT(status);
  c.duration_s = db_int_or(q, at++, -1);
  c.earliest_at = db_int(q, at++);
  c.started_at = db_int(q, at++);
  c.ended_at = db_int(q, at++);
  TAKE_TEXT(customer_name);
  TAKE_TEXT(ref);
  TAKE_TEXT(metadata);
  c.first_seen_at = db_int(q, at++);
#undef TAKE_TEXT
  *ret_call = c;
  return OK;
}

enum err calls_get(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " CALL_COLUMNS " from calls c where business_id = ?1 and call_sid = ?2",
               DB_INT(business_id), DB_TEXT(call_sid)));
  TRY(db_next(&q));
  return calls_read_row(&q, 0, ret_call);
}

enum err calls_fields(struct db *db, int64_t business_id, struct str call_sid, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select fields from calls where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(call_sid)));
  TRY(db_next(&q));
  return buf_add(b, db_text(&q, 0));
}

/* Brings top_sid of this leg and of all below it in line with its parent (1), (2). */
static enum err raise_legs(struct db *db, int64_t business_id, struct str call_sid) {
  return db_run(db,
                "with recursive below(sid) as ("
                "  select ?2 union"
                "  select c.call_sid from below cross join calls c indexed by calls_parent"
                "   on c.business_id = ?1 and c.parent_call_sid = below.sid),"
                " top(sid) as ("
                "  select coalesce((select p.top_sid from calls c join calls p"
                "    on p.business_id = c.business_id and p.call_sid = c.parent_call_sid"
                "    where c.business_id = ?1 and c.call_sid = ?2 and p.call_sid not in (select sid from below)), ?2)) "
                "update calls set top_sid = (select sid from top) where business_id = ?1 "
                "and call_sid in (select sid from below) and top_sid is not (select sid from top)",
                DB_INT(business_id), DB_TEXT(call_sid));
}

static struct db_value time_or_null(int64_t ms) {
  return ms ? DB_INT(ms) : DB_NULL;
}
static struct db_value text_or_null(const char *s) {
  return s[0] ? DB_TEXT(str_from(s)) : DB_NULL;
}

/* What the search, and the place in lists, depend on, as it stood before a write. */
struct was {
  bool same;
  char parent[SID_SIZE], top[SID_SIZE];
};

static enum err look_before(struct db *db, const struct call *c, int64_t sort_at, struct was *ret_was) {
  struct was was = {.same = false};
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select parent_call_sid, top_sid, from_number, to_number, caller_name, sort_at, search_id from calls"
               " where business_id = ?1 and call_sid = ?2",
               DB_INT(c->business_id), DB_TEXT(str_from(c->call_sid))));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (e == OK) {
    TRY(take(was.parent, sizeof(was.parent), &q, 0));
    TRY(take(was.top, sizeof(was.top), &q, 1));
    was.same = strcmp(was.parent, c->parent_call_sid) == 0 && str_eq(db_text(&q, 2), str_from(c->from_number)) &&
               str_eq(db_text(&q, 3), str_from(c->to_number)) && str_eq(db_text(&q, 4), str_from(c->caller_name)) &&
               db_int(&q, 5) == sort_at && !db_is_null(&q, 6);
  }
  *ret_was = was;
  return OK;
}

static enum err write_row(struct db *db, const struct call *c, int64_t sort_at, struct str fields) {
  return db_run(
      db,
      "insert into calls (business_id, call_sid, parent_call_sid, top_sid, account_sid, provider_direction,"
      " direction, from_number, to_number, caller_name, status, duration_s, earliest_at, started_at, ended_at,"
      " first_seen_at, sort_at, fields)"
      " values (?1, ?2, ?3, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
      " on conflict do update set parent_call_sid = ?3, account_sid = ?4, provider_direction = ?5, direction = ?6,"
      " from_number = ?7, to_number = ?8, caller_name = ?9, status = ?10, duration_s = ?11, earliest_at = ?12,"
      " started_at = ?13, ended_at = ?14, first_seen_at = ?15, sort_at = ?16, fields = ?17",
      DB_INT(c->business_id), DB_TEXT(str_from(c->call_sid)), text_or_null(c->parent_call_sid),
      text_or_null(c->account_sid), text_or_null(c->provider_direction), text_or_null(c->direction),
      text_or_null(c->from_number), text_or_null(c->to_number), text_or_null(c->caller_name), text_or_null(c->status),
      DB_INT_OR_NULL(c->duration_s), time_or_null(c->earliest_at), time_or_null(c->started_at),
      time_or_null(c->ended_at), DB_INT(c->first_seen_at), DB_INT(sort_at), DB_TEXT(fields));
}

enum err calls_put(struct db *db, const struct call *c, struct str fields) {
  int64_t sort_at = c->started_at ? c->started_at : c->first_seen_at;
  struct was was;
  TRY(look_before(db, c, sort_at, &was));
  TRY(write_row(db, c, sort_at, fields));
  if (!was.same) {
    TRY(raise_legs(db, c->business_id, str_from(c->call_sid)));
    TRY(calls_search_put(db, c->business_id, str_from(c->call_sid), str_from(was.parent), str_from(was.top)));
  }
  return changes_add(db, CHANGE_CALL, c->business_id, str_from(c->call_sid));
}

static struct db_value host_value(const struct str *s) {
  return s && s->n ? DB_TEXT(*s) : DB_NULL;
}

enum err calls_set_host(struct db *db, int64_t business_id, struct str call_sid, const struct str *customer_name,
                        const struct str *ref, const struct str *metadata) {
  TRY(db_run(db,
             "update calls set customer_name = case when ?3 then ?4 else customer_name end,"
             " ref = case when ?5 then ?6 else ref end, metadata = case when ?7 then ?8 else metadata end"
             " where business_id = ?1 and call_sid = ?2",
             DB_INT(business_id), DB_TEXT(call_sid), DB_INT(customer_name != NULL), host_value(customer_name),
             DB_INT(ref != NULL), host_value(ref), DB_INT(metadata != NULL), host_value(metadata)));
  if (db_changed(db) == 0) return ERR_NOT_FOUND;
  if (customer_name) TRY(calls_search_put(db, business_id, call_sid, STR(""), STR("")));
  return changes_add(db, CHANGE_CALL, business_id, call_sid);
}

enum err calls_legs(struct db *db, int64_t business_id, struct str call_sid, calls_leg_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select p.call_sid from calls c join calls p on p.business_id = c.business_id"
               " and p.call_sid = c.parent_call_sid where c.business_id = ?1 and c.call_sid = ?2"
               " union all select call_sid from calls indexed by calls_parent"
               " where business_id = ?1 and parent_call_sid = ?2 limit 1000",
               DB_INT(business_id), DB_TEXT(call_sid)));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(fn(arg, db_text(&q, 0)));
  return e == ERR_NOT_FOUND ? OK : e;
}
