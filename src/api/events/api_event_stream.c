/* api_event_stream.c - event streams (server-sent events): an exchange whose body goes on until the stream ends.
 *
 * States
 *   BORN           not in the loop's table, not in the feed                          [event_stream_new]
 *   LIVE           no database call is under way; events are sent as they come       [event_stream_next]
 *   CATCHING_UP    a reader reads what changed after Last-Event-ID; new events       [event_stream_catch_up]
 *                  are queued and not sent
 *   CATCH_UP_VOID  the same read, but a reset made its result useless; events        [event_stream_reset]
 *                  are sent
 *   CHECKING       a reader reads the session; events are sent                      [event_stream_check_session]
 *   ENDING         the body ends with its next piece                                 [event_stream_end]
 *   CLOSED         the exchange is over                                              [event_stream_closed]
 *
 *   BORN --no Last-Event-ID, no parameter `after`--> LIVE
 *   BORN --Last-Event-ID, else after--> CATCHING_UP --read--> LIVE
 *                           CATCHING_UP --reset--> CATCH_UP_VOID --read--> LIVE
 *   LIVE --the session may have ended--> CHECKING --it is there, or the database failed--> LIVE
 *   any but BORN, CLOSED --credential revoked or expired, drain--> ENDING
 *   any but BORN --the exchange ends--> CLOSED
 *
 * Invariants
 *  (1) Only event_stream_enter changes the state, and only along these lines. It alone joins and leaves the loop's
 *      table, and starts and stops the timer. A stream is in the table, in the feed and on the timer from the end of
 *      BORN until CLOSED.
 *  (2) last_seq: every change up to it was queued or sent, or is covered by the id that the client has. An event that
 *      is not newer is skipped.
 *  (3) At most QUEUE_MAX events wait for a slow client. One more drops them all, and the client gets a reset.
 *  (4) The stream is freed when it is CLOSED and no database call is under way. One is under way in CATCHING_UP,
 *      CATCH_UP_VOID and CHECKING, and may be in ENDING and CLOSED. */
#include "api/events/api_event_stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/auth/api_session_cache.h"
#include "api/events/api_event_feed.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_status_answer.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/note.h"
#include "domain/transcript_view.h"
#include "domain/call_view.h"
#include "domain/status.h"
#include "http/sse.h"
#include "ledger/removed_calls.h"

enum { QUEUE_MAX = 256, RETRY_MS = 3000, COMMENT_MS = 15 * 1000, OWN_TEXT_MAX = 128, EVENT_ID_TEXT_SIZE = 24 };

enum event_stream_state {
  STREAM_BORN,
  STREAM_LIVE,
  STREAM_CATCHING_UP,
  STREAM_CATCH_UP_VOID,
  STREAM_CHECKING,
  STREAM_ENDING,
  STREAM_CLOSED,
};

/* Things that a stream has to do besides sending events; bits. */
enum event_stream_due {
  DUE_OPENING = 1, /* send own, which holds the opening */
  DUE_RESET = 2,   /* send a reset: the client must load everything again */
  DUE_COMMENT = 4, /* send a keep-alive comment */
  DUE_SESSION = 8, /* look the session up, as soon as no database call is under way */
};

struct event_stream {
  struct db_call db_call;            /* first */
  enum event_stream_state state;     /* (1) */
  unsigned due;                      /* enum event_stream_due */
  struct event_stream *next, **link; /* (1) */
  int64_t last_seq;                  /* (2) */
  int64_t joined_seq;                /* the feed's seq when it joined; 0: not known */
  int64_t reset_seq;                 /* the id of the reset that is due; 0: not known */
  uint64_t session_version;          /* of the session look-up under way */
  struct event_feed_batch *backlog;  /* events that the client missed before it came, to be sent first; or NULL */
  size_t backlog_at;
  struct event_feed_event *queue[QUEUE_MAX]; /* a ring of references */
  size_t queue_at, queue_n;
  struct event_feed_event *sending; /* a reference: the connection is sending its text */
  struct buf own;                   /* or this text: opening or reset */
  /* Of a catch-up. While it is under way they belong to the reader. */
  int64_t missed_after_seq;
  struct event_feed_batch *missed;
};

static struct event_stream *event_stream_of(struct db_call *c) {
  return (struct event_stream *)(void *)c; /* its first member */
}

/* ---- the state ---- */

static void event_stream_start_timer(struct event_stream *s);

static struct event_stream **bucket_of(struct api_loop *l, int64_t business_id) {
  return &l->streams[(uint64_t)business_id % STREAM_BUCKETS];
}

static void join_table(struct event_stream *s) {
  struct event_stream **list = bucket_of(s->db_call.loop, s->db_call.subject.business_id);
  s->link = list;
  s->next = *list;
  if (s->next) s->next->link = &s->next;
  *list = s;
  metric_add(METRIC_EVENT_STREAMS, 0, 1);
  event_stream_start_timer(s);
}

static void leave_table(struct event_stream *s) {
  *s->link = s->next;
  if (s->next) s->next->link = s->link;
  metric_add(METRIC_EVENT_STREAMS, 0, -1);
  http_timer(s->db_call.x, -1, NULL, NULL);
}

/* (1): the states that may follow each state, as bits. */
static const unsigned next_states[] = {
    [STREAM_BORN] = 1 << STREAM_LIVE | 1 << STREAM_CATCHING_UP,
    [STREAM_LIVE] = 1 << STREAM_CHECKING | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_CATCHING_UP] = 1 << STREAM_LIVE | 1 << STREAM_CATCH_UP_VOID | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_CATCH_UP_VOID] = 1 << STREAM_LIVE | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_CHECKING] = 1 << STREAM_LIVE | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_ENDING] = 1 << STREAM_CLOSED,
    [STREAM_CLOSED] = 0,
};

static void event_stream_enter(struct event_stream *s, enum event_stream_state next) {
  assert(next_states[s->state] & 1U << next);
  if (s->state == STREAM_BORN) join_table(s);
  if (next == STREAM_CLOSED) leave_table(s);
  s->state = next;
}

static bool is_over(const struct event_stream *s) {
  return s->state == STREAM_ENDING || s->state == STREAM_CLOSED;
}

/* ---- the end ---- */

static void event_stream_empty_queue(struct event_stream *s) {
  for (; s->queue_n; s->queue_n--, s->queue_at = (s->queue_at + 1) % QUEUE_MAX)
    event_feed_event_unref(TAKE(s->queue[s->queue_at]));
  event_feed_batch_unref(TAKE(s->backlog));
}

static void event_stream_free(struct event_stream *s) {
  buf_done(&s->own);
  db_call_end(&s->db_call);
  free(s);
}

/* (4) */
static void event_stream_free_if_over(struct event_stream *s) {
  if (s->state == STREAM_CLOSED && !s->db_call.busy) event_stream_free(s);
}

static void event_stream_closed(void *arg) {
  struct event_stream *s = arg;
  event_stream_enter(s, STREAM_CLOSED);
  event_feed_leave(s->db_call.api->event_feed, s->db_call.subject.business_id, s->db_call.loop->index);
  event_feed_event_unref(TAKE(s->sending));
  event_stream_empty_queue(s);
  event_stream_free_if_over(s);
}

static void event_stream_end(struct event_stream *s) {
  if (!is_over(s)) event_stream_enter(s, STREAM_ENDING);
  http_wake(s->db_call.x);
}

/* ---- what goes out ---- */

static struct str own_text(struct event_stream *s, enum err e) {
  return e == OK ? buf_str(&s->own) : STR_NONE;
}

static struct str take_reset(struct event_stream *s) {
  s->due &= ~(unsigned)DUE_RESET;
  return own_text(s, sse_add(&s->own, STR("reset"), s->reset_seq, STR("{}")));
}

static struct event_feed_event *take_event(struct event_stream *s) {
  if (s->backlog && s->backlog_at < s->backlog->count) return event_feed_event_ref(s->backlog->events[s->backlog_at++]);
  event_feed_batch_unref(TAKE(s->backlog));
  if (!s->queue_n) return NULL;
  struct event_feed_event *e = TAKE(s->queue[s->queue_at]);
  s->queue_at = (s->queue_at + 1) % QUEUE_MAX;
  s->queue_n--;
  return e;
}

static struct str take_text(struct event_stream *s) {
  if (s->due & DUE_OPENING) {
    s->due &= ~(unsigned)DUE_OPENING;
    return buf_str(&s->own);
  }
  event_feed_event_unref(TAKE(s->sending));
  buf_clear(&s->own);
  if (s->due & DUE_RESET) return take_reset(s);
  if (s->state != STREAM_CATCHING_UP) s->sending = take_event(s);
  if (s->sending) return str_of(s->sending->text, s->sending->n);
  if (!(s->due & DUE_COMMENT)) return STR_NONE;
  s->due &= ~(unsigned)DUE_COMMENT;
  return STR(SSE_COMMENT);
}

static void event_stream_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct event_stream *s = arg;
  (void)x;
  if (s->state == STREAM_ENDING) {
    *ret_piece = (struct http_piece){.kind = HTTP_PIECE_END};
    return;
  }
  struct str text = take_text(s);
  *ret_piece = (struct http_piece){.kind = text.n ? HTTP_PIECE_BYTES : HTTP_PIECE_WAIT, .bytes = text};
}

/* ---- what comes in ---- */

static void event_stream_reset(struct event_stream *s, int64_t seq) {
  event_stream_empty_queue(s);
  s->due |= DUE_RESET;
  if (s->state == STREAM_CATCHING_UP)
    event_stream_enter(s, STREAM_CATCH_UP_VOID); /* the client loads everything again */
  s->reset_seq = seq;
  s->last_seq = seq;
}

/* (3) */
static void event_stream_push(struct event_stream *s, struct event_feed_event *e) {
  if (e->seq <= s->last_seq) return; /* (2) */
  if (s->queue_n == QUEUE_MAX) {
    event_stream_reset(s, e->seq);
    return;
  }
  s->queue[(s->queue_at + s->queue_n++) % QUEUE_MAX] = event_feed_event_ref(e);
}

static void take_batch(struct event_stream *s, const struct event_feed_batch *batch) {
  if (batch->lost && batch->seq && batch->seq <= s->last_seq) return; /* (2) */
  if (batch->lost)
    event_stream_reset(s, batch->seq);
  else
    for (size_t i = 0; i < batch->count; i++) event_stream_push(s, batch->events[i]);
  http_wake(s->db_call.x);
}

static void deliver_batch(struct api_loop *l, const struct event_feed_batch *batch) {
  if (batch->business_id) {
    for (struct event_stream *s = *bucket_of(l, batch->business_id); s; s = s->next)
      if (s->db_call.subject.business_id == batch->business_id) take_batch(s, batch);
    return;
  }
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) take_batch(s, batch);
}

struct batch_post {
  struct api_loop *loop;
  struct event_feed_batch *batch;
};

static void batch_post_run(void *arg) {
  struct batch_post *d = arg;
  deliver_batch(d->loop, d->batch);
  event_feed_batch_unref(d->batch);
  free(d);
}

/* (any thread) If the batch can't be posted, all streams of the loop get a reset, at its next request or a stream's
 * timer. */
static bool event_stream_deliver(void *arg, unsigned loop, struct event_feed_batch *batch) {
  struct api *a = arg;
  struct batch_post *d = a->server ? malloc(sizeof(*d)) : NULL;
  if (d) *d = (struct batch_post){&a->loops[loop], batch};
  if (d && http_loop_post(a->server, loop, batch_post_run, d) == OK) return true;
  free(d);
  atomic_fetch_or(&a->loops[loop].pending, PENDING_EVENTS_RESET);
  return false;
}

void event_stream_reset_all(struct api_loop *l) {
  deliver_batch(l, &(struct event_feed_batch){.lost = true});
}

/* ---- catching up ---- */

static enum err event_stream_read_missed(struct db *db, struct db_call *c) {
  struct event_stream *s = event_stream_of(c);
  return event_feed_read(c->api->event_feed, db, c->subject.business_id, s->missed_after_seq, &s->missed);
}

static void event_stream_check_session(struct event_stream *s);

static void take_missed(struct event_stream *s) {
  s->last_seq = s->missed->seq;
  while (s->queue_n && s->queue[s->queue_at]->seq <= s->last_seq) event_feed_event_unref(take_event(s)); /* (2) */
  s->backlog = TAKE(s->missed);
  s->backlog_at = 0;
}

static void event_stream_on_missed(struct db_call *c) {
  struct event_stream *s = event_stream_of(c);
  if (s->state == STREAM_CATCHING_UP && c->result == OK)
    take_missed(s);
  else
    event_feed_batch_unref(TAKE(s->missed));
  if (s->state == STREAM_CATCHING_UP && c->result != OK) event_stream_reset(s, s->joined_seq);
  if (is_over(s)) {
    event_stream_free_if_over(s);
    return;
  }
  event_stream_enter(s, STREAM_LIVE);
  http_wake(c->x);
  if (s->due & DUE_SESSION) event_stream_check_session(s);
}

/* From BORN. after: the client's Last-Event-ID; -1: not a valid id, so the client gets a reset. */
static void event_stream_catch_up(struct event_stream *s, int64_t after) {
  s->last_seq = s->missed_after_seq = after;
  if (after >= 0 && db_call_read(&s->db_call, event_stream_read_missed, event_stream_on_missed) == OK) {
    event_stream_enter(s, STREAM_CATCHING_UP);
    return;
  }
  event_stream_reset(s, s->joined_seq);
  event_stream_enter(s, STREAM_LIVE);
}

/* ---- access ---- */

static enum err event_stream_read_session(struct db *db, struct db_call *c) {
  struct session row;
  return sessions_find(db, str_from(c->subject.session), c->now, &row);
}

static void event_stream_on_session(struct db_call *c) {
  struct event_stream *s = event_stream_of(c);
  if (is_over(s)) {
    event_stream_free_if_over(s);
    return;
  }
  event_stream_enter(s, STREAM_LIVE);
  if (c->result == ERR_NOT_FOUND) {
    event_stream_end(s);
    return;
  }
  if (c->result == OK) c->subject.session_version = s->session_version;
  if (c->result == OK && (s->due & DUE_SESSION)) event_stream_check_session(s);
  if (c->result != OK) s->due |= DUE_SESSION; /* the database failed: the timer tries again */
}

static void event_stream_check_session(struct event_stream *s) {
  uint8_t digest[SHA256_SIZE];
  s->due |= DUE_SESSION;
  if (s->state != STREAM_LIVE) return;
  session_token_digest(str_from(s->db_call.subject.session), digest);
  const struct subject *subject = &s->db_call.subject;
  s->session_version = session_version(s->db_call.api->versions, digest, subject->key_id, subject->business_id);
  if (db_call_read(&s->db_call, event_stream_read_session, event_stream_on_session) != OK) return;
  s->due &= ~(unsigned)DUE_SESSION;
  event_stream_enter(s, STREAM_CHECKING);
}

static void event_stream_check_access(struct event_stream *s) {
  const struct subject *subject = &s->db_call.subject;
  if (is_over(s)) return;
  enum err e = auth_still_admits(s->db_call.loop, s->db_call.x, subject);
  if (e == ERR_DENIED || (subject->expires_at && subject->expires_at <= db_clock_now_ms()))
    event_stream_end(s);
  else if (e != OK)
    event_stream_check_session(s);
}

void event_stream_check_all(struct api_loop *l, int64_t business_id) {
  for (size_t i = 0; i < STREAM_BUCKETS; i++) {
    struct event_stream **list = &l->streams[i];
    if (business_id && list != bucket_of(l, business_id)) continue;
    for (struct event_stream *s = *list; s; s = s->next)
      if (!business_id || s->db_call.subject.business_id == business_id) event_stream_check_access(s);
  }
}

void event_stream_end_all(struct api_loop *l) {
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) event_stream_end(s);
}

/* ---- time ---- */

static void event_stream_on_timer(struct http_exchange *x, void *arg) {
  struct event_stream *s = arg;
  loop_apply_pending(s->db_call.loop);
  event_stream_check_access(s);
  if ((s->due & DUE_SESSION) && !is_over(s)) event_stream_check_session(s);
  s->due |= DUE_COMMENT;
  event_stream_start_timer(s);
  http_wake(x);
}

/* Until the next keep-alive comment, or until the credential expires if that is sooner. */
static void event_stream_start_timer(struct event_stream *s) {
  int64_t left_ms = s->db_call.subject.expires_at ? s->db_call.subject.expires_at - db_clock_now_ms() + 1 : COMMENT_MS;
  http_timer(s->db_call.x, left_ms < 1 ? 1 : left_ms < COMMENT_MS ? left_ms : COMMENT_MS, event_stream_on_timer, s);
}

/* ---- the JSON of an event ---- */

/* Of a call that was deleted. ERR_NOT_FOUND: it was not. */
static enum err write_deleted_call(struct db *db, int64_t business_id, const char *call_sid, struct buf *b) {
  bool removed;
  TRY(removed_calls_has(db, business_id, str_from(call_sid), &removed));
  return removed ? buf_addf(b, "{\"call_sid\":\"%s\",\"deleted\":true}", call_sid) : ERR_NOT_FOUND;
}

static enum err write_call(struct api *a, struct db *db, const struct access_snapshot *access, int64_t business_id,
                           const char *call_sid, struct buf *b) {
  const struct access_business *own = access_find_business(access, business_id);
  const struct status_view view = status_view_of(a, business_id, db_now_ms(db));
  enum err e = call_view_one(db, business_id, str_from(call_sid), own ? own->numbers : NULL,
                             own ? own->number_count : 0, &view, b);
  return e == ERR_NOT_FOUND ? write_deleted_call(db, business_id, call_sid, b) : e;
}

/* A note that is not there any more was deleted. */
static enum err write_note(struct db *db, int64_t business_id, struct str id, struct buf *b) {
  char recording_sid[SID_SIZE];
  int64_t note_id;
  struct note note;
  TRY(notes_read_change(id, recording_sid, &note_id));
  enum err e = notes_get(db, business_id, str_from(recording_sid), note_id, &note);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return note_write_event(b, recording_sid, note_id, e == OK ? &note : NULL);
}

/* One that is not there any more was removed with its recording. */
static enum err write_transcript(struct db *db, int64_t business_id, const char *recording_sid, struct buf *b) {
  struct transcript row;
  enum err e = transcripts_find(db, business_id, str_from(recording_sid), &row);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return transcript_write_event(b, recording_sid, e == OK ? &row : NULL);
}

static enum err write_change(void *arg, struct db *db, int64_t business_id, const struct event_feed_change *change,
                             struct buf *b) {
  struct api *a = arg;
  if (change->kind == CHANGE_CALL) {
    struct access_snapshot *access = api_newest_access(a);
    enum err e = write_call(a, db, access, business_id, change->id, b);
    access_unref(access);
    return e;
  }
  if (change->kind == CHANGE_NOTE) return write_note(db, business_id, str_from(change->id), b);
  if (change->kind == CHANGE_TRANSCRIPT) return write_transcript(db, business_id, change->id, b);
  struct recording row;
  TRY(recordings_get(db, business_id, str_from(change->id), &row));
  const struct status_view view = status_view_of(a, business_id, db_now_ms(db));
  return status_write(b, &row, &view);
}

struct event_feed_parts event_stream_feed_parts(struct api *a) {
  return (struct event_feed_parts){.readers = a->parts.readers,
                                   .loops = a->loop_count,
                                   .seq = a->parts.seq,
                                   .deliver = event_stream_deliver,
                                   .write = write_change,
                                   .arg = a};
}

/* ---- the beginning ---- */

static struct event_stream *event_stream_new(const struct api_request *req) {
  struct event_stream *s = calloc(1, sizeof(*s));
  if (!s) return NULL;
  s->due = DUE_OPENING;
  db_call_begin(&s->db_call, req);
  buf_init(&s->own, OWN_TEXT_MAX);
  return s;
}

/* The changes that the client has seen already. */
struct last_seen {
  int64_t id;      /* 0: it did not say; -1: no valid id */
  bool has_own_id; /* it is the client's Last-Event-ID; else the opening tells it */
};

/* ERR_BUSY: the business has too many streams. ERR_DENIED: the credential was revoked meanwhile. */
static enum err event_stream_begin(struct event_stream *s, struct last_seen seen) {
  struct db_call *c = &s->db_call;
  TRY(event_feed_join(c->api->event_feed, c->subject.business_id, c->loop->index,
                      c->api->parts.conf->events_per_business, &s->joined_seq));
  s->last_seq = s->joined_seq;
  loop_apply_pending(c->loop);
  /* Checked again after joining: a revocation before that was not reported to this stream. */
  enum err admitted = auth_still_admits(c->loop, c->x, &c->subject);
  if (admitted == ERR_DENIED) {
    event_feed_leave(c->api->event_feed, c->subject.business_id, c->loop->index);
    return ERR_DENIED;
  }
  if (seen.id != 0 && seen.id != s->joined_seq)
    event_stream_catch_up(s, seen.id);
  else
    event_stream_enter(s, STREAM_LIVE);
  if (admitted != OK) event_stream_check_session(s);
  int64_t opening_id = seen.has_own_id ? 0 : seen.id > 0 ? seen.id : s->joined_seq;
  IGNORE(sse_add_opening(&s->own, RETRY_MS, opening_id)); /* without memory the opening is shorter */
  return OK;
}

static int64_t event_id_of(struct str text) {
  uint64_t id;
  return str_to_u64(text, INT64_MAX, &id) == OK ? (int64_t)id : -1;
}

/* Of Last-Event-ID, which a client that comes again sends; else of the parameter `after`. False: x was answered. */
static bool last_seen(struct api_request *req, struct last_seen *ret_seen) {
  const struct http_request *r = req->request;
  char after[EVENT_ID_TEXT_SIZE];
  struct str value = http_header_get(r, STR("Last-Event-ID"));
  if (!request_query(req, "after", after, sizeof(after))) return false;
  if (value.n > 0)
    *ret_seen = (struct last_seen){http_header_count(r, STR("Last-Event-ID")) == 1 ? event_id_of(value) : -1, true};
  else
    *ret_seen = (struct last_seen){after[0] ? event_id_of(str_from(after)) : 0, false};
  return true;
}

static void event_stream_answer(struct event_stream *s, struct http_exchange *x) {
  static const struct http_source source = {.next = event_stream_next, .close = event_stream_closed};
  const struct http_body body = {.kind = HTTP_BODY_SOURCE, .length = -1, .source = &source, .source_arg = s};
  struct http_fields f;
  answer_fields(&f);
  answer_lines(&f, STR("Content-Type: " SSE_CONTENT_TYPE "\r\nX-Accel-Buffering: no\r\n"));
  answer_origin(x, &f);
  http_end_with_peer(x);
  http_respond(x, 200, &f, &body); /* may free s */
}

static void event_stream_answer_head(struct http_exchange *x) {
  const struct http_body body = {.kind = HTTP_BODY_NONE, .length = -1};
  struct http_fields f;
  answer_fields(&f);
  answer_lines(&f, STR("Content-Type: " SSE_CONTENT_TYPE "\r\n"));
  answer_origin(x, &f);
  http_respond(x, 200, &f, &body);
}

static void event_stream_refuse(struct http_exchange *x, enum err e) {
  if (e == ERR_BUSY) {
    metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_EVENTS, 1);
    problem_answer(x, PROBLEM_TOO_MANY_REQUESTS, NULL);
    return;
  }
  if (e == ERR_DENIED) {
    problem_answer(x, PROBLEM_UNAUTHORIZED, NULL);
    return;
  }
  problem_answer_err(x, e);
}

void api_events(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct last_seen seen;
  if (!last_seen(req, &seen)) return;
  if (atomic_load(&req->api->draining)) {
    problem_answer(x, PROBLEM_UNAVAILABLE, NULL);
    return;
  }
  if (req->request->method == HTTP_HEAD) {
    event_stream_answer_head(x);
    return;
  }
  struct event_stream *s = event_stream_new(req);
  enum err e = s ? event_stream_begin(s, seen) : ERR_NOMEM;
  if (e == OK) {
    event_stream_answer(s, x);
    return;
  }
  if (s) event_stream_free(s);
  event_stream_refuse(x, e);
}
