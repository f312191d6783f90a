#include "domain/enqueue.h"

#include "base/metric.h"
#include "domain/queue.h"
#include "domain/recording_log.h"

static struct recording_event event_of(enum enqueue_kind kind) {
  static const enum recording_event_kind kinds[] = {[ENQUEUE_PLAY] = RECORDING_PLAY,
                                                    [ENQUEUE_PREPARE] = RECORDING_PREPARE,
                                                    [ENQUEUE_RETRY] = RECORDING_PERSON_RETRY,
                                                    [ENQUEUE_FORCED_RETRY] = RECORDING_PERSON_RETRY};
  return (struct recording_event){.kind = kinds[kind], .forced = kind == ENQUEUE_FORCED_RETRY};
}

struct recording_outcome enqueue_check(const struct recording *row, enum enqueue_kind kind, int64_t now) {
  struct recording_event event = event_of(kind);
  struct recording next;
  return recording_apply(row, &event, now, &next);
}

enum err enqueue_run(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind, int64_t now,
                     struct recording *ret_row, struct recording_outcome *ret_outcome) {
  struct recording_event event = event_of(kind);
  return queue_apply(db, business_id, recording_sid, &event, now, ret_row, ret_outcome);
}

void enqueue_log(const struct recording *row, enum enqueue_kind kind, const struct recording_outcome *outcome) {
  if (outcome->file_gone) log_warn("Recording's file is gone", LOG_RECORDING(row));
  if (outcome->file_seen) log_info("File seen under a recording's name", LOG_RECORDING(row));
  if (outcome->enqueued && kind != ENQUEUE_PREPARE) log_info("Priority download job enqueued", LOG_RECORDING(row));
  if (outcome->moved) return;
  metric_add(METRIC_DEDUPLICATED, outcome->skip, 1);
  log_debug("Deduplication skip", LOG_RECORDING(row), LOG_TEXT("reason", recording_skip_name(outcome->skip)));
}

enum err enqueue_file_gone(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                           int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome) {
  struct recording_event event = {.kind = RECORDING_FILE_GONE};
  struct recording row;
  struct recording_outcome outcome;
  TRY(queue_apply(db, business_id, recording_sid, &event, now, &row, &outcome));
  TRY(enqueue_run(db, business_id, recording_sid, kind, now, ret_row, ret_outcome));
  ret_outcome->file_gone = outcome.moved;
  return OK;
}

enum err enqueue_file_seen(struct db *db, int64_t business_id, struct str recording_sid, enum enqueue_kind kind,
                           int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome) {
  struct recording_event event = {.kind = RECORDING_FILE_SEEN};
  struct recording row;
  struct recording_outcome outcome;
  TRY(queue_apply(db, business_id, recording_sid, &event, now, &row, &outcome));
  TRY(enqueue_run(db, business_id, recording_sid, kind, now, ret_row, ret_outcome));
  ret_outcome->file_seen = outcome.moved;
  return OK;
}
