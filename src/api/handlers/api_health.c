/* api_health.c - GET /healthz (the process is alive) and GET /readyz (the process can serve).
 *
 * Anybody may ask, so the answers contain no paths, hosts or values of settings. */
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"

void api_healthz(void *arg, struct http_exchange *x) {
  struct http_fields f;
  (void)arg;
  answer_fields(&f);
  answer_json(x, 200, &f, STR("{\"status\":\"ok\"}"));
}

void api_readyz(void *arg, struct http_exchange *x) {
  const struct api_request *req = arg;
  const struct api *a = req->api;
  const char *degraded = NULL, *why = a->parts.not_ready(a->parts.arg, &degraded);
  if (!why && atomic_load(&a->draining)) why = "The process is shutting down.";
  if (why) {
    problem_answer_detail(x, PROBLEM_UNAVAILABLE, why);
    return;
  }
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(256);
  enum err e = buf_add(&b, STR("{\"status\":\"ready\",\"degraded\":["));
  if (e == OK && degraded) e = buf_add_json(&b, str_from(degraded));
  if (e == OK) e = buf_add(&b, STR("]}"));
  answer_fields(&f);
  if (e == OK)
    answer_json(x, 200, &f, buf_str(&b));
  else
    problem_answer_err(x, e);
}
