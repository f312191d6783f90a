/* fill_tape.c - the listeners of a fill, and how they continue when another worker takes the fill over.
 *
 * Validators (ETag, Last-Modified) stand for bytes. A fill that takes over from a worker that died or was suspended gets
 * the validators and the length from the row, and opens the part that the worker left. As long as its own bytes equal that
 * part's, it uses the same validators, and the listeners continue at their offset.
 *
 *   no previous part ----------------------------------------------------> makes validators of its own
 *   previous part, no byte differs yet: inherits_validators --its end----> keeps the row's validators
 *                                                `-- a byte differs -----> makes its own; listeners are cut
 *
 * Invariants
 *  (1) The tape is open only while has_validators is true and after the ledger has the validators. So no listener reads
 *      bytes that may not be audio, or of which a later fill would not know.
 *  (2) Validators that a listener may have had are never used for other bytes. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "domain/part.h"
#include "domain/recording_log.h"
#include "domain/tape_follow.h"
#include "work/fill_internal.h"

/* ---- the tape ---- */

void fill_open_tape(struct fill *f) {
  struct tape_head head = {
      .business_id = f->row.business_id, .modified_at = f->modified_at, .announced_bytes = f->announced_bytes};
  if (!f->context->tapes || !f->has_validators || f->tape) return;
  memcpy(head.recording_sid, f->row.recording_sid, sizeof(head.recording_sid));
  memcpy(head.etag, f->etag, sizeof(head.etag));
  enum err e =
      str_copy(head.content_type, sizeof(head.content_type), str_from(audio_content_type(audio_kind(f->audio))));
  if (e == OK) e = tapes_open(f->context->tapes, &head, blob_part_fd(f->part), f->size, &f->tape);
  if (e != OK) /* listeners wait until it is ready, or follow the row */
    log_warn("Could not open a recording for live playback", LOG_RECORDING(&f->row), LOG_ERR(e));
  else if (f->state > FILL_PAUSED)
    fill_finish_tape(f); /* all bytes came before the ledger answered */
}

static void close_tape(struct fill *f) {
  tape_unref(TAKE(f->tape));
}

void fill_extend_tape(struct fill *f) {
  if (f->tape) tape_extend(f->tape, f->size);
}

void fill_finish_tape(struct fill *f) {
  if (f->tape) tape_finish(f->tape);
}

void fill_hand_listeners_over(struct fill *f) {
  if (f->tape) tape_follow_successor(f->context->follows, f->tape);
  close_tape(f);
}

void fill_close_listeners(struct fill *f) {
  fill_close_previous_part(f);
  close_tape(f);
}

/* ---- validators ---- */

void fill_void_validators(struct fill *f) {
  fill_close_previous_part(f);
  f->inherits_validators = f->has_validators = false;
  if (f->tape) tape_fail(f->tape);
  close_tape(f);
}

enum err fill_set_validators(struct fill *f) {
  if (f->inherits_validators) {
    memcpy(f->etag, f->row.etag, sizeof(f->etag));
    f->modified_at = f->row.modified_at;
  } else {
    TRY(fill_make_validators(f));
  }
  f->has_validators = f->was_served = true;
  return OK;
}

/* ---- the previous part ---- */

void fill_open_previous_part(struct fill *f) {
  if (!f->row.etag[0]) return;
  struct part_owner owner;
  part_owner_of(&f->row, &owner);
  enum err e =
      blob_open_part_below(f->context->store, &owner.blob, f->row.lease_token, &f->previous_fd, &f->previous_bytes);
  f->inherits_validators =
      e == OK && f->previous_bytes >= AUDIO_LEAST_BYTES; /* else there is too little to compare with */
  if (!f->inherits_validators) fill_close_previous_part(f);
}

void fill_compare_announced(struct fill *f, int64_t announced_bytes) {
  bool is_known = f->row.announced_bytes >= 0;
  if (f->previous_fd >= 0 && is_known && announced_bytes != f->row.announced_bytes) fill_void_validators(f);
}

bool fill_comparison_is_over(const struct fill *f) {
  return f->previous_fd < 0;
}

void fill_end_comparison(struct fill *f) {
  if (f->previous_fd >= 0) fill_void_validators(f); /* shorter than what listeners may have had */
}
