/* calls_list_facets.c - lists by agent, own number, tag and length.
 *
 *   source         reads                                                   used
 *   AGENT, NUMBER  rows of call_facets with that agent or own number, by   where it has no more rows than the other sources
 *                  time
 *   TAG            rows of call_tags with that tag, by time                likewise
 *   DURATION       rows of call_facets by duration, in the list's order    in an order by duration, where each other source has
 *                                                                          more than few_rows rows
 *   LENGTHS        at most few_rows rows of call_facets with a duration    in an order by time, where no other source is smaller
 *                  of the filter, which are sorted
 *
 * A search takes AGENT, NUMBER or TAG if that has few_rows rows at most: among many documents that match, few may be of an agent.
 *
 * Invariants
 *  (1) A source's rows are counted in its index before it is chosen, up to few_rows + 1, unless it is the only one for an order
 *      by time. The others are conditions.
 *  (2) An order by duration reads all rows of a source that has few. Where all have many, a walk in the list's order meets
 *      matching rows soon.
 *  (3) While an upgrade has yet to add calls to call_facets, an order by duration does not rely on it. */
#include "ledger/calls_list_facets.h"

#include "ledger/calls_list_text.h"

enum facet { FACET_AGENT, FACET_NUMBER, FACET_TAG, FACET_COUNT_ };

static const char *const facet_rows[] = {
    [FACET_AGENT] = "call_facets f indexed by call_facets_agent where f.agent = ",
    [FACET_NUMBER] = ("call_facets f indexed by call_facets_own where f.own_key = " KEY_OF_NUMBER),
    [FACET_TAG] = "call_tags f where f.tag = ",
};

static struct str facet_value(const struct calls_filter *f, enum facet facet) {
  return facet == FACET_AGENT ? f->agent : facet == FACET_NUMBER ? f->own_number : f->tag;
}

/* Appends the rows f of a facet's value in the business. */
static enum err sql_add_facet_rows(struct statement *s, const struct list_query *a, enum facet facet) {
  TRY(sql_add_value(s, facet_rows[facet], DB_TEXT(facet_value(a->filter, facet)),
                    facet == FACET_NUMBER ? KEY_OF_NUMBER_END : ""));
  TRY(sql_add_value(s, " and f.business_id = ", DB_INT(a->business_id), ""));
  return sql_add_place_times(s, a, "f.sort_at");
}

static enum err facet_count_rows(struct list_query *a, struct statement *s, int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(sql_add_value(s, " limit ", DB_INT(few_rows(a->filter) + 1), ") few"));
  TRY(statement_query(s, a->db, &q));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

/* True: *ret_facet is the only one that the filter has, so nothing has to be counted. */
static bool has_one_facet(const struct calls_filter *f, enum facet *ret_facet) {
  int count = 0;
  for (enum facet facet = 0; facet < FACET_COUNT_; facet++) {
    if (!facet_value(f, facet).n) continue;
    *ret_facet = facet;
    count++;
  }
  return count == 1 && !has_durations(f);
}

/* The facet with the fewest rows; FACET_COUNT_: the filter has none. */
static enum err choose_facet(struct list_query *a, enum facet *ret_facet, int64_t *ret_rows) {
  enum facet best = FACET_COUNT_;
  int64_t least = INT64_MAX, rows;
  for (enum facet facet = 0; facet < FACET_COUNT_; facet++) {
    if (!facet_value(a->filter, facet).n) continue;
    struct statement s CLEANUP(statement_done) = STATEMENT;
    TRY(sql_add(&s, "select count(*) from (select 1 from "));
    TRY(sql_add_facet_rows(&s, a, facet));
    TRY(facet_count_rows(a, &s, &rows));
    if (rows >= least) continue;
    best = facet;
    least = rows;
  }
  *ret_facet = best;
  *ret_rows = least;
  return OK;
}

/* The rows c of f: the call itself; of an agent or number, which a top leg has, each leg of its tree if all are asked for. */
static enum err sql_add_rows_of_f(struct statement *s, const struct list_query *a, enum facet facet) {
  bool legs = a->filter->all_legs && facet != FACET_TAG;
  TRY(sql_add(s, legs ? " cross join calls c indexed by calls_legs on c.top_sid = f.call_sid"
                      : " cross join calls c on c.call_sid = f.call_sid"));
  return sql_add_value(s, " and c.business_id = ", DB_INT(a->business_id), "");
}

/* search: NULL, or what the rows are compared with. */
static enum err list_source_facet(struct list_query *a, enum facet facet, struct list_text *search) {
  const struct calls_filter *f = a->filter;
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "select f.sort_at, c.sort_at, c.call_sid, " DURATION_OF_C " from (select * from "));
  TRY(sql_add_facet_rows(&s, a, facet));
  TRY(sql_add(&s, ") f"));
  TRY(sql_add_rows_of_f(&s, a, facet));
  TRY(sql_add(&s, " where true"));
  if (!f->all_legs) TRY(sql_add(&s, " and +c.top_sid = c.call_sid"));
  TRY(sql_add_filters(&s, f, false));
  if (search) TRY(sql_add_matches(&s, search));
  TRY(sql_add_place_order(&s, f, "f.sort_at"));
  return list_query_collect_places(a, &s, span_of(f));
}

/* Appends: rows f of the business with a duration that the filter allows. */
static enum err sql_add_lengths(struct statement *s, const struct list_query *a) {
  const struct calls_filter *f = a->filter;
  TRY(buf_addf(&s->sql, "call_facets f indexed by %s",
               f->all_legs ? "call_facets_duration_leg" : "call_facets_duration"));
  TRY(sql_add_value(s, " where f.business_id = ", DB_INT(a->business_id), ""));
  if (!f->all_legs) TRY(sql_add(s, " and f.top_sid = f.call_sid"));
  if (has_durations(f)) TRY(sql_add_value(s, " and f.duration_s >= ", DB_INT(f->min_duration_s), ""));
  if (f->by_max_duration) TRY(sql_add_value(s, " and f.duration_s <= ", DB_INT(f->max_duration_s), ""));
  return OK;
}

static enum err count_lengths(struct list_query *a, int64_t *ret_rows) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "select count(*) from (select 1 from "));
  TRY(sql_add_lengths(&s, a));
  return facet_count_rows(a, &s, ret_rows);
}

/* Appends: rows f that follow the key `after`, by the order of the index. */
static enum err sql_add_after_f(struct statement *s, const struct calls_filter *f) {
  if (!f->after_key) return OK;
  TRY(buf_addf(&s->sql, " and (f.duration_s, f.sort_at, f.call_sid) %s (", sorts_up(f) ? ">" : "<"));
  TRY(sql_add_value(s, "", DB_INT(f->after.duration_s), ", "));
  TRY(sql_add_value(s, "", DB_INT(f->after.sort_at), ", "));
  return sql_add_value(s, "", DB_TEXT(str_from(f->after.call_sid)), ")");
}

static enum err list_source_duration(struct list_query *a) {
  const struct calls_filter *f = a->filter;
  const char *down = sorts_up(f) ? "" : " desc";
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "select c.sort_at, c.call_sid, " DURATION_OF_C " from (select * from "));
  TRY(sql_add_lengths(&s, a));
  TRY(sql_add_after_f(&s, f));
  TRY(sql_add(&s, ") f cross join calls c on c.call_sid = f.call_sid"));
  TRY(sql_add_value(&s, " and c.business_id = ", DB_INT(a->business_id), " where true"));
  TRY(sql_add_filters(&s, f, false));
  TRY(buf_addf(&s.sql, " order by f.duration_s%s, f.sort_at%s, f.call_sid%s", down, down, down));
  TRY(sql_add_value(&s, " limit ", DB_INT(a->needed), ""));
  return list_query_collect(a, &s);
}

static enum err list_source_lengths(struct list_query *a) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "select c.sort_at, c.call_sid, " DURATION_OF_C " from (select * from "));
  TRY(sql_add_lengths(&s, a));
  TRY(sql_add(&s, ") f cross join calls c on c.call_sid = f.call_sid"));
  TRY(sql_add_value(&s, " and c.business_id = ", DB_INT(a->business_id), " where true"));
  TRY(sql_add_filters_and_order(&s, a, false));
  return list_query_collect(a, &s);
}

static enum err facets_are_being_built(struct list_query *a, bool *ret_building) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(a->db, &q, "select exists (select 1 from call_facets_build)"));
  TRY(db_next(&q));
  *ret_building = db_int(&q, 0) != 0;
  return OK;
}

enum err list_source_facets(struct list_query *a, int64_t other, bool *ret_done) {
  const struct calls_filter *f = a->filter;
  enum facet facet;
  int64_t rows, lengths;
  bool building;
  *ret_done = true;
  TRY(facets_are_being_built(a, &building));
  if (!sorts_by_duration(f) && other > few_rows(f) && has_one_facet(f, &facet))
    return list_source_facet(a, facet, NULL);
  TRY(choose_facet(a, &facet, &rows)); /* (1) */
  if (rows == 0) return OK;            /* no call has that agent, number or tag */
  if (sorts_by_duration(f) && !building && rows > few_rows(f) && other > few_rows(f))
    return list_source_duration(a); /* (2, 3) */
  if (facet != FACET_COUNT_ && rows <= other) return list_source_facet(a, facet, NULL);
  if (!sorts_by_duration(f) && has_durations(f) && !building) {
    TRY(count_lengths(a, &lengths));
    if (lengths <= few_rows(f) && lengths <= other) return list_source_lengths(a);
  }
  *ret_done = false;
  return OK;
}

enum err list_source_facet_of_search(struct list_query *a, bool *ret_done) {
  const struct calls_filter *f = a->filter;
  enum facet facet;
  int64_t rows;
  *ret_done = false;
  if (db_kind(a->db) == DB_POSTGRES || (!f->agent.n && !f->own_number.n && !f->tag.n)) return OK;
  bool complete;
  TRY(list_text_is_complete(a, &complete));
  if (!complete) return OK;
  TRY(choose_facet(a, &facet, &rows));
  *ret_done = rows <= few_rows(f);
  if (!*ret_done || rows == 0) return OK;
  struct list_text search CLEANUP(list_text_done) = LIST_TEXT;
  TRY(list_text_init(&search, a));
  return list_source_facet(a, facet, &search);
}
