/* api.c - what a process and its loops have, and the way of a request to its row of the table.
 *
 *   head: route 404, 405 -> who 401, 403 -> crowded 503 -> a webhook's 413, 415, 401, 404   (before a body is read)
 *   request: the same -> media type 415 -> business of a platform key -> the row's function
 *               `- a cookie not seen yet: session_lookup, then all of it again
 *
 * Invariants
 *  (1) A loop's state is its own. From elsewhere come posts, and the bits of `stale`, which stand for what could not be
 *      posted; they are seen to before a request is looked at.
 *  (2) What a reader saw is kept with the mark that was taken before the reader was sent, and believed while it holds: a
 *      change of a row costs an atomic addition, however many loops there are and whatever they keep. */
#include "api/api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/events/api_event_stream.h"
#include "api/api_internal.h"
#include "api/media/api_file_check.h"
#include "api/media/api_playback_request.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/metric.h"

enum { SHELF_MAX = 2048, SHELF_MIN = 16, ALLOW_SIZE = 64, SWEEP_MS = 5000 };

/* ---- what changes from elsewhere ---- */

struct access_snapshot *api_newest_access(struct api *a) {
  LOCKED(&a->lock);
  return access_ref(a->newest);
}

static void take_access(struct api_loop *l) {
  struct access_snapshot *newest = api_newest_access(l->api);
  key_cache_forget(l->key_cache);
  access_unref(l->access);
  l->access = newest;
}

void loop_see_to_stale(struct api_loop *l) {
  if (atomic_load_explicit(&l->stale, memory_order_acquire) == 0) return;
  unsigned stale = atomic_exchange(&l->stale, 0);
  if (stale & STALE_ACCESS) take_access(l);
  if (stale & STALE_SHELF) open_files_sweep(l->open_files);
  if (stale & STALE_SUBJECTS) events_check(l, 0);
  if (stale & STALE_STREAMS) events_reset(l);
}

static void refresh(void *arg) {
  loop_see_to_stale(arg);
}

/* All are told before any is woken: who was let in or out by one is so by the next it comes to. */
static void make_stale(struct api *a, enum stale what) {
  for (unsigned i = 0; i < a->loop_count; i++) atomic_fetch_or(&a->loops[i].stale, what);
  for (unsigned i = 0; a->server && i < a->loop_count; i++)
    IGNORE(http_loop_post(a->server, i, refresh, &a->loops[i])); /* else at its next request (1) */
}

void api_set_access(struct api *a, struct access_snapshot *snapshot) {
  struct access_snapshot *before;
  {
    LOCKED(&a->lock);
    before = a->newest;
    a->newest = access_ref(snapshot);
  }
  access_unref(before);
  make_stale(a, STALE_ACCESS);
}

/* ---- what changes, by whom it is told ---- */

struct subjects_check {
  struct api_loop *loop;
  int64_t business_id;
};

static void run_check(void *arg) {
  struct subjects_check *c = arg;
  loop_see_to_stale(c->loop);
  events_check(c->loop, c->business_id);
  free(c);
}

static void check_on(struct api_loop *l, int64_t business_id) {
  struct subjects_check *c = malloc(sizeof(*c));
  if (c) *c = (struct subjects_check){l, business_id};
  if (c && http_loop_post(l->api->server, l->index, run_check, c) == OK) return;
  free(c);
  atomic_fetch_or(&l->stale, STALE_SUBJECTS); /* with its next request, or a stream's next comment */
}

void api_check_streams(struct api *a, int64_t business_id) {
  if (!event_feed_is_heard(a->event_feed)) return;
  if (business_id == 0) {
    make_stale(a, STALE_SUBJECTS);
    return;
  }
  for (unsigned i = 0; a->server && i < a->loop_count; i++)
    if (event_feed_is_heard_on(a->event_feed, business_id, i)) check_on(&a->loops[i], business_id);
}

void api_session_changed(struct api *a, int64_t business_id, struct str digest) {
  session_changed(a->versions, business_id, digest);
  api_check_streams(a, business_id);
}

void api_key_changed(struct api *a, int64_t business_id, int64_t key_id) {
  if (key_id)
    cache_changed(a->versions, CACHE_KEY_SESSIONS, key_id, STR_NONE);
  else
    cache_changed(a->versions, CACHE_BUSINESS_SESSIONS, business_id, STR_NONE);
}

struct cache_mark rows_mark(const struct api *a, int64_t business_id, struct str id) {
  if (a->provider->is_recording_sid(id)) return cache_mark(a->versions, CACHE_RECORDING, business_id, id);
  return cache_mark(a->versions, CACHE_CALL, business_id, STR_NONE);
}

void rows_changed(struct api *a, int64_t business_id, struct str id) {
  if (id.n) cache_changed(a->versions, CACHE_RECORDING, business_id, id);
  cache_changed(a->versions, CACHE_CALL, business_id, STR_NONE);
  if (!atomic_load_explicit(&a->must_sweep, memory_order_relaxed)) atomic_store(&a->must_sweep, true);
}

void api_tell_change(struct api *a, const struct change *change) {
  if (change->kind == CHANGE_RECORDING || change->kind == CHANGE_WANT || change->kind == CHANGE_CALL)
    rows_changed(a, change->business_id, change->id);
  if (change->kind == CHANGE_SESSION) api_session_changed(a, change->business_id, change->id);
  event_feed_change(a->event_feed, change);
}

void api_tell_lost(struct api *a) {
  cache_changed_all(a->versions);
  atomic_store(&a->must_sweep, true);
  api_check_streams(a, 0);
  event_feed_lost(a->event_feed);
}

/* Files whose rows changed are closed within a moment: what was deleted must give its room back. */
static void sweep_shelves(struct api *a) {
  int64_t now = clock_mono_ms();
  if (now - a->swept_ms < SWEEP_MS || !atomic_exchange(&a->must_sweep, false)) return;
  a->swept_ms = now;
  make_stale(a, STALE_SHELF);
}

void api_tick(struct api *a) {
  event_feed_tick(a->event_feed);
  sweep_shelves(a);
}

static void drain_loop(void *arg) {
  play_drain(arg);
  events_drain(arg);
}

void api_drain(struct api *a) {
  atomic_store(&a->draining, true);
  for (unsigned i = 0; a->server && i < a->loop_count; i++)
    IGNORE(http_loop_post(a->server, i, drain_loop, &a->loops[i])); /* else each at its own deadline */
}

/* ---- from a request to its row ---- */

const char *via_name(enum via v) {
  static const char *const names[] = {[VIA_OWN] = "own", [VIA_PARENT] = "parent", [VIA_CHILD] = "child"};
  return names[v];
}

/* The path below PUBLIC_BASE_URL's: requests are taken with and without it. */
static struct str path_of(struct api_request *v) {
  struct str path = v->request->path, base = v->api->path_base;
  v->under_base = base.n && path.n > base.n && path.p[base.n] == '/' && str_starts(path, base);
  return v->under_base ? str_skip(path, base.n) : path;
}

/* True if it is a preflight that was answered. A refused one is a 403 like others. */
static bool answer_preflight(struct api_request *v, const char *allow) {
  struct http_fields fields;
  const struct http_body none = {.kind = HTTP_BODY_NONE};
  answer_fields(&fields);
  switch (origin_preflight(v->api->origins, v->request, str_from(allow), &fields)) {
    case ORIGIN_NOT_ASKED:
      return false;
    case ORIGIN_ALLOWED:
      http_respond(v->x, 204, &fields, &none);
      return true;
    case ORIGIN_REFUSED:
      problem_answer(v->x, PROBLEM_FORBIDDEN, NULL);
      return true;
  }
  return false;
}

static bool find_route(struct api_request *v) {
  char allow[ALLOW_SIZE];
  enum err e =
      http_route_find(api_routes, api_route_count, v->request->method, path_of(v), allow, sizeof(allow), &v->match);
  if (v->api->parts.health_only && (e != OK || !(v->match.route->access & ROUTE_HEALTH))) e = ERR_NOT_FOUND;
  if (e == OK) return true;
  if (e == ERR_DENIED && answer_preflight(v, allow)) return false;
  if (e == ERR_NOT_FOUND && !v->api->parts.health_only && page_moved(v)) return false;
  struct http_fields fields;
  answer_fields(&fields);
  if (e == ERR_DENIED) http_field(&fields, STR("Allow"), str_from(allow));
  problem_answer_with(v->x, &fields, e == ERR_DENIED ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND, NULL);
  return false;
}

/* Near the limit of connections only what needs no credentials is served, beyond it only health and figures. */
static bool is_turned_away(struct api_request *v) {
  unsigned access = v->match.route->access;
  if (access & ROUTE_HEALTH) return false;
  if ((access & ROUTE_WHO) == ROUTE_OPEN ? !http_over_limit(v->x) : !http_crowded(v->x)) return false;
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_CONNECTIONS, 1);
  http_close_after(v->x);
  problem_answer(v->x, PROBLEM_BUSY, NULL);
  return true;
}

/* False: it was answered, or will be. at_head: its body is not here yet, so nothing can be waited for. */
static bool request_begin(struct api_request *v, struct api *a, struct http_exchange *x,
                          const struct session_seen *seen, bool at_head) {
  v->api = a;
  v->loop = &a->loops[http_loop_index(x)];
  v->x = x;
  v->request = http_request(x);
  v->seen = seen;
  loop_see_to_stale(v->loop);
  if (!find_route(v)) return false;
  enum err e = auth_admit(v);
  if (e == ERR_DENIED || is_turned_away(v)) return false;
  if (e == OK || at_head) return true; /* at the head: who that is will be seen when the body is here */
  session_lookup(v);
  return false;
}

static bool media_type_is(struct str value, struct str type) {
  struct str left, rest;
  (void)str_cut(value, ';', &left, &rest);
  return str_eq_nocase(str_trim(left), type);
}

static bool body_is_taken(struct api_request *v) {
  if (!(v->match.route->access & ROUTE_TAKES_PATCH)) return true;
  struct str type = http_header_get(v->request, STR("Content-Type"));
  if ((media_type_is(type, STR("application/merge-patch+json")) || media_type_is(type, STR("application/json"))) &&
      http_header_count(v->request, STR("Content-Encoding")) == 0)
    return true;
  problem_answer(v->x, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
  return false;
}

static void head(void *arg, struct http_exchange *x, size_t *body_max) {
  const struct http_request *r = http_request(x);
  struct api_request v;
  *body_max = BODY_MAX;
  if (r->method == HTTP_GET || r->method == HTTP_HEAD) { /* all at once, in request; a body means nothing */
    http_drop_body(x);
    return;
  }
  if (!request_begin(&v, arg, x, NULL, true)) return;
  *body_max = v.match.route->body_max;
  if (v.match.route->access & ROUTE_WEBHOOK && http_body_length(x) <= (int64_t)*body_max) /* else 413 */
    IGNORE(webhook_is_refused(&v));
}

void request_resume(struct api *a, struct http_exchange *x, const struct session_seen *seen) {
  struct api_request v;
  if (request_begin(&v, a, x, seen, false) && body_is_taken(&v) && auth_find_business(&v)) v.match.route->handle(&v, x);
}

static void request(void *arg, struct http_exchange *x) {
  request_resume(arg, x, NULL);
}

static void refuse(void *arg, const struct http_request *r, int status, const char *reason, struct http_fields *fields,
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

/* ---- what handlers ask of a request ---- */

bool request_id(struct api_request *v, enum id_kind kind) {
  struct str segment = v->match.params[0], id = segment;
  struct buf b CLEANUP(buf_done) = BUF_INIT(3 * SID_SIZE);
  bool ok = true;
  if (str_index(segment, '%', 0) < segment.n) ok = http_segment_decode(segment, &b, &id) == OK;
  ok = ok &&
       (v->api->provider->is_call_sid(id) || (kind == ID_RECORDING_OR_CALL && v->api->provider->is_recording_sid(id)));
  if (ok && str_copy(v->id, sizeof(v->id), id) == OK) return true;
  problem_answer_field(v->x, kind == ID_CALL ? STR("call_sid") : STR("id"));
  return false;
}

bool request_is_https(const struct api_request *v) {
  const struct http_request *r = v->request;
  struct str value = STR_NONE, each;
  if (!proxies_trust(v->api->proxies, http_peer(v->x))) return false;
  for (size_t i = 0; i < r->header_count; i++)
    if (str_eq_nocase(r->headers[i].name, STR("X-Forwarded-Proto"))) value = r->headers[i].value;
  while (str_cut(value, ',', &each, &value)) continue; /* the nearest one's word is the last */
  return str_eq_nocase(str_trim(each), STR("https"));
}

bool request_query(struct api_request *v, const char *name, char *ret_text, size_t size) {
  ret_text[0] = '\0';
  if (v->request->query.n == 0) return true;
  struct buf b CLEANUP(buf_done) = BUF_INIT(v->request->query.n + 1);
  struct str value;
  enum err e = http_query_get(v->request->query, str_from(name), &b, &value);
  if (e == ERR_NOT_FOUND) return true;
  if (e == OK && str_copy(ret_text, size, value) == OK) return true;
  if (e == ERR_NOMEM)
    problem_answer_err(v->x, e);
  else
    problem_answer_field(v->x, str_from(name));
  return false;
}

enum { LISTENERS_BY_ONE_URL = 50 };

struct listener_place *request_listen(struct api_request *v) {
  int64_t most = v->api->parts.conf->listeners_per_business;
  const struct listener_limits limits = {
      .all = most, .by_url = most < 4 ? 1 : most / 4, .by_one_url = LISTENERS_BY_ONE_URL};
  const struct access_business *b = access_find_business(v->loop->access, v->subject.business_id);
  struct listener_place *place;
  uint64_t url = v->subject.kind == SUBJECT_URL ? v->subject.number : 0;
  enum err e = b ? listeners_enter(b->listeners, &limits, url, &place) : ERR_NOT_FOUND;
  if (e == OK) {
    metric_add(METRIC_LISTENERS, 0, 1);
    return place;
  }
  if (e == ERR_BUSY) {
    metric_add(METRIC_HTTP_LIMITED, url ? METRIC_LIMIT_URL_LISTENERS : METRIC_LIMIT_LISTENERS, 1);
    problem_answer(v->x, PROBLEM_TOO_MANY_REQUESTS, NULL);
  } else {
    problem_answer_err(v->x, e);
  }
  return NULL;
}

void field_recording_path(const struct api *a, struct http_fields *f, struct str name, const char *recording_sid,
                          const char *what) {
  http_fieldf(f, name, "%.*s/api/recordings/%s/%s", STR_ARG(a->path_base), recording_sid, what);
}

/* ---- birth and end ---- */

/* At most an eighth of the descriptors that this process may have. */
static size_t open_files_max(unsigned loops) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return SHELF_MIN;
  rlim_t share = limit.rlim_cur / 8 / loops;
  return share > SHELF_MAX ? SHELF_MAX : share < SHELF_MIN ? SHELF_MIN : (size_t)share;
}

static enum err loop_init(struct api *a, unsigned index) {
  struct api_loop *l = &a->loops[index];
  l->api = a;
  l->index = index;
  l->access = access_ref(a->newest);
  TRY(key_cache_new(&l->key_cache));
  TRY(open_files_new(open_files_max(a->loop_count), &l->open_files));
  TRY(status_cache_new(&l->status_cache));
  TRY(session_cache_new(&l->session_cache));
  if (a->jwt) TRY(jwt_cache_new(&l->jwts));
  return playbacks_near_new(&l->playbacks);
}

static void loop_done(struct api_loop *l) {
  assert(!l->waiting); /* the server is gone, and with it every exchange */
  l->key_cache = key_cache_free(l->key_cache);
  access_unref(l->access);
  media_check_done(l);
  l->open_files = open_files_free(l->open_files);
  l->status_cache = status_cache_free(l->status_cache);
  l->session_cache = session_cache_free(l->session_cache);
  l->jwts = jwt_cache_free(l->jwts);
  l->playbacks = playbacks_near_free(l->playbacks);
}

static enum err init_public(struct api *a) {
  struct str url = str_from(a->parts.conf->public_base_url);
  while (url.n && url.p[url.n - 1] == '/') url.n--;
  if (url.n == 0) return OK;
  size_t host = str_index(url, ':', 0) + 3; /* behind "://" */
  size_t end = host < url.n ? str_index(url, '/', host) : url.n;
  a->public_url = str_dup(url);
  a->public_origin = str_dup(str_head(url, end));
  return a->public_url && a->public_origin ? OK : ERR_NOMEM;
}

/* Who may, as the settings say. */
static enum err init_credentials(struct api *a) {
  const struct conf *conf = a->parts.conf;
  struct buf *problem = a->parts.ret_problem;
  TRY(origins_new(conf->public_base_url, conf->cors_origins, conf->frame_ancestors, problem, &a->origins));
  TRY(jwt_from_conf(conf, problem, &a->jwt));
  TRY(proxies_new(str_from(conf->trusted_proxies), &a->proxies));
  if (a->parts.url_key) a->url_key = *a->parts.url_key;
  return cookie_rules_set(&a->cookie, origins_is_https(a->origins), a->path_base, origins_framed_by_others(a->origins));
}

static enum err init(struct api *a, struct access_snapshot *snapshot) {
  lock_init(&a->lock, "api access", LOCK_RANK_API);
  a->newest = access_ref(snapshot);
  a->loop_count = a->parts.loops;
  a->loops = aligned_alloc(_Alignof(struct api_loop), a->loop_count * sizeof(struct api_loop));
  if (!a->loops) return ERR_NOMEM;
  memset(a->loops, 0, a->loop_count * sizeof(struct api_loop));
  a->refused = calloc(REFUSAL_SLOTS, sizeof(*a->refused));
  a->path_base = str_from(a->parts.path_base);
  a->provider = provider_find(STR("twilio"));
  if (!a->refused) return ERR_NOMEM;
  TRY(cache_versions_new(&a->versions));
  TRY(init_public(a));
  TRY(init_credentials(a));
  TRY(playbacks_new(&a->playbacks));
  TRY(hits_new(&a->hits));
  TRY(quota_new(&a->webhooks));
  TRY(quota_new(&a->answers));
  const struct event_feed_parts event_feed = events_feed_parts(a);
  TRY(event_feed_new(&event_feed, &a->event_feed));
  TRY(page_files_new(a->path_base, &a->page));
  for (unsigned i = 0; i < a->loop_count; i++) TRY(loop_init(a, i));
  return OK;
}

enum err api_new(const struct api_parts *parts, struct access_snapshot *snapshot, struct api **ret_api) {
  assert(parts->loops > 0 && (parts->url_key || parts->health_only));
  struct api *a = calloc(1, sizeof(*a));
  if (!a) return ERR_NOMEM;
  a->parts = *parts;
  enum err e = init(a, snapshot);
  if (e == OK)
    *ret_api = a;
  else
    api_free(a);
  return e;
}

struct api *api_free(struct api *a) {
  if (!a) return NULL;
  for (unsigned i = 0; a->loops && i < a->loop_count; i++) loop_done(&a->loops[i]);
  free(a->loops);
  access_unref(a->newest);
  a->proxies = proxies_free(a->proxies);
  a->origins = origins_free(a->origins);
  a->jwt = jwt_free(a->jwt);
  hmac_key_wipe(&a->url_key);
  a->playbacks = playbacks_free(a->playbacks);
  a->hits = hits_free(a->hits);
  a->webhooks = quota_free(a->webhooks);
  a->answers = quota_free(a->answers);
  a->page = page_files_free(a->page);
  a->event_feed = event_feed_free(a->event_feed);
  free(a->refused);
  a->versions = cache_versions_free(a->versions);
  free(a->public_url);
  free(a->public_origin);
  lock_done(&a->lock);
  free(a);
  return NULL;
}

struct http_app api_http_app(struct api *a) {
  return (struct http_app){.arg = a, .head = head, .request = request, .refuse = refuse};
}

void api_set_server(struct api *a, struct http_server *s) {
  a->server = s;
}
