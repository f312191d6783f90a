/* api_answer.h - header lines that answers have in common, and answers made whole.
 *
 *   struct http_fields f;  answer_fields(&f);  http_field(&f, STR("Location"), where);  answer_json(x, 202, &f, body);
 *
 * Thread rule: the exchange's loop; building fields is pure. */
#pragma once

#include "http/http.h"

/* Begins the fields of an API answer: nosniff, no-referrer, not to be stored. */
void answer_fields(struct http_fields *f);
/* Begins those of audio: nosniff, no-referrer. */
void answer_fields_media(struct http_fields *f);
/* Lines that this program made, each with its CRLF. */
void answer_lines(struct http_fields *f, struct str lines);
void answer_field_int(struct http_fields *f, struct str name, int64_t value);
/* Content-Range of that part; first < 0: of none. */
void answer_content_range(struct http_fields *f, int64_t first, int64_t last, int64_t length);

/* What lets a page of CORS_ORIGINS read the answer: for who answers by http_respond itself, once. */
void answer_origin(const struct http_exchange *x, struct http_fields *f);
void answer_bytes(struct http_exchange *x, int status, struct http_fields *f, struct str content_type, struct str body);
void answer_json(struct http_exchange *x, int status, struct http_fields *f, struct str body);
void answer_empty(struct http_exchange *x, int status, struct http_fields *f);
