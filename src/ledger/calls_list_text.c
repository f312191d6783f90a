/* calls_list_text.c - see calls_list_text.h.
 *
 * Invariants
 *  (1) The index call_documents is shared. Its terms begin with the business, but a term is looked up in each segment, and how
 *      many segments there are depends on all that was written.
 *  (2) So it is used only while an upgrade makes the business's blocks, after few_rows of its documents were read. Else
 *      calls_list_blocks.c reads nothing but the business's own rows.
 *  (3) Until all calls have a row in call_documents_text, as after an earlier release wrote some, the index answers alone. */
#include "ledger/calls_list_text.h"

#include "ledger/calls_search.h"
#include "ledger/withheld.h"

/* ---- the index ---- */

/* Matching documents, their legs l, and the rows c in which these are shown. */
static enum err list_source_documents(struct list_query *a, struct str match) {
  const struct calls_filter *f = a->filter;
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(buf_addf(&s.sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C " from call_documents s",
               CALLS_SEARCH_ID_BITS));
  TRY(sql_add_value(&s, " cross join calls l on l.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add(&s, " and l.call_sid = s.call_sid and +l.document_id = s.rowid"));
  TRY(sql_add_rows_of_l(&s, a));
  TRY(sql_add_value(&s, " where s.call_documents match ", DB_TEXT(match), ""));
  TRY(sql_add_document_times(&s, a, span_of(f)));
  TRY(sql_add_filters(&s, f, false));
  TRY(sql_add_place_order(&s, f, "s.rowid"));
  return list_query_collect_places(a, &s, span_of(f));
}

/* Appends the term that all documents of a business have in the older index. */
static enum err add_old_scope(struct buf *b, int64_t business_id) {
  enum { FIRST = 0x4e00, RANGE = 0x5000 };
  uint64_t rest = (uint64_t)business_id;
  TRY(buf_add(b, STR("scope : \"")));
  for (size_t i = 0; i < 3; i++, rest /= RANGE) {
    unsigned code = FIRST + (unsigned)(rest % RANGE);
    TRY(buf_add_char(b, (char)(0xe0 | (code >> 12))));
    TRY(buf_add_char(b, (char)(0x80 | ((code >> 6) & 0x3f))));
    TRY(buf_add_char(b, (char)(0x80 | (code & 0x3f))));
  }
  return buf_add_char(b, '"');
}

static enum err add_old_phrase(struct buf *b, const char *column, struct str phrase) {
  TRY(buf_addf(b, "%s : \"", column));
  for (size_t i = 0; i < phrase.n; i++) {
    if (phrase.p[i] == '"') TRY(buf_add_char(b, '"'));
    TRY(buf_add_char(b, phrase.p[i]));
  }
  return buf_add_char(b, '"');
}

/* Documents that an older release wrote: each has the texts of a leg and of all legs that are shown with it. */
static enum err list_source_old_documents(struct list_query *a) {
  struct buf match CLEANUP(buf_done) = BUF_INIT(4 * CALLS_LIST_SEARCH_MAX + 256);
  TRY(add_old_scope(&match, a->business_id));
  TRY(buf_add(&match, STR(" AND (")));
  TRY(add_old_phrase(&match, "names", a->filter->search));
  if (a->digits.n && !a->is_short) {
    TRY(buf_add(&match, STR(" OR ")));
    TRY(add_old_phrase(&match, "numbers", buf_str(&a->digits)));
  }
  TRY(buf_add_char(&match, ')'));
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(buf_addf(&s.sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C " from call_search s",
               CALLS_SEARCH_ID_BITS));
  TRY(sql_add(&s, " cross join calls c indexed by calls_search_id on c.search_id = s.rowid"));
  TRY(sql_add_value(&s, " where s.call_search match ", DB_TEXT(buf_str(&match)), ""));
  TRY(sql_add_document_times(&s, a, 0));
  TRY(sql_add_value(&s, " and c.business_id = ", DB_INT(a->business_id), ""));
  if (!a->filter->all_legs) TRY(sql_add(&s, " and +c.top_sid = c.call_sid"));
  TRY(sql_add_filters(&s, a->filter, false));
  TRY(sql_add_place_order(&s, a->filter, "s.rowid"));
  return list_query_collect_places(a, &s, 0);
}

static enum err documents_are_being_built(struct list_query *a, bool *ret_building) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(a->db, &q, DB_FOR_SQLITE "select exists (select 1 from call_documents_build)"));
  TRY(db_next(&q));
  *ret_building = db_int(&q, 0) != 0;
  return OK;
}

enum err list_text_is_complete(struct list_query *a, bool *ret_complete) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  bool refolding;
  TRY(calls_search_is_refolding(a->db, &refolding));
  TRY(db_query(a->db, &q,
               DB_FOR_SQLITE "select exists (select 1 from call_documents_build)"
                             " or exists (select 1 from call_documents_stale where business_id = ?1)",
               DB_INT(a->business_id)));
  TRY(db_next(&q));
  *ret_complete = !refolding && !db_int(&q, 0);
  return OK;
}

enum err list_source_text_index(struct list_query *a) {
  struct buf match CLEANUP(buf_done) = BUF_INIT(8 * CALLS_LIST_SEARCH_MAX + 2 * CALLS_SEARCH_WORDS_MAX * 64 + 256);
  bool refolding;
  TRY(calls_search_is_refolding(a->db, &refolding));
  TRY(calls_search_names(&match, a->business_id, a->filter->search, refolding));
  if (a->digits.n && !a->is_short) {
    TRY(buf_add(&match, STR(" OR ")));
    TRY(calls_search_phrase(&match, a->business_id, DB_GRAMS_DIGITS, buf_str(&a->digits)));
  }
  TRY(list_source_documents(a, buf_str(&match)));
  list_query_keep_needed(a);
  bool building;
  TRY(documents_are_being_built(a, &building));
  if (!building || a->is_pair) return OK;
  struct key_list had = a->keys; /* this source fills a page of its own */
  a->keys = (struct key_list){NULL, 0, 0};
  enum err e = list_source_old_documents(a);
  for (size_t i = 0; e == OK && i < had.count; i++) e = key_list_add(&a->keys, &had.all[i]);
  key_list_done(&had);
  return e;
}

/* ---- the business's own documents ---- */

void list_text_done(struct list_text *t) {
  buf_done(&t->text);
  buf_done(&t->terms);
}

enum err list_text_init(struct list_text *t, const struct list_query *a) {
  buf_init(&t->text, 2 * CALLS_LIST_SEARCH_MAX);
  t->query = a;
  t->by_digits = a->digits.n && !a->is_short;
  return calls_search_parts(a->filter->search, &t->text, t->names, &t->name_count);
}

enum err sql_add_contains(struct statement *s, const struct list_text *t) {
  TRY(sql_add(s, "("));
  for (size_t i = 0; i < t->name_count; i++) {
    TRY(sql_add(s, i ? " and " : "("));
    TRY(sql_add_value(s, "instr(s.names, ", DB_TEXT(t->names[i]), ") > 0"));
  }
  if (t->name_count) TRY(sql_add(s, ")"));
  if (t->name_count && t->by_digits) TRY(sql_add(s, " or "));
  if (t->by_digits) TRY(sql_add_value(s, "instr(s.digits, ", DB_TEXT(buf_str(&t->query->digits)), ") > 0"));
  return sql_add(s, ")");
}

/* ---- a condition ---- */

enum err sql_add_sid_range(struct statement *s, const struct list_query *a, size_t i, const char *column) {
  TRY(buf_addf(&s->sql, "(%s >= ", column));
  TRY(sql_add_value(s, "", DB_TEXT(str_from(a->sid[i].from)), ""));
  TRY(buf_addf(&s->sql, " and %s < ", column));
  return sql_add_value(s, "", DB_TEXT(str_from(a->sid[i].before)), ")");
}

static enum err sql_add_sid_ranges(struct statement *s, const struct list_query *a, const char *column) {
  for (size_t i = 0; i < a->sid_count; i++) {
    TRY(sql_add(s, i ? " or " : "("));
    TRY(sql_add_sid_range(s, a, i, column));
  }
  return sql_add(s, ")");
}

enum err sql_add_sids(struct statement *s, const struct list_query *a) {
  TRY(sql_add(s, "("));
  TRY(sql_add_sid_ranges(s, a, "l.call_sid"));
  TRY(sql_add(s, " or exists (select 1 from " RECORDINGS_OF_L " and "));
  TRY(sql_add_sid_ranges(s, a, "r.recording_sid"));
  return sql_add(s, "))");
}

enum err sql_add_short(struct statement *s, const struct list_query *a) {
  struct db_value pattern = DB_TEXT(str_from(a->contains));
  TRY(sql_add_value(s, "((l.from_number like ", pattern, " and l.from_number not in (" WITHHELD_NUMBERS "))"));
  return sql_add_value(s, " or l.to_number like ", pattern, ")");
}

enum err sql_add_matches(struct statement *s, struct list_text *t) {
  const struct list_query *a = t->query;
  TRY(sql_add(s, " and exists (select 1 from " LEGS_OF_C " and (false"));
  if (t->name_count || t->by_digits) {
    TRY(sql_add(s,
                " or exists (select 1 from call_documents_text s where s.business_id = l.business_id"
                " and s.rowid = l.document_id and "));
    TRY(sql_add_contains(s, t));
    TRY(sql_add(s, ")"));
  }
  if (a->is_short) {
    TRY(sql_add(s, " or "));
    TRY(sql_add_short(s, a));
  }
  if (a->sid_count) {
    TRY(sql_add(s, " or "));
    TRY(sql_add_sids(s, a));
  }
  TRY(sql_add_or_transcribed(s, a, &t->terms));
  return sql_add(s, "))");
}

/* ---- the newest of the business ---- */

enum err list_text_read(struct list_query *a, const struct list_text *t, int64_t end, struct str ids) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(buf_addf(&s.sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C " from call_documents_text s",
               CALLS_SEARCH_ID_BITS));
  TRY(sql_add_value(&s, " cross join calls l on l.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add(&s, " and l.call_sid = s.call_sid and +l.document_id = s.rowid"));
  TRY(sql_add_rows_of_l(&s, a));
  TRY(sql_add_value(&s, " where s.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_document_times(&s, a, span_of(a->filter)));
  if (end) TRY(sql_add_value(&s, sorts_up(a->filter) ? " and s.rowid < " : " and s.rowid > ", DB_INT(end), ""));
  if (ids.n) TRY(sql_add_value(&s, " and s.rowid in (select value from json_each(", DB_TEXT(ids), "))"));
  TRY(sql_add(&s, " and "));
  TRY(sql_add_contains(&s, t));
  TRY(sql_add_filters(&s, a->filter, false));
  TRY(sql_add_place_order(&s, a->filter, "s.rowid"));
  TRY(list_query_collect_places(a, &s, span_of(a->filter)));
  list_query_keep_needed(a);
  return OK;
}

enum err list_source_text_shared(struct list_query *a, const struct list_text *t) {
  int64_t end = 0;
  enum err e = list_query_end_of_documents(a, "call_documents_text", few_rows(a->filter), &end);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  bool has_more = e == OK;
  if (has_more && sorts_by_duration(a->filter)) return list_source_text_index(a);
  TRY(list_text_read(a, t, has_more ? end : 0, STR_NONE));
  if (!has_more || list_query_is_full(a, calls_search_time(end), span_of(a->filter))) return OK;
  a->keys.count = 0;
  return list_source_text_index(a);
}
