/* transcript_search.c - see transcript_search.h.
 *
 * Invariants
 *  (1) A term is a digest of a word and its business: a search reads no terms of others, and a term says nothing by itself.
 *  (2) transcript_texts.words has each term of the transcript once. Its lines of text and marks are its segments.
 *  (3) Documents and searches are cut into words by the same code. */
#include "ledger/transcript_search.h"

#include <stdlib.h>

#include "base/fold.h"
#include "base/secret.h"

enum { PREFIXES_MAX = 4, HEBREW_LETTER = 2, HEBREW_REST_LEAST = 2 * HEBREW_LETTER };

/* ---- words ---- */

struct word {
  char text[TRANSCRIPT_WORD_MAX + 1]; /* folded */
  size_t n;
  uint32_t from, to; /* characters of the text that was read */
};

struct word_reader {
  struct str text;
  size_t at;
  uint32_t character;
  struct buf folded; /* owned */
};
#define WORD_READER(text_) \
  { .text = (text_), .folded = BUF_INIT(64) }

static void word_reader_done(struct word_reader *r) {
  buf_done(&r->folded);
}

/* Punctuation and symbols beyond ASCII that separate words. Marks within words, as vowel signs, do not. */
static bool is_separator(uint32_t code) {
  static const struct {
    uint32_t first, last;
  } ranges[] = {{0x80, 0xa9},     {0xab, 0xb1},     {0xb4, 0xb4},      {0xb6, 0xb8},     {0xbb, 0xbb},
                {0xbf, 0xbf},     {0xd7, 0xd7},     {0xf7, 0xf7},      {0x37e, 0x37e},   {0x387, 0x387},
                {0x5be, 0x5be},   {0x5c0, 0x5c0},   {0x5c3, 0x5c3},    {0x5c6, 0x5c6},   {0x60c, 0x60d},
                {0x61b, 0x61f},   {0x66a, 0x66d},   {0x6d4, 0x6d4},    {0x964, 0x965},   {0x2000, 0x206f},
                {0x20a0, 0x20cf}, {0x2100, 0x2bff}, {0x2e00, 0x2e7f},  {0x3000, 0x3004}, {0x3008, 0x3020},
                {0x30fb, 0x30fb}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe6f},  {0xff00, 0xff0f}, {0xff1a, 0xff20},
                {0xff3b, 0xff40}, {0xff5b, 0xff65}, {0x1f000, 0x1faff}};
  for (size_t i = 0; i < COUNT_OF(ranges); i++)
    if (code >= ranges[i].first && code <= ranges[i].last) return true;
  return false;
}

static bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

enum part { PART_OF_WORD, PART_NOTHING, PART_SEPARATOR };

/* Folds a character to r->folded. NOTHING: it is left out. */
static enum err fold_one(struct word_reader *r, uint32_t code, struct str as_it_is, enum part *ret_part) {
  buf_clear(&r->folded);
  TRY(fold_text(as_it_is, FOLD_SPLIT, &r->folded));
  struct str s = buf_str(&r->folded);
  if (!s.n)
    *ret_part = PART_NOTHING;
  else
    *ret_part = is_word_byte(s.p[0]) && (code < 0x80 || !is_separator(code)) ? PART_OF_WORD : PART_SEPARATOR;
  return OK;
}

/* ך ם ן ף ץ become the letters that they are within a word: each stands before it in Unicode. */
static void word_unfinal(struct word *w, size_t from) {
  static const unsigned char finals[] = {0x9a, 0x9d, 0x9f, 0xa3, 0xa5};
  for (size_t i = from; i + 1 < w->n; i++)
    if ((unsigned char)w->text[i] == 0xd7 && memchr(finals, (unsigned char)w->text[i + 1], sizeof(finals)))
      w->text[i + 1]++;
}

static void word_add(struct word *w, struct str folded) {
  if (w->n + folded.n > TRANSCRIPT_WORD_MAX) return;
  size_t from = w->n;
  memcpy(w->text + w->n, folded.p, folded.n);
  w->n += folded.n;
  word_unfinal(w, from);
}

/* ERR_NOT_FOUND: there is no further word. */
static enum err word_next(struct word_reader *r, struct word *ret_word) {
  struct word *w = ret_word;
  w->n = 0;
  while (r->at < r->text.n) {
    uint32_t code = 0;
    size_t n = str_utf8_at(r->text, r->at, &code);
    enum part part = PART_SEPARATOR;
    if (n) TRY(fold_one(r, code, str_head(str_skip(r->text, r->at), n), &part));
    if (part == PART_SEPARATOR && w->n) break;
    r->at += n ? n : 1;
    r->character++;
    if (part != PART_OF_WORD) continue;
    if (!w->n) w->from = r->character - 1;
    w->to = r->character;
    word_add(w, buf_str(&r->folded));
  }
  w->text[w->n] = '\0';
  return w->n ? OK : ERR_NOT_FOUND;
}

static struct str word_str(const struct word *w) {
  return str_of(w->text, w->n);
}

/* How many bytes the first `count` prefixes of a Hebrew word take; 0: it has not so many, or too little is left. */
static size_t prefix_size(struct str word, size_t count) {
  static const unsigned char prefixes[] = {0x94, 0x95, 0x91, 0x9c, 0x9b, 0x9e, 0xa9}; /* ה ו ב ל כ מ ש */
  size_t size = count * HEBREW_LETTER;
  if (word.n < size + HEBREW_REST_LEAST || (unsigned char)word.p[size] != 0xd7) return 0;
  for (size_t i = 0; i < size; i += HEBREW_LETTER)
    if ((unsigned char)word.p[i] != 0xd7 || !memchr(prefixes, (unsigned char)word.p[i + 1], sizeof(prefixes))) return 0;
  return size;
}

static bool word_matches(struct str word, struct str wanted) {
  if (str_eq(word, wanted)) return true;
  if (word.n <= wanted.n) return false;
  for (size_t i = 1; i <= PREFIXES_MAX; i++) {
    size_t size = prefix_size(word, i);
    if (!size) return false;
    if (str_eq(str_skip(word, size), wanted)) return true;
  }
  return false;
}

/* ---- terms ---- */

struct term {
  char text[TRANSCRIPT_TERM_SIZE];
};

/* (1) 60 bits of a digest, as letters and digits. */
static enum err term_make(int64_t business_id, struct str word, struct term *ret_term) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
  struct buf scoped CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_WORD_MAX + 32);
  uint8_t digest[SHA256_SIZE];
  uint64_t bits;
  TRY(buf_addf(&scoped, "%lld:", (long long)business_id));
  TRY(buf_add(&scoped, word));
  secret_sha256(buf_str(&scoped), digest);
  bits = 0;
  for (size_t i = 0; i < sizeof(bits); i++) bits = bits << 8 | digest[i];
  for (size_t i = 0; i < TRANSCRIPT_TERM_SIZE; i++, bits >>= 5) ret_term->text[i] = letters[bits & 31];
  return OK;
}

struct terms {
  int64_t business_id;
  struct term *all; /* owned */
  size_t count, room;
};

static void terms_done(struct terms *t) {
  free(t->all);
}

static enum err terms_add(struct terms *t, struct str word) {
  if (t->count == t->room) {
    size_t room = t->room ? 2 * t->room : 256;
    struct term *grown = realloc(t->all, room * sizeof(*grown));
    if (!grown) return ERR_NOMEM;
    t->all = grown;
    t->room = room;
  }
  TRY(term_make(t->business_id, word, &t->all[t->count]));
  t->count++;
  return OK;
}

static enum err terms_add_text(struct terms *t, struct str text) {
  struct word_reader r CLEANUP(word_reader_done) = WORD_READER(text);
  struct word w;
  enum err e;
  while ((e = word_next(&r, &w)) == OK) {
    TRY(terms_add(t, word_str(&w)));
    for (size_t i = 1; i <= PREFIXES_MAX; i++) {
      size_t size = prefix_size(word_str(&w), i);
      if (!size) break;
      TRY(terms_add(t, str_skip(word_str(&w), size)));
    }
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

static int compare_terms(const void *a, const void *b) {
  return memcmp(a, b, sizeof(struct term));
}

static enum err terms_write(struct terms *t, struct buf *b) {
  if (t->count) qsort(t->all, t->count, sizeof(t->all[0]), compare_terms);
  for (size_t i = 0; i < t->count; i++) {
    if (i && compare_terms(&t->all[i - 1], &t->all[i]) == 0) continue;
    if (b->n) TRY(buf_add_char(b, ' '));
    TRY(buf_add(b, str_of(t->all[i].text, TRANSCRIPT_TERM_SIZE)));
  }
  return OK;
}

/* ---- content ---- */

void transcript_content_done(struct transcript_content *c) {
  buf_done(&c->document);
  buf_done(&c->text);
  buf_done(&c->marks);
  buf_done(&c->words);
}

/* Without line breaks, which separate segments; NUL, which PostgreSQL does not take, is left out too. */
static enum err add_line(struct buf *b, struct str s) {
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    TRY(buf_add_char(b, c == '\n' || c == '\r' || c == '\0' ? ' ' : c));
  }
  return buf_add_char(b, '\n');
}

enum err transcript_content_make(int64_t business_id, struct str document, const struct transcript_segment *segments,
                                 size_t count, struct transcript_content *c) {
  struct terms terms CLEANUP(terms_done) = {.business_id = business_id};
  TRY(buf_add(&c->document, document));
  for (size_t i = 0; i < count; i++) {
    const struct transcript_segment *s = &segments[i];
    TRY(add_line(&c->text, s->text));
    TRY(buf_addf(&c->marks, "%lld %lld ", (long long)s->start_ms, (long long)s->end_ms));
    TRY(add_line(&c->marks, str_head_utf8(s->speaker, TRANSCRIPT_SPEAKER_MAX)));
    TRY(terms_add_text(&terms, s->text));
  }
  return terms_write(&terms, &c->words);
}

/* ---- searches ---- */

enum err transcript_query_parse(struct str search, struct transcript_query *ret_query) {
  struct transcript_query query = {.count = 0};
  struct word_reader r CLEANUP(word_reader_done) = WORD_READER(search);
  struct word w;
  enum err e = OK;
  while (query.count < TRANSCRIPT_QUERY_WORDS && (e = word_next(&r, &w)) == OK)
    memcpy(query.words[query.count++], w.text, sizeof(w.text));
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_query = query;
  return OK;
}

enum err transcript_query_terms(const struct transcript_query *q, int64_t business_id, const char *before,
                                const char *behind, struct buf *b) {
  for (size_t i = 0; i < q->count; i++) {
    struct term term;
    TRY(term_make(business_id, str_from(q->words[i]), &term));
    TRY(buf_addf(b, "%s%.*s%s", before, TRANSCRIPT_TERM_SIZE, term.text, behind));
  }
  return OK;
}

/* ---- matches ---- */

/* Which words of the query a segment has, as bits, and where. */
static enum err segment_compare(struct str text, const struct transcript_query *q, struct transcript_match *m,
                                unsigned *ret_bits) {
  struct word_reader r CLEANUP(word_reader_done) = WORD_READER(text);
  struct word w;
  enum err e;
  unsigned bits = 0;
  m->at_count = 0;
  while ((e = word_next(&r, &w)) == OK) {
    bool is_found = false;
    for (size_t i = 0; i < q->count; i++) {
      if (!word_matches(word_str(&w), str_from(q->words[i]))) continue;
      bits |= 1U << i;
      is_found = true;
    }
    if (!is_found || m->at_count == TRANSCRIPT_MARKS_MAX) continue;
    m->at[m->at_count].from = w.from;
    m->at[m->at_count++].to = w.to;
  }
  if (e != ERR_NOT_FOUND) return e;
  *ret_bits = bits;
  return OK;
}

static int count_bits(unsigned bits) {
  return __builtin_popcount(bits);
}

/* The best segments so far, in order of time. */
struct best {
  struct transcript_match all[TRANSCRIPT_MATCHES_MAX];
  int bits[TRANSCRIPT_MATCHES_MAX];
  int count, most;
};

static bool best_is_full(const struct best *b, int bits) {
  if (b->count < b->most) return false;
  for (int i = 0; i < b->count; i++)
    if (b->bits[i] < bits) return false;
  return true;
}

/* Takes the place of the last one that has the fewest words. */
static void best_add(struct best *b, const struct transcript_match *m, int bits) {
  if (best_is_full(b, bits)) return;
  if (b->count == b->most) {
    int worst = 0;
    for (int i = 1; i < b->count; i++)
      if (b->bits[i] <= b->bits[worst]) worst = i;
    for (int i = worst; i + 1 < b->count; i++) {
      b->all[i] = b->all[i + 1];
      b->bits[i] = b->bits[i + 1];
    }
    b->count--;
  }
  b->all[b->count] = *m;
  b->bits[b->count++] = bits;
}

static enum err read_mark(struct str line, struct transcript_match *m) {
  struct str start, end, rest;
  if (!str_cut(line, ' ', &start, &rest) || !str_cut(rest, ' ', &end, &m->speaker)) return ERR_CORRUPT;
  TRY(str_to_i64(start, 0, INT64_MAX, &m->start_ms));
  return str_to_i64(end, 0, INT64_MAX, &m->end_ms);
}

/* Stops once it has seen all words and has `most` segments with all of them. */
static enum err find_best(struct str text, struct str marks, const struct transcript_query *q, struct best *b,
                          unsigned *ret_seen) {
  struct str line, mark;
  const unsigned all = (1U << q->count) - 1;
  *ret_seen = 0;
  while (text.n) {
    struct transcript_match m;
    unsigned bits;
    (void)str_cut(text, '\n', &line, &text);
    (void)str_cut(marks, '\n', &mark, &marks);
    TRY(segment_compare(line, q, &m, &bits));
    if (!bits) continue;
    if (read_mark(mark, &m) != OK) return ERR_CORRUPT;
    *ret_seen |= bits;
    m.text = line;
    best_add(b, &m, count_bits(bits));
    if (*ret_seen == all && best_is_full(b, (int)q->count)) break;
  }
  return OK;
}

enum err transcripts_matches(struct db *db, int64_t business_id, struct str recording_sid,
                             const struct transcript_query *query, int most, transcript_match_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct best best = {.count = 0, .most = most < TRANSCRIPT_MATCHES_MAX ? most : TRANSCRIPT_MATCHES_MAX};
  unsigned seen;
  if (!query->count || most < 1) return OK;
  TRY(db_query(db, &q, "select text, marks from transcript_texts where business_id = ?1 and recording_sid = ?2",
               DB_INT(business_id), DB_TEXT(recording_sid)));
  enum err e = db_next(&q);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  TRY(find_best(db_text(&q, 0), db_text(&q, 1), query, &best, &seen));
  if (seen != (1U << query->count) - 1) return OK;
  for (int i = 0; i < best.count; i++) TRY(fn(arg, &best.all[i]));
  return OK;
}
