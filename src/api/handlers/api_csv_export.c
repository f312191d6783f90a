/* api_csv_export.c - see api_csv_export.h.
 *
 *   the first page is read --failed--> a problem
 *        `--> 200; csv_next: the page --sent--> the next page is read --csv_on_page--> … --no more--> the body ends
 *
 * Invariants
 *  (1) At most one page is in memory, and none is read before the one before was sent: a slow client holds no transaction, no
 *      reader, and page_max bytes.
 *  (2) Each page is a read of its own, which takes turns with other reads and has their deadline.
 *  (3) The subject must still be admitted when a page is begun. If it is not, or a page fails, the connection is cut, so that no
 *      client takes the file for whole.
 *  (4) It is freed once: when the body is closed and no read is under way. It then leaves the count of its business. */
#include "api/handlers/api_csv_export.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/auth/api_session_lookup.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_quota.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/clock.h"

enum { EXPORTS_PER_BUSINESS = 2, BUSY_RETRY_MS = 200 };

struct csv_export {
  struct db_call db_call;
  const struct csv_list *list;
  void *filter; /* owned */
  struct buf page;
  bool more;          /* rows follow the page */
  bool check_session; /* the next read looks whether the session is still there */
  bool answered;      /* the body is open, or was */
  bool sent;          /* the page was handed out */
  bool waiting;       /* for the readers: the timer begins the next page */
  bool broken;
  bool closed;
};

/* db_call is the first member. */
static struct csv_export *csv_export_of(struct db_call *c) {
  return (struct csv_export *)(void *)c;
}

static void csv_free(struct csv_export *e) {
  quota_give_back(e->db_call.api->exports, e->db_call.subject.business_id, 1); /* (4) */
  db_call_end(&e->db_call);
  e->list->free(e->filter);
  buf_done(&e->page);
  free(e);
}

/* Takes filter. NULL: a problem was answered. */
static struct csv_export *csv_new(const struct api_request *req, const struct csv_list *list, void *filter) {
  struct quota *exports = req->api->exports;
  int64_t business_id = req->subject.business_id;
  struct csv_export *e = NULL;
  bool has_place = quota_add(exports, business_id, 1, EXPORTS_PER_BUSINESS);
  if (has_place) e = calloc(1, sizeof(*e));
  if (e) {
    db_call_begin(&e->db_call, req);
    e->list = list;
    e->filter = filter;
    buf_init(&e->page, list->page_max);
    return e;
  }
  list->free(filter);
  if (has_place) {
    quota_give_back(exports, business_id, 1);
    problem_answer_err(req->x, ERR_NOMEM);
  } else {
    problem_answer_detail(req->x, PROBLEM_TOO_MANY_REQUESTS,
                          "Two exports of this business are under way. Try again later.");
  }
  return NULL;
}

static enum err csv_read_page(struct db *db, struct db_call *c) {
  struct csv_export *e = csv_export_of(c);
  if (e->check_session) TRY(session_still_there(db, c)); /* (3) */
  return e->list->read_page(db, c, e->filter, !e->answered, &e->page, &e->more);
}

/* ---- the body ---- */

static void csv_free_if_over(struct csv_export *e) {
  if (e->closed && !e->db_call.busy) csv_free(e); /* (4) */
}

static void csv_on_page(struct db_call *c) {
  struct csv_export *e = csv_export_of(c);
  if (e->closed) {
    csv_free_if_over(e);
    return;
  }
  e->broken = c->result != OK;
  http_wake(c->x);
}

static void csv_begin_page(struct http_exchange *x, void *arg) {
  struct csv_export *e = arg;
  struct db_call *c = &e->db_call;
  e->waiting = false;
  enum err admitted = auth_still_admits(c->loop, x, &c->subject);
  e->check_session = admitted == ERR_NOT_YET;
  if (e->check_session) session_renew_version(c);
  enum err failed = admitted == OK || e->check_session ? db_call_read(c, csv_read_page, csv_on_page) : ERR_DENIED;
  if (failed == OK) return;
  if (failed == ERR_BUSY) { /* the readers' queue is full */
    e->waiting = true;
    http_timer(x, BUSY_RETRY_MS, csv_begin_page, e);
    return;
  }
  e->broken = true;
  http_wake(x);
}

/* Is called when the piece before was sent. */
static void csv_next(void *arg, struct http_exchange *x, struct http_piece *ret_piece) {
  struct csv_export *e = arg;
  ret_piece->kind = HTTP_PIECE_WAIT;
  if (e->broken) {
    ret_piece->kind = HTTP_PIECE_BROKEN; /* (3) */
  } else if (e->db_call.busy || e->waiting) {
    return;
  } else if (!e->sent && e->page.n) {
    *ret_piece = (struct http_piece){.kind = HTTP_PIECE_BYTES, .bytes = buf_str(&e->page)};
    e->sent = true;
  } else if (!e->more) {
    ret_piece->kind = HTTP_PIECE_END;
  } else {
    buf_clear(&e->page); /* (1) */
    e->sent = false;
    csv_begin_page(x, e);
  }
}

static void csv_closed(void *arg) {
  struct csv_export *e = arg;
  http_timer(e->db_call.x, -1, NULL, NULL);
  e->closed = true;
  csv_free_if_over(e);
}

/* ---- the answer ---- */

static void csv_answer(struct csv_export *e) {
  static const struct http_source source = {.next = csv_next, .close = csv_closed};
  const struct http_body body = {.kind = HTTP_BODY_SOURCE, .length = -1, .source = &source, .source_arg = e};
  struct http_exchange *x = e->db_call.x;
  struct http_fields f;
  char now[DATE_TEXT_SIZE];
  date_format_rfc3339(e->db_call.now, now);
  answer_fields(&f);
  answer_lines(&f, STR("Content-Type: text/csv; charset=utf-8; header=present\r\nX-Accel-Buffering: no\r\n"));
  http_fieldf(&f, STR("Content-Disposition"), "attachment; filename=\"%s_%.10s.csv\"", e->list->name, now);
  answer_origin(x, &f);
  e->answered = true;
  if (http_request(x)->method == HTTP_GET)
    audit_playback(e->db_call.loop, x, &e->db_call.subject, str_from(e->list->name), AUDIT_LIST_EXPORT);
  http_respond(x, 200, &f, &body); /* may free e */
}

static void csv_on_first_page(struct db_call *c) {
  struct csv_export *e = csv_export_of(c);
  if (c->result == OK) {
    csv_answer(e);
    return;
  }
  if (c->result == ERR_INVALID)
    problem_answer_field(c->x, str_from(e->list->bad_field));
  else
    problem_answer_err(c->x, c->result);
  csv_free(e);
}

void csv_export_begin(const struct api_request *req, const struct csv_list *list, void *filter) {
  struct csv_export *e = csv_new(req, list, filter);
  if (!e) return;
  enum err failed = db_call_read(&e->db_call, csv_read_page, csv_on_first_page);
  if (failed == OK) return;
  problem_answer_err(req->x, failed);
  csv_free(e);
}
