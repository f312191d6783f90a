/* speech_json.c - reads JSON of an engine.
 *
 * Invariants
 *  (1) A byte of a string that is no UTF-8 becomes the character BYTE_CODES + the byte, which no language uses. So a character
 *      whose bytes lie in two strings can be put together again.
 *  (2) Depth and number of values are checked before memory is allocated for them. */
#include "speech/speech_json.h"

#include <math.h>
#include <stdlib.h>

#include "speech/speech_text.h"

#define REPLACEMENT STR("\xef\xbf\xbd")      /* U+FFFD */
static const uint32_t BYTE_CODES = 0x10ff00; /* of plane 16, for private use */

struct json_repair {
  struct str from;
  struct buf *to;
  size_t depth, values;
};

static enum err add_byte_character(struct buf *b, unsigned char byte) {
  uint32_t code = BYTE_CODES + byte;
  const char utf8[4] = {(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 63)), (char)(0x80 | (code >> 6 & 63)),
                        (char)(0x80 | (code & 63))};
  return buf_add(b, str_of(utf8, 4));
}

/* The code unit of an escape like \u00e9 at `at`; -1: there is none. */
static int escaped_unit(struct str s, size_t at) {
  int unit = 0;
  if (at > s.n || s.n - at < 6 || s.p[at] != '\\' || s.p[at + 1] != 'u') return -1;
  for (size_t i = at + 2; i < at + 6; i++) {
    char c = s.p[i];
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (value < 0) return -1;
    unit = unit * 16 + value;
  }
  return unit;
}

/* Copies the escape at `at`, or U+FFFD for half a surrogate pair. */
static enum err repair_escape(struct json_repair *r, size_t at, size_t *ret_bytes) {
  int unit = escaped_unit(r->from, at), next = escaped_unit(r->from, at + 6);
  bool is_high = unit >= 0xd800 && unit < 0xdc00, is_low = unit >= 0xdc00 && unit < 0xe000;
  bool is_pair = is_high && next >= 0xdc00 && next < 0xe000;
  size_t n = is_pair ? 12 : unit >= 0 ? 6 : 2;
  bool is_broken = is_low || (is_high && !is_pair);
  *ret_bytes = n;
  return buf_add(r->to, is_broken ? REPLACEMENT : str_head(str_skip(r->from, at), n));
}

/* Copies the string whose opening quote is at *at, and moves behind its end. */
static enum err repair_string(struct json_repair *r, size_t *at) {
  TRY(buf_add_char(r->to, '"'));
  for (++*at; *at < r->from.n && r->from.p[*at] != '"';) {
    unsigned char byte = (unsigned char)r->from.p[*at];
    uint32_t code;
    size_t bytes = str_utf8_at(r->from, *at, &code);
    if (byte == '\\')
      TRY(repair_escape(r, *at, &bytes));
    else if (byte < ' ')
      TRY(buf_add_char(r->to, ' '));
    else if (bytes == 0)
      TRY(add_byte_character(r->to, byte)); /* (1) */
    else
      TRY(buf_add(r->to, str_of(r->from.p + *at, bytes)));
    *at += bytes ? bytes : 1;
  }
  if (*at < r->from.n) ++*at;
  return buf_add_char(r->to, '"');
}

/* How many bytes at `at` are a number that JSON does not have. */
static size_t no_number(struct str s, size_t at) {
  static const struct str names[] = {{"NaN", 3}, {"-NaN", 4}, {"nan", 3}, {"Infinity", 8}, {"-Infinity", 9}};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    if (str_starts(str_skip(s, at), names[i])) return names[i].n;
  }
  return 0;
}

static enum err json_repair_run(struct json_repair *r) {
  for (size_t at = 0; at < r->from.n;) {
    char c = r->from.p[at];
    size_t bytes = no_number(r->from, at);
    if (c == '{' || c == '[') r->depth++;
    if ((c == '}' || c == ']') && r->depth > 0) r->depth--;
    if (c == '{' || c == '[' || c == ',') r->values++;
    if (r->depth > SPEECH_JSON_DEPTH || r->values > SPEECH_JSON_VALUES) return ERR_TOO_BIG; /* (2) */
    if (c == '"') {
      TRY(repair_string(r, &at));
    } else if (bytes > 0) {
      TRY(buf_add(r->to, STR("null")));
      at += bytes;
    } else {
      TRY(buf_add_char(r->to, c));
      at++;
    }
  }
  return OK;
}

enum err speech_json_load(struct str body, json_t **ret_root) {
  if (body.n > SIZE_MAX / 8) return ERR_TOO_BIG;
  struct buf repaired CLEANUP(buf_done) = BUF_INIT(body.n * 4 + 64);
  struct json_repair r = {.from = body, .to = &repaired};
  json_error_t why;
  TRY(json_repair_run(&r));
  if (repaired.n == 0) return ERR_INVALID;
  json_t *root = json_loadb(repaired.p, repaired.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
  if (!root) return json_error_code(&why) == json_error_out_of_memory ? ERR_NOMEM : ERR_INVALID;
  *ret_root = root;
  return OK;
}

enum err speech_json_bytes(const json_t *value, struct buf *b) {
  struct str text = str_of(json_string_value(value), json_string_length(value));
  for (size_t at = 0, size; at < text.n; at += size) {
    uint32_t code;
    size = str_utf8_at(text, at, &code);
    if (size == 0) size = 1; /* NUL */
    if (size == 4 && code >= BYTE_CODES + 0x80)
      TRY(buf_add_char(b, (char)(code & 0xff))); /* (1) */
    else
      TRY(buf_add(b, str_of(text.p + at, size)));
  }
  return OK;
}

enum err speech_json_text(const json_t *value, struct buf *b) {
  struct buf bytes CLEANUP(buf_done) = BUF_INIT(json_string_length(value) + 1);
  TRY(speech_json_bytes(value, &bytes));
  return speech_text_clean(buf_str(&bytes), b);
}

double speech_json_number(const json_t *object, const char *member, double missing) {
  const json_t *value = json_object_get(object, member);
  if (json_is_number(value)) return json_number_value(value);
  if (!json_is_string(value) || json_string_length(value) == 0) return missing;
  char *end;
  double number = strtod(json_string_value(value), &end);
  if (end == json_string_value(value) || (*end && !(end[0] == 's' && !end[1])) || !isfinite(number)) return missing;
  return number;
}

int64_t speech_json_ms(const json_t *object, const char *member, int64_t max_ms, int64_t missing) {
  double seconds = speech_json_number(object, member, NAN);
  if (isnan(seconds)) return missing;
  if (seconds <= 0) return 0;
  return seconds * 1000 >= (double)max_ms ? max_ms : (int64_t)(seconds * 1000 + 0.5);
}
