/* works.h - a worker over a real database and a real directory, and an origin whose every byte a test decides. */
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
  struct str body; /* of a 200: the whole representation, whatever was asked for */
  int64_t cut_at;  /* > 0: the connection is cut after so many bytes of the body */
  int64_t hold_at; /* > 0: silence after so many bytes until works_release */
  bool no_length;
  bool no_range;    /* Range is not looked at */
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
  uint64_t min_free_bytes;

  struct lock lock; /* covers what follows */
  struct lock_cond changed;
  struct works_answer answers[WORKS_ANSWERS_MAX];
  int requests;   /* that came */
  int with_range; /* of them */
  bool holding;   /* an answer is silent now */
  bool released;
};

struct works *works_new(const struct works_answer *answers);
void works_start_worker(struct works *w);
void works_stop_worker(struct works *w);
void works_free(struct works *w);
/* A completed recording of a call of its own is announced; returns its SID, valid for the test's life. */
const char *works_announce(struct works *w, int number);
/* Waits until the recording has that status, at most 20 s; returns the row. */
struct recording works_wait(struct works *w, const char *sid, enum recording_status status);
struct recording works_row(struct works *w, const char *sid);
void works_wait_for_full(struct works *w); /* until the worker has seen that there is no room */
void works_run(struct works *w, const char *sql);
void works_wait_holding(struct works *w);
/* Until a part holds so many bytes. */
void works_wait_part_of(struct works *w, int64_t bytes);
void works_release(struct works *w);
/* Asserts that the store holds exactly these bytes under the row's name, and no part. */
void works_assert_file(struct works *w, const struct recording *row, struct str bytes);
int works_count_parts(struct works *w);
/* A WAV of so many seconds at 8 kHz, filled from seed; static storage by seed (0-3). */
struct str works_wav(int seed, int seconds);
