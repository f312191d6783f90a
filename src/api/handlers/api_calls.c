/* api_calls.c - GET /api/calls and GET /api/calls/{call_sid}.
 *
 * Both only read: they never queue a recording and never contact the provider. */
#include "api/handlers/api_calls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/events/api_event_feed.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_status_answer.h"
#include "api/request/problem.h"
#include "domain/call_view.h"

/* ---- what both requests have in common ---- */

struct calls_query {
  struct db_call db_call;
  struct access_snapshot *access; /* held: its businesses' own numbers tell the customer's number from them */
  struct calls_filter filter;
  struct buf query; /* holds the texts that filter points into */
  char call_sid[SID_SIZE];
  int64_t change; /* of the list: the event feed's newest when it began; 0: not known */
  struct buf json;
};

/* db_call is the first member. */
static struct calls_query *calls_query_of(struct db_call *c) {
  return (struct calls_query *)(void *)c;
}

static struct calls_query *calls_query_new(const struct api_request *req) {
  struct calls_query *q = calloc(1, sizeof(*q));
  if (!q) return NULL;
  db_call_begin(&q->db_call, req);
  q->access = access_ref(req->loop->access);
  q->filter = (struct calls_filter)CALL_VIEW_FILTER;
  buf_init(&q->query, req->request->query.n + 1);
  buf_init(&q->json, CALL_VIEW_JSON_MAX);
  return q;
}

static void calls_query_free(struct calls_query *q) {
  db_call_end(&q->db_call);
  access_unref(q->access);
  buf_done(&q->query);
  buf_done(&q->json);
  free(q);
}

static void calls_on_json(struct db_call *c) {
  struct calls_query *q = calls_query_of(c);
  struct http_fields f;
  answer_fields(&f);
  if (c->result == OK && q->change) http_fieldf(&f, STR("Callreel-Change"), "%" PRId64, q->change);
  if (c->result == OK)
    db_call_answer_large(c, &f, STR("application/json"), buf_str(&q->json));
  else if (c->result == ERR_INVALID)
    problem_answer_field(c->x, STR("search"));
  else
    problem_answer_err(c->x, c->result);
  calls_query_free(q);
}

static void calls_begin_read(struct calls_query *q, enum err (*run)(struct db *db, struct db_call *c)) {
  enum err e = db_call_read(&q->db_call, run, calls_on_json);
  if (e == OK) return;
  problem_answer_err(q->db_call.x, e);
  calls_query_free(q);
}

/* ---- the list ---- */

static enum err calls_read_list(struct db *db, struct db_call *c) {
  struct calls_query *q = calls_query_of(c);
  const struct access_business *b = access_find_business(q->access, c->subject.business_id);
  const struct status_view view = status_view_of(c->api, c->subject.business_id, c->now);
  return call_view_list(db, c->subject.business_id, &q->filter, b ? b->numbers : NULL, b ? b->number_count : 0, &view,
                        &q->json);
}

/* The change's number is taken before the list is read: an event stream that begins after it misses nothing. */
static void calls_begin_list(struct calls_query *q) {
  q->change = event_feed_newest(q->db_call.api->event_feed);
  calls_begin_read(q, calls_read_list);
}

/* Whether the name is one of *seen already: a parameter that is given twice. An empty value is none. */
static bool is_given_again(struct str name, struct str value, uint32_t *seen) {
  int number = value.n ? call_view_param_number(name) : -1;
  uint32_t bit = number < 0 ? 0 : 1u << number;
  bool again = (*seen & bit) != 0;
  *seen |= bit;
  return again;
}

bool calls_parse_filter(struct http_exchange *x, struct str query, struct buf *texts, struct calls_filter *ret_filter) {
  struct http_form form = {.rest = query};
  struct str name, value;
  uint32_t seen = 0;
  enum err e = query.n ? buf_reserve(texts, query.n) : OK;
  while (e == OK && (e = http_form_next(&form, texts, &name, &value)) == OK) {
    if (!is_given_again(name, value, &seen) && call_view_param(ret_filter, name, value) == OK) continue;
    problem_answer_field(x, name);
    return false;
  }
  const char *wrong = e == ERR_NOT_FOUND ? call_view_check(ret_filter) : e == ERR_INVALID ? "the query" : NULL;
  if (wrong)
    problem_answer_field(x, str_from(wrong));
  else if (e != ERR_NOT_FOUND)
    problem_answer_err(x, e);
  return !wrong && e == ERR_NOT_FOUND;
}

void api_list_calls(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct calls_query *q = calls_query_new(req);
  if (!q)
    problem_answer_err(x, ERR_NOMEM);
  else if (calls_parse_filter(x, req->request->query, &q->query, &q->filter))
    calls_begin_list(q);
  else
    calls_query_free(q);
}

/* ---- one call ---- */

enum err calls_write_one(struct db *db, const struct db_call *c, const struct access_snapshot *access,
                         const char *call_sid, struct buf *b) {
  const struct access_business *business = access_find_business(access, c->subject.business_id);
  const struct status_view view = status_view_of(c->api, c->subject.business_id, c->now);
  return call_view_one(db, c->subject.business_id, str_from(call_sid), business ? business->numbers : NULL,
                       business ? business->number_count : 0, &view, b);
}

static enum err calls_read_one(struct db *db, struct db_call *c) {
  struct calls_query *q = calls_query_of(c);
  return calls_write_one(db, c, q->access, q->call_sid, &q->json);
}

void api_get_call(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_CALL)) return;
  struct calls_query *q = calls_query_new(req);
  if (!q) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  memcpy(q->call_sid, req->id, sizeof(q->call_sid));
  calls_begin_read(q, calls_read_one);
}
