/* calls_list_query.c - see calls_list_query.h. */
#include "ledger/calls_list_query.h"

#include <stdlib.h>

#include "ledger/calls_search.h"
#include "ledger/recordings_row.h"

/* ---- SQL ---- */

void statement_done(struct statement *s) {
  buf_done(&s->sql);
}

enum err sql_add(struct statement *s, const char *sql) {
  return buf_add(&s->sql, str_from(sql));
}

enum err sql_add_value(struct statement *s, const char *before, struct db_value value, const char *behind) {
  if (s->count == VALUES_MAX) return ERR_TOO_BIG;
  s->values[s->count++] = value;
  return buf_addf(&s->sql, "%s?%zu%s", before, s->count, behind);
}

enum err statement_query(struct statement *s, struct db *db, struct db_rows *q) {
  const char *text;
  s->values[s->count] = (struct db_value){.kind = DB_END};
  TRY(buf_terminate(&s->sql, &text));
  return db_query_once(db, q, text, s->values);
}

/* ---- keys ---- */

void key_list_done(struct key_list *l) {
  free(l->all);
}

enum err key_list_add(struct key_list *l, const struct calls_key *key) {
  if (l->count == l->room) {
    size_t room = l->room ? l->room * 2 : 64;
    struct calls_key *grown = realloc(l->all, room * sizeof(*grown));
    if (!grown) return ERR_NOMEM;
    l->all = grown;
    l->room = room;
  }
  l->all[l->count++] = *key;
  return OK;
}

static int compare_int(int64_t a, int64_t b) {
  return (a > b) - (a < b);
}

/* Negative: x comes first. */
static int key_compare(const struct calls_key *x, const struct calls_key *y, enum calls_sort sort) {
  int order = sort == CALLS_LONGEST || sort == CALLS_SHORTEST ? compare_int(x->duration_s, y->duration_s) : 0;
  if (!order) order = compare_int(x->sort_at, y->sort_at);
  if (!order) order = strcmp(x->call_sid, y->call_sid);
  return sort == CALLS_NEWEST || sort == CALLS_LONGEST ? -order : order;
}

static int key_compare_any(const void *a, const void *b, void *sort) {
  return key_compare(a, b, *(const enum calls_sort *)sort);
}

void key_list_sort(struct key_list *l, enum calls_sort sort) {
  if (!l->count) return;
  qsort_r(l->all, l->count, sizeof(l->all[0]), key_compare_any, &sort);
  size_t kept = 1;
  for (size_t i = 1; i < l->count; i++)
    if (key_compare(&l->all[i], &l->all[kept - 1], sort) != 0) l->all[kept++] = l->all[i];
  l->count = kept;
}

void list_query_keep_needed(struct list_query *a) {
  key_list_sort(&a->keys, a->filter->sort);
  if (a->keys.count > a->needed) a->keys.count = a->needed;
}

/* ---- filters ---- */

static enum err sql_add_recording_filters(struct statement *s, const struct calls_filter *f) {
  if (f->by_recording_status) {
    TRY(sql_add_value(
        s, " and (exists (select 1 from " LEGS_OF_C " and exists (select 1 from " RECORDINGS_OF_L " and r.status = ",
        DB_TEXT(str_from(recording_status_name(f->recording_status))), "))"));
    /* The status of a call without a recording is "missing" too. */
    if (f->recording_status == RECORDING_MISSING)
      TRY(sql_add(s, " or not exists (select 1 from " LEGS_OF_C " and exists (select 1 from " RECORDINGS_OF_L "))"));
    TRY(sql_add(s, ")"));
  }
  if (f->has_recording == CALLS_ANY) return OK;
  TRY(sql_add(s, f->has_recording == CALLS_YES ? " and" : " and not"));
  return sql_add(s, " exists (select 1 from " LEGS_OF_C " and exists (select 1 from " RECORDINGS_OF_L "))");
}

static enum err sql_add_condition(struct statement *s, bool in_order, const char *column_is, struct db_value value) {
  TRY(buf_addf(&s->sql, " and %sc.%s ", in_order ? "" : "+", column_is));
  return sql_add_value(s, "", value, "");
}

/* Rows behind the key `after`. */
static enum err sql_add_after(struct statement *s, const struct calls_filter *f, bool in_order) {
  const char *plus = in_order ? "" : "+";
  TRY(sql_add(s, " and ("));
  if (sorts_by_duration(f)) TRY(sql_add(s, DURATION_OF_C ", "));
  TRY(buf_addf(&s->sql, "%sc.sort_at, %sc.call_sid) %s (", plus, plus, sorts_up(f) ? ">" : "<"));
  if (sorts_by_duration(f)) TRY(sql_add_value(s, "", DB_INT(f->after.duration_s), ", "));
  TRY(sql_add_value(s, "", DB_INT(f->after.sort_at), ", "));
  return sql_add_value(s, "", DB_TEXT(str_from(f->after.call_sid)), ")");
}

/* agent and own number are those of the top leg, tags the call's own. */
static enum err sql_add_facet_filters(struct statement *s, const struct calls_filter *f) {
#define FACETS_OF_TOP \
  " and exists (select 1 from call_facets g where g.business_id = c.business_id and g.call_sid = c.top_sid and +g."
  if (f->agent.n) TRY(sql_add_value(s, FACETS_OF_TOP "agent = ", DB_TEXT(f->agent), ")"));
  if (f->own_number.n)
    TRY(sql_add_value(s, FACETS_OF_TOP "own_key = " KEY_OF_NUMBER, DB_TEXT(f->own_number), KEY_OF_NUMBER_END ")"));
#undef FACETS_OF_TOP
  if (f->tag.n)
    TRY(sql_add_value(s,
                      " and exists (select 1 from call_tags g where g.business_id = c.business_id"
                      " and g.sort_at = c.sort_at and g.call_sid = c.call_sid and g.tag = ",
                      DB_TEXT(f->tag), ")"));
  if (f->min_duration_s) TRY(sql_add_value(s, " and c.duration_s >= ", DB_INT(f->min_duration_s), ""));
  if (f->by_max_duration) TRY(sql_add_value(s, " and c.duration_s <= ", DB_INT(f->max_duration_s), ""));
  return OK;
}

enum err sql_add_filters(struct statement *s, const struct calls_filter *f, bool in_order) {
  if (f->status.n) TRY(sql_add_condition(s, in_order, "status =", DB_TEXT(f->status)));
  if (f->ref.n) TRY(sql_add_condition(s, in_order, "ref =", DB_TEXT(f->ref)));
  if (f->since) TRY(sql_add_condition(s, in_order, "sort_at >=", DB_INT(f->since)));
  if (f->until) TRY(sql_add_condition(s, in_order, "sort_at <", DB_INT(f->until)));
  if (f->after_key) TRY(sql_add_after(s, f, in_order));
  if (f->direction.n && !f->all_legs) TRY(sql_add_value(s, " and c.direction = ", DB_TEXT(f->direction), ""));
  if (f->direction.n && f->all_legs)
    TRY(sql_add_value(
        s,
        " and exists (select 1 from calls t where t.business_id = c.business_id and t.call_sid = c.top_sid"
        " and t.direction = ",
        DB_TEXT(f->direction), ")"));
  TRY(sql_add_facet_filters(s, f));
  return sql_add_recording_filters(s, f);
}

enum err sql_add_filters_and_order(struct statement *s, const struct list_query *a, bool in_order) {
  const char *down = sorts_up(a->filter) ? "" : " desc";
  TRY(sql_add_filters(s, a->filter, in_order));
  TRY(sql_add(s, " order by "));
  if (sorts_by_duration(a->filter)) TRY(buf_addf(&s->sql, DURATION_OF_C "%s, ", down));
  TRY(buf_addf(&s->sql, "c.sort_at%s, c.call_sid%s", down, down));
  return sql_add_value(s, " limit ", DB_INT(a->needed), "");
}

/* ---- places ---- */

enum err sql_add_place_order(struct statement *s, const struct calls_filter *f, const char *column) {
  if (sorts_by_duration(f)) return OK;
  return buf_addf(&s->sql, " order by %s%s", column, sorts_up(f) ? "" : " desc");
}

void list_query_times(const struct list_query *a, int64_t span_ms, int64_t *ret_from, int64_t *ret_before) {
  const struct calls_filter *f = a->filter;
  int64_t from = f->since, before = f->until;
  if (f->after_key && f->sort == CALLS_NEWEST && (!before || f->after.sort_at < before)) before = f->after.sort_at + 1;
  if (f->after_key && f->sort == CALLS_OLDEST && f->after.sort_at > from) from = f->after.sort_at;
  *ret_from = from ? from - span_ms : 0;
  *ret_before = before ? before + span_ms + SPILL_MS : 0;
}

enum err sql_add_place_times(struct statement *s, const struct list_query *a, const char *column) {
  int64_t from, before;
  list_query_times(a, span_of(a->filter), &from, &before);
  if (from) {
    TRY(buf_addf(&s->sql, " and %s >= ", column));
    TRY(sql_add_value(s, "", DB_INT(from), ""));
  }
  if (!before) return OK;
  TRY(buf_addf(&s->sql, " and %s < ", column));
  return sql_add_value(s, "", DB_INT(before), "");
}

/* ---- rows of a document ---- */

enum err sql_add_document_times(struct statement *s, const struct list_query *a, int64_t span_ms) {
  int64_t from, before;
  list_query_times(a, span_ms, &from, &before);
  if (from) TRY(sql_add_value(s, " and s.rowid >= ", DB_INT(calls_search_first_id(from)), ""));
  if (before) TRY(sql_add_value(s, " and s.rowid < ", DB_INT(calls_search_first_id(before)), ""));
  return OK;
}

enum err list_query_end_of_documents(const struct list_query *a, const char *table, int64_t count, int64_t *ret_rowid) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(buf_addf(&s.sql, "select s.rowid from %s s", table));
  TRY(sql_add_value(&s, " where s.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_document_times(&s, a, span_of(a->filter)));
  TRY(sql_add(&s, sorts_up(a->filter) ? " order by s.rowid" : " order by s.rowid desc"));
  TRY(sql_add_value(&s, " limit 1 offset ", DB_INT(count), ""));
  TRY(statement_query(&s, a->db, &q));
  TRY(db_next(&q));
  *ret_rowid = db_int(&q, 0);
  return OK;
}

enum err sql_add_rows_of_l(struct statement *s, const struct list_query *a) {
  if (!a->filter->all_legs) { /* t: if l's top leg got a parent, t.top_sid is right while l.top_sid is not yet */
    TRY(sql_add_value(s, " cross join calls t on t.call_sid = l.top_sid and t.business_id = ", DB_INT(a->business_id),
                      ""));
    TRY(sql_add_value(s, " cross join calls c on c.call_sid = t.top_sid and c.business_id = ", DB_INT(a->business_id),
                      ""));
    return sql_add(s, " and +c.top_sid = c.call_sid");
  }
  TRY(sql_add_value(s, " cross join calls c on c.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add(s,
              " and c.call_sid in (select l.call_sid union select l.parent_call_sid union select l.top_sid union"
              " select k.call_sid from calls k indexed by calls_parent where k.parent_call_sid = l.call_sid"));
  return sql_add_value(s, " and k.business_id = ", DB_INT(a->business_id), ")");
}

/* ---- reading ---- */

/* Reads (sort_at, call_sid, duration) from that column on. */
static enum err read_key(const struct db_rows *q, int from, struct calls_key *ret_key) {
  struct calls_key key = {.sort_at = db_int(q, from), .duration_s = db_int(q, from + 2)};
  if (str_copy(key.call_sid, sizeof(key.call_sid), db_text(q, from + 1)) != OK) return ERR_CORRUPT;
  *ret_key = key;
  return OK;
}

enum err list_query_collect(struct list_query *a, struct statement *s) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(statement_query(s, a->db, &q));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    struct calls_key key;
    TRY(read_key(&q, 0, &key));
    TRY(key_list_add(&a->keys, &key));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* No row from this place on can come before the page's last key. */
static bool is_past(enum calls_sort sort, const struct calls_key *last, int64_t place, int64_t span_ms) {
  if (sort == CALLS_NEWEST) return place < last->sort_at - span_ms;
  return sort == CALLS_OLDEST && place > last->sort_at + span_ms + SPILL_MS;
}

bool list_query_is_full(const struct list_query *a, int64_t place, int64_t span_ms) {
  return a->keys.count >= a->needed && is_past(a->filter->sort, &a->keys.all[a->needed - 1], place, span_ms);
}

enum err list_query_collect_places(struct list_query *a, struct statement *s, int64_t span_ms) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum calls_sort sort = a->filter->sort;
  TRY(statement_query(s, a->db, &q));
  enum err e;
  bool full = false;
  while ((e = db_next(&q)) == OK) {
    struct calls_key key;
    TRY(read_key(&q, 1, &key));
    if (a->keys.count && key_compare(&key, &a->keys.all[a->keys.count - 1], sort) == 0) continue;
    if (a->keys.count >= a->needed + KEYS_SPARE || (!full && a->keys.count >= a->needed)) {
      list_query_keep_needed(a);
      full = a->keys.count == a->needed;
    }
    const struct calls_key *last = full ? &a->keys.all[a->needed - 1] : NULL;
    if (last && is_past(sort, last, db_int(&q, 0), span_ms)) return OK;
    if (last && key_compare(&key, last, sort) > 0) continue;
    TRY(key_list_add(&a->keys, &key));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}
