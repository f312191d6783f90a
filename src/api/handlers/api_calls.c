/* api_calls.c - lists of calls, and one. Looks only: a page of calls never asks the provider for anything. */
#include "api/handlers/api_calls.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_status_answer.h"
#include "api/request/problem.h"
#include "domain/call_view.h"

/* ---- who looks ---- */

struct calls_look {
  struct db_call db_call;
  struct access_snapshot *access; /* held: the business's numbers */
  struct calls_filter filter;
  struct buf query; /* the filter's texts */
  char call_sid[SID_SIZE];
  struct buf json;
};

static struct calls_look *look_of(struct db_call *e) {
  return (struct calls_look *)(void *)e;
} /* its first member */

static struct calls_look *look_new(const struct api_request *v) {
  struct calls_look *l = calloc(1, sizeof(*l));
  if (!l) return NULL;
  db_call_begin(&l->db_call, v);
  l->access = access_ref(v->loop->access);
  l->filter = (struct calls_filter)CALL_VIEW_FILTER;
  buf_init(&l->query, v->request->query.n + 1);
  buf_init(&l->json, CALL_VIEW_JSON_MAX);
  return l;
}

static void look_free(struct calls_look *l) {
  db_call_end(&l->db_call);
  access_unref(l->access);
  buf_done(&l->query);
  buf_done(&l->json);
  free(l);
}

static void looked(struct db_call *e) {
  struct calls_look *l = look_of(e);
  struct http_fields f;
  answer_fields(&f);
  if (e->result == OK)
    db_call_answer_large(e, &f, STR("application/json"), buf_str(&l->json));
  else if (e->result == ERR_INVALID)
    problem_answer_field(e->x, STR("search"));
  else
    problem_answer_err(e->x, e->result);
  look_free(l);
}

static void begin(struct calls_look *l, enum err (*run)(struct db *db, struct db_call *e)) {
  enum err e = db_call_read(&l->db_call, run, looked);
  if (e == OK) return;
  problem_answer_err(l->db_call.x, e);
  look_free(l);
}

/* ---- the list ---- */

static enum err run_list(struct db *db, struct db_call *e) {
  struct calls_look *l = look_of(e);
  const struct access_business *b = access_find_business(l->access, e->subject.business_id);
  const struct status_view view = status_view_of(e->api, e->now);
  return call_view_list(db, e->subject.business_id, &l->filter, b ? b->numbers : NULL, b ? b->number_count : 0, &view,
                        &l->json);
}

/* False: 400 was answered. */
static bool read_filter(struct calls_look *l, struct str query) {
  struct http_form form = {query};
  struct str name, value;
  enum err e = query.n ? buf_reserve(&l->query, query.n) : OK;
  while (e == OK && (e = http_form_next(&form, &l->query, &name, &value)) == OK) {
    if (call_view_param(&l->filter, name, value) == OK) continue;
    problem_answer_field(l->db_call.x, name);
    return false;
  }
  if (e == ERR_NOT_FOUND) return true;
  if (e == ERR_INVALID)
    problem_answer_field(l->db_call.x, STR("the query"));
  else
    problem_answer_err(l->db_call.x, e);
  return false;
}

void api_list_calls(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  struct calls_look *l = look_new(v);
  if (!l)
    problem_answer_err(x, ERR_NOMEM);
  else if (read_filter(l, v->request->query))
    begin(l, run_list);
  else
    look_free(l);
}

/* ---- one ---- */

enum err calls_look_one(struct db *db, const struct db_call *e, const struct access_snapshot *access,
                        const char *call_sid, struct buf *b) {
  const struct access_business *business = access_find_business(access, e->subject.business_id);
  const struct status_view view = status_view_of(e->api, e->now);
  return call_view_one(db, e->subject.business_id, str_from(call_sid), business ? business->numbers : NULL,
                       business ? business->number_count : 0, &view, b);
}

static enum err run_one(struct db *db, struct db_call *e) {
  struct calls_look *l = look_of(e);
  return calls_look_one(db, e, l->access, l->call_sid, &l->json);
}

void api_get_call(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  if (!request_id(v, ID_CALL)) return;
  struct calls_look *l = look_new(v);
  if (!l) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  memcpy(l->call_sid, v->id, sizeof(l->call_sid));
  begin(l, run_one);
}
