/* calls_list_blocks.c - see calls_list_blocks.h.
 *
 *   the NEAR newest documents of the business --all read, or the page is full--> done
 *   else its blocks in the list's order --marks have the search--> ranges of ids, RANGES_MOST at a time
 *     --documents that contain the search--> ids --a few at a time--> keys, until the page is full
 *
 * Invariants
 *  (1) It reads rows of the business only, and they lie next to each other: the data of other businesses does not change its
 * cost.
 *  (2) Ranges are disjoint and in the list's order; together they have all documents that may match.
 *  (3) Only documents that contain the search are joined with their calls: few at first, more if those do not fill the page. */
#include "ledger/calls_list_blocks.h"

#include <stdlib.h>

#include "ledger/calls_blocks.h"
#include "ledger/calls_list_text.h"

enum {
  NEAR = 1000,
  BLOCKS_MOST = 16384,
  UNMARKED_MOST = CALLS_LIST_FEW, /* documents in blocks without marks */
  RANGES_FIRST = 8,
  RANGES_MOST = 64,
  IDS_FIRST = 64,
  IDS_MOST = 1024,
  ID_DIGITS = 20,
};

struct walk {
  struct list_query *query;
  struct list_text *text;
  struct block_wanted names, digits;
  int64_t low, high; /* ids that rows of the page can have */
  struct buf ranges; /* JSON; owned */
  int count, most;   /* ranges */
  struct buf ids;    /* JSON; owned */
};

static void walk_done(struct walk *w) {
  buf_done(&w->ranges);
  buf_done(&w->ids);
}

static void walk_init(struct walk *w, int64_t from) {
  bool up = sorts_up(w->query->filter);
  int64_t since, before;
  list_query_times(w->query, span_of(w->query->filter), &since, &before);
  w->low = since ? calls_search_first_id(since) : 0;
  w->high = before ? calls_search_first_id(before) - 1 : INT64_MAX;
  if (up && from > w->low) w->low = from;
  if (!up && from < w->high) w->high = from;
  for (size_t i = 0; i < w->text->name_count; i++) calls_blocks_want(&w->names, BLOCK_NAMES, w->text->names[i]);
  if (w->text->by_digits) calls_blocks_want(&w->digits, BLOCK_DIGITS, buf_str(&w->query->digits));
}

static bool may_match(const struct walk *w, struct str marks) {
  if (w->text->name_count && calls_blocks_may_have(&w->names, marks)) return true;
  return w->text->by_digits && calls_blocks_may_have(&w->digits, marks);
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

/* ---- blocks ---- */

/* Adds those of the ids first … last that may match. *ret_full: the page is full before them. */
static enum err add_range(struct walk *w, int64_t first, int64_t last, struct str marks, bool *ret_full) {
  if (first < w->low) first = w->low;
  if (last > w->high) last = w->high;
  *ret_full = false;
  if (first > last || !may_match(w, marks)) return OK;
  if (w->count == w->most) {
    TRY(read_ranges(w));
    *ret_full = is_full(w, sorts_up(w->query->filter) ? first : last);
    if (*ret_full) return OK;
  }
  return buf_addf(&w->ranges, "%c[%lld,%lld]", w->count++ ? ',' : '[', (long long)first, (long long)last);
}

static enum err query_newest_blocks(const struct walk *w, struct statement *s, struct db_rows *q) {
  const struct list_query *a = w->query;
  TRY(sql_add(s, "select b.first_id, b.marks from call_documents_blocks b"));
  TRY(sql_add_value(s, " where b.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_value(s, " and b.first_id <= ", DB_INT(w->high), " order by b.first_id desc"));
  return statement_query(s, a->db, q);
}

static enum err walk_newest_first(struct walk *w) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int64_t behind = INT64_MAX; /* the block before this one begins there */
  bool full = false;
  enum err e = OK;
  TRY(query_newest_blocks(w, &s, &q));
  while (!full && behind > w->low && (e = db_next(&q)) == OK) {
    TRY(add_range(w, db_int(&q, 0), behind - 1, db_text(&q, 1), &full));
    behind = db_int(&q, 0);
  }
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return full ? OK : read_ranges(w);
}

/* With the first id of the block that follows. */
static enum err query_oldest_blocks(const struct walk *w, struct statement *s, struct db_rows *q) {
  const struct list_query *a = w->query;
  TRY(sql_add(s,
              "select b.first_id, b.marks, (select min(n.first_id) from call_documents_blocks n"
              " indexed by call_documents_blocks_order where n.business_id = b.business_id"
              " and n.first_id > b.first_id) from call_documents_blocks b"));
  TRY(sql_add_value(s, " where b.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_value(s, " and b.first_id <= ", DB_INT(w->high), ""));
  TRY(sql_add_value(s, " and b.first_id >= (select max(m.first_id) from call_documents_blocks m where m.business_id = ",
                    DB_INT(a->business_id), ""));
  TRY(sql_add_value(s, " and m.first_id <= ", DB_INT(w->low), ") order by b.first_id"));
  return statement_query(s, a->db, q);
}

static enum err walk_oldest_first(struct walk *w) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  bool full = false;
  enum err e = OK;
  TRY(query_oldest_blocks(w, &s, &q));
  while (!full && (e = db_next(&q)) == OK)
    TRY(add_range(w, db_int(&q, 0), db_int_or(&q, 2, INT64_MAX) - 1, db_text(&q, 1), &full));
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return full ? OK : read_ranges(w);
}

/* Documents from the one with the id `from` on, in the list's order. */
static enum err read_blocks(struct list_query *a, struct list_text *t, int64_t from) {
  struct walk w CLEANUP(walk_done) = {.query = a,
                                      .text = t,
                                      .most = RANGES_FIRST,
                                      .ranges = BUF_INIT(RANGES_MOST * 2 * (ID_DIGITS + 2) + 2),
                                      .ids = BUF_INIT(IDS_MOST * (ID_DIGITS + 1) + 2)};
  walk_init(&w, from);
  return sorts_up(a->filter) ? walk_oldest_first(&w) : walk_newest_first(&w);
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
  TRY(calls_blocks_are_ready(a->db, a->business_id, BLOCKS_MOST, UNMARKED_MOST, &has_blocks));
  if (!has_blocks) return list_source_text_shared(a, &t);
  if (sorts_by_duration(a->filter)) return read_blocks(a, &t, sorts_up(a->filter) ? 0 : INT64_MAX);
  TRY(list_text_read(a, &t, end, STR_NONE));
  if (list_query_is_full(a, calls_search_time(end), span_of(a->filter))) return OK;
  return read_blocks(a, &t, end);
}
