/* forgets.c - see forgets.h. */
#include "ledger/forgets.h"

enum { PAGES = 64 };

enum err forgets_next(struct db *db, int64_t *ret_wanted) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select wanted from forgets where wanted > done and not exists (select 1 from call_documents_gone)"));
  TRY(db_next(&q));
  *ret_wanted = db_int(&q, 0);
  return OK;
}

enum err forgets_want(struct db *db) {
  return db_kind(db) == DB_SQLITE ? db_run(db, DB_FOR_SQLITE "update forgets set wanted = wanted + 1 where id = 1")
                                  : OK;
}

/* A merge of a negative number puts all segments on one level first. One that touches fewer than two rows had nothing to do. */
enum err forgets_rewrite_part(struct db *db, bool begins, bool *ret_done) {
  int64_t before = db_touched(db);
  *ret_done = true;
  if (db_kind(db) != DB_SQLITE) return OK;
  TRY(db_run(db, DB_FOR_SQLITE "insert into call_documents (call_documents, rank) values ('merge', ?1)",
             DB_INT(begins ? -PAGES : PAGES)));
  *ret_done = db_touched(db) - before < 2;
  return OK;
}

enum err forgets_end(struct db *db, int64_t wanted) {
  return db_run(db, "update forgets set done = max(done, ?1) where id = 1", DB_INT(wanted));
}
