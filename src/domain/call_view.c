/* call_view.c - writes pages of calls. A page takes four queries, however long it is: its keys, how many of them fit,
 * all their legs, and all their recordings.
 *
 * Invariants
 *  (1) A page is read in one transaction, so its rows, legs and recordings are of one moment.
 *  (2) A page ends early, with a cursor, before its legs or recordings exceed CALLS_LIST_LEGS_MAX; they are counted
 *      before they are read. If a single call has more, only the first are shown.
 *  (3) Rows of one tree may each show the same recordings. A page ends before the row with which it would show more
 *      than CALLS_LIST_LEGS_MAX of them, but has at least one row.
 *  (4) The connection's deadline also holds between queries: it is checked before each row. */
#include "domain/call_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "domain/call_matches.h"
#include "domain/call_page.h"
#include "domain/status.h"

#define DURATION_MAX_S ((int64_t)1000 * 86400)
enum { COUNT_MS = 700 };

/* ---- parameters ---- */

static bool is_one_of(struct str value, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(value, str_from(words[i]))) return true;
  return false;
}

static enum err set_status(struct calls_filter *f, struct str value) {
  static const char *const known[] = {"queued",    "initiated", "ringing", "answered",  "in-progress",
                                      "completed", "busy",      "failed",  "no-answer", "canceled"};
  if (!is_one_of(value, known, COUNT_OF(known))) return ERR_INVALID;
  f->status = value;
  return OK;
}

static enum err set_direction(struct calls_filter *f, struct str value) {
  static const char *const known[] = {"inbound", "outbound"};
  if (!is_one_of(value, known, COUNT_OF(known))) return ERR_INVALID;
  f->direction = value;
  return OK;
}

static enum err set_recording_status(struct calls_filter *f, struct str value) {
  TRY(recording_status_of(value, &f->recording_status));
  f->by_recording_status = true;
  return OK;
}

static enum err set_has_recording(struct calls_filter *f, struct str value) {
  static const char *const yes[] = {"true", "1", "yes"}, *const no[] = {"false", "0", "no"};
  if (is_one_of(value, yes, COUNT_OF(yes)))
    f->has_recording = CALLS_YES;
  else if (is_one_of(value, no, COUNT_OF(no)))
    f->has_recording = CALLS_NO;
  else
    return ERR_INVALID;
  return OK;
}

/* `since` before 1970 is no limit (0). `until` before 1970 becomes 1, and no call is older than that. */
static enum err set_since(struct calls_filter *f, struct str value) {
  int64_t at;
  TRY(date_parse_time_or_date(value, &at));
  f->since = at > 0 ? at : 0;
  return OK;
}
static enum err set_until(struct calls_filter *f, struct str value) {
  int64_t at;
  TRY(date_parse_time_or_date(value, &at));
  f->until = at > 1 ? at : 1;
  return OK;
}

static enum err set_search(struct calls_filter *f, struct str value) {
  f->search = str_trim(value);
  return calls_list_is_search(f->search) ? OK : ERR_INVALID;
}

static enum err set_text(struct str *text, struct str value, size_t characters_max) {
  *text = value;
  return str_is_utf8(value) && str_utf8_count(value) <= characters_max ? OK : ERR_INVALID;
}
static enum err set_ref(struct calls_filter *f, struct str value) {
  return set_text(&f->ref, value, CALL_NAME_MAX);
}
static enum err set_agent(struct calls_filter *f, struct str value) {
  return set_text(&f->agent, value, CALL_NAME_MAX);
}
static enum err set_own_number(struct calls_filter *f, struct str value) {
  return set_text(&f->own_number, value, CALL_NAME_MAX);
}
static enum err set_tag(struct calls_filter *f, struct str value) {
  return set_text(&f->tag, value, CALL_TAG_MAX);
}

static enum err set_min_duration(struct calls_filter *f, struct str value) {
  return str_to_i64(value, 0, DURATION_MAX_S, &f->min_duration_s);
}
static enum err set_max_duration(struct calls_filter *f, struct str value) {
  f->by_max_duration = true;
  return str_to_i64(value, 0, DURATION_MAX_S, &f->max_duration_s);
}

static const char *const sort_names[] = {[CALLS_NEWEST] = "-started_at",
                                         [CALLS_OLDEST] = "started_at",
                                         [CALLS_LONGEST] = "-duration",
                                         [CALLS_SHORTEST] = "duration"};

static enum err set_sort(struct calls_filter *f, struct str value) {
  for (size_t i = 0; i < COUNT_OF(sort_names); i++) {
    if (!str_eq(value, str_from(sort_names[i]))) continue;
    f->sort = (enum calls_sort)i;
    return OK;
  }
  return ERR_INVALID;
}

static enum err set_count(struct calls_filter *f, struct str value) {
  f->count = str_eq(value, STR("1"));
  return f->count || str_eq(value, STR("0")) ? OK : ERR_INVALID;
}

static enum err set_limit(struct calls_filter *f, struct str value) {
  uint64_t limit;
  TRY(str_to_u64(value, CALLS_LIST_LIMIT_MAX, &limit));
  f->limit = (int)limit;
  return limit ? OK : ERR_INVALID;
}

static enum err set_offset(struct calls_filter *f, struct str value) {
  uint64_t offset;
  TRY(str_to_u64(value, CALLS_LIST_OFFSET_MAX, &offset));
  f->offset = (int64_t)offset;
  return OK;
}

static enum err set_legs(struct calls_filter *f, struct str value) {
  f->all_legs = str_eq(value, STR("all"));
  return f->all_legs || str_eq(value, STR("top")) ? OK : ERR_INVALID;
}

/* A cursor is base64url of "{sort_at}.{call_sid}" of the last row on the page, in the default order; in another order of
 * "{sort}{duration}.{sort_at}.{call_sid}" with a letter for the order, so that it can't be used in a wrong one. */
static const char cursor_letters[] = {
    [CALLS_NEWEST] = '\0', [CALLS_OLDEST] = 'o', [CALLS_LONGEST] = 'l', [CALLS_SHORTEST] = 's'};

static bool cut_sort(struct str *text, enum calls_sort *ret_sort) {
  for (size_t i = CALLS_OLDEST; i < COUNT_OF(cursor_letters); i++) {
    if (!text->n || text->p[0] != cursor_letters[i]) continue;
    *ret_sort = (enum calls_sort)i;
    *text = str_skip(*text, 1);
    return true;
  }
  *ret_sort = CALLS_NEWEST;
  return false;
}

static enum err set_cursor(struct calls_filter *f, struct str value) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(128);
  if (value.n > 128 || base64url_decode(&text, value) != OK) return ERR_INVALID;
  struct str rest = buf_str(&text), at, sid;
  struct calls_key key = {.sort_at = 0};
  if (cut_sort(&rest, &f->after_sort)) {
    if (!str_cut(rest, '.', &at, &rest)) return ERR_INVALID;
    TRY(str_to_i64(at, -1, DURATION_MAX_S, &key.duration_s));
  }
  if (!str_cut(rest, '.', &at, &sid) || !sid.n || !str_is_utf8(sid)) return ERR_INVALID;
  TRY(str_to_i64(at, 0, INT64_MAX - 1, &key.sort_at));
  if (str_copy(key.call_sid, sizeof(key.call_sid), sid) != OK) return ERR_INVALID;
  f->after = key;
  f->after_key = true;
  return OK;
}

static enum err add_cursor(struct buf *b, const struct calls_key *key, enum calls_sort sort) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(128);
  if (sort != CALLS_NEWEST) TRY(buf_addf(&text, "%c%lld.", cursor_letters[sort], (long long)key->duration_s));
  TRY(buf_addf(&text, "%lld.%s", (long long)key->sort_at, key->call_sid));
  TRY(buf_add_char(b, '"'));
  TRY(base64url_encode(b, (const uint8_t *)text.p, text.n));
  return buf_add_char(b, '"');
}

static const struct {
  const char *name;
  bool or_all; /* the value `all` means no filter */
  enum err (*set)(struct calls_filter *f, struct str value);
} params[] = {
    {"search", false, set_search},
    {"status", true, set_status},
    {"recording_status", true, set_recording_status},
    {"since", false, set_since},
    {"until", false, set_until},
    {"has_recording", true, set_has_recording},
    {"ref", false, set_ref},
    {"direction", true, set_direction},
    {"limit", false, set_limit},
    {"offset", false, set_offset},
    {"cursor", false, set_cursor},
    {"legs", false, set_legs},
    {"agent", false, set_agent},
    {"own_number", false, set_own_number},
    {"tag", false, set_tag},
    {"min_duration", false, set_min_duration},
    {"max_duration", false, set_max_duration},
    {"sort", false, set_sort},
    {"count", false, set_count},
};

_Static_assert(COUNT_OF(params) <= 32, "call_view_param_number");

int call_view_param_number(struct str name) {
  for (size_t i = 0; i < COUNT_OF(params); i++)
    if (str_eq(name, str_from(params[i].name))) return (int)i;
  return -1;
}

enum err call_view_param(struct calls_filter *f, struct str name, struct str value) {
  int i = call_view_param_number(name);
  if (i < 0 || !value.n || (params[i].or_all && str_eq(value, STR("all")))) return OK;
  return params[i].set(f, value) == OK ? OK : ERR_INVALID;
}

const char *call_view_check(const struct calls_filter *f) {
  return f->after_key && f->after_sort != f->sort ? "cursor" : NULL;
}

/* ---- JSON ---- */

struct call_view_options {
  const struct str *own_numbers;
  size_t own_count;
  const struct status_view *status;
  const struct transcript_query *query; /* of a list with a search; NULL: rows have no matches */
};

/* shown: how many recordings call_page_recordings wrote to p->shown. legs: the call_sids of its other legs, or NULL. */
static enum err write_call(struct buf *b, const struct call_page *p, const struct call_leg *leg, size_t shown,
                           const struct str *legs, size_t leg_count, const struct call_view_options *v) {
  const struct call_leg *top = leg->top, *child = top->first_child;
  const struct status_call s = {
      .call = leg->call,
      .top = top->call,
      .customer_number = status_customer_number(top->call, child ? child->call : NULL, v->own_numbers, v->own_count),
      .recordings = p->shown,
      .recording_count = shown,
      .legs = legs,
      .leg_count = leg_count,
  };
  return status_write_call(b, &s, v->status);
}

/* The recordings of the row are in p->shown. */
static enum err write_matches(struct db *db, struct buf *b, const struct call_page *p, const struct call_leg *leg,
                              size_t shown, const struct call_view_options *v) {
  if (!v->query) return OK;
  b->n--; /* the brace at the end of the call */
  TRY(buf_add(b, STR(",\"matches\":")));
  TRY(call_matches_write(db, leg->call->business_id, v->query, p->shown, shown, b));
  return buf_add_char(b, '}');
}

/* Writes the rows of *count keys; fewer, and sets *count and *more, if they would show too many recordings (3). */
static enum err write_rows(struct db *db, struct call_page *p, const struct calls_key *keys, size_t *count, bool *more,
                           const struct call_view_options *v, struct buf *b) {
  size_t shown = 0;
  bool first = true;
  for (size_t i = 0; i < *count; i++) {
    TRY(db_in_time(db)); /* (4) */
    const struct call_leg *leg = call_page_find(p, keys[i].call_sid);
    if (!leg) continue; /* only beyond the limit of legs (2) */
    size_t recordings = call_page_recordings(p, leg);
    if (!first && shown + recordings > CALLS_LIST_LEGS_MAX) {
      *count = i;
      *more = true;
      return OK;
    }
    shown += recordings;
    if (!first) TRY(buf_add_char(b, ','));
    first = false;
    TRY(write_call(b, p, leg, recordings, NULL, 0, v));
    TRY(write_matches(db, b, p, leg, recordings, v));
  }
  return OK;
}

/* The count has COUNT_MS at most; a longer one gives a lower bound. */
static enum err write_total(struct db *db, int64_t business_id, const struct calls_filter *f, size_t shown, bool more,
                            struct buf *b) {
  int64_t total = f->offset + (int64_t)shown;
  bool exact = !more && !f->after_key && (shown || !f->offset);
  if (!exact) {
    int64_t counted;
    db_deadline_sooner(db, clock_mono_ms() + COUNT_MS);
    TRY(calls_list_count(db, business_id, f, &counted, &exact));
    if (counted > total || exact) total = counted;
  }
  TRY(buf_addf(b, ",\"total\":%lld", (long long)total));
  return buf_addf(b, ",\"total_is_exact\":%s", exact ? "true" : "false");
}

static enum err write_page(struct db *db, int64_t business_id, const struct calls_filter *f,
                           const struct call_view_options *v, struct buf *b) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct call_page p CLEANUP(call_page_done) = CALL_PAGE;
  size_t count = 0;
  bool more = false;
  TRY(calls_list_page(db, business_id, f, keys, &count, &more));
  size_t listed = count;
  TRY(calls_list_fit(db, business_id, keys, listed, &count)); /* (2) */
  more = more || count < listed;
  TRY(call_page_read(db, business_id, keys, count, &p));
  TRY(buf_add(b, STR("{\"calls\":[")));
  TRY(write_rows(db, &p, keys, &count, &more, v, b));
  TRY(buf_add(b, STR("],\"next_cursor\":")));
  TRY(more && count ? add_cursor(b, &keys[count - 1], f->sort) : buf_add(b, STR("null")));
  if (f->count) TRY(write_total(db, business_id, f, count, more, b));
  return buf_add_char(b, '}');
}

enum err call_view_list(struct db *db, int64_t business_id, const struct calls_filter *f, const struct str *own_numbers,
                        size_t own_count, const struct status_view *status_view, struct buf *b) {
  struct transcript_query query;
  if (f->search.n) TRY(transcript_query_parse(f->search, &query));
  const struct call_view_options v = {own_numbers, own_count, status_view, f->search.n ? &query : NULL};
  enum err e = db_begin(db); /* (1) */
  if (e == OK) e = write_page(db, business_id, f, &v, b);
  db_rollback(db);
  return e;
}

static void free_texts(struct str **texts) {
  free(*texts);
}

static enum err write_one(struct db *db, int64_t business_id, struct str call_sid, const struct call_view_options *v,
                          struct buf *b) {
  char sid[SID_SIZE];
  struct call_page p CLEANUP(call_page_done) = CALL_PAGE;
  if (str_copy(sid, sizeof(sid), call_sid) != OK) return ERR_NOT_FOUND;
  TRY(call_page_read_one(db, business_id, sid, &p));
  const struct call_leg *leg = call_page_find(&p, sid);
  if (!leg) return ERR_NOT_FOUND;
  size_t shown = call_page_recordings(&p, leg), related = call_page_related(&p, leg);
  struct str *legs CLEANUP(free_texts) = calloc(related + 1, sizeof(*legs));
  if (!legs) return ERR_NOMEM;
  for (size_t i = 0; i < related; i++) legs[i] = str_from(p.related[i]->call->call_sid);
  return write_call(b, &p, leg, shown, legs, related, v);
}

enum err call_view_one(struct db *db, int64_t business_id, struct str call_sid, const struct str *own_numbers,
                       size_t own_count, const struct status_view *status_view, struct buf *b) {
  const struct call_view_options v = {own_numbers, own_count, status_view, NULL};
  if (db_in_transaction(db)) return write_one(db, business_id, call_sid, &v, b);
  TRY(db_begin(db)); /* (1) */
  enum err e = write_one(db, business_id, call_sid, &v, b);
  db_rollback(db);
  return e;
}
