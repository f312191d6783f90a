/* static.h - answers requests with files that are embedded in the program, without reading or copying them.
 *
 *   http_static_new(files, &s);
 *   const struct http_static_file *file = http_static_find(s, STR("index.html"));
 *   if (file) http_static_answer(x, file, &fields);
 *
 * The answer is 200 or 304, by a strong ETag; it is compressed if there is a gzip variant and the client accepts gzip. Range is
 * ignored. Thread rule: immutable after http_static_new; http_static_answer runs on the exchange's loop. */
#pragma once

#include "base/embedded.h"
#include "http/http.h"

struct http_static;
struct http_static_file;

/* files: ends with a row without a name; must stay valid until http_static_free. ERR_NOMEM. */
CHECKED enum err http_static_new(const struct embedded_file *files, struct http_static **ret_static);
struct http_static *http_static_free(struct http_static *s); /* NULL is allowed; always returns NULL */
/* The file with that name, or NULL. */
const struct http_static_file *http_static_find(const struct http_static *s, struct str name);
/* Answers x. Adds Content-Type and ETag to fields, and Vary and Content-Encoding if the file has a gzip variant. */
void http_static_answer(struct http_exchange *x, const struct http_static_file *file, struct http_fields *fields);
/* Answers x with the file under another status, for an error that has a page: without ETag. Ignores the request's conditions. */
void http_static_answer_error(struct http_exchange *x, const struct http_static_file *file, int status,
                              struct http_fields *fields);
/* The media type for the name's extension; application/octet-stream if it is unknown. */
const char *http_static_type(struct str name);
