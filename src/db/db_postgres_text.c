/* db_postgres_text.c - see db_postgres_text.h. A statement is split into tokens, and those are copied with changes.
 *
 * Invariants
 *  (1) Only words, numbers, parameters and signs are looked at; spaces and comments never part what belongs together.
 *  (2) When a word is dropped, the space before it stays, so the words around it stay separate. */
#include "db/db_postgres_text.h"

enum token_kind { TOKEN_END, TOKEN_SPACE, TOKEN_WORD, TOKEN_NUMBER, TOKEN_PARAMETER, TOKEN_QUOTED, TOKEN_SIGN };

struct token {
  enum token_kind kind;
  struct str text;
};

struct text_reader {
  struct str rest;
  struct token before; /* the last token that is no space */
  struct buf *out;
};

/* ---- tokens ---- */

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Length of the quoted text at the beginning of s, with both quotes; 0: it does not end. */
static size_t quoted_length(struct str s) {
  char quote = s.p[0];
  for (size_t i = 1; i < s.n; i++) {
    if (s.p[i] != quote) continue;
    if (i + 1 < s.n && s.p[i + 1] == quote)
      i++;
    else
      return i + 1;
  }
  return 0;
}

static size_t comment_length(struct str s) {
  if (str_starts(s, STR("--"))) return str_index(s, '\n', 0);
  for (size_t i = 2; i + 1 < s.n; i++)
    if (s.p[i] == '*' && s.p[i + 1] == '/') return i + 2;
  return 0;
}

static size_t run_length(struct str s, size_t from, bool (*is_part)(char c)) {
  while (from < s.n && is_part(s.p[from])) from++;
  return from;
}

static bool is_word_part(char c) {
  return is_letter(c) || str_is_digit(c);
}

static bool is_number_part(char c) {
  return str_is_digit(c) || c == '.';
}

static enum err token_at(struct str s, struct token *ret_token) {
  struct token t = {TOKEN_END, s};
  size_t n = 1;
  if (s.n == 0) {
    *ret_token = t;
    return OK;
  }
  char c = s.p[0];
  if (is_space(c)) {
    t.kind = TOKEN_SPACE;
    n = run_length(s, 1, is_space);
  } else if (str_starts(s, STR("--")) || str_starts(s, STR("/*"))) {
    t.kind = TOKEN_SPACE;
    n = comment_length(s);
  } else if (c == '\'' || c == '"') {
    t.kind = TOKEN_QUOTED;
    n = quoted_length(s);
  } else if (is_letter(c)) {
    t.kind = TOKEN_WORD;
    n = run_length(s, 1, is_word_part);
  } else if (str_is_digit(c)) {
    t.kind = TOKEN_NUMBER;
    n = run_length(s, 1, is_number_part);
  } else if (c == '?') {
    t.kind = TOKEN_PARAMETER;
    n = run_length(s, 1, str_is_digit);
    if (n == 1) return ERR_INVALID;
  } else {
    t.kind = TOKEN_SIGN;
  }
  if (n == 0) return ERR_INVALID;
  t.text = str_head(s, n);
  *ret_token = t;
  return OK;
}

/* The next token that is no space, and what follows it. */
static enum err token_after(struct str s, struct token *ret_token, struct str *ret_rest) {
  do {
    TRY(token_at(s, ret_token));
    s = str_skip(s, ret_token->text.n);
  } while (ret_token->kind == TOKEN_SPACE);
  *ret_rest = s;
  return OK;
}

static bool is_word(const struct token *t, const char *word) {
  return t->kind == TOKEN_WORD && str_eq_nocase(t->text, str_from(word));
}

static bool is_sign(const struct token *t, char c) {
  return t->kind == TOKEN_SIGN && t->text.p[0] == c;
}

static bool is_one_of(const struct token *t, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (is_word(t, words[i])) return true;
  return false;
}

/* ---- rules ---- */

/* Words of SQLite alone, which a statement for both must not have. */
static const char *unportable_word(const struct token *before, const struct token *t) {
  static const char *const words[] = {"pragma", "match", "glob", "iif", "autoincrement"};
  if (t->kind != TOKEN_WORD) return NULL;
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (is_word(t, words[i])) return words[i];
  if (str_starts_nocase(t->text, STR("sqlite_"))) return "sqlite_…";
  return is_word(before, "insert") && is_word(t, "or") ? "insert or" : NULL;
}

/* True: no operand stands before, so that a sign + is unary. */
static bool begins_operand(const struct token *before) {
  static const char *const words[] = {"where", "and",    "or", "on",   "not", "when", "then",    "else",    "select",
                                      "by",    "having", "in", "like", "set", "case", "between", "distinct"};
  if (before->kind == TOKEN_END || is_one_of(before, words, COUNT_OF(words))) return true;
  return before->kind == TOKEN_SIGN && !is_sign(before, ')') && !is_sign(before, ']');
}

/* rest follows `cross join`. True: an `on` belongs to it. */
static enum err join_has_on(struct str rest, bool *ret_has) {
  static const char *const ends[] = {"join",  "left",  "inner", "cross", "where", "group",
                                     "order", "limit", "union", "set",   "having"};
  struct token t;
  int depth = 0;
  *ret_has = false;
  for (;;) {
    TRY(token_after(rest, &t, &rest));
    if (t.kind == TOKEN_END) return OK;
    if (is_sign(&t, '(')) depth++;
    if (is_sign(&t, ')') && depth-- == 0) return OK;
    if (depth > 0) continue;
    *ret_has = is_word(&t, "on");
    if (*ret_has || is_sign(&t, ',') || is_one_of(&t, ends, COUNT_OF(ends))) return OK;
  }
}

/* t is a word: skips `indexed by x`, or `not indexed`. True: it did. */
static enum err skip_index_hint(struct text_reader *r, const struct token *t, bool *ret_skipped) {
  struct token next;
  struct str rest;
  *ret_skipped = false;
  TRY(token_after(str_skip(r->rest, t->text.n), &next, &rest));
  if (is_word(t, "not") && is_word(&next, "indexed")) {
    *ret_skipped = true;
  } else if (is_word(t, "indexed") && is_word(&next, "by")) {
    TRY(token_after(rest, &next, &rest));
    *ret_skipped = true;
  }
  if (*ret_skipped) r->rest = rest;
  return OK;
}

static enum err is_dropped(struct text_reader *r, const struct token *t, bool *ret_dropped) {
  struct token next;
  struct str rest;
  TRY(token_after(str_skip(r->rest, t->text.n), &next, &rest));
  *ret_dropped = false;
  if (is_sign(t, '+') && begins_operand(&r->before))
    *ret_dropped = next.kind == TOKEN_WORD || next.kind == TOKEN_QUOTED || is_sign(&next, '(');
  else if (is_word(t, "cross") && is_word(&next, "join"))
    TRY(join_has_on(rest, ret_dropped));
  return OK;
}

/* True: `1` is the whole condition, or a part of it. */
static enum err is_condition(struct text_reader *r, const struct token *t, bool *ret_is) {
  static const char *const ends[] = {"and", "or", "group", "order", "limit", "union", "having", "returning"};
  struct token next;
  struct str rest;
  *ret_is = false;
  if (t->kind != TOKEN_NUMBER || !str_eq(t->text, STR("1")) || !is_word(&r->before, "where")) return OK;
  TRY(token_after(str_skip(r->rest, 1), &next, &rest));
  *ret_is = next.kind == TOKEN_END || is_sign(&next, ')') || is_one_of(&next, ends, COUNT_OF(ends));
  return OK;
}

static enum err text_add(struct text_reader *r, const struct token *t) {
  bool is_true;
  TRY(is_condition(r, t, &is_true));
  if (is_word(t, "json_each")) return buf_add(r->out, STR("json_items"));
  if (is_true) return buf_add(r->out, STR("true"));
  if (t->kind != TOKEN_PARAMETER) return buf_add(r->out, t->text);
  TRY(buf_add_char(r->out, '$'));
  return buf_add(r->out, str_skip(t->text, 1));
}

enum err db_postgres_text(const char *sql, struct buf *ret_text, const char **ret_word) {
  struct text_reader r = {.rest = str_from(sql), .before = {TOKEN_END, STR_NONE}, .out = ret_text};
  struct token t;
  for (;;) {
    TRY(token_at(r.rest, &t));
    if (t.kind == TOKEN_END) return OK;
    const char *word = unportable_word(&r.before, &t);
    if (word) {
      *ret_word = word;
      return ERR_UNSUPPORTED;
    }
    bool skip;
    TRY(skip_index_hint(&r, &t, &skip));
    if (skip) continue;
    TRY(is_dropped(&r, &t, &skip));
    if (!skip) {
      TRY(text_add(&r, &t));
      if (t.kind != TOKEN_SPACE) r.before = t;
    }
    r.rest = str_skip(r.rest, t.text.n);
  }
}
