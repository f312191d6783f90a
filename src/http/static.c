/* static.c - answers requests with files that are embedded in the program.
 *
 * Invariants
 *  (1) The bytes of an answer are those of the table, which outlives every exchange.
 *  (2) The plain and the compressed variant have different ETags, and answers with a choice carry Vary: Accept-Encoding. */
#include "http/static.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "http/accept.h"
#include "http/range.h"

enum { ETAG_BYTES = 12, ETAG_SIZE = 2 * ETAG_BYTES + 6 };

struct variant {
  struct str bytes;
  char etag[ETAG_SIZE]; /* with its quotes */
};

struct http_static_file {
  const char *name;
  const char *content_type;
  bool is_compressible;       /* it has a gzip variant */
  struct variant plain, gzip; /* given to sources as their arg: never changed */
};

struct http_static {
  size_t count;
  struct http_static_file files[];
};

const char *http_static_type(struct str name) {
  static const struct {
    const char *extension, *type;
  } types[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".woff2", "font/woff2"},
      {".png", "image/png"},
      {".json", "application/json"},
      {".yaml", "application/yaml"},
      {".txt", "text/plain; charset=utf-8"},
  };
  for (size_t i = 0; i < COUNT_OF(types); i++)
    if (str_ends(name, str_from(types[i].extension))) return types[i].type;
  return "application/octet-stream";
}

static void name_variant(struct variant *v, const unsigned char *bytes, size_t size, const char *suffix) {
  uint8_t digest[SHA256_SIZE];
  v->bytes = str_of((const char *)bytes, size);
  secret_sha256(v->bytes, digest);
  char digits[2 * ETAG_BYTES + 1];
  hex_encode(digest, ETAG_BYTES, digits);
  (void)snprintf(v->etag, sizeof(v->etag), "\"%s%s", digits, suffix); /* ETAG_SIZE has room for the longest */
}

enum err http_static_new(const struct embedded_file *files, struct http_static **ret_static) {
  size_t count = 0;
  while (files[count].name) count++;
  struct http_static *s = calloc(1, sizeof(*s) + count * sizeof(s->files[0]));
  if (!s) return ERR_NOMEM;
  s->count = count;
  for (size_t i = 0; i < count; i++) {
    struct http_static_file *f = &s->files[i];
    f->name = files[i].name;
    f->content_type = http_static_type(str_from(f->name));
    f->is_compressible = files[i].gzip;
    name_variant(&f->plain, files[i].bytes, files[i].size, "\"");
    if (f->is_compressible) name_variant(&f->gzip, files[i].gzip, files[i].gzip_size, "-gz\"");
  }
  *ret_static = s;
  return OK;
}

struct http_static *http_static_free(struct http_static *s) {
  free(s);
  return NULL;
}

const struct http_static_file *http_static_find(const struct http_static *s, struct str name) {
  for (size_t i = 0; i < s->count; i++)
    if (str_eq(name, str_from(s->files[i].name))) return &s->files[i];
  return NULL;
}

/* ---- answers ---- */

static void static_next_piece(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  const struct variant *v = arg;
  (void)x;
  *ret_piece =
      (struct http_piece){.kind = HTTP_PIECE_BYTES, .bytes = v->bytes}; /* called once: then the length is reached */
}

static const struct variant *static_choose(const struct http_request *r, const struct http_static_file *file,
                                           struct http_fields *fields) {
  bool gzip = file->is_compressible && http_accepts(r, STR("Accept-Encoding"), STR("gzip"));
  if (file->is_compressible) http_field(fields, STR("Vary"), STR("Accept-Encoding")); /* (2) */
  return gzip ? &file->gzip : &file->plain;
}

static void static_send(struct http_exchange *x, const struct http_static_file *file, const struct variant *v,
                        int status, struct http_fields *fields) {
  static const struct http_source source = {.next = static_next_piece};
  const struct http_body body = {.kind = HTTP_BODY_SOURCE,
                                 .length = (int64_t)v->bytes.n,
                                 .source = &source,
                                 .source_arg = (void *)(uintptr_t)v}; /* never written to */
  http_field(fields, STR("Content-Type"), str_from(file->content_type));
  if (v == &file->gzip) http_field(fields, STR("Content-Encoding"), STR("gzip"));
  http_respond(x, status, fields, &body);
}

void http_static_answer(struct http_exchange *x, const struct http_static_file *file, struct http_fields *fields) {
  const struct http_request *r = http_request(x);
  const struct variant *v = static_choose(r, file, fields);
  const struct http_representation have = {str_from(v->etag), -1, -1};
  const struct http_body none = {.kind = HTTP_BODY_NONE};
  int64_t first, last;
  http_field(fields, STR("ETag"), str_from(v->etag));
  enum http_selection selected = http_select(r, &have, &first, &last);
  if (selected == HTTP_SELECT_UNCHANGED || selected == HTTP_SELECT_FAILED)
    http_respond(x, selected == HTTP_SELECT_UNCHANGED ? 304 : 412, fields, &none);
  else
    static_send(x, file, v, 200, fields);
}

void http_static_answer_error(struct http_exchange *x, const struct http_static_file *file, int status,
                              struct http_fields *fields) {
  static_send(x, file, static_choose(http_request(x), file, fields), status, fields);
}
