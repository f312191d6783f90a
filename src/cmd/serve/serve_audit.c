/* serve_audit.c - upkeep of the audit: cuts its old end every hour, and logs the digest at each chain's end once a day (UTC):
 * by it `audit verify --expect` finds a chain that was computed again. */
#include "base/clock.h"
#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "ledger/audit_cut.h"

enum { CUT_EACH_MS = 3600 * 1000, HEADS_PART = 100 };
#define DAY_MS (INT64_C(24) * 3600 * 1000)

static enum err audit_run_cut(struct db *db, void *arg) {
  struct serve *s = arg;
  int64_t now = db_now_ms(db), count;
  TRY(audit_cut(db, s->app.secrets_key, now - s->app.conf.audit_days * DAY_MS, now, &count, &s->audit_upkeep.more));
  s->audit_upkeep.cut += count;
  return OK;
}

static void audit_cut_done(void *arg, enum err e) {
  struct serve *s = arg;
  if (s->audit_upkeep.cut) log_info("Audit cut", LOG_INT("entries", s->audit_upkeep.cut));
  if (e != OK) log_warn("Could not cut the audit", LOG_ERR(e));
  s->audit_upkeep.cut = 0;
  atomic_store(&s->audit_upkeep.is_cutting, false);
}

static void audit_submit_cut(struct serve *s) {
  const struct db_job job = {.name = METRIC_JOB_AUDIT,
                             .class = DB_CLASS_UPKEEP,
                             .run = audit_run_cut,
                             .done = audit_cut_done,
                             .arg = s,
                             .more = &s->audit_upkeep.more};
  if (atomic_exchange(&s->audit_upkeep.is_cutting, true)) return;
  enum err e = db_writer_submit(s->writer, job);
  if (e != OK) audit_cut_done(s, e);
}

/* Logs some chains' ends. *after: the last of them; -1: all are logged. */
static enum err audit_log_heads(struct serve *s, int64_t *after) {
  for (int i = 0; i < HEADS_PART; i++) {
    char digest[AUDIT_DIGEST_SIZE];
    int64_t business_id, number;
    enum err e = audit_next_business(s->app.db, *after, &business_id);
    if (e == ERR_NOT_FOUND) *after = -1;
    if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
    TRY(audit_head(s->app.db, business_id, &number, digest));
    *after = business_id;
    log_info("Audit digest", LOG_INT("business", business_id), LOG_INT("entry", number), LOG_TEXT("digest", digest));
  }
  return OK;
}

void serve_audit_upkeep(struct serve *s, bool can_write) {
  static int64_t next_cut_ms, logged_day, after = -1; /* only the main thread uses them */
  int64_t now = clock_mono_ms(), day = db_now_ms(s->app.db) / DAY_MS;
  audit_queue_tick(s->audit);
  if (s->role == SERVE_WEB) return; /* a worker does the rest */
  if (can_write && now >= next_cut_ms) {
    next_cut_ms = now + CUT_EACH_MS;
    audit_submit_cut(s);
  }
  if (day == logged_day && after < 0) return;
  if (audit_log_heads(s, &after) == OK) logged_day = day; /* else the next upkeep continues */
}
