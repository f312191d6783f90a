/* serve_changes.c - passes each change of the database on to the modules that depend on it: access, api, events and worker.
 *
 * Runs on the changes thread. */
#include <unistd.h>

#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "domain/recording_error.h"
#include "ledger/security_notice.h"

/* The id of the key that a CHANGE_KEY names; 0: all keys of its business. */
static int64_t changed_key_id(const struct change *c) {
  uint64_t id;
  return c->kind == CHANGE_KEY && str_to_u64(c->id, INT64_MAX, &id) == OK ? (int64_t)id : 0;
}

static void changes_note_access(struct serve *s, const struct change *c) {
  struct access_change change = {.what = ACCESS_BUSINESS, .business_id = c->business_id, .key_id = changed_key_id(c)};
  if (c->kind == CHANGE_KEY) change.what = change.key_id ? ACCESS_KEY : ACCESS_KEYS;
  if (s->api) api_key_changed(s->api, c->business_id, change.key_id);
  serve_note_access(s, &change);
}

/* Logs credentials that a command made or ended; the API's are logged by the handler. Each serving process logs a line. */
static void changes_log_told(const struct change *c) {
  static const struct {
    const char *message, *object;
  } events[METRIC_SECURITY_COUNT_] = {
      [METRIC_SECURITY_SESSION_ENDED] = {"Session ended", "session"},
      [METRIC_SECURITY_LINK_MADE] = {"Sign-in link made", "link"},
      [METRIC_SECURITY_LINK_ENDED] = {"Sign-in link ended", "link"},
      [METRIC_SECURITY_URL_REVOKED] = {"URL revoked", "url"},
  };
  struct security_notice notice;
  if (!security_notice_parse(c->id, &notice) || !events[notice.event].message) return;
  metric_add(METRIC_SECURITY_EVENTS, notice.event, 1);
  log_info(events[notice.event].message, LOG_INT("business", c->business_id),
           LOG_STR(events[notice.event].object, notice.object), LOG_TEXT("by", "command"),
           LOG_STR("role", notice.role.n ? notice.role : STR("-")));
}

/* Listeners of a recording that arrives, or has arrived, get no more of it. */
static void changes_end_tape(struct serve *s, const struct change *c) {
  struct tape *tape = s->tapes ? tapes_find(s->tapes, c->business_id, c->id) : NULL;
  if (tape) tape_fail(tape);
  tape_unref(tape);
}

static void serve_on_change(void *arg, const struct change *c) {
  struct serve *s = arg;
  if (s->api) api_on_change(s->api, c);
  switch (c->kind) {
    case CHANGE_RECORDING:
    case CHANGE_WANT:
      events_notify(s->events, c->business_id, c->id);
      if (s->worker) worker_wake(s->worker);
      break;
    case CHANGE_PROGRESS:
      events_notify(s->events, c->business_id, c->id);
      break;
    case CHANGE_EXPIRED:
      changes_end_tape(s, c);
      if (s->worker) worker_expired(s->worker, c->business_id, c->id);
      break;
    case CHANGE_TRANSCRIPT:
      if (s->worker) worker_wake_transcriber(s->worker);
      break;
    case CHANGE_BUSINESS:
    case CHANGE_KEY:
      changes_note_access(s, c);
      break;
    case CHANGE_SECURITY_NOTICE:
      if (s->api) changes_log_told(c);
      break;
    default:
      break;
  }
}

static void serve_on_changes_lost(void *arg) {
  struct serve *s = arg;
  serve_note_access(s, NULL);
  if (s->api) {
    api_on_changes_lost(s->api);
  }
  events_notify_all(s->events);
  if (s->worker) worker_wake(s->worker);
}

static void log_restated(struct serve *s, const struct restated *restated) {
  for (size_t i = 0; i < restated->count; i++)
    if (serve_account_stopped(s, restated->ids[i]))
      log_error("Account stopped", LOG_INT("business", restated->ids[i]),
                LOG_TEXT("code", recording_error_code(RECORDING_AUTH_FAILED)),
                LOG_TEXT("why", "The provider refused this business's credentials; its queued recordings wait."));
    else
      log_info("Account goes on", LOG_INT("business", restated->ids[i]));
}

static void serve_on_changes_tick(void *arg) {
  struct serve *s = arg;
  struct restated restated;
  serve_take_restated(s, &restated);
  log_restated(s, &restated);
  if (!s->api) return;
  if (atomic_exchange(&s->wait_reason_changed, false))
    api_wait_reason_changed(s->api, 0);
  else
    for (size_t i = 0; i < restated.count; i++) api_wait_reason_changed(s->api, restated.ids[i]);
  api_tick(s->api);
}

enum err serve_follow_changes(struct serve *s) {
  struct changes_subscriber subscriber = {
      .change = serve_on_change, .lost = serve_on_changes_lost, .tick = serve_on_changes_tick, .arg = s};
  TRY(changes_subscribe(s->changes, &subscriber));
  return changes_start(s->changes);
}
