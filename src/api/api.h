/* api.h - the HTTP surface: routes, authentication, answers. cmd/serve builds it and owns all that it points to.
 *
 *   api_new(&parts, snapshot, &api);   struct http_app app = api_http_app(api);   api_set_server(api, server);
 *   at the end: api_drain, http_server_drain; then free changes, readers and writer, which post to the loops; then the
 *   server, and last api_free(api).
 *
 * Thread rule: the owner's, except what is marked. */
#pragma once

#include "api/request/api_parts.h"

struct api;

/* Takes a reference of snapshot. ERR_INVALID: a setting has no usable value; parts->ret_problem says which. */
CHECKED enum err api_new(const struct api_parts *parts, struct access_snapshot *snapshot, struct api **ret_api);
struct api *api_free(struct api *a); /* NULL is fine; always NULL */
/* The application for http_server_new. Call api_set_server before http_server_start. */
struct http_app api_http_app(struct api *a);
void api_set_server(struct api *a, struct http_server *s);
/* The application of the server at ADMIN_LISTEN: /metrics without credentials, /healthz, /readyz. That server is freed before
 * the api. */
struct http_app api_admin_app(struct api *a);
/* (any thread) Sets a newer snapshot and takes a reference of it. Each loop takes it within a moment, and before its next
 * request. */
void api_set_access(struct api *a, struct access_snapshot *snapshot);
/* (any thread) A key was made or revoked (key_id 0: all keys of the business, or the business itself): the sessions that it
 * opened are read again. It does not set a snapshot. */
void api_key_changed(struct api *a, int64_t business_id, int64_t key_id);
/* (any thread) Ends the event streams of the business (0: of all) whose credential is no longer good. Call it after a
 * snapshot was set or sessions changed. */
void api_check_streams(struct api *a, int64_t business_id);
/* (any thread) Cuts the answers with audio that the key, or its sessions and signed URLs, admit; those of the business. Call it
 * after a snapshot without them was set. */
void api_cut_key(struct api *a, int64_t key_id);
void api_cut_business(struct api *a, int64_t business_id);
/* (changes thread) A session ended. digest: as a CHANGE_SESSION has it; empty: any session of the business. */
void api_session_changed(struct api *a, int64_t business_id, struct str digest);
/* (any thread) What queued recordings of the business (0: of all) wait for has changed: its event streams get a reset. */
void api_wait_reason_changed(struct api *a, int64_t business_id);
/* The changes thread's: api_on_change for each change, api_on_changes_lost when some were missed, api_tick after each read. */
void api_on_change(struct api *a, const struct change *change);
void api_on_changes_lost(struct api *a);
void api_tick(struct api *a);
/* (any thread) From now on /readyz answers 503, and requests that wait are answered soon. */
void api_drain(struct api *a);
