/* api_waveform.c - GET /api/recordings/{id}/waveform: the peaks of a ready recording. It only reads. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "audio/audio_peaks.h"
#include "domain/recording.h"
#include "http/accept.h"
#include "ledger/waveforms.h"

enum { JSON_MAX = 16 * WAVEFORM_MAX };

struct waveform_request {
  struct db_call db_call; /* the first member */
  char id[SID_SIZE];
  bool wants_binary;
  bool known; /* row was found */
  struct recording row;
  struct buf bytes;
};

static void waveform_end(struct waveform_request *l) {
  db_call_end(&l->db_call);
  buf_done(&l->bytes);
  free(l);
}

static enum err waveform_read_peaks(struct db *db, struct db_call *c) {
  struct waveform_request *l = (struct waveform_request *)(void *)c;
  struct buf binary CLEANUP(buf_done) = BUF_INIT(WAVEFORM_MAX);
  bool call_known;
  TRY(recordings_resolve(db, c->subject.business_id, str_from(l->id), &call_known, &l->row));
  l->known = true;
  if (l->row.status != RECORDING_READY) return ERR_NOT_FOUND;
  TRY(waveforms_get(db, c->subject.business_id, str_from(l->row.recording_sid), &binary));
  return l->wants_binary ? buf_add(&l->bytes, buf_str(&binary)) : peaks_to_json(buf_str(&binary), &l->bytes);
}

static void waveform_add_location(const struct waveform_request *l, struct http_fields *f) {
  if (!str_eq(str_from(l->id), str_from(l->row.recording_sid)))
    field_recording_path(l->db_call.api, f, STR("Content-Location"), l->row.recording_sid, "waveform");
}

static void waveform_answer_peaks(struct waveform_request *l) {
  struct http_fields f;
  answer_fields(&f);
  answer_lines(&f, STR("Vary: Accept\r\n"));
  waveform_add_location(l, &f);
  struct str type = l->wants_binary ? STR("application/octet-stream") : STR("application/json");
  db_call_answer_large(&l->db_call, &f, type, buf_str(&l->bytes));
}

/* The recording has no peaks. Retry-After is sent while it is queued or downloading. */
static void waveform_answer_none(struct waveform_request *l) {
  struct http_fields f;
  struct problem_words words = {.retry_after_s = recording_retry_after_s(&l->row, l->db_call.now)};
  answer_fields(&f);
  waveform_add_location(l, &f);
  words.detail = words.retry_after_s ? STR("The recording is not ready yet, so it has no waveform. Try again later.")
                                     : STR("This recording has no waveform.");
  problem_answer_with(l->db_call.x, &f, PROBLEM_NOT_FOUND, &words);
}

static void waveform_on_peaks(struct db_call *c) {
  struct waveform_request *l = (struct waveform_request *)(void *)c;
  if (c->result == OK)
    waveform_answer_peaks(l);
  else if (c->result == ERR_NOT_FOUND && l->known)
    waveform_answer_none(l);
  else
    problem_answer_err(c->x, c->result);
  waveform_end(l);
}

void api_waveform(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  if (!request_id(req, ID_RECORDING_OR_CALL)) return;
  struct waveform_request *l = calloc(1, sizeof(*l));
  if (!l) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&l->db_call, req);
  buf_init(&l->bytes, JSON_MAX);
  memcpy(l->id, req->id, sizeof(l->id));
  l->wants_binary = http_accepts(req->request, STR("Accept"), STR("application/octet-stream"));
  enum err e = db_call_read(&l->db_call, waveform_read_peaks, waveform_on_peaks);
  if (e == OK) return;
  problem_answer_err(x, e);
  waveform_end(l);
}
