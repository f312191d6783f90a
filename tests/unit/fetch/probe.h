/* probe.h - a transfer that records its callbacks, so that a test's thread can wait for them. */
#pragma once

#include <pthread.h>

#include "fetch/fetch.h"

enum { PROBE_BODY_MAX = 1 << 20 };

struct probe {
  struct fetch *fetch;
  struct fetch_request request;
  /* chooses what on_reply and on_data do */
  enum err reply_answer, data_answer;
  void (*during_reply)(struct probe *p);
  void (*during_data)(struct probe *p);
  void (*during_end)(struct probe *p);
  struct probe *other; /* for the above */

  pthread_mutex_t mutex;
  pthread_cond_t changed;
  enum err started; /* the result of fetch_start */
  struct fetch_transfer *transfer;
  int replies, ends, datas;
  struct fetch_reply reply; /* numbers only */
  char content_type[64], etag[64], content_range[64], retry_after[64], content_encoding[64], last_modified[64];
  char *body;
  size_t body_bytes;
  struct fetch_result result;
  bool started_known;
};

/* allow_special_addresses is set; the rest of request is the test's. */
void probe_init(struct probe *p, struct fetch *f, const char *url);
void probe_done(struct probe *p);
void probe_start(struct probe *p);      /* any thread but fetch's */
void probe_start_here(struct probe *p); /* on the fetch thread */
void probe_wait_reply(struct probe *p);
void probe_wait_data(struct probe *p); /* the first bytes */
void probe_wait_end(struct probe *p);
bool probe_has_ended(struct probe *p);
void probe_run(struct probe *p); /* start, wait for the end */

struct fetch *probe_fetch_new(unsigned connections);
/* Runs fn on the fetch thread and returns when it has. */
void probe_on_thread(struct fetch *f, void (*fn)(void *arg), void *arg);
/* The clock is the test's: false (and the test is to be skipped) where the build has no hooks. */
bool probe_owns_time(void);
