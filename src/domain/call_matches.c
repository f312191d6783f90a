/* call_matches.c - asks each recording that has a transcript until there are enough places. */
#include "domain/call_matches.h"

#include <inttypes.h>

struct matches {
  struct buf *b;
  const char *recording_sid;
  int written;
};

static enum err write_match(void *arg, const struct transcript_match *match) {
  struct matches *m = arg;
  struct buf *b = m->b;
  if (m->written++) TRY(buf_add_char(b, ','));
  TRY(buf_addf(b, "{\"recording_sid\":\"%s\",\"start\":%" PRId64 ".%03" PRId64 ",\"speaker\":", m->recording_sid,
               match->start_ms / 1000, match->start_ms % 1000));
  TRY(match->speaker.n ? buf_add_json(b, match->speaker) : buf_add(b, STR("null")));
  TRY(buf_add(b, STR(",\"text\":")));
  TRY(buf_add_json(b, match->text));
  TRY(buf_add(b, STR(",\"at\":[")));
  for (size_t i = 0; i < match->at_count; i++)
    TRY(buf_addf(b, "%s[%" PRIu32 ",%" PRIu32 "]", i ? "," : "", match->at[i].from, match->at[i].to));
  return buf_add(b, STR("]}"));
}

enum err call_matches_write(struct db *db, int64_t business_id, const struct transcript_query *query,
                            const struct recording *const *recordings, size_t count, struct buf *b) {
  struct matches m = {.b = b};
  TRY(buf_add_char(b, '['));
  for (size_t i = 0; query->count && i < count && m.written < CALL_MATCHES_MAX; i++) {
    if (!recordings[i]->has_transcript) continue;
    m.recording_sid = recordings[i]->recording_sid;
    TRY(transcripts_matches(db, business_id, str_from(m.recording_sid), query, CALL_MATCHES_MAX - m.written,
                            write_match, &m));
  }
  return buf_add_char(b, ']');
}
