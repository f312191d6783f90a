/* api_live_body.c - a body that is sent while the recording arrives.
 *
 *   live_body_next     the tape has bytes     -> a piece of the part
 *                      TAPE_OPEN and no bytes -> WAIT; live_body_on_extend wakes the exchange
 *                      TAPE_DONE              -> the body ends
 *                      TAPE_BROKEN            -> the connection is cut
 *
 * Invariants
 *  (1) A piece lies within the committed bytes, and its descriptor is held until the next piece is asked for.
 *  (2) The listener is in the tape's list only while the body is open; live_body_closed takes it out first.
 *  (3) The subject must stay admitted while bytes are sent. That is checked every CHECK_MS; a session that may have
 *      ended is looked up in the database. If the subject is not admitted any more, the answer is cut.
 *  (4) It is freed once: when the body is closed and no database call is under way. */
#include "api/media/api_live_body.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/auth/api_session_lookup.h"
#include "api/media/api_media_cut.h"
#include "api/media/api_open_files.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "http/range.h"

enum { CHECK_MS = 1000, PIECE_MAX = 1024 * 1024 };

struct live_body {
  struct db_call db_call; /* first; for the session (3); holds the exchange */
  struct tape *tape;
  struct tape_listener listener;
  struct tape_bytes *bytes; /* the newest piece is read from these (1) */
  int64_t at;               /* the offset of the next byte */
  int64_t end;              /* the offset behind the last byte; -1: the tape's end */
  bool closed;
};

static struct live_body *live_body_of(struct db_call *c) {
  return (struct live_body *)(void *)c; /* its first member */
}

/* ---- the source ---- */

/* On the writer's thread. */
static void live_body_on_extend(void *arg) {
  struct live_body *l = arg;
  http_wake_from_elsewhere(l->db_call.x);
}

static void live_body_hold_bytes(struct live_body *l, struct tape_bytes *bytes) {
  tape_bytes_unref(l->bytes);
  l->bytes = bytes;
}

static void live_body_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct live_body *l = arg;
  struct tape_view view = tape_wait_extend(l->tape, l->at, &l->listener);
  int64_t end = l->end >= 0 && l->end < view.committed ? l->end : view.committed;
  (void)x;
  live_body_hold_bytes(l, view.bytes);
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

static void live_body_free_if_over(struct live_body *l) {
  if (!l->closed || l->db_call.busy) return; /* (4) */
  tape_unref(l->tape);
  db_call_end(&l->db_call);
  free(l);
}

static void live_body_closed(void *arg) {
  struct live_body *l = arg;
  tape_stop_waiting(l->tape, &l->listener); /* (2) */
  live_body_hold_bytes(l, NULL);
  http_timer(l->db_call.x, -1, NULL, NULL);
  l->closed = true;
  live_body_free_if_over(l);
}

static const struct http_source live_body_source = {live_body_next, live_body_closed};

/* ---- access ---- */

static void live_body_check_access(struct http_exchange *x, void *arg);

static void live_body_on_session(struct db_call *c) {
  struct live_body *l = live_body_of(c);
  if (l->closed)
    live_body_free_if_over(l);
  else if (c->result == ERR_DENIED)
    http_abort(c->x); /* live_body_closed frees it */
  else
    http_timer(c->x, CHECK_MS, live_body_check_access, l);
}

static enum err live_body_read_session(struct db *db, struct db_call *c) {
  return session_still_there(db, c);
}

/* (3) */
static void live_body_check_access(struct http_exchange *x, void *arg) {
  struct live_body *l = arg;
  struct db_call *c = &l->db_call;
  switch (auth_still_admits(c->loop, x, &c->subject)) {
    case OK:
      break;
    case ERR_NOT_YET:
      session_renew_version(c);
      if (db_call_read(c, live_body_read_session, live_body_on_session) == OK) return;
      break; /* the readers are busy: the timer tries again */
    default:
      http_abort(x);
      return;
  }
  http_timer(x, CHECK_MS, live_body_check_access, l);
}

/* ---- the answer ---- */

/* Describes the tape as a ready recording's open file. bytes is -1 if the length is not known yet. */
static struct open_file open_file_from_tape(const struct live_body_request *request) {
  const struct tape_head *head = tape_head(request->tape);
  struct tape_view view = tape_wait_extend(request->tape, 0, NULL);
  struct open_file item = {.bytes = view.state == TAPE_DONE ? view.committed : head->announced_bytes,
                           .modified_s = head->modified_at / 1000,
                           .by_call = request->by_call};
  tape_bytes_unref(view.bytes);
  memcpy(item.recording_sid, head->recording_sid, sizeof(item.recording_sid));
  memcpy(item.etag, head->etag, sizeof(item.etag));
  memcpy(item.content_type, head->content_type, sizeof(item.content_type));
  return item;
}

static struct http_representation representation_of(const struct open_file *item) {
  return (struct http_representation){str_from(item->etag), item->modified_s, item->bytes};
}

bool live_body_may_lack_length(const struct http_request *r) {
  return r->minor > 0 || r->method == HTTP_HEAD;
}

bool live_body_can_answer(const struct http_request *r, struct tape *tape) {
  const struct live_body_request request = {.tape = tape};
  const struct open_file item = open_file_from_tape(&request);
  const struct http_representation have = representation_of(&item);
  int64_t first, last;
  if (item.bytes >= 0 || http_select(r, &have, &first, &last) != HTTP_SELECT_WHOLE) return true;
  struct http_range range = http_range_requested(r, &have);
  bool from_start = range.kind == HTTP_RANGE_NONE || (range.kind == HTTP_RANGE_FROM && range.first == 0);
  return from_start && live_body_may_lack_length(r);
}

static struct live_body *live_body_new(const struct live_body_request *request, int64_t first, int64_t end) {
  struct live_body *l = calloc(1, sizeof(*l));
  if (!l) return NULL;
  db_call_begin_for(&l->db_call, request->loop, request->x, request->subject);
  l->tape = tape_ref(request->tape);
  l->listener = (struct tape_listener){.on_extend = live_body_on_extend, .arg = l};
  l->at = first;
  l->end = end;
  return l;
}

/* Sends bytes [first, end) of the tape; end -1: up to the tape's end. */
static void live_body_respond(const struct live_body_request *request, int status, const struct http_fields *f,
                              int64_t first, int64_t end) {
  struct live_body *l = live_body_new(request, first, end);
  if (!l) {
    problem_answer_err(request->x, ERR_NOMEM);
    return;
  }
  const struct http_body body = {
      .kind = HTTP_BODY_SOURCE, .length = end < 0 ? -1 : end - first, .source = &live_body_source, .source_arg = l};
  http_timer(request->x, CHECK_MS, live_body_check_access, l); /* live_body_closed stops it */
  media_tag_answer(request->x, request->subject, tape_head(request->tape)->recording_sid);
  http_respond(request->x, status, f, &body);
}

void live_body_answer(const struct live_body_request *request) {
  struct http_fields f;
  struct open_file item = open_file_from_tape(request);
  const struct http_representation have = representation_of(&item);
  const struct http_body none = {.kind = HTTP_BODY_NONE};
  bool is_download = request->disposition.n > 0;
  int64_t first, last;
  media_response_fields(request->loop->api, &f, &item, request->cache_status, is_download);
  if (is_download) http_field(&f, STR("Content-Disposition"), request->disposition);
  answer_origin(request->x, &f);
  switch (http_select(http_request(request->x), &have, &first, &last)) {
    case HTTP_SELECT_WHOLE:
      live_body_respond(request, 200, &f, 0, item.bytes);
      return;
    case HTTP_SELECT_PART:
      answer_content_range(&f, first, last, item.bytes);
      live_body_respond(request, 206, &f, first, last + 1);
      return;
    case HTTP_SELECT_UNCHANGED:
      http_respond(request->x, 304, &f, &none);
      return;
    case HTTP_SELECT_FAILED:
      media_response_refuse(request->loop->api, request->x, &item, is_download, PROBLEM_PRECONDITION_FAILED);
      return;
    case HTTP_SELECT_UNSATISFIABLE:
      media_response_refuse(request->loop->api, request->x, &item, is_download, PROBLEM_RANGE_NOT_SATISFIABLE);
      return;
  }
}
