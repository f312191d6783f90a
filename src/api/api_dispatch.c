/* api_dispatch.c - the way of a request from the http engine to its handler.
 *
 *   head:    route 404, 405 -> subject 401, 403 -> too many connections 503 -> a webhook's 413, 415, 401, 404
 *   request: the same -> media type 415 -> business of a platform key 400, 404 -> the route's handler
 *               |- the cookie's session is not cached: session_lookup, then all of it again (request_resume)
 *               `- a key or business is not known, and may be new: access_lookup, then all of it again
 *
 * Both run for a request with a body: what can be refused is refused before its body is read. A request without one has only
 * the second. */
#include "api/api_dispatch.h"

#include <string.h>

#include "api/auth/api_access_lookup.h"
#include "api/auth/api_auth.h"
#include "api/auth/api_session_lookup.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "api/routes.h"
#include "base/metric.h"

enum { ALLOW_SIZE = 64 };

/* The path below that of PUBLIC_BASE_URL: requests may come with and without it. */
static struct str request_path_below_base(struct api_request *req) {
  struct str path = req->request->path, base = req->api->path_base;
  req->under_base = base.n && path.n > base.n && path.p[base.n] == '/' && str_starts(path, base);
  return req->under_base ? str_skip(path, base.n) : path;
}

/* True: it is a CORS preflight, and it was answered. A refused one gets a 403 like any other request. */
static bool request_answer_preflight(struct api_request *req, const char *allow) {
  struct http_fields fields;
  const struct http_body none = {.kind = HTTP_BODY_NONE};
  answer_fields(&fields);
  switch (origin_preflight(req->api->origins, req->request, str_from(allow), &fields)) {
    case ORIGIN_NOT_ASKED:
      return false;
    case ORIGIN_ALLOWED:
      http_respond(req->x, 204, &fields, &none);
      return true;
    case ORIGIN_REFUSED:
      problem_answer(req->x, PROBLEM_FORBIDDEN, NULL);
      return true;
  }
  return false;
}

/* True: the path is that of a public route outside of the API with '/' behind it, and the answer redirects to that route. */
static bool request_redirect_slash(struct api_request *req) {
  const struct http_request *r = req->request;
  struct str path = request_path_below_base(req), page = path;
  struct http_match match;
  char allow[ALLOW_SIZE];
  while (page.n > 1 && page.p[page.n - 1] == '/') page = str_head(page, page.n - 1);
  if ((r->method != HTTP_GET && r->method != HTTP_HEAD) || page.n == path.n || str_starts(page, STR("/api/")) ||
      http_route_find(api_routes, api_route_count, HTTP_GET, page, allow, sizeof(allow), &match) != OK ||
      (match.route->access & ROUTE_WHO) != ROUTE_ANYBODY)
    return false;
  page_redirect(req, page, r->query);
  return true;
}

/* False: there is no such route, and it was answered. */
static bool request_find_route(struct api_request *req) {
  char allow[ALLOW_SIZE];
  enum err e = http_route_find(api_routes, api_route_count, req->request->method, request_path_below_base(req), allow,
                               sizeof(allow), &req->match);
  if (req->api->parts.health_only && (e != OK || !(req->match.route->access & ROUTE_HEALTH))) e = ERR_NOT_FOUND;
  if (e == OK) return true;
  if (e == ERR_DENIED && request_answer_preflight(req, allow)) return false;
  if (e == ERR_NOT_FOUND && !req->api->parts.health_only &&
      (page_moved(req) || request_redirect_slash(req) || page_lost(req, request_path_below_base(req))))
    return false;
  struct http_fields fields;
  answer_fields(&fields);
  if (e == ERR_DENIED) http_field(&fields, STR("Allow"), str_from(allow));
  problem_answer_with(req->x, &fields, e == ERR_DENIED ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND, NULL);
  return false;
}

/* Near the limit of connections only routes without credentials are served, beyond it only health and metrics. True: it was
 * refused with 503. */
static bool request_is_over_limit(struct api_request *req) {
  unsigned access = req->match.route->access;
  if (access & ROUTE_HEALTH) return false;
  if ((access & ROUTE_WHO) == ROUTE_OPEN ? !http_over_limit(req->x) : !http_crowded(req->x)) return false;
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_CONNECTIONS, 1);
  http_close_after(req->x);
  problem_answer(req->x, PROBLEM_BUSY, NULL);
  return true;
}

static request_resume_fn request_resume;

/* The request begins again when the missing rows were read. */
static void request_look_up(const struct api_request *req) {
  switch (req->lacks) {
    case LACKS_ROW:
      session_lookup(req);
      return;
    case LACKS_KEY:
      access_lookup_key(req, auth_bearer(http_header_get(req->request, STR("Authorization"))));
      return;
    case LACKS_BUSINESS:
      access_lookup_business(req, req->subject.business_id);
      return;
  }
}

/* Fills req in. False: it was answered, or will be. at_head: the body is not here yet, so the request can't wait for the
 * database. */
static bool request_begin(struct api_request *req, struct api *a, struct http_exchange *x,
                          const struct session_seen *seen, bool at_head) {
  req->api = a;
  req->loop = &a->loops[http_loop_index(x)];
  req->x = x;
  req->request = http_request(x);
  req->seen = seen;
  req->lacks = LACKS_ROW;
  req->resume = request_resume;
  loop_apply_pending(req->loop);
  if (!request_find_route(req)) return false;
  enum err e = auth_admit(req);
  if (e == ERR_DENIED || request_is_over_limit(req)) return false;
  if (e == OK || at_head) return true; /* at the head: the missing rows are read when the body is here */
  request_look_up(req);
  return false;
}

static bool media_type_is(struct str value, struct str type) {
  struct str left, rest;
  (void)str_cut(value, ';', &left, &rest);
  return str_eq_nocase(str_trim(left), type);
}

/* False: 415 was answered. */
static bool request_check_media_type(struct api_request *req) {
  if (!(req->match.route->access & ROUTE_TAKES_PATCH)) return true;
  struct str type = http_header_get(req->request, STR("Content-Type"));
  if ((media_type_is(type, STR("application/merge-patch+json")) || media_type_is(type, STR("application/json"))) &&
      !request_is_encoded(req->request))
    return true;
  problem_answer(req->x, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
  return false;
}

void api_on_head(void *arg, struct http_exchange *x, size_t *body_max) {
  const struct http_request *r = http_request(x);
  struct api_request req;
  *body_max = BODY_MAX;
  if (r->method == HTTP_GET || r->method == HTTP_HEAD) { /* all of it is done in api_on_request; the body is ignored */
    http_drop_body(x);
    return;
  }
  if (!request_begin(&req, arg, x, NULL, true)) return;
  *body_max = req.match.route->body_max;
  if (req.match.route->access & ROUTE_WEBHOOK && http_body_length(x) <= (int64_t)*body_max) /* else 413 */
    IGNORE(webhook_admit(&req, true));
}

/* The request from its beginning. */
static void request_resume(struct api *a, struct http_exchange *x, const struct session_seen *seen) {
  struct api_request req;
  if (!request_begin(&req, a, x, seen, false) || !request_check_media_type(&req)) return;
  bool is_webhook = req.match.route->access & ROUTE_WEBHOOK;
  enum err e = is_webhook ? webhook_admit(&req, false) : auth_find_business(&req);
  if (e == OK) req.match.route->handle(&req, x);
  if (e == ERR_NOT_YET) request_look_up(&req);
}

void api_on_request(void *arg, struct http_exchange *x) {
  request_resume(arg, x, NULL);
}

void api_on_refusal(void *arg, const struct http_request *r, int status, const char *reason, struct http_fields *fields,
                    char *ret_body, size_t body_size, size_t *ret_body_n) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(body_size);
  const struct api *a = arg;
  *ret_body_n = 0;
  if (problem_write(&b, problem_of_status(status), &(struct problem_words){.detail = str_from(reason)}) != OK) return;
  memcpy(ret_body, b.p, b.n);
  *ret_body_n = b.n;
  answer_fields(fields);
  http_field(fields, STR("Content-Type"), STR("application/problem+json"));
  if (r) origin_cors(a->origins, r, fields);
}
