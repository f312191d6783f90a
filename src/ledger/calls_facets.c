/* calls_facets.c - see calls_facets.h.
 *
 * Invariants
 *  (1) call_facets_build has one row while calls are left: those older than it in its business, and all of later businesses.
 *  (2) A part touches at most limit calls. A call that is there already is brought in line again, which changes nothing. */
#include "ledger/calls_facets.h"

#include "ledger/calls.h"

struct facets_cursor {
  int64_t business_id, sort_at;
  char call_sid[SID_SIZE];
};

static enum err facets_read_cursor(struct db_rows *q, struct facets_cursor *ret_cursor) {
  TRY(db_next(q));
  struct facets_cursor at = {.business_id = db_int(q, 0), .sort_at = db_int(q, 1)};
  if (str_copy(at.call_sid, SID_SIZE, db_text(q, 2)) != OK) return ERR_CORRUPT;
  *ret_cursor = at;
  return OK;
}

/* The call after the cursor, in its business or the next. ERR_NOT_FOUND: there is none. */
static enum err next_call(struct db *db, struct facets_cursor *at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS, next CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id, sort_at, call_sid from calls c indexed by calls_newest_leg where business_id = ?1"
               " and (sort_at, call_sid) < (?2, ?3) order by sort_at desc, call_sid desc limit 1",
               DB_INT(at->business_id), DB_INT(at->sort_at), DB_TEXT(str_from(at->call_sid))));
  enum err e = facets_read_cursor(&q, at);
  if (e != ERR_NOT_FOUND) return e;
  TRY(db_query(db, &next,
               "select business_id, sort_at, call_sid from calls c indexed by calls_newest_leg where business_id ="
               " (select min(business_id) from calls where business_id > ?1)"
               " order by sort_at desc, call_sid desc limit 1",
               DB_INT(at->business_id)));
  return facets_read_cursor(&next, at);
}

static enum err build_cursor(struct db *db, struct facets_cursor *ret_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select business_id, sort_at, call_sid from call_facets_build limit 1"));
  return facets_read_cursor(&q, ret_at);
}

enum err calls_facets_add_older(struct db *db, int limit, int *ret_count) {
  struct facets_cursor at;
  int count = 0;
  enum err e = build_cursor(db, &at);
  if (e == ERR_NOT_FOUND) {
    *ret_count = 0;
    return OK;
  }
  for (; e == OK && count < limit; count += e == OK) {
    e = next_call(db, &at);
    if (e == OK)
      e = db_run(db, "insert into call_facets_due (business_id, call_sid) values (?1, ?2)", DB_INT(at.business_id),
                 DB_TEXT(str_from(at.call_sid)));
  }
  if (e == ERR_NOT_FOUND)
    e = db_run(db, "delete from call_facets_build");
  else if (e == OK)
    e = db_run(db, "update call_facets_build set business_id = ?1, sort_at = ?2, call_sid = ?3", DB_INT(at.business_id),
               DB_INT(at.sort_at), DB_TEXT(str_from(at.call_sid)));
  TRY(e);
  *ret_count = count;
  return OK;
}
