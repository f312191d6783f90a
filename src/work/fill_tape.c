/* fill_tape.c - what listeners hear of a fill, and what of a dead worker's fill they go on hearing.
 *
 * Validators (ETag, Last-Modified) stand for bytes. A fill that takes over from a worker that died or froze is told the
 * validators and the length that were given out, and finds the part that the worker left. While its own bytes agree with that
 * part's, from the first to the last, they stay the same, and who listened goes on at its offset.
 *
 *   no word of before --------------------------------------------------------> own validators
 *   length and bytes agree with the part of before: inherits ----to its end----> those of before, for good
 *                                                     `-- a byte differs ------> own validators, listeners are cut
 *
 * Invariants
 *  (1) The tape is open only while `begun`, and once the ledger has the validators: nobody hears bytes that may be no audio,
 *      or that a later fill would not know of.
 *  (2) Validators that were told are never given to bytes that differ from those told under them. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "domain/part.h"
#include "domain/tape_follow.h"
#include "work/fill_internal.h"

/* ---- the tape ---- */

void fill_open_tape(struct fill *f) {
  struct tape_head head = {
      .business_id = f->row.business_id, .modified_at = f->modified_at, .announced_bytes = f->total};
  if (!f->context->tapes || !f->begun || f->tape) return;
  memcpy(head.recording_sid, f->row.recording_sid, sizeof(head.recording_sid));
  memcpy(head.etag, f->etag, sizeof(head.etag));
  enum err e =
      str_copy(head.content_type, sizeof(head.content_type), str_from(audio_content_type(audio_kind(f->audio))));
  if (e == OK) e = tapes_open(f->context->tapes, &head, blob_part_fd(f->part), f->size, &f->tape);
  if (e != OK) /* who plays it waits until it is ready, or follows the row */
    log_warn("Could not open a recording for live playback", LOG_INT("business", f->row.business_id),
             LOG_TEXT("recording", f->row.recording_sid), LOG_ERR(e));
  else if (f->state > FILL_PAUSED)
    fill_tell_whole(f); /* all came before the ledger had answered */
}

static void close_tape(struct fill *f) {
  tape_unref(TAKE(f->tape));
}

void fill_tell_listeners(struct fill *f) {
  if (f->tape) tape_extend(f->tape, f->size);
}

void fill_tell_whole(struct fill *f) {
  if (f->tape) tape_finish(f->tape);
}

void fill_hand_listeners_over(struct fill *f) {
  if (f->tape) tape_follow_successor(f->context->follows, f->tape);
  close_tape(f);
}

void fill_close_listeners(struct fill *f) {
  fill_forget_before(f);
  close_tape(f);
}

/* ---- validators ---- */

void fill_void_validators(struct fill *f) {
  fill_forget_before(f);
  f->inherits = f->begun = false;
  if (f->tape) tape_fail(f->tape);
  close_tape(f);
}

enum err fill_begin(struct fill *f) {
  if (f->inherits) {
    memcpy(f->etag, f->row.etag, sizeof(f->etag));
    f->modified_at = f->row.modified_at;
  } else {
    TRY(fill_make_validators(f));
  }
  f->begun = f->told = true;
  return OK;
}

/* ---- the part of before ---- */

void fill_find_before(struct fill *f) {
  if (!f->row.etag[0]) return;
  struct part_owner owner;
  part_owner_of(&f->row, &owner);
  enum err e = blob_open_part_below(f->context->store, &owner.whose, f->row.lease_token, &f->before, &f->before_bytes);
  f->inherits = e == OK && f->before_bytes >= AUDIO_LEAST_BYTES; /* else what was told of is not there */
  if (!f->inherits) fill_forget_before(f);
}

void fill_forget_before(struct fill *f) {
  fill_drop_before(f);
}

void fill_compare_length(struct fill *f, int64_t length) {
  bool was_told = f->row.announced_bytes >= 0;
  if (f->before >= 0 && was_told && length != f->row.announced_bytes) fill_void_validators(f);
}

bool fill_is_compared(const struct fill *f) {
  return f->before < 0;
}

void fill_compare_end(struct fill *f) {
  if (f->before >= 0) fill_void_validators(f); /* shorter than what was told */
}
