/* speech_filter.c - finds the phrases of an answer that the engine made up.
 *
 * It is judged by the sound and by what was sent, never by lists of sentences: an engine makes them up in any language.
 *
 * Invariants
 *  (1) A phrase is made up if it is a marker; if the engine itself believes that nobody speaks; if it stands over no loud sound;
 *      if it only repeats the prompt; if the piece has less speech than a person needs to say so much; or if three and more in a
 *      row have the same text, and it has no sound of its own: a span, or a short time for a single word.
 *  (2) A phrase is made up, too, if its words are all but improbable; and all phrases are, if the engine neither knows the
 *      language nor is sure of the words. So it is with music.
 *  (3) Without times, only what does not need them is judged.
 *  (4) Where the engine lost the sound's time, a phrase that takes no time may be speech from anywhere before.
 *  (5) A phrase that ends a sentence which the phrase before began was said, wherever the engine puts it. */
#include "speech/speech_filter.h"

#include "speech/speech_text.h"

enum {
  SIDE_MS = 200,    /* added to a span at both sides */
  PROMPT_WORDS = 5, /* so many words of the prompt's start or end are no chance */
  CHARACTERS_A_SECOND = 40,
  CHARACTERS_MORE = 20,
  LOST_MS = 100,
  RUN_LEAST = 3,
  RUN_MOST = 6, /* of single words */
  WORD_LEAST_MS = 150,
  WORD_MOST_MS = 1200,
};
static const double NO_SPEECH = 0.6, LOG_PROBABILITY = -1.0, IMPROBABLE = 0.25, LANGUAGE_SURE = 0.8, WORDS_SURE = 0.6;

/* ---- markers ---- */

static uint32_t closing_of(uint32_t code) {
  static const struct {
    uint32_t opening, closing;
  } pairs[] = {{'[', ']'}, {'(', ')'},       {'{', '}'},       {'<', '>'},
               {'*', '*'}, {0x300a, 0x300b}, {0x3010, 0x3011}, {0xff08, 0xff09}};
  for (size_t i = 0; i < COUNT_OF(pairs); i++) {
    if (pairs[i].opening == code) return pairs[i].closing;
  }
  return 0;
}

static bool is_music(uint32_t code) {
  return code >= 0x2669 && code <= 0x266f; /* ♩ … ♯ */
}

bool speech_filter_is_marker(struct str text) {
  uint32_t until = 0;
  bool has_marker = false, in_music = false;
  for (size_t at = 0, size; at < text.n; at += size) {
    uint32_t code;
    size = str_utf8_at(text, at, &code);
    if (size == 0) return false;
    if (until) {
      if (code == until) until = 0;
      continue;
    }
    until = closing_of(code);
    if (until) has_marker = true;
    if (is_music(code)) has_marker = in_music = true;
    bool is_nothing = until || in_music || speech_text_is_space(code) || speech_text_is_closing(code) || code == '-';
    if (!is_nothing) return false;
  }
  return has_marker && !until;
}

/* ---- sound ---- */

static int64_t overlap_ms(int64_t a_from, int64_t a_to, int64_t b_from, int64_t b_to) {
  int64_t from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;
  return to > from ? to - from : 0;
}

/* Index of the first span that has loud sound within the phrase; span_count: none. A phrase that takes no time is taken as 100
 * ms. */
static size_t first_span(const struct speech_place *p, const struct speech_phrase *phrase) {
  int64_t from = phrase->start_ms, to = phrase->end_ms;
  if (to - from < 100) from -= 50, to += 50;
  for (size_t i = 0; i < p->span_count; i++) {
    const struct speech_span *s = &p->spans[i];
    int64_t length = s->end_ms - s->start_ms, side = length > 3 * SIDE_MS ? SIDE_MS : 0;
    if (overlap_ms(from, to, s->piece_start_ms + side, s->piece_start_ms + length - side) > 0) return i;
  }
  return p->span_count;
}

static int64_t spans_ms(const struct speech_place *p) {
  int64_t sum = 0;
  for (size_t i = 0; i < p->span_count; i++) sum += p->spans[i].end_ms - p->spans[i].start_ms;
  return sum;
}

static bool is_over_silence(const struct speech_answer *a, const struct speech_place *p, size_t i) {
  const struct speech_phrase *phrase = &a->phrases[i];
  bool is_lost = phrase->end_ms - phrase->start_ms < LOST_MS && a->has_lost_time; /* (4) */
  /* (5) */
  bool goes_on = i > 0 && !speech_text_ends_part(a->phrases[i - 1].text) && speech_text_ends_part(phrase->text);
  return a->has_times && !is_lost && !goes_on && first_span(p, phrase) == p->span_count;
}

/* ---- the prompt ---- */

static size_t count_words(struct str text) {
  size_t n = text.n > 0;
  for (size_t i = 0; i < text.n; i++) n += text.p[i] == ' ';
  return n;
}

/* The first (or last) `words` words of a text. */
static struct str some_words(struct str text, size_t words, bool last) {
  size_t all = count_words(text), skip = last && all > words ? all - words : 0, at = 0;
  for (; skip > 0; skip--) at = str_index(text, ' ', at) + 1;
  struct str rest = str_skip(text, at);
  size_t end = 0;
  for (size_t i = 0; i < words && end < rest.n; i++) end = str_index(rest, ' ', end + (i > 0));
  return str_head(rest, end);
}

static enum err repeats_prompt(struct str text, struct str prompt, bool *ret_repeats) {
  size_t words = count_words(text);
  bool same = false;
  if (prompt.n > 0) TRY(speech_text_same(text, prompt, &same));
  if (!same && prompt.n > 0 && words >= PROMPT_WORDS)
    TRY(speech_text_same(text, some_words(prompt, words, false), &same));
  if (!same && prompt.n > 0 && words >= PROMPT_WORDS)
    TRY(speech_text_same(text, some_words(prompt, words, true), &same));
  *ret_repeats = same;
  return OK;
}

/* ---- the engine's own confidence ---- */

/* (2) */
bool speech_filter_is_guess(const struct speech_answer *a) {
  double sum = 0, characters = 0;
  if (a->language_probability <= 0 || a->language_probability >= LANGUAGE_SURE) return false;
  for (size_t i = 0; i < a->phrase_count; i++) {
    double n = (double)str_utf8_count(a->phrases[i].text);
    if (a->phrases[i].confidence < 0) return false;
    sum += n * a->phrases[i].confidence;
    characters += n;
  }
  return characters > 0 && sum < WORDS_SURE * characters;
}

static bool is_doubted(const struct speech_phrase *p) {
  bool is_improbable = p->confidence >= 0 && p->confidence < IMPROBABLE;
  return is_improbable || (p->no_speech > NO_SPEECH && p->log_probability < LOG_PROBABILITY);
}

/* ---- repetition ---- */

/* "No. No. No.": a word that takes a word's time, apart from the one before it. */
static bool is_said_again(const struct speech_answer *a, size_t i) {
  const struct speech_phrase *p = &a->phrases[i];
  int64_t length = p->end_ms - p->start_ms;
  return a->has_times && count_words(p->text) == 1 && length >= WORD_LEAST_MS && length <= WORD_MOST_MS &&
         p->start_ms >= a->phrases[i - 1].end_ms;
}

/* Of a run of the same text, those are made up that begin in a span where one of the run was kept. */
static void judge_run(const struct speech_answer *a, const struct speech_place *p, size_t first, size_t count,
                      bool *is_made_up) {
  if (count < RUN_LEAST) return;
  size_t kept_span = first_span(p, &a->phrases[first]);
  for (size_t i = first + 1; i < first + count; i++) {
    size_t span = a->has_times ? first_span(p, &a->phrases[i]) : kept_span;
    if (span == kept_span && (count > RUN_MOST || !is_said_again(a, i))) is_made_up[i] = true;
    kept_span = span;
  }
}

static enum err judge_repetition(const struct speech_answer *a, const struct speech_place *p, bool *is_made_up) {
  size_t first = 0;
  for (size_t i = 1; i <= a->phrase_count; i++) {
    bool same = false;
    if (i < a->phrase_count) TRY(speech_text_same(a->phrases[i].text, a->phrases[first].text, &same));
    if (same) continue;
    judge_run(a, p, first, i - first, is_made_up);
    first = i;
  }
  return OK;
}

enum err speech_filter(const struct speech_answer *a, const struct speech_place *p, bool *is_made_up) {
  int64_t most = CHARACTERS_MORE + CHARACTERS_A_SECOND * spans_ms(p) / 1000;
  bool guessed = speech_filter_is_guess(a);
  for (size_t i = 0; i < a->phrase_count; i++) {
    const struct speech_phrase *phrase = &a->phrases[i];
    bool repeats;
    TRY(repeats_prompt(phrase->text, p->prompt, &repeats));
    bool is_doubtful = guessed || is_doubted(phrase) || is_over_silence(a, p, i);
    is_made_up[i] = repeats || is_doubtful || speech_filter_is_marker(phrase->text); /* (1), (2) */
  }
  TRY(judge_repetition(a, p, is_made_up));
  for (size_t i = 0; i < a->phrase_count; i++) {
    if (is_made_up[i]) continue;
    most -= (int64_t)str_utf8_count(a->phrases[i].text);
    if (most < 0) is_made_up[i] = true;
  }
  return OK;
}
