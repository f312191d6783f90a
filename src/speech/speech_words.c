/* speech_words.c - makes words of the tokens of an engine.
 *
 * Invariants
 *  (1) Bytes are joined before they are judged: first all tokens in a row are cut at spaces, then each word is cleaned. So a
 *      character whose bytes lie in two tokens, or at the border of two phrases, is whole.
 *  (2) A word is of the phrase of its first token.
 *  (3) Within a phrase, words start in order, and none ends before it starts. */
#include "speech/speech_words.h"

#include "speech/speech_text.h"

void speech_tokens_init(struct speech_tokens *t) {
  *t = (struct speech_tokens){.bytes = BUF_INIT(SPEECH_TOKEN_BYTES_MAX),
                              .list = BUF_INIT(SPEECH_TOKENS_MAX * sizeof(struct speech_token))};
}

void speech_tokens_done(struct speech_tokens *t) {
  buf_done(&t->bytes);
  buf_done(&t->list);
}

enum err speech_tokens_add(struct speech_tokens *t, size_t phrase, const struct speech_token *token, struct str bytes) {
  struct speech_token one = *token;
  one.phrase = phrase;
  one.at = t->bytes.n;
  one.bytes = bytes.n;
  TRY(buf_add(&t->bytes, bytes));
  TRY(buf_add(&t->list, str_of((const char *)&one, sizeof(one))));
  t->count++;
  if (bytes.n > 0 && bytes.p[0] == ' ') t->has_spaces = true;
  return OK;
}

static struct speech_token token_at(const struct speech_tokens *t, size_t i) {
  struct speech_token token;
  memcpy(&token, t->list.p + i * sizeof(token), sizeof(token));
  return token;
}

/* ---- words ---- */

struct word_run {
  size_t first, last; /* tokens */
  size_t from, to;    /* bytes */
};

static bool is_continuation(char c) {
  return ((unsigned char)c & 0xc0) == 0x80;
}

/* Whether a token that has no space before it begins a word: only where no token has spaces. */
static bool begins_word(const struct speech_tokens *t, const struct speech_token *token) {
  uint32_t code;
  if (t->has_spaces || token->bytes == 0) return false;
  struct str bytes = str_of(t->bytes.p + token->at, token->bytes);
  if (is_continuation(bytes.p[0])) return false;
  return !str_utf8_at(bytes, 0, &code) || !speech_text_is_closing(code);
}

typedef enum err on_run(void *arg, const struct word_run *run);

static enum err end_run(struct word_run *run, on_run *fn, void *arg) {
  bool is_empty = run->to == run->from;
  return is_empty ? OK : fn(arg, run);
}

/* Calls fn for each word (1). */
static enum err each_run(const struct speech_tokens *t, on_run *fn, void *arg) {
  struct word_run run = {0};
  for (size_t i = 0; i < t->count; i++) {
    struct speech_token token = token_at(t, i);
    bool is_new = begins_word(t, &token);
    for (size_t at = token.at; at < token.at + token.bytes; at++) {
      uint32_t code;
      size_t size = str_utf8_at(buf_str(&t->bytes), at, &code);
      bool is_space = size > 0 && speech_text_is_space(code);
      if (is_space || (is_new && at == token.at) || run.to == run.from) {
        TRY(end_run(&run, fn, arg));
        run = (struct word_run){.first = i, .from = is_space ? at + size : at, .to = is_space ? at + size : at};
        if (is_space) {
          at += size - 1;
          continue;
        }
      }
      run.last = i;
      run.to = at + 1;
    }
  }
  return end_run(&run, fn, arg);
}

struct word_joining {
  const struct speech_tokens *t;
  struct speech_answer *answer;
  struct buf clean;
};

static bool is_punctuation(struct str text) {
  for (size_t at = 0, size; at < text.n; at += size) {
    uint32_t code;
    size = str_utf8_at(text, at, &code);
    if (size == 0 || !speech_text_is_closing(code)) return false;
  }
  return true;
}

/* The word before it, with the punctuation. */
static enum err add_to_last(struct word_joining *j, struct speech_phrase *p, int64_t end_ms) {
  struct speech_word *last = &p->words[p->word_count - 1];
  struct buf both CLEANUP(buf_done) = BUF_INIT(SPEECH_WORD_MAX);
  TRY(buf_add(&both, last->text));
  TRY(buf_add(&both, buf_str(&j->clean)));
  if (end_ms > last->end_ms) last->end_ms = end_ms;
  return speech_arena_copy(&j->answer->arena, buf_str(&both), &last->text);
}

static double mean_probability(const struct speech_tokens *t, const struct word_run *run) {
  double sum = 0;
  size_t known = 0;
  for (size_t i = run->first; i <= run->last; i++) {
    double probability = token_at(t, i).probability;
    if (probability < 0) continue;
    sum += probability;
    known++;
  }
  return known ? sum / (double)known : -1;
}

static enum err count_word(void *arg, const struct word_run *run) {
  struct word_joining *j = arg;
  j->answer->phrases[token_at(j->t, run->first).phrase].word_count++; /* (2) */
  return OK;
}

static enum err add_word(void *arg, const struct word_run *run) {
  struct word_joining *j = arg;
  struct speech_token first = token_at(j->t, run->first), last = token_at(j->t, run->last);
  struct speech_phrase *p = &j->answer->phrases[first.phrase];
  buf_clear(&j->clean);
  TRY(speech_text_clean(str_of(j->t->bytes.p + run->from, run->to - run->from), &j->clean));
  if (j->clean.n == 0) return OK;
  if (p->word_count > 0 && is_punctuation(buf_str(&j->clean))) return add_to_last(j, p, last.end_ms);
  int64_t start = first.start_ms, end = last.end_ms;
  if (p->word_count > 0 && start < p->words[p->word_count - 1].start_ms) start = p->words[p->word_count - 1].start_ms;
  if (end < start) end = start; /* (3) */
  struct speech_word *w = &p->words[p->word_count++];
  *w = (struct speech_word){.start_ms = start, .end_ms = end, .confidence = mean_probability(j->t, run)};
  return speech_arena_copy(&j->answer->arena, buf_str(&j->clean), &w->text);
}

/* ---- text ---- */

static bool is_broken(struct str text) {
  return str_contains(text, STR("\xef\xbf\xbd"));
}

static size_t count_words(struct str text) {
  size_t n = text.n > 0;
  for (size_t i = 0; i < text.n; i++) n += text.p[i] == ' ';
  return n;
}

static enum err join_text(struct speech_answer *answer, struct speech_phrase *p) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  for (size_t i = 0; i < p->word_count; i++) {
    if (i > 0) TRY(buf_add_char(&text, ' '));
    TRY(buf_add(&text, p->words[i].text));
  }
  return speech_arena_copy(&answer->arena, buf_str(&text), &p->text);
}

/* Words get the spelling of the text: by their order if there are as many, else where they are the same but for punctuation. */
static enum err spell_words(struct speech_phrase *p) {
  bool as_many = count_words(p->text) == p->word_count;
  struct str rest = p->text, one;
  for (size_t i = 0; i < p->word_count && rest.n > 0; i++) {
    bool same = as_many;
    struct str here = rest;
    (void)str_cut(here, ' ', &one, &here);
    if (!as_many) TRY(speech_text_same(one, p->words[i].text, &same));
    if (!same) return OK; /* where they part, the engine's words stay */
    if (one.n <= SPEECH_WORD_MAX) p->words[i].text = one;
    rest = one.n == rest.n ? STR_NONE : here;
  }
  return OK;
}

enum err speech_tokens_join(const struct speech_tokens *t, struct speech_answer *answer) {
  struct word_joining j = {.t = t, .answer = answer, .clean = BUF_INIT(SPEECH_WORD_MAX)};
  TRY(each_run(t, count_word, &j));
  for (size_t i = 0; i < answer->phrase_count; i++) {
    struct speech_phrase *p = &answer->phrases[i];
    void *memory = NULL;
    if (p->word_count > 0) TRY(speech_arena_take_array(&answer->arena, p->word_count, sizeof(*p->words), &memory));
    p->words = memory;
    p->word_count = 0;
  }
  enum err e = each_run(t, add_word, &j);
  buf_done(&j.clean);
  for (size_t i = 0; e == OK && i < answer->phrase_count; i++) {
    struct speech_phrase *p = &answer->phrases[i];
    if (p->word_count == 0) continue;
    if (p->text.n == 0 || is_broken(p->text)) e = join_text(answer, p);
    if (e == OK) e = spell_words(p);
  }
  return e;
}
