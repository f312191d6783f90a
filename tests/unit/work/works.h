/* works.h - a worker over a real database and a real directory, and an HTTP origin whose every byte a test decides. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/lock.h"
#include "http/http.h"
#include "ledger/recordings.h"
#include "work/worker.h"

#define WORKS_ACCOUNT "AC0123456789abcdef0123456789abcdef"

enum { WORKS_ANSWERS_MAX = 16 };

/* One answer of the origin to one request for audio. */
struct works_answer {
  int status;      /* 200, 404, …; 0: the list ends, the last one repeats */
  struct str body; /* of a 200: the whole representation, even if a range was asked for */
  int64_t cut_at;  /* > 0: cuts the connection after this many bytes of the body */
  int64_t hold_at; /* > 0: stops after this many bytes until works_release */
  bool no_length;
  bool no_range;    /* ignores Range */
  const char *etag; /* NULL: none */
};

struct works {
  char directory[64];
  char url[128];
  struct db *db; /* the test's own connection */
  struct db_writer *writer;
  struct blob_store *store;
  struct access_snapshot *access;
  struct worker *worker;
  struct conf conf;
  struct http_server *server;
  int64_t min_free_bytes;

  struct lock lock; /* covers the members below */
  struct lock_cond changed;
  struct works_answer answers[WORKS_ANSWERS_MAX];
  int requests;   /* received so far */
  int with_range; /* of these, with a Range */
  bool holding;   /* an answer has stopped at hold_at */
  bool released;
};

struct works *works_new(const struct works_answer *answers);
void works_start_worker(struct works *w);
void works_stop_worker(struct works *w);
void works_free(struct works *w);
/* Delivers the webhook of a completed recording, of a call of its own. Returns its SID, valid until the test ends. */
const char *works_announce(struct works *w, int number);
/* Waits until the recording has that status, at most 20 s; returns the row. */
struct recording works_wait(struct works *w, const char *sid, enum recording_status status);
struct recording works_row(struct works *w, const char *sid);
void works_wait_for_full(struct works *w); /* until the worker knows that there is no room */
void works_run(struct works *w, const char *sql);
void works_wait_holding(struct works *w);
/* Waits until a part holds this many bytes. */
void works_wait_part_of(struct works *w, int64_t bytes);
void works_release(struct works *w);
/* Asserts that the store holds exactly these bytes under the row's name, and no part. */
void works_assert_file(struct works *w, const struct recording *row, struct str bytes);
int works_count_parts(struct works *w);
/* A WAV of this many seconds at 8 kHz, filled from seed; in static storage, one for each seed (0-3). */
struct str works_wav(int seed, int seconds);
