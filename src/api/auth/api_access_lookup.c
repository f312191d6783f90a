/* api_access_lookup.c - see api_access_lookup.h.
 *
 *   access_lookup_* --read--> it is not there --> resume, which refuses
 *                      `--> it is there --the snapshot has it--> resume
 *                              `--WAITING (in the loop's list)--a snapshot has it--> resume
 *                                   |--SNAPSHOT_MS are over--> 503
 *                                   `--the exchange ends--> freed
 *
 * Invariants
 *  (1) A subject is made from the snapshot alone, never from the row that was read. So an answer that takes long is judged by
 *      the same state that admitted it.
 *  (2) While it waits, the exchange's timer and its function for the end belong to the lookup. */
#include "api/auth/api_access_lookup.h"

#include <stdlib.h>

#include "api/auth/api_auth.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/metric.h"
#include "ledger/businesses.h"
#include "ledger/keys.h"

enum { SNAPSHOT_MS = 2000 };

struct access_lookup {
  struct db_call db_call; /* first */
  request_resume_fn *resume;
  char token[KEY_TEXT_SIZE]; /* "": a business is looked up */
  int64_t business_id;
  int64_t until_ms;                   /* mono */
  struct access_lookup *next, **link; /* in the loop's list, while it waits */
};

static void access_lookup_free(struct access_lookup *l) {
  db_call_end(&l->db_call);
  secret_wipe(l->token, sizeof(l->token));
  free(l);
}

static bool access_lookup_is_known(const struct access_lookup *l) {
  const struct access_snapshot *access = l->db_call.loop->access;
  if (l->token[0]) return auth_find_key(access, str_from(l->token));
  return access_find_business(access, l->business_id);
}

/* ---- waiting for a snapshot ---- */

static void access_lookup_leave_list(struct access_lookup *l) {
  *l->link = l->next;
  if (l->next) l->next->link = l->link;
  http_timer(l->db_call.x, -1, NULL, NULL);
  http_on_end(l->db_call.x, NULL, NULL);
}

static void access_lookup_on_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  (void)x, (void)complete, (void)sent;
  access_lookup_leave_list(arg);
  access_lookup_free(arg);
}

static void access_lookup_on_timer(struct http_exchange *x, void *arg) {
  struct access_lookup *l = arg;
  bool is_known = access_lookup_is_known(l);
  int64_t left_ms = l->until_ms - clock_mono_ms();
  if (!is_known && left_ms > 0) {
    http_timer(x, left_ms, access_lookup_on_timer, l);
    return;
  }
  access_lookup_leave_list(l);
  if (is_known)
    l->resume(l->db_call.api, x, NULL); /* (1) */
  else
    problem_answer(x, PROBLEM_BUSY, NULL);
  access_lookup_free(l);
}

static void access_lookup_join_list(struct access_lookup *l) {
  struct api_loop *loop = l->db_call.loop;
  l->until_ms = clock_mono_ms() + SNAPSHOT_MS;
  l->link = &loop->lookups;
  l->next = loop->lookups;
  if (l->next) l->next->link = &l->next;
  loop->lookups = l;
  http_on_end(l->db_call.x, access_lookup_on_end, l); /* (2) */
  http_timer(l->db_call.x, SNAPSHOT_MS, access_lookup_on_timer, l);
}

/* Their timers end soon, behind what the loop does now. */
void access_lookup_check_all(struct api_loop *loop) {
  for (struct access_lookup *l = loop->lookups; l; l = l->next) http_timer(l->db_call.x, 0, access_lookup_on_timer, l);
}

/* ---- reading ---- */

static enum err access_lookup_read(struct db *db, struct db_call *c) {
  const struct access_lookup *l = (const struct access_lookup *)(const void *)c;
  struct key key;
  struct business row CLEANUP(business_done) = {0};
  if (l->token[0]) return keys_find_live(db, str_from(l->token), c->now, &key);
  return businesses_get(db, NULL, l->business_id, &row);
}

static void access_lookup_on_read(struct db_call *c) {
  struct access_lookup *l = (struct access_lookup *)(void *)c;
  const struct session_seen none = {.is_there = false};
  metric_add(METRIC_ACCESS_LOOKUPS, 0, 1);
  loop_apply_pending(c->loop);
  bool is_known = access_lookup_is_known(l);
  if (c->result == OK && !is_known && !http_gone(c->x)) {
    access_lookup_join_list(l);
    return;
  }
  if (c->result != OK && c->result != ERR_NOT_FOUND)
    problem_answer_err(c->x, c->result);
  else if (!http_gone(c->x))
    l->resume(c->api, c->x, is_known ? NULL : &none);
  access_lookup_free(l);
}

static struct access_lookup *access_lookup_new(const struct api_request *req) {
  struct access_lookup *l = calloc(1, sizeof(*l));
  if (!l) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  l->resume = req->resume;
  db_call_begin(&l->db_call, req);
  return l;
}

static void access_lookup_begin(struct access_lookup *l, enum err e) {
  if (e == OK) e = db_call_read(&l->db_call, access_lookup_read, access_lookup_on_read);
  if (e == OK) return;
  problem_answer_err(l->db_call.x, e);
  access_lookup_free(l);
}

void access_lookup_key(const struct api_request *req, struct str token) {
  struct access_lookup *l = access_lookup_new(req);
  if (l) access_lookup_begin(l, str_copy(l->token, sizeof(l->token), token));
}

void access_lookup_business(const struct api_request *req, int64_t business_id) {
  struct access_lookup *l = access_lookup_new(req);
  if (!l) return;
  l->business_id = business_id;
  access_lookup_begin(l, OK);
}
