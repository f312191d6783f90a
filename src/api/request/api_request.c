/* api_request.c - what handlers read from a request. */
#include "api/request/api_request.h"

#include <arpa/inet.h>
#include <netinet/in.h>

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

/* The nth element of a header's list, counted from the last one (0); false if there are fewer. Lists of several lines with the
 * same name are one list (RFC 9110, section 5.3). */
static bool list_from_end(const struct http_request *r, struct str name, size_t nth, struct str *ret_element) {
  for (size_t i = r->header_count; i-- > 0;) {
    if (!str_eq_nocase(r->headers[i].name, name)) continue;
    struct str rest = r->headers[i].value;
    for (bool more = true; more; nth--) {
      size_t comma = rest.n;
      while (comma > 0 && rest.p[comma - 1] != ',') comma--;
      *ret_element = str_trim(str_skip(rest, comma));
      more = comma > 0;
      if (more) rest = str_head(rest, comma - 1);
      if (nth == 0) return true;
    }
  }
  return false;
}

static const struct str PROTO = {"X-Forwarded-Proto", sizeof("X-Forwarded-Proto") - 1};

/* Each proxy appends the scheme and the address of its own client. So the last element is that of the nearest proxy; the one
 * before it counts only if the address that the nearest proxy reports is a trusted proxy's as well, and so on. */
bool request_is_https(const struct api_request *req) {
  const struct http_request *r = req->request;
  struct str proto = STR_NONE, address, next;
  if (!proxies_trust(req->api->proxies, http_peer(req->x))) return false;
  if (!list_from_end(r, PROTO, 0, &proto)) return false;
  for (size_t i = 0; list_from_end(r, STR("X-Forwarded-For"), i, &address); i++) {
    if (!proxies_trust_text(req->api->proxies, address) || !list_from_end(r, PROTO, i + 1, &next)) break;
    proto = next;
  }
  return str_eq_nocase(proto, STR("https"));
}

static void peer_write(const struct sockaddr_storage *peer, char ret_address[CLIENT_ADDRESS_SIZE]) {
  const void *bytes = &((const struct sockaddr_in *)(const void *)peer)->sin_addr;
  if (peer->ss_family == AF_INET6) bytes = &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
  if ((peer->ss_family != AF_INET && peer->ss_family != AF_INET6) ||
      !inet_ntop(peer->ss_family, bytes, ret_address, CLIENT_ADDRESS_SIZE))
    ret_address[0] = '\0';
}

static bool is_address(const char *text) {
  struct in6_addr address;
  return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

void request_client_address(const struct api *a, struct http_exchange *x, char ret_address[CLIENT_ADDRESS_SIZE]) {
  char text[CLIENT_ADDRESS_SIZE];
  struct str address;
  peer_write(http_peer(x), ret_address);
  if (!proxies_trust(a->proxies, http_peer(x))) return;
  for (size_t i = 0; list_from_end(http_request(x), STR("X-Forwarded-For"), i, &address); i++) {
    if (str_copy(text, sizeof(text), address) != OK || !is_address(text)) return;
    memcpy(ret_address, text, sizeof(text));
    if (!proxies_trust_text(a->proxies, address)) return;
  }
}

bool request_has_several_protos(const struct api_request *req) {
  struct str proto;
  return proxies_trust(req->api->proxies, http_peer(req->x)) && list_from_end(req->request, PROTO, 1, &proto);
}

bool request_is_encoded(const struct http_request *r) {
  for (size_t i = 0; i < r->header_count; i++) {
    struct str coding = str_trim(r->headers[i].value);
    if (str_eq_nocase(r->headers[i].name, STR("Content-Encoding")) && coding.n > 0 &&
        !str_eq_nocase(coding, STR("identity")))
      return true;
  }
  return false;
}

bool request_is_form(const struct http_request *r) {
  struct str type, parameters;
  (void)str_cut(http_header_get(r, STR("Content-Type")), ';', &type, &parameters);
  return str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded")) && !request_is_encoded(r);
}

static bool read_query(struct api_request *req, const char *name, bool may_be_empty, char *ret_text, size_t size) {
  ret_text[0] = '\0';
  if (req->request->query.n == 0) return true;
  struct buf b CLEANUP(buf_done) = BUF_INIT(req->request->query.n + 1);
  struct str value;
  enum err e = http_query_get(req->request->query, str_from(name), &b, &value);
  if (e == ERR_NOT_FOUND) return true;
  if (e == OK && (value.n || may_be_empty) && str_copy(ret_text, size, value) == OK) return true;
  if (e == ERR_NOMEM)
    problem_answer_err(req->x, e);
  else
    problem_answer_field(req->x, str_from(name));
  return false;
}

bool request_query(struct api_request *req, const char *name, char *ret_text, size_t size) {
  return read_query(req, name, true, ret_text, size);
}

bool request_query_value(struct api_request *req, const char *name, char *ret_text, size_t size) {
  return read_query(req, name, false, ret_text, size);
}

bool request_query_flag(struct api_request *req, const char *name, bool *ret_flag) {
  char text[2];
  if (!request_query_value(req, name, text, sizeof(text))) return false;
  *ret_flag = text[0] == '1';
  if (!text[0] || text[0] == '0' || text[0] == '1') return true;
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
