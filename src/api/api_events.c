/* api_events.c - event streams: one exchange that is answered for as long as it lasts.
 *
 *   join the feed --no Last-Event-ID--> LIVE
 *                 `--Last-Event-ID--> CATCHING_UP --looked--> LIVE, with a backlog, or with a reset
 *   any --credential gone, expired, draining--> ending: the body ends --> closed
 *
 * Invariants
 *  (1) A stream is in its loop's table, and in the feed, from its birth until its exchange ends.
 *  (2) after: everything up to it was told, or stands in the client's id. An event that is not behind it is passed over.
 *  (3) At most QUEUE_MAX events wait for a reader that is slow; past that they are dropped, and it is told to look again.
 *  (4) Memory stays while the exchange lives or an errand is under way. */
#include "api/api_events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/errand.h"
#include "base/clock.h"
#include "base/metric.h"
#include "domain/call_view.h"
#include "domain/status.h"
#include "http/sse.h"

enum { QUEUE_MAX = 256, RETRY_MS = 3000, COMMENT_MS = 15 * 1000, OWN_TEXT_MAX = 128 };

struct event_stream {
  struct errand errand;              /* first */
  struct event_stream *next, **link; /* (1) */
  bool opened, catching_up, ending, closed;
  bool must_check;  /* its session, as soon as the errand in hand is over */
  bool comment_due; /* it lives for another while */
  bool must_reset;
  bool was_reset;             /* since it began to catch up: what it missed is of no use any more */
  int64_t after;              /* (2) */
  int64_t joined;             /* the feed's seq then; 0: not known */
  int64_t reset_seq;          /* where a client that was told to look again goes on; 0: not known */
  uint64_t session_version;   /* under which its session is looked for */
  struct feed_batch *backlog; /* what it missed before it came; or NULL */
  size_t backlog_at;
  struct feed_event *queue[QUEUE_MAX]; /* a ring */
  size_t queue_at, queue_n;
  struct feed_event *sending; /* the bytes that the connection has in hand */
  struct buf own;             /* or these */
  /* a catch-up's, while it is under way the reader's alone */
  int64_t missed_after;
  struct feed_batch *missed;
};

static struct event_stream *stream_of(struct errand *e) {
  return (struct event_stream *)(void *)e;
}

/* ---- its end ---- */

static void empty_queue(struct event_stream *s) {
  for (; s->queue_n; s->queue_n--, s->queue_at = (s->queue_at + 1) % QUEUE_MAX)
    feed_event_unref(TAKE(s->queue[s->queue_at]));
  feed_batch_unref(TAKE(s->backlog));
}

/* (4) */
static void free_if_over(struct event_stream *s) {
  if (!s->closed || s->errand.busy) return;
  buf_done(&s->own);
  errand_end(&s->errand);
  free(s);
}

static void stream_close(void *arg) {
  struct event_stream *s = arg;
  *s->link = s->next;
  if (s->next) s->next->link = s->link;
  feed_leave(s->errand.api->feed, s->errand.subject.business_id, s->errand.loop->index);
  metric_add(METRIC_EVENT_STREAMS, 0, -1);
  feed_event_unref(TAKE(s->sending));
  empty_queue(s);
  s->closed = true;
  free_if_over(s);
}

static void end(struct event_stream *s) {
  s->ending = true;
  http_wake(s->errand.x);
}

/* ---- what goes out ---- */

static struct str own_text(struct event_stream *s, enum err e) {
  return e == OK ? buf_str(&s->own) : STR_NONE;
}

static struct str take_reset(struct event_stream *s) {
  s->must_reset = false;
  return own_text(s, sse_add(&s->own, STR("reset"), s->reset_seq, STR("{}")));
}

static struct feed_event *take_event(struct event_stream *s) {
  if (s->backlog && s->backlog_at < s->backlog->count) return feed_event_ref(s->backlog->events[s->backlog_at++]);
  feed_batch_unref(TAKE(s->backlog));
  if (!s->queue_n) return NULL;
  struct feed_event *e = TAKE(s->queue[s->queue_at]);
  s->queue_at = (s->queue_at + 1) % QUEUE_MAX;
  s->queue_n--;
  return e;
}

static struct str take_text(struct event_stream *s) {
  feed_event_unref(TAKE(s->sending));
  buf_clear(&s->own);
  if (s->must_reset) return take_reset(s);
  if (!s->catching_up) s->sending = take_event(s);
  if (s->sending) return str_of(s->sending->text, s->sending->n);
  if (!s->comment_due) return STR_NONE;
  s->comment_due = false;
  return STR(SSE_COMMENT);
}

static void stream_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct event_stream *s = arg;
  struct str text = s->ending ? STR_NONE : s->opened ? take_text(s) : buf_str(&s->own);
  (void)x;
  s->opened = true;
  if (s->ending)
    *ret_piece = (struct http_piece){.kind = HTTP_PIECE_END};
  else if (text.n)
    *ret_piece = (struct http_piece){.kind = HTTP_PIECE_BYTES, .bytes = text};
  else
    *ret_piece = (struct http_piece){.kind = HTTP_PIECE_WAIT};
}

/* ---- what comes in ---- */

static void reset(struct event_stream *s, int64_t seq) {
  empty_queue(s);
  s->must_reset = s->was_reset = true;
  s->reset_seq = seq;
  s->after = seq;
}

/* (3) */
static void push(struct event_stream *s, struct feed_event *e) {
  if (e->seq <= s->after) return; /* (2) */
  if (s->queue_n == QUEUE_MAX) {
    reset(s, e->seq);
    return;
  }
  s->queue[(s->queue_at + s->queue_n++) % QUEUE_MAX] = feed_event_ref(e);
}

static void take_batch(struct event_stream *s, const struct feed_batch *batch) {
  if (batch->lost && batch->seq && batch->seq <= s->after) return; /* (2) */
  if (batch->lost)
    reset(s, batch->seq);
  else
    for (size_t i = 0; i < batch->count; i++) push(s, batch->events[i]);
  http_wake(s->errand.x);
}

static struct event_stream **bucket_of(struct api_loop *l, int64_t business_id) {
  return &l->streams[(uint64_t)business_id % STREAM_BUCKETS];
}

static void deliver_here(struct api_loop *l, const struct feed_batch *batch) {
  if (batch->business_id) {
    for (struct event_stream *s = *bucket_of(l, batch->business_id); s; s = s->next)
      if (s->errand.subject.business_id == batch->business_id) take_batch(s, batch);
    return;
  }
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) take_batch(s, batch);
}

struct hand_over {
  struct api_loop *loop;
  struct feed_batch *batch;
};

static void run_hand_over(void *arg) {
  struct hand_over *d = arg;
  deliver_here(d->loop, d->batch);
  feed_batch_unref(d->batch);
  free(d);
}

/* (any thread) What can't be posted is made up for by a reset, with the loop's next request or a stream's next comment. */
static bool deliver(void *arg, unsigned loop, struct feed_batch *batch) {
  struct api *a = arg;
  struct hand_over *d = a->server ? malloc(sizeof(*d)) : NULL;
  if (d) *d = (struct hand_over){&a->loops[loop], batch};
  if (d && http_loop_post(a->server, loop, run_hand_over, d) == OK) return true;
  free(d);
  atomic_fetch_or(&a->loops[loop].stale, STALE_STREAMS);
  return false;
}

void events_reset(struct api_loop *l) {
  deliver_here(l, &(struct feed_batch){.lost = true});
}

/* ---- catching up ---- */

static enum err run_catch_up(struct db *db, struct errand *e) {
  struct event_stream *s = stream_of(e);
  return feed_look(e->api->feed, db, e->subject.business_id, s->missed_after, &s->missed);
}

static void look_for_session(struct event_stream *s);

static void take_missed(struct event_stream *s) {
  s->after = s->missed->seq;
  while (s->queue_n && s->queue[s->queue_at]->seq <= s->after) feed_event_unref(take_event(s)); /* (2) */
  s->backlog = TAKE(s->missed);
  s->backlog_at = 0;
}

static void caught_up(struct errand *e) {
  struct event_stream *s = stream_of(e);
  s->catching_up = false;
  if (s->closed || s->was_reset)
    feed_batch_unref(TAKE(s->missed));
  else if (e->result == OK)
    take_missed(s);
  else
    reset(s, s->joined);
  if (s->closed) {
    free_if_over(s);
    return;
  }
  http_wake(e->x);
  if (s->must_check) look_for_session(s);
}

/* after: what the client saw last; -1: nothing that is an id of ours. */
static void catch_up(struct event_stream *s, int64_t after) {
  s->after = s->missed_after = after;
  s->catching_up = true;
  if (after >= 0 && errand_look(&s->errand, run_catch_up, caught_up) == OK) return;
  s->catching_up = false;
  reset(s, s->joined);
}

/* ---- who may listen ---- */

static enum err run_check(struct db *db, struct errand *e) {
  struct session row;
  return sessions_find(db, str_from(e->subject.session), e->now, &row);
}

static void checked(struct errand *e) {
  struct event_stream *s = stream_of(e);
  if (s->closed) {
    free_if_over(s);
    return;
  }
  if (e->result == ERR_NOT_FOUND) {
    end(s);
    return;
  }
  if (e->result == OK) e->subject.session_version = s->session_version;
  if (e->result == OK && s->must_check) look_for_session(s);
  if (e->result != OK) s->must_check = true; /* the database can't say: asked again with the next comment */
}

static void look_for_session(struct event_stream *s) {
  uint8_t digest[SHA256_SIZE];
  s->must_check = true;
  if (s->errand.busy) return;
  session_token_digest(str_from(s->errand.subject.session), digest);
  s->session_version = session_version(&s->errand.api->sessions, digest);
  s->must_check = errand_look(&s->errand, run_check, checked) != OK;
}

static void check(struct event_stream *s) {
  const struct subject *subject = &s->errand.subject;
  if (s->ending) return;
  enum err e = auth_still_admits(s->errand.loop, s->errand.x, subject);
  if (e == ERR_DENIED || (subject->expires_at && subject->expires_at <= clock_now_ms()))
    end(s);
  else if (e != OK)
    look_for_session(s);
}

void events_check(struct api_loop *l) {
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) check(s);
}

void events_drain(struct api_loop *l) {
  for (size_t i = 0; i < STREAM_BUCKETS; i++)
    for (struct event_stream *s = l->streams[i]; s; s = s->next) end(s);
}

/* ---- time ---- */

static void set_timer(struct event_stream *s);

static void time_passed(struct http_exchange *x, void *arg) {
  struct event_stream *s = arg;
  loop_see_to_stale(s->errand.loop);
  check(s);
  if (s->must_check && !s->ending) look_for_session(s);
  s->comment_due = true;
  set_timer(s);
  http_wake(x);
}

static void set_timer(struct event_stream *s) {
  int64_t left_ms = s->errand.subject.expires_at ? s->errand.subject.expires_at - clock_now_ms() + 1 : COMMENT_MS;
  http_timer(s->errand.x, left_ms < 1 ? 1 : left_ms < COMMENT_MS ? left_ms : COMMENT_MS, time_passed, s);
}

/* ---- what a change is told as ---- */

static enum err write_call(const struct api *a, struct db *db, const struct access_snapshot *access,
                           int64_t business_id, const char *call_sid, struct buf *b) {
  const struct access_business *own = access_find_business(access, business_id);
  return call_view_one(db, business_id, str_from(call_sid), own ? own->numbers : NULL, own ? own->number_count : 0,
                       a->path_base, db_now_ms(db), b);
}

static enum err write_change(void *arg, struct db *db, int64_t business_id, const struct feed_change *change,
                             struct buf *b, bool *ret_is_progress) {
  struct api *a = arg;
  if (change->kind == CHANGE_CALL) {
    struct access_snapshot *access = api_newest_access(a);
    enum err e = write_call(a, db, access, business_id, change->id, b);
    access_unref(access);
    return e;
  }
  struct recording row;
  TRY(recordings_get(db, business_id, str_from(change->id), &row));
  *ret_is_progress = row.status == RECORDING_DOWNLOADING && row.got > 0;
  return status_write(b, &row, a->path_base, db_now_ms(db));
}

struct feed_parts events_feed_parts(struct api *a) {
  return (struct feed_parts){.readers = a->parts.readers,
                             .loops = a->loop_count,
                             .seq = a->parts.seq,
                             .deliver = deliver,
                             .write = write_change,
                             .arg = a};
}

/* ---- the beginning ---- */

static struct event_stream *stream_new(const struct visit *v) {
  struct event_stream *s = calloc(1, sizeof(*s));
  if (!s) return NULL;
  errand_begin(&s->errand, v);
  buf_init(&s->own, OWN_TEXT_MAX);
  return s;
}

/* (1) */
static enum err enter(struct event_stream *s) {
  struct errand *e = &s->errand;
  struct event_stream **list = bucket_of(e->loop, e->subject.business_id);
  TRY(feed_join(e->api->feed, e->subject.business_id, e->loop->index, e->api->parts.conf->events_per_business,
                &s->joined));
  metric_add(METRIC_EVENT_STREAMS, 0, 1);
  s->link = list;
  s->next = *list;
  if (s->next) s->next->link = &s->next;
  *list = s;
  s->after = s->joined;
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
  problem_answer_err(x, e);
}

void api_events(void *arg, struct http_exchange *x) {
  struct visit *v = arg;
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
  enum err e = s ? enter(s) : ERR_NOMEM;
  if (e == OK && seen != 0 && seen != s->joined) catch_up(s, seen);
  if (e == OK) {
    set_timer(s);
    IGNORE(sse_add_opening(&s->own, RETRY_MS, seen ? 0 : s->joined)); /* without memory it says less */
    answer(s, x);
    return;
  }
  if (s) {
    errand_end(&s->errand);
    free(s);
  }
  refuse(x, e);
}
