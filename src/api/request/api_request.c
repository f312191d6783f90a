/* api_request.c - what handlers read from a request. */
#include "api/request/api_request.h"

#include "api/request/api_loop.h"
#include "api/request/api_proxies.h"
#include "api/request/problem.h"
#include "base/metric.h"

bool request_id(struct api_request *req, enum id_kind kind) {
  struct str segment = req->match.params[0], id = segment;
  struct buf b CLEANUP(buf_done) = BUF_INIT(3 * SID_SIZE);
  bool ok = true;
  if (str_index(segment, '%', 0) < segment.n) ok = http_segment_decode(segment, &b, &id) == OK;
  ok = ok && (req->api->provider->is_call_sid(id) ||
              (kind == ID_RECORDING_OR_CALL && req->api->provider->is_recording_sid(id)));
  if (ok && str_copy(req->id, sizeof(req->id), id) == OK) return true;
  problem_answer_field(req->x, kind == ID_CALL ? STR("call_sid") : STR("id"));
  return false;
}

bool request_is_https(const struct api_request *req) {
  const struct http_request *r = req->request;
  struct str value = STR_NONE, each;
  if (!proxies_trust(req->api->proxies, http_peer(req->x))) return false;
  for (size_t i = 0; i < r->header_count; i++)
    if (str_eq_nocase(r->headers[i].name, STR("X-Forwarded-Proto"))) value = r->headers[i].value;
  while (str_cut(value, ',', &each, &value)) continue; /* the nearest proxy's value is the last */
  return str_eq_nocase(str_trim(each), STR("https"));
}

bool request_query(struct api_request *req, const char *name, char *ret_text, size_t size) {
  ret_text[0] = '\0';
  if (req->request->query.n == 0) return true;
  struct buf b CLEANUP(buf_done) = BUF_INIT(req->request->query.n + 1);
  struct str value;
  enum err e = http_query_get(req->request->query, str_from(name), &b, &value);
  if (e == ERR_NOT_FOUND) return true;
  if (e == OK && str_copy(ret_text, size, value) == OK) return true;
  if (e == ERR_NOMEM)
    problem_answer_err(req->x, e);
  else
    problem_answer_field(req->x, str_from(name));
  return false;
}

enum { LISTENERS_BY_ONE_URL = 50 };

struct listener_place *request_listen(struct api_request *req) {
  int64_t most = req->api->parts.conf->listeners_per_business;
  const struct listener_limits limits = {
      .all = most, .by_url = most < 4 ? 1 : most / 4, .by_one_url = LISTENERS_BY_ONE_URL};
  const struct access_business *b = access_find_business(req->loop->access, req->subject.business_id);
  struct listener_place *place;
  uint64_t url = req->subject.kind == SUBJECT_URL ? req->subject.number : 0;
  enum err e = b ? listeners_enter(b->listeners, &limits, url, &place) : ERR_NOT_FOUND;
  if (e == OK) {
    metric_add(METRIC_LISTENERS, 0, 1);
    return place;
  }
  if (e == ERR_BUSY) {
    metric_add(METRIC_HTTP_LIMITED, url ? METRIC_LIMIT_URL_LISTENERS : METRIC_LIMIT_LISTENERS, 1);
    problem_answer(req->x, PROBLEM_TOO_MANY_REQUESTS, NULL);
  } else {
    problem_answer_err(req->x, e);
  }
  return NULL;
}

void field_recording_path(const struct api *a, struct http_fields *f, struct str name, const char *recording_sid,
                          const char *what) {
  http_fieldf(f, name, "%.*s/api/recordings/%s/%s", STR_ARG(a->path_base), recording_sid, what);
}
