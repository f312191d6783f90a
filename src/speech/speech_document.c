/* speech_document.c - a document's memory, and its JSON text. speech_document_read.c reads that text. */
#include "speech/speech_document.h"

#include <stdlib.h>

void speech_document_done(struct speech_document *d) {
  speech_arena_done(&d->arena);
  *d = (struct speech_document)SPEECH_DOCUMENT_INIT;
}

enum err speech_document_keep(struct speech_document *d, struct str text, struct str *ret_text) {
  return speech_arena_copy(&d->arena, text, ret_text);
}

/* ---- order ---- */

struct sort_key {
  int64_t start_ms;
  size_t index;
};

static int compare_keys(const void *a, const void *b) {
  const struct sort_key *x = a, *y = b;
  if (x->start_ms != y->start_ms) return x->start_ms < y->start_ms ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static bool has_order(const struct speech_document *d) {
  for (size_t i = 1; i < d->segment_count; i++) {
    if (d->segments[i].start_ms < d->segments[i - 1].start_ms) return false;
  }
  for (size_t i = 1; i < d->gap_count; i++) {
    if (d->gaps[i].start_ms < d->gaps[i - 1].start_ms) return false;
  }
  return true;
}

enum err speech_document_sort(struct speech_document *d) {
  size_t most = d->segment_count > d->gap_count ? d->segment_count : d->gap_count;
  if (has_order(d)) return OK;
  struct sort_key *keys = calloc(most, sizeof(*keys));
  struct speech_segment *segments = calloc(d->segment_count + 1, sizeof(*segments));
  struct speech_gap *gaps = calloc(d->gap_count + 1, sizeof(*gaps));
  bool ok = keys && segments && gaps;
  for (size_t i = 0; ok && i < d->segment_count; i++) keys[i] = (struct sort_key){d->segments[i].start_ms, i};
  if (ok) qsort(keys, d->segment_count, sizeof(*keys), compare_keys);
  for (size_t i = 0; ok && i < d->segment_count; i++) segments[i] = d->segments[keys[i].index];
  if (ok && d->segment_count) memcpy(d->segments, segments, d->segment_count * sizeof(*segments));
  for (size_t i = 0; ok && i < d->gap_count; i++) keys[i] = (struct sort_key){d->gaps[i].start_ms, i};
  if (ok) qsort(keys, d->gap_count, sizeof(*keys), compare_keys);
  for (size_t i = 0; ok && i < d->gap_count; i++) gaps[i] = d->gaps[keys[i].index];
  if (ok && d->gap_count) memcpy(d->gaps, gaps, d->gap_count * sizeof(*gaps));
  free(keys);
  free(segments);
  free(gaps);
  return ok ? OK : ERR_NOMEM;
}

/* ---- writing ---- */

static enum err add_seconds(struct buf *b, int64_t ms) {
  if (ms < 0) return buf_add(b, STR("null"));
  long long whole = ms / 1000, rest = ms % 1000;
  if (rest % 100 == 0) return rest ? buf_addf(b, "%lld.%lld", whole, rest / 100) : buf_addf(b, "%lld", whole);
  return rest % 10 ? buf_addf(b, "%lld.%03lld", whole, rest) : buf_addf(b, "%lld.%02lld", whole, rest / 10);
}

static enum err add_times(struct buf *b, int64_t start_ms, int64_t end_ms) {
  TRY(buf_add(b, STR("\"start\":")));
  TRY(add_seconds(b, start_ms));
  TRY(buf_add(b, STR(",\"end\":")));
  return add_seconds(b, end_ms);
}

static enum err add_text_or_null(struct buf *b, struct str text) {
  return text.n ? buf_add_json(b, text) : buf_add(b, STR("null"));
}

static enum err add_confidence(struct buf *b, double confidence) {
  int thousandths = confidence >= 0 && confidence <= 1 ? (int)(confidence * 1000 + 0.5) : -1;
  return add_seconds(b, thousandths); /* the same decimals */
}

static enum err add_word(struct buf *b, const struct speech_word *w) {
  TRY(buf_add(b, STR("{\"word\":")));
  TRY(buf_add_json(b, w->text));
  TRY(buf_add_char(b, ','));
  TRY(add_times(b, w->start_ms, w->end_ms));
  TRY(buf_add(b, STR(",\"confidence\":")));
  TRY(add_confidence(b, w->confidence));
  return buf_add_char(b, '}');
}

static enum err add_words(struct buf *b, const struct speech_segment *s) {
  if (s->word_count == 0) return buf_add(b, STR("null"));
  for (size_t i = 0; i < s->word_count; i++) {
    TRY(buf_add_char(b, i ? ',' : '['));
    TRY(add_word(b, &s->words[i]));
  }
  return buf_add_char(b, ']');
}

static enum err add_segment(struct buf *b, const struct speech_segment *s) {
  TRY(buf_add_char(b, '{'));
  TRY(add_times(b, s->start_ms, s->end_ms));
  TRY(s->channel < 0 ? buf_add(b, STR(",\"channel\":null")) : buf_addf(b, ",\"channel\":%d", s->channel));
  TRY(buf_add(b, STR(",\"speaker\":")));
  TRY(add_text_or_null(b, s->speaker));
  TRY(buf_add(b, STR(",\"text\":")));
  TRY(buf_add_json(b, s->text));
  TRY(buf_add(b, STR(",\"confidence\":")));
  TRY(add_confidence(b, s->confidence));
  TRY(buf_add(b, STR(",\"words\":")));
  TRY(add_words(b, s));
  return buf_add_char(b, '}');
}

static enum err add_whole_text(struct buf *b, const struct speech_document *d) {
  TRY(buf_add_char(b, '"'));
  for (size_t i = 0; i < d->segment_count; i++) {
    if (i) TRY(buf_add(b, STR("\\n")));
    size_t at = b->n;
    TRY(buf_add_json(b, d->segments[i].text));
    /* The text stands within the quotes of the whole. */
    memmove(b->p + at, b->p + at + 1, b->n - at - 2);
    b->n -= 2;
  }
  return buf_add_char(b, '"');
}

static enum err add_gaps(struct buf *b, const struct speech_document *d) {
  TRY(buf_add(b, STR(",\"gaps\":[")));
  for (size_t i = 0; i < d->gap_count; i++) {
    TRY(buf_add(b, i ? STR(",{") : STR("{")));
    TRY(add_times(b, d->gaps[i].start_ms, d->gaps[i].end_ms));
    TRY(buf_add(b, STR(",\"reason\":")));
    TRY(buf_add_json(b, d->gaps[i].reason));
    TRY(buf_add_char(b, '}'));
  }
  return buf_add_char(b, ']');
}

static enum err add_talk(struct buf *b, const struct speech_talk *t) {
  TRY(buf_add(b, STR(",\"talk\":{\"speakers\":{")));
  for (size_t i = 0; i < t->speaker_count; i++) {
    if (i) TRY(buf_add_char(b, ','));
    TRY(buf_add_json(b, t->speakers[i].speaker));
    TRY(buf_add_char(b, ':'));
    TRY(add_seconds(b, t->speakers[i].ms));
  }
  TRY(buf_add(b, STR("},\"silence\":")));
  TRY(add_seconds(b, t->silence_ms));
  TRY(buf_add(b, STR(",\"overlap\":")));
  TRY(add_seconds(b, t->overlap_ms));
  return buf_add_char(b, '}');
}

enum err speech_document_write(const struct speech_document *d, struct buf *b) {
  TRY(buf_add(b, STR("{\"duration\":")));
  TRY(add_seconds(b, d->duration_ms));
  TRY(buf_add(b, STR(",\"language\":")));
  TRY(add_text_or_null(b, str_from(d->language)));
  TRY(buf_add(b, STR(",\"text\":")));
  TRY(add_whole_text(b, d));
  TRY(buf_add(b, STR(",\"segments\":[")));
  for (size_t i = 0; i < d->segment_count; i++) {
    if (i) TRY(buf_add_char(b, ','));
    TRY(add_segment(b, &d->segments[i]));
  }
  TRY(buf_add_char(b, ']'));
  TRY(add_gaps(b, d));
  TRY(add_talk(b, &d->talk));
  return buf_add_char(b, '}');
}
