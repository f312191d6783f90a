/* calls_list_transcripts.c - see calls_list_transcripts.h.
 *
 * Invariants
 *  (1) Each term is a digest of a word and the business (transcript_search.h), so a search reads no others' entries.
 *  (2) A document's id has the time of the row that showed it when it was written. A leg that moved since may be up to
 *      TREE_SPAN_MS away from there; of one that moved further, rows may be missing where more match than a page holds.
 *  (3) On SQLite the rows of the rarest word are read in order of their ids, and each is looked up for the other words.
 *      PostgreSQL's index has no order: it is asked once the newest NEAR do not fill the page.
 *  (4) On SQLite a document that came just now has not all of its rows (transcript_terms.h): its words are read. */
#include "ledger/calls_list_transcripts.h"

#include "ledger/calls_search.h"
#include "ledger/transcript_search.h"

enum { NEAR = 500, COUNTED = 1000 };

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

static enum err transcripts_collect(struct list_query *a, struct statement *s) {
  TRY(sql_add_filters(s, a->filter, false));
  TRY(sql_add_place_order(s, a->filter, "s.rowid"));
  TRY(list_query_collect_places(a, s, TREE_SPAN_MS)); /* (2) */
  list_query_keep_needed(a);
  return OK;
}

/* The words of a query as transcript_texts.words has them. */
static struct str term_at(const struct buf *terms, size_t i) {
  return str_head(str_skip(buf_str(terms), i * TRANSCRIPT_TERM_SIZE), TRANSCRIPT_TERM_SIZE);
}

static enum err count_documents(struct list_query *a, struct str term, int64_t *ret_count) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(sql_add(&s, "select count(*) from (select 1 from transcript_terms s"));
  TRY(sql_add_value(&s, " where s.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_value(&s, " and s.term = ", DB_TEXT(term), ""));
  TRY(sql_add_document_times(&s, a, TREE_SPAN_MS));
  TRY(sql_add_value(&s, " limit ", DB_INT(COUNTED), ") few"));
  TRY(statement_query(&s, a->db, &q));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

/* The word that the fewest documents have, as far as they are counted. */
static enum err find_rarest(struct list_query *a, const struct transcript_query *q, const struct buf *terms,
                            size_t *ret_rarest) {
  int64_t count, least = INT64_MAX;
  *ret_rarest = 0;
  for (size_t i = 0; i < q->count && q->count > 1; i++) {
    TRY(count_documents(a, term_at(terms, i), &count));
    if (count >= least) continue;
    least = count;
    *ret_rarest = i;
  }
  return OK;
}

/* Appends: the document `rowid` of the business `business` has the term. */
static enum err sql_add_has_term(struct statement *s, const char *business, const char *rowid, struct str term) {
  TRY(buf_addf(&s->sql,
               "exists (select 1 from transcript_terms t where t.business_id = %s and t.rowid = %s and t.term = ",
               business, rowid));
  return sql_add_value(s, "", DB_TEXT(term), ")");
}

/* Appends the beginning of a statement: the texts x of documents s of a table. */
static enum err sql_add_texts_of(struct statement *s, const struct list_query *a, const char *table) {
  TRY(buf_addf(&s->sql, "select s.rowid >> %d, c.sort_at, c.call_sid, " DURATION_OF_C " from %s s",
               CALLS_SEARCH_ID_BITS, table));
  TRY(sql_add(s, " cross join transcript_texts x on x.document_id = s.rowid"));
  TRY(sql_add_rows_of_documents(s, a, "x", " where s.business_id = "));
  return sql_add_value(s, "", DB_INT(a->business_id), "");
}

static enum err read_by_terms(struct list_query *a, const struct transcript_query *q, const struct buf *terms) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  size_t rarest;
  TRY(find_rarest(a, q, terms, &rarest));
  TRY(sql_add_texts_of(&s, a, "transcript_terms"));
  TRY(sql_add_value(&s, " and s.term = ", DB_TEXT(term_at(terms, rarest)), ""));
  for (size_t i = 0; i < q->count; i++) {
    if (i == rarest) continue;
    TRY(sql_add(&s, " and "));
    TRY(sql_add_has_term(&s, "s.business_id", "s.rowid", term_at(terms, i)));
  }
  TRY(sql_add_document_times(&s, a, TREE_SPAN_MS));
  return transcripts_collect(a, &s);
}

/* Documents that came just now. */
static enum err read_due(struct list_query *a, const struct transcript_query *q, const struct buf *terms) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add_texts_of(&s, a, "transcript_terms_due"));
  TRY(sql_add(&s, " and s.words is null"));
  for (size_t i = 0; i < q->count; i++)
    TRY(sql_add_value(&s, " and instr(x.words, ", DB_TEXT(term_at(terms, i)), ") > 0"));
  TRY(sql_add_document_times(&s, a, TREE_SPAN_MS));
  return transcripts_collect(a, &s);
}

static enum err source_sqlite(struct list_query *a, const struct transcript_query *q) {
  struct buf terms CLEANUP(buf_done) = BUF_INIT(LIST_TERMS_MAX);
  TRY(transcript_query_terms(q, a->business_id, "", "", &terms));
  TRY(read_by_terms(a, q, &terms));
  return read_due(a, q, &terms);
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
  return transcripts_collect(a, &s);
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

/* Appends: document x has the term. */
static enum err sql_add_x_has(struct statement *s, struct str term) {
  TRY(sql_add(s, " and ("));
  TRY(sql_add_has_term(s, "x.business_id", "x.document_id", term));
  TRY(sql_add(s,
              " or exists (select 1 from transcript_terms_due d where d.business_id = x.business_id"
              " and d.rowid = x.document_id and d.words is null)"));
  return sql_add_value(s, " and instr(x.words, ", DB_TEXT(term), ") > 0)");
}

enum err sql_add_or_transcribed(struct statement *s, const struct list_query *a, struct buf *terms) {
  struct transcript_query q;
  TRY(transcript_query_parse(a->filter->search, &q));
  if (!q.count) return OK;
  TRY(transcript_query_terms(&q, a->business_id, "", "", terms));
  TRY(sql_add(s, " or exists (select 1 from " RECORDINGS_OF_L " and r.transcribed = 1 and exists (select 1 from"
                 " transcript_texts x where x.business_id = r.business_id and x.recording_sid = r.recording_sid"));
  for (size_t i = 0; i < q.count; i++) TRY(sql_add_x_has(s, term_at(terms, i)));
  return sql_add(s, "))");
}
