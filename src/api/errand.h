/* errand.h - a request that goes to the database and comes back to its loop.
 *
 *   struct look { struct errand errand; … };
 *   errand_begin(&l->errand, visit);
 *   e = errand_look(&l->errand, look, back);   look runs on a reader, then back on the loop, result is what look returned
 *   … in back, last: http_respond; errand_end(&l->errand); free(l);
 *
 * Invariants: the exchange is held from begin to end; at most one look or write is under way; back runs exactly once for
 * each that errand_look or errand_write took (OK), also when the peer is gone.
 * Thread rule: the loop's, but `look` and `run`, which see nothing of the exchange but what they were given. */
#pragma once

#include "api/api_internal.h"
#include "base/metric.h"

enum { WRITE_BEGIN_MS = 10 * 1000 };

struct errand {
  struct api *api;
  struct api_loop *loop;
  struct http_exchange *x;
  struct subject subject;
  enum err (*act)(struct db *db, struct errand *e); /* what is under way */
  void (*back)(struct errand *e);
  enum err result;
  int64_t now; /* the database's, when it last looked or wrote */
  bool busy;
  bool keeps_catalog; /* set by who writes what no answer about calls and recordings shows */
  const char *changed; /* the SID of the recording that a write changes, set by who writes; NULL: of none, or of many */
  bool outlives_caller; /* set by who writes what is to be done also when the caller has left before its turn comes */
  int64_t asked_ms;     /* mono: when the write was asked for */
};

void errand_begin(struct errand *e, const struct visit *v);
/* The same for an exchange whose visit is over. */
void errand_begin_for(struct errand *e, struct api_loop *loop, struct http_exchange *x, const struct subject *subject);
/* Answers with a body that may be large: it counts against what the business may have under way. 429 past that, 503 past
 * what the process may have. */
void errand_answer_large(struct errand *e, struct http_fields *f, struct str content_type, struct str body);
void errand_end(struct errand *e);
/* ERR_BUSY, ERR_CLOSED: it will not come back. */
CHECKED enum err errand_look(struct errand *e, enum err (*look)(struct db *db, struct errand *e),
                             void (*back)(struct errand *e));
/* As a job of the writer by that name. A METRIC_JOB_WEBHOOK goes before what people do, and is begun within WEBHOOK_COMMIT_MS or
 * not at all; another is begun within WRITE_BEGIN_MS or not at all (ERR_BUSY), and not when its caller has left (ERR_CLOSED),
 * unless it outlives the caller. */
CHECKED enum err errand_write(struct errand *e, enum metric_label_JOB name, enum err (*run)(struct db *db, struct errand *e),
                              void (*back)(struct errand *e));

/* For other ways than these two: back will run on the loop when errand_return was called, once, on any thread. */
CHECKED enum err errand_leave(struct errand *e, void (*back)(struct errand *e));
void errand_return(struct errand *e, enum err result);
/* After errand_leave, of what could not be begun: it will not come back. Returns failed. */
enum err errand_stay(struct errand *e, enum err failed);

/* ---- api_look_session.c: of errands that take long, whose subject came by a cookie ---- */

/* On the loop, before a look that calls session_still_there. */
void session_renew_version(struct errand *e);
/* On a reader. ERR_DENIED: its session ended; OK too for who has none. */
CHECKED enum err session_still_there(struct db *db, const struct errand *e);
