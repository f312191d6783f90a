/* calls_list_postgres.c - see calls_list_postgres.h.
 *
 *   the first NEAR documents in the list's order --page is full--> done
 *     |--DENSE matches or more--> the first FAR documents --page is full--> done
 *     `--fewer, or not full----> all that the index of trigrams finds, sorted
 *
 * Invariants
 *  (1) An index of trigrams has no order: it is asked only for searches with few matches. A search with many matches fills a page
 *      from the first documents.
 *  (2) A business with at most NEAR documents is answered by the first step alone.
 *  (3) Conditions on names and digits decide; those on call_grams only let the index be used. Each key of that index is made of
 *      three characters and of the business, so a search reads no keys of others, and nothing tells it what others have.
 *  (4) Each alternative, names or digits, is a query of its own: for an "or" the planner would read all of the business's
 *      index. */
#include "ledger/calls_list_postgres.h"

#include "ledger/calls_search.h"

enum { NEAR = 2000, FAR = 14000, DENSE = 5, PATTERN_MAX = 4 * CALLS_LIST_SEARCH_MAX + 256 };

struct text_search {
  struct list_query *query;
  struct buf text;                          /* owned */
  struct str parts[CALLS_SEARCH_WORDS_MAX]; /* of text */
  struct buf names[CALLS_SEARCH_WORDS_MAX]; /* their patterns; owned */
  size_t name_count;
  struct buf digits; /* pattern; owned; empty: numbers are not searched */
};

static void text_search_done(struct text_search *t) {
  buf_done(&t->text);
  for (size_t i = 0; i < COUNT_OF(t->names); i++) buf_done(&t->names[i]);
  buf_done(&t->digits);
}

static enum err pattern_add(struct buf *b, struct str part) {
  TRY(buf_add_char(b, '%'));
  for (size_t i = 0; i < part.n; i++) {
    if (part.p[i] == '%' || part.p[i] == '_' || part.p[i] == '\\') TRY(buf_add_char(b, '\\'));
    TRY(buf_add_char(b, part.p[i]));
  }
  return buf_add_char(b, '%');
}

static enum err text_search_init(struct text_search *t) {
  const struct list_query *a = t->query;
  size_t count;
  buf_init(&t->text, PATTERN_MAX);
  for (size_t i = 0; i < COUNT_OF(t->names); i++) buf_init(&t->names[i], PATTERN_MAX);
  buf_init(&t->digits, PATTERN_MAX);
  TRY(calls_search_parts(a->filter->search, &t->text, t->parts, &count));
  for (; t->name_count < count; t->name_count++) TRY(pattern_add(&t->names[t->name_count], t->parts[t->name_count]));
  return a->digits.n && !a->is_short ? pattern_add(&t->digits, buf_str(&a->digits)) : OK;
}

/* Appends: column is like each of the patterns. */
static enum err sql_add_likes(struct statement *s, const char *column, const struct buf *patterns, size_t count) {
  for (size_t i = 0; i < count; i++) {
    TRY(buf_addf(&s->sql, "%s%s", i ? " and " : "", column));
    TRY(sql_add_value(s, " like ", DB_TEXT(buf_str(&patterns[i])), ""));
  }
  return OK;
}

/* Appends "(select rowid, call_sid … order by rowid limit most) s": the first documents in the list's order that match. */
static enum err sql_add_first(struct statement *s, const struct text_search *t, int64_t most) {
  const struct list_query *a = t->query;
  TRY(sql_add(s, "(select * from (select * from call_documents s"));
  TRY(sql_add_value(s, " where s.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_document_times(s, a, span_of(a->filter)));
  TRY(sql_add_place_order(s, a->filter, "s.rowid"));
  TRY(sql_add_value(s, " limit ", DB_INT(most), ") first where ("));
  TRY(sql_add_likes(s, "names", t->names, t->name_count));
  if (t->name_count && t->digits.n) TRY(sql_add(s, " or "));
  if (t->digits.n) TRY(sql_add_likes(s, "digits", &t->digits, 1));
  return sql_add(s, ")) s");
}

/* Appends: the document has all groups of three characters that the part has. */
static enum err sql_add_grams(struct statement *s, const struct list_query *a, struct str part) {
  enum { GRAM = 3 };
  if (str_utf8_count(part) < GRAM) return OK; /* none: every document would do */
  TRY(sql_add_value(s, " and call_grams(s.business_id, s.doc) @> call_grams(", DB_INT(a->business_id), ""));
  return sql_add_value(s, ", ", DB_TEXT(part), ")");
}

static enum err sql_add_found_by(struct statement *s, const struct text_search *t, const char *column,
                                 const struct str *parts, const struct buf *patterns, size_t count) {
  const struct list_query *a = t->query;
  TRY(sql_add_value(
      s, "select s.rowid, s.call_sid from call_documents s where s.business_id = ", DB_INT(a->business_id), ""));
  for (size_t i = 0; i < count; i++) TRY(sql_add_grams(s, a, parts[i])); /* (3) */
  TRY(sql_add(s, " and "));
  TRY(sql_add_likes(s, column, patterns, count));
  return sql_add_document_times(s, a, span_of(a->filter));
}

/* Appends "(…) s": all documents that match, by the index. */
static enum err sql_add_found(struct statement *s, const struct text_search *t) {
  TRY(sql_add(s, "("));
  if (t->name_count) TRY(sql_add_found_by(s, t, "s.names", t->parts, t->names, t->name_count));
  if (t->name_count && t->digits.n) TRY(sql_add(s, " union ")); /* (4) */
  struct str digits = buf_str(&t->query->digits);
  if (t->digits.n) TRY(sql_add_found_by(s, t, "s.digits", &digits, &t->digits, 1));
  return sql_add(s, ") s");
}

/* Reads the keys of the first `most` documents; 0: of all that the index finds. */
static enum err text_search_read(struct text_search *t, int64_t most) {
  struct list_query *a = t->query;
  struct statement s CLEANUP(statement_done) = STATEMENT;
  a->keys.count = 0;
  TRY(buf_addf(&s.sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C " from ", CALLS_SEARCH_ID_BITS));
  TRY(most ? sql_add_first(&s, t, most) : sql_add_found(&s, t));
  TRY(sql_add_value(&s, " join calls l on l.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add(&s, " and l.call_sid = s.call_sid and l.document_id = s.rowid"));
  TRY(sql_add_rows_of_l(&s, a));
  TRY(sql_add(&s, " where true"));
  TRY(sql_add_filters(&s, a->filter, false));
  TRY(sql_add_place_order(&s, a->filter, "s.rowid"));
  TRY(list_query_collect_places(a, &s, span_of(a->filter)));
  list_query_keep_needed(a);
  return OK;
}

/* Reads the first `most` documents. *ret_done: nothing that is behind them belongs to the page. */
static enum err text_search_read_first(struct text_search *t, int64_t most, bool *ret_done) {
  struct list_query *a = t->query;
  int64_t end;
  enum err e = list_query_end_of_documents(a, "call_documents", most, &end);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  bool has_more = e == OK;
  *ret_done = false;
  if (has_more && sorts_by_duration(a->filter)) return OK;
  TRY(text_search_read(t, most));
  *ret_done = !has_more || list_query_is_full(a, calls_search_time(end), span_of(a->filter));
  return OK;
}

enum err list_source_text_postgres(struct list_query *a) {
  struct text_search t CLEANUP(text_search_done) = {.query = a};
  int64_t near = few_rows(a->filter) < NEAR ? few_rows(a->filter) : NEAR;
  bool done;
  TRY(text_search_init(&t));
  if (!t.name_count && !t.digits.n) return OK;
  TRY(text_search_read_first(&t, near, &done));
  if (!done && (a->keys.count >= DENSE || a->is_pair)) TRY(text_search_read_first(&t, FAR, &done));
  return done ? OK : text_search_read(&t, 0); /* (2) */
}
