/* calls_blocks.c - see calls_blocks.h.
 *
 * Invariants
 *  (1) Each document of a business is in exactly one block, by its id.
 *  (2) A block with marks has those of all parts that its documents have. A document that comes or goes takes the marks from its
 *      block, in the same transaction (0048_block_strips.sql). So the strips of a block with marks
 *      have all its documents. A release before strips that runs beside or instead of this one makes marks without strips, and no
 *      bounds; the first bits of ours are what it makes.
 *  (3) Businesses take turns, so no business waits for all blocks of another. */
#include "ledger/calls_blocks.h"

#include <string.h>

/* Bits of the marks: of the whole block, first those of digits, then those of names; then those of the strips, the same. */
enum {
  DIGIT_BITS = 3200,
  WHOLE_BITS = 928 * 8,
  NAME_BITS = WHOLE_BITS - DIGIT_BITS,
  DIGIT_STRIPS = 512, /* times BLOCK_STRIPS bits */
  NAME_STRIPS = 1024,
  DIGITS_OF_PART = 4,
  CHARACTERS_OF_PART = 3,
  BOUND_SIZE = 8,
};
_Static_assert(WHOLE_BITS + (DIGIT_STRIPS + NAME_STRIPS) * BLOCK_STRIPS == BLOCK_MARKS_SIZE * 8,
               "all bits have a place");
_Static_assert(WHOLE_BITS % BLOCK_STRIPS == 0 && BLOCK_STRIPS == 16, "a part's strips are two bytes");

/* ---- marks ---- */

static uint32_t hash_bytes(const char *p, size_t n) {
  uint32_t h = 2166136261U; /* FNV-1a */
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 16777619U;
  return h ^ (h >> 15);
}

typedef void part_fn(void *arg, struct block_part_marks part);

/* Two hashes that do not depend on each other: what a block seems to have by chance its strips do not. */
static struct block_part_marks marks_of_part(enum block_part kind, const char *p, size_t n) {
  uint32_t whole = hash_bytes(p, n), strips = whole * 2654435761U;
  strips ^= strips >> 16;
  if (kind == BLOCK_DIGITS)
    return (struct block_part_marks){(uint16_t)(whole % DIGIT_BITS),
                                     (uint16_t)(WHOLE_BITS + strips % DIGIT_STRIPS * BLOCK_STRIPS)};
  return (struct block_part_marks){(uint16_t)(DIGIT_BITS + whole % NAME_BITS),
                                   (uint16_t)(WHOLE_BITS + (DIGIT_STRIPS + strips % NAME_STRIPS) * BLOCK_STRIPS)};
}

static void digits_each(struct str text, part_fn *fn, void *arg) {
  for (size_t i = 0; i + DIGITS_OF_PART <= text.n; i++)
    if (!memchr(text.p + i, ' ', DIGITS_OF_PART)) fn(arg, marks_of_part(BLOCK_DIGITS, text.p + i, DIGITS_OF_PART));
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
    fn(arg, marks_of_part(BLOCK_NAMES, text.p + first, end - first));
  }
}

static void wanted_add(void *wanted, struct block_part_marks part) {
  struct block_wanted *w = wanted;
  if (w->count < BLOCK_PARTS_MAX) w->parts[w->count++] = part;
}

void calls_blocks_want(struct block_wanted *w, enum block_part part, struct str text) {
  (part == BLOCK_DIGITS ? digits_each : names_each)(text, wanted_add, w);
}

static unsigned byte_at(struct str bytes, size_t at) {
  return (unsigned char)bytes.p[at];
}

unsigned calls_blocks_strips(const struct block_wanted *w, struct str marks) {
  unsigned strips = BLOCK_ALL_STRIPS;
  if (marks.n < WHOLE_BITS / 8) return strips;
  for (size_t i = 0; i < w->count; i++) {
    const struct block_part_marks *p = &w->parts[i];
    if (!(byte_at(marks, p->whole / 8) & (1U << p->whole % 8))) return 0;
    if (marks.n == BLOCK_MARKS_SIZE) strips &= byte_at(marks, p->strips / 8) | byte_at(marks, p->strips / 8 + 1U) << 8;
  }
  return strips;
}

unsigned calls_blocks_search_strips(const struct block_search *search, struct str marks) {
  unsigned strips = search->by_names ? calls_blocks_strips(&search->names, marks) : 0;
  return search->by_digits ? strips | calls_blocks_strips(&search->digits, marks) : strips;
}

/* ---- strips ---- */

static void bound_write(uint8_t *p, int64_t id) {
  for (size_t i = 0; i < BOUND_SIZE; i++) p[i] = (uint8_t)((uint64_t)id >> 8 * i);
}

static int64_t bound_read(struct str bounds, size_t at) {
  uint64_t id = 0;
  for (size_t i = 0; i < BOUND_SIZE; i++) id |= (uint64_t)byte_at(bounds, at + i) << 8 * i;
  return (int64_t)id;
}

static struct block_range bounds_of(struct str bounds, int strip) {
  size_t at = (size_t)strip * 2 * BOUND_SIZE;
  return (struct block_range){bound_read(bounds, at), bound_read(bounds, at + BOUND_SIZE)};
}

int calls_blocks_ranges(struct str bounds, unsigned strips, struct block_range ret_ranges[BLOCK_STRIPS]) {
  int count = 0, before = BLOCK_STRIPS;
  if (bounds.n != BLOCK_BOUNDS_SIZE) return 0;
  bool up = bounds_of(bounds, 0).low < bounds_of(bounds, 1).low; /* a strip without documents is behind all others */
  for (int i = 0; i < BLOCK_STRIPS; i++) {
    int strip = up ? i : BLOCK_STRIPS - 1 - i;
    struct block_range r = bounds_of(bounds, strip);
    if (!(strips & 1U << strip) || r.low > r.high) continue;
    if (count && (strip == before + 1 || strip == before - 1))
      ret_ranges[count - 1].high = r.high;
    else
      ret_ranges[count++] = r;
    before = strip;
  }
  return count;
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
               " indexed by call_documents_blocks_to_mark where bounds is null and (is_open = 0 or added >= 256)"
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

/* What is kept of documents. */
struct block_marks {
  uint8_t marks[BLOCK_MARKS_SIZE];
  struct block_range strips[BLOCK_STRIPS]; /* low > high: it has no documents */
};

/* Documents of a block, from where it grows no more: an open block grows behind its last one, others in front (calls that are
 * indexed newest first) or anywhere. Strips are counted in that order. */
struct content {
  struct block_marks kept; /* of all documents; if there are too many, of BLOCK_DOCUMENTS */
  int64_t divides_at;      /* where the second one begins, if there are too many; 0: there are not */
  int count;
};

static void block_marks_init(struct block_marks *m) {
  memset(m->marks, 0, sizeof(m->marks));
  for (int i = 0; i < BLOCK_STRIPS; i++) m->strips[i] = (struct block_range){INT64_MAX, INT64_MIN};
}

struct marking {
  uint8_t *marks;
  int strip;
};

static void marks_add_bit(uint8_t *marks, unsigned bit) {
  marks[bit / 8] |= (uint8_t)(1U << bit % 8);
}

static void marks_add(void *arg, struct block_part_marks part) {
  const struct marking *m = arg;
  marks_add_bit(m->marks, part.whole);
  marks_add_bit(m->marks, part.strips + (unsigned)m->strip);
}

static void range_join(struct block_range *r, const struct block_range *other) {
  if (other->low < r->low) r->low = other->low;
  if (other->high > r->high) r->high = other->high;
}

static void block_marks_add(struct block_marks *m, int strip, int64_t id, struct str digits, struct str names) {
  struct marking marking = {m->marks, strip};
  digits_each(digits, marks_add, &marking);
  names_each(names, marks_add, &marking);
  range_join(&m->strips[strip], &(struct block_range){id, id});
}

static void block_marks_join(struct block_marks *m, const struct block_marks *other) {
  for (size_t i = 0; i < BLOCK_MARKS_SIZE; i++) m->marks[i] |= other->marks[i];
  for (int i = 0; i < BLOCK_STRIPS; i++) range_join(&m->strips[i], &other->strips[i]);
}

/* Documents of a strip. Blocks that are divided have BLOCK_DOCUMENTS; `added` is no less than a block has. */
static int strip_documents(const struct block *b) {
  int64_t documents = b->added > BLOCK_DOCUMENTS_MOST ? BLOCK_DOCUMENTS : b->added;
  int64_t of_strip = (documents + BLOCK_STRIPS - 1) / BLOCK_STRIPS;
  return of_strip > 1 ? (int)of_strip : 1;
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
  const int of_strip = strip_documents(b);
  struct block_marks more;
  int64_t divides_at = 0;
  enum err e;
  block_marks_init(&c->kept);
  block_marks_init(&more);
  c->count = 0;
  c->divides_at = 0;
  TRY(query_documents(db, b, &q));
  for (; (e = db_next(&q)) == OK; c->count++) {
    int strip = c->count / of_strip < BLOCK_STRIPS ? c->count / of_strip : BLOCK_STRIPS - 1;
    if (c->count == last_kept) divides_at = db_int(&q, 0);
    block_marks_add(c->count < BLOCK_DOCUMENTS ? &c->kept : &more, strip, db_int(&q, 0), db_text(&q, 1),
                    db_text(&q, 2));
  }
  if (e != ERR_NOT_FOUND) return e;
  if (c->count > BLOCK_DOCUMENTS_MOST)
    c->divides_at = divides_at;
  else
    block_marks_join(&c->kept, &more);
  return OK;
}

static void bounds_write(const struct block_marks *m, uint8_t ret_bounds[BLOCK_BOUNDS_SIZE]) {
  for (int i = 0; i < BLOCK_STRIPS; i++) {
    bound_write(ret_bounds + (size_t)i * 2 * BOUND_SIZE, m->strips[i].low);
    bound_write(ret_bounds + (size_t)i * 2 * BOUND_SIZE + BOUND_SIZE, m->strips[i].high);
  }
}

static enum err block_mark(struct db *db, const struct block *b, const struct content *c) {
  uint8_t bounds[BLOCK_BOUNDS_SIZE];
  bounds_write(&c->kept, bounds);
  return db_run(db,
                DB_FOR_SQLITE
                "update call_documents_blocks set is_open = 0, added = ?3, marks = ?4, bounds = ?5"
                " where business_id = ?1 and first_id = ?2",
                DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(c->count),
                DB_BLOB(str_of((const char *)c->kept.marks, BLOCK_MARKS_SIZE)),
                DB_BLOB(str_of((const char *)bounds, sizeof(bounds))));
}

/* The part with BLOCK_DOCUMENTS gets its marks; the other one is due next. */
static enum err block_divide(struct db *db, const struct block *b, const struct content *c) {
  int64_t left = b->added - BLOCK_DOCUMENTS, least = BLOCK_DOCUMENTS_MOST + 1 - BLOCK_DOCUMENTS;
  uint8_t bounds[BLOCK_BOUNDS_SIZE];
  bounds_write(&c->kept, bounds);
  if (left < least) left = least;
  if (b->is_open)
    TRY(block_mark(db, b, c));
  else
    TRY(db_run(db, DB_FOR_SQLITE "update call_documents_blocks set added = ?3 where business_id = ?1 and first_id = ?2",
               DB_INT(b->business_id), DB_INT(b->first_id), DB_INT(left)));
  return db_run(db,
                DB_FOR_SQLITE
                "insert into call_documents_blocks (business_id, first_id, is_open, added, marks, bounds)"
                " values (?1, ?2, ?3, ?4, ?5, ?6)",
                DB_INT(b->business_id), DB_INT(c->divides_at), DB_INT(b->is_open),
                DB_INT(b->is_open ? left : BLOCK_DOCUMENTS),
                b->is_open ? DB_NULL : DB_BLOB(str_of((const char *)c->kept.marks, BLOCK_MARKS_SIZE)),
                b->is_open ? DB_NULL : DB_BLOB(str_of((const char *)bounds, sizeof(bounds))));
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
               DB_FOR_SQLITE
               "select exists (select 1 from call_documents_blocks indexed by call_documents_blocks_to_mark"
               " where bounds is null and (is_open = 0 or added >= 256))"));
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
  TRY(db_query(
      db, &q,
      DB_FOR_SQLITE
      "select not exists (select 1 from call_documents_blocks indexed by call_documents_blocks_single"
      " where business_id = ?1 and block_group_id is null limit 1 offset ?2), (select coalesce(sum(added), 0) from"
      " call_documents_blocks"
      " indexed by call_documents_blocks_unmarked where marks is null and business_id = ?1)",
      DB_INT(business_id), DB_INT(alone_most)));
  TRY(db_next(&q));
  *ret_ready = db_int(&q, 0) && db_int(&q, 1) <= unmarked_most;
  return OK;
}
