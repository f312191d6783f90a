/* api_playback_request.c - a request for a recording that this loop has no open file of.
 *
 *   READING  a reader looks the row up, and finds what arrives in this process            [look, play_run_look, play_looked]
 *   OPENING  a thread of the volume opens the file, or what arrives in another process    [open_it, play_opened]
 *   WRITING  the writer queues the recording                                              [write_it, play_written]
 *   WAITING  nothing is under way: a change of the row or the time that is up goes on     [wait_for_change]
 *   ANSWERED the exchange has its answer, or its peer is gone                             [detach, finish]
 *
 *                    .---- it must be read again ----.
 *                    v                               |
 *   play_begin --> READING --must be queued--> WRITING
 *                  |  ^ |`--may come soon--.   ^ |   |
 *                  |  | |                  |   | |   |     OPENING has the ways on that READING has: READING goes over to it
 *                  |  | `--> OPENING ------+---' |   |     where the row says that there is something to open
 *                  |  |                    v     |   |
 *                  |  `---a change------ WAITING <---'   [play_changed]
 *                  |  `---time is up, but its session must be looked up again
 *                  |                       |
 *                  `----> ANSWERED <-------'  time is up, draining [play_time_is_up]
 *
 * Invariants
 *  (1) Only play_enter changes the state, and only along these lines. It alone joins and leaves the list of those
 *      that wait, and sets and stops the timer.
 *  (2) READING, OPENING, WRITING: an db_call is under way whenever the loop does something else. WAITING: none is.
 *  (3) It waits only with a watch that was begun before the row in hand was read.
 *  (4) Once a recording was found, it stays with that one, whatever the call comes to mean.
 *  (5) Who asked must still be let in when bytes are given: a session that may have ended meanwhile is looked up anew.
 *  (6) ANSWERED: it is freed at once, or by the post of a change that is still on its way (post_pending). */
#include "api/media/api_playback_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/auth/api_session_lookup.h"
#include "api/media/api_file_opening.h"
#include "api/media/api_live_body.h"
#include "api/media/api_media_response.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playback_internal.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_prefer.h"
#include "api/request/api_request.h"
#include "api/request/api_status_answer.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/closer.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/enqueue.h"

enum { AGAIN_MAX = 8 };

static void look(struct play *p);
static void look_again(struct play *p);
static void play_decide(struct play *p);
static void play_time_is_up(struct http_exchange *x, void *arg);

/* ---- the state ---- */

static void leave_list(struct play *p) {
  *p->link = p->next;
  if (p->next) p->next->link = p->link;
  http_timer(p->db_call.x, -1, NULL, NULL);
  metric_add(METRIC_PLAYS_WAITING, 0, -1);
}

static void join_list(struct play *p) {
  struct api_loop *l = p->db_call.loop;
  int64_t left_ms = p->until_ms - clock_mono_ms();
  p->link = &l->waiting;
  p->next = l->waiting;
  if (p->next) p->next->link = &p->next;
  l->waiting = p;
  http_timer(p->db_call.x, left_ms > 0 ? left_ms : 0, play_time_is_up, p); /* less than 0 would mean none */
  metric_add(METRIC_PLAYS_WAITING, 0, 1);
}

/* (1): the states that may follow each, as bits. */
static const unsigned following[] = {
    [PLAY_READING] = 1 << PLAY_READING | 1 << PLAY_OPENING | 1 << PLAY_WRITING | 1 << PLAY_WAITING | 1 << PLAY_ANSWERED,
    [PLAY_OPENING] = 1 << PLAY_READING | 1 << PLAY_WRITING | 1 << PLAY_WAITING | 1 << PLAY_ANSWERED,
    [PLAY_WRITING] = 1 << PLAY_READING | 1 << PLAY_WAITING | 1 << PLAY_ANSWERED,
    [PLAY_WAITING] = 1 << PLAY_READING | 1 << PLAY_ANSWERED,
    [PLAY_ANSWERED] = 0,
};

static void play_enter(struct play *p, enum play_state next) {
  assert((following[p->state] & 1U << next) && !p->db_call.busy); /* (1), (2) */
  if (p->state == PLAY_WAITING) leave_list(p);
  p->state = next;
  if (next == PLAY_WAITING) join_list(p);
}

/* ---- the end ---- */

/* What was seen last is void. The tape is kept until the next look has found it again: else it would end, and be opened
 * anew for who looks, whom that wakes to look again. */
static void forget_seen(struct play *p) {
  closer_close(p->fd);
  p->fd = -1;
  buf_clear(&p->disposition);
}

static void play_free(struct play *p) {
  forget_seen(p);
  tape_unref(p->tape);
  access_unref(p->access);
  buf_done(&p->disposition);
  db_call_end(&p->db_call);
  free(p);
}

/* Before the answer: from here on the exchange knows nothing of p. */
static void detach(struct play *p) {
  play_enter(p, PLAY_ANSWERED);
  events_unwatch(TAKE(p->watch));
  http_set_data(p->db_call.x, NULL);
}

/* After it. */
static void finish(struct play *p) {
  assert(p->state == PLAY_ANSWERED && !p->watch);
  if (!atomic_load(&p->post_pending)) play_free(p); /* (6) */
}

/* Nobody is there to be answered. */
static void give_up(struct play *p) {
  detach(p);
  finish(p);
}

void play_peer_gone(struct play *p) {
  if (p->state == PLAY_WAITING) give_up(p); /* else its db_call sees that when it comes back (2) */
}

/* ---- answers ---- */

static void answer_err(struct play *p, enum err e) {
  detach(p);
  if (e == ERR_NOT_FOUND && p->call_known)
    problem_answer_detail(p->db_call.x, PROBLEM_NOT_FOUND, "No recording of this call is known.");
  else if (e == ERR_UNSUPPORTED)
    problem_answer_detail(p->db_call.x, PROBLEM_UNAVAILABLE, "The recordings' volume is not there at the moment.");
  else
    problem_answer_err(p->db_call.x, e);
  finish(p);
}

static void answer_denied(struct play *p) {
  detach(p);
  problem_answer(p->db_call.x, PROBLEM_UNAUTHORIZED, NULL);
  finish(p);
}

/* The figures of an answer to somebody who plays. */
static void count_answer(struct play *p, enum metric_label_PLAY result) {
  if (p->kind == PLAY_PREPARE) return;
  media_count_play(p->db_call.loop, &p->db_call.subject, p->row.recording_sid, result);
  if (p->missed) metric_observe(METRIC_PLAY_WAIT_SECONDS, clock_mono_us() - p->began_us);
}

static void answer_problem(struct play *p, const struct playback *playback) {
  struct http_fields f;
  enum playback_kind kind = playback->kind;
  bool may_come = kind != PLAYBACK_GONE && kind != PLAYBACK_NOT_FOUND && kind != PLAYBACK_BROKEN;
  detach(p);
  count_answer(p, may_come ? METRIC_PLAY_WAIT : METRIC_PLAY_GONE);
  answer_fields(&f);
  if (is_by_call(p)) field_recording_path(p->db_call.api, &f, STR("Content-Location"), p->row.recording_sid, "status");
  problem_answer_playback(p->db_call.x, &f, playback);
  finish(p);
}

static void answer_accepted(struct play *p, const struct playback *playback) {
  if (p->kind == PLAY_DOWNLOAD) {
    answer_problem(p, playback);
    return;
  }
  const struct api_parts *parts = &p->db_call.api->parts;
  enum recording_error error = recording_reason(&p->row, parts->storage_full(parts->arg), p->db_call.now);
  const char *message = p->row.status == RECORDING_MISSING ? "The recording is not here yet: ask again soon."
                                                           : "The recording is being fetched: ask again soon.";
  if (error != RECORDING_NONE) message = recording_error_message(error);
  detach(p);
  count_answer(p, METRIC_PLAY_WAIT);
  status_answer(p->db_call.api, p->db_call.x, 202, &p->row, message, playback->retry_after_s, p->db_call.now,
                is_by_call(p));
  finish(p);
}

static enum err item_of(struct play *p, struct open_file *ret_item) {
  struct open_file *item = ret_item;
  memset(item, 0, sizeof(*item));
  TRY(http_file_new(p->fd, &item->file));
  p->fd = -1;
  item->bytes = p->row.bytes;
  item->modified_s = p->row.modified_at / 1000;
  item->by_call = is_by_call(p);
  item->via = (int)p->via;
  memcpy(item->recording_sid, p->row.recording_sid, sizeof(item->recording_sid));
  memcpy(item->etag, p->row.etag, sizeof(item->etag));
  memcpy(item->content_type, p->row.content_type, sizeof(item->content_type));
  return OK;
}

/* So that the next request finds it in memory. */
static void put_up(struct play *p, struct http_file *file) {
  struct api_loop *l = p->db_call.loop;
  int64_t business_id = p->db_call.subject.business_id;
  struct str id = str_from(p->id);
  if (!cache_mark_holds(&p->mark) || open_files_put(l->open_files, &p->row, id, p->mark, file) != OK)
    return; /* then it is looked up again */
  struct open_file *item = open_files_find(l->open_files, business_id, id);
  if (item) item->via = (int)p->via;
}

/* True if bytes may be given (5); else it was answered, or looks again. */
static bool is_still_admitted(struct play *p) {
  enum err e = auth_still_admits(p->db_call.loop, p->db_call.x, &p->db_call.subject); /* it may have waited for long */
  if (e == OK) return true;
  if (e == ERR_DENIED)
    answer_denied(p);
  else
    look_again(p);
  return false;
}

static enum media_source source_of(const struct play *p) {
  if (!p->missed) return MEDIA_HIT;
  return p->began_it ? MEDIA_BEGAN : MEDIA_JOINED;
}

static void answer_file(struct play *p) {
  struct open_file item;
  if (!is_still_admitted(p)) return;
  if (p->kind == PLAY_PREPARE) {
    detach(p);
    status_answer(p->db_call.api, p->db_call.x, 200, &p->row, NULL, 0, p->db_call.now, is_by_call(p));
    finish(p);
    return;
  }
  enum err e = item_of(p, &item);
  if (e != OK) {
    answer_err(p, ERR_BUSY);
    return;
  }
  detach(p);
  put_up(p, item.file);
  if (!p->missed) metric_add(METRIC_CACHE_REQUESTS, METRIC_CACHE_HIT, 1);
  count_answer(p, p->missed ? METRIC_PLAY_LIVE : METRIC_PLAY_HIT);
  media_answer(p->db_call.loop, p->db_call.x, &p->db_call.subject, &item, source_of(p), buf_str(&p->disposition));
  http_file_unref(item.file);
  finish(p);
}

static void answer_live(struct play *p) {
  if (!is_still_admitted(p)) return;
  const struct live_ask ask = {.loop = p->db_call.loop,
                               .x = p->db_call.x,
                               .subject = &p->db_call.subject,
                               .tape = p->tape,
                               .by_call = is_by_call(p),
                               .source = source_of(p),
                               .disposition = buf_str(&p->disposition)};
  detach(p);
  count_answer(p, METRIC_PLAY_LIVE);
  live_answer(&ask);
  finish(p);
}

/* ---- wanting, on the writer ---- */

static enum enqueue_kind want_of(const struct play *p) {
  return p->kind == PLAY_PREPARE ? ENQUEUE_PREPARE : ENQUEUE_PLAY;
}

static enum err run_want(struct db *db, struct db_call *e) {
  struct play *p = play_of(e);
  return enqueue_run(db, e->subject.business_id, str_from(p->found), want_of(p), e->now, &p->row, &p->outcome);
}

/* A file that is not there is gone only on the store that the database knows. */
static enum err run_file_gone(struct db *db, struct db_call *e) {
  struct play *p = play_of(e);
  char known[STORE_ID_SIZE];
  TRY(store_known_id(db, known));
  if (strcmp(known, p->store_id) != 0) return ERR_UNSUPPORTED;
  return enqueue_file_gone(db, e->subject.business_id, str_from(p->found), want_of(p), e->now, &p->row, &p->outcome);
}

static void play_written(struct db_call *e) {
  struct play *p = play_of(e);
  if (e->result == OK && p->outcome.enqueued) p->began_it = true;
  if (http_gone(e->x))
    give_up(p);
  else if (e->result != OK)
    answer_err(p, e->result);
  else
    play_decide(p);
}

static void write_it(struct play *p, enum err (*run)(struct db *db, struct db_call *e)) {
  play_enter(p, PLAY_WRITING);
  p->db_call.changed = p->found;
  enum err e = db_call_write(&p->db_call, METRIC_JOB_WANT, run, play_written);
  if (e != OK) answer_err(p, e);
}

/* ---- waiting ---- */

static bool may_wait(const struct play *p) {
  return p->until_ms > clock_mono_ms() && !atomic_load(&p->db_call.api->draining);
}

/* It waits no longer: it is answered as its row stands, at once or when its session was looked up again. */
static void play_time_is_up(struct http_exchange *x, void *arg) {
  struct play *p = arg;
  (void)x;
  assert(p->state == PLAY_WAITING);
  p->until_ms = 0;
  play_decide(p);
}

static void play_changed(struct http_exchange *x, void *arg) {
  struct play *p = arg;
  (void)x;
  atomic_store(&p->post_pending, false);
  switch (p->state) {
    case PLAY_READING:
    case PLAY_OPENING:
    case PLAY_WRITING:
      p->changed = true; /* it looks again before it waits */
      return;
    case PLAY_WAITING:
      look(p);
      return;
    case PLAY_ANSWERED:
      play_free(p); /* (6) */
      return;
  }
}

/* On the thread that tells of changes. */
static void on_change(void *arg) {
  struct play *p = arg;
  if (!atomic_exchange(&p->post_pending, true)) http_post(p->db_call.x, play_changed, p);
}

static void wait_for_change(struct play *p) {
  assert(p->watch); /* (3) */
  if (p->changed)
    look(p);
  else
    play_enter(p, PLAY_WAITING);
}

/* Each leaves the list: who may not wait any more can't join it again (may_wait). */
void play_drain(struct api_loop *l) {
  while (l->waiting) play_time_is_up(NULL, l->waiting);
}

/* ---- deciding ---- */

enum course { COURSE_FILE, COURSE_LIVE, COURSE_WAIT, COURSE_ANSWER };

/* The provider still makes it and was asked just now: it says itself when there is more. */
static bool is_asked_in_vain(const struct play *p) {
  return p->row.status == RECORDING_MISSING && !p->outcome.moved;
}

static enum course course_of(const struct play *p, const struct playback *playback) {
  const struct http_request *request = http_request(p->db_call.x);
  if (playback->kind == PLAYBACK_FILE) return COURSE_FILE;
  if (playback->kind != PLAYBACK_WAIT || is_asked_in_vain(p)) return COURSE_ANSWER;
  if (p->tape && live_can_answer(request, p->tape)) return COURSE_LIVE;
  if (p->watch && may_wait(p)) return COURSE_WAIT;
  return p->tape && live_may_lack_length(request) ? COURSE_LIVE : COURSE_ANSWER;
}

static void play_decide(struct play *p) {
  const struct api_parts *parts = &p->db_call.api->parts;
  struct playback playback = playback_decide(&p->row, parts->worker_alive(parts->arg),
                                             parts->account_stopped(parts->arg, p->row.business_id), p->db_call.now);
  switch (course_of(p, &playback)) {
    case COURSE_FILE:
      look_again(p);
      return;
    case COURSE_LIVE:
      answer_live(p);
      return;
    case COURSE_WAIT:
      wait_for_change(p);
      return;
    case COURSE_ANSWER:
      if (playback.kind == PLAYBACK_WAIT)
        answer_accepted(p, &playback);
      else
        answer_problem(p, &playback);
      return;
  }
}

/* False: it goes on without waiting. */
static bool watch(struct play *p) {
  if (p->watch || !may_wait(p)) return false;
  return events_watch(p->db_call.api->parts.events, p->row.business_id, str_from(p->found), on_change, p, &p->watch) ==
         OK;
}

void play_log_skip(const struct recording *row, enum recording_skip skip) {
  log_debug("Deduplication skip", LOG_INT("business", row->business_id), LOG_TEXT("recording", row->recording_sid),
            LOG_TEXT("reason", recording_skip_name(skip)));
}

static void log_skip(struct play *p) {
  if (p->skipped) return;
  p->skipped = true;
  metric_add(METRIC_DEDUPLICATED, p->outcome.skip, 1);
  play_log_skip(&p->row, p->outcome.skip);
}

/* It begins a fill, or joins one. */
static void count_miss(const struct play *p) {
  struct recording_outcome outcome = enqueue_check(&p->row, want_of(p), p->db_call.now);
  bool on_its_way = p->row.status == RECORDING_QUEUED || p->row.status == RECORDING_DOWNLOADING;
  metric_add(METRIC_CACHE_REQUESTS, on_its_way && !outcome.enqueued ? METRIC_CACHE_COLLAPSED : METRIC_CACHE_MISS, 1);
}

/* The row was read, and is not to be played as it stands. */
static void consider(struct play *p) {
  if (!p->missed && p->kind != PLAY_PREPARE) {
    media_note_miss(p->db_call.loop, &p->db_call.subject, &p->row);
    count_miss(p);
  }
  p->missed = true;
  bool watches_now = watch(p);
  if (p->row.status == RECORDING_READY) { /* its file is gone */
    write_it(p, run_file_gone);
    return;
  }
  p->outcome = enqueue_check(&p->row, want_of(p), p->db_call.now);
  if (p->outcome.moved) {
    write_it(p, run_want);
    return;
  }
  log_skip(p);
  if (watches_now && !p->tape)
    look(p); /* (3) */
  else
    play_decide(p);
}

/* The volume did not answer in time, or can't be read: that is no fault of the database's. */
static void answer_no_volume(struct play *p) {
  const struct problem_words words = {.code = recording_error_code(RECORDING_STORAGE_ERROR),
                                      .detail = str_from(recording_error_message(RECORDING_STORAGE_ERROR))};
  detach(p);
  count_answer(p, METRIC_PLAY_WAIT);
  problem_answer(p->db_call.x, PROBLEM_UNAVAILABLE, &words);
  finish(p);
}

static void take_opened(struct play *p) {
  struct opened opened = opening_take(p->opening);
  tape_unref(p->tape);
  p->tape = opened.tape;
  p->fd = opened.fd;
  memcpy(p->store_id, opened.store_id, sizeof(p->store_id));
}

static void play_opened(struct db_call *e) {
  struct play *p = play_of(e);
  if (e->result == OK) take_opened(p);
  p->opening = opening_end(p->opening);
  if (http_gone(e->x))
    give_up(p);
  else if (e->result == ERR_CLOSED)
    answer_err(p, e->result);
  else if (e->result != OK)
    answer_no_volume(p);
  else if (p->fd >= 0)
    answer_file(p);
  else
    consider(p);
}

static void open_it(struct play *p) {
  play_enter(p, PLAY_OPENING);
  enum err e = opening_begin(&p->db_call, &p->row, play_opened, &p->opening);
  if (e != OK) answer_err(p, e);
}

static void play_looked(struct db_call *e) {
  struct play *p = play_of(e);
  if (http_gone(e->x))
    give_up(p);
  else if (e->result == ERR_DENIED)
    answer_denied(p);
  else if (e->result != OK)
    answer_err(p, e->result);
  else if (p->must_open)
    open_it(p);
  else
    consider(p);
}

static void look(struct play *p) {
  play_enter(p, PLAY_READING);
  forget_seen(p);
  p->changed = false;
  bool is_chosen = p->found[0] && is_by_call(p); /* its mark says whether the choice of an earlier look still holds */
  if (!is_chosen) p->mark = rows_mark(p->db_call.api, p->db_call.subject.business_id, str_from(p->id));
  session_renew_version(&p->db_call);
  enum err e = db_call_read(&p->db_call, play_run_look, play_looked);
  if (e != OK) answer_err(p, e);
}

static void look_again(struct play *p) {
  if (p->again++ < AGAIN_MAX)
    look(p);
  else
    answer_err(p, ERR_BUSY);
}

/* ---- the beginning ---- */

static int64_t wait_ms(const struct api_request *v) {
  struct prefer prefer = prefer_read(v->request);
  return prefer.wait_s >= 0 ? prefer.wait_s * 1000 : v->api->parts.conf->play_wait_s * 1000;
}

void play_begin(struct api_request *v, enum play_kind kind) {
  struct play *p = calloc(1, sizeof(*p));
  if (!p) {
    problem_answer_err(v->x, ERR_NOMEM);
    return;
  }
  db_call_begin(&p->db_call, v);
  p->began_us = clock_mono_us();
  p->kind = kind;
  p->state = PLAY_READING;
  p->fd = -1;
  buf_init(&p->disposition, DISPOSITION_MAX);
  memcpy(p->id, v->id, sizeof(p->id));
  if (kind == PLAY_DOWNLOAD) p->access = access_ref(v->loop->access);
  p->is_media = kind == PLAY_DOWNLOAD || (kind == PLAY_STREAM && prefer_media(v->request));
  if (p->is_media) p->until_ms = clock_mono_ms() + wait_ms(v);
  if (kind != PLAY_PREPARE) http_set_data(v->x, p);
  look(p);
}
