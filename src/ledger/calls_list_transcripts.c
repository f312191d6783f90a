/* calls_list_transcripts.c - see calls_list_transcripts.h.
 *
 * Invariants
 *  (1) Each term is a digest of a word and the business (transcript_search.h), so a search reads no others' entries.
 *  (2) A document's id has the time of the row that showed it when it was written. A leg that moved since may be up to
 *      TREE_SPAN_MS away from there; of one that moved further, rows may be missing where more match than a page holds.
 *  (3) SQLite gives documents in order of their ids. PostgreSQL's index has no order: it is asked once the newest NEAR do not
 *      fill the page. */
#include "ledger/calls_list_transcripts.h"

#include "ledger/calls_search.h"
#include "ledger/transcript_search.h"

enum { NEAR = 500 };

/* The documents of all of a business, as list_query_end_of_documents and sql_add_document_times name their columns. */
#define DOCUMENTS "(select business_id, recording_sid, words, document_id as rowid from transcript_texts)"

/* Appends the rest of a statement that begins with documents s, which have a recording_sid: their rows. */
static enum err sql_add_rows_of_documents(struct statement *s, const struct list_query *a, const char *document,
                                          const char *where) {
  struct db_value business = DB_INT(a->business_id);
  TRY(sql_add_value(s, " cross join recordings r on r.business_id = ", business, ""));
  TRY(buf_addf(&s->sql, " and r.recording_sid = %s.recording_sid", document));
  TRY(sql_add_value(s, " cross join calls l on l.business_id = ", business, " and l.call_sid = r.call_sid"));
  TRY(sql_add_rows_of_l(s, a));
  TRY(sql_add(s, where));
  return OK;
}

static enum err collect(struct list_query *a, struct statement *s) {
  TRY(sql_add_filters(s, a->filter, false));
  TRY(sql_add_place_order(s, a->filter, "s.rowid"));
  TRY(list_query_collect_places(a, s, TREE_SPAN_MS)); /* (2) */
  list_query_keep_needed(a);
  return OK;
}

static enum err add_match(const struct transcript_query *q, const struct list_query *a, struct buf *terms) {
  TRY(transcript_query_terms(q, a->business_id, "\"", "\" ", terms)); /* terms side by side: all of them */
  return OK;
}

static enum err source_sqlite(struct list_query *a, const struct transcript_query *q) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct buf match CLEANUP(buf_done) = BUF_INIT(LIST_TERMS_MAX);
  TRY(add_match(q, a, &match));
  TRY(buf_addf(&s.sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C, CALLS_SEARCH_ID_BITS));
  TRY(sql_add(&s, " from transcript_words s cross join transcript_texts x on x.document_id = s.rowid"));
  TRY(sql_add_rows_of_documents(&s, a, "x", " where s.transcript_words match "));
  TRY(sql_add_value(&s, "", DB_TEXT(buf_str(&match)), ""));
  TRY(sql_add_document_times(&s, a, TREE_SPAN_MS));
  return collect(a, &s);
}

/* most 0: all that the index finds. */
static enum err postgres_read(struct list_query *a, struct str terms, int64_t most) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(buf_addf(&s.sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C " from (select rowid,",
               CALLS_SEARCH_ID_BITS));
  TRY(sql_add(&s, " recording_sid from "));
  if (most) TRY(sql_add(&s, "(select * from "));
  TRY(sql_add_value(&s, DOCUMENTS " s where s.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_document_times(&s, a, TREE_SPAN_MS));
  if (most) {
    TRY(sql_add_place_order(&s, a->filter, "s.rowid"));
    TRY(sql_add_value(&s, " limit ", DB_INT(most), ") s where true"));
  }
  TRY(sql_add_value(&s, " and string_to_array(s.words, ' ') @> string_to_array(", DB_TEXT(terms), ", ' ')) s"));
  TRY(sql_add_rows_of_documents(&s, a, "s", " where true"));
  return collect(a, &s);
}

/* (3) */
static enum err source_postgres(struct list_query *a, const struct transcript_query *q) {
  struct buf spaced CLEANUP(buf_done) = BUF_INIT(LIST_TERMS_MAX);
  int64_t end;
  TRY(transcript_query_terms(q, a->business_id, "", " ", &spaced));
  struct str terms = str_trim(buf_str(&spaced));
  if (!sorts_by_duration(a->filter)) {
    enum err e = list_query_end_of_documents(a, DOCUMENTS, NEAR, &end);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    TRY(postgres_read(a, terms, NEAR));
    if (e == ERR_NOT_FOUND || list_query_is_full(a, calls_search_time(end), TREE_SPAN_MS)) return OK;
  }
  return postgres_read(a, terms, 0);
}

enum err list_source_transcripts(struct list_query *a) {
  struct transcript_query q;
  TRY(transcript_query_parse(a->filter->search, &q));
  if (!q.count) return OK;
  list_query_keep_needed(a); /* sorts what the other sources gave */
  return db_kind(a->db) == DB_POSTGRES ? source_postgres(a, &q) : source_sqlite(a, &q);
}

enum err sql_add_or_transcribed(struct statement *s, const struct list_query *a, struct buf *terms) {
  struct transcript_query q;
  TRY(transcript_query_parse(a->filter->search, &q));
  if (!q.count) return OK;
  TRY(add_match(&q, a, terms));
  TRY(sql_add(s, " or exists (select 1 from " RECORDINGS_OF_L " and r.transcribed = 1 and exists (select 1 from"
                 " transcript_texts x where x.business_id = r.business_id and x.recording_sid = r.recording_sid"
                 " and x.document_id in (select rowid from transcript_words where transcript_words match "));
  return sql_add_value(s, "", DB_TEXT(buf_str(terms)), ")))");
}
