/* api_calls_csv.c - GET /api/calls.csv: what GET /api/calls lists with the same parameters, all of it, as CSV. */
#include <stdlib.h>

#include "api/handlers/api_calls.h"
#include "api/handlers/api_csv_export.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "domain/call_csv.h"

struct calls_export {
  struct access_snapshot *access; /* held */
  struct calls_filter filter;
  struct buf query; /* holds the texts that filter points into */
};

static void calls_export_free(void *arg) {
  struct calls_export *e = arg;
  access_unref(e->access);
  buf_done(&e->query);
  free(e);
}

static enum err calls_export_read(struct db *db, const struct db_call *c, void *arg, bool is_first, struct buf *page,
                                  bool *ret_more) {
  struct calls_export *e = arg;
  const struct access_business *b = access_find_business(e->access, c->subject.business_id);
  if (is_first) TRY(call_csv_head(page));
  return call_csv_page(db, c->subject.business_id, &e->filter, b ? b->numbers : NULL, b ? b->number_count : 0, page,
                       ret_more);
}

void api_export_calls(void *arg, struct http_exchange *x) {
  static const struct csv_list list = {.name = "calls",
                                       .page_max = CALL_CSV_PAGE_MAX,
                                       .read_page = calls_export_read,
                                       .free = calls_export_free,
                                       .bad_field = "search"};
  const struct api_request *req = arg;
  struct calls_export *e = calloc(1, sizeof(*e));
  if (!e) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  e->access = access_ref(req->loop->access);
  e->filter = (struct calls_filter)CALL_VIEW_FILTER;
  buf_init(&e->query, req->request->query.n + 1);
  if (calls_parse_filter(x, req->request->query, &e->query, &e->filter))
    csv_export_begin(req, &list, e);
  else
    calls_export_free(e);
}
