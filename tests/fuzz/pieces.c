/* Input: any bytes as audio, whole and in pieces whose size the first byte chooses. Property: the pieces of speech do not depend
 * on how the bytes were fed, and each has at most 28 s and a table within it and within the recording. */
#include <stdlib.h>
#include <string.h>

#include "audio/speech_pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

struct heard {
  size_t pieces;
  uint64_t hash;
  int64_t last_end_ms;
};

static enum err on_piece(void *arg, const struct speech_piece *p) {
  struct heard *h = arg;
  int64_t piece_ms = (int64_t)p->count * 1000 / SPEECH_PIECES_RATE, before_ms = 0;
  require(p->channel >= 0 && p->channel < SPEECH_PIECES_CHANNELS && p->index >= 0);
  require(piece_ms > 0 && piece_ms <= SPEECH_PIECES_MAX_MS && p->span_count > 0 && p->speech_ms <= piece_ms);
  for (size_t i = 0; i < p->span_count; i++) {
    const struct speech_span *s = &p->spans[i];
    require(s->start_ms >= before_ms && s->end_ms > s->start_ms);
    require(s->piece_start_ms + s->end_ms - s->start_ms <= piece_ms);
    before_ms = s->end_ms;
    if (before_ms > h->last_end_ms) h->last_end_ms = before_ms;
  }
  h->pieces++;
  h->hash = str_hash(str_of((const char *)p->samples, p->count * sizeof(*p->samples)), h->hash);
  return OK;
}

static enum err hear(struct str bytes, size_t at_once, struct heard *ret_heard, struct speech_summary *ret_summary) {
  struct speech_pieces_config config = {.arg = ret_heard, .on_piece = on_piece};
  struct speech_pieces *p;
  enum err e = OK;
  require(speech_pieces_new(&config, &p) == OK);
  while (bytes.n > 0 && e == OK) {
    struct str head = str_head(bytes, at_once);
    e = speech_pieces_feed(p, head);
    bytes = str_skip(bytes, head.n);
  }
  if (e == OK) e = speech_pieces_finish(p, ret_summary);
  speech_pieces_free(p);
  return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n == 0) return 0;
  struct str text = str_of((const char *)bytes + 1, n - 1);
  struct heard whole = {0}, parts = {0};
  struct speech_summary a = {0}, b = {0};
  enum err e = hear(text, n, &whole, &a), other = hear(text, (size_t)bytes[0] + 1, &parts, &b);
  require((e == OK) == (other == OK));
  if (e != OK) return 0;
  require(a.channels >= 1 && a.channels <= SPEECH_PIECES_CHANNELS);
  require(a.silence_ms >= 0 && a.overlap_ms >= 0 && a.overlap_ms <= a.decoded_ms + 20);
  require(whole.last_end_ms <= a.decoded_ms + 20 && (size_t)a.pieces == whole.pieces);
  require(a.has_speech || whole.pieces == 0);
  require(a.decoded_ms == b.decoded_ms && whole.pieces == parts.pieces && whole.hash == parts.hash);
  return 0;
}
