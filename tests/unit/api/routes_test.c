#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "api/events/api_event_stream.h"
#include "api/handlers/api_handlers.h"
#include "api/media/api_stream.h"
#include "api/routes.h"

static void every_row_says_who_may_and_how_much(void **state) {
  (void)state;
  for (size_t i = 0; i < api_route_count; i++) {
    const struct http_route *r = &api_routes[i];
    unsigned who = r->access & ROUTE_WHO;
    assert_true(who >= ROUTE_OPEN && who <= ROUTE_ANYBODY);
    size_t most = r->handle == api_put_transcript ? 4 * 1024 * 1024 : 64 * 1024;
    assert_true(r->body_max > 0 && r->body_max <= most);
    assert_non_null(r->handle);
    assert_int_equal(r->pattern[0], '/');
  }
}

static void only_webhooks_health_links_and_the_page_need_no_credential(void **state) {
  static const char *const open[] = {"/healthz", "/readyz",
                                     "/metrics"}; /* the handler of the last checks the key itself */
  (void)state;
  for (size_t i = 0; i < api_route_count; i++) {
    struct str pattern = str_from(api_routes[i].pattern);
    bool may = str_starts(pattern, STR("/webhooks/"));
    for (size_t k = 0; k < COUNT_OF(open); k++) may = may || str_eq(pattern, str_from(open[k]));
    assert_int_equal((api_routes[i].access & ROUTE_WHO) == ROUTE_OPEN, may);
    bool is_page = !str_starts(pattern, STR("/api/")) || str_eq(pattern, STR("/api/openapi.yaml"));
    assert_int_equal((api_routes[i].access & ROUTE_WHO) == ROUTE_ANYBODY, is_page && !may);
  }
}

struct endpoint {
  enum http_method method;
  const char *path;
  unsigned who;
  api_handler *handle;
};

static void every_endpoint_is_served_by_its_function(void **state) {
  (void)state;
  static const struct endpoint endpoints[] = {
      {HTTP_GET, "/api/calls", ROUTE_VIEWER, api_list_calls},
      {HTTP_GET, "/api/calls/CA1", ROUTE_VIEWER, api_get_call},
      {HTTP_PATCH, "/api/calls/CA1", ROUTE_AGENT, api_patch_call},
      {HTTP_GET, "/api/calls/CA1/download", ROUTE_MEDIA, api_call_download},
      {HTTP_GET, "/api/calls/download/CA1", ROUTE_MEDIA, api_call_download},
      {HTTP_GET, "/api/recordings/RE1/download", ROUTE_MEDIA, api_download},
      {HTTP_GET, "/api/recordings/RE1/status", ROUTE_VIEWER, api_recording_status},
      {HTTP_GET, "/api/recordings/RE1/stream", ROUTE_MEDIA, api_stream},
      {HTTP_HEAD, "/api/recordings/RE1/stream", ROUTE_MEDIA, api_stream},
      {HTTP_GET, "/api/recordings/file/RE1", ROUTE_MEDIA, api_stream},
      {HTTP_GET, "/api/recordings/RE1/waveform", ROUTE_MEDIA, api_waveform},
      {HTTP_POST, "/api/recordings/RE1/prepare", ROUTE_VIEWER, api_prepare},
      {HTTP_POST, "/api/recordings/RE1/retry", ROUTE_AGENT, api_retry},
      {HTTP_POST, "/api/recordings/retry", ROUTE_ADMIN, api_retry_all},
      {HTTP_POST, "/api/recordings/RE1/url", ROUTE_AGENT, api_sign_url},
      {HTTP_DELETE, "/api/recordings/RE1", ROUTE_ADMIN, api_delete_recording},
      {HTTP_GET, "/api/events", ROUTE_VIEWER, api_events},
      {HTTP_GET, "/api/stats", ROUTE_ADMIN, api_stats},
      {HTTP_POST, "/api/session", ROUTE_VIEWER, api_make_session},
      {HTTP_GET, "/api/session", ROUTE_VIEWER, api_get_session},
      {HTTP_DELETE, "/api/session", ROUTE_VIEWER, api_end_session},
      {HTTP_GET, "/signin", ROUTE_ANYBODY, api_signin},
      {HTTP_POST, "/signin", ROUTE_ANYBODY, api_signin_use},
      {HTTP_POST, "/webhooks/twilio/1/call", ROUTE_OPEN, api_call_webhook},
      {HTTP_POST, "/webhooks/twilio/1/recording", ROUTE_OPEN, api_recording_webhook},
      {HTTP_GET, "/healthz", ROUTE_OPEN, api_healthz},
      {HTTP_GET, "/readyz", ROUTE_OPEN, api_readyz},
      {HTTP_GET, "/metrics", ROUTE_OPEN, api_metrics},
      {HTTP_GET, "/api/openapi.yaml", ROUTE_ANYBODY, api_description},
      {HTTP_GET, "/", ROUTE_ANYBODY, api_page},
      {HTTP_GET, "/calls/CA1", ROUTE_ANYBODY, api_page},
      {HTTP_GET, "/health", ROUTE_ANYBODY, api_page},
      {HTTP_GET, "/settings", ROUTE_ANYBODY, api_page},
      {HTTP_GET, "/signed-out", ROUTE_ANYBODY, api_page},
      {HTTP_HEAD, "/assets/x.js", ROUTE_ANYBODY, api_asset},
      {HTTP_GET, "/favicon.svg", ROUTE_ANYBODY, api_icon},
      {HTTP_GET, "/embed/RE1", ROUTE_ANYBODY, api_embed_page},
      {HTTP_GET, "/callreel-player.js", ROUTE_ANYBODY, api_player_script},
  };
  for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
    const struct endpoint *e = &endpoints[i];
    char allow[64];
    struct http_match m;
    assert_int_equal(
        http_route_find(api_routes, api_route_count, e->method, str_from(e->path), allow, sizeof(allow), &m), OK);
    assert_int_equal(m.route->access & ROUTE_WHO, e->who);
    assert_true(m.route->handle == e->handle);
  }
}

static void another_method_is_told_which_ones_there_are(void **state) {
  (void)state;
  static const struct {
    enum http_method method;
    const char *path, *allow;
  } rows[] = {
      {HTTP_POST, "/api/calls", "GET, HEAD"},
      {HTTP_POST, "/api/calls/CA1", "GET, HEAD, PATCH, DELETE"},
      {HTTP_GET, "/api/recordings/RE1/prepare", "POST"},
      {HTTP_GET, "/webhooks/twilio/1/call", "POST"},
      {HTTP_OTHER, "/healthz", "GET, HEAD"},
      {HTTP_PUT, "/api/session", "GET, HEAD, POST, DELETE"},
      {HTTP_PUT, "/signin", "GET, HEAD, POST"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    char allow[64] = "";
    struct http_match m;
    assert_int_equal(
        http_route_find(api_routes, api_route_count, rows[i].method, str_from(rows[i].path), allow, sizeof(allow), &m),
        ERR_DENIED);
    assert_string_equal(allow, rows[i].allow);
  }
}

static void what_is_not_in_the_table_is_not_there(void **state) {
  (void)state;
  static const char *const paths[] = {"/index.html",
                                      "/calls/CA1/",
                                      "/assets/",
                                      "/assets/a/b.js",
                                      "/embed",
                                      "/api",
                                      "/api/",
                                      "/api/calls/",
                                      "/api/recordings",
                                      "/api/recordings//status",
                                      "/webhooks/other/1/call",
                                      "/healthz/",
                                      "/api/recordings/RE1/stream/x"};
  for (size_t i = 0; i < COUNT_OF(paths); i++) {
    char allow[64];
    struct http_match m;
    assert_int_equal(
        http_route_find(api_routes, api_route_count, HTTP_GET, str_from(paths[i]), allow, sizeof(allow), &m),
        ERR_NOT_FOUND);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_says_who_may_and_how_much),
      cmocka_unit_test(only_webhooks_health_links_and_the_page_need_no_credential),
      cmocka_unit_test(every_endpoint_is_served_by_its_function),
      cmocka_unit_test(another_method_is_told_which_ones_there_are),
      cmocka_unit_test(what_is_not_in_the_table_is_not_there),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
