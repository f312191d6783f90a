/* speech_content.c - see speech_content.h. */
#include "speech/speech_content.h"

#include <stdlib.h>

#include "base/mention.h"

static void free_segments(struct transcript_segment **segments) {
  free(*segments);
}

enum err speech_content_make(int64_t business_id, const struct speech_document *d, struct transcript_content *c) {
  struct buf json CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  struct transcript_segment *segments CLEANUP(free_segments) = calloc(d->segment_count + 1, sizeof(*segments));
  if (!segments) return ERR_NOMEM;
  for (size_t i = 0; i < d->segment_count; i++) {
    const struct speech_segment *s = &d->segments[i];
    segments[i] = (struct transcript_segment){s->start_ms, s->end_ms, s->speaker, s->text};
  }
  TRY(speech_document_write(d, &json));
  return transcript_content_make(business_id, buf_str(&json), segments, d->segment_count, c);
}

/* ---- without a number ---- */

static enum err mask_text(struct speech_document *d, struct str digits, struct str *text, bool *ret_found) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  TRY(mention_erase(*text, digits, MENTION_PLAIN, &b, ret_found));
  return *ret_found ? speech_document_keep(d, buf_str(&b), text) : OK;
}

/* Speakers whose names became equal have one time. */
static void merge_talk(struct speech_talk *t) {
  size_t kept = 0;
  for (size_t i = 0; i < t->speaker_count; i++) {
    size_t same = 0;
    while (same < kept && !str_eq(t->speakers[same].speaker, t->speakers[i].speaker)) same++;
    if (same < kept)
      t->speakers[same].ms += t->speakers[i].ms;
    else
      t->speakers[kept++] = t->speakers[i];
  }
  t->speaker_count = kept;
}

static enum err mask_document(struct speech_document *d, struct str digits) {
  bool found;
  for (size_t i = 0; i < d->segment_count; i++) {
    struct speech_segment *s = &d->segments[i];
    TRY(mask_text(d, digits, &s->speaker, &found));
    TRY(mask_text(d, digits, &s->text, &found));
    if (found) s->word_count = 0;
  }
  for (size_t i = 0; i < d->talk.speaker_count; i++) TRY(mask_text(d, digits, &d->talk.speakers[i].speaker, &found));
  merge_talk(&d->talk);
  return OK;
}

enum err speech_content_without(int64_t business_id, struct str document, struct str digits,
                                struct transcript_content *c) {
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct buf json CLEANUP(buf_done) = BUF_INIT(TRANSCRIPT_DOCUMENT_MAX);
  struct speech_wrong wrong;
  bool found;
  enum err e = speech_document_parse(document, &d, &wrong);
  if (e == ERR_NOMEM) return e;
  if (e == OK) {
    TRY(mask_document(&d, digits));
    return speech_content_make(business_id, &d, c);
  }
  TRY(mention_erase(document, digits, MENTION_JSON, &json, &found));
  return transcript_content_make(business_id, buf_str(&json), NULL, 0, c);
}
