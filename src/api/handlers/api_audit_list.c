/* api_audit_list.c - GET /api/audit and /api/audit.csv: who did what in this business, the newest first. */
#include <stdlib.h>

#include "api/handlers/api_csv_export.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "domain/audit_view.h"
#include "http/accept.h"
#include "ledger/audit_list.h"

enum { LIMIT_DEFAULT = 25, LIMIT_MAX = 500, NUMBER_SIZE = 48, TIME_SIZE = 64, CSV_ROWS = 500 };

struct audit_request {
  struct db_call db_call; /* of JSON; CSV has its own */
  struct audit_filter filter;
  char actor[AUDIT_ACTOR_SIZE], action[AUDIT_ACTION_SIZE], object[AUDIT_OBJECT_SIZE];
  int wanted, count; /* rows of a page */
  int64_t last_number;
  struct buf json, *page;
};

static void audit_request_free(void *arg) {
  struct audit_request *r = arg;
  buf_done(&r->json);
  free(r);
}

/* ---- reading: one row more than the page, to know whether there are more ---- */

static bool audit_take_row(struct audit_request *r, const struct audit_row *row) {
  if (r->count++ == r->wanted) return false;
  r->last_number = row->number;
  return true;
}

static enum err audit_read_rows(struct db *db, const struct db_call *c, struct audit_request *r, audit_each_fn *fn,
                                bool *ret_more) {
  r->count = 0;
  r->filter.limit = r->wanted + 1;
  TRY(audit_list(db, c->subject.business_id, &r->filter, fn, r));
  *ret_more = r->count > r->wanted;
  r->filter.after_number = r->last_number;
  return OK;
}

static enum err audit_add_json(void *arg, const struct audit_row *row) {
  struct audit_request *r = arg;
  if (!audit_take_row(r, row)) return OK;
  if (r->count > 1) TRY(buf_add_char(&r->json, ','));
  return audit_view_json(&r->json, row);
}

static enum err audit_read_json(struct db *db, struct db_call *c) {
  struct audit_request *r = (struct audit_request *)(void *)c; /* db_call is the first member */
  bool more;
  TRY(buf_add(&r->json, STR("{\"entries\":[")));
  TRY(audit_read_rows(db, c, r, audit_add_json, &more));
  if (!more) return buf_add(&r->json, STR("],\"next\":null}"));
  return buf_addf(&r->json, "],\"next\":\"%lld\"}", (long long)r->last_number);
}

static enum err audit_add_csv(void *arg, const struct audit_row *row) {
  struct audit_request *r = arg;
  return audit_take_row(r, row) ? audit_view_csv(r->page, row) : OK;
}

static enum err audit_read_csv(struct db *db, const struct db_call *c, void *arg, bool is_first, struct buf *page,
                               bool *ret_more) {
  struct audit_request *r = arg;
  r->page = page;
  if (is_first) TRY(audit_view_csv_head(page));
  return audit_read_rows(db, c, r, audit_add_csv, ret_more);
}

/* ---- parameters; false: 400 was answered ---- */

static bool audit_read_time(struct api_request *req, const char *name, int64_t *ret_ms) {
  char text[TIME_SIZE];
  if (!request_query(req, name, text, sizeof(text))) return false;
  if (!text[0] || date_parse_time_or_date(str_from(text), ret_ms) == OK) return true;
  problem_answer_field(req->x, str_from(name));
  return false;
}

static bool audit_read_limit(struct api_request *req, int *ret_limit) {
  char text[NUMBER_SIZE];
  uint64_t limit = LIMIT_DEFAULT;
  if (!request_query(req, "limit", text, sizeof(text))) return false;
  if (text[0] && (str_to_u64(str_from(text), LIMIT_MAX, &limit) != OK || limit == 0)) {
    problem_answer_field(req->x, STR("limit"));
    return false;
  }
  *ret_limit = (int)limit;
  return true;
}

static bool audit_read_cursor(struct api_request *req, struct audit_filter *f) {
  char text[NUMBER_SIZE];
  if (!request_query(req, "cursor", text, sizeof(text))) return false;
  if (!text[0] || str_to_i64(str_from(text), 1, INT64_MAX, &f->after_number) == OK) return true;
  problem_answer_field(req->x, STR("cursor"));
  return false;
}

static bool audit_read_action(struct api_request *req, struct audit_request *r) {
  if (!request_query(req, "action", r->action, sizeof(r->action))) return false;
  if (!r->action[0] || audit_action_exists(str_from(r->action))) return true;
  problem_answer_field(req->x, STR("action"));
  return false;
}

static bool audit_read_query(struct api_request *req, struct audit_request *r) {
  struct audit_filter *f = &r->filter;
  if (!request_query(req, "actor", r->actor, sizeof(r->actor)) || !audit_read_action(req, r) ||
      !request_query(req, "object", r->object, sizeof(r->object)) || !audit_read_time(req, "since", &f->since) ||
      !audit_read_time(req, "until", &f->until) || !audit_read_limit(req, &r->wanted) || !audit_read_cursor(req, f))
    return false;
  f->actor = str_from(r->actor);
  f->action = str_from(r->action);
  f->object = str_from(r->object);
  return true;
}

/* NULL: it was answered. */
static struct audit_request *audit_request_new(struct api_request *req) {
  struct audit_request *r = calloc(1, sizeof(*r));
  if (!r) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  buf_init(&r->json, (size_t)LIMIT_MAX * AUDIT_VIEW_MAX);
  if (audit_read_query(req, r)) return r;
  audit_request_free(r);
  return NULL;
}

/* ---- the requests ---- */

static void audit_end(struct audit_request *r) {
  db_call_end(&r->db_call);
  audit_request_free(r);
}

static void audit_on_read(struct db_call *c) {
  struct audit_request *r = (struct audit_request *)(void *)c;
  struct http_fields f;
  answer_fields(&f);
  if (c->result == OK)
    db_call_answer_large(c, &f, STR("application/json"), buf_str(&r->json));
  else
    problem_answer_err(c->x, c->result);
  audit_end(r);
}

void api_export_audit(void *arg, struct http_exchange *x) {
  static const struct csv_list list = {.name = "audit",
                                       .page_max = (size_t)(CSV_ROWS + 1) * AUDIT_VIEW_MAX,
                                       .read_page = audit_read_csv,
                                       .free = audit_request_free,
                                       .bad_field = "cursor"};
  struct api_request *req = arg;
  struct audit_request *r = audit_request_new(req);
  (void)x;
  if (!r) return;
  r->wanted = CSV_ROWS;
  csv_export_begin(req, &list, r);
}

void api_list_audit(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (http_accepts(req->request, STR("Accept"), STR("text/csv"))) {
    api_export_audit(arg, x);
    return;
  }
  struct audit_request *r = audit_request_new(req);
  if (!r) return;
  db_call_begin(&r->db_call, req);
  enum err e = db_call_read(&r->db_call, audit_read_json, audit_on_read);
  if (e == OK) return;
  problem_answer_err(x, e);
  audit_end(r);
}
