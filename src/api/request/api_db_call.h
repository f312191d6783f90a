/* api_db_call.h - a request's read or write of the database, which continues on the request's loop.
 *
 *   struct example { struct db_call db_call; … };               db_call is the first member
 *   db_call_begin(&x->db_call, request);
 *   e = db_call_read(&x->db_call, example_read, example_on_row);
 *   example_read(db, c) runs on a reader thread; then example_on_row(c) runs on the loop, c->result is what it returned
 *   at the end of example_on_row: answer c->x; db_call_end(c); free(x);
 *
 * At most one read or write is under way. on_done may begin the next one instead of ending the call.
 * Thread rule: the exchange's loop, except the function `run`, which must not touch the exchange, and db_call_finish. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "base/metric.h"

enum {
  WRITE_BEGIN_MS = 10 * 1000, /* a write of a person or host begins within this time or not at all */
  WEBHOOK_BEGIN_MS = 5000,    /* a webhook's write begins within this time or not at all */
};

struct db_call {
  struct api *api;
  struct api_loop *loop;
  struct http_exchange *x; /* held */
  struct subject subject;
  enum err (*run)(struct db *db, struct db_call *c); /* what is under way */
  void (*on_done)(struct db_call *c);
  enum err result;  /* of the last read or write */
  int64_t now;      /* wall clock of the database when run began, ms */
  int64_t begun_ms; /* mono: when the write was begun */
  bool busy;
  char ip[CLIENT_ADDRESS_SIZE]; /* of the client; set by db_call_write, except for webhooks */
  /* Set these before db_call_write: */
  bool leaves_catalog_unchanged;     /* the write changes nothing that cached answers about calls and recordings show */
  bool outlives_caller;              /* the write is done even if the client leaves before it begins */
  const char *changed_recording_sid; /* the recording that the write changes; NULL: none, or many */
  enum err (*run_set)(struct db *db, struct db_call *const *calls, int count); /* of a webhook (db_writer.h) */
};

/* Copies what it needs of req and holds the exchange. The caller calls db_call_end. */
void db_call_begin(struct db_call *c, const struct api_request *req);
/* The same for an exchange whose api_request no longer exists. */
void db_call_begin_for(struct db_call *c, struct api_loop *loop, struct http_exchange *x,
                       const struct subject *subject);
void db_call_end(struct db_call *c);

/* Runs `run` on a reader thread. ERR_BUSY (the readers' queue is full), ERR_CLOSED (the peer has gone): nothing runs. */
CHECKED enum err db_call_read(struct db_call *c, enum err (*run)(struct db *db, struct db_call *c),
                              void (*on_done)(struct db_call *c));
/* Runs `run` as a job of the writer; name is the job's name in metrics. A METRIC_JOB_WEBHOOK goes after leases and before
 * edits (db_writer.h, 5), and begins within WEBHOOK_BEGIN_MS or not at all. Any other job begins within WRITE_BEGIN_MS or
 * not at all (result ERR_BUSY), and does not begin if the client has left (result ERR_CLOSED) unless outlives_caller is set.
 * Errors as db_call_read. */
CHECKED enum err db_call_write(struct db_call *c, enum metric_label_JOB name,
                               enum err (*run)(struct db *db, struct db_call *c), void (*on_done)(struct db_call *c));

/* For work on threads other than the database's: call db_call_start, then hand the work over. The work calls db_call_finish once,
 * on any thread; on_done then runs on the loop. ERR_CLOSED: the peer has gone. */
CHECKED enum err db_call_start(struct db_call *c, void (*on_done)(struct db_call *c));
void db_call_finish(struct db_call *c, enum err result);
/* After db_call_start, if the work could not be handed over: on_done will not run. Returns failed. */
enum err db_call_cancel(struct db_call *c, enum err failed);

/* Answers 200 with a body that may be large. A large body counts against a limit until it is sent: over the business's limit
 * the answer is 429, over the process's 503. */
void db_call_answer_large(struct db_call *c, struct http_fields *f, struct str content_type, struct str body);
