/* audit_list.c - see audit_list.h. */
#include "ledger/audit_list.h"

#include "ledger/audit_row.h"

/* One statement for each index. Of several filters the index of the one with the fewest entries decides: an object has fewer
 * than an actor, an actor fewer than an action. */
#define AUDIT_SELECT "select " AUDIT_COLUMNS " from audit where business_id = ?1"
#define AUDIT_PAGE " and (at, number) < (?2, ?3) and at >= ?4 order by at desc, number desc limit ?5"
#define AUDIT_VALUES(f)                                                                                  \
  DB_INT(business_id), DB_INT(before_at), DB_INT(before_number), DB_INT((f)->since), DB_INT((f)->limit), \
      DB_TEXT((f)->object), DB_TEXT((f)->actor), DB_TEXT((f)->action)

static enum err audit_query(struct db *db, struct db_rows *q, int64_t business_id, const struct audit_filter *f) {
  /* Without an entry to go on from, all before `until`: no entry has the number 0. */
  int64_t before_at = f->until ? f->until : INT64_MAX, before_number = 0;
  if (f->after_number && f->after_at < before_at) before_at = f->after_at, before_number = f->after_number;
  if (f->object.n)
    return db_query(db, q,
                    AUDIT_SELECT " and object = ?6 and (?7 = '' or actor = ?7) and (?8 = '' or action = ?8)" AUDIT_PAGE,
                    AUDIT_VALUES(f));
  if (f->actor.n)
    return db_query(db, q, AUDIT_SELECT " and actor = ?7 and (?8 = '' or action = ?8) and ?6 = ''" AUDIT_PAGE,
                    AUDIT_VALUES(f));
  if (f->action.n)
    return db_query(db, q, AUDIT_SELECT " and action = ?8 and ?6 = '' and ?7 = ''" AUDIT_PAGE, AUDIT_VALUES(f));
  return db_query(db, q, AUDIT_SELECT AUDIT_PAGE, DB_INT(business_id), DB_INT(before_at), DB_INT(before_number),
                  DB_INT(f->since), DB_INT(f->limit));
}

enum err audit_list(struct db *db, int64_t business_id, const struct audit_filter *f, audit_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  if (f->limit < 1 || f->limit > AUDIT_LIST_MAX) return ERR_INVALID;
  TRY(audit_query(db, &q, business_id, f));
  while ((e = db_next(&q)) == OK) {
    struct audit_row row;
    audit_read_row(&q, business_id, &row);
    TRY(fn(arg, &row));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}
