/* db_call.h - a request that goes to the database and comes back to its loop.
 *
 *   struct look { struct db_call db_call; … };
 *   db_call_begin(&l->db_call, api_request);
 *   e = db_call_read(&l->db_call, look, back);   look runs on a reader, then back on the loop, result is what look returned
 *   … in back, last: http_respond; db_call_end(&l->db_call); free(l);
 *
 * Invariants: the exchange is held from begin to end; at most one look or write is under way; back runs exactly once for
 * each that db_call_read or db_call_write took (OK), also when the peer is gone.
 * Thread rule: the loop's, but `look` and `run`, which see nothing of the exchange but what they were given. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "base/metric.h"

enum { WRITE_BEGIN_MS = 10 * 1000, WEBHOOK_COMMIT_MS = 5000 };

struct db_call {
  struct api *api;
  struct api_loop *loop;
  struct http_exchange *x;
  struct subject subject;
  enum err (*act)(struct db *db, struct db_call *e); /* what is under way */
  void (*back)(struct db_call *e);
  enum err result;
  int64_t now; /* the database's, when it last looked or wrote */
  bool busy;
  bool keeps_catalog;  /* set by who writes what no answer about calls and recordings shows */
  const char *changed; /* the SID of the recording that a write changes, set by who writes; NULL: of none, or of many */
  bool outlives_caller; /* set by who writes what is to be done also when the caller has left before its turn comes */
  int64_t asked_ms;     /* mono: when the write was asked for */
};

void db_call_begin(struct db_call *e, const struct api_request *v);
/* The same for an exchange whose api_request is over. */
void db_call_begin_for(struct db_call *e, struct api_loop *loop, struct http_exchange *x,
                       const struct subject *subject);
/* Answers with a body that may be large: it counts against what the business may have under way. 429 past that, 503 past
 * what the process may have. */
void db_call_answer_large(struct db_call *e, struct http_fields *f, struct str content_type, struct str body);
void db_call_end(struct db_call *e);
/* ERR_BUSY, ERR_CLOSED: it will not come back. */
CHECKED enum err db_call_read(struct db_call *e, enum err (*look)(struct db *db, struct db_call *e),
                              void (*back)(struct db_call *e));
/* As a job of the writer by that name. A METRIC_JOB_WEBHOOK goes before what people do, and is begun within WEBHOOK_COMMIT_MS or
 * not at all; another is begun within WRITE_BEGIN_MS or not at all (ERR_BUSY), and not when its caller has left (ERR_CLOSED),
 * unless it outlives the caller. */
CHECKED enum err db_call_write(struct db_call *e, enum metric_label_JOB name,
                               enum err (*run)(struct db *db, struct db_call *e), void (*back)(struct db_call *e));

/* For other ways than these two: back will run on the loop when db_call_return was called, once, on any thread. */
CHECKED enum err db_call_leave(struct db_call *e, void (*back)(struct db_call *e));
void db_call_return(struct db_call *e, enum err result);
/* After db_call_leave, of what could not be begun: it will not come back. Returns failed. */
enum err db_call_stay(struct db_call *e, enum err failed);
