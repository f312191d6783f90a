/* api_playback_read.c - what a reader finds out for a play: only SQL, and what this process has in memory. Files are opened elsewhere. */
#include <string.h>

#include "api/auth/api_session_lookup.h"
#include "api/media/api_download.h"
#include "api/media/api_media_response.h"
#include "api/media/api_playback_internal.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "ledger/calls.h"

static enum err find_via(struct db *db, struct play *p) {
  struct call call;
  p->via = VIA_OWN;
  if (!is_by_call(p) || strcmp(p->id, p->row.call_sid) == 0) return OK;
  enum err e = calls_get(db, p->row.business_id, str_from(p->id), &call);
  bool by_parent = e == OK && strcmp(call.parent_call_sid, p->row.call_sid) == 0;
  p->via = by_parent ? VIA_PARENT : VIA_CHILD;
  return e == ERR_NOT_FOUND ? OK : e; /* of a parent that only its children told of */
}

static enum err name_download(struct db *db, struct play *p, const char *content_type) {
  const struct access_business *b = access_find_business(p->access, p->row.business_id);
  struct str type = str_from(content_type);
  if (p->db_call.subject.kind == SUBJECT_URL) return download_name_plain(db, &p->row, type, &p->disposition);
  return download_name(db, &p->row, type, b ? b->numbers : NULL, b ? b->number_count : 0, &p->disposition);
}

/* What arrives already, here or in another process. What can't be heard now is waited for. */
static enum err find_tape(struct db *db, struct play *p) {
  if (!p->is_media) return OK;
  enum err e = tape_follow_find(p->db_call.api->parts.follows, &p->row, &p->tape);
  p->must_open = e == ERR_NOT_YET;
  if ((e != OK && e != ERR_NOT_YET) || p->kind != PLAY_DOWNLOAD) return OK;
  return name_download(db, p, p->tape ? tape_head(p->tape)->content_type : p->row.content_type);
}

static enum err look_up(struct db *db, struct db_call *e) {
  struct play *p = play_of(e);
  struct str id = str_from(p->found[0] ? p->found : p->id);
  TRY(session_still_there(db, e)); /* (5) */
  TRY(recordings_resolve(db, e->subject.business_id, id, &p->call_known, &p->row));
  memcpy(p->found, p->row.recording_sid, sizeof(p->found));
  TRY(find_via(db, p));
  p->must_open = p->row.status == RECORDING_READY;
  if (!p->must_open) return find_tape(db, p);
  return p->kind == PLAY_DOWNLOAD ? name_download(db, p, p->row.content_type) : OK;
}

enum err play_run_look(struct db *db, struct db_call *e) {
  struct tape *seen_before = TAKE(play_of(e)->tape); /* it lives until it is found again */
  enum err failed = look_up(db, e);
  tape_unref(seen_before);
  return failed;
}
