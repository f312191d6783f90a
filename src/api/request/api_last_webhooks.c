#include "api/request/api_last_webhooks.h"

#include <stdlib.h>

#include "base/clock.h"
#include "db/db_clock.h"
#include "ledger/last_webhooks.h"

enum { CHANGED_MS = 1000, SAME_MS = 10 * 1000, NOTES_WAITING = 200 };

struct note {
  struct api *api;
  struct last_webhook row;
};

static enum err note_write(struct db *db, void *arg) {
  const struct note *n = arg;
  return last_webhooks_put(db, &n->row);
}

static void note_done(void *arg, enum err e) {
  struct note *n = arg;
  (void)e; /* the next webhook is noted */
  atomic_fetch_sub(&n->api->webhook_notes_waiting, 1);
  free(n);
}

static void note_submit(struct api *a, int64_t business_id, const char *kind, const char *result, const char *reason) {
  struct note *n = calloc(1, sizeof(*n));
  if (!n) return;
  n->api = a;
  n->row = (struct last_webhook){.business_id = business_id, .at = db_clock_now_ms()};
  enum err e = str_copy(n->row.kind, sizeof(n->row.kind), str_from(kind));
  if (e == OK) e = str_copy(n->row.result, sizeof(n->row.result), str_from(result));
  if (e == OK) e = str_copy(n->row.reason, sizeof(n->row.reason), str_from(reason));
  const struct db_job job = {
      .name = METRIC_JOB_OTHER, .business_id = business_id, .run = note_write, .done = note_done, .arg = n};
  atomic_fetch_add(&a->webhook_notes_waiting, 1);
  if (e == OK) e = db_writer_submit(a->parts.writer, job);
  if (e != OK) note_done(n, e);
}

void last_webhooks_note(struct api *a, int64_t business_id, const char *kind, const char *result, const char *reason) {
  struct webhook_note *slot = &a->webhook_notes[(uint64_t)business_id % WEBHOOK_NOTE_SLOTS];
  uint64_t what = str_hash(str_from(reason), (uint64_t)business_id) | 1;
  int64_t now = clock_mono_ms(), last = atomic_load(&slot->at_ms);
  bool is_same = atomic_load(&slot->what) == what;
  if (!a->parts.writer || !db_writer_healthy(a->parts.writer)) return;
  int64_t least = is_same ? SAME_MS : reason[0] ? CHANGED_MS : 0; /* only the provider can send one that is accepted */
  if (last && now - last < least) return;
  if (atomic_load(&a->webhook_notes_waiting) >= NOTES_WAITING) return;
  if (!atomic_compare_exchange_strong(&slot->at_ms, &last, now ? now : 1)) return; /* another loop writes it */
  atomic_store(&slot->what, what);
  note_submit(a, business_id, kind, result, reason);
}
