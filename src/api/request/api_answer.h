/* api_answer.h - header fields that answers have in common, and functions that send a whole answer.
 *
 *   struct http_fields f;  answer_fields(&f);  http_field(&f, STR("Location"), where);  answer_json(x, 202, &f, body);
 *
 * Thread rule: the exchange's loop; building fields is pure. */
#pragma once

#include "http/http.h"

/* Initializes f for an API answer: nosniff, no-referrer, no-store. */
void answer_fields(struct http_fields *f);
/* Initializes f for audio or a file of the page, which may be cached: nosniff, no-referrer. */
void answer_fields_media(struct http_fields *f);
/* Appends constant lines, each with its CRLF, unchecked: never text from outside. */
void answer_lines(struct http_fields *f, struct str lines);
void answer_field_int(struct http_fields *f, struct str name, int64_t value);
/* Adds Content-Range: bytes first-last/length. first < 0: no range, only length (for a 416). */
void answer_content_range(struct http_fields *f, int64_t first, int64_t last, int64_t length);

/* Adds the CORS headers, and Cross-Origin-Resource-Policy to answers to signed URLs, errors too: a page of another site that
 * isolates itself (Cross-Origin-Embedder-Policy) may show them. Call it once before http_respond; the functions below call it
 * themselves. */
void answer_origin(const struct http_exchange *x, struct http_fields *f);
/* These send the answer. body is copied before they return. */
void answer_bytes(struct http_exchange *x, int status, struct http_fields *f, struct str content_type, struct str body);
void answer_json(struct http_exchange *x, int status, struct http_fields *f, struct str body);
void answer_empty(struct http_exchange *x, int status, struct http_fields *f);
