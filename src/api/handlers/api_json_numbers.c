/* api_json_numbers.c - see api_json_numbers.h.
 *
 * Invariants
 *  (1) json_numbers_show(dump(parse(json_numbers_hide(text)))) has the values of text, each number by its own characters.
 *  (2) A hidden number is valid by JSON's grammar, and is no member's name. */
#include "api/handlers/api_json_numbers.h"

#include <string.h>

#define ESCAPE "\\u0001"   /* as it stands in JSON */
#define ESCAPE_CHAR '\x01' /* as it stands in a parsed string */
#define NUMBER '#'

enum { ESCAPE_SIZE = sizeof(ESCAPE) - 1 };

/* ---- reading the text ---- */

static size_t skip_digits(struct str s, size_t at) {
  while (at < s.n && str_is_digit(s.p[at])) at++;
  return at;
}

/* The length of the number that s begins with; 0: it begins with none. */
static size_t number_length(struct str s) {
  size_t at = s.n && s.p[0] == '-' ? 1 : 0, end = skip_digits(s, at);
  if (end == at || (s.p[at] == '0' && end > at + 1)) return 0;
  if (end < s.n && s.p[end] == '.') {
    at = end + 1;
    end = skip_digits(s, at);
    if (end == at) return 0;
  }
  if (end < s.n && (s.p[end] | 0x20) == 'e') {
    at = end + 1;
    if (at < s.n && (s.p[at] == '+' || s.p[at] == '-')) at++;
    end = skip_digits(s, at);
    if (end == at) return 0;
  }
  return end;
}

/* True if a value may end here: a comma, an end, or nothing follows the number. */
static bool ends_value(struct str rest) {
  size_t at = 0;
  while (at < rest.n && strchr(" \t\r\n", rest.p[at]) && rest.p[at]) at++;
  return at == rest.n || rest.p[at] == ',' || rest.p[at] == ']' || rest.p[at] == '}';
}

/* The length of the string that s begins with, quotes included; all of s if it has no end. */
static size_t string_length(struct str s) {
  for (size_t at = 1; at < s.n; at++) {
    if (s.p[at] == '"') return at + 1;
    if (s.p[at] == '\\') at++;
  }
  return s.n;
}

/* ---- hiding ---- */

/* Appends the token at *at with its number hidden, and moves *at behind it. */
static enum err hide_token(struct str text, size_t *at, struct buf *b) {
  struct str rest = str_skip(text, *at);
  size_t n = 1;
  if (rest.p[0] == '"') {
    n = string_length(rest);
    *at += n;
    bool is_escaped = str_starts(str_skip(rest, 1), STR(ESCAPE));
    TRY(buf_add(b, is_escaped ? STR("\"" ESCAPE) : STR("\"")));
    return buf_add(b, str_skip(str_head(rest, n), 1));
  }
  size_t number = rest.p[0] == '-' || str_is_digit(rest.p[0]) ? number_length(rest) : 0;
  if (number && ends_value(str_skip(rest, number))) { /* (2) */
    *at += number;
    return buf_addf(b, "\"" ESCAPE "%c%.*s\"", NUMBER, STR_ARG(str_head(rest, number)));
  }
  while (n < rest.n && !strchr("\"-0123456789", rest.p[n])) n++;
  *at += n;
  return buf_add(b, str_head(rest, n));
}

enum err json_numbers_hide(struct str text, struct buf *b) {
  for (size_t at = 0; at < text.n;) TRY(hide_token(text, &at, b));
  return OK;
}

enum err json_numbers_origin(struct str text, size_t hidden_at, size_t *ret_at) {
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(8 * text.n + 64);
  size_t at = 0, before = 0, written = 0;
  while (at < text.n && hidden.n < hidden_at) {
    before = at;
    written = hidden.n;
    TRY(hide_token(text, &at, &hidden));
  }
  bool is_changed = hidden.n - written != at - before; /* within such a token bytes do not correspond */
  *ret_at = hidden.n <= hidden_at || is_changed ? at : before + (hidden_at - written);
  return OK;
}

/* ---- showing ---- */

enum err json_numbers_show(struct str dumped, struct buf *b) {
  for (size_t at = 0; at < dumped.n;) {
    struct str rest = str_skip(dumped, at);
    size_t n = rest.p[0] == '"' ? string_length(rest) : 1;
    struct str token = str_head(rest, n), inside = token;
    at += n;
    if (!str_starts(token, STR("\"" ESCAPE))) {
      TRY(buf_add(b, token));
      continue;
    }
    inside = str_skip(token, 1 + ESCAPE_SIZE);
    if (inside.p[0] == NUMBER) {
      TRY(buf_add(b, str_head(str_skip(inside, 1), inside.n - 2)));
    } else {
      TRY(buf_add_char(b, '"'));
      TRY(buf_add(b, inside));
    }
  }
  return OK;
}

/* ---- parsed values ---- */

/* The value as code that knows nothing of hidden numbers must see it; NULL: as it is. A new reference. */
static json_t *number_restore(const json_t *value) {
  const char *text = json_string_value(value);
  if (!text || text[0] != ESCAPE_CHAR) return NULL;
  return text[1] == NUMBER ? json_integer(0) : json_stringn(text + 1, json_string_length(value) - 1);
}

enum err json_numbers_restore(json_t *object, const char *key) {
  json_t *value = json_object_get(object, key), *fresh = number_restore(value);
  if (fresh && json_object_set_new(object, key, fresh) != 0) return ERR_NOMEM;
  for (size_t i = 0; !fresh && i < json_array_size(value); i++) {
    json_t *item = number_restore(json_array_get(value, i));
    if (item && json_array_set_new(value, i, item) != 0) return ERR_NOMEM;
  }
  return OK;
}
