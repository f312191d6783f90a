/* api_waveform.c - peaks of a recording that is ready. It looks and never acts. */
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

struct waveform_look {
  struct db_call db_call; /* first */
  char id[SID_SIZE];
  bool wants_binary;
  bool known; /* row is */
  struct recording row;
  struct buf bytes;
};

static void finish(struct waveform_look *l) {
  db_call_end(&l->db_call);
  buf_done(&l->bytes);
  free(l);
}

static enum err run_look(struct db *db, struct db_call *e) {
  struct waveform_look *l = (struct waveform_look *)(void *)e;
  struct buf binary CLEANUP(buf_done) = BUF_INIT(WAVEFORM_MAX);
  bool call_known;
  TRY(recordings_resolve(db, e->subject.business_id, str_from(l->id), &call_known, &l->row));
  l->known = true;
  if (l->row.status != RECORDING_READY) return ERR_NOT_FOUND;
  TRY(waveforms_get(db, e->subject.business_id, str_from(l->row.recording_sid), &binary));
  return l->wants_binary ? buf_add(&l->bytes, buf_str(&binary)) : peaks_to_json(buf_str(&binary), &l->bytes);
}

static void add_place(const struct waveform_look *l, struct http_fields *f) {
  if (!str_eq(str_from(l->id), str_from(l->row.recording_sid)))
    field_recording_path(l->db_call.api, f, STR("Content-Location"), l->row.recording_sid, "waveform");
}

static void answer_peaks(struct waveform_look *l) {
  struct http_fields f;
  answer_fields(&f);
  answer_lines(&f, STR("Vary: Accept\r\n"));
  add_place(l, &f);
  struct str type = l->wants_binary ? STR("application/octet-stream") : STR("application/json");
  db_call_answer_large(&l->db_call, &f, type, buf_str(&l->bytes));
}

/* There are none: perhaps not yet. */
static void answer_none(struct waveform_look *l) {
  struct http_fields f;
  struct problem_words words = {.retry_after_s = recording_retry_after_s(&l->row, l->db_call.now)};
  answer_fields(&f);
  add_place(l, &f);
  words.detail = words.retry_after_s ? STR("The recording is not here yet, and so no peaks of it.")
                                     : STR("No peaks of this recording are known.");
  problem_answer_with(l->db_call.x, &f, PROBLEM_NOT_FOUND, &words);
}

static void looked(struct db_call *e) {
  struct waveform_look *l = (struct waveform_look *)(void *)e;
  if (e->result == OK)
    answer_peaks(l);
  else if (e->result == ERR_NOT_FOUND && l->known)
    answer_none(l);
  else
    problem_answer_err(e->x, e->result);
  finish(l);
}

void api_waveform(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  if (!request_id(v, ID_RECORDING_OR_CALL)) return;
  struct waveform_look *l = calloc(1, sizeof(*l));
  if (!l) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&l->db_call, v);
  buf_init(&l->bytes, JSON_MAX);
  memcpy(l->id, v->id, sizeof(l->id));
  l->wants_binary = http_accepts(v->request, STR("Accept"), STR("application/octet-stream"));
  enum err e = db_call_read(&l->db_call, run_look, looked);
  if (e == OK) return;
  problem_answer_err(x, e);
  finish(l);
}
