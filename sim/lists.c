/* lists.c - the provider's JSON interface: single calls and recordings, and lists of them in pages.
 *
 * Invariants
 *  (1) Lists are newest first. A page's token names its last entry: the next page begins after that entry, even if newer ones
 *      came. With the fault list_shift a page is counted from the newest entry instead, so that entries that came meanwhile move
 *      it.
 *  (2) Names and types are the provider's: numbers as strings where it has strings, times as RFC 2822. */
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 1000, URI_MAX = 4096, QUERY_MAX = 4096, DAY_MS = 24 * 60 * 60 * 1000 };

#define ROOT "/" API_VERSION "/Accounts/"

/* The filters and the page that a request asks for. */
struct list_query {
  int64_t from_ms, until_ms; /* from <= t < until */
  struct str call, parent, from, to, status;
  size_t page, page_size;
  struct str after; /* SID of the last entry of the previous page; empty: first page */
  struct buf room;  /* holds the decoded values */
};

static void list_query_done(struct list_query *w) {
  buf_done(&w->room);
}

static json_t *time_json(int64_t ms) {
  char text[DATE_TEXT_SIZE];
  date_format_rfc2822(ms, text);
  return json_string(text);
}

static json_t *seconds_json(int64_t seconds) {
  return json_sprintf("%" PRId64, seconds);
}

static bool is_completed(const char *status) {
  return strcmp(status, "completed") == 0;
}

static bool is_over(const char *status) {
  static const char *const open[] = {"queued", "initiated", "ringing", "in-progress"};
  for (size_t i = 0; i < COUNT_OF(open); i++)
    if (strcmp(status, open[i]) == 0) return false;
  return true;
}

static json_t *recording_json(const struct sim *sim, const struct recording *r) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX + 200);
  const char *media = NULL;
  if (webhook_recording_url(sim, r, &url) != OK || buf_terminate(&url, &media) != OK) return NULL;
  json_t *o =
      json_pack("{ss, ss, ss*, ss*, si, so, so, so, sn, ss, so, ss, ss, ss, sn, ss}", "account_sid", sim->account,
                "api_version", API_VERSION, "call_sid", r->call_sid[0] ? r->call_sid : NULL, "conference_sid",
                r->conference_sid[0] ? r->conference_sid : NULL, "channels", (int)r->channels, "date_created",
                time_json(r->started_ms), "date_updated", time_json(r->started_ms + r->seconds * 1000), "start_time",
                time_json(r->started_ms), "price", "price_unit", "USD", "duration",
                is_completed(r->status) ? seconds_json(r->seconds) : json_string("-1"), "sid", r->sid, "source",
                r->source, "status", r->status, "encryption_details", "media_url", media);
  if (!o) return NULL;
  /* Every key is present, with null if there is no value. */
  if (!r->call_sid[0]) json_object_set_new(o, "call_sid", json_null());
  if (!r->conference_sid[0]) json_object_set_new(o, "conference_sid", json_null());
  json_object_set_new(o, "error_code", r->error_code ? json_integer(r->error_code) : json_null());
  json_object_set_new(o, "uri", json_sprintf(ROOT "%s/Recordings/%s.json", sim->account, r->sid));
  json_object_set_new(o, "subresource_uris",
                      json_pack("{so}", "transcriptions",
                                json_sprintf(ROOT "%s/Recordings/%s/Transcriptions.json", sim->account, r->sid)));
  return o;
}

static json_t *call_json(const struct sim *sim, const struct call *c) {
  bool over = is_over(c->status);
  int64_t end_ms = c->started_ms + c->seconds * 1000;
  json_t *o = json_pack(
      "{ss, ss, ss, ss, ss, ss, ss, ss, so, so, so, so, so, ss, ss, sn, sn, sn, ss, sn}", "account_sid", sim->account,
      "api_version", API_VERSION, "sid", c->sid, "from", c->from, "from_formatted", c->from, "to", c->to,
      "to_formatted", c->to, "status", c->status, "start_time", time_json(c->started_ms), "end_time",
      over ? time_json(end_ms) : json_null(), "date_created", time_json(c->started_ms), "date_updated",
      time_json(over ? end_ms : c->started_ms), "duration", over ? seconds_json(c->seconds) : json_null(), "direction",
      c->direction, "price_unit", "USD", "price", "answered_by", "forwarded_from", "queue_time", "0", "group_sid");
  if (!o) return NULL;
  json_object_set_new(o, "parent_call_sid", c->parent_sid[0] ? json_string(c->parent_sid) : json_null());
  json_object_set_new(o, "caller_name", c->caller_name ? json_string(c->caller_name) : json_null());
  json_object_set_new(o, "phone_number_sid", json_null());
  json_object_set_new(o, "trunk_sid", json_null());
  json_object_set_new(o, "annotation", json_null());
  json_object_set_new(o, "uri", json_sprintf(ROOT "%s/Calls/%s.json", sim->account, c->sid));
  json_object_set_new(
      o, "subresource_uris",
      json_pack("{so}", "recordings", json_sprintf(ROOT "%s/Calls/%s/Recordings.json", sim->account, c->sid)));
  return o;
}

/* Parses "DateCreated", "DateCreated<" or "DateCreated>" and its date or time. */
static enum err read_time_filter(struct list_query *w, struct str name, struct str base, struct str value) {
  int64_t ms;
  if (!str_starts(name, base) || value.n == 0) return OK;
  struct str sign = str_skip(name, base.n);
  TRY(date_parse_time_or_date(value, &ms));
  bool day = value.n == sizeof("2026-11-21") - 1;
  if (sign.n == 0 || str_eq(sign, STR(">"))) w->from_ms = ms;
  if (sign.n == 0 || str_eq(sign, STR("<"))) w->until_ms = ms + (day ? DAY_MS : 1);
  return OK;
}

static enum err read_parameter(struct list_query *w, bool calls, struct str name, struct str value) {
  uint64_t number;
  if (str_eq(name, STR("PageSize"))) {
    TRY(str_to_u64(value, INT32_MAX, &number));
    w->page_size = number < 1 ? 1 : number > PAGE_MAX ? PAGE_MAX : (size_t)number;
  } else if (str_eq(name, STR("Page"))) {
    TRY(str_to_u64(value, INT32_MAX, &number));
    w->page = (size_t)number;
  } else if (str_eq(name, STR("PageToken"))) {
    w->after = str_skip(value, 2); /* "PA" and the SID */
  } else if (str_eq(name, STR("CallSid"))) {
    w->call = value;
  } else if (str_eq(name, STR("ParentCallSid"))) {
    w->parent = value;
  } else if (str_eq(name, STR("From"))) {
    w->from = value;
  } else if (str_eq(name, STR("To"))) {
    w->to = value;
  } else if (str_eq(name, STR("Status"))) {
    w->status = value;
  } else {
    return read_time_filter(w, name, calls ? STR("StartTime") : STR("DateCreated"), value);
  }
  return OK;
}

static enum err list_query_read(struct list_query *w, bool calls, struct str query) {
  struct http_form form = {.rest = query};
  struct str name, value;
  enum err e;
  w->from_ms = INT64_MIN;
  w->until_ms = INT64_MAX;
  w->page_size = PAGE_DEFAULT;
  TRY(buf_reserve(&w->room, query.n + 1));
  while ((e = http_form_next(&form, &w->room, &name, &value)) == OK) TRY(read_parameter(w, calls, name, value));
  return e == ERR_NOT_FOUND ? OK : e;
}

static bool filter_matches(struct str wanted, const char *have) {
  return wanted.n == 0 || str_eq(wanted, str_from(have));
}

static bool call_matches(const struct list_query *w, const struct call *c) {
  return c->started_ms >= w->from_ms && c->started_ms < w->until_ms && filter_matches(w->parent, c->parent_sid) &&
         filter_matches(w->from, c->from) && filter_matches(w->to, c->to) && filter_matches(w->status, c->status);
}

static bool recording_matches(const struct list_query *w, const struct recording *r) {
  return r->started_ms >= w->from_ms && r->started_ms < w->until_ms && filter_matches(w->call, r->call_sid) &&
         strcmp(r->status, "deleted") != 0;
}

/* Appends the URI of another page with the same filters. */
static enum err add_uri(const struct http_request *r, size_t page, size_t page_size, const char *after, struct buf *b) {
  struct str rest = r->query, pair;
  TRY(buf_add(b, r->path));
  TRY(buf_addf(b, "?PageSize=%zu&Page=%zu", page_size, page));
  if (after) TRY(buf_addf(b, "&PageToken=PA%s", after));
  while (rest.n > 0) {
    (void)str_cut(rest, '&', &pair, &rest);
    if (pair.n == 0 || str_starts(pair, STR("Page"))) continue;
    TRY(buf_add_char(b, '&'));
    TRY(buf_add(b, pair));
  }
  return OK;
}

static json_t *uri_json(const struct http_request *r, size_t page, size_t page_size, const char *after) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(URI_MAX);
  if (add_uri(r, page, page_size, after, &b) != OK) return NULL;
  return json_stringn(b.p, b.n);
}

/* Collects the matching entries of one page, newest first. */
static json_t *lists_collect(const struct sim *sim, const struct list_query *w, bool calls, const char **ret_last,
                             bool *ret_more) {
  json_t *entries = json_array();
  const struct store *s = &sim->store;
  size_t skip = w->after.n > 0 ? 0 : w->page * w->page_size;
  bool begun = w->after.n == 0;
  *ret_more = false;
  for (size_t i = calls ? s->call_count : s->recording_count; entries && i-- > 0;) {
    const char *sid = calls ? s->calls[i]->sid : s->recordings[i]->sid;
    if (!begun) {
      begun = str_eq(w->after, str_from(sid)); /* (1) */
      continue;
    }
    if (calls ? !call_matches(w, s->calls[i]) : !recording_matches(w, s->recordings[i])) continue;
    if (skip > 0) {
      skip--;
      continue;
    }
    if (json_array_size(entries) == w->page_size) {
      *ret_more = true;
      break;
    }
    json_t *entry = calls ? call_json(sim, s->calls[i]) : recording_json(sim, s->recordings[i]);
    if (json_array_append_new(entries, entry) != 0) {
      json_decref(entries);
      return NULL;
    }
    *ret_last = sid;
  }
  return entries;
}

/* True if a fault answered the request. */
static bool lists_fault(struct sim *sim, struct http_exchange *x, const struct list_query *w) {
  int64_t unused;
  if (faults_take(&sim->faults, FAULT_LIST_429, &unused))
    answer_api_error(x, API_BUSY, true);
  else if (faults_take(&sim->faults, FAULT_LIST_500, &unused))
    answer_api_error(x, API_BROKEN, true);
  else if (w->page && faults_take(&sim->faults, FAULT_LIST_GONE, &unused))
    answer_api_error(x, API_NOT_FOUND, true);
  else
    return false;
  return true;
}

static void answer_page(struct sim *sim, struct http_exchange *x, const struct list_query *w, bool calls) {
  const struct http_request *r = http_request(x);
  const char *last = NULL;
  int64_t unused;
  bool more, shifts = faults_take(&sim->faults, FAULT_LIST_SHIFT, &unused);
  json_t *entries = lists_collect(sim, w, calls, &last, &more);
  size_t count = json_array_size(entries), start = w->page * w->page_size;
  json_t *page = json_pack(
      "{so, si, si, si, si, so, so, sn}", calls ? "calls" : "recordings", entries, "page", (int)w->page, "page_size",
      (int)w->page_size, "start", (int)start, "end", (int)(count ? start + count - 1 : start), "first_page_uri",
      uri_json(r, 0, w->page_size, NULL), "uri", uri_json(r, w->page, w->page_size, NULL), "previous_page_uri");
  if (page)
    json_object_set_new(page, "next_page_uri",
                        more ? uri_json(r, w->page + 1, w->page_size, shifts ? NULL : last) : json_null());
  answer_json(x, 200, page);
}

static void lists_answer(struct sim *sim, struct http_exchange *x, const struct http_match *match, bool calls) {
  struct list_query w CLEANUP(list_query_done) = {.room = BUF_INIT(QUERY_MAX)};
  if (!answer_authorized(sim, x, match->params[0], true)) return;
  if (list_query_read(&w, calls, http_request(x)->query) != OK) {
    answer_api_error(x, API_BAD_REQUEST, true);
    return;
  }
  if (match->param_count > 1) w.call = match->params[1];
  sim->lists++;
  if (lists_fault(sim, x, &w)) return;
  answer_page(sim, x, &w, calls);
}

void lists_calls(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  lists_answer(sim, x, match, true);
}

void lists_recordings(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  lists_answer(sim, x, match, false);
}

void lists_call_recordings(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  lists_answer(sim, x, match, false);
}

/* The SID in "{sid}.json". */
static struct str sid_of(struct str name) {
  return str_ends(name, STR(".json")) ? str_head(name, name.n - 5) : STR_NONE;
}

void lists_call(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  if (!answer_authorized(sim, x, match->params[0], true)) return;
  const struct call *c = store_find_call(&sim->store, sid_of(match->params[1]));
  if (c)
    answer_json(x, 200, call_json(sim, c));
  else
    answer_api_error(x, API_NOT_FOUND, true);
}

void lists_account(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  if (!answer_authorized(sim, x, sid_of(match->params[0]), true)) return;
  answer_json(
      x, 200,
      json_pack("{ss, ss, ss, ss, sn, so}", "sid", sim->account, "status", "active", "type", "Full", "friendly_name",
                "Simulated", "owner_account_sid", "uri", json_sprintf(ROOT "%s.json", sim->account)));
}

void lists_recording(struct sim *sim, struct http_exchange *x, const struct recording *r) {
  struct buf room CLEANUP(buf_done) = BUF_INIT(QUERY_MAX);
  struct str value = STR_NONE;
  bool soft = http_query_get(http_request(x)->query, STR("IncludeSoftDeleted"), &room, &value) == OK &&
              str_eq_nocase(value, STR("true"));
  if ((strcmp(r->status, "deleted") == 0 && !soft) || deletion_is_over(r))
    answer_api_error(x, API_NOT_FOUND, true);
  else
    answer_json(x, 200, recording_json(sim, r));
}
