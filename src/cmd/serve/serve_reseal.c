/* serve_reseal.c - during a rotation of SECRETS_KEY: seals secrets that only the older key opens with the new one, in parts, once
 * after the start. When "Secrets re-encrypted" is logged, the older key is no longer needed. */
#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "ledger/audit_cut.h"
#include "ledger/businesses.h"
#include "ledger/settings.h"

static enum err reseal_run(struct db *db, void *arg) {
  struct serve *s = arg;
  if (!s->reseal.after) TRY(settings_reseal(db, s->app.secrets_key, "url_signing_key"));
  if (!s->reseal.audit_is_signed) {
    bool more;
    TRY(audit_resign(db, s->app.secrets_key, &s->reseal.audit_after, &more));
    s->reseal.audit_is_signed = !more;
    s->reseal.more = true;
    return OK;
  }
  return businesses_reseal(db, s->app.secrets_key, &s->reseal.after, &s->reseal.count, &s->reseal.more);
}

static void reseal_done(void *arg, enum err e) {
  const struct serve *s = arg;
  if (e == OK)
    log_info("Secrets re-encrypted", LOG_INT("businesses", s->reseal.count));
  else
    log_warn("Could not re-encrypt secrets", LOG_ERR(e));
}

void serve_reseal(struct serve *s) {
  const struct db_job job = {.name = METRIC_JOB_OTHER,
                             .class = DB_CLASS_UPKEEP,
                             .run = reseal_run,
                             .done = reseal_done,
                             .arg = s,
                             .more = &s->reseal.more};
  if (!secret_has_older_key()) return;
  s->reseal.audit_after = -1;
  enum err e = db_writer_submit(s->writer, job);
  if (e != OK) reseal_done(s, e);
}
