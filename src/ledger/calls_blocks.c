/* calls_blocks.c - see calls_blocks.h.
 *
 * Invariants
 *  (1) Each document of a business is in exactly one block, by its id.
 *  (2) A block with marks has those of all parts that its documents have. A document that comes or goes takes the marks from its
 *      block, in the same transaction (0044_document_blocks.sql, 0046_block_groups.sql).
 *  (3) Businesses take turns, so no business waits for all blocks of another. */
#include "ledger/calls_blocks.h"

#include <string.h>

/* Bits of the marks: first those of digits, then those of names. */
enum { DIGIT_BITS = 3200, NAME_BITS = BLOCK_MARKS_SIZE * 8 - DIGIT_BITS, DIGITS_OF_PART = 4, CHARACTERS_OF_PART = 3 };

/* ---- marks ---- */

static uint32_t hash_bytes(const char *p, size_t n) {
  uint32_t h = 2166136261U; /* FNV-1a */
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619U;
  return h ^ (h >> 15);
}

typedef void part_fn(void *arg, uint32_t bit);

static void digits_each(struct str text, part_fn *fn, void *arg) {
  for (size_t i = 0; i + DIGITS_OF_PART <= text.n; i++)
    if (!memchr(text.p + i, ' ', DIGITS_OF_PART)) fn(arg, hash_bytes(text.p + i, DIGITS_OF_PART) % DIGIT_BITS);
}

static size_t character_size(struct str text, size_t at) {
  size_t n = 1;
  while (at + n < text.n && ((unsigned char)text.p[at + n] & 0xc0) == 0x80) n++;
  return n;
}

/* Also parts that reach over the end of a name: no search has them. */
static void names_each(struct str text, part_fn *fn, void *arg) {
  size_t from[CHARACTERS_OF_PART] = {0}, seen = 0;
  for (size_t at = 0; at < text.n; seen++) {
    size_t end = at + character_size(text, at);
    from[seen % CHARACTERS_OF_PART] = at;
    at = end;
    if (seen + 1 < CHARACTERS_OF_PART) continue;
    size_t first = from[(seen + 1) % CHARACTERS_OF_PART];
    fn(arg, DIGIT_BITS + hash_bytes(text.p + first, end - first) % NAME_BITS);
  }
}

static void marks_add(void *marks, uint32_t bit) {
  ((uint8_t *)marks)[bit / 8] |= (uint8_t)(1U << bit % 8);
}

static void wanted_add(void *wanted, uint32_t bit) {
  struct block_wanted *w = wanted;
  if (w->count < BLOCK_PARTS_MAX) w->bits[w->count++] = (uint16_t)bit;
}

void calls_blocks_want(struct block_wanted *w, enum block_part part, struct str text) {
  (part == BLOCK_DIGITS ? digits_each : names_each)(text, wanted_add, w);
}

bool calls_blocks_may_have(const struct block_wanted *w, struct str marks) {
  if (marks.n < BLOCK_MARKS_SIZE) return true;
  for (size_t i = 0; i < w->count; i++)
    if (!((unsigned char)marks.p[w->bits[i] / 8] & (1U << w->bits[i] % 8))) return false;
  return true;
}

bool calls_blocks_may_match(const struct block_search *search, struct str marks) {
  if (search->by_names && calls_blocks_may_have(&search->names, marks)) return true;
  return search->by_digits && calls_blocks_may_have(&search->digits, marks);
}

/* ---- a block that is due ---- */

struct block {
  int64_t business_id, first_id, added, end; /* end: the next block's first_id */
  bool is_open;
};

static enum err block_first_due(struct db *db, int64_t after_business, struct block *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select business_id, first_id, is_open, added from call_documents_blocks"
               " indexed by call_documents_blocks_due where marks is null and (is_open = 0 or added >= 256)"
               " and business_id > ?1 order by business_id, first_id limit 1",
               DB_INT(after_business)));
  TRY(db_next(&q));
  b->business_id = db_int(&q, 0);
  b->first_id = db_int(&q, 1);
  b->is_open = db_int(&q, 2) != 0;
  b->added = db_int(&q, 3);
  return OK;
}

enum err calls_blocks_end(struct db *db, int64_t business_id, int64_t first_id, int64_t *ret_end) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE "select min(first_id) from call_documents_blocks indexed by call_documents_blocks_order"
                             " where business_id = ?1 and first_id > ?2",
               DB_INT(business_id), DB_INT(first_id)));
  TRY(db_next(&q));
  *ret_end = db_int_or(&q, 0, INT64_MAX);
  return OK;
}

/* Documents of a block, from where it grows no more: an open block grows behind its last one, others in front (calls that are
 * indexed newest first) or anywhere. */
struct content {
  uint8_t marks[BLOCK_MARKS_SIZE]; /* of all documents; if there are too many, of BLOCK_DOCUMENTS */
  int64_t divides_at;              /* where the second one begins, if there are too many; 0: there are not */
  int count;
};

static void marks_add_document(uint8_t *marks, struct str digits, struct str names) {
  digits_each(digits, marks_add, marks);
  names_each(names, marks_add, marks);
}

static enum err query_documents(struct db *db, const struct block *b, struct db_rows *q) {
  if (b->is_open)
    return db_query(db, q,
                    DB_FOR_SQLITE
                    "select rowid, digits, names from call_documents_text"
                    " where business_id = ?1 and rowid >= ?2 and rowid < ?3 order by rowid limit ?4",
                    DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(b->end), DB_INT(BLOCK_DOCUMENTS_MOST + 1));
  return db_query(db, q,
                  DB_FOR_SQLITE
                  "select rowid, digits, names from call_documents_text"
                  " where business_id = ?1 and rowid >= ?2 and rowid < ?3 order by rowid desc limit ?4",
                  DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(b->end), DB_INT(BLOCK_DOCUMENTS_MOST + 1));
}

static enum err block_read(struct db *db, const struct block *b, struct content *c) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  const int last_kept =
      b->is_open ? BLOCK_DOCUMENTS : BLOCK_DOCUMENTS - 1; /* whose id is where the second one begins */
  uint8_t more[BLOCK_MARKS_SIZE] = {0};
  int64_t divides_at = 0;
  enum err e;
  memset(c, 0, sizeof(*c));
  TRY(query_documents(db, b, &q));
  for (; (e = db_next(&q)) == OK; c->count++) {
    if (c->count == last_kept) divides_at = db_int(&q, 0);
    marks_add_document(c->count < BLOCK_DOCUMENTS ? c->marks : more, db_text(&q, 1), db_text(&q, 2));
  }
  if (e != ERR_NOT_FOUND) return e;
  if (c->count > BLOCK_DOCUMENTS_MOST) {
    c->divides_at = divides_at;
    return OK;
  }
  for (size_t i = 0; i < BLOCK_MARKS_SIZE; i++) c->marks[i] |= more[i];
  return OK;
}

static enum err block_mark(struct db *db, const struct block *b, const struct content *c) {
  return db_run(db,
                DB_FOR_SQLITE
                "update call_documents_blocks set is_open = 0, added = ?3, marks = ?4"
                " where business_id = ?1 and first_id = ?2",
                DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(c->count),
                DB_BLOB(str_of((const char *)c->marks, sizeof(c->marks))));
}

/* The part with BLOCK_DOCUMENTS gets its marks; the other one is due next. */
static enum err block_divide(struct db *db, const struct block *b, const struct content *c) {
  int64_t left = b->added - BLOCK_DOCUMENTS, least = BLOCK_DOCUMENTS_MOST + 1 - BLOCK_DOCUMENTS;
  struct str marks = str_of((const char *)c->marks, sizeof(c->marks));
  if (left < least) left = least;
  if (b->is_open)
    TRY(block_mark(db, b, c));
  else
    TRY(db_run(db, DB_FOR_SQLITE "update call_documents_blocks set added = ?3 where business_id = ?1 and first_id = ?2",
               DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(left)));
  return db_run(db,
                DB_FOR_SQLITE
                "insert into call_documents_blocks (business_id, first_id, is_open, added, marks)"
                " values (?1, ?2, ?3, ?4, ?5)",
                DB_INT(b->business_id), DB_INT(c->divides_at), DB_INT(b->is_open),
                DB_INT(b->is_open ? left : BLOCK_DOCUMENTS), b->is_open ? DB_NULL : DB_BLOB(marks));
}

static enum err block_write(struct db *db, const struct block *b, const struct content *c, int *ret_count) {
  *ret_count = c->divides_at ? 2 : 1;
  if (c->divides_at) return block_divide(db, b, c);
  if (b->is_open)
    return db_run(db,
                  DB_FOR_SQLITE "update call_documents_blocks set added = ?3 where business_id = ?1 and first_id = ?2",
                  DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(c->count));
  if (c->count == 0 && b->first_id) /* the block before has its range from now on */
    return db_run(db, DB_FOR_SQLITE "delete from call_documents_blocks where business_id = ?1 and first_id = ?2",
                  DB_INT(b->business_id), DB_INT(b->first_id));
  return block_mark(db, b, c);
}

enum err calls_blocks_are_due(struct db *db, bool *ret_due) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  *ret_due = false;
  if (db_kind(db) == DB_POSTGRES) return OK;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE "select exists (select 1 from call_documents_blocks indexed by call_documents_blocks_due"
                             " where marks is null and (is_open = 0 or added >= 256))"));
  TRY(db_next(&q));
  *ret_due = db_int(&q, 0) != 0;
  return OK;
}

enum err calls_blocks_update(struct db *db, int64_t *business_id, int *ret_count) {
  struct block b;
  struct content c;
  *ret_count = 0;
  if (db_kind(db) == DB_POSTGRES) return OK;
  enum err e = block_first_due(db, *business_id, &b);
  if (e == ERR_NOT_FOUND) e = block_first_due(db, INT64_MIN, &b); /* (3) */
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(calls_blocks_end(db, b.business_id, b.first_id, &b.end));
  TRY(block_read(db, &b, &c));
  TRY(block_write(db, &b, &c, ret_count));
  *business_id = b.business_id;
  return OK;
}

enum err calls_blocks_are_ready(struct db *db, int64_t business_id, int64_t alone_most, int64_t unmarked_most,
                                bool *ret_ready) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select not exists (select 1 from call_documents_blocks indexed by call_documents_blocks_alone"
               " where business_id = ?1 and group_id is null limit 1 offset ?2), (select coalesce(sum(added), 0) from"
               " call_documents_blocks"
               " indexed by call_documents_blocks_unmarked where marks is null and business_id = ?1)",
               DB_INT(business_id), DB_INT(alone_most)));
  TRY(db_next(&q));
  *ret_ready = db_int(&q, 0) && db_int(&q, 1) <= unmarked_most;
  return OK;
}
