/* deletion.c - deletes recordings as the provider does.
 *
 *   known, else 404 -> count -> credentials, else 401 -> fault instead of the response -> completed or absent, else 409 -> 204
 *
 * From then on the media is 404. The metadata is there for METADATA_DAYS, with IncludeSoftDeleted only. */
#include "sim.h"

#include <string.h>

#include "base/clock.h"

enum { METADATA_DAYS = 40 };
#define DAY_MS (INT64_C(24) * 3600 * 1000)

bool deletion_is_over(const struct recording *r) {
  return r->deleted_ms > 0 && clock_now_ms() - r->deleted_ms > METADATA_DAYS * DAY_MS;
}

static bool is_deleted(const struct recording *r) {
  return strcmp(r->status, "deleted") == 0;
}

/* Faults of the recording come before the global ones. True: the fault was answered. */
static bool deletion_answer_fault(struct sim *sim, struct http_exchange *x, struct recording *r) {
  enum fault_kind kind;
  int64_t seconds = 0;
  if (!faults_take_deletion(&r->faults, &kind) && !faults_take_deletion(&sim->faults, &kind)) return false;
  if (kind == FAULT_DELETE_429) {
    if (!faults_take(&r->faults, FAULT_RETRY_AFTER, &seconds))
      (void)faults_take(&sim->faults, FAULT_RETRY_AFTER, &seconds);
    answer_busy(x, seconds, true);
    return true;
  }
  answer_api_error(x, kind == FAULT_DELETE_401 ? API_UNAUTHORIZED : API_BROKEN, true);
  return true;
}

void deletion_answer(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  struct str extension;
  struct recording *r = media_find_recording(sim, match->params[1], &extension);
  if (r) r->deletions++;
  if (!answer_authorized(sim, x, match->params[0], true)) return;
  if (r && deletion_answer_fault(sim, x, r)) return;
  if (!r || is_deleted(r) || (extension.n > 0 && !str_eq(extension, STR(".json")))) {
    answer_api_error(x, API_NOT_FOUND, true);
    return;
  }
  if (strcmp(r->status, "completed") != 0 && strcmp(r->status, "absent") != 0) {
    answer_api_error(x, API_IN_PROGRESS, true);
    return;
  }
  r->status = recording_status_find(STR("deleted"));
  r->deleted_ms = clock_now_ms();
  journal_recording(&sim->journal, r);
  http_respond(x, 204, NULL, NULL);
}

void deletion_get(struct sim *sim, struct http_exchange *x, const struct http_match *match) {
  const struct recording *r = store_find_recording(&sim->store, match->params[0]);
  if (r)
    answer_json(x, 200, json_pack("{sI, sb}", "requests", (json_int_t)r->deletions, "deleted", is_deleted(r)));
  else
    answer_problem(x, 404, "no such recording");
}
