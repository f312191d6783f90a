/* api_playback_internal.h - what api_playback_request.c, api_playback_read.c and api_playback_answer.c share. No other
 * file includes it. States and invariants stand at the top of api_playback_request.c; the numbers below are theirs.
 * Thread rule: the loop of the exchange, except what is said to run on a reader. */
#pragma once

#include "api/media/api_disposition.h"
#include "api/media/api_file_opening.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_db_call.h"
#include "domain/enqueue.h"
#include "domain/playback.h"

enum playback_request_state { REQUEST_READING, REQUEST_OPENING, REQUEST_WRITING, REQUEST_WAITING, REQUEST_ANSWERED };

struct playback_request {
  struct db_call db_call;            /* first */
  enum playback_request_state state; /* (1) */
  enum playback_request_kind kind;
  char id[SID_SIZE];              /* the SID in the path: a recording's or a call's */
  char found_sid[SID_SIZE];       /* the recording's; "": none was found yet (4) */
  struct cache_mark mark;         /* of id, taken before found_sid was chosen and its row read */
  int64_t began_us;               /* mono */
  int64_t wait_until_ms;          /* mono; 0: it does not wait */
  int reads_again;                /* how often it read the row again because the recording became ready meanwhile */
  bool waits_for_media;           /* it accepts bytes that still arrive, and may wait for them */
  bool began_fill;                /* this request queued the recording */
  bool was_on_its_way;            /* it was queued or downloading when it was read or written */
  bool missed;                    /* the recording was not ready at the first read; logged and counted */
  bool looked_for_file;           /* the volume was asked for a file with its name */
  bool skip_logged;               /* "Deduplication skip" was logged */
  int64_t utc_offset_min;         /* of the time in a download's name */
  struct access_snapshot *access; /* a reference, for the business's numbers in a download's name; else NULL */
  struct events_watch *watch;     /* (3) */
  atomic_bool post_pending;       /* a change was posted to the loop and has not arrived (6) */
  bool changed_since_read;        /* a change arrived after the newest read began */
  struct playback_request *next, **link; /* in the loop's list, while WAITING (1) */
  /* The result of the newest read, opening or write. */
  bool call_known; /* id is a call's SID, and the call exists */
  enum leg_relation leg_relation;
  struct recording row;
  int fd;                            /* of the ready file; -1: none */
  struct tape *tape;                 /* a reference to what arrives; NULL: no byte can be sent yet */
  bool must_open;                    /* the file, or another process's part, has to be opened or looked for (OPENING) */
  bool file_is_seen;                 /* nothing arrives, but a file has its name */
  struct file_opening *file_opening; /* while OPENING */
  char store_id[STORE_ID_SIZE];      /* of the volume that lacks the ready file; "": the volume has no id */
  struct recording_outcome outcome;  /* of the newest enqueue_check or enqueue_run */
  struct buf disposition;            /* the value of Content-Disposition; empty: a stream */
};

static inline struct playback_request *playback_request_of(struct db_call *c) {
  return (struct playback_request *)(void *)c; /* its first member */
}

/* The path names a call, so the answer says in Content-Location which recording it is. */
static inline bool is_by_call(const struct playback_request *p) {
  return !str_eq(str_from(p->id), str_from(p->row.recording_sid));
}

static inline enum enqueue_kind enqueue_kind_of(const struct playback_request *p) {
  return p->kind == PLAYBACK_REQUEST_PREPARE ? ENQUEUE_PREPARE : ENQUEUE_PLAY;
}

/* ---- api_playback_request.c ---- */

/* Reads the row again, at most a few times in a request's life; then it answers 503. */
void playback_request_read_again(struct playback_request *p);
/* Enters ANSWERED, before the answer is sent. The exchange then no longer leads to p. */
void playback_request_detach(struct playback_request *p);
/* After the answer: frees p, now or when its posted change arrives (6). */
void playback_request_free_if_idle(struct playback_request *p);

/* ---- api_playback_read.c ---- */

/* On a reader: reads the row, finds what arrives in this process, and writes a download's name. ERR_DENIED: the session
 * has ended. */
CHECKED enum err playback_request_read_rows(struct db *db, struct db_call *c);

/* ---- api_playback_answer.c: each answers and frees p, unless it says otherwise ---- */

/* 200, 206, 304, 412 or 416 from the file p->fd; a PREPARE gets the status object. If the session has to be looked
 * up again (5), it reads again instead. */
void playback_request_answer_file(struct playback_request *p);
/* The same from p->tape, while it arrives. */
void playback_request_answer_live(struct playback_request *p);
/* 202 with the status object; a download gets 503. */
void playback_request_answer_not_ready(struct playback_request *p, const struct playback *playback);
/* 404, 410, 502 or 503, by playback->kind. */
void playback_request_answer_problem(struct playback_request *p, const struct playback *playback);
/* 503: the volume did not answer in time, or can't be read. */
void playback_request_answer_no_volume(struct playback_request *p);
/* 401: the session has ended. */
void playback_request_answer_denied(struct playback_request *p);
/* The answer to the client after a failed read or write. */
void playback_request_answer_err(struct playback_request *p, enum err e);
