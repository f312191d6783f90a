/* api_playback_request.c - a request for a recording that this loop has no open file of.
 *
 * Who decides between file, live, 202 and 503. Each question has one place, each place its own enum:
 *
 *   question                              decided by                              enum           outcomes
 *   is its file open on this loop?        api_stream.c                            -              file; else this file
 *   is its row READY?                     api_playback_read.c sets must_open      -              open its file; else below
 *   READY: does the volume have the file? playback_request_on_opened              -              file; queue again; 503 if
 *                                                                                                the volume can't be read
 *   no attempt is due now: has the        playback_request_on_opened              -              queue, so that a fill
 *     volume a file of its name?                                                                   checks it; else below
 *   no file: what does its row allow?     playback_decide (domain/playback.h)     playback_kind  WAIT, a refusal; FILE: it
 *                                                                                                became ready meanwhile
 *   FILE: read again, how often?          playback_request_read_again             -              READS_AGAIN_MAX, then 503
 *   WAIT: live, later, or 202?            choose_step                             playback_step  live, wait, 202
 *   TRIAL: later, or 503?                 choose_step                             playback_step  wait, 503
 *   202, but it is a download?            playback_request_answer_not_ready       -              503
 *   a refusal: which status?              problem_answer_playback (problem.c)     playback_kind  404, 410, 502, 503
 *   live: is there more to send?          api_live_body.c, for each piece         tape_state     more, end, cut
 *   what does Cache-Status say?           cache_status_of, after all the others   cache_status   hit, miss, collapsed
 *
 * States
 *   READING   a reader reads the row and finds the tape of this process         [playback_request_read, …_on_row]
 *   OPENING   a thread of the volume opens the file, or another process's part  [playback_request_open, …_on_opened]
 *   WRITING   the writer queues the recording                                   [playback_request_write, …_on_written]
 *   WAITING   nothing is under way; a change of the row or the timer wakes it   [playback_request_wait]
 *   ANSWERED  the exchange has its answer, or its peer has gone                 [playback_request_detach]
 *
 *   playback_request_begin --> READING
 *   READING --there is something to open--> OPENING
 *   READING, OPENING --the recording must be queued--> WRITING
 *   READING, OPENING, WRITING --bytes may come soon--> WAITING
 *   READING, OPENING, WRITING --the row changed, or the session must be looked up--> READING
 *   WAITING --a change--> READING                                       [playback_request_on_posted_change]
 *   WAITING --the time is up, or a drain--> ANSWERED; READING, if the session must be looked up first
 *                                                                       [playback_request_on_timeout]
 *   READING, OPENING, WRITING --answered, or the peer has gone--> ANSWERED
 *
 * Invariants
 *  (1) Only playback_request_enter changes the state, and only along these lines. It alone joins and leaves the loop's
 *      list of waiting requests, and starts and stops the timer.
 *  (2) READING, OPENING, WRITING: db_call is busy (a read, the opening of a file, a write) whenever the loop runs anything
 *      else. WAITING: it is not.
 *  (3) It waits only with a watch that was begun before the row in hand was read.
 *  (4) Once a recording was found, the request stays with it, even if the call comes to mean another recording.
 *  (5) The subject must still be admitted when bytes are sent: a session that may have ended meanwhile is looked up
 *      again.
 *  (6) ANSWERED: it is freed at once, or by its posted change when that arrives (post_pending). */
#include "api/media/api_playback_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_session_lookup.h"
#include "api/media/api_download.h"
#include "api/media/api_live_body.h"
#include "api/media/api_media_response.h"
#include "api/media/api_playback_internal.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_prefer.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/closer.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/enqueue.h"
#include "domain/recording_log.h"

enum { READS_AGAIN_MAX = 8, UTC_OFFSET_TEXT_SIZE = 8 };

static void playback_request_read(struct playback_request *p);
static void playback_request_decide(struct playback_request *p);
static void playback_request_on_timeout(struct http_exchange *x, void *arg);

/* ---- the state ---- */

static void leave_waiting_list(struct playback_request *p) {
  *p->link = p->next;
  if (p->next) p->next->link = p->link;
  http_timer(p->db_call.x, -1, NULL, NULL);
  metric_add(METRIC_PLAYS_WAITING, 0, -1);
}

static void join_waiting_list(struct playback_request *p) {
  struct api_loop *l = p->db_call.loop;
  int64_t left_ms = p->wait_until_ms - clock_mono_ms();
  p->link = &l->waiting;
  p->next = l->waiting;
  if (p->next) p->next->link = &p->next;
  l->waiting = p;
  http_timer(p->db_call.x, left_ms > 0 ? left_ms : 0, playback_request_on_timeout,
             p); /* a negative time would stop it */
  metric_add(METRIC_PLAYS_WAITING, 0, 1);
}

/* (1): the states that may follow each state, as bits. */
static const unsigned next_states[] = {
    [REQUEST_READING] = 1 << REQUEST_READING | 1 << REQUEST_OPENING | 1 << REQUEST_WRITING | 1 << REQUEST_WAITING |
                        1 << REQUEST_ANSWERED,
    [REQUEST_OPENING] = 1 << REQUEST_READING | 1 << REQUEST_WRITING | 1 << REQUEST_WAITING | 1 << REQUEST_ANSWERED,
    [REQUEST_WRITING] = 1 << REQUEST_READING | 1 << REQUEST_WAITING | 1 << REQUEST_ANSWERED,
    [REQUEST_WAITING] = 1 << REQUEST_READING | 1 << REQUEST_ANSWERED,
    [REQUEST_ANSWERED] = 0,
};

static void playback_request_enter(struct playback_request *p, enum playback_request_state next) {
  assert((next_states[p->state] & 1U << next) && !p->db_call.busy); /* (1), (2) */
  if (p->state == REQUEST_WAITING) leave_waiting_list(p);
  p->state = next;
  if (next == REQUEST_WAITING) join_waiting_list(p);
}

/* ---- the end ---- */

/* p->tape stays until the next read has found it again (playback_request_read_rows). */
static void discard_read_results(struct playback_request *p) {
  closer_close(p->fd);
  p->fd = -1;
  p->file_is_seen = false;
  buf_clear(&p->disposition);
}

static void playback_request_free(struct playback_request *p) {
  discard_read_results(p);
  tape_unref(p->tape);
  access_unref(p->access);
  buf_done(&p->disposition);
  db_call_end(&p->db_call);
  free(p);
}

void playback_request_detach(struct playback_request *p) {
  playback_request_enter(p, REQUEST_ANSWERED);
  events_unwatch(TAKE(p->watch));
  http_set_data(p->db_call.x, NULL);
}

void playback_request_free_if_idle(struct playback_request *p) {
  assert(p->state == REQUEST_ANSWERED && !p->watch);
  if (!atomic_load(&p->post_pending)) playback_request_free(p); /* (6) */
}

/* The peer has gone: no answer is sent. */
static void playback_request_abandon(struct playback_request *p) {
  playback_request_detach(p);
  playback_request_free_if_idle(p);
}

void playback_request_peer_gone(struct playback_request *p) {
  /* In the other states the database call under way abandons it when it returns (2). */
  if (p->state == REQUEST_WAITING) playback_request_abandon(p);
}

/* ---- queueing, on the writer ---- */

static enum err playback_request_run_enqueue(struct db *db, struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  return enqueue_run(db, c->subject.business_id, str_from(p->found_sid), enqueue_kind_of(p), c->now, &p->row,
                     &p->outcome);
}

static enum err playback_request_run_file_seen(struct db *db, struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  return enqueue_file_seen(db, c->subject.business_id, str_from(p->found_sid), enqueue_kind_of(p), c->now, &p->row,
                           &p->outcome);
}

/* The file is gone only if the volume is the store that the database knows; another volume, or an empty mount point,
 * proves nothing. */
static enum err playback_request_run_file_gone(struct db *db, struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  char known[STORE_ID_SIZE];
  TRY(store_known_id(db, known));
  if (strcmp(known, p->store_id) != 0) return ERR_UNSUPPORTED;
  return enqueue_file_gone(db, c->subject.business_id, str_from(p->found_sid), enqueue_kind_of(p), c->now, &p->row,
                           &p->outcome);
}

static void note_way(struct playback_request *p) {
  if (p->row.status == RECORDING_QUEUED || p->row.status == RECORDING_DOWNLOADING) p->was_on_its_way = true;
}

static void playback_request_on_written(struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  if (c->result == OK && p->outcome.enqueued) p->began_fill = true;
  if (c->result == OK) {
    note_way(p);
    enqueue_log(&p->row, enqueue_kind_of(p), &p->outcome);
  }
  if (http_gone(c->x))
    playback_request_abandon(p);
  else if (c->result != OK)
    playback_request_answer_err(p, c->result);
  else
    playback_request_decide(p);
}

static void playback_request_write(struct playback_request *p, enum err (*run)(struct db *db, struct db_call *c)) {
  playback_request_enter(p, REQUEST_WRITING);
  p->db_call.changed_recording_sid = p->found_sid;
  enum err e = db_call_write(&p->db_call, METRIC_JOB_ENQUEUE, run, playback_request_on_written);
  if (e != OK) playback_request_answer_err(p, e);
}

/* ---- waiting ---- */

static bool may_wait(const struct playback_request *p) {
  return p->wait_until_ms > clock_mono_ms() && !atomic_load(&p->db_call.api->draining);
}

/* Answers by the row as it stands, at once or after the session was looked up again. */
static void playback_request_on_timeout(struct http_exchange *x, void *arg) {
  struct playback_request *p = arg;
  (void)x;
  assert(p->state == REQUEST_WAITING);
  p->wait_until_ms = 0;
  playback_request_decide(p);
}

static void playback_request_on_posted_change(struct http_exchange *x, void *arg) {
  struct playback_request *p = arg;
  (void)x;
  atomic_store(&p->post_pending, false);
  switch (p->state) {
    case REQUEST_READING:
    case REQUEST_OPENING:
    case REQUEST_WRITING:
      p->changed_since_read = true; /* it reads again before it waits */
      return;
    case REQUEST_WAITING:
      playback_request_read(p);
      return;
    case REQUEST_ANSWERED:
      playback_request_free(p); /* (6) */
      return;
  }
}

/* On the changes thread. */
static void playback_request_on_change(void *arg) {
  struct playback_request *p = arg;
  if (!atomic_exchange(&p->post_pending, true)) http_post(p->db_call.x, playback_request_on_posted_change, p);
}

static void playback_request_wait(struct playback_request *p) {
  assert(p->watch); /* (3) */
  if (p->changed_since_read)
    playback_request_read(p);
  else
    playback_request_enter(p, REQUEST_WAITING);
}

/* Each request leaves the list and can't join it again: its time is up (may_wait). */
void playback_request_answer_waiting(struct api_loop *l) {
  while (l->waiting) playback_request_on_timeout(NULL, l->waiting);
}

/* ---- deciding ---- */

enum playback_step {
  STEP_READ_AGAIN,    /* the recording became ready since it was read: a new read opens its file */
  STEP_ANSWER_LIVE,   /* send what arrives */
  STEP_WAIT,          /* until the row changes or the time is up */
  STEP_ANSWER_STATUS, /* 202 with the status object (a download: 503), or a problem */
};

/* The recording is missing and this request may not queue it now: the provider was asked moments ago and does not have
 * it yet (its webhook will queue it), or its file was lost moments after it was last queued (a later request will).
 * Nothing comes soon, so the request does not wait. */
static bool is_not_at_provider_yet(const struct playback_request *p) {
  return p->row.status == RECORDING_MISSING && !p->outcome.moved;
}

static enum playback_step choose_step(const struct playback_request *p, const struct playback *playback) {
  const struct http_request *request = http_request(p->db_call.x);
  if (playback->kind == PLAYBACK_FILE) return STEP_READ_AGAIN;
  if (playback->kind == PLAYBACK_TRIAL) return p->watch && may_wait(p) ? STEP_WAIT : STEP_ANSWER_STATUS;
  if (playback->kind != PLAYBACK_WAIT || is_not_at_provider_yet(p)) return STEP_ANSWER_STATUS;
  if (p->tape && live_body_can_answer(request, p->tape)) return STEP_ANSWER_LIVE;
  if (p->watch && may_wait(p)) return STEP_WAIT;
  return p->tape && live_body_may_lack_length(request) ? STEP_ANSWER_LIVE : STEP_ANSWER_STATUS;
}

/* Its time is up (playback_request_on_timeout), and a worker holds the recording's lease. */
static bool has_waited_in_vain(const struct playback_request *p) {
  return p->waits_for_media && p->watch && p->wait_until_ms == 0 && p->row.lease_until > p->db_call.now &&
         !atomic_load(&p->db_call.api->draining);
}

static void playback_request_decide(struct playback_request *p) {
  const struct api_parts *parts = &p->db_call.api->parts;
  struct playback playback = playback_decide(&p->row, parts->worker_alive(parts->arg),
                                             parts->account_stopped(parts->arg, p->row.business_id), p->db_call.now);
  switch (choose_step(p, &playback)) {
    case STEP_READ_AGAIN:
      playback_request_read_again(p);
      return;
    case STEP_ANSWER_LIVE:
      playback_request_answer_live(p);
      return;
    case STEP_WAIT:
      playback_request_wait(p);
      return;
    case STEP_ANSWER_STATUS:
      if (has_waited_in_vain(p)) media_response_note_lock(p->db_call.loop, &p->row);
      if (playback.kind == PLAYBACK_WAIT)
        playback_request_answer_not_ready(p, &playback);
      else
        playback_request_answer_problem(p, &playback);
      return;
  }
}

/* True: a watch was begun now, so the row must be read again before the request may wait (3). */
static bool playback_request_watch(struct playback_request *p) {
  if (p->watch || !may_wait(p)) return false;
  return events_watch(p->db_call.api->parts.events, p->row.business_id, str_from(p->found_sid),
                      playback_request_on_change, p, &p->watch) == OK;
}

void playback_request_log_skip(const struct recording *row, enum recording_skip skip) {
  log_debug("Deduplication skip", LOG_RECORDING(row), LOG_TEXT("reason", recording_skip_name(skip)));
}

static void playback_request_log_skip_once(struct playback_request *p) {
  if (p->skip_logged) return;
  p->skip_logged = true;
  metric_add(METRIC_DEDUPLICATED, p->outcome.skip, 1);
  playback_request_log_skip(&p->row, p->outcome.skip);
}

/* Counts a request without a file: collapsed if it joins a fill that is queued or running, else a miss. A miss begins a
 * fill, or can't: back-off, the account's pause or a permanent failure. */
static void playback_request_count_miss(const struct playback_request *p) {
  struct recording_outcome outcome = enqueue_check(&p->row, enqueue_kind_of(p), p->db_call.now);
  bool on_its_way = p->row.status == RECORDING_QUEUED || p->row.status == RECORDING_DOWNLOADING;
  metric_add(METRIC_CACHE_REQUESTS, on_its_way && !outcome.enqueued ? METRIC_CACHE_COLLAPSED : METRIC_CACHE_MISS, 1);
}

/* The fill that this request waited for has failed: that is its answer. It does not queue the recording again. */
static bool has_failed_meanwhile(const struct playback_request *p) {
  return p->was_on_its_way && p->row.status == RECORDING_FAILED;
}

/* The row was read, and its file can't be sent now. */
static void playback_request_enqueue_or_wait(struct playback_request *p) {
  if (!p->missed && p->kind != PLAYBACK_REQUEST_PREPARE) {
    media_response_note_miss(p->db_call.loop, &p->db_call.subject, &p->row);
    playback_request_count_miss(p);
  }
  p->missed = true;
  bool watches_now = playback_request_watch(p);
  if (p->row.status == RECORDING_READY) { /* but the volume does not have its file */
    playback_request_write(p, playback_request_run_file_gone);
    return;
  }
  if (p->file_is_seen) {
    playback_request_write(p, playback_request_run_file_seen);
    return;
  }
  note_way(p);
  p->outcome = enqueue_check(&p->row, enqueue_kind_of(p), p->db_call.now);
  if (p->outcome.moved && !has_failed_meanwhile(p)) {
    playback_request_write(p, playback_request_run_enqueue);
    return;
  }
  playback_request_log_skip_once(p);
  bool is_live = p->tape && live_body_can_answer(http_request(p->db_call.x), p->tape);
  if (watches_now && !is_live)
    playback_request_read(p); /* (3) */
  else
    playback_request_decide(p);
}

static void playback_request_take_opened(struct playback_request *p) {
  struct file_opening_result opened = file_opening_take_result(p->file_opening);
  tape_unref(p->tape);
  p->tape = opened.tape;
  p->fd = opened.fd;
  p->file_is_seen = opened.is_seen;
  memcpy(p->store_id, opened.store_id, sizeof(p->store_id));
}

static void playback_request_on_opened(struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  if (c->result == OK) playback_request_take_opened(p);
  p->file_opening = file_opening_release(p->file_opening);
  if (http_gone(c->x))
    playback_request_abandon(p);
  else if (c->result == ERR_CLOSED)
    playback_request_answer_err(p, c->result);
  else if (c->result != OK && !file_opening_looks(&p->row))
    playback_request_answer_no_volume(p);
  else if (p->fd >= 0)
    playback_request_answer_file(p);
  else
    playback_request_enqueue_or_wait(p);
}

static void playback_request_open(struct playback_request *p) {
  playback_request_enter(p, REQUEST_OPENING);
  enum err e = file_opening_begin(&p->db_call, &p->row, playback_request_on_opened, &p->file_opening);
  if (e == ERR_BUSY && file_opening_looks(&p->row))
    playback_request_enqueue_or_wait(p);
  else if (e != OK)
    playback_request_answer_err(p, e);
}

static void playback_request_on_row(struct db_call *c) {
  struct playback_request *p = playback_request_of(c);
  if (http_gone(c->x))
    playback_request_abandon(p);
  else if (c->result == ERR_DENIED)
    playback_request_answer_denied(p);
  else if (c->result != OK)
    playback_request_answer_err(p, c->result);
  else if (p->must_open)
    playback_request_open(p);
  else
    playback_request_enqueue_or_wait(p);
}

static void playback_request_read(struct playback_request *p) {
  playback_request_enter(p, REQUEST_READING);
  discard_read_results(p);
  p->changed_since_read = false;
  /* A call's recording was chosen by an earlier read. The mark from before that read says whether the choice still
   * holds. */
  bool is_chosen = p->found_sid[0] && is_by_call(p);
  if (!is_chosen) p->mark = rows_mark(p->db_call.api, p->db_call.subject.business_id, str_from(p->id));
  session_renew_version(&p->db_call);
  enum err e = db_call_read(&p->db_call, playback_request_read_rows, playback_request_on_row);
  if (e != OK) playback_request_answer_err(p, e);
}

void playback_request_read_again(struct playback_request *p) {
  if (p->reads_again++ < READS_AGAIN_MAX)
    playback_request_read(p);
  else
    playback_request_answer_err(p, ERR_BUSY);
}

/* ---- the beginning ---- */

static int64_t wait_ms(const struct api_request *req) {
  struct prefer prefer = prefer_read(req->request);
  return prefer.wait_s >= 0 ? prefer.wait_s * 1000 : req->api->parts.conf->play_wait_s * 1000;
}

/* False: the request was answered. */
static bool read_utc_offset(struct api_request *req, enum playback_request_kind kind, int64_t *ret_minutes) {
  char text[UTC_OFFSET_TEXT_SIZE];
  *ret_minutes = 0;
  if (kind != PLAYBACK_REQUEST_DOWNLOAD) return true;
  if (!request_query_value(req, "utc_offset", text, sizeof(text))) return false;
  if (!text[0] || str_to_i64(str_from(text), -UTC_OFFSET_MIN_MAX, UTC_OFFSET_MIN_MAX, ret_minutes) == OK) return true;
  problem_answer_field(req->x, STR("utc_offset"));
  return false;
}

void playback_request_begin(struct api_request *req, enum playback_request_kind kind) {
  int64_t utc_offset_min;
  if (!read_utc_offset(req, kind, &utc_offset_min)) return;
  struct playback_request *p = calloc(1, sizeof(*p));
  if (!p) {
    problem_answer_err(req->x, ERR_NOMEM);
    return;
  }
  db_call_begin(&p->db_call, req);
  p->began_us = clock_mono_us();
  p->kind = kind;
  p->utc_offset_min = utc_offset_min;
  p->state = REQUEST_READING;
  p->fd = -1;
  buf_init(&p->disposition, DISPOSITION_MAX);
  memcpy(p->id, req->id, sizeof(p->id));
  if (kind == PLAYBACK_REQUEST_DOWNLOAD) p->access = access_ref(req->loop->access);
  p->waits_for_media =
      kind == PLAYBACK_REQUEST_DOWNLOAD || (kind == PLAYBACK_REQUEST_STREAM && prefer_media(req->request));
  if (p->waits_for_media) p->wait_until_ms = clock_mono_ms() + wait_ms(req);
  if (kind != PLAYBACK_REQUEST_PREPARE) http_set_data(req->x, p);
  playback_request_read(p);
}
