/* calls_list_blocks.c - see calls_list_blocks.h.
 *
 *   the NEAR newest documents of the business --all read, or the page is full--> done
 *   else its blocks in the list's order --marks of a block, then of its strips have the search--> ranges of ids, RANGES_MOST at a
 *        time (the marks of a group's blocks are read together: calls_groups.h)
 *     --documents that contain the search--> ids --a few at a time--> keys, until the page is full
 *
 * Invariants
 *  (1) It reads rows of the business only, and they lie next to each other: the data of other businesses does not change its
 *      cost.
 *  (2) Ranges are disjoint and in the list's order; together they have all documents that may match: a block is met alone, or in
 *      its group, whichever it is in the one state of the database that the walk sees.
 *  (3) Only documents that contain the search are joined with their calls: few at first, more if those do not fill the page. */
#include "ledger/calls_list_blocks.h"

#include <stdlib.h>

#include "ledger/calls_groups.h"
#include "ledger/calls_list_text.h"

enum {
  NEAR = 1000,
  ALONE_MOST = 16384,             /* blocks that are in no group */
  UNMARKED_MOST = CALLS_LIST_FEW, /* documents in blocks without marks */
  RANGES_FIRST = 16,
  RANGES_MOST = 256,
  IDS_FIRST = 64,
  IDS_MOST = 1024,
  ID_DIGITS = 20,
};

struct walk {
  struct list_query *query;
  struct list_text *text;
  struct block_search search;
  bool up;           /* the oldest first */
  int64_t low, high; /* ids that rows of the page can have */
  struct db_rows snapshot, alone, groups;
  bool has_alone, has_group;           /* a row of alone, of groups */
  int64_t group_id;                    /* whose blocks are hits */
  struct block_hit hits[GROUP_BLOCKS]; /* ascending: blocks that may match */
  int found, next;                     /* of hits, in the list's order */
  struct buf ranges;                   /* JSON; owned */
  int count, most;                     /* ranges */
  struct buf ids;                      /* JSON; owned */
};

static void walk_done(struct walk *w) {
  db_rows_done(&w->alone);
  db_rows_done(&w->groups);
  db_rows_done(&w->snapshot);
  buf_done(&w->ranges);
  buf_done(&w->ids);
}

static void walk_init(struct walk *w, int64_t from) {
  int64_t since, before;
  list_query_times(w->query, span_of(w->query->filter), &since, &before);
  w->low = since ? calls_search_first_id(since) : 0;
  w->high = before ? calls_search_first_id(before) - 1 : INT64_MAX;
  if (w->up && from > w->low) w->low = from;
  if (!w->up && from < w->high) w->high = from;
  w->search.by_names = w->text->name_count > 0;
  w->search.by_digits = w->text->by_digits;
  for (size_t i = 0; i < w->text->name_count; i++) calls_blocks_want(&w->search.names, BLOCK_NAMES, w->text->names[i]);
  if (w->text->by_digits) calls_blocks_want(&w->search.digits, BLOCK_DIGITS, buf_str(&w->query->digits));
}

static bool is_full(const struct walk *w, int64_t id) {
  return list_query_is_full(w->query, calls_search_time(id), span_of(w->query->filter));
}

/* ---- documents of ranges ---- */

/* Appends: documents s of the ranges that contain the search, in the list's order. */
static enum err sql_add_ids_of_ranges(struct statement *s, const struct walk *w) {
  const struct list_query *a = w->query;
  TRY(sql_add_value(s, "select s.rowid from json_each(", DB_TEXT(buf_str(&w->ranges)), ") k"));
  TRY(sql_add(s, " cross join call_documents_text s"));
  TRY(sql_add_value(s, " where s.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add(s, " and s.rowid >= json_extract(k.value, '$[0]') and s.rowid <= json_extract(k.value, '$[1]')"));
  TRY(sql_add_document_times(s, a, span_of(a->filter)));
  TRY(sql_add(s, " and "));
  TRY(sql_add_contains(s, w->text));
  return sql_add(s, sorts_up(a->filter) ? " order by s.rowid" : " order by s.rowid desc");
}

/* Reads the keys of the documents `ids`. */
static enum err read_keys(struct walk *w) {
  TRY(buf_add_char(&w->ids, ']'));
  TRY(list_text_read(w->query, w->text, 0, buf_str(&w->ids)));
  buf_clear(&w->ids);
  return OK;
}

static enum err read_ranges(struct walk *w) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int count = 0, most = IDS_FIRST;
  enum err e;
  if (!w->count) return OK;
  TRY(buf_add_char(&w->ranges, ']'));
  TRY(sql_add_ids_of_ranges(&s, w));
  TRY(statement_query(&s, w->query->db, &q));
  while ((e = db_next(&q)) == OK) {
    if (count == most) {
      TRY(read_keys(w));
      if (is_full(w, db_int(&q, 0))) break;
      most = most < IDS_MOST ? 4 * most : IDS_MOST;
      count = 0;
    }
    TRY(buf_addf(&w->ids, "%c%lld", count++ ? ',' : '[', (long long)db_int(&q, 0)));
  }
  if (e != OK && e != ERR_NOT_FOUND) return e;
  if (w->ids.n) TRY(read_keys(w));
  buf_clear(&w->ranges);
  w->count = 0;
  w->most = w->most < RANGES_MOST ? 2 * w->most : RANGES_MOST;
  return OK;
}

/* ---- blocks and groups ---- */

/* A row stays open while the walk lasts, so that all its statements see one state of the database. */
static enum err hold_snapshot(struct walk *w) {
  TRY(db_query(w->query->db, &w->snapshot, DB_FOR_SQLITE "select 1 from call_documents_blocks where business_id = ?1",
               DB_INT(w->query->business_id)));
  enum err e = db_next(&w->snapshot);
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Blocks that are in no group, from the one with `low` to the one with `high`. */
#define ALONE                                                                                                 \
  DB_FOR_SQLITE                                                                                               \
  "select b.first_id, b.marks, b.bounds from call_documents_blocks b indexed by call_documents_blocks_single" \
  " where b.business_id = ?1 and b.block_group_id is null and b.first_id <= ?3 and b.first_id >= (select"     \
  " max(m.first_id) from call_documents_blocks m where m.business_id = ?1 and m.first_id <= ?2) order by b.first_id"

static enum err query_alone(struct walk *w) {
  const struct list_query *a = w->query;
  if (w->up) return db_query(a->db, &w->alone, ALONE, DB_INT(a->business_id), DB_INT(w->low), DB_INT(w->high));
  return db_query(a->db, &w->alone, ALONE " desc", DB_INT(a->business_id), DB_INT(w->low), DB_INT(w->high));
}

/* The groups from the one with `low`, or that before it, to the one with `high`. */
#define GROUPS                                                                                                        \
  DB_FOR_SQLITE                                                                                                       \
  "select g.id, g.first_id, g.end_id from call_documents_block_groups g indexed by call_documents_block_groups_order" \
  " where g.business_id = ?1 and g.first_id <= ?3 and g.first_id >= coalesce((select max(m.first_id)"                 \
  " from call_documents_block_groups m where m.business_id = ?1 and m.first_id <= ?2), 0) order by g.first_id"

static enum err query_groups(struct walk *w) {
  const struct list_query *a = w->query;
  if (w->up) return db_query(a->db, &w->groups, GROUPS, DB_INT(a->business_id), DB_INT(w->low), DB_INT(w->high));
  return db_query(a->db, &w->groups, GROUPS " desc", DB_INT(a->business_id), DB_INT(w->low), DB_INT(w->high));
}

/* Moves to the next row. *ret_has: there is one. */
static enum err next_row(struct db_rows *q, bool *ret_has) {
  enum err e = db_next(q);
  *ret_has = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

static bool alone_comes_before_group(const struct walk *w) {
  int64_t id = db_int(&w->alone, 0);
  return w->up ? id < db_int(&w->groups, 1) : id >= db_int(&w->groups, 2);
}

/* Takes the blocks of the next group that may match. */
static enum err load_group(struct walk *w) {
  w->next = w->found = 0;
  w->group_id = db_int(&w->groups, 0);
  if (db_int(&w->groups, 2) > w->low)
    TRY(calls_groups_match(w->query->db, w->group_id, &w->search, w->hits, &w->found));
  return next_row(&w->groups, &w->has_group);
}

static const struct block_hit *next_of_group(const struct walk *w) {
  return &w->hits[w->up ? w->next : w->found - 1 - w->next];
}

/* Adds documents. *ret_full: the page is full before them. */
static enum err add_range(struct walk *w, int64_t first, int64_t last, bool *ret_full) {
  if (first < w->low) first = w->low;
  if (last > w->high) last = w->high;
  *ret_full = false;
  if (first > last) return OK;
  if (w->count == w->most) {
    TRY(read_ranges(w));
    *ret_full = is_full(w, w->up ? first : last);
    if (*ret_full) return OK;
  }
  return buf_addf(&w->ranges, "%c[%lld,%lld]", w->count++ ? ',' : '[', (long long)first, (long long)last);
}

static enum err add_strips(struct walk *w, struct str bounds, unsigned strips, bool *ret_full) {
  struct block_range ranges[BLOCK_STRIPS];
  int count = calls_blocks_ranges(bounds, strips, ranges);
  for (int i = 0; i < count && !*ret_full; i++) {
    const struct block_range *r = &ranges[w->up ? i : count - 1 - i];
    TRY(add_range(w, r->low, r->high, ret_full));
  }
  return OK;
}

/* Nothing is added if the block left the group: the walk meets it, or what it became, alone. */
static enum err add_block_of_group(struct walk *w, bool *ret_full) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  const struct block_hit *hit = next_of_group(w);
  w->next++;
  TRY(db_query(
      w->query->db, &q,
      DB_FOR_SQLITE
      "select bounds from call_documents_blocks where business_id = ?1 and first_id = ?2 and block_group_id = ?3",
      DB_INT(w->query->business_id), DB_INT(hit->first_id), DB_INT(w->group_id)));
  enum err e = db_next(&q);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  return add_strips(w, db_text(&q, 0), hit->strips, ret_full);
}

static enum err add_block_alone(struct walk *w, bool *ret_full) {
  int64_t first = db_int(&w->alone, 0), end;
  unsigned strips = calls_blocks_search_strips(&w->search, db_text(&w->alone, 1));
  struct str bounds = strips ? db_text(&w->alone, 2) : STR_NONE;
  if (bounds.n) {
    TRY(add_strips(w, bounds, strips, ret_full));
  } else if (strips) {
    TRY(calls_blocks_end(w->query->db, w->query->business_id, first, &end));
    TRY(add_range(w, first, end - 1, ret_full));
  }
  return next_row(&w->alone, &w->has_alone);
}

static enum err walk_blocks(struct walk *w) {
  bool full = false;
  TRY(hold_snapshot(w));
  TRY(query_alone(w));
  TRY(query_groups(w));
  TRY(next_row(&w->alone, &w->has_alone));
  TRY(next_row(&w->groups, &w->has_group));
  while (!full) {
    bool in_group = w->next < w->found;
    if (!in_group && w->has_group && !(w->has_alone && alone_comes_before_group(w))) {
      TRY(load_group(w));
      continue;
    }
    if (!in_group && !w->has_alone) break;
    int64_t alone = w->has_alone ? db_int(&w->alone, 0) : 0;
    if (in_group &&
        (!w->has_alone || (w->up ? next_of_group(w)->first_id < alone : next_of_group(w)->first_id > alone)))
      TRY(add_block_of_group(w, &full));
    else
      TRY(add_block_alone(w, &full));
  }
  return full ? OK : read_ranges(w);
}

/* Documents from the one with the id `from` on, in the list's order. */
static enum err read_blocks(struct list_query *a, struct list_text *t, int64_t from) {
  struct walk w CLEANUP(walk_done) = {.query = a,
                                      .text = t,
                                      .up = sorts_up(a->filter),
                                      .most = RANGES_FIRST,
                                      .ranges = BUF_INIT(RANGES_MOST * 2 * (ID_DIGITS + 2) + 2),
                                      .ids = BUF_INIT(IDS_MOST * (ID_DIGITS + 1) + 2)};
  walk_init(&w, from);
  return walk_blocks(&w);
}

enum err list_source_text_sqlite(struct list_query *a) {
  struct list_text t CLEANUP(list_text_done) = LIST_TEXT;
  bool complete, has_blocks;
  int64_t end = 0, near = few_rows(a->filter) < NEAR ? few_rows(a->filter) : NEAR;
  TRY(list_text_init(&t, a));
  if (!t.name_count && !t.by_digits) return OK;
  TRY(list_text_is_complete(a, &complete));
  if (!complete) return list_source_text_index(a);
  enum err e = list_query_end_of_documents(a, "call_documents_text", near, &end);
  if (e == ERR_NOT_FOUND) return list_text_read(a, &t, 0, STR_NONE);
  TRY(e);
  TRY(calls_blocks_are_ready(a->db, a->business_id, ALONE_MOST, UNMARKED_MOST, &has_blocks));
  if (!has_blocks) return list_source_text_shared(a, &t);
  if (sorts_by_duration(a->filter)) return read_blocks(a, &t, sorts_up(a->filter) ? 0 : INT64_MAX);
  TRY(list_text_read(a, &t, end, STR_NONE));
  if (list_query_is_full(a, calls_search_time(end), span_of(a->filter))) return OK;
  return read_blocks(a, &t, end);
}
