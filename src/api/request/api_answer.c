/* api_answer.c - builds the header fields that answers have in common, and sends whole answers.
 *
 * Constant header lines are copied without checking each byte: the check would cost more than the rest of a small answer. */
#include "api/request/api_answer.h"

#include <string.h>

#include "api/request/api_loop.h"
#include "api/request/api_origin.h"
#include "domain/signed_url.h"

enum { DECIMAL_SIZE = 20 }; /* digits of an int64_t, and one to spare */

void answer_lines(struct http_fields *f, struct str lines) {
  if (lines.n > sizeof(f->bytes) - f->n) f->bad = true;
  if (f->bad || lines.n == 0) return;
  memcpy(f->bytes + f->n, lines.p, lines.n);
  f->n += lines.n;
}

void answer_fields(struct http_fields *f) {
  http_fields_init(f);
  answer_lines(f,
               STR("X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"));
}

void answer_fields_media(struct http_fields *f) {
  http_fields_init(f);
  answer_lines(f, STR("X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"));
}

/* Writes the digits of n (>= 0) so that they stop before end. Returns where they begin. */
static char *decimal_write_before(char *end, int64_t n) {
  do *--end = (char)('0' + n % 10);
  while (n /= 10);
  return end;
}

static struct str decimal_text(char text[DECIMAL_SIZE], int64_t n) {
  char *end = text + DECIMAL_SIZE, *begin = decimal_write_before(end, n < 0 ? 0 : n);
  return str_of(begin, (size_t)(end - begin));
}

void answer_field_int(struct http_fields *f, struct str name, int64_t value) {
  char text[DECIMAL_SIZE];
  http_field(f, name, decimal_text(text, value));
}

/* The line is written from its end to its beginning, because decimals are. */
void answer_content_range(struct http_fields *f, int64_t first, int64_t last, int64_t length) {
  static const struct str before = STR("Content-Range: bytes ");
  char text[sizeof("Content-Range: bytes -/\r\n") + 3 * DECIMAL_SIZE];
  char *end = text + sizeof(text), *at = end;
  *--at = '\n';
  *--at = '\r';
  at = decimal_write_before(at, length);
  *--at = '/';
  if (first < 0) {
    *--at = '*';
  } else {
    at = decimal_write_before(at, last);
    *--at = '-';
    at = decimal_write_before(at, first);
  }
  at -= before.n;
  memcpy(at, before.p, before.n);
  answer_lines(f, str_of(at, (size_t)(end - at)));
}

/* The request is for media by a signed URL, whether the URL is valid or not. */
static bool is_shared_media(const struct http_request *r) {
  static const char *const parts[] = {"/stream", "/download", "/waveform", "/api/recordings/file/"};
  if (!signed_url_present(r->query) || http_header_count(r, STR("Authorization"))) return false;
  for (size_t i = 0; i < COUNT_OF(parts); i++)
    if (str_contains(r->path, str_from(parts[i]))) return true;
  return false;
}

void answer_origin(const struct http_exchange *x, struct http_fields *f) {
  const struct api *a = http_app_arg(x);
  const struct http_request *r = http_request(x);
  origin_cors(a->origins, r, f);
  if (is_shared_media(r)) answer_lines(f, STR("Cross-Origin-Resource-Policy: cross-origin\r\n"));
}

void answer_bytes(struct http_exchange *x, int status, struct http_fields *f, struct str content_type,
                  struct str body) {
  http_field(f, STR("Content-Type"), content_type);
  answer_origin(x, f);
  const struct http_body b = {.kind = HTTP_BODY_BYTES, .bytes = body, .length = (int64_t)body.n};
  http_respond(x, status, f, &b);
}

void answer_json(struct http_exchange *x, int status, struct http_fields *f, struct str body) {
  answer_bytes(x, status, f, STR("application/json"), body);
}

void answer_empty(struct http_exchange *x, int status, struct http_fields *f) {
  const struct http_body b = {.kind = HTTP_BODY_NONE};
  answer_origin(x, f);
  http_respond(x, status, f, &b);
}
