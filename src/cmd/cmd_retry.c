/* cmd_retry.c - failed recordings of one business, or of all, back into the queue. */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "domain/queue.h"
#include "ledger/businesses.h"

struct retrying {
  int64_t business_id, since, queued, now;
  enum recording_error code;
  struct db *db;
};

static enum err retry_one(struct retrying *r, int64_t business_id) {
  int64_t queued;
  TRY(queue_retry_all(r->db, business_id, r->code, r->since, r->now, &queued));
  r->queued += queued;
  return OK;
}

static enum err each_business(void *arg, const struct business *b) {
  return retry_one(arg, b->business_id);
}

static enum err run_retry(struct db *db, void *arg) {
  struct retrying *r = arg;
  r->db = db;
  r->now = db_now_ms(db);
  return r->business_id ? retry_one(r, r->business_id) : businesses_each(db, NULL, false, each_business, r);
}

int cmd_retry(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct retrying r = {.code = RECORDING_NONE};
  struct cmd_options o;
  bool known = true;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *code_text = cmd_option(&o, "--code");
  const char *since = cmd_option(&o, "--since");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &r.business_id)) return CMD_USAGE;
  if (code_text) r.code = recording_error_of_code(str_from(code_text), &known);
  if (!known || (code_text && r.code == RECORDING_NONE))
    return cmd_misuse(args, "--code: \"%s\" is no error code", code_text);
  if (since && date_parse_time_or_date(str_from(since), &r.since) != OK)
    return cmd_misuse(args, "--since must be a time like 2026-11-21T08:00:00Z or a date");
  int code = app_open(&app, args);
  if (code == CMD_DONE) code = app_require_business(&app, args, r.business_id);
  if (code != CMD_DONE) return code;
  enum err e = app_write(&app, run_retry, &r);
  if (e != OK) return app_fail(args, app.db, e);
  printf(args->json ? "{\"queued\":%lld}\n" : "%lld recordings are queued.\n", (long long)r.queued);
  return CMD_DONE;
}
