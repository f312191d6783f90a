/* playback.h - decides what a player gets for a recording: the file, a wait, or an error. Pure.
 *
 *   struct playback p = playback_decide(&row, worker_alive, account_stopped, now);
 *
 * Thread rule: any thread. */
#pragma once

#include "domain/recording.h"

enum playback_kind {
  PLAYBACK_FILE,      /* ready: serve the file */
  PLAYBACK_WAIT,      /* queued, downloading or missing: 202, or wait for the fill */
  PLAYBACK_GONE,      /* 410: expired */
  PLAYBACK_BACKOFF,   /* 503 with Retry-After and the error code: in back-off, or waiting for credentials */
  PLAYBACK_NOT_FOUND, /* 404 with the error code: permanent, the provider has no audio */
  PLAYBACK_BROKEN,    /* 502 with the error code: permanent, any other error */
  PLAYBACK_TRIAL, /* queued, its account is stopped, and this play may be the next trial: as WAIT, else as BACKOFF */
  PLAYBACK_NO_WORKER, /* 503 no_worker: queued, but no worker runs */
};

struct playback {
  enum playback_kind kind;
  enum recording_error error; /* RECORDING_NONE if the kind has no error */
  int64_t retry_after_s;      /* for Retry-After; 0: none */
};
/* row: as after enqueue_run, or as read if enqueue_check says that no write is needed. worker_alive: a worker was seen
 * in the last 30 s. account_stopped: the provider refused the business's credentials and no trial has succeeded yet. */
struct playback playback_decide(const struct recording *row, bool worker_alive, bool account_stopped, int64_t now);
