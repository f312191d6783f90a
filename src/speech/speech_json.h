/* speech_json.h - reads JSON of an engine, which may hold texts that are not UTF-8, NaN, and anything else.
 *
 *   json_t *root;   if (speech_json_load(body, &root) == OK) …   speech_json_text(root, "text", &b)
 *
 * Thread rule: pure. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

enum { SPEECH_JSON_DEPTH = 32, SPEECH_JSON_VALUES = 100 * 1000 };

/* Loads any JSON value; the caller calls json_decref. Bytes that are no UTF-8 survive within strings, as characters that
 * speech_json_bytes turns back. Control characters and halves of surrogates within strings, and NaN and Infinity, are repaired.
 * ERR_INVALID: no JSON. ERR_TOO_BIG: deeper than SPEECH_JSON_DEPTH, or more values than SPEECH_JSON_VALUES. ERR_NOMEM. */
CHECKED enum err speech_json_load(struct str body, json_t **ret_root);
/* Appends the bytes of a string as they came; nothing for other values. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_json_bytes(const json_t *value, struct buf *b);
/* Appends the string, cleaned (speech_text.h). */
CHECKED enum err speech_json_text(const json_t *value, struct buf *b);
/* A number, also one in a string, also with an "s" behind it ("0.700s"); `missing` for all else. */
double speech_json_number(const json_t *object, const char *member, double missing);
/* Seconds as ms, clamped to 0 … max_ms; `missing` where there are none. */
int64_t speech_json_ms(const json_t *object, const char *member, int64_t max_ms, int64_t missing);
