/* api_playback_read.c - the reads of a playback request: by SQL, and from the tapes of this process.
 * Files are opened elsewhere (api_file_opening.c), because a reader must not wait for the volume. */
#include <string.h>

#include "api/auth/api_session_lookup.h"
#include "api/media/api_download.h"
#include "api/media/api_playback_internal.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "domain/queue.h"
#include "ledger/calls.h"

static enum err read_leg_relation(struct db *db, struct playback_request *p) {
  struct call call;
  p->leg_relation = LEG_OWN;
  if (!is_by_call(p) || strcmp(p->id, p->row.call_sid) == 0) return OK;
  enum err e = calls_get(db, p->row.business_id, str_from(p->id), &call);
  bool by_parent = e == OK && strcmp(call.parent_call_sid, p->row.call_sid) == 0;
  p->leg_relation = by_parent ? LEG_PARENT : LEG_CHILD;
  return e == ERR_NOT_FOUND ? OK : e; /* a parent has no row while only its children were reported */
}

static enum err read_download_name(struct db *db, struct playback_request *p, const char *content_type) {
  const struct access_business *b = access_find_business(p->access, p->row.business_id);
  struct str type = str_from(content_type);
  if (p->db_call.subject.kind == SUBJECT_URL)
    return download_name_without_call(db, &p->row, type, p->utc_offset_min, &p->disposition);
  return download_name(db, &p->row, type, p->utc_offset_min, b ? b->numbers : NULL, b ? b->number_count : 0,
                       &p->disposition);
}

/* Finds the tape of a recording that arrives, here or in another process. Without one the request waits. */
static enum err read_tape(struct db *db, struct playback_request *p) {
  if (!p->waits_for_media) return OK;
  enum err e = tape_follow_find(p->db_call.api->parts.follows, &p->row, &p->tape);
  p->must_open = e == ERR_NOT_YET;
  if ((e != OK && e != ERR_NOT_YET) || p->kind != PLAYBACK_REQUEST_DOWNLOAD) return OK;
  return read_download_name(db, p, p->tape ? tape_head(p->tape)->content_type : p->row.content_type);
}

/* A file that somebody put under a recording's name counts also while the recording is not asked for. */
static enum err prepare_to_look_for_file(struct db *db, struct playback_request *p) {
  int64_t now = p->db_call.now;
  bool stays_failed = p->row.status == RECORDING_FAILED && !enqueue_check(&p->row, enqueue_kind_of(p), now).moved;
  if (p->looked_for_file || (!stays_failed && !recording_may_be_checked(&p->row))) return OK;
  p->looked_for_file = p->must_open = true;
  return queue_stem(db, &p->row, p->row.stem);
}

static enum err playback_read_row(struct db *db, struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  struct str id = str_from(p->found_sid[0] ? p->found_sid : p->id);
  TRY(session_still_there(db, c)); /* (5) */
  TRY(recordings_resolve(db, c->subject.business_id, id, &p->call_known, &p->row));
  memcpy(p->found_sid, p->row.recording_sid, sizeof(p->found_sid));
  TRY(read_leg_relation(db, p));
  p->must_open = p->row.status == RECORDING_READY;
  if (!p->must_open) {
    TRY(read_tape(db, p));
    return p->must_open || p->tape ? OK : prepare_to_look_for_file(db, p);
  }
  return p->kind == PLAYBACK_REQUEST_DOWNLOAD ? read_download_name(db, p, p->row.content_type) : OK;
}

enum err playback_request_read_rows(struct db *db, struct db_call *c) {
  /* Held until the same tape was found again. Its last reference would end the tape, and opening it again would wake
   * this request to read again, without end. */
  struct tape *previous = TAKE(playback_request_of(c)->tape);
  enum err failed = playback_read_row(db, c);
  tape_unref(previous);
  return failed;
}
