/* api_metrics.c - GET /metrics, and the routes of the admin server (ADMIN_LISTEN).
 *
 * On the main port only a platform key may read the metrics; any other request gets 404. The admin server asks for no
 * credentials. */
#include "api/auth/api_access_lookup.h"
#include "api/auth/api_auth.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/metric.h"
#include "db/db_clock.h"

static void metrics_answer(struct http_exchange *x) {
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(METRIC_TEXT_MAX);
  enum err e = metric_write(&b);
  if (e != OK) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  answer_fields(&f);
  answer_bytes(x, 200, &f, STR(METRIC_CONTENT_TYPE), buf_str(&b));
}

static bool metrics_admits(const struct access_key *key) {
  return key && key->role == ACCESS_PLATFORM && (!key->expires_at || db_clock_now_ms() < key->expires_at);
}

void api_metrics(void *arg, struct http_exchange *x) {
  const struct api_request *req = arg;
  bool is_alone = http_header_count(req->request, STR("Authorization")) == 1;
  struct str token = is_alone ? auth_bearer(http_header_get(req->request, STR("Authorization"))) : STR_NONE;
  if (metrics_admits(token.n ? access_find_key(req->loop->access, token) : NULL))
    metrics_answer(x);
  else if (auth_key_may_be_new(req, token))
    access_lookup_key(req, token);
  else
    problem_answer(x, PROBLEM_NOT_FOUND, NULL);
}

/* ---- the admin server ---- */

static void admin_metrics(void *arg, struct http_exchange *x) {
  (void)arg;
  metrics_answer(x);
}

static const struct http_route admin_routes[] = {
    {HTTP_GET, "/metrics", 0, ROUTE_OPEN, admin_metrics},
    {HTTP_GET, "/healthz", 0, ROUTE_OPEN, api_healthz},
    {HTTP_GET, "/readyz", 0, ROUTE_OPEN, api_readyz},
};

void api_admin_request(void *arg, struct http_exchange *x) {
  struct api_request req = {
      .api = arg, .x = x, .request = http_request(x)}; /* loop stays NULL: the admin server has none */
  char allow[64];
  enum err e = http_route_find(admin_routes, COUNT_OF(admin_routes), req.request->method, req.request->path, allow,
                               sizeof(allow), &req.match);
  if (e == OK) {
    req.match.route->handle(&req, x);
    return;
  }
  struct http_fields f;
  answer_fields(&f);
  if (e == ERR_DENIED) http_field(&f, STR("Allow"), str_from(allow));
  problem_answer_with(x, &f, e == ERR_DENIED ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND, NULL);
}
