/* speech_map.c - puts an engine's answer for a piece at the recording's times.
 *
 *   answer --speech_filter--> phrases --at punctuation--> parts --> spans --> one segment a part
 *
 * Invariants
 *  (1) A part of which OF_PART of its time lies in one span is in that span, and its words are clamped to it. Of other parts,
 *      each word is in the span that holds its middle, or is nearest to it; unless that span's sound has no room for it and its
 *      neighbours: then they are where most words of the part are.
 *  (2) Words of the engine are kept with their times. Where it has none, the time of a text is shared out among its words by
 *      their length, to find the spans; these words are not in the document.
 *  (3) Segments start in order, and each is within the spans.
 *  (4) A phrase whose words do not make up its text is one part, with its own text.
 *  (5) Where an engine writes punctuation, a part may go on in the next phrase: whisper.cpp cuts phrases in the middle of
 *      sentences. Else it ends with its phrase. */
#include "speech/speech_map.h"

#include <stdlib.h>

#include "speech/speech_filter.h"
#include "speech/speech_text.h"

static const double OF_PART = 0.6;
enum { SPLIT_MS = 1000, SIDE_MS = 200 /* of a span, without sound */ };

struct mapping {
  const struct speech_place *place;
  struct speech_document *d;
  size_t capacity; /* of d->segments */
  bool is_punctuated;
  /* words of phrases in a row, not placed yet */
  struct speech_word *words;
  const struct speech_phrase **of; /* the phrase of each */
  size_t count;
};

static int64_t clamp(int64_t value, int64_t least, int64_t most) {
  return value < least ? least : value > most ? most : value;
}

/* ---- spans ---- */

static int64_t span_end(const struct speech_span *s) {
  return s->piece_start_ms + s->end_ms - s->start_ms;
}

static const struct speech_span *span_at(const struct speech_place *p, int64_t ms) {
  const struct speech_span *best = &p->spans[0];
  int64_t least = INT64_MAX;
  for (size_t i = 0; i < p->span_count; i++) {
    const struct speech_span *s = &p->spans[i];
    int64_t away = ms < s->piece_start_ms ? s->piece_start_ms - ms : ms > span_end(s) ? ms - span_end(s) : 0;
    if (away < least) best = s, least = away;
  }
  return best;
}

/* (1) The span that has most of the time; NULL: none has. */
static const struct speech_span *span_of(const struct speech_place *p, int64_t from, int64_t to) {
  if (to <= from) return span_at(p, from);
  for (size_t i = 0; i < p->span_count; i++) {
    const struct speech_span *s = &p->spans[i];
    int64_t in = clamp(span_end(s), from, to) - clamp(s->piece_start_ms, from, to);
    if ((double)in >= OF_PART * (double)(to - from)) return s;
  }
  return NULL;
}

static int64_t at_recording(const struct speech_span *s, int64_t ms) {
  return s->start_ms + clamp(ms, s->piece_start_ms, span_end(s)) - s->piece_start_ms;
}

/* ---- segments ---- */

static enum err grow(struct mapping *m) {
  void *memory;
  size_t capacity = m->capacity ? 2 * m->capacity : 32;
  if (m->d->segment_count < m->capacity) return OK;
  TRY(speech_arena_take_array(&m->d->arena, capacity, sizeof(*m->d->segments), &memory));
  if (m->capacity) memcpy(memory, m->d->segments, m->capacity * sizeof(*m->d->segments));
  m->d->segments = memory;
  m->capacity = capacity;
  return OK;
}

static enum err join_words(struct mapping *m, const struct speech_word *words, size_t count, struct str *ret_text) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  for (size_t i = 0; i < count; i++) {
    if (i > 0) TRY(buf_add_char(&text, ' '));
    TRY(buf_add(&text, words[i].text));
  }
  return speech_document_keep(m->d, buf_str(&text), ret_text);
}

static double mean_confidence(const struct speech_word *words, size_t count, double otherwise) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    if (words[i].confidence < 0) return otherwise;
    sum += words[i].confidence;
  }
  return count ? sum / (double)count : otherwise;
}

/* words: at the recording's times. text: of the whole; empty: that of the words. */
static enum err add_segment(struct mapping *m, const struct speech_phrase *phrase, const struct speech_word *words,
                            size_t count, bool are_known, struct str text) {
  struct speech_document *d = m->d;
  TRY(grow(m));
  struct speech_segment *s = &d->segments[d->segment_count];
  *s = (struct speech_segment){.start_ms = words[0].start_ms,
                               .end_ms = words[count - 1].end_ms,
                               .channel = m->place->channel,
                               .confidence = mean_confidence(words, are_known ? count : 0, phrase->confidence)};
  if (text.n > 0)
    TRY(speech_document_keep(d, text, &s->text));
  else
    TRY(join_words(m, words, count, &s->text));
  d->segment_count++;
  if (!are_known) return OK; /* (2) */
  void *memory;
  TRY(speech_arena_take_array(&d->arena, count, sizeof(*words), &memory));
  memcpy(memory, words, count * sizeof(*words));
  s->words = memory;
  s->word_count = count;
  for (size_t i = 0; i < count; i++) TRY(speech_document_keep(d, words[i].text, &s->words[i].text));
  return OK;
}

/* ---- parts ---- */

static const struct speech_span *word_span(const struct speech_place *p, const struct speech_word *w) {
  return span_at(p, (w->start_ms + w->end_ms) / 2);
}

/* Whether the span's sound, without what was added at its sides, has room for at least half of the words' time. */
static bool has_room(const struct speech_span *s, const struct speech_word *words, size_t count) {
  int64_t from = words[0].start_ms, to = words[count - 1].end_ms, length = s->end_ms - s->start_ms;
  int64_t side = length > 3 * SIDE_MS ? SIDE_MS : 0;
  int64_t in = clamp(span_end(s) - side, from, to) - clamp(s->piece_start_ms + side, from, to);
  return 2 * in >= to - from;
}

static int64_t ms_away(const struct speech_span *s, int64_t ms) {
  return ms < s->piece_start_ms ? s->piece_start_ms - ms : ms > span_end(s) ? ms - span_end(s) : 0;
}

static void place_words(const struct speech_span *s, struct speech_word *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    words[i].start_ms = at_recording(s, words[i].start_ms);
    words[i].end_ms = at_recording(s, words[i].end_ms);
  }
}

/* Puts the words of a part at the recording's times (1): from the last one on, so that the times of those before a word are still
 * the piece's. */
static void place_part(const struct speech_place *p, struct speech_word *words, size_t count) {
  const struct speech_span *whole = span_of(p, words[0].start_ms, words[count - 1].end_ms);
  if (whole) {
    place_words(whole, words, count);
    return;
  }
  const struct speech_span *behind = NULL; /* where the words behind are */
  for (size_t end = count, n; end > 0; end -= n) {
    const struct speech_span *s = word_span(p, &words[end - 1]);
    n = 1;
    while (n < end && word_span(p, &words[end - 1 - n]) == s) n++;
    size_t from = end - n;
    if (!has_room(s, words + from, n)) {
      const struct speech_span *before = from > 0 ? word_span(p, &words[from - 1]) : NULL;
      int64_t middle = (words[from].start_ms + words[end - 1].end_ms) / 2;
      bool is_before = before && (!behind || ms_away(before, middle) < ms_away(behind, middle));
      s = is_before ? before : behind ? behind : s;
    }
    place_words(s, words + from, n);
    behind = s;
  }
}

static bool are_known(const struct speech_phrase *const *of, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (of[i]->word_count == 0) return false;
  }
  return true;
}

/* Placed words: a segment, or several where the recording has a long silence between two words. */
static enum err add_part(struct mapping *m, size_t from, size_t count) {
  struct speech_word *words = m->words + from;
  const struct speech_phrase *const *of = m->of + from;
  size_t first = 0;
  for (size_t i = 1; i <= count; i++) {
    if (i < count && words[i].start_ms - words[i - 1].end_ms <= SPLIT_MS) continue;
    TRY(add_segment(m, of[first], words + first, i - first, are_known(of + first, i - first), STR_NONE));
    first = i;
  }
  return OK;
}

/* (3) */
static void order_words(struct speech_word *words, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    if (i > 0 && words[i].start_ms < words[i - 1].start_ms) words[i].start_ms = words[i - 1].start_ms;
    if (words[i].end_ms < words[i].start_ms) words[i].end_ms = words[i].start_ms;
  }
}

/* (5) */
static bool is_last_of_part(const struct mapping *m, size_t i) {
  bool is_border = i + 1 == m->count || m->of[i + 1] != m->of[i];
  return i + 1 == m->count || speech_text_ends_part(m->words[i].text) || (is_border && !m->is_punctuated);
}

/* Places the words that were collected. */
static enum err add_parts(struct mapping *m) {
  size_t first = 0;
  for (size_t i = 0; i < m->count; i++) {
    if (!is_last_of_part(m, i)) continue;
    place_part(m->place, m->words + first, i + 1 - first);
    order_words(m->words, first, i + 1);
    TRY(add_part(m, first, i + 1 - first));
    first = i + 1;
  }
  m->count = 0;
  return OK;
}

/* ---- phrases ---- */

static size_t count_words(struct str text) {
  size_t n = text.n > 0;
  for (size_t i = 0; i < text.n; i++) n += text.p[i] == ' ';
  return n;
}

/* The time in the piece when `done` ms of the spans' sound between from and to have passed. */
static int64_t sound_time(const struct speech_place *p, int64_t from, int64_t to, int64_t done) {
  for (size_t i = 0; i < p->span_count; i++) {
    int64_t start = clamp(p->spans[i].piece_start_ms, from, to), end = clamp(span_end(&p->spans[i]), from, to);
    if (done <= end - start) return start + done;
    done -= end - start;
  }
  return to;
}

static int64_t sound_ms(const struct speech_place *p, int64_t from, int64_t to) {
  int64_t sum = 0;
  for (size_t i = 0; i < p->span_count; i++)
    sum += clamp(span_end(&p->spans[i]), from, to) - clamp(p->spans[i].piece_start_ms, from, to);
  return sum;
}

/* (2) */
static void share_out(const struct speech_place *p, const struct speech_phrase *phrase, struct speech_word *words) {
  int64_t from = phrase->start_ms, to = phrase->end_ms, sound = sound_ms(p, from, to);
  struct str rest = phrase->text;
  size_t count = count_words(rest), passed = 0;
  for (size_t i = 0; i < count; i++) {
    size_t n = str_index(rest, ' ', 0);
    words[i] = (struct speech_word){.text = str_head(rest, n), .confidence = -1};
    words[i].start_ms = sound_time(p, from, to, sound * (int64_t)passed / (int64_t)phrase->text.n);
    passed += n;
    words[i].end_ms = sound_time(p, from, to, sound * (int64_t)passed / (int64_t)phrase->text.n);
    passed++;
    rest = str_skip(rest, n + 1);
  }
}

static enum err add_whole(struct mapping *m, const struct speech_phrase *phrase) {
  struct speech_word *words = m->words + m->count;
  for (size_t i = 0; i < phrase->word_count; i++) {
    words[i] = phrase->words[i];
    place_part(m->place, &words[i], 1);
  }
  order_words(words, 0, phrase->word_count);
  return add_segment(m, phrase, words, phrase->word_count, true, phrase->text); /* (4) */
}

static enum err add_phrase(struct mapping *m, const struct speech_phrase *phrase) {
  size_t in_text = count_words(phrase->text);
  if (phrase->word_count > 0 && phrase->word_count != in_text) {
    TRY(add_parts(m));
    return add_whole(m, phrase);
  }
  if (phrase->word_count == 0)
    share_out(m->place, phrase, m->words + m->count);
  else
    memcpy(m->words + m->count, phrase->words, in_text * sizeof(*m->words));
  for (size_t i = 0; i < in_text; i++) m->of[m->count++] = phrase;
  return OK;
}

static bool is_punctuated(const struct speech_answer *a) {
  for (size_t i = 0; i < a->phrase_count; i++) {
    struct str text = a->phrases[i].text;
    for (size_t at = 0, n; at < text.n; at += n + 1) {
      n = str_index(text, ' ', at) - at;
      if (speech_text_ends_part(str_of(text.p + at, n)) && at + n < text.n) return true; /* not only at its end */
    }
  }
  return false;
}

static enum err mapping_init(struct mapping *m, const struct speech_answer *a) {
  size_t most = 1;
  for (size_t i = 0; i < a->phrase_count; i++) most += count_words(a->phrases[i].text) + a->phrases[i].word_count;
  m->words = calloc(most, sizeof(*m->words));
  m->of = calloc(most, sizeof(*m->of));
  m->is_punctuated = is_punctuated(a);
  return m->words && m->of ? OK : ERR_NOMEM;
}

static void mapping_done(struct mapping *m) {
  free(m->words);
  free(m->of);
}

static enum err map_phrases(const struct speech_answer *a, const struct speech_place *place, const bool *is_made_up,
                            struct speech_document *d, struct speech_mapped *ret_mapped) {
  struct mapping m CLEANUP(mapping_done) = {.place = place, .d = d};
  struct speech_mapped mapped = {0};
  TRY(mapping_init(&m, a));
  for (size_t i = 0; i < a->phrase_count; i++) {
    if (is_made_up[i])
      mapped.dropped++;
    else
      TRY(add_phrase(&m, &a->phrases[i]));
  }
  TRY(add_parts(&m));
  memcpy(d->language, a->language, sizeof(d->language));
  TRY(speech_document_sort(d)); /* (3) */
  *ret_mapped = mapped;
  return OK;
}

enum err speech_map_answer(const struct speech_answer *answer, const struct speech_place *place,
                           struct speech_document *d, struct speech_mapped *ret_mapped) {
  if (place->span_count == 0) return ERR_INVALID;
  bool *is_made_up = calloc(answer->phrase_count + 1, sizeof(*is_made_up));
  if (!is_made_up) return ERR_NOMEM;
  enum err e = speech_filter(answer, place, is_made_up);
  if (e == OK) e = map_phrases(answer, place, is_made_up, d, ret_mapped);
  free(is_made_up);
  if (e != OK) speech_document_done(d);
  return e;
}

enum err speech_map_prompt(struct str vocabulary, struct buf *b) {
  struct buf words CLEANUP(buf_done) = BUF_INIT(3 * SPEECH_PROMPT_MAX + 8),
                   line CLEANUP(buf_done) = BUF_INIT(2 * SPEECH_PROMPT_MAX);
  struct str text = str_head_utf8(vocabulary, SPEECH_PROMPT_MAX);
  while (str_ends(text, STR("\n"))) text.n--;
  for (size_t i = 0; i < text.n; i++) { /* lines are separated as the words within them */
    bool is_end = text.p[i] == '\n' && line.n > 0 && line.p[line.n - 1] != ',';
    TRY(is_end ? buf_add(&line, STR(", ")) : buf_add_char(&line, text.p[i]));
  }
  TRY(speech_text_clean(buf_str(&line), &words));
  return buf_add(b, str_head_utf8(buf_str(&words), SPEECH_PROMPT_MAX));
}
