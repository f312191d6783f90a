/* audit_chain.c - see audit_chain.h.
 *
 * Invariants
 *  (1) Each entry is compared with the stored digest of the entry before it, so one changed entry is one fault, and the entries
 *      after it are still compared.
 *  (2) After missing entries the next one has nothing to be compared with: its own digest is taken.
 *  (3) SQLite keeps a value of any type in any column. A value of another type reads the same, but filters do not find it: so the
 *      types are compared, too.
 *  (4) A part reads the checkpoint again: entries that a server cuts meanwhile do not count as missing. */
#include "ledger/audit_chain.h"

#include "ledger/audit_row.h"

static void chain_report(struct audit_chain *c, enum audit_fault_kind kind, int64_t first, int64_t last,
                         const struct audit_row *row) {
  const struct audit_fault fault = {kind, first, last, row};
  c->faults++;
  c->on_fault(c->arg, &fault);
}

/* ---- which chains there are ---- */

static enum err chain_min_business(struct db_rows *q, int64_t *min) {
  enum err e = db_next(q);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  if (db_int(q, 0) < *min) *min = db_int(q, 0);
  return OK;
}

enum err audit_chain_next(struct db *db, int64_t after, int64_t *ret_business_id) {
  struct db_rows heads CLEANUP(db_rows_done) = DB_ROWS, entries CLEANUP(db_rows_done) = DB_ROWS,
                       checkpoints CLEANUP(db_rows_done) = DB_ROWS;
  int64_t min = INT64_MAX;
  TRY(db_query(db, &heads, "select business_id from audit_heads where business_id > ?1 order by business_id limit 1",
               DB_INT(after)));
  TRY(chain_min_business(&heads, &min));
  TRY(db_query(db, &entries, "select business_id from audit where business_id > ?1 order by business_id limit 1",
               DB_INT(after)));
  TRY(chain_min_business(&entries, &min));
  TRY(db_query(db, &checkpoints,
               "select business_id from audit_checkpoints where business_id > ?1 order by business_id limit 1",
               DB_INT(after)));
  TRY(chain_min_business(&checkpoints, &min));
  if (min == INT64_MAX) return ERR_NOT_FOUND;
  if (min <= after) return ERR_CORRUPT; /* a business_id that is no number (3) */
  *ret_business_id = min;
  return OK;
}

/* ---- verifying ---- */

/* (3) PostgreSQL's columns have one type. */
#define IS_INTEGER(column) column " = cast(" column " as bigint)"
#define IS_TEXT(column) column " = cast(" column " as text)"
#define TYPES_OF_ENTRY \
  "case when " IS_INTEGER("number") " and " IS_INTEGER("at") " and " IS_TEXT("actor") " and " IS_TEXT("role")    \
  " and " IS_TEXT("action") " and " IS_TEXT("object") " and " IS_TEXT("ip") " and " IS_TEXT("details") " and "   \
  IS_TEXT("digest") " then 1 else 0 end"
#define TYPES_OF_END \
  "case when " IS_INTEGER("number") " and " IS_TEXT("digest") " and " IS_INTEGER("filed") " and (first_at is null" \
  " or " IS_INTEGER("first_at") ") then 1 else 0 end"

static enum err chain_end_has_types(struct db *db, int64_t business_id, bool *ret_has) {
  *ret_has = true;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " TYPES_OF_END " from audit_heads where business_id = ?1", DB_INT(business_id)));
  enum err e = db_next(&q);
  if (e == OK) *ret_has = db_int(&q, 0) != 0;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err chain_read_end(struct db *db, struct audit_chain *c) {
  enum err e = audit_head(db, c->business_id, &c->end, c->end_digest);
  if (e != ERR_NOT_FOUND) return e;
  c->end = 0;
  return str_copy(c->end_digest, sizeof(c->end_digest), STR(AUDIT_NO_DIGEST));
}

enum err audit_chain_begin(struct db *db, const uint8_t secrets_key[SECRET_KEY_SIZE], int64_t business_id,
                           audit_fault_fn *on_fault, void *arg, struct audit_chain *ret_chain) {
  struct audit_chain c = {
      .business_id = business_id, .secrets_key = secrets_key, .span = -1, .on_fault = on_fault, .arg = arg};
  struct audit_checkpoint checkpoint;
  enum err e = audit_checkpoint_read(db, secrets_key, business_id, &checkpoint);
  if (e != OK && e != ERR_DENIED) return e;
  TRY(chain_read_end(db, &c));
  TRY(audit_spans_filed(db, business_id, &c.filed));
  c.number = c.cut = checkpoint.number;
  memcpy(c.digest, checkpoint.digest, sizeof(c.digest));
  if (e == ERR_DENIED || c.end < c.number) chain_report(&c, AUDIT_FAULT_CHECKPOINT, c.number, c.number, NULL);
  bool has_types;
  TRY(chain_end_has_types(db, business_id, &has_types));
  if (!has_types) chain_report(&c, AUDIT_FAULT_HEAD, c.end, c.end, NULL);
  *ret_chain = c;
  return OK;
}

static void chain_compare_expected(struct audit_chain *c, int64_t number, struct str digest,
                                   const struct audit_row *row) {
  if (number != c->expected_number || number == 0) return;
  c->expected_number = 0;
  if (!str_eq(digest, str_from(c->expected_digest))) chain_report(c, AUDIT_FAULT_EXPECTED, number, number, row);
}

enum err audit_chain_expect(struct audit_chain *c, int64_t number, struct str digest) {
  if (number < 1 || digest.n != AUDIT_DIGEST_SIZE - 1) return ERR_INVALID;
  c->expected_number = number;
  TRY(str_copy(c->expected_digest, sizeof(c->expected_digest), digest));
  chain_compare_expected(c, c->cut, str_from(c->digest), NULL);
  return OK;
}

/* One fault a span. */
static enum err chain_compare_summary(struct db *db, struct audit_chain *c, const struct audit_row *row) {
  int64_t span = (row->number - 1) / AUDIT_SPAN_ENTRIES;
  if (span >= c->filed) return OK;
  if (span != c->span) {
    enum err e = audit_spans_get(db, c->business_id, span, &c->summary);
    if (e != OK && e != ERR_NOT_FOUND && e != ERR_CORRUPT) return e;
    c->span = span;
    c->is_summary_good = true;
    if (e != OK) c->summary = (struct audit_span_summary){.first_at = 0}; /* it shows nothing */
  }
  if (!c->is_summary_good || audit_span_shows(&c->summary, row->at, row->actor, row->action, row->object)) return OK;
  c->is_summary_good = false;
  chain_report(c, AUDIT_FAULT_SUMMARY, span * AUDIT_SPAN_ENTRIES + 1, (span + 1) * AUDIT_SPAN_ENTRIES, NULL);
  return OK;
}

static enum err chain_verify_row(struct db *db, struct audit_chain *c, const struct audit_row *row, bool has_types) {
  char digest[AUDIT_DIGEST_SIZE];
  if (row->number <= c->number) { /* its number is no integer: it stands behind all others */
    chain_report(c, AUDIT_FAULT_CHANGED, row->number, row->number, row);
    return OK;
  }
  if (row->number > c->end) {
    chain_report(c, AUDIT_FAULT_INSERTED, row->number, row->number, row);
  } else if (row->number != c->number + 1) {
    chain_report(c, AUDIT_FAULT_MISSING, c->number + 1, row->number - 1, NULL); /* (2) */
  } else {
    enum err e = audit_digest(row, str_from(c->digest), digest);
    if (e != OK && e != ERR_TOO_BIG) return e;
    if (e == ERR_TOO_BIG || !has_types || !str_eq(str_from(digest), row->digest))
      chain_report(c, AUDIT_FAULT_CHANGED, row->number, row->number, row);
    else
      TRY(chain_compare_summary(db, c, row));
  }
  chain_compare_expected(c, row->number, row->digest, row);
  c->number = row->number;
  c->entries++;
  if (str_copy(c->digest, sizeof(c->digest), row->digest) != OK) /* (1) */
    return str_copy(c->digest, sizeof(c->digest), STR(AUDIT_NO_DIGEST));
  return OK;
}

static enum err chain_verify_rows(struct db *db, struct audit_chain *c, bool *ret_more) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int64_t before = c->number;
  int count = 0;
  enum err e;
  TRY(db_query(db, &q,
               "select " AUDIT_COLUMNS ", " TYPES_OF_ENTRY " from audit where business_id = ?1 and number > ?2"
               " order by number limit ?3",
               DB_INT(c->business_id), DB_INT(c->number), DB_INT(AUDIT_CHAIN_PART)));
  while ((e = db_next(&q)) == OK) {
    struct audit_row row;
    audit_read_row(&q, c->business_id, &row);
    TRY(chain_verify_row(db, c, &row, db_int(&q, AUDIT_COLUMN_COUNT) != 0));
    count++;
  }
  *ret_more = count == AUDIT_CHAIN_PART && c->number > before;
  return e == ERR_NOT_FOUND ? OK : e;
}

/* After the last entry. */
static void chain_compare_end(struct audit_chain *c) {
  if (c->number < c->end)
    chain_report(c, AUDIT_FAULT_MISSING, c->number + 1, c->end, NULL);
  else if (c->number == c->end && !str_eq(str_from(c->digest), str_from(c->end_digest)))
    chain_report(c, AUDIT_FAULT_HEAD, c->end, c->end, NULL);
  if (c->expected_number > c->end)
    chain_report(c, AUDIT_FAULT_MISSING, c->end + 1, c->expected_number, NULL);
  else if (c->expected_number && c->expected_number <= c->cut)
    chain_report(c, AUDIT_FAULT_CUT, c->expected_number, c->cut, NULL);
}

static enum err chain_follow_cut(struct db *db, struct audit_chain *c) {
  struct audit_checkpoint checkpoint;
  enum err e = audit_checkpoint_read(db, c->secrets_key, c->business_id, &checkpoint);
  if (e == ERR_DENIED) return OK; /* audit_chain_begin reported it, or the next verification will */
  TRY(e);
  c->cut = checkpoint.number;
  if (checkpoint.number <= c->number) return OK;
  c->number = checkpoint.number; /* (4) */
  memcpy(c->digest, checkpoint.digest, sizeof(c->digest));
  chain_compare_expected(c, c->cut, str_from(c->digest), NULL);
  return OK;
}

/* Before the first entry. */
static enum err chain_look_before(struct db *db, struct audit_chain *c) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (c->has_looked_before) return OK;
  c->has_looked_before = true;
  TRY(db_query(db, &q, "select min(number), max(number) from audit where business_id = ?1 and number <= ?2",
               DB_INT(c->business_id), DB_INT(c->number)));
  TRY(db_next(&q));
  if (!db_is_null(&q, 0)) chain_report(c, AUDIT_FAULT_BEFORE, db_int(&q, 0), db_int(&q, 1), NULL);
  return OK;
}

enum err audit_chain_part(struct db *db, struct audit_chain *c, bool *ret_more) {
  bool more = false;
  TRY(db_begin(db)); /* entries and the end of one moment */
  enum err e = chain_read_end(db, c);
  if (e == OK) e = chain_follow_cut(db, c);
  if (e == OK) e = chain_look_before(db, c);
  if (e == OK) e = chain_verify_rows(db, c, &more);
  if (e == OK && !more) chain_compare_end(c);
  db_rollback(db);
  if (e == OK) *ret_more = more;
  return e;
}
