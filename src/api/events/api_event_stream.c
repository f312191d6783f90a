/* api_event_stream.c - event streams: one exchange that is answered for as long as it lasts.
 *
 *   BORN         it has joined nothing yet                                                [stream_new]
 *   LIVE         nothing is under way: events go out as they come                         [take_event]
 *   CATCHING_UP  a reader looks up what changed behind Last-Event-ID; events are queued   [catch_up, caught_up]
 *   IN_VAIN      the same, but a reset made the answer useless: events go out             [reset]
 *   CHECKING     a reader looks whether its session is still there; events go out         [look_for_session, checked]
 *   ENDING       the body ends with its next piece                                        [end]
 *   CLOSED       its exchange is over                                                     [stream_close]
 *
 *   BORN --no Last-Event-ID--------------------------------> LIVE <--still there, not known-- CHECKING
 *     `---Last-Event-ID--> CATCHING_UP --looked up-----------^ ^ `---sessions changed-----------^
 *                               `--reset--> IN_VAIN --looked up'
 *   any but CLOSED --credential gone, expired, draining--> ENDING
 *   any but BORN --the exchange ends--> CLOSED
 *
 * Invariants
 *  (1) Only stream_enter changes the state, and only along these lines. It alone joins and leaves the loop's table, and
 *      starts and stops the timer: a stream is in both, and in the event_feed, from the end of BORN until CLOSED.
 *  (2) after: everything up to it was told, or stands in the client's id. An event that is not behind it is passed over.
 *  (3) At most QUEUE_MAX events wait for a reader that is slow; past that they are dropped, and it is told to look again.
 *  (4) Its memory stays until it is CLOSED and its db_call is back. An db_call is under way in CATCHING_UP, IN_VAIN and
 *      CHECKING, and may be in ENDING and CLOSED. */
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
#include "domain/call_view.h"
#include "domain/status.h"
#include "http/sse.h"

enum { QUEUE_MAX = 256, RETRY_MS = 3000, COMMENT_MS = 15 * 1000, OWN_TEXT_MAX = 128 };

enum stream_state {
  STREAM_BORN,
  STREAM_LIVE,
  STREAM_CATCHING_UP,
  STREAM_IN_VAIN,
  STREAM_CHECKING,
  STREAM_ENDING,
  STREAM_CLOSED,
};

/* What is to be done next, besides events. */
enum stream_due {
  DUE_OPENING = 1, /* own holds the first bytes */
  DUE_RESET = 2,   /* the client is to be told to look again */
  DUE_COMMENT = 4, /* it lives for another while */
  DUE_CHECK = 8,   /* its session, as soon as no db_call is under way */
};

struct event_stream {
  struct db_call db_call;            /* first */
  enum stream_state state;           /* (1) */
  unsigned due;                      /* enum stream_due */
  struct event_stream *next, **link; /* (1) */
  int64_t after;                     /* (2) */
  int64_t joined;                    /* the event_feed's seq then; 0: not known */
  int64_t reset_seq;                 /* where a client that was told to look again goes on; 0: not known */
  uint64_t session_version;          /* under which its session is looked for */
  struct event_feed_batch *backlog;  /* what it missed before it came; or NULL */
  size_t backlog_at;
  struct event_feed_event *queue[QUEUE_MAX]; /* a ring */
  size_t queue_at, queue_n;
  struct event_feed_event *sending; /* the bytes that the connection has in hand */
  struct buf own;                   /* or these */
  /* a catch-up's, while it is under way the reader's alone */
  int64_t missed_after;
  struct event_feed_batch *missed;
};

static struct event_stream *stream_of(struct db_call *e) {
  return (struct event_stream *)(void *)e;
}

/* ---- its state ---- */

static void start_timer(struct event_stream *s);

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
  start_timer(s);
}

static void leave_table(struct event_stream *s) {
  *s->link = s->next;
  if (s->next) s->next->link = s->link;
  metric_add(METRIC_EVENT_STREAMS, 0, -1);
  http_timer(s->db_call.x, -1, NULL, NULL);
}

/* (1): the states that may follow each, as bits. */
static const unsigned following[] = {
    [STREAM_BORN] = 1 << STREAM_LIVE | 1 << STREAM_CATCHING_UP,
    [STREAM_LIVE] = 1 << STREAM_CHECKING | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_CATCHING_UP] = 1 << STREAM_LIVE | 1 << STREAM_IN_VAIN | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_IN_VAIN] = 1 << STREAM_LIVE | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_CHECKING] = 1 << STREAM_LIVE | 1 << STREAM_ENDING | 1 << STREAM_CLOSED,
    [STREAM_ENDING] = 1 << STREAM_CLOSED,
    [STREAM_CLOSED] = 0,
};

static void stream_enter(struct event_stream *s, enum stream_state next) {
  assert(following[s->state] & 1U << next);
  if (s->state == STREAM_BORN) join_table(s);
  if (next == STREAM_CLOSED) leave_table(s);
  s->state = next;
}

static bool is_over(const struct event_stream *s) {
  return s->state == STREAM_ENDING || s->state == STREAM_CLOSED;
}

/* ---- its end ---- */

static void empty_queue(struct event_stream *s) {
  for (; s->queue_n; s->queue_n--, s->queue_at = (s->queue_at + 1) % QUEUE_MAX)
    event_feed_event_unref(TAKE(s->queue[s->queue_at]));
  event_feed_batch_unref(TAKE(s->backlog));
}

static void stream_free(struct event_stream *s) {
  buf_done(&s->own);
  db_call_end(&s->db_call);
  free(s);
}

/* (4) */
static void free_if_over(struct event_stream *s) {
  if (s->state == STREAM_CLOSED && !s->db_call.busy) stream_free(s);
}

static void stream_close(void *arg) {
  struct event_stream *s = arg;
  stream_enter(s, STREAM_CLOSED);
  event_feed_leave(s->db_call.api->event_feed, s->db_call.subject.business_id, s->db_call.loop->index);
  event_feed_event_unref(TAKE(s->sending));
  empty_queue(s);
  free_if_over(s);
}

static void end(struct event_stream *s) {
  if (!is_over(s)) stream_enter(s, STREAM_ENDING);
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

static void stream_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
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

static void reset(struct event_stream *s, int64_t seq) {
  empty_queue(s);
  s->due |= DUE_RESET;
  if (s->state == STREAM_CATCHING_UP) stream_enter(s, STREAM_IN_VAIN); /* what it missed is of no use any more */
  s->reset_seq = seq;
  s->after = seq;
}

/* (3) */
static void push(struct event_stream *s, struct event_feed_event *e) {
  if (e->seq <= s->after) return; /* (2) */
  if (s->queue_n == QUEUE_MAX) {
    reset(s, e->seq);
    return;
  }
  s->queue[(s->queue_at + s->queue_n++) % QUEUE_MAX] = event_feed_event_ref(e);
}

static void take_batch(struct event_stream *s, const struct event_feed_batch *batch) {
  if (batch->lost && batch->seq && batch->seq <= s->after) return; /* (2) */
  if (batch->lost)
    reset(s, batch->seq);
  else
    for (size_t i = 0; i < batch->count; i++) push(s, batch->events[i]);
  http_wake(s->db_call.x);
}

static void deliver_here(struct api_loop *l, const struct event_feed_batch *batch) {
  if (batch->business_id) {
    for (struct event_stream *s = *bucket_of(l, batch->business_id); s; s = s->next)
      if (s->db_call.subject.business_id == batch->business_id) take_batch(s, batch);
    return;
  }
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) take_batch(s, batch);
}

struct hand_over {
  struct api_loop *loop;
  struct event_feed_batch *batch;
};

static void run_hand_over(void *arg) {
  struct hand_over *d = arg;
  deliver_here(d->loop, d->batch);
  event_feed_batch_unref(d->batch);
  free(d);
}

/* (any thread) What can't be posted is made up for by a reset, with the loop's next request or a stream's next comment. */
static bool deliver(void *arg, unsigned loop, struct event_feed_batch *batch) {
  struct api *a = arg;
  struct hand_over *d = a->server ? malloc(sizeof(*d)) : NULL;
  if (d) *d = (struct hand_over){&a->loops[loop], batch};
  if (d && http_loop_post(a->server, loop, run_hand_over, d) == OK) return true;
  free(d);
  atomic_fetch_or(&a->loops[loop].pending, PENDING_EVENTS_RESET);
  return false;
}

void events_reset(struct api_loop *l) {
  deliver_here(l, &(struct event_feed_batch){.lost = true});
}

/* ---- catching up ---- */

static enum err run_catch_up(struct db *db, struct db_call *e) {
  struct event_stream *s = stream_of(e);
  return event_feed_read(e->api->event_feed, db, e->subject.business_id, s->missed_after, &s->missed);
}

static void look_for_session(struct event_stream *s);

static void take_missed(struct event_stream *s) {
  s->after = s->missed->seq;
  while (s->queue_n && s->queue[s->queue_at]->seq <= s->after) event_feed_event_unref(take_event(s)); /* (2) */
  s->backlog = TAKE(s->missed);
  s->backlog_at = 0;
}

static void caught_up(struct db_call *e) {
  struct event_stream *s = stream_of(e);
  if (s->state == STREAM_CATCHING_UP && e->result == OK)
    take_missed(s);
  else
    event_feed_batch_unref(TAKE(s->missed));
  if (s->state == STREAM_CATCHING_UP && e->result != OK) reset(s, s->joined);
  if (is_over(s)) {
    free_if_over(s);
    return;
  }
  stream_enter(s, STREAM_LIVE);
  http_wake(e->x);
  if (s->due & DUE_CHECK) look_for_session(s);
}

/* From its birth. after: what the client saw last; -1: nothing that is an id of ours. */
static void catch_up(struct event_stream *s, int64_t after) {
  s->after = s->missed_after = after;
  if (after >= 0 && db_call_read(&s->db_call, run_catch_up, caught_up) == OK) {
    stream_enter(s, STREAM_CATCHING_UP);
    return;
  }
  reset(s, s->joined);
  stream_enter(s, STREAM_LIVE);
}

/* ---- who may listen ---- */

static enum err run_check(struct db *db, struct db_call *e) {
  struct session row;
  return sessions_find(db, str_from(e->subject.session), e->now, &row);
}

static void checked(struct db_call *e) {
  struct event_stream *s = stream_of(e);
  if (is_over(s)) {
    free_if_over(s);
    return;
  }
  stream_enter(s, STREAM_LIVE);
  if (e->result == ERR_NOT_FOUND) {
    end(s);
    return;
  }
  if (e->result == OK) e->subject.session_version = s->session_version;
  if (e->result == OK && (s->due & DUE_CHECK)) look_for_session(s);
  if (e->result != OK) s->due |= DUE_CHECK; /* the database can't say: asked again with the next comment */
}

static void look_for_session(struct event_stream *s) {
  uint8_t digest[SHA256_SIZE];
  s->due |= DUE_CHECK;
  if (s->state != STREAM_LIVE) return;
  session_token_digest(str_from(s->db_call.subject.session), digest);
  const struct subject *subject = &s->db_call.subject;
  s->session_version = session_version(s->db_call.api->versions, digest, subject->key_id, subject->business_id);
  if (db_call_read(&s->db_call, run_check, checked) != OK) return;
  s->due &= ~(unsigned)DUE_CHECK;
  stream_enter(s, STREAM_CHECKING);
}

static void check(struct event_stream *s) {
  const struct subject *subject = &s->db_call.subject;
  if (is_over(s)) return;
  enum err e = auth_still_admits(s->db_call.loop, s->db_call.x, subject);
  if (e == ERR_DENIED || (subject->expires_at && subject->expires_at <= clock_now_ms()))
    end(s);
  else if (e != OK)
    look_for_session(s);
}

void events_check(struct api_loop *l, int64_t business_id) {
  for (size_t i = 0; i < STREAM_BUCKETS; i++) {
    struct event_stream **list = &l->streams[i];
    if (business_id && list != bucket_of(l, business_id)) continue;
    for (struct event_stream *s = *list; s; s = s->next)
      if (!business_id || s->db_call.subject.business_id == business_id) check(s);
  }
}

void events_drain(struct api_loop *l) {
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) end(s);
}

/* ---- time ---- */

static void time_passed(struct http_exchange *x, void *arg) {
  struct event_stream *s = arg;
  loop_apply_pending(s->db_call.loop);
  check(s);
  if ((s->due & DUE_CHECK) && !is_over(s)) look_for_session(s);
  s->due |= DUE_COMMENT;
  start_timer(s);
  http_wake(x);
}

/* To the next comment, or to when its credential ends. */
static void start_timer(struct event_stream *s) {
  int64_t left_ms = s->db_call.subject.expires_at ? s->db_call.subject.expires_at - clock_now_ms() + 1 : COMMENT_MS;
  http_timer(s->db_call.x, left_ms < 1 ? 1 : left_ms < COMMENT_MS ? left_ms : COMMENT_MS, time_passed, s);
}

/* ---- what a change is told as ---- */

static enum err write_call(const struct api *a, struct db *db, const struct access_snapshot *access,
                           int64_t business_id, const char *call_sid, struct buf *b) {
  const struct access_business *own = access_find_business(access, business_id);
  const struct status_view view = status_view_of(a, db_now_ms(db));
  return call_view_one(db, business_id, str_from(call_sid), own ? own->numbers : NULL, own ? own->number_count : 0,
                       &view, b);
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
  struct recording row;
  TRY(recordings_get(db, business_id, str_from(change->id), &row));
  const struct status_view view = status_view_of(a, db_now_ms(db));
  return status_write(b, &row, &view);
}

struct event_feed_parts events_feed_parts(struct api *a) {
  return (struct event_feed_parts){.readers = a->parts.readers,
                                   .loops = a->loop_count,
                                   .seq = a->parts.seq,
                                   .deliver = deliver,
                                   .write = write_change,
                                   .arg = a};
}

/* ---- the beginning ---- */

static struct event_stream *stream_new(const struct api_request *v) {
  struct event_stream *s = calloc(1, sizeof(*s));
  if (!s) return NULL;
  s->due = DUE_OPENING;
  db_call_begin(&s->db_call, v);
  buf_init(&s->own, OWN_TEXT_MAX);
  return s;
}

/* seen: as last_seen has it. */
static enum err begin(struct event_stream *s, int64_t seen) {
  struct db_call *e = &s->db_call;
  TRY(event_feed_join(e->api->event_feed, e->subject.business_id, e->loop->index,
                      e->api->parts.conf->events_per_business, &s->joined));
  s->after = s->joined;
  loop_apply_pending(e->loop);
  enum err admitted =
      auth_still_admits(e->loop, e->x, &e->subject); /* what changed before it joined was told to nobody */
  if (admitted == ERR_DENIED) {
    event_feed_leave(e->api->event_feed, e->subject.business_id, e->loop->index);
    return ERR_DENIED;
  }
  if (seen != 0 && seen != s->joined)
    catch_up(s, seen);
  else
    stream_enter(s, STREAM_LIVE);
  if (admitted != OK) look_for_session(s);
  IGNORE(sse_add_opening(&s->own, RETRY_MS, seen ? 0 : s->joined)); /* without memory it says less */
  return OK;
}

/* What Last-Event-ID says: 0: there is none; -1: nothing that is an id of ours. */
static int64_t last_seen(const struct http_request *r) {
  uint64_t id;
  struct str value = http_header_get(r, STR("Last-Event-ID"));
  if (value.n == 0) return 0;
  return http_header_count(r, STR("Last-Event-ID")) == 1 && str_to_u64(value, INT64_MAX, &id) == OK ? (int64_t)id : -1;
}

static void answer(struct event_stream *s, struct http_exchange *x) {
  static const struct http_source source = {.next = stream_next, .close = stream_close};
  const struct http_body body = {.kind = HTTP_BODY_SOURCE, .length = -1, .source = &source, .source_arg = s};
  struct http_fields f;
  answer_fields(&f);
  answer_lines(&f, STR("Content-Type: " SSE_CONTENT_TYPE "\r\nX-Accel-Buffering: no\r\n"));
  answer_origin(x, &f);
  http_end_with_peer(x);
  http_respond(x, 200, &f, &body); /* s may be gone */
}

static void answer_head(struct http_exchange *x) {
  const struct http_body body = {.kind = HTTP_BODY_NONE, .length = -1};
  struct http_fields f;
  answer_fields(&f);
  answer_lines(&f, STR("Content-Type: " SSE_CONTENT_TYPE "\r\n"));
  answer_origin(x, &f);
  http_respond(x, 200, &f, &body);
}

static void refuse(struct http_exchange *x, enum err e) {
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
  struct api_request *v = arg;
  int64_t seen = last_seen(v->request);
  if (atomic_load(&v->api->draining)) {
    problem_answer(x, PROBLEM_UNAVAILABLE, NULL);
    return;
  }
  if (v->request->method == HTTP_HEAD) {
    answer_head(x);
    return;
  }
  struct event_stream *s = stream_new(v);
  enum err e = s ? begin(s, seen) : ERR_NOMEM;
  if (e == OK) {
    answer(s, x);
    return;
  }
  if (s) stream_free(s);
  refuse(x, e);
}
