/* api_status_answer.c - a recording's status object as an answer. */
#include "api/request/api_status_answer.h"

#include <assert.h>

#include "api/request/api_answer.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"

/* Adds a member at the end of the object. */
static enum err status_add_message(struct buf *b, const char *message) {
  assert(b->n && b->p[b->n - 1] == '}');
  b->n--;
  TRY(buf_add(b, STR(",\"message\":")));
  TRY(buf_add_json(b, str_from(message)));
  return buf_add_char(b, '}');
}

/* Without a worker nothing else matters, and with refused credentials no room helps. */
static enum recording_error waits_for(const struct api_parts *parts, int64_t business_id) {
  if (!parts->worker_alive(parts->arg)) return RECORDING_NO_WORKER;
  if (parts->account_stopped(parts->arg, business_id)) return RECORDING_AUTH_FAILED;
  return parts->storage_full(parts->arg) ? RECORDING_STORAGE_FULL : RECORDING_NONE;
}

static int64_t retention_days_of(struct api *a, int64_t business_id) {
  struct access_snapshot *access = api_newest_access(a);
  int64_t days = access_retention_days(access, business_id, a->parts.conf->retention_days);
  access_unref(access);
  return days;
}

struct status_view status_view_of(struct api *a, int64_t business_id, int64_t now) {
  return (struct status_view){a->path_base, now, waits_for(&a->parts, business_id), retention_days_of(a, business_id)};
}

void status_add_places(const struct api *a, struct http_fields *f, int status, const char *recording_sid,
                       bool by_call) {
  if (status == 202) field_recording_path(a, f, STR("Location"), recording_sid, "status");
  if (by_call) field_recording_path(a, f, STR("Content-Location"), recording_sid, "status");
}

void status_answer(struct api *a, struct http_exchange *x, int status, const struct recording *row, const char *message,
                   int64_t retry_after_s, int64_t now, bool by_call) {
  struct http_fields f;
  struct buf b CLEANUP(buf_done) = BUF_INIT(STATUS_MAX);
  struct status_view view = status_view_of(a, row->business_id, now);
  enum err e = status_write(&b, row, &view);
  if (e == OK && message) e = status_add_message(&b, message);
  if (e != OK) {
    problem_answer_err(x, e);
    return;
  }
  answer_fields(&f);
  if (retry_after_s) answer_field_int(&f, STR("Retry-After"), retry_after_s);
  status_add_places(a, &f, status, row->recording_sid, by_call);
  answer_json(x, status, &f, buf_str(&b));
}
