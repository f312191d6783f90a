/* api_playback_answer.c - the answers of a playback request. What is answered was decided in api_playback_request.c;
 * each answer detaches the request from its exchange first and frees it last. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/media/api_live_body.h"
#include "api/media/api_media_response.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playback_internal.h"
#include "api/request/api_answer.h"
#include "api/request/api_loop.h"
#include "api/request/api_status_answer.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/metric.h"

void playback_request_answer_err(struct playback_request *p, enum err e) {
  playback_request_detach(p);
  if (e == ERR_NOT_FOUND && p->call_known)
    problem_answer_detail(p->db_call.x, PROBLEM_NOT_FOUND, "This call has no recording.");
  else if (e == ERR_UNSUPPORTED)
    problem_answer_detail(p->db_call.x, PROBLEM_UNAVAILABLE,
                          "The recordings volume is not available. Try again later.");
  else
    problem_answer_err(p->db_call.x, e);
  playback_request_free_if_idle(p);
}

void playback_request_answer_denied(struct playback_request *p) {
  playback_request_detach(p);
  problem_answer(p->db_call.x, PROBLEM_UNAUTHORIZED, NULL);
  playback_request_free_if_idle(p);
}

static void playback_request_count_answer(struct playback_request *p, enum metric_label_PLAY result) {
  if (p->kind == PLAYBACK_REQUEST_PREPARE) return; /* it plays nothing */
  media_response_count(p->db_call.loop, &p->db_call.subject, p->row.recording_sid, result);
  if (p->missed) metric_observe(METRIC_PLAY_WAIT_SECONDS, clock_mono_us() - p->began_us);
}

void playback_request_answer_problem(struct playback_request *p, const struct playback *playback) {
  struct http_fields f;
  enum playback_kind kind = playback->kind;
  bool may_come = kind != PLAYBACK_GONE && kind != PLAYBACK_NOT_FOUND && kind != PLAYBACK_BROKEN;
  playback_request_detach(p);
  playback_request_count_answer(p, may_come ? METRIC_PLAY_WAIT : METRIC_PLAY_GONE);
  answer_fields(&f);
  if (is_by_call(p)) field_recording_path(p->db_call.api, &f, STR("Content-Location"), p->row.recording_sid, "status");
  problem_answer_playback(p->db_call.x, &f, playback);
  playback_request_free_if_idle(p);
}

void playback_request_answer_not_ready(struct playback_request *p, const struct playback *playback) {
  if (p->kind == PLAYBACK_REQUEST_DOWNLOAD) {
    playback_request_answer_problem(p, playback);
    return;
  }
  struct status_view view = status_view_of(p->db_call.api, p->row.business_id, p->db_call.now);
  enum recording_error error = recording_reason(&p->row, view.waits_for, p->db_call.now);
  const char *message = p->row.status == RECORDING_MISSING ? "The recording is not available yet; ask again soon."
                                                           : "The recording is being downloaded; ask again soon.";
  if (error != RECORDING_NONE) message = recording_error_message(error);
  playback_request_detach(p);
  playback_request_count_answer(p, METRIC_PLAY_WAIT);
  status_answer(p->db_call.api, p->db_call.x, 202, &p->row, message, playback->retry_after_s, p->db_call.now,
                is_by_call(p));
  playback_request_free_if_idle(p);
}

void playback_request_answer_no_volume(struct playback_request *p) {
  const struct problem_words words = {.code = recording_error_code(RECORDING_STORAGE_ERROR),
                                      .detail = str_from(recording_error_message(RECORDING_STORAGE_ERROR))};
  playback_request_detach(p);
  playback_request_count_answer(p, METRIC_PLAY_WAIT);
  problem_answer(p->db_call.x, PROBLEM_UNAVAILABLE, &words);
  playback_request_free_if_idle(p);
}

/* ---- bytes ---- */

/* True: bytes may be sent (5). False: it answered 401, or reads again because the session has to be looked up. */
static bool playback_request_check_access(struct playback_request *p) {
  enum err e = auth_still_admits(p->db_call.loop, p->db_call.x, &p->db_call.subject);
  if (e == OK) return true;
  if (e == ERR_DENIED)
    playback_request_answer_denied(p);
  else
    playback_request_read_again(p);
  return false;
}

static enum cache_status cache_status_of(const struct playback_request *p) {
  if (!p->missed) return CACHE_STATUS_HIT;
  return p->began_fill ? CACHE_STATUS_MISS : CACHE_STATUS_COLLAPSED;
}

/* Takes p->fd over. */
static enum err open_file_from_row(struct playback_request *p, struct open_file *ret_item) {
  struct open_file *item = ret_item;
  memset(item, 0, sizeof(*item));
  TRY(http_file_new(p->fd, &item->file));
  p->fd = -1;
  open_file_describe(item, &p->row, str_from(p->id));
  item->leg_relation = p->leg_relation;
  return OK;
}

/* Puts the file into the loop's cache, so that the next request finds it in memory. Without memory the next request
 * reads the row again. */
static void keep_open_file(struct playback_request *p, struct http_file *file) {
  struct api_loop *l = p->db_call.loop;
  int64_t business_id = p->db_call.subject.business_id;
  struct str id = str_from(p->id);
  if (!cache_mark_holds(&p->mark) || open_files_put(l->open_files, &p->row, id, p->mark, file) != OK) return;
  struct open_file *item = open_files_find(l->open_files, business_id, id);
  if (item) item->leg_relation = p->leg_relation;
}

void playback_request_answer_file(struct playback_request *p) {
  struct open_file item;
  if (!playback_request_check_access(p)) return;
  if (p->kind == PLAYBACK_REQUEST_PREPARE) {
    playback_request_detach(p);
    status_answer(p->db_call.api, p->db_call.x, 200, &p->row, NULL, 0, p->db_call.now, is_by_call(p));
    playback_request_free_if_idle(p);
    return;
  }
  enum err e = open_file_from_row(p, &item);
  if (e != OK) {
    playback_request_answer_err(p, ERR_BUSY);
    return;
  }
  playback_request_detach(p);
  keep_open_file(p, item.file);
  if (!p->missed) metric_add(METRIC_CACHE_REQUESTS, METRIC_CACHE_HIT, 1);
  playback_request_count_answer(p, p->missed ? METRIC_PLAY_LIVE : METRIC_PLAY_HIT);
  media_response_answer(p->db_call.loop, p->db_call.x, &p->db_call.subject, &item, cache_status_of(p),
                        buf_str(&p->disposition));
  http_file_unref(item.file);
  playback_request_free_if_idle(p);
}

void playback_request_answer_live(struct playback_request *p) {
  if (!playback_request_check_access(p)) return;
  const struct live_body_request request = {.loop = p->db_call.loop,
                                            .x = p->db_call.x,
                                            .subject = &p->db_call.subject,
                                            .tape = p->tape,
                                            .by_call = is_by_call(p),
                                            .cache_status = cache_status_of(p),
                                            .disposition = buf_str(&p->disposition)};
  playback_request_detach(p);
  playback_request_count_answer(p, METRIC_PLAY_LIVE);
  media_response_audit(p->db_call.loop, p->db_call.x, &p->db_call.subject, p->row.recording_sid,
                       p->kind == PLAYBACK_REQUEST_DOWNLOAD);
  live_body_answer(&request);
  playback_request_free_if_idle(p);
}
