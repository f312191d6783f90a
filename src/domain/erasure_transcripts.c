/* erasure_transcripts.c - see erasure_transcripts.h.
 *
 *   ERASURE_ANSWERS      an answer of an engine that names the number is deleted: its piece is sent again
 *   ERASURE_TRANSCRIPTS  the newest version becomes the next one, without the number; older ones that name it are deleted. A
 *                        version whose corrector's name is the number loses that name
 *
 * Invariants
 *  (1) A part looks at ROWS_MAX rows or a few more bytes than BYTES_MAX, and changes at most one.
 *  (2) What a legal hold covers stays as it is, and each such recording is counted in held once.
 *  (3) `after` and after_at are the last row that is done, so that nothing is counted twice. */
#include "domain/erasure_transcripts.h"

#include <string.h>

#include "base/mention.h"
#include "domain/erasure_texts.h"
#include "ledger/transcripts.h"

enum { ROWS_MAX = 20, BYTES_MAX = 1 << 20 };

/* The walk continues behind the version that came in its place. */
static enum err erase_in_version(struct db *db, struct erasure *x, struct transcript_place *place, struct str document,
                                 erasure_mask_fn *mask, int64_t now) {
  struct transcript_content content CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT;
  struct str sid = str_from(place->recording_sid);
  struct transcript row;
  enum err e = transcripts_find(db, x->business_id, sid, &row);
  if (e == ERR_NOT_FOUND) return OK; /* the recording has expired: the remover deletes all versions */
  TRY(e);
  x->edited++;
  if (place->at != row.version) return transcripts_delete_version(db, x->business_id, place);
  TRY(mask(x->business_id, document, str_skip(str_from(x->key), 1), &content));
  place->at++;
  return transcripts_replace(db, x->business_id, sid, &content, now);
}

static enum err erase_editor(struct db *db, struct erasure *x, struct transcript_place *place, int64_t now) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(sizeof(place->edited_by) - 1);
  bool found;
  TRY(mention_erase(str_from(place->edited_by), str_skip(str_from(x->key), 1), MENTION_PLAIN, &b, &found));
  if (!found) return OK;
  TRY(str_copy(place->edited_by, sizeof(place->edited_by), buf_str(&b)));
  enum err e = transcripts_set_editor(db, x->business_id, place, now);
  return e == ERR_NOT_FOUND ? OK : e; /* the recording has expired */
}

static enum err erase_answer(struct db *db, struct erasure *x, const struct transcript_place *place) {
  x->edited++;
  return transcripts_delete_answer(db, x->business_id, place);
}

static enum err erase_in_row(struct db *db, struct erasure *x, struct transcript_place *place, struct str text,
                             erasure_mask_fn *mask, int64_t now) {
  bool held, is_said = mention_is_in(text, str_skip(str_from(x->key), 1), MENTION_JSON);
  TRY(erasure_texts_held(db, x, str_from(place->recording_sid), &held));
  if (held) {
    place->at = INT64_MAX; /* (2) */
    return OK;
  }
  if (x->step == ERASURE_ANSWERS) return erase_answer(db, x, place);
  x->edited += !is_said;
  if (is_said) TRY(erase_in_version(db, x, place, text, mask, now));
  return erase_editor(db, x, place, now);
}

static enum err look_at_row(struct db *db, struct erasure *x, erasure_mask_fn *mask, int64_t now, size_t *bytes,
                            bool *ret_found) {
  bool is_answer = x->step == ERASURE_ANSWERS;
  struct buf text CLEANUP(buf_done) = BUF_INIT(is_answer ? TRANSCRIPT_ANSWER_MAX : TRANSCRIPT_DOCUMENT_MAX);
  struct transcript_place place = {.at = x->after_at};
  memcpy(place.recording_sid, x->after, sizeof(place.recording_sid));
  TRY(is_answer ? transcripts_next_answer(db, x->business_id, &place, &text)
                : transcripts_next_version(db, x->business_id, &place, &text));
  *bytes += text.n;
  struct str digits = str_skip(str_from(x->key), 1);
  *ret_found = mention_is_in(buf_str(&text), digits, MENTION_JSON) ||
               mention_is_in(str_from(place.edited_by), digits, MENTION_PLAIN);
  if (*ret_found) TRY(erase_in_row(db, x, &place, buf_str(&text), mask, now));
  memcpy(x->after, place.recording_sid, sizeof(x->after)); /* (3) */
  x->after_at = place.at;
  return OK;
}

enum err erasure_transcripts_part(struct db *db, struct erasure *x, erasure_mask_fn *mask, int64_t now) {
  size_t bytes = 0;
  bool found = false;
  for (int i = 0; i < ROWS_MAX && bytes < BYTES_MAX && !found; i++) { /* (1) */
    enum err e = look_at_row(db, x, mask, now, &bytes, &found);
    if (e == ERR_NOT_FOUND) {
      x->step++;
      x->after[0] = '\0';
      x->after_at = 0;
      return OK;
    }
    TRY(e);
  }
  return OK;
}
