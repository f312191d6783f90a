/* db_grams.c - see db_grams.h.
 *
 * Invariants
 *  (1) A term is SCOPE ':' KIND GRAM. A text without a scope has no terms.
 *  (2) The terms of 3 characters have consecutive positions, one for each character: so a phrase of them matches a part of the
 *      text. A shorter or longer term has the position of the 3-character term that begins at the same character.
 *  (3) SQLite's tokenizer `trigram` folds names (upper and lower case, accents); this tokenizer builds its terms from
 *      trigrams. */
#include "db/db_grams.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SCOPE_MAX = 24, GRAM_MAX = 64, TRIGRAM_MAX = 16, SHORT = 3, LONG = 4 }; /* characters of a term */

struct grams {
  fts5_tokenizer folding; /* SQLite's trigram */
  Fts5Tokenizer *folder;  /* owned */
};

typedef int token_fn(void *arg, int flags, const char *token, int size, int from, int to);

/* The state of cutting one text into terms. */
struct cut {
  token_fn *give;
  void *arg;
  char term[SCOPE_MAX + GRAM_MAX]; /* begins with scope and kind */
  int head;                        /* bytes of scope and kind */
  int body;                        /* offset of the text behind scope and kind in SQLite's input */
  bool is_query;
  int query_size;         /* characters of a search; 0 for a document */
  char held[TRIGRAM_MAX]; /* of names: the previous trigram, whose terms need the next one */
  int held_size, from, to;
};

enum err db_grams_text(struct buf *b, int64_t scope, enum db_grams_kind kind, struct str text) {
  TRY(buf_addf(b, "%llx:%c%c", (unsigned long long)scope, (char)kind, DB_GRAMS_END_OF_SCOPE));
  return buf_add(b, text);
}

static int give_term(struct cut *c, int flags, const char *gram, int size, int from, int to) {
  assert(size <= GRAM_MAX);
  memcpy(c->term + c->head, gram, (size_t)size);
  return c->give(c->arg, flags, c->term, c->head + size, c->body + from, c->body + to);
}

/* ---- digits ---- */

static int cut_digits(struct cut *c, const char *p, int n) {
  int size = c->is_query && n >= LONG ? LONG : SHORT;
  for (int i = 0; i + size <= n; i++) {
    int rc = give_term(c, 0, p + i, size, i, i + size);
    bool in_one_number = i + LONG <= n && !memchr(p + i, ' ', LONG);
    if (rc == SQLITE_OK && !c->is_query && in_one_number)
      rc = give_term(c, FTS5_TOKEN_COLOCATED, p + i, LONG, i, i + LONG);
    if (rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

/* ---- names ---- */

static int first_characters(const char *p, int n, int count) {
  int at = 0;
  for (; count > 0 && at < n; count--)
    for (at++; at < n && ((unsigned char)p[at] & 0xc0) == 0x80;) at++;
  return at;
}

static bool holds_space(const char *p, int n) {
  return memchr(p, ' ', (size_t)n) || memchr(p, '\n', (size_t)n);
}

/* Gives the terms that begin at the held trigram. following: the next trigram; its last character makes the term of four. */
static int give_held(struct cut *c, const char *following, int size) {
  char four[2 * TRIGRAM_MAX];
  int pair = first_characters(c->held, c->held_size, 2), two = following ? first_characters(following, size, 2) : 0;
  int four_size = c->held_size + size - two;
  memcpy(four, c->held, (size_t)c->held_size);
  if (following) memcpy(four + c->held_size, following + two, (size_t)(size - two));
  if (c->is_query) {
    if (c->query_size == 2) return give_term(c, 0, c->held, pair, c->from, c->to);
    if (c->query_size == SHORT) return give_term(c, 0, c->held, c->held_size, c->from, c->to);
    return following ? give_term(c, 0, four, four_size, c->from, c->to) : SQLITE_OK;
  }
  int rc = give_term(c, 0, c->held, c->held_size, c->from, c->to);
  if (rc == SQLITE_OK && !holds_space(c->held, pair))
    rc = give_term(c, FTS5_TOKEN_COLOCATED, c->held, pair, c->from, c->to);
  if (rc == SQLITE_OK && following) rc = give_term(c, FTS5_TOKEN_COLOCATED, four, four_size, c->from, c->to);
  return rc;
}

static int take_trigram(void *arg, int flags, const char *token, int size, int from, int to) {
  struct cut *c = arg;
  (void)flags;
  if (size > TRIGRAM_MAX) return SQLITE_OK; /* three characters are at most 12 bytes */
  int rc = c->held_size ? give_held(c, token, size) : SQLITE_OK;
  memcpy(c->held, token, (size_t)size);
  c->held_size = size;
  c->from = from;
  c->to = to;
  return rc;
}

static int count_characters(const char *p, int n) {
  int count = 0;
  for (int at = 0; at < n; at += first_characters(p + at, n - at, 1)) count++;
  return count;
}

static int cut_names(const struct grams *g, struct cut *c, int flags, const char *p, int n) {
  char padded[32];
  c->query_size = c->is_query ? count_characters(p, n) : 0;
  if (c->query_size == 2 &&
      n < (int)sizeof(padded)) { /* a third character makes a trigram; its first two become the term */
    memcpy(padded, p, (size_t)n);
    padded[n++] = '\n';
    p = padded;
  }
  int rc = g->folding.xTokenize(g->folder, c, flags, p, n, take_trigram);
  if (rc == SQLITE_OK && c->held_size) rc = give_held(c, NULL, 0);
  return rc;
}

/* ---- called by SQLite ---- */

static int grams_tokenize(Fts5Tokenizer *tokenizer, void *arg, int flags, const char *text, int size, token_fn *give) {
  const struct grams *g = (const struct grams *)(void *)tokenizer;
  const char *end = size > 0 ? memchr(text, DB_GRAMS_END_OF_SCOPE, (size_t)size) : NULL;
  if (!end || end - text < 2 || end - text > SCOPE_MAX) return SQLITE_OK; /* (1) */
  struct cut c = {.give = give, .arg = arg, .head = (int)(end - text), .body = (int)(end - text) + 1};
  memcpy(c.term, text, (size_t)c.head);
  c.is_query = (flags & FTS5_TOKENIZE_QUERY) != 0;
  const char *body = end + 1;
  int n = size - c.body;
  return c.term[c.head - 1] == DB_GRAMS_DIGITS ? cut_digits(&c, body, n) : cut_names(g, &c, flags, body, n);
}

static void grams_delete(Fts5Tokenizer *tokenizer) {
  struct grams *g = (struct grams *)(void *)tokenizer;
  if (g && g->folder) g->folding.xDelete(g->folder);
  free(g);
}

static int grams_create(void *arg, const char **words, int count, Fts5Tokenizer **ret_tokenizer) {
  (void)words, (void)count;
  fts5_api *api = arg;
  struct grams *g = calloc(1, sizeof(*g));
  if (!g) return SQLITE_NOMEM;
  void *folding_arg = NULL;
  int rc = api->xFindTokenizer(api, "trigram", &folding_arg, &g->folding);
  if (rc == SQLITE_OK) rc = g->folding.xCreate(folding_arg, NULL, 0, &g->folder);
  if (rc != SQLITE_OK) {
    grams_delete((Fts5Tokenizer *)(void *)g);
    return rc;
  }
  *ret_tokenizer = (Fts5Tokenizer *)(void *)g;
  return SQLITE_OK;
}

int db_grams_register(sqlite3 *sqlite) {
  static fts5_tokenizer grams = {grams_create, grams_delete, grams_tokenize};
  fts5_api *api = NULL;
  sqlite3_stmt *stmt = NULL;
  int rc = sqlite3_prepare_v2(sqlite, "select fts5(?1)", -1, &stmt, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_bind_pointer(stmt, 1, (void *)&api, "fts5_api_ptr", NULL);
  if (rc == SQLITE_OK) (void)sqlite3_step(stmt); /* its row is empty; the call sets api */
  int finished = sqlite3_finalize(stmt);
  if (rc == SQLITE_OK) rc = finished;
  if (rc != SQLITE_OK) return rc;
  if (!api) return SQLITE_ERROR; /* a SQLite without full-text search */
  return api->xCreateTokenizer(api, "scoped_grams", api, &grams, NULL);
}
