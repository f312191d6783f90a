/* speech_slices.c - cuts JSON into members or elements. */
#include "speech/speech_slices.h"

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blank(struct speech_slices *s) {
  while (s->at < s->text.n && is_blank(s->text.p[s->at])) s->at++;
}

/* Moves over the character, if it is next. */
static bool slices_take(struct speech_slices *s, char c) {
  skip_blank(s);
  if (s->at >= s->text.n || s->text.p[s->at] != c) return false;
  s->at++;
  return true;
}

static bool slices_fail(struct speech_slices *s) {
  s->error = ERR_INVALID;
  return false;
}

/* Moves over the string that begins at `at`. */
static bool skip_string(struct speech_slices *s) {
  for (s->at++; s->at < s->text.n; s->at++) {
    if (s->text.p[s->at] == '\\')
      s->at++;
    else if (s->text.p[s->at] == '"')
      return s->at++, true;
  }
  return slices_fail(s);
}

/* Moves over a value: to the end of its string or bracket, or before what can't be of a number or word. */
static bool skip_value(struct speech_slices *s) {
  size_t depth = 0;
  while (s->at < s->text.n) {
    char c = s->text.p[s->at];
    if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_blank(c))) return true;
    if (c == '"') {
      if (!skip_string(s)) return false;
      if (depth == 0) return true;
      continue;
    }
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    s->at++;
    if (depth == 0 && (c == '}' || c == ']')) return true;
  }
  return slices_fail(s);
}

enum err speech_slices_begin(struct str text, char open, struct speech_slices *ret_slices) {
  struct speech_slices s = {.text = text, .close = open == '{' ? '}' : ']'};
  if (!slices_take(&s, open)) return ERR_INVALID;
  *ret_slices = s;
  return OK;
}

static bool slices_at_end(struct speech_slices *s) {
  skip_blank(s);
  return s->at == s->text.n ? false : slices_fail(s);
}

bool speech_slices_next(struct speech_slices *s, struct str *ret_key, struct str *ret_value) {
  struct str key = STR_NONE;
  if (s->error != OK) return false;
  if (slices_take(s, s->close)) return slices_at_end(s);
  if (s->has_begun && !slices_take(s, ',')) return slices_fail(s);
  skip_blank(s);
  size_t from = s->at;
  if (s->close == '}') {
    if (from >= s->text.n || s->text.p[from] != '"') return slices_fail(s);
    if (!skip_string(s)) return false;
    if (s->at > s->text.n) return slices_fail(s);
    key = str_of(s->text.p + from, s->at - from);
    if (!slices_take(s, ':')) return slices_fail(s);
    skip_blank(s);
    from = s->at;
  }
  if (!skip_value(s)) return false;
  if (s->at > s->text.n || s->at == from) return slices_fail(s);
  s->has_begun = true;
  *ret_key = key;
  *ret_value = str_of(s->text.p + from, s->at - from);
  return true;
}
