/* api_live_body.c - a body that is sent while it arrives.
 *
 *   next: bytes are there --> a piece of the file
 *         none yet --------> WAIT --on_extend, on the writer's thread: wakes the exchange--> next
 *         DONE ------------> END            BROKEN --> the connection is cut
 *
 * Invariants
 *  (1) A piece lies within what was committed, and its descriptor is held until the next one is asked for.
 *  (2) A listener waits in the tape's list only while it has its exchange; closing takes it out first.
 *  (3) Who asked must still be let in while bytes are given: looked at every CHECK_MS, a session that may have ended in the
 *      database. The answer is cut then.
 *  (4) It is freed once: closed, and no look under way. */
#include "api/media/api_live_body.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/auth/api_session_lookup.h"
#include "api/media/api_open_files.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "http/range.h"

enum { CHECK_MS = 1000, PIECE_MAX = 1024 * 1024 };

struct live {
  struct db_call db_call; /* of (3); holds the exchange */
  struct tape *tape;
  struct tape_listener listener;
  struct tape_bytes *bytes; /* that the last piece is read from (1) */
  int64_t at;               /* the next byte */
  int64_t end;              /* behind the last one; -1: the tape's */
  bool closed;
};

static struct live *live_of(struct db_call *e) {
  return (struct live *)(void *)e;
} /* its first member */

/* ---- the source ---- */

static void on_extend(void *arg) {
  struct live *l = arg;
  http_wake_from_elsewhere(l->db_call.x);
}

static void hold(struct live *l, struct tape_bytes *bytes) {
  tape_bytes_unref(l->bytes);
  l->bytes = bytes;
}

static void next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct live *l = arg;
  struct tape_view view = tape_wait_extend(l->tape, l->at, &l->listener);
  int64_t end = l->end >= 0 && l->end < view.committed ? l->end : view.committed;
  (void)x;
  hold(l, view.bytes);
  if (l->at < end) {
    int64_t length = end - l->at < PIECE_MAX ? end - l->at : PIECE_MAX;
    *ret_piece =
        (struct http_piece){.kind = HTTP_PIECE_FILE, .fd = tape_bytes_fd(l->bytes), .offset = l->at, .length = length};
    l->at += length;
    return;
  }
  ret_piece->kind = view.state == TAPE_OPEN   ? HTTP_PIECE_WAIT
                    : view.state == TAPE_DONE ? HTTP_PIECE_END
                                              : HTTP_PIECE_BROKEN;
}

static void let_go(struct live *l) {
  if (!l->closed || l->db_call.busy) return; /* (4) */
  tape_unref(l->tape);
  db_call_end(&l->db_call);
  free(l);
}

static void body_closed(void *arg) {
  struct live *l = arg;
  tape_stop_waiting(l->tape, &l->listener); /* (2) */
  hold(l, NULL);
  http_timer(l->db_call.x, -1, NULL, NULL);
  l->closed = true;
  let_go(l);
}

static const struct http_source source = {next, body_closed};

/* ---- who listens ---- */

static void check(struct http_exchange *x, void *arg);

static void session_looked_up(struct db_call *e) {
  struct live *l = live_of(e);
  if (l->closed)
    let_go(l);
  else if (e->result == ERR_DENIED)
    http_abort(e->x); /* closes, and frees it */
  else
    http_timer(e->x, CHECK_MS, check, l);
}

static enum err look_for_session(struct db *db, struct db_call *e) {
  return session_still_there(db, e);
}

/* (3) */
static void check(struct http_exchange *x, void *arg) {
  struct live *l = arg;
  struct db_call *e = &l->db_call;
  switch (auth_still_admits(e->loop, x, &e->subject)) {
    case OK:
      break;
    case ERR_NOT_YET:
      session_renew_version(e);
      if (db_call_read(e, look_for_session, session_looked_up) == OK) return;
      break; /* no reader is free: in a moment */
    default:
      http_abort(x);
      return;
  }
  http_timer(x, CHECK_MS, check, l);
}

/* ---- the answer ---- */

/* As the open_files would have it, but that its length may be unknown: -1. */
static struct open_file item_of(const struct live_ask *ask) {
  const struct tape_head *head = tape_head(ask->tape);
  struct tape_view view = tape_wait_extend(ask->tape, 0, NULL);
  struct open_file item = {.bytes = view.state == TAPE_DONE ? view.committed : head->announced_bytes,
                           .modified_s = head->modified_at / 1000,
                           .by_call = ask->by_call};
  tape_bytes_unref(view.bytes);
  memcpy(item.recording_sid, head->recording_sid, sizeof(item.recording_sid));
  memcpy(item.etag, head->etag, sizeof(item.etag));
  memcpy(item.content_type, head->content_type, sizeof(item.content_type));
  return item;
}

static struct http_representation representation_of(const struct open_file *item) {
  return (struct http_representation){str_from(item->etag), item->modified_s, item->bytes};
}

bool live_may_lack_length(const struct http_request *r) {
  return r->minor > 0 || r->method == HTTP_HEAD;
}

bool live_can_answer(const struct http_request *r, struct tape *tape) {
  const struct live_ask ask = {.tape = tape};
  const struct open_file item = item_of(&ask);
  const struct http_representation have = representation_of(&item);
  int64_t first, last;
  if (item.bytes >= 0 || http_select(r, &have, &first, &last) != HTTP_SELECT_WHOLE) return true;
  struct http_range range = http_range_wanted(r, &have);
  bool from_start = range.kind == HTTP_RANGE_NONE || (range.kind == HTTP_RANGE_FROM && range.first == 0);
  return from_start && live_may_lack_length(r);
}

static struct live *live_new(const struct live_ask *ask, int64_t first, int64_t end) {
  struct live *l = calloc(1, sizeof(*l));
  if (!l) return NULL;
  db_call_begin_for(&l->db_call, ask->loop, ask->x, ask->subject);
  l->tape = tape_ref(ask->tape);
  l->listener = (struct tape_listener){.on_extend = on_extend, .arg = l};
  l->at = first;
  l->end = end;
  return l;
}

/* Bytes [first, end) of the tape; end -1: to where it ends. */
static void respond(const struct live_ask *ask, int status, const struct http_fields *f, int64_t first, int64_t end) {
  struct live *l = live_new(ask, first, end);
  if (!l) {
    problem_answer_err(ask->x, ERR_NOMEM);
    return;
  }
  const struct http_body body = {
      .kind = HTTP_BODY_SOURCE, .length = end < 0 ? -1 : end - first, .source = &source, .source_arg = l};
  http_timer(ask->x, CHECK_MS, check, l); /* ends with the body */
  http_respond(ask->x, status, f, &body);
}

void live_answer(const struct live_ask *ask) {
  struct http_fields f;
  struct open_file item = item_of(ask);
  const struct http_representation have = representation_of(&item);
  const struct http_body none = {.kind = HTTP_BODY_NONE};
  bool is_download = ask->disposition.n > 0;
  int64_t first, last;
  media_fields(ask->loop->api, &f, &item, ask->source, is_download);
  if (is_download) http_field(&f, STR("Content-Disposition"), ask->disposition);
  answer_origin(ask->x, &f);
  switch (http_select(http_request(ask->x), &have, &first, &last)) {
    case HTTP_SELECT_WHOLE:
      respond(ask, 200, &f, 0, item.bytes);
      return;
    case HTTP_SELECT_PART:
      answer_content_range(&f, first, last, item.bytes);
      respond(ask, 206, &f, first, last + 1);
      return;
    case HTTP_SELECT_UNCHANGED:
      http_respond(ask->x, 304, &f, &none);
      return;
    case HTTP_SELECT_FAILED:
      media_refuse(ask->loop->api, ask->x, &item, is_download, PROBLEM_PRECONDITION_FAILED);
      return;
    case HTTP_SELECT_UNSATISFIABLE:
      media_refuse(ask->loop->api, ask->x, &item, is_download, PROBLEM_RANGE_NOT_SATISFIABLE);
      return;
  }
}
