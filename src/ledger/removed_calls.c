/* removed_calls.c - see removed_calls.h. */
#include "ledger/removed_calls.h"

#include "ledger/changes.h"

static const char *const removed_kind_names[REMOVED_KIND_COUNT_] = {
    [REMOVED_NOT] = "", [REMOVED_DELETED] = "deleted", [REMOVED_OLD] = "old", [REMOVED_RELATED] = "related"};

/* What was never there may come (a legal hold keeps it), and be removed then. */
enum err removed_calls_add(struct db *db, int64_t business_id, struct str call_sid, enum removed_kind kind,
                           int64_t now) {
  return db_run(db,
                "insert into removed_calls (business_id, call_sid, removed_at, kind) select ?1, ?2, ?3, ?4"
                " where not exists (select 1 from calls where business_id = ?1 and call_sid = ?2)"
                " on conflict (business_id, call_sid) do update set kind = excluded.kind"
                " where removed_calls.kind = 'related'",
                DB_INT(business_id), DB_TEXT(call_sid), DB_INT(now), DB_TEXT(str_from(removed_kind_names[kind])));
}

enum err removed_calls_delete(struct db *db, int64_t business_id, struct str call_sid, enum removed_kind kind,
                              int64_t now) {
  TRY(db_run(db, "delete from call_facets where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
             DB_TEXT(call_sid)));
  TRY(db_run(db, "delete from calls where business_id = ?1 and call_sid = ?2", DB_INT(business_id), DB_TEXT(call_sid)));
  TRY(removed_calls_add(db, business_id, call_sid, kind, now));
  return changes_add(db, CHANGE_CALL, business_id, call_sid);
}

enum err removed_calls_find(struct db *db, int64_t business_id, struct str call_sid, enum removed_kind *ret_kind) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select kind from removed_calls where business_id = ?1 and call_sid = ?2"
               " and not exists (select 1 from calls where business_id = ?1 and call_sid = ?2)",
               DB_INT(business_id), DB_TEXT(call_sid)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_kind = REMOVED_NOT;
  if (e == ERR_NOT_FOUND) return OK;
  for (int kind = REMOVED_DELETED; kind < REMOVED_KIND_COUNT_; kind++)
    if (str_eq(db_text(&q, 0), str_from(removed_kind_names[kind]))) *ret_kind = (enum removed_kind)kind;
  return *ret_kind == REMOVED_NOT ? ERR_CORRUPT : OK;
}

enum err removed_calls_has(struct db *db, int64_t business_id, struct str call_sid, bool *ret_removed) {
  enum removed_kind kind;
  TRY(removed_calls_find(db, business_id, call_sid, &kind));
  *ret_removed = kind != REMOVED_NOT;
  return OK;
}

enum err removed_calls_purge(struct db *db, int64_t business_id, int limit, bool *ret_left) {
  TRY(db_run(db,
             "delete from removed_calls where business_id = ?1"
             " and call_sid in (select call_sid from removed_calls where business_id = ?1 limit ?2)",
             DB_INT(business_id), DB_INT(limit)));
  *ret_left = db_changed(db) == limit;
  return OK;
}
