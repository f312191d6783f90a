/* calls_groups.c - see calls_groups.h.
 *
 *   a block is new --a trigger--> call_documents_new_blocks --find_run--> blocks in a row, in no group --group_make--> a group
 *   a block of it changes: a trigger takes it out --an eighth is out--> group_end --> call_documents_new_blocks
 *
 * Invariants
 *  (1) A block with a block_group_id has marks, and they are what its group was made of.
 *  (2) Groups of a business have disjoint ranges. A block that left a group, or was divided from one, may be within its range.
 *  (3) An update writes at most DB_JOB_ROWS rows: those of a group and its blocks.
 *  (4) Businesses take turns. */
#include "ledger/calls_groups.h"

#include <stdlib.h>
#include <string.h>

enum {
  MARKS = 8 * BLOCK_MARKS_SIZE,
  SLICE_SIZE = GROUP_BLOCKS / 8, /* bytes: a mark of all blocks */
  ROW_SLICES = 160,              /* so that a row fits a page of the database */
  ROWS = (MARKS + ROW_SLICES - 1) / ROW_SLICES,
  ROW_BITS = 8, /* of a row's id: its number in the group */
  ID_SIZE = 8,
  LEAST_PART = 3,      /* of a group's most blocks: fewer between two groups get none */
  SPARE_PART = 6,      /* as many of the newest are left alone: their calls still change */
  CHANGED_PART = 8,    /* of a group's blocks: more changed ones end it */
  ALONE_MOST = 16384,  /* blocks without a group that an update looks at */
  WRITTEN_TO_LOOK = 1, /* rows */
};
_Static_assert(ROWS <= 1 << ROW_BITS, "a row's number has ROW_BITS bits");
_Static_assert(ROW_SLICES % BLOCK_STRIPS == 0, "the strips of a part are in one row");

static int64_t row_id(int64_t group_id, size_t row) {
  return group_id << ROW_BITS | (int64_t)row;
}

/* ---- lists of first_ids ---- */

static void id_write(unsigned char *p, int64_t id) {
  for (size_t i = 0; i < ID_SIZE; i++) p[i] = (unsigned char)((uint64_t)id >> 8 * i);
}

static int64_t id_read(const char *p) {
  uint64_t id = 0;
  for (size_t i = 0; i < ID_SIZE; i++) id |= (uint64_t)(unsigned char)p[i] << 8 * i;
  return (int64_t)id;
}

/* ---- matching ---- */

/* Reads `count` marks in a row of the table, from `mark` on. */
static enum err read_slices(struct db *db, int64_t group_id, size_t mark, size_t count, uint8_t (*slices)[SLICE_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  size_t at = mark % ROW_SLICES * SLICE_SIZE, size = count * SLICE_SIZE;
  TRY(db_query(db, &q, DB_FOR_SQLITE "select slices from call_documents_block_slices where id = ?1",
               DB_INT(row_id(group_id, mark / ROW_SLICES))));
  enum err e = db_next(&q);
  if (e == ERR_NOT_FOUND || (e == OK && db_text(&q, 0).n < at + size)) return ERR_CORRUPT;
  TRY(e);
  memcpy(slices, db_text(&q, 0).p + at, size);
  return OK;
}

static void keep_common(uint8_t set[SLICE_SIZE], const uint8_t other[SLICE_SIZE]) {
  for (size_t i = 0; i < SLICE_SIZE; i++) set[i] &= other[i];
}

static bool is_empty(const uint8_t set[SLICE_SIZE]) {
  static const uint8_t none[SLICE_SIZE];
  return memcmp(set, none, SLICE_SIZE) == 0;
}

/* The blocks that have all wanted marks: first of whole blocks, which most searches end with. */
static enum err find_blocks(struct db *db, int64_t group_id, const struct block_wanted *w, uint8_t set[SLICE_SIZE]) {
  uint8_t slice[1][SLICE_SIZE];
  memset(set, 0xff, SLICE_SIZE);
  for (size_t i = 0; i < w->count && !is_empty(set); i++) {
    TRY(read_slices(db, group_id, w->parts[i].whole, 1, slice));
    keep_common(set, slice[0]);
  }
  return OK;
}

/* Blocks, for each strip. */
struct strip_sets {
  uint8_t set[BLOCK_STRIPS][SLICE_SIZE];
};

static bool are_empty(const struct strip_sets *s) {
  for (int i = 0; i < BLOCK_STRIPS; i++)
    if (!is_empty(s->set[i])) return false;
  return true;
}

/* Adds the strips that have all wanted marks. */
static enum err add_wanted(struct db *db, int64_t group_id, const struct block_wanted *w, struct strip_sets *found) {
  struct strip_sets have, slices;
  uint8_t blocks[SLICE_SIZE];
  TRY(find_blocks(db, group_id, w, blocks));
  if (is_empty(blocks)) return OK;
  for (int k = 0; k < BLOCK_STRIPS; k++) memcpy(have.set[k], blocks, SLICE_SIZE);
  for (size_t i = 0; i < w->count && !are_empty(&have); i++) {
    TRY(read_slices(db, group_id, w->parts[i].strips, BLOCK_STRIPS, slices.set));
    for (int k = 0; k < BLOCK_STRIPS; k++) keep_common(have.set[k], slices.set[k]);
  }
  for (int k = 0; k < BLOCK_STRIPS; k++)
    for (size_t i = 0; i < SLICE_SIZE; i++) found->set[k][i] |= have.set[k][i];
  return OK;
}

static unsigned strips_of(const struct strip_sets *s, size_t block) {
  unsigned strips = 0;
  for (unsigned k = 0; k < BLOCK_STRIPS; k++)
    if (s->set[k][block / 8] & (1U << block % 8)) strips |= 1U << k;
  return strips;
}

enum err calls_groups_match(struct db *db, int64_t group_id, const struct block_search *search,
                            struct block_hit ret_hits[GROUP_BLOCKS], int *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct strip_sets found = {.set = {{0}}};
  *ret_count = 0;
  if (search->by_names) TRY(add_wanted(db, group_id, &search->names, &found));
  if (search->by_digits) TRY(add_wanted(db, group_id, &search->digits, &found));
  if (are_empty(&found)) return OK;
  TRY(db_query(db, &q, DB_FOR_SQLITE "select blocks from call_documents_block_groups where id = ?1", DB_INT(group_id)));
  TRY(db_next(&q));
  struct str ids = db_text(&q, 0);
  if (ids.n > GROUP_BLOCKS * ID_SIZE) return ERR_CORRUPT;
  for (size_t i = 0; i < ids.n / ID_SIZE; i++) {
    unsigned strips = strips_of(&found, i);
    if (strips) ret_hits[(*ret_count)++] = (struct block_hit){id_read(ids.p + i * ID_SIZE), strips};
  }
  return OK;
}

/* ---- making a group ---- */

struct group_parts {
  uint8_t slices[ROWS * ROW_SLICES][SLICE_SIZE];
  unsigned char ids[GROUP_BLOCKS * ID_SIZE];
  size_t count;
  int64_t end_id;
};

static void add_block(struct group_parts *g, int64_t first_id, struct str marks) {
  id_write(g->ids + g->count * ID_SIZE, first_id);
  for (size_t i = 0; i < BLOCK_MARKS_SIZE; i++)
    for (unsigned bits = (unsigned char)marks.p[i]; bits; bits &= bits - 1)
      g->slices[i * 8 + (size_t)__builtin_ctz(bits)][g->count / 8] |= (uint8_t)(1U << g->count % 8);
  g->count++;
}

static enum err read_blocks(struct db *db, int64_t business_id, int64_t first, int64_t last, struct group_parts *g) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select first_id, marks from call_documents_blocks where business_id = ?1 and first_id >= ?2"
               " and first_id <= ?3 and marks is not null and bounds is not null order by first_id",
               DB_INT(business_id), DB_INT(first), DB_INT(last)));
  while ((e = db_next(&q)) == OK) {
    if (g->count == GROUP_BLOCKS || db_text(&q, 1).n != BLOCK_MARKS_SIZE) return ERR_CORRUPT;
    add_block(g, db_int(&q, 0), db_text(&q, 1));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err new_group_id(struct db *db, int64_t *ret_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_SQLITE "select coalesce(max(id), 0) + 1 from call_documents_block_groups"));
  TRY(db_next(&q));
  *ret_id = db_int(&q, 0);
  return OK;
}

static enum err write_group(struct db *db, int64_t business_id, int64_t first, int64_t last,
                            const struct group_parts *g) {
  int64_t id;
  TRY(new_group_id(db, &id));
  TRY(db_run(db,
             DB_FOR_SQLITE
             "insert into call_documents_block_groups (id, business_id, first_id, end_id, changes_left, blocks)"
             " values (?1, ?2, ?3, ?4, ?5, ?6)",
             DB_INT(id), DB_INT(business_id), DB_INT(first), DB_INT(g->end_id), DB_INT(g->count / CHANGED_PART + 1),
             DB_BLOB(str_of((const char *)g->ids, g->count * ID_SIZE))));
  for (size_t i = 0; i < ROWS; i++)
    TRY(db_run(db, DB_FOR_SQLITE "insert into call_documents_block_slices (id, slices) values (?1, ?2)",
               DB_INT(row_id(id, i)),
               DB_BLOB(str_of((const char *)g->slices[i * ROW_SLICES], ROW_SLICES * SLICE_SIZE))));
  return db_run(db,
                DB_FOR_SQLITE
                "update call_documents_blocks set block_group_id = ?1 where business_id = ?2 and first_id >= ?3"
                " and first_id <= ?4 and marks is not null and bounds is not null",
                DB_INT(id), DB_INT(business_id), DB_INT(first), DB_INT(last));
}

static enum err group_make(struct db *db, int64_t business_id, int64_t first, int64_t last) {
  struct group_parts *g = calloc(1, sizeof(*g));
  if (!g) return ERR_NOMEM;
  enum err e = calls_blocks_end(db, business_id, last, &g->end_id);
  if (e == OK) e = read_blocks(db, business_id, first, last, g);
  if (e == OK) e = write_group(db, business_id, first, last, g);
  free(g);
  return e;
}

/* ---- blocks without a group ---- */

struct run {
  int64_t ids[2 * GROUP_BLOCKS];
  int count;
  bool is_behind_group;
};

/* How many blocks of the run make a group now; 0: none do. */
static int blocks_of_run(const struct run *r, int most, bool is_followed) {
  if (r->is_behind_group && is_followed && r->count >= (most + LEAST_PART - 1) / LEAST_PART)
    return r->count <= most ? r->count : r->count / 2; /* in halves, so that both have enough */
  return r->count >= most + (is_followed ? 0 : most / SPARE_PART) ? most : 0;
}

/* Sets *r to blocks in a row, and *ret_take to how many of them are to be a group; 0: none are. The first block of all is left
 * alone: calls that are older than all others come into it. */
static enum err find_run(struct db *db, int64_t business_id, int most, struct run *r, int *ret_take) {
  struct db_rows blocks CLEANUP(db_rows_done) = DB_ROWS, groups CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &blocks,
               DB_FOR_SQLITE "select first_id from call_documents_blocks indexed by call_documents_blocks_single"
                             " where business_id = ?1 and first_id > 0 and block_group_id is null and is_open = 0"
                             " order by first_id limit ?2",
               DB_INT(business_id), DB_INT(ALONE_MOST)));
  TRY(db_query(db, &groups,
               DB_FOR_SQLITE
               "select first_id, end_id from call_documents_block_groups indexed by call_documents_block_groups_order"
               " where business_id = ?1 order by first_id",
               DB_INT(business_id)));
  enum err next_group = db_next(&groups), e;
  r->count = 0;
  r->is_behind_group = false;
  while ((e = db_next(&blocks)) == OK && r->count < 2 * most) {
    int64_t id = db_int(&blocks, 0);
    while (next_group == OK && db_int(&groups, 0) <= id) {
      *ret_take = blocks_of_run(r, most, true);
      if (*ret_take) return OK;
      r->count = 0;
      r->is_behind_group = true;
      if (db_int(&groups, 1) > id) break;
      next_group = db_next(&groups);
    }
    if (next_group != OK && next_group != ERR_NOT_FOUND) return next_group;
    if (next_group != OK || db_int(&groups, 0) > id) r->ids[r->count++] = id;
  }
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_take = blocks_of_run(r, most, next_group == OK && r->count && db_int(&groups, 0) > r->ids[r->count - 1]);
  return OK;
}

static enum err look_for_group(struct db *db, int64_t business_id, int most, int *ret_count) {
  struct run r;
  int take;
  TRY(find_run(db, business_id, most, &r, &take));
  *ret_count = ROWS + take;
  if (take) return group_make(db, business_id, r.ids[0], r.ids[take - 1]);
  *ret_count = WRITTEN_TO_LOOK;
  return db_run(db, DB_FOR_SQLITE "delete from call_documents_new_blocks where business_id = ?1", DB_INT(business_id));
}

static enum err first_ungrouped(struct db *db, int64_t after_business, int64_t *ret_business) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select business_id from call_documents_new_blocks where business_id > ?1 order by business_id limit 1",
               DB_INT(after_business)));
  TRY(db_next(&q));
  *ret_business = db_int(&q, 0);
  return OK;
}

/* ---- ending a group ---- */

struct group_due {
  int64_t id, business_id, first_id, end_id;
};

static enum err first_changed(struct db *db, struct group_due *g) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select id, business_id, first_id, end_id from call_documents_block_groups"
               " indexed by call_documents_block_groups_changed where changes_left <= 0 order by id limit 1"));
  TRY(db_next(&q));
  *g = (struct group_due){db_int(&q, 0), db_int(&q, 1), db_int(&q, 2), db_int(&q, 3)};
  return OK;
}

/* The group goes first: then the trigger of its blocks finds none to count in. */
static enum err group_end(struct db *db, const struct group_due *g) {
  TRY(db_run(db, DB_FOR_SQLITE "delete from call_documents_block_groups where id = ?1", DB_INT(g->id)));
  TRY(db_run(db, DB_FOR_SQLITE "delete from call_documents_block_slices where id >= ?1 and id < ?2",
             DB_INT(row_id(g->id, 0)), DB_INT(row_id(g->id + 1, 0))));
  TRY(db_run(db,
             DB_FOR_SQLITE
             "update call_documents_blocks set block_group_id = null where business_id = ?1 and first_id >= ?2"
             " and first_id < ?3 and block_group_id = ?4",
             DB_INT(g->business_id), DB_INT(g->first_id), DB_INT(g->end_id), DB_INT(g->id)));
  return db_run(db, DB_FOR_SQLITE "insert or ignore into call_documents_new_blocks (business_id) values (?1)",
                DB_INT(g->business_id));
}

/* ---- updates ---- */

enum err calls_groups_are_due(struct db *db, bool *ret_due) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  *ret_due = false;
  if (db_kind(db) == DB_POSTGRES) return OK;
  TRY(db_query(db, &q,
               DB_FOR_SQLITE
               "select exists (select 1 from call_documents_new_blocks) or exists (select 1 from"
               " call_documents_block_groups indexed by call_documents_block_groups_changed where changes_left <= 0)"));
  TRY(db_next(&q));
  *ret_due = db_int(&q, 0) != 0;
  return OK;
}

enum err calls_groups_update(struct db *db, int64_t *business_id, int blocks_most, int *ret_count) {
  struct group_due g;
  *ret_count = 0;
  if (db_kind(db) == DB_POSTGRES) return OK;
  enum err e = first_changed(db, &g);
  if (e == OK) {
    *ret_count = ROWS + GROUP_BLOCKS;
    return group_end(db, &g);
  }
  if (e != ERR_NOT_FOUND) return e;
  e = first_ungrouped(db, *business_id, business_id);
  if (e == ERR_NOT_FOUND) e = first_ungrouped(db, INT64_MIN, business_id); /* (4) */
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  return look_for_group(db, *business_id, blocks_most ? blocks_most : GROUP_BLOCKS, ret_count);
}
