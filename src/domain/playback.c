#include "domain/playback.h"

#include "domain/queue.h"

enum { STILL_BEING_MADE_S = 8, NO_WORKER_S = 10, PLAY_TRIAL_S = ACCOUNT_PLAY_TRIAL_MS / 1000 };

static struct playback decide_failed(const struct recording *row, int64_t now) {
  enum recording_error error = recording_error_of_code(str_from(row->error_code), NULL);
  if (!row->permanent) {
    int64_t wait_s = recording_failed_retry_after_s(row, now);
    return (struct playback){PLAYBACK_BACKOFF, error, wait_s ? wait_s : PLAY_TRIAL_S};
  }
  bool nothing_there = error == RECORDING_NOT_FOUND_AT_PROVIDER || error == RECORDING_ABSENT_TOO_SHORT ||
                       error == RECORDING_ABSENT_SILENT;
  return (struct playback){nothing_there ? PLAYBACK_NOT_FOUND : PLAYBACK_BROKEN, error, 0};
}

struct playback playback_decide(const struct recording *row, bool worker_alive, bool account_stopped, int64_t now) {
  switch (row->status) {
    case RECORDING_READY:
      return (struct playback){PLAYBACK_FILE, RECORDING_NONE, 0};
    case RECORDING_EXPIRED:
      return (struct playback){PLAYBACK_GONE, RECORDING_NONE, 0};
    case RECORDING_FAILED:
      return decide_failed(row, now);
    case RECORDING_MISSING:
      return (struct playback){PLAYBACK_WAIT, RECORDING_NONE, STILL_BEING_MADE_S};
    default:
      break;
  }
  if (!worker_alive) return (struct playback){PLAYBACK_NO_WORKER, RECORDING_NO_WORKER, NO_WORKER_S};
  if (account_stopped && row->status == RECORDING_QUEUED && row->lease_until == 0)
    return (struct playback){row->rank == RECORDING_RANK_PLAY ? PLAYBACK_TRIAL : PLAYBACK_BACKOFF,
                             RECORDING_AUTH_FAILED, PLAY_TRIAL_S};
  return (struct playback){PLAYBACK_WAIT, RECORDING_NONE, recording_retry_after_s(row, now)};
}
