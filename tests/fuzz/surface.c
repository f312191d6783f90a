/* Input: the first byte chooses a request to the API behind a real server, the rest is its query, body or headers. Property: the
 * answer is not 500 and not for another's rows, and what is no success is a problem document or a page. */
#include <stdlib.h>
#include <string.h>

#include "../unit/api/service_testing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { TEXT_MAX = 16 * 1024, TARGET_MAX = TEXT_MAX + 256 };
enum place { IN_QUERY, IN_BODY, IN_FORM, IN_HEADERS, IN_PATH, IN_CREDENTIALS };

static const struct {
  const char *method, *target;
  enum place place;
} requests[] = {
    {"GET", "/api/calls?", IN_QUERY},
    {"GET", "/api/calls.csv?", IN_QUERY},
    {"GET", "/api/urls?", IN_QUERY},
    {"GET", STREAM "?b=1&exp=9999999999&", IN_QUERY},
    {"PATCH", "/api/calls/" CA1, IN_BODY},
    {"POST", "/api/keys", IN_BODY},
    {"POST", "/api/signin-links", IN_BODY},
    {"PATCH", "/api/business", IN_BODY},
    {"POST", "/api/recordings/" RE1 "/notes", IN_BODY},
    {"POST", "/signin", IN_FORM},
    {"GET", "/api/session", IN_HEADERS},
    {"POST", "/signin", IN_HEADERS},
    {"DELETE", "/api/urls/", IN_PATH},
    {"DELETE", "/api/sessions/", IN_PATH},
    {"DELETE", "/api/keys/9", IN_PATH}, /* none of those that this asks with */
    {"GET", "/api/audit?", IN_QUERY},
    {"GET", "/api/audit.csv?", IN_QUERY},
    {"GET", "/api/audit?cursor=", IN_QUERY},
    {"GET", "/api/calls?limit=1&cursor=", IN_QUERY},
    {"GET", "/api/urls?cursor=", IN_QUERY},
    {"GET", "/api/sessions?", IN_QUERY},
    {"GET", "/api/setup?", IN_QUERY},
    {"POST", "/api/recordings/retry?", IN_QUERY},
    {"POST", "/api/recordings/" RE1 "/url?", IN_QUERY},
    {"PATCH", "/api/recordings/" RE1 "/notes/1", IN_BODY},
    {"DELETE", "/api/recordings/" RE1 "/notes/9", IN_PATH},
    {"GET", "/api/recordings/", IN_PATH},
    {"GET", "/api/calls/", IN_PATH},
    {"GET", "/embed/", IN_PATH},
    {"POST", "/api/session", IN_CREDENTIALS},
    {"POST", "/api/session", IN_BODY},
    {"GET", "/api/calls", IN_CREDENTIALS},
};

static void require(bool holds) {
  if (!holds) abort();
}

static struct service *service(void) {
  static struct service *s;
  void *state;
  if (s) return s;
  require(service_setup(&state) == 0);
  s = state;
  s->conf.trusted_proxies = "127.0.0.1, 10.0.0.0/8";
  s->conf.play_wait_s = 0;
  service_start(s);
  service_call(s, s->business, CA1, NULL);
  service_recording(s, s->business, RE1, CA1, RECORDING_QUEUED);
  service_call(s, s->other, CA2, NULL);
  return s;
}

/* No byte of the input ends a line or a text: how a request is delimited is for the target http_request. */
static void clean(char *text, size_t n, enum place place) {
  for (size_t i = 0; i < n; i++) {
    bool bad = text[i] == '\0' || (place != IN_BODY && place != IN_FORM && (text[i] == '\r' || text[i] == '\n')) ||
               ((place == IN_QUERY || place == IN_PATH) && text[i] == ' ');
    if (bad) text[i] = '_';
  }
  text[n] = '\0';
}

static const char *type_of(enum place place) {
  if (place == IN_BODY) return "Content-Type: application/json\r\n";
  return place == IN_FORM ? "Content-Type: application/x-www-form-urlencoded\r\n" : "";
}

static void ask(size_t which, const char *text) {
  struct service *s = service();
  enum place place = requests[which].place;
  char target[TARGET_MAX], headers[3 * TEXT_MAX + 256] = "";
  bool in_target = place == IN_QUERY || place == IN_PATH;
  (void)snprintf(target, sizeof(target), "%s%s", requests[which].target, in_target ? text : "");
  if (place == IN_HEADERS)
    (void)snprintf(headers, sizeof(headers),
                   "X-Forwarded-Proto: https, http\r\nX-Forwarded-For: %s\r\nCookie: %s\r\nOrigin: %s\r\n", text, text,
                   text);
  if (place == IN_CREDENTIALS)
    (void)snprintf(headers, sizeof(headers), "Authorization: %s\r\nX-Business-Id: %s\r\n", text, text);
  bool signed_url = strncmp(target, STREAM, sizeof(STREAM) - 1) == 0;
  bool without_key = signed_url || place == IN_CREDENTIALS || strncmp(target, "/signin", 7) == 0;
  const char *key = without_key ? NULL : s->admin;
  struct answer *a = service_ask(s, requests[which].method, target, key, place == IN_HEADERS ? headers : type_of(place),
                                 place == IN_BODY || place == IN_FORM ? text : NULL);
  require(a->status >= 200 && a->status != 500 && a->status < 504);
  require(!(signed_url || place == IN_CREDENTIALS) || a->status >= 400);
  require(!strstr(a->body, CA2) || strstr(text, CA2));
  require(!strstr(a->body, "Beta") || strstr(text, "Beta"));
  if (a->status >= 400 && strncmp(target, "/signin", 7) != 0 && strncmp(target, "/embed", 6) != 0)
    require(strncmp(answer_header(a, "Content-Type"), "application/problem+json", 24) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static char text[TEXT_MAX + 1];
  if (n < 1) return 0;
  size_t which = bytes[0] % COUNT_OF(requests), length = n - 1 < TEXT_MAX / 4 ? n - 1 : TEXT_MAX / 4;
  memcpy(text, bytes + 1, length);
  clean(text, length, requests[which].place);
  ask(which, text);
  return 0;
}
