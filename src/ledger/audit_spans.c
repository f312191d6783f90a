/* audit_spans.c - see audit_spans.h.
 *
 * Invariants
 *  (1) A summary shows each entry that its span had when it was filed. Entries are never updated, so it shows all that are left.
 *  (2) Summaries are stored: the hash never changes.
 *  (3) A summary that can't be read hides nothing: its entries are looked through. audit_chain.h reports it. */
#include "ledger/audit_spans.h"

#include <string.h>

enum { KEY_BITS = 5, BITS = 8 * AUDIT_SPAN_KEYS_SIZE };

/* ---- keys ---- */

/* FNV-1a, with the bits mixed once more (2). column: the same text in two columns is two keys. */
static uint64_t key_hash(char column, struct str text) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  h = (h ^ (uint8_t)column) * UINT64_C(0x100000001b3);
  for (size_t i = 0; i < text.n; i++) h = (h ^ (uint8_t)text.p[i]) * UINT64_C(0x100000001b3);
  h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
  return h ^ h >> 33;
}

static unsigned key_bit(uint64_t hash, unsigned i) {
  return ((uint32_t)hash + i * ((uint32_t)(hash >> 32) | 1)) % BITS;
}

static void keys_add(uint8_t *keys, char column, struct str text) {
  uint64_t hash = key_hash(column, text);
  for (unsigned i = 0; i < KEY_BITS; i++) keys[key_bit(hash, i) / 8] |= (uint8_t)(1 << key_bit(hash, i) % 8);
}

static bool keys_have(const uint8_t *keys, char column, struct str text) {
  uint64_t hash = key_hash(column, text);
  for (unsigned i = 0; i < KEY_BITS; i++)
    if (!(keys[key_bit(hash, i) / 8] & 1 << key_bit(hash, i) % 8)) return false;
  return true;
}

bool audit_span_shows(const struct audit_span_summary *s, int64_t at, struct str actor, struct str action,
                      struct str object) {
  return at >= s->first_at && at <= s->last_at && keys_have(s->keys, 'u', actor) && keys_have(s->keys, 'a', action) &&
         keys_have(s->keys, 'o', object);
}

/* ---- filing ---- */

/* ERR_NOT_FOUND: the span has no entry. */
static enum err span_summarise(struct db *db, int64_t business_id, int64_t span,
                               struct audit_span_summary *ret_summary) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct audit_span_summary s = {.first_at = INT64_MAX, .last_at = INT64_MIN};
  TRY(db_query(db, &q,
               "select at, actor, action, object from audit where business_id = ?1 and number > ?2 and number <= ?3",
               DB_INT(business_id), DB_INT(span * AUDIT_SPAN_ENTRIES), DB_INT((span + 1) * AUDIT_SPAN_ENTRIES)));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    int64_t at = db_int(&q, 0);
    if (at < s.first_at) s.first_at = at;
    if (at > s.last_at) s.last_at = at;
    keys_add(s.keys, 'u', db_text(&q, 1));
    keys_add(s.keys, 'a', db_text(&q, 2));
    keys_add(s.keys, 'o', db_text(&q, 3));
  }
  if (e != ERR_NOT_FOUND || s.first_at > s.last_at) return e;
  *ret_summary = s;
  return OK;
}

static enum err file_one(struct db *db, int64_t business_id, int64_t span) {
  struct audit_span_summary s;
  enum err e = span_summarise(db, business_id, span, &s);
  if (e == ERR_NOT_FOUND) return OK; /* its entries were cut */
  TRY(e);
  return db_run(db,
                "insert into audit_spans (business_id, span, first_at, last_at, keys) values (?1, ?2, ?3, ?4, ?5)"
                " on conflict (business_id, span) do update set first_at = excluded.first_at,"
                " last_at = excluded.last_at, keys = excluded.keys",
                DB_INT(business_id), DB_INT(span), DB_INT(s.first_at), DB_INT(s.last_at),
                DB_BLOB(str_of((const char *)s.keys, sizeof(s.keys))));
}

enum err audit_spans_file(struct db *db, int64_t business_id, int64_t number, int64_t *filed) {
  int64_t whole = number / AUDIT_SPAN_ENTRIES, was = *filed;
  for (int64_t span = was; span < whole && span < was + AUDIT_SPANS_FILED_MAX; span++) {
    TRY(file_one(db, business_id, span)); /* (1) */
    *filed = span + 1;
  }
  return OK;
}

enum err audit_spans_filed(struct db *db, int64_t business_id, int64_t *ret_filed) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select filed from audit_heads where business_id = ?1", DB_INT(business_id)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_filed = e == OK ? db_int(&q, 0) : 0;
  return OK;
}

enum err audit_spans_cut(struct db *db, int64_t business_id, int64_t number) {
  return db_run(db, "delete from audit_spans where business_id = ?1 and span < ?2", DB_INT(business_id),
                DB_INT(number / AUDIT_SPAN_ENTRIES));
}

/* ---- finding ---- */

static enum err read_summary(const struct db_rows *q, int column, struct audit_span_summary *ret_summary) {
  struct str keys = db_text(q, column + 2);
  if (keys.n != AUDIT_SPAN_KEYS_SIZE) return ERR_CORRUPT;
  ret_summary->first_at = db_int(q, column);
  ret_summary->last_at = db_int(q, column + 1);
  memcpy(ret_summary->keys, keys.p, keys.n);
  return OK;
}

static bool may_hold(const struct audit_span_summary *s, const struct audit_filter *f) {
  return s->last_at >= f->since && (!f->until || s->first_at < f->until) &&
         (!f->actor.n || keys_have(s->keys, 'u', f->actor)) && (!f->action.n || keys_have(s->keys, 'a', f->action)) &&
         (!f->object.n || keys_have(s->keys, 'o', f->object));
}

enum err audit_spans_find(struct db *db, int64_t business_id, int64_t before, const struct audit_filter *f,
                          struct audit_spans *ret_spans) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct audit_span_summary s;
  enum err e;
  int looked = 0;
  TRY(db_query(db, &q,
               "select span, first_at, last_at, keys from audit_spans where business_id = ?1 and span < ?2"
               " order by span desc limit ?3",
               DB_INT(business_id), DB_INT(before), DB_INT(AUDIT_SPANS_FOUND_MAX)));
  ret_spans->count = 0;
  while ((e = db_next(&q)) == OK) {
    looked++;
    ret_spans->before = db_int(&q, 0);
    enum err read = read_summary(&q, 1, &s); /* (3) */
    if (read == ERR_CORRUPT || may_hold(&s, f)) ret_spans->found[ret_spans->count++] = ret_spans->before;
  }
  if (looked < AUDIT_SPANS_FOUND_MAX) ret_spans->before = 0;
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err audit_spans_get(struct db *db, int64_t business_id, int64_t span, struct audit_span_summary *ret_summary) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select first_at, last_at, keys from audit_spans where business_id = ?1 and span = ?2",
               DB_INT(business_id), DB_INT(span)));
  TRY(db_next(&q));
  return read_summary(&q, 0, ret_summary);
}
