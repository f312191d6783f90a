/* calls_list.c - builds the SQL of lists of calls, and finds the keys of a page.
 *
 *   filter --> sources (each gives keys in the list's order) --merge--> keys of the page
 *
 * calls_list_facets.c has the sources for agents, numbers, tags and lengths, calls_list_rows.c the rows.
 *
 *   source      used for                                                reads
 *   WALK        no search, and none of the two sources below            calls by time
 *   UNRECORDED  only calls without a recording                          calls that may have none (calls.unrecorded), by time
 *   STATE       a state of a recording other than ready, and not only   recordings in that state, by time of their rows
 *               calls without one; with `ref` if FEW_MAX have it at most,
 *               or few_rows while more calls have that ref
 *   TEXT        a search that may be part of a number or name           matching documents of legs, by time of their rows
 *                                                                       (calls_list_blocks.c, calls_list_postgres.c)
 *   TRANSCRIPT  a search                                                transcripts that hold its words, by time of their rows
 *                                                                       (calls_list_transcripts.c)
 *   SHORT       a search with one or two digits                         calls by time
 *   FEW         a search that at most FEW_MAX SIDs begin with           those calls, sorted
 *   WALK + SID  a search that more SIDs begin with                      calls by time
 *
 * A search within an agent, number or tag that few_rows rows have at most reads these rows instead, and the search is a condition
 * on each (calls_list_facets.c).
 *
 * Invariants
 *  (1) In an order by time, a source gives keys in that order and stops when the page is full. Documents and recordings are
 *      ordered by their top leg's sort_at only, so all of one millisecond are read and sorted here. In an order by duration a
 *      source of this file gives all its keys, sorted; it is used if they are few (calls_list_facets.c), or for a search.
 *  (2) The sources of a filter together give each matching call; the merge drops duplicates.
 *  (3) SQL consists of fixed pieces. Every value from outside is a parameter.
 *  (4) If the filter asks for all legs, each leg is an entry of the list, and a document or recording gives the entries of all
 *      legs of its tree. Such an entry may be newer or older than the document: sources read on until the documents are
 *      TREE_SPAN_MS older than the page's last key. */
#include "ledger/calls_list.h"

#include <stdio.h>
#include <string.h>

#include "base/fold.h"
#include "ledger/calls_list_blocks.h"
#include "ledger/calls_list_facets.h"
#include "ledger/calls_list_postgres.h"
#include "ledger/calls_list_text.h"
#include "ledger/calls_list_transcripts.h"
#include "ledger/calls_search.h"
#include "ledger/recordings_count.h"

enum {
  FEW_MAX = 1000,
  SEARCH_LEAST = 3, /* characters; two are enough if both are letters */
  DIGITS_AMONG_LETTERS = CALLS_SEARCH_NUMBER_LEAST
};

static void list_query_done(struct list_query *a) {
  buf_done(&a->digits);
  key_list_done(&a->keys);
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/* Copied numbers may contain direction marks and typographic spaces and hyphens: they don't count as letters. */
static bool has_letters(struct str s) {
  uint32_t code = 0;
  for (size_t at = 0, n; at < s.n; at += n) {
    n = str_utf8_at(s, at, &code);
    if (!n) return true;
    bool sign = code == 0xa0 || code == 0xad || (code >= 0x2000 && code <= 0x206f) || code == 0x2212;
    bool other = !sign && fold_digit(code) < 0;
    if (code < 0x80 ? is_letter((char)code) : other) return true;
  }
  return false;
}

static enum err search_is_pair_of_letters(struct str search, bool *ret_pair) {
  struct buf folded CLEANUP(buf_done) = BUF_INIT(2 * CALLS_LIST_SEARCH_MAX);
  uint32_t code;
  TRY(fold_text(search, FOLD_JOIN, &folded));
  struct str s = str_trim(buf_str(&folded));
  size_t first = str_utf8_at(s, 0, &code);
  *ret_pair = str_utf8_count(s) == 2 && has_letters(str_head(s, first)) && has_letters(str_skip(s, first));
  return OK;
}

bool calls_list_is_search(struct str search) {
  bool is_pair = false;
  if (search.n > CALLS_LIST_SEARCH_MAX || !str_is_utf8(search)) return false;
  return str_utf8_count(search) >= SEARCH_LEAST || (search_is_pair_of_letters(search, &is_pair) == OK && is_pair);
}

static enum err list_query_set_digits(struct list_query *a, struct str search) {
  struct buf all CLEANUP(buf_done) = BUF_INIT(CALLS_LIST_SEARCH_MAX);
  TRY(calls_search_number(search, &all));
  struct str digits = buf_str(&all);
  while (digits.n && digits.p[0] == '0') digits = str_skip(digits, 1);
  if (has_letters(search) && digits.n < DIGITS_AMONG_LETTERS) return OK;
  return buf_add(&a->digits, digits);
}

static void list_query_add_sid(struct list_query *a, struct str sid) {
  struct sid_range *r = &a->sid[a->sid_count++];
  memcpy(r->from, sid.p, sid.n);
  memcpy(r->before, sid.p, sid.n);
  r->before[sid.n] = '\x7f'; /* greater than all characters of SIDs */
}

/* Adds the search as written, and with its first two letters in capitals. */
static void list_query_set_sids(struct list_query *a, struct str search) {
  if (search.n >= SID_SIZE) return;
  for (size_t i = 0; i < search.n; i++)
    if (!is_letter(search.p[i]) && !str_is_digit(search.p[i]) && search.p[i] != '-') return;
  list_query_add_sid(a, search);
  if (!is_letter(search.p[0]) || !is_letter(search.p[1])) return;
  char capital[SID_SIZE];
  memcpy(capital, search.p, search.n);
  for (size_t i = 0; i < 2; i++) capital[i] = (char)(capital[i] & ~0x20);
  if (!str_eq(str_of(capital, search.n), search)) list_query_add_sid(a, str_of(capital, search.n));
}

static enum err list_query_set_search(struct list_query *a) {
  struct str search = a->filter->search;
  if (!search.n) return OK;
  if (!calls_list_is_search(search)) return ERR_INVALID;
  TRY(search_is_pair_of_letters(search, &a->is_pair));
  a->by_text = true;
  TRY(list_query_set_digits(a, search));
  a->is_short = a->digits.n > 0 && a->digits.n < SEARCH_LEAST;
  if (a->is_short)
    (void)snprintf(a->contains, sizeof(a->contains), "%%%.*s%%", (int)a->digits.n, a->digits.p); /* fits */
  if (!a->is_pair) list_query_set_sids(a, search);
  return OK;
}

/* ---- sources ---- */

static bool has_rare_status(const struct calls_filter *f) {
  return f->status.n && !str_eq(f->status, STR("completed"));
}

/* The list holds calls with a missing recording, which STATE gives, and calls without any. */
static bool is_missing_or_unrecorded(const struct calls_filter *f) {
  return f->by_recording_status && f->recording_status == RECORDING_MISSING && f->has_recording == CALLS_ANY;
}

enum walk { WALK_ALL, WALK_UNRECORDED, WALK_SID, WALK_SHORT };

static const char *walk_index(const struct calls_filter *f, bool unrecorded) {
  if (f->ref.n && unrecorded) return "calls_ref_unrecorded";
  if (f->ref.n) return has_rare_status(f) ? "calls_ref_status" : "calls_ref_newest";
  if (has_rare_status(f)) return "calls_not_completed";
  if (unrecorded) return f->all_legs ? "calls_unrecorded_leg" : "calls_unrecorded";
  return f->all_legs ? "calls_newest_leg" : "calls_newest";
}

static enum err list_source_walk(struct list_query *a, enum walk walk) {
  bool unrecorded = walk == WALK_UNRECORDED || a->filter->has_recording == CALLS_NO;
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(buf_addf(&s.sql, "select c.sort_at, c.call_sid, " DURATION_OF_C " from calls c indexed by %s",
               walk_index(a->filter, unrecorded)));
  TRY(sql_add_value(&s, " where c.business_id = ", DB_INT(a->business_id), ""));
  if (!a->filter->all_legs) TRY(sql_add(&s, " and c.top_sid = c.call_sid"));
  if (has_rare_status(a->filter)) TRY(sql_add(&s, " and c.status <> 'completed'"));
  if (unrecorded) TRY(sql_add(&s, " and c.unrecorded = 1"));
  if (walk == WALK_SHORT) {
    TRY(sql_add(&s, " and exists (select 1 from " LEGS_OF_C " and "));
    TRY(sql_add_short(&s, a));
    TRY(sql_add(&s, ")"));
  }
  if (walk == WALK_SID) {
    TRY(sql_add(&s, " and exists (select 1 from " LEGS_OF_C " and "));
    TRY(sql_add_sids(&s, a));
    TRY(sql_add(&s, ")"));
  }
  TRY(sql_add_filters_and_order(&s, a, true));
  return list_query_collect(a, &s);
}

/* Recordings r in the filter's state, their legs l, and the rows c in which these are shown. */
static enum err list_source_state(struct list_query *a) {
  const struct calls_filter *f = a->filter;
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "select r.listed_at, c.sort_at, c.call_sid, " DURATION_OF_C
                  " from recordings r indexed by recordings_state_newest"));
  TRY(sql_add_value(&s, " cross join calls l on l.call_sid = r.call_sid and l.business_id = ", DB_INT(a->business_id),
                    ""));
  TRY(sql_add_rows_of_l(&s, a));
  TRY(sql_add_value(&s, " where r.business_id = ", DB_INT(a->business_id), " and r.status <> 'ready'"));
  TRY(sql_add_value(&s, " and r.status = ", DB_TEXT(str_from(recording_status_name(f->recording_status))), ""));
  TRY(sql_add_place_times(&s, a, "r.listed_at"));
  TRY(sql_add_filters(&s, f, false));
  TRY(sql_add_place_order(&s, f, "r.listed_at"));
  return list_query_collect_places(a, &s, span_of(f));
}

/* The calls with a SID that begins as the search, or a recording with one: the inside of `with m(sid) as (…)`. */
static enum err sql_add_calls_with_sid(struct statement *s, const struct list_query *a) {
  for (size_t i = 0; i < a->sid_count; i++) { /* one select for each: with "or" SQLite would walk the table */
    if (i) TRY(sql_add(s, " union all "));
    TRY(sql_add_value(s, "select call_sid from calls where business_id = ", DB_INT(a->business_id), " and "));
    TRY(sql_add_sid_range(s, a, i, "call_sid"));
    TRY(sql_add_value(s, " union all select call_sid from recordings where business_id = ", DB_INT(a->business_id),
                      " and "));
    TRY(sql_add_sid_range(s, a, i, "recording_sid"));
    TRY(sql_add(s, " and +call_sid is not null")); /* the plus keeps SQLite from walking the index by call */
  }
  return OK;
}

static enum err count_is_few(struct list_query *a, bool *ret_few) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "select count(*) from (select 1 from ("));
  TRY(sql_add_calls_with_sid(&s, a));
  TRY(sql_add_value(&s, ") found limit ", DB_INT(FEW_MAX + 1), ") few"));
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(statement_query(&s, a->db, &q));
  TRY(db_next(&q));
  *ret_few = db_int(&q, 0) <= FEW_MAX;
  return OK;
}

static enum err list_source_few(struct list_query *a) {
  struct statement s CLEANUP(statement_done) = STATEMENT;
  TRY(sql_add(&s, "with m(sid) as ("));
  TRY(sql_add_calls_with_sid(&s, a));
  TRY(sql_add(&s, "), legs(sid, parent, top) as (select l.call_sid, l.parent_call_sid, l.top_sid from"));
  TRY(sql_add_value(&s, " (select distinct sid from m) d cross join calls l on l.call_sid = d.sid and l.business_id = ",
                    DB_INT(a->business_id), "), rows(sid) as (select top from legs"));
  if (a->filter->all_legs)
    TRY(sql_add_value(
        &s,
        " union select sid from legs union select parent from legs union select k.call_sid from legs cross join"
        " calls k indexed by calls_parent on k.parent_call_sid = legs.sid and k.business_id = ",
        DB_INT(a->business_id), ""));
  TRY(sql_add(&s, ") select c.sort_at, c.call_sid, " DURATION_OF_C
                  " from (select distinct sid from rows) w cross join calls c"));
  TRY(sql_add_value(&s, " on c.call_sid = w.sid and c.business_id = ", DB_INT(a->business_id), " where true"));
  if (!a->filter->all_legs) TRY(sql_add(&s, " and +c.top_sid = c.call_sid"));
  TRY(sql_add_filters_and_order(&s, a, false));
  return list_query_collect(a, &s);
}

/* ---- choosing ---- */

static bool walks_states(const struct calls_filter *f) {
  return f->by_recording_status && f->recording_status != RECORDING_READY && !f->ref.n;
}

enum source { SOURCE_STATE, SOURCE_UNRECORDED, SOURCE_STATUS, SOURCE_TIMES, SOURCE_COUNT_ };

static bool uses_source(const struct calls_filter *f, enum source source) {
  switch (source) {
    case SOURCE_STATE:
      return walks_states(f);
    case SOURCE_UNRECORDED:
      return f->has_recording == CALLS_NO;
    case SOURCE_STATUS:
      return has_rare_status(f);
    case SOURCE_TIMES:
      return f->since || f->until;
    case SOURCE_COUNT_:
      break;
  }
  return false;
}

/* Appends conditions on the rows of a source, without the filter's others. */
static enum err sql_add_source(struct statement *s, const struct list_query *a, enum source source) {
  static const char *const indexes[][2] = {[SOURCE_STATE] = {"recordings_state_newest", "recordings_state_newest"},
                                           [SOURCE_UNRECORDED] = {"calls_unrecorded", "calls_unrecorded_leg"},
                                           [SOURCE_STATUS] = {"calls_not_completed", "calls_not_completed"},
                                           [SOURCE_TIMES] = {"calls_newest", "calls_newest_leg"}};
  const struct calls_filter *f = a->filter;
  TRY(buf_addf(&s->sql, "%s c indexed by %s", source == SOURCE_STATE ? "recordings" : "calls",
               indexes[source][f->all_legs]));
  TRY(sql_add_value(s, " where c.business_id = ", DB_INT(a->business_id), ""));
  if (source == SOURCE_STATE)
    return sql_add_value(s, " and c.status <> 'ready' and c.status = ",
                         DB_TEXT(str_from(recording_status_name(f->recording_status))), "");
  if (source == SOURCE_STATUS)
    return sql_add_value(s, " and c.status <> 'completed' and c.status = ", DB_TEXT(f->status), "");
  if (!f->all_legs) TRY(sql_add(s, " and c.top_sid = c.call_sid"));
  if (source == SOURCE_UNRECORDED) return sql_add(s, " and c.unrecorded = 1");
  if (f->since) TRY(sql_add_value(s, " and c.sort_at >= ", DB_INT(f->since), ""));
  return f->until ? sql_add_value(s, " and c.sort_at < ", DB_INT(f->until), "") : OK;
}

/* How many rows the smallest source of this file has for the filter, at most few_rows + 1. A reference is of few calls. */
static enum err count_smallest_source(struct list_query *a, int64_t *ret_rows) {
  int64_t least = a->filter->ref.n ? 0 : few_rows(a->filter) + 1;
  for (enum source source = 0; source < SOURCE_COUNT_ && least; source++) {
    if (!uses_source(a->filter, source)) continue;
    struct statement s CLEANUP(statement_done) = STATEMENT;
    TRY(sql_add(&s, "select count(*) from (select 1 from "));
    TRY(sql_add_source(&s, a, source));
    TRY(sql_add_value(&s, " limit ", DB_INT(few_rows(a->filter) + 1), ") few"));
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(statement_query(&s, a->db, &q));
    TRY(db_next(&q));
    if (db_int(&q, 0) < least) least = db_int(&q, 0);
  }
  *ret_rows = least;
  return OK;
}

/* Of a state that FEW_MAX recordings have at most, and of one that few_rows have where more calls have the reference. */
static enum err state_is_smaller_than_ref(struct list_query *a, bool *ret_smaller) {
  const struct calls_filter *f = a->filter;
  TRY(recordings_are_few(a->db, a->business_id, f->recording_status, FEW_MAX, ret_smaller));
  if (*ret_smaller) return OK;
  struct statement s CLEANUP(statement_done) = STATEMENT;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(sql_add(&s, "select count(*) from (select 1 from calls c indexed by calls_ref_newest"));
  TRY(sql_add_value(&s, " where c.business_id = ", DB_INT(a->business_id), ""));
  TRY(sql_add_value(&s, " and c.ref = ", DB_TEXT(f->ref), ""));
  TRY(sql_add_value(&s, " limit ", DB_INT(few_rows(f) + 1), ") few"));
  TRY(statement_query(&s, a->db, &q));
  TRY(db_next(&q));
  if (db_int(&q, 0) <= few_rows(f)) return OK;
  return recordings_are_few(a->db, a->business_id, f->recording_status, few_rows(f), ret_smaller);
}

static enum err list_run_sources(struct list_query *a) {
  const struct calls_filter *f = a->filter;
  if (a->by_text) {
    bool few, done;
    TRY(list_source_facet_of_search(a, &done));
    if (done) return OK;
    TRY(db_kind(a->db) == DB_POSTGRES ? list_source_text_postgres(a) : list_source_text_sqlite(a));
    TRY(list_source_transcripts(a));
    if (a->is_short) TRY(list_source_walk(a, WALK_SHORT));
    if (!a->sid_count) return OK;
    TRY(count_is_few(a, &few));
    return few ? list_source_few(a) : list_source_walk(a, WALK_SID);
  }
  bool by_state = f->by_recording_status && f->recording_status != RECORDING_READY;
  if (by_state && f->ref.n) TRY(state_is_smaller_than_ref(a, &by_state));
  bool is_missing = f->recording_status == RECORDING_MISSING;             /* includes calls without a recording */
  if (by_state && f->has_recording == CALLS_NO && !is_missing) return OK; /* no call can match both */
  if (f->agent.n || f->own_number.n || f->tag.n || has_durations(f) || sorts_by_duration(f)) {
    int64_t other;
    bool done;
    TRY(count_smallest_source(a, &other));
    TRY(list_source_facets(a, other, &done));
    if (done) return OK;
  }
  if (!by_state || f->has_recording == CALLS_NO) return list_source_walk(a, WALK_ALL);
  TRY(list_source_state(a));
  if (!is_missing_or_unrecorded(f)) return OK;
  list_query_keep_needed(a);
  return list_source_walk(a, WALK_UNRECORDED);
}

enum err calls_list_count(struct db *db, int64_t business_id, const struct calls_filter *filter, int64_t *ret_total,
                          bool *ret_exact) {
  struct calls_filter f = *filter;
  f.after_key = false;
  f.sort = CALLS_NEWEST;
  struct list_query a CLEANUP(list_query_done) = {
      .db = db, .business_id = business_id, .filter = &f, .needed = CALLS_LIST_COUNT_MAX + 1};
  buf_init(&a.digits, CALLS_LIST_SEARCH_MAX);
  TRY(list_query_set_search(&a));
  enum err e = list_run_sources(&a);
  if (e != OK && e != ERR_TIMEOUT) return e;
  key_list_sort(&a.keys, f.sort);
  bool all = e == OK && a.keys.count <= CALLS_LIST_COUNT_MAX;
  *ret_total = a.keys.count <= CALLS_LIST_COUNT_MAX ? (int64_t)a.keys.count : CALLS_LIST_COUNT_MAX;
  *ret_exact = all;
  return OK;
}

enum err calls_list_page(struct db *db, int64_t business_id, const struct calls_filter *filter,
                         struct calls_key *ret_keys, size_t *ret_count, bool *ret_more) {
  if (filter->limit < 1 || filter->limit > CALLS_LIST_LIMIT_MAX || filter->offset < 0 ||
      filter->offset > CALLS_LIST_OFFSET_MAX)
    return ERR_INVALID;
  struct list_query a CLEANUP(list_query_done) = {.db = db, .business_id = business_id, .filter = filter};
  size_t offset = (size_t)filter->offset, limit = (size_t)filter->limit;
  a.needed = offset + limit + 1;
  buf_init(&a.digits, CALLS_LIST_SEARCH_MAX);
  TRY(list_query_set_search(&a));
  TRY(list_run_sources(&a));
  key_list_sort(&a.keys, filter->sort);
  size_t left = a.keys.count > offset ? a.keys.count - offset : 0;
  *ret_more = left > limit;
  *ret_count = left < limit ? left : limit;
  if (*ret_count) memcpy(ret_keys, a.keys.all + offset, *ret_count * sizeof(*ret_keys));
  return OK;
}
