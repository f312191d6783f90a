/* api.c - builds and frees the HTTP surface, and hands on what changed elsewhere: keys, sessions, rows, missed changes.
 *
 *   a change --api_on_change--> cache versions: what loops cached is void at once (rows_changed, session_changed)
 *                            `--> pending bits: each loop reacts within a moment (reactions, api_loop.c)
 *                            `--> the event feed: event streams send it */
#include "api/api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/api_dispatch.h"
#include "api/auth/api_access_lookup.h"
#include "api/auth/api_cookie.h"
#include "api/auth/api_jwt.h"
#include "api/auth/api_jwt_cache.h"
#include "api/auth/api_key_cache.h"
#include "api/auth/api_session_cache.h"
#include "api/events/api_event_feed.h"
#include "api/events/api_event_stream.h"
#include "api/handlers/api_handlers.h"
#include "api/handlers/api_page_files.h"
#include "api/handlers/api_status_cache.h"
#include "api/media/api_file_check.h"
#include "api/media/api_hits.h"
#include "api/media/api_media_cut.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playback_request.h"
#include "api/media/api_playbacks.h"
#include "api/request/api_credentials.h"
#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "api/request/api_proxies.h"
#include "api/request/api_quota.h"
#include "base/clock.h"
#include "domain/signed_url.h"

enum { OPEN_FILES_MAX = 2048, OPEN_FILES_MIN = 16, SWEEP_MS = 5000 };

/* ---- how a loop reacts to what is pending ---- */

static void loop_take_access(struct api_loop *l) {
  struct access_snapshot *newest = api_newest_access(l->api);
  key_cache_forget(l->key_cache);
  access_unref(l->access);
  l->access = newest;
  access_lookup_check_all(l);
}

static void loop_sweep_files(struct api_loop *l) {
  open_files_sweep(l->open_files);
}

static void loop_check_streams(struct api_loop *l) {
  event_stream_check_all(l, 0);
}

static const struct loop_reaction reactions[] = {
    {PENDING_ACCESS, loop_take_access}, /* first: the others judge by it */
    {PENDING_FILES, loop_sweep_files},
    {PENDING_SUBJECTS, loop_check_streams},
    {PENDING_EVENTS_RESET, event_stream_reset_all},
    {PENDING_CHECKS, file_check_take_results},
    {0, NULL},
};

/* ---- what changed elsewhere ---- */

void api_set_access(struct api *a, struct access_snapshot *snapshot) {
  struct access_snapshot *before;
  {
    LOCKED(&a->lock);
    before = a->newest;
    a->newest = access_ref(snapshot);
  }
  access_unref(before);
  loops_set_pending(a, PENDING_ACCESS);
}

struct subjects_check {
  struct api_loop *loop;
  int64_t business_id;
};

static void streams_on_post(void *arg) {
  struct subjects_check *c = arg;
  loop_apply_pending(c->loop);
  event_stream_check_all(c->loop, c->business_id);
  free(c);
}

static void streams_check_on(struct api_loop *l, int64_t business_id) {
  struct subjects_check *c = malloc(sizeof(*c));
  if (c) *c = (struct subjects_check){l, business_id};
  if (c && http_loop_post(l->api->server, l->index, streams_on_post, c) == OK) return;
  free(c);
  atomic_fetch_or(&l->pending, PENDING_SUBJECTS); /* with its next request, or a stream's next comment */
}

void api_check_streams(struct api *a, int64_t business_id) {
  if (!event_feed_has_streams(a->event_feed)) return;
  if (business_id == 0) {
    loops_set_pending(a, PENDING_SUBJECTS);
    return;
  }
  for (unsigned i = 0; a->server && i < a->loop_count; i++)
    if (event_feed_has_streams_on(a->event_feed, business_id, i)) streams_check_on(&a->loops[i], business_id);
}

void api_session_changed(struct api *a, int64_t business_id, struct str digest) {
  session_changed(a->versions, business_id, digest);
  media_cut_session(a->cuts, business_id, digest);
  api_check_streams(a, business_id);
}

void api_cut_key(struct api *a, int64_t key_id) {
  media_cut_key(a, key_id);
}

void api_cut_business(struct api *a, int64_t business_id) {
  media_cut_business(a, business_id);
}

void api_key_changed(struct api *a, int64_t business_id, int64_t key_id) {
  if (key_id)
    cache_changed(a->versions, CACHE_KEY_SESSIONS, key_id, STR_NONE);
  else
    cache_changed(a->versions, CACHE_BUSINESS_SESSIONS, business_id, STR_NONE);
}

void api_on_change(struct api *a, const struct change *change) {
  if (change->kind == CHANGE_RECORDING || change->kind == CHANGE_WANT || change->kind == CHANGE_CALL)
    rows_changed(a, change->business_id, change->id);
  if (change->kind == CHANGE_SESSION) api_session_changed(a, change->business_id, change->id);
  if (change->kind == CHANGE_EXPIRED) media_cut_recording(a->cuts, change->business_id, change->id);
  event_feed_change(a->event_feed, change);
}

void api_on_changes_lost(struct api *a) {
  cache_changed_all(a->versions);
  atomic_store(&a->must_sweep, true);
  api_check_streams(a, 0);
  event_feed_lost(a->event_feed);
}

void api_wait_reason_changed(struct api *a, int64_t business_id) {
  event_feed_reset(a->event_feed, business_id);
}

/* Has loops close the files of rows that changed, at most every SWEEP_MS: deleted files must free their space. */
static void sweep_open_files(struct api *a) {
  int64_t now = clock_mono_ms();
  if (now - a->swept_ms < SWEEP_MS || !atomic_exchange(&a->must_sweep, false)) return;
  a->swept_ms = now;
  loops_set_pending(a, PENDING_FILES);
}

void api_tick(struct api *a) {
  event_feed_tick(a->event_feed);
  media_cut_send(a);
  sweep_open_files(a);
}

static void drain_loop(void *arg) {
  playback_request_answer_waiting(arg);
  event_stream_end_all(arg);
}

void api_drain(struct api *a) {
  atomic_store(&a->draining, true);
  for (unsigned i = 0; a->server && i < a->loop_count; i++)
    IGNORE(http_loop_post(a->server, i, drain_loop, &a->loops[i])); /* else each at its own deadline */
}

/* ---- building and freeing ---- */

/* At most an eighth of the descriptors that this process may have. */
static size_t open_files_max(unsigned loops) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return OPEN_FILES_MIN;
  rlim_t share = limit.rlim_cur / 8 / loops;
  return share > OPEN_FILES_MAX ? OPEN_FILES_MAX : share < OPEN_FILES_MIN ? OPEN_FILES_MIN : (size_t)share;
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
  if (a->jwt) TRY(jwt_cache_new(&l->jwt_cache));
  return playbacks_local_new(&l->playbacks);
}

static void loop_done(struct api_loop *l) {
  assert(!l->waiting && !l->lookups); /* the server is gone, and with it every exchange */
  l->key_cache = key_cache_free(l->key_cache);
  access_unref(l->access);
  file_check_free_gathered(l);
  l->open_files = open_files_free(l->open_files);
  l->status_cache = status_cache_free(l->status_cache);
  l->session_cache = session_cache_free(l->session_cache);
  l->jwt_cache = jwt_cache_free(l->jwt_cache);
  l->playbacks = playbacks_local_free(l->playbacks);
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

/* The settings that say which origins, proxies and credentials are accepted. */
static enum err init_credentials(struct api *a) {
  const struct conf *conf = a->parts.conf;
  struct buf *problem = a->parts.ret_problem;
  TRY(origins_new(conf->public_base_url, conf->cors_origins, conf->frame_ancestors, problem, &a->origins));
  TRY(jwt_from_conf(conf, problem, &a->jwt));
  TRY(proxies_new(str_from(conf->trusted_proxies), &a->proxies));
  if (a->parts.url_key) a->url_key = *a->parts.url_key;
  a->has_older_url_key = signed_url_older_key(conf->url_signing_key, &a->older_url_key);
  a->cookie = malloc(sizeof(*a->cookie));
  if (!a->cookie) return ERR_NOMEM;
  return cookie_rules_set(a->cookie, origins_is_https(a->origins), a->path_base, origins_framed_by_others(a->origins));
}

static enum err init(struct api *a, struct access_snapshot *snapshot) {
  lock_init(&a->lock, "api access", LOCK_RANK_API);
  a->newest = access_ref(snapshot);
  a->reactions = reactions;
  a->loop_count = a->parts.loops;
  a->loops = aligned_alloc(_Alignof(struct api_loop), a->loop_count * sizeof(struct api_loop));
  if (!a->loops) return ERR_NOMEM;
  memset(a->loops, 0, a->loop_count * sizeof(struct api_loop));
  a->refused = calloc(REFUSAL_SLOTS, sizeof(*a->refused));
  a->path_base = str_from(a->parts.path_base);
  a->provider = provider_find(STR("twilio"));
  a->webhook_notes = calloc(WEBHOOK_NOTE_SLOTS, sizeof(*a->webhook_notes));
  if (!a->refused || !a->webhook_notes) return ERR_NOMEM;
  TRY(credentials_new(&a->credentials));
  TRY(cache_versions_new(&a->versions));
  TRY(init_public(a));
  TRY(init_credentials(a));
  TRY(playbacks_new(&a->playbacks));
  TRY(hits_new(&a->hits));
  TRY(media_cuts_new(&a->cuts));
  TRY(quota_new(&a->webhooks));
  TRY(quota_new(&a->answers));
  TRY(quota_new(&a->exports));
  const struct event_feed_parts event_feed = event_stream_feed_parts(a);
  TRY(event_feed_new(&event_feed, &a->event_feed));
  TRY(page_files_new(a->path_base, a->parts.data_dir, &a->page));
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
  free(a->cookie);
  hmac_key_wipe(&a->url_key);
  hmac_key_wipe(&a->older_url_key);
  a->playbacks = playbacks_free(a->playbacks);
  a->hits = hits_free(a->hits);
  a->cuts = media_cuts_free(a->cuts);
  a->webhooks = quota_free(a->webhooks);
  a->answers = quota_free(a->answers);
  a->exports = quota_free(a->exports);
  a->page = page_files_free(a->page);
  a->event_feed = event_feed_free(a->event_feed);
  a->credentials = credentials_free(a->credentials);
  free(a->webhook_notes);
  free(a->refused);
  a->versions = cache_versions_free(a->versions);
  free(a->public_url);
  free(a->public_origin);
  lock_done(&a->lock);
  free(a);
  return NULL;
}

struct http_app api_http_app(struct api *a) {
  return (struct http_app){.arg = a, .head = api_on_head, .request = api_on_request, .refuse = api_on_refusal};
}

struct http_app api_admin_app(struct api *a) {
  return (struct http_app){.arg = a, .request = api_admin_request};
}

void api_set_server(struct api *a, struct http_server *s) {
  a->server = s;
}
