/* transcript_terms.c - see transcript_terms.h.
 *
 * Invariants
 *  (1) A document without a row in transcript_terms_due has all its terms in transcript_terms, and one that is gone has none.
 *  (2) Businesses take turns, so no business waits for all documents of another. */
#include "ledger/transcript_terms.h"

#include "ledger/transcript_search.h"

struct due {
  int64_t business_id, rowid;
  bool is_gone;
  size_t done;      /* bytes of words */
  struct buf words; /* owned */
};

static void due_done(struct due *d) {
  buf_done(&d->words);
}

/* The first document of a business behind the given one. */
static enum err due_read(struct db *db, int64_t after_business, struct due *d) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select d.business_id, d.rowid, d.words is not null, d.done, coalesce(d.words, (select x.words from"
               " transcript_texts x where x.document_id = d.rowid), '') from transcript_terms_due d"
               " where d.business_id > ?1 order by d.business_id, d.rowid limit 1",
               DB_INT(after_business)));
  TRY(db_next(&q));
  d->business_id = db_int(&q, 0);
  d->rowid = db_int(&q, 1);
  d->is_gone = db_int(&q, 2) != 0;
  d->done = (size_t)db_int(&q, 3);
  return buf_add(&d->words, db_text(&q, 4));
}

static enum err term_write(struct db *db, const struct due *d, struct str term) {
  if (d->is_gone)
    return db_run(db, DB_FOR_SQLITE "delete from transcript_terms where business_id = ?1 and term = ?2 and rowid = ?3",
                  DB_INT(d->business_id), DB_TEXT(term), DB_INT(d->rowid));
  return db_run(db,
                DB_FOR_SQLITE
                "insert into transcript_terms (business_id, term, rowid) values (?1, ?2, ?3)"
                " on conflict do nothing",
                DB_INT(d->business_id), DB_TEXT(term), DB_INT(d->rowid));
}

static enum err due_store(struct db *db, const struct due *d) {
  if (d->done >= d->words.n)
    return db_run(db, DB_FOR_SQLITE "delete from transcript_terms_due where business_id = ?1 and rowid = ?2",
                  DB_INT(d->business_id), DB_INT(d->rowid));
  return db_run(db, DB_FOR_SQLITE "update transcript_terms_due set done = ?3 where business_id = ?1 and rowid = ?2",
                DB_INT(d->business_id), DB_INT(d->rowid), DB_INT((int64_t)d->done));
}

enum err transcript_terms_are_due(struct db *db, bool *ret_due) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  *ret_due = false;
  if (db_kind(db) == DB_POSTGRES) return OK;
  TRY(db_query(db, &q, DB_FOR_SQLITE "select exists (select 1 from transcript_terms_due)"));
  TRY(db_next(&q));
  *ret_due = db_int(&q, 0) != 0;
  return OK;
}

enum err transcript_terms_update(struct db *db, int64_t *business_id, int limit, int *ret_count) {
  struct due d CLEANUP(due_done) = {.words = BUF_INIT(TRANSCRIPT_WORDS_MAX)};
  *ret_count = 0;
  if (db_kind(db) == DB_POSTGRES) return OK;
  enum err e = due_read(db, *business_id, &d);
  if (e == ERR_NOT_FOUND) e = due_read(db, INT64_MIN, &d); /* (2) */
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  struct str all = buf_str(&d.words), rest = str_skip(all, d.done), term;
  int count = 0;
  while (rest.n && count < limit - 1) {
    (void)str_cut(rest, ' ', &term, &rest);
    TRY(term_write(db, &d, term));
    count++;
  }
  d.done = all.n - rest.n;
  TRY(due_store(db, &d));
  *business_id = d.business_id;
  *ret_count = count + 1;
  return OK;
}
