/* audit_list.c - see audit_list.h. Without filters a page is a range of the primary key. With filters:
 *
 *   entries behind the last summary --> for each summary that may hold what is wanted, the newest first: its entries
 *
 * Invariant: each entry is read at most once, and numbers only fall. */
#include "ledger/audit_list.h"

#include "ledger/audit_row.h"
#include "ledger/audit_spans.h"

struct listing {
  struct db *db;
  int64_t business_id;
  const struct audit_filter *f;
  int64_t before; /* entries from this number on are not wanted */
  int left;       /* rows that the page may still have */
  audit_each_fn *fn;
  void *arg;
};

/* The entries above number `after`, and below number `before`. */
static enum err list_range(struct listing *l, int64_t after, int64_t before) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  const struct audit_filter *f = l->f;
  enum err e;
  TRY(db_query(l->db, &q,
               "select " AUDIT_COLUMNS " from audit where business_id = ?1 and number > ?2 and number < ?3"
               " and (?4 = '' or object = ?4) and (?5 = '' or actor = ?5) and (?6 = '' or action = ?6)"
               " and at >= ?7 and at < ?8 order by number desc limit ?9",
               DB_INT(l->business_id), DB_INT(after), DB_INT(before < l->before ? before : l->before),
               DB_TEXT(f->object), DB_TEXT(f->actor), DB_TEXT(f->action), DB_INT(f->since),
               DB_INT(f->until ? f->until : INT64_MAX), DB_INT(l->left)));
  while ((e = db_next(&q)) == OK) {
    struct audit_row row;
    audit_read_row(&q, l->business_id, &row);
    l->left--;
    TRY(l->fn(l->arg, &row));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err list_filed(struct listing *l, int64_t filed) {
  struct audit_spans spans;
  int64_t own = (l->before - 2) / AUDIT_SPAN_ENTRIES + 1; /* the span of the first entry that is wanted, and one more */
  spans.before = own < filed ? own : filed;
  while (spans.before > 0 && l->left > 0) {
    TRY(db_in_time(l->db));
    TRY(audit_spans_find(l->db, l->business_id, spans.before, l->f, &spans));
    for (int i = 0; i < spans.count && l->left > 0; i++)
      TRY(list_range(l, spans.found[i] * AUDIT_SPAN_ENTRIES, (spans.found[i] + 1) * AUDIT_SPAN_ENTRIES + 1));
  }
  return OK;
}

enum err audit_list(struct db *db, int64_t business_id, const struct audit_filter *f, audit_each_fn *fn, void *arg) {
  int64_t filed;
  struct listing l = {db, business_id, f, f->after_number ? f->after_number : INT64_MAX, f->limit, fn, arg};
  if (f->limit < 1 || f->limit > AUDIT_LIST_MAX) return ERR_INVALID;
  if (!f->actor.n && !f->action.n && !f->object.n && !f->since && !f->until) return list_range(&l, 0, INT64_MAX);
  TRY(audit_spans_filed(db, business_id, &filed));
  TRY(list_range(&l, filed * AUDIT_SPAN_ENTRIES, INT64_MAX));
  return l.left > 0 ? list_filed(&l, filed) : OK;
}
