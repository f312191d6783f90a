/* db_check.c - checks the database for damage. It changes nothing. */
#include "base/clock.h"
#include "db/db_sqlite.h"

static enum err read_findings(struct db *db, struct buf *ret_problem) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_SQLITE "pragma quick_check(1)"));
  TRY(db_next(&q));
  struct str said = db_text(&q, 0);
  if (str_eq(said, STR("ok"))) return OK;
  /* Without memory for the text the result is the same. */
  if (ret_problem && buf_add(ret_problem, str_head(said, 500)) != OK) buf_clear(ret_problem);
  return ERR_CORRUPT;
}

enum err db_sqlite_quick_check(struct db *db, int64_t limit_ms, struct buf *ret_problem) {
  db_deadline(db, clock_mono_ms() + limit_ms);
  enum err e = read_findings(db, ret_problem);
  db_deadline(db, 0);
  return e;
}
