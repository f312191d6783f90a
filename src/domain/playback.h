/* playback.h - what a player gets of a recording in the state it is in. Pure. */
#pragma once

#include "domain/recording.h"

enum playback_kind {
  PLAYBACK_FILE,      /* ready: serve the file */
  PLAYBACK_WAIT,      /* queued, downloading or missing: 202, or wait for the fill */
  PLAYBACK_GONE,      /* 410: expired */
  PLAYBACK_BACKOFF,   /* 503 with Retry-After and the error code: in back-off, or waiting for credentials */
  PLAYBACK_NOT_FOUND, /* 404 with the error code: for good, nothing there */
  PLAYBACK_BROKEN,    /* 502 with the error code: for good, something else */
  PLAYBACK_NO_WORKER, /* 503 no_worker: queued, but nobody works */
};

struct playback {
  enum playback_kind kind;
  enum recording_error error; /* RECORDING_NONE where kind needs none */
  int64_t retry_after_s;      /* for Retry-After; 0: none */
};
/* row as it stands after enqueue_run or enqueue_check. worker_alive: a worker was seen in the last 30 s. account_stopped: the
 * business's credentials were refused and no trial has succeeded yet. */
struct playback playback_decide(const struct recording *row, bool worker_alive, bool account_stopped, int64_t now);
