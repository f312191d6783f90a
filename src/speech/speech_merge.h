/* speech_merge.h - makes one document of the documents of all pieces.
 *
 *   speech_merge_new(&config, &m);
 *   for each piece, in any order: speech_merge_add(m, &document), or speech_merge_add_gap(m, start_ms, end_ms, reason)
 *   speech_merge_finish(m, &summary, &whole);   speech_merge_free(m);
 *
 * Segments are put in order of time. Those of one speaker that follow each other are one, unless there is a pause of more than a
 * second between, or it gets too long to read. Thread rule: one owner. */
#pragma once

#include "audio/speech_pieces.h"
#include "speech/speech_document.h"

struct speech_merge;

struct speech_merge_config {
  const char *speakers[SPEECH_CHANNELS_MAX]; /* of the channels: "customer", "agent", "1" …; NULL: null */
  const char *language;                      /* "": unknown */
};

CHECKED enum err speech_merge_new(const struct speech_merge_config *config, struct speech_merge **ret_merge);
struct speech_merge *speech_merge_free(struct speech_merge *m); /* NULL is allowed; always NULL */
/* Copies the segments. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_merge_add(struct speech_merge *m, const struct speech_document *piece);
/* A piece that has no answer, from the start of its first span to the end of its last. */
CHECKED enum err speech_merge_add_gap(struct speech_merge *m, int64_t start_ms, int64_t end_ms, const char *reason);
/* Fills *d, which is initialised and empty. With channels that are alike, channel and speaker are unknown; with one channel,
 * the speaker is. Sound that could not be decoded becomes a gap. */
CHECKED enum err speech_merge_finish(struct speech_merge *m, const struct speech_summary *summary,
                                     struct speech_document *d);
