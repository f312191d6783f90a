/* speech_merge.c - makes one document of the documents of all pieces.
 *
 * Invariants
 *  (1) Segments of all pieces are sorted by time. Those that follow each other are one where they are of the same channel, the
 *      pause between them is at most PAUSE_MS, and the whole does not get too long to read.
 *  (2) Words keep their times. A text is the texts of its parts with spaces between.
 *  (3) No time is beyond the recording's end. */
#include "speech/speech_merge.h"

#include <stdlib.h>

enum {
  PAUSE_MS = 1000,
  LONG_MS = 15 * 1000,    /* from then on a segment ends with a sentence */
  LONGEST_MS = 45 * 1000, /* and here in any case */
  LONG_TEXT = 1500,       /* bytes */
  DAMAGED_MS = 1000,
};

struct speech_merge {
  struct speech_document all; /* segments of all pieces, and gaps */
  size_t segments_room, gaps_room;
  char language[SPEECH_LANGUAGE_SIZE];
  char speakers[SPEECH_CHANNELS_MAX][SPEECH_SPEAKER_MAX + 1];
};

enum err speech_merge_new(const struct speech_merge_config *config, struct speech_merge **ret_merge) {
  struct speech_merge *m = calloc(1, sizeof(*m));
  if (!m) return ERR_NOMEM;
  m->all = (struct speech_document)SPEECH_DOCUMENT_INIT;
  enum err e = str_copy(m->language, sizeof(m->language), str_from(config->language));
  for (int c = 0; e == OK && c < SPEECH_CHANNELS_MAX; c++)
    e = str_copy(m->speakers[c], sizeof(m->speakers[c]), str_from(config->speakers[c]));
  if (e != OK) {
    speech_merge_free(m);
    return e;
  }
  *ret_merge = m;
  return OK;
}

struct speech_merge *speech_merge_free(struct speech_merge *m) {
  if (!m) return NULL;
  free(m->all.segments);
  free(m->all.gaps);
  speech_arena_done(&m->all.arena);
  free(m);
  return NULL;
}

/* ---- collecting ---- */

/* Room for `more` elements behind count. */
static enum err merge_reserve(void **array, size_t count, size_t *room, size_t more, size_t each, size_t most) {
  if (more > most - count) return ERR_TOO_BIG;
  if (count + more <= *room) return OK;
  size_t wanted = 2 * *room > count + more ? 2 * *room : count + more;
  void *grown = realloc(*array, wanted * each);
  if (!grown) return ERR_NOMEM;
  *array = grown;
  *room = wanted;
  return OK;
}

static enum err copy_segment(struct speech_document *d, const struct speech_segment *from, struct speech_segment *to) {
  void *memory = NULL;
  *to = *from;
  TRY(speech_document_keep(d, from->speaker, &to->speaker));
  TRY(speech_document_keep(d, from->text, &to->text));
  if (from->word_count == 0) return OK;
  TRY(speech_arena_take_array(&d->arena, from->word_count, sizeof(*to->words), &memory));
  to->words = memory;
  for (size_t i = 0; i < from->word_count; i++) {
    to->words[i] = from->words[i];
    TRY(speech_document_keep(d, from->words[i].text, &to->words[i].text));
  }
  return OK;
}

enum err speech_merge_add(struct speech_merge *m, const struct speech_document *piece) {
  struct speech_document *d = &m->all;
  void *array = d->segments;
  if (piece->segment_count == 0) return OK;
  TRY(merge_reserve(&array, d->segment_count, &m->segments_room, piece->segment_count, sizeof(*d->segments),
                    10 * SPEECH_SEGMENTS_MAX));
  d->segments = array;
  size_t count = d->segment_count;
  for (size_t i = 0; i < piece->segment_count; i++, count++)
    TRY(copy_segment(d, &piece->segments[i], &d->segments[count]));
  d->segment_count = count;
  return OK;
}

enum err speech_merge_add_gap(struct speech_merge *m, int64_t start_ms, int64_t end_ms, const char *reason) {
  struct speech_document *d = &m->all;
  void *array = d->gaps;
  struct speech_gap gap = {.start_ms = start_ms, .end_ms = end_ms};
  if (start_ms < 0 || end_ms < start_ms) return ERR_INVALID;
  TRY(merge_reserve(&array, d->gap_count, &m->gaps_room, 1, sizeof(*d->gaps), SPEECH_GAPS_MAX));
  d->gaps = array;
  TRY(speech_document_keep(d, str_head_utf8(str_from(reason), SPEECH_REASON_MAX), &gap.reason));
  d->gaps[d->gap_count++] = gap;
  return OK;
}

/* ---- grouping (1) ---- */

static bool ends_sentence(struct str text) {
  return str_ends(text, STR(".")) || str_ends(text, STR("?")) || str_ends(text, STR("!")) ||
         str_ends(text, STR("\xe2\x80\xa6")) || str_ends(text, STR("\xe3\x80\x82")) || str_ends(text, STR("\xd8\x9f"));
}

struct merge_group {
  size_t first, count;
  int64_t end_ms;
  size_t text_bytes, words;
};

static bool group_takes(const struct merge_group *g, const struct speech_segment *first,
                        const struct speech_segment *last, const struct speech_segment *next) {
  int64_t length = next->end_ms - first->start_ms;
  if (next->channel != first->channel || !str_eq(next->speaker, first->speaker)) return false;
  if (next->start_ms - g->end_ms > PAUSE_MS || length > LONGEST_MS || g->text_bytes > LONG_TEXT) return false;
  return length <= LONG_MS || !ends_sentence(last->text);
}

/* The group that begins with the segment. */
static struct merge_group group_from(const struct speech_document *all, size_t first) {
  struct merge_group g = {.first = first};
  const struct speech_segment *s = all->segments;
  do {
    const struct speech_segment *one = &s[g.first + g.count];
    if (one->end_ms > g.end_ms) g.end_ms = one->end_ms;
    g.text_bytes += one->text.n + 1;
    g.words += one->word_count;
    g.count++;
  } while (first + g.count < all->segment_count &&
           group_takes(&g, &s[first], &s[first + g.count - 1], &s[first + g.count]));
  return g;
}

static double group_confidence(const struct speech_segment *parts, size_t count) {
  double sum = 0, weight = 0;
  for (size_t i = 0; i < count; i++) {
    if (parts[i].confidence < 0) return -1;
    sum += parts[i].confidence * (double)parts[i].text.n;
    weight += (double)parts[i].text.n;
  }
  return weight > 0 ? sum / weight : -1;
}

static enum err merge_group(const struct speech_document *all, const struct merge_group *g, struct speech_document *d,
                            struct speech_segment *to) {
  const struct speech_segment *parts = &all->segments[g->first];
  struct buf text CLEANUP(buf_done) = BUF_INIT(g->text_bytes);
  void *memory = NULL;
  size_t words = 0;
  bool has_words = g->words > 0;
  for (size_t i = 0; i < g->count; i++) {
    if (i > 0) TRY(buf_add_char(&text, ' '));
    TRY(buf_add(&text, parts[i].text));
    if (parts[i].word_count == 0) has_words = false; /* some words without times would be no whole text */
  }
  *to = (struct speech_segment){.start_ms = parts[0].start_ms,
                                .end_ms = g->end_ms,
                                .channel = parts[0].channel,
                                .confidence = group_confidence(parts, g->count)};
  TRY(speech_document_keep(d, buf_str(&text), &to->text));
  TRY(speech_document_keep(d, parts[0].speaker, &to->speaker));
  if (!has_words) return OK;
  TRY(speech_arena_take_array(&d->arena, g->words, sizeof(*to->words), &memory));
  to->words = memory;
  for (size_t i = 0; i < g->count; i++) {
    for (size_t k = 0; k < parts[i].word_count; k++, words++) {
      to->words[words] = parts[i].words[k];
      TRY(speech_document_keep(d, parts[i].words[k].text, &to->words[words].text));
    }
  }
  to->word_count = words;
  return OK;
}

static enum err merge_segments(const struct speech_document *all, struct speech_document *d) {
  void *memory = NULL;
  size_t groups = 0;
  for (size_t at = 0; at < all->segment_count; at += group_from(all, at).count) groups++;
  if (groups > SPEECH_SEGMENTS_MAX) return ERR_TOO_BIG;
  if (groups > 0) TRY(speech_arena_take_array(&d->arena, groups, sizeof(*d->segments), &memory));
  d->segments = memory;
  for (size_t at = 0; at < all->segment_count;) {
    struct merge_group g = group_from(all, at);
    TRY(merge_group(all, &g, d, &d->segments[d->segment_count]));
    d->segment_count++;
    at += g.count;
  }
  return OK;
}

/* ---- the whole ---- */

/* (3) */
static void clamp_times(struct speech_document *d, int64_t most) {
  for (size_t i = 0; i < d->gap_count; i++) {
    if (d->gaps[i].start_ms > most) d->gaps[i].start_ms = most;
    if (d->gaps[i].end_ms > most) d->gaps[i].end_ms = most;
  }
  for (size_t i = 0; i < d->segment_count; i++) {
    struct speech_segment *s = &d->segments[i];
    if (s->start_ms > most) s->start_ms = most;
    if (s->end_ms > most) s->end_ms = most;
    for (size_t k = 0; k < s->word_count; k++) {
      if (s->words[k].start_ms > most) s->words[k].start_ms = most;
      if (s->words[k].end_ms > most) s->words[k].end_ms = most;
    }
  }
}

/* Names the speakers: not where nothing tells them apart. */
static void name_speakers(struct speech_merge *m, const struct speech_summary *s) {
  for (size_t i = 0; i < m->all.segment_count; i++) {
    struct speech_segment *segment = &m->all.segments[i];
    bool is_known = s->channels == 2 && !s->channels_alike && segment->channel >= 0;
    if (s->channels_alike) segment->channel = -1;
    if (is_known) segment->speaker = str_from(m->speakers[segment->channel]);
  }
}

static enum err add_talk(const struct speech_merge *m, const struct speech_summary *s, struct speech_document *d) {
  struct speech_talk *t = &d->talk;
  t->silence_ms = s->silence_ms;
  t->overlap_ms = s->overlap_ms;
  for (int c = 0; s->channels == 2 && !s->channels_alike && c < SPEECH_CHANNELS_MAX; c++) {
    if (!m->speakers[c][0]) continue;
    TRY(speech_document_keep(d, str_from(m->speakers[c]), &t->speakers[t->speaker_count].speaker));
    t->speakers[t->speaker_count++].ms = s->speech_ms[c];
  }
  return OK;
}

static enum err copy_gaps(const struct speech_document *all, struct speech_document *d) {
  void *memory = NULL;
  if (all->gap_count == 0) return OK;
  TRY(speech_arena_take_array(&d->arena, all->gap_count, sizeof(*d->gaps), &memory));
  d->gaps = memory;
  for (size_t i = 0; i < all->gap_count; i++) {
    d->gaps[i] = all->gaps[i];
    TRY(speech_document_keep(d, all->gaps[i].reason, &d->gaps[i].reason));
  }
  d->gap_count = all->gap_count;
  return OK;
}

static enum err merge_finish(struct speech_merge *m, const struct speech_summary *s, struct speech_document *d) {
  int64_t end_ms = s->duration_ms > s->decoded_ms ? s->duration_ms : s->decoded_ms;
  if (s->duration_ms - s->decoded_ms > DAMAGED_MS)
    TRY(speech_merge_add_gap(m, s->decoded_ms, s->duration_ms, "damaged"));
  TRY(speech_document_sort(&m->all));
  clamp_times(&m->all, end_ms);
  name_speakers(m, s);
  TRY(merge_segments(&m->all, d));
  TRY(copy_gaps(&m->all, d));
  TRY(add_talk(m, s, d));
  d->duration_ms = s->duration_ms >= 0 ? s->duration_ms : s->decoded_ms;
  memcpy(d->language, m->language, sizeof(d->language));
  return OK;
}

enum err speech_merge_finish(struct speech_merge *m, const struct speech_summary *summary, struct speech_document *d) {
  enum err e = merge_finish(m, summary, d);
  if (e != OK) speech_document_done(d);
  return e;
}
