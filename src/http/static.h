/* static.h - files that are part of the program, as answers: never read from a disk, never copied for an answer.
 *
 *   http_static_new(files, &s);
 *   const struct http_static_file *file = http_static_find(s, STR("index.html"));
 *   if (file) http_static_answer(x, file, &fields);
 *
 * 200 or 304 by a strong ETag; the compressed variant where there is one and the client takes gzip. Ranges are left aside.
 * Thread rule: made once, used by any thread; answers are the exchange's loop's. */
#pragma once

#include "base/embedded.h"
#include "http/http.h"

struct http_static;
struct http_static_file;

/* files: up to the row without a name; they stay where they are until http_static_free. */
CHECKED enum err http_static_new(const struct embedded_file *files, struct http_static **ret_static);
struct http_static *http_static_free(struct http_static *s); /* NULL is fine; always NULL */
/* NULL: there is none of that name. */
const struct http_static_file *http_static_find(const struct http_static *s, struct str name);
/* fields may hold lines already; Content-Type, ETag, and Content-Encoding and Vary where there is a choice, are added. */
void http_static_answer(struct http_exchange *x, const struct http_static_file *file, struct http_fields *fields);
/* By the name's extension; application/octet-stream for an unknown one. Pure. */
const char *http_static_type(struct str name);
