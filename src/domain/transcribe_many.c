/* transcribe_many.c - see transcribe_many.h.
 *
 * Invariants
 *  (1) A part looks at TRANSCRIBE_MANY_PART recordings and TRANSCRIBE_MANY_BUSINESSES businesses at most, wanted or not.
 *  (2) The place moves behind every row that was looked at, so no row is looked at twice. */
#include "domain/transcribe_many.h"

#include "ledger/businesses.h"
#include "ledger/businesses_speech.h"

void transcribe_many_begin(struct transcribe_many *t) {
  t->at_business = t->business_id ? t->business_id - 1 : 0;
  t->is_at_held = false;
  t->place = (struct recordings_place){.kept_from = t->since};
  t->after[0] = '\0';
}

static void transcribe_many_end_business(struct transcribe_many *t, int64_t id) {
  transcribe_many_begin(t);
  t->at_business = id;
}

static enum err transcribe_many_add_row(void *arg, const struct recording *row) {
  struct transcribe_many_part *part = arg;
  if (part->count < TRANSCRIBE_MANY_PART) part->rows[part->count++] = *row;
  return OK;
}

/* Reads the next rows of a business, and moves the place behind them. */
static enum err transcribe_read_business(struct db *db, int64_t id, struct transcribe_many *t,
                                         struct transcribe_many_part *part) {
  int read = 0;
  if (!t->is_at_held) {
    TRY(recordings_kept_since(db, id, INT64_MAX, &t->place, TRANSCRIBE_MANY_PART, transcribe_many_add_row, part,
                              &read));
    if (read < TRANSCRIBE_MANY_PART) t->is_at_held = true;
    return OK;
  }
  TRY(recordings_held(db, id, str_from(t->after), TRANSCRIBE_MANY_PART, transcribe_many_add_row, part));
  if (part->count < TRANSCRIBE_MANY_PART)
    transcribe_many_end_business(t, id);
  else
    TRY(str_copy(t->after, sizeof(t->after), str_from(part->rows[part->count - 1].recording_sid)));
  return OK;
}

/* True: the business has nothing transcribed, or is removed. */
static enum err transcribe_never(struct db *db, int64_t id, bool *ret_never) {
  struct business_speech speech;
  enum err e = businesses_speech_get(db, id, &speech);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_never = e == ERR_NOT_FOUND || speech.transcribe == TRANSCRIBE_NEVER;
  return OK;
}

enum err transcribe_many_wants(struct db *db, const struct recording *row, bool only_missing) {
  struct transcript made;
  if (row->status != RECORDING_READY) return ERR_NOT_FOUND;
  enum err e = transcripts_find(db, row->business_id, str_from(row->recording_sid), &made);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  bool waits = made.status == TRANSCRIPT_QUEUED || made.status == TRANSCRIPT_RUNNING;
  return waits || (only_missing && made.status == TRANSCRIPT_READY) ? ERR_NOT_FOUND : OK;
}

/* Leaves of the rows those that are wanted. */
static enum err transcribe_many_choose(struct db *db, const struct transcribe_many *t,
                                       struct transcribe_many_part *part) {
  int kept = 0;
  for (int i = 0; i < part->count; i++) {
    if (part->rows[i].kept_from < t->since) continue; /* those with a hold are not in the order of time */
    enum err e = transcribe_many_wants(db, &part->rows[i], t->only_missing);
    if (e == ERR_NOT_FOUND) continue;
    TRY(e);
    part->rows[kept++] = part->rows[i];
  }
  part->count = kept;
  return OK;
}

enum err transcribe_many_list_part(struct db *db, struct transcribe_many *t, struct transcribe_many_part *ret_part) {
  struct transcribe_many next = *t;
  ret_part->count = 0;
  ret_part->more = true;
  for (int i = 0; i < TRANSCRIBE_MANY_BUSINESSES && !ret_part->count; i++) { /* (1) */
    int64_t id;
    enum err e = businesses_next(db, next.at_business, &id);
    if (e == OK && next.business_id && id != next.business_id) e = ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND) ret_part->more = false;
    if (e == ERR_NOT_FOUND) break;
    TRY(e);
    bool never;
    TRY(transcribe_never(db, id, &never));
    if (never)
      transcribe_many_end_business(&next, id);
    else
      TRY(transcribe_read_business(db, id, &next, ret_part)); /* (2) */
  }
  TRY(transcribe_many_choose(db, &next, ret_part));
  *t = next;
  return OK;
}

enum err transcribe_many_part(struct db *db, struct transcribe_many *t, struct transcribe_many_part *ret_part) {
  struct transcribe_many next = *t;
  int64_t now = db_now_ms(db);
  TRY(transcribe_many_list_part(db, &next, ret_part));
  for (int i = 0; i < ret_part->count; i++) {
    struct transcript row;
    TRY(transcripts_request(db, &ret_part->rows[i], RECORDING_RANK_REST, !t->only_missing, now, &row));
  }
  *t = next;
  return OK;
}
