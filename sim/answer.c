/* answer.c - sends JSON and XML responses in the provider's form, and checks credentials. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

enum { DOCUMENT_MAX = 1024, CREDENTIALS_MAX = 512 };

static const struct {
  int status, code;
  const char *message;
} ERRORS[] = {
    [API_UNAUTHORIZED] = {401, 20003, "Authenticate"},
    [API_FORBIDDEN_BODY] = {403, 20403, "A GET request has no body"},
    [API_NOT_FOUND] = {404, 20404, "The requested resource was not found"},
    [API_NOT_MONO] = {400, 16113, "The requested number of channels is not available for this recording"},
    [API_BAD_REQUEST] = {400, 20001, "Invalid parameter"},
    [API_BUSY] = {429, 20429, "Too many concurrent requests"},
    [API_BROKEN] = {500, 20500, "An internal server error has occurred"},
    [API_IN_PROGRESS] = {409, 20409, "The recording is not completed"},
    [API_NO_METHOD] = {405, 20004, "Method not allowed"},
};

static void answer_send(struct http_exchange *x, int status, struct http_fields *fields, struct str bytes) {
  const struct http_body body = {.kind = HTTP_BODY_BYTES, .bytes = bytes};
  http_respond(x, status, fields, &body);
}

void answer_json(struct http_exchange *x, int status, json_t *root) {
  char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
  struct http_fields fields;
  json_decref(root);
  http_fields_init(&fields);
  http_field(&fields, STR("Content-Type"), STR("application/json"));
  if (text)
    answer_send(x, status, &fields, str_from(text));
  else
    answer_send(x, 500, &fields, STR("{\"error\":\"out of memory\"}"));
  free(text);
}

void answer_problem(struct http_exchange *x, int status, const char *sentence) {
  answer_json(x, status, json_pack("{ss}", "error", sentence));
}

struct str answer_xml_document(enum api_error error, char *room, size_t size) {
  int n = snprintf(
      room, size,
      "<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>%d</Code><Message>%s</Message>"
      "<MoreInfo>https://www.twilio.com/docs/errors/%d</MoreInfo><Status>%d</Status></RestException>"
      "</TwilioResponse>",
      ERRORS[error].code, ERRORS[error].message, ERRORS[error].code, ERRORS[error].status);
  return str_of(room, n < 0 ? 0 : (size_t)n >= size ? size - 1 : (size_t)n);
}

static struct str json_document(enum api_error error, char *room, size_t size) {
  int n =
      snprintf(room, size,
               "{\"code\":%d,\"message\":\"%s\",\"more_info\":\"https://www.twilio.com/docs/errors/%d\",\"status\":%d}",
               ERRORS[error].code, ERRORS[error].message, ERRORS[error].code, ERRORS[error].status);
  return str_of(room, n < 0 ? 0 : (size_t)n >= size ? size - 1 : (size_t)n);
}

static void answer_error(struct http_exchange *x, enum api_error error, int64_t retry_after_s, bool json) {
  char document[DOCUMENT_MAX], seconds[24];
  struct http_fields fields;
  http_fields_init(&fields);
  (void)snprintf(seconds, sizeof(seconds), "%lld", (long long)retry_after_s);
  if (retry_after_s > 0) http_field(&fields, STR("Retry-After"), str_from(seconds));
  if (error == API_UNAUTHORIZED) http_field(&fields, STR("WWW-Authenticate"), STR("Basic realm=\"Twilio API\""));
  if (error == API_BUSY) http_field(&fields, STR("Twilio-Concurrent-Requests"), STR("101"));
  http_field(&fields, STR("Content-Type"), json ? STR("application/json") : STR("application/xml"));
  struct str bytes =
      json ? json_document(error, document, sizeof(document)) : answer_xml_document(error, document, sizeof(document));
  answer_send(x, ERRORS[error].status, &fields, bytes);
}

void answer_api_error(struct http_exchange *x, enum api_error error, bool json) {
  answer_error(x, error, 0, json);
}

void answer_busy(struct http_exchange *x, int64_t retry_after_s, bool json) {
  answer_error(x, API_BUSY, retry_after_s, json);
}

static bool is_pair(struct str given, struct str user, struct str password) {
  struct buf wanted CLEANUP(buf_done) = BUF_INIT(CREDENTIALS_MAX);
  if (buf_add(&wanted, user) != OK || buf_add_char(&wanted, ':') != OK || buf_add(&wanted, password) != OK)
    return false;
  return secret_equal(given, buf_str(&wanted));
}

static bool answer_has_credentials(const struct sim *sim, struct str authorization) {
  struct buf given CLEANUP(buf_done) = BUF_INIT(CREDENTIALS_MAX);
  struct str scheme, encoded;
  if (!str_cut(authorization, ' ', &scheme, &encoded) || !str_eq_nocase(scheme, STR("Basic"))) return false;
  if (base64_decode(&given, str_trim(encoded)) != OK) return false;
  bool known = is_pair(buf_str(&given), str_from(sim->account), str_from(sim->token));
  for (size_t i = 0; i < sim->key_count; i++) known |= is_pair(buf_str(&given), sim->keys[i].sid, sim->keys[i].secret);
  return known;
}

bool answer_authorized(struct sim *sim, struct http_exchange *x, struct str account, bool json) {
  const struct http_request *r = http_request(x);
  if (!str_eq(account, str_from(sim->account)) ||
      !answer_has_credentials(sim, http_header_get(r, STR("Authorization")))) {
    answer_api_error(x, API_UNAUTHORIZED, json);
    return false;
  }
  if ((r->method == HTTP_GET || r->method == HTTP_HEAD) && r->body.n > 0) {
    answer_api_error(x, API_FORBIDDEN_BODY, json);
    return false;
  }
  return true;
}
