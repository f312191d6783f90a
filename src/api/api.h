/* api.h - the HTTP surface: routes, who may, answers. Built by cmd/app, which owns all that it points to.
 *
 *   api_new(&parts, snapshot, &api);   struct http_app app = api_http_app(api);   api_set_server(api, server);
 *   the end: api_drain, http_server_drain; then changes, readers and writer are freed, since they post to the loops;
 *   then the server, and last api_free(api).
 *
 * Thread rule: api_new and api_free by the owner; the rest as marked. */
#pragma once

#include "api/request/api_parts.h"

struct api;

/* ERR_INVALID: a setting that can't be meant so: see ret_problem. */
CHECKED enum err api_new(const struct api_parts *parts, struct access_snapshot *snapshot, struct api **ret_api);
struct api *api_free(struct api *a);
/* The application for http_server_new; api_set_server before http_server_start. */
struct http_app api_http_app(struct api *a);
void api_set_server(struct api *a, struct http_server *s);
/* The application of a second server, for who watches: /metrics without credentials, /healthz, /readyz; nothing else. It is
 * freed before the api. */
struct http_app api_admin_app(struct api *a);
/* (any thread) A newer snapshot: each loop swaps to it within a moment. Takes a reference of its own. */
void api_set_access(struct api *a, struct access_snapshot *snapshot);
/* (any thread) A key was made or revoked, key_id 0: those of a business, or the business itself: sessions that it opened are
 * looked up anew. The snapshot is set apart from that. */
void api_key_changed(struct api *a, int64_t business_id, int64_t key_id);
/* (any thread) After a snapshot was set or sessions changed: event streams of that business (0: of all) whose credential is
 * not good any more end. */
void api_check_streams(struct api *a, int64_t business_id);
/* (any thread) A session ended: digest is what a CHANGE_SESSION names; empty: any of the business. */
void api_session_changed(struct api *a, int64_t business_id, struct str digest);
/* The changes thread: every change, and when some were missed; api_tick after every look. */
void api_tell_change(struct api *a, const struct change *change);
void api_tell_lost(struct api *a);
void api_tick(struct api *a);
/* (any thread) From now on /readyz is 503 and what waits is answered soon. */
void api_drain(struct api *a);
