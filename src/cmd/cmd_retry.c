/* cmd_retry.c - queues the failed recordings of one business, or of all businesses, again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "domain/queue.h"
#include "ledger/audit.h"
#include "ledger/businesses.h"

enum { BUSINESSES_MAX = 1000000 };

struct retry_command {
  int64_t *ids; /* businesses to retry; owned */
  size_t count;
  int64_t since, queued;
  enum recording_error code;
  bool forced;
  struct retries_row row; /* progress of the current business */
  bool more;
};

static enum err retry_note_audit(struct db *db, const struct retry_command *r) {
  struct buf details CLEANUP(buf_done) = BUF_INIT(AUDIT_DETAILS_SIZE);
  char id[24];
  (void)snprintf(id, sizeof(id), "%lld", (long long)r->row.business_id);
  TRY(buf_addf(&details, "{\"queued\":%lld}", (long long)r->row.queued));
  return audit_append_command(db, r->row.business_id, AUDIT_RETRY, "business", id, buf_str(&details));
}

static enum err retry_run_part(struct db *db, void *arg) {
  struct retry_command *r = arg;
  struct retries_row row = r->row;
  TRY(queue_retry_part(db, &row, QUEUE_RETRY_FIRST, db_now_ms(db), &r->more));
  r->row = row;
  return r->more || !row.queued ? OK : retry_note_audit(db, r);
}

/* Runs one transaction a part, so that a server on the same database can write in between. */
static enum err retry_business(struct app *app, struct retry_command *r, int64_t business_id) {
  r->row = (struct retries_row){.business_id = business_id, .since = r->since, .forced = r->forced};
  TRY(str_copy(r->row.code, sizeof(r->row.code), str_from(recording_error_code(r->code))));
  do TRY(app_write(app, retry_run_part, r));
  while (r->more);
  r->queued += r->row.queued;
  return OK;
}

static enum err retry_add_business(void *arg, const struct business *b) {
  struct retry_command *r = arg;
  if (r->count == BUSINESSES_MAX) return ERR_TOO_BIG;
  int64_t *ids = realloc(r->ids, (r->count + 1) * sizeof(*ids));
  if (!ids) return ERR_NOMEM;
  ids[r->count++] = b->business_id;
  r->ids = ids;
  return OK;
}

static enum err retry_all(struct app *app, struct retry_command *r, int64_t business_id) {
  if (business_id) return retry_business(app, r, business_id);
  enum err e = businesses_each(app->db, NULL, false, retry_add_business, r);
  for (size_t i = 0; e == OK && i < r->count; i++) e = retry_business(app, r, r->ids[i]);
  free(r->ids);
  return e;
}

int cmd_retry(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct retry_command r = {.code = RECORDING_NONE};
  int64_t business_id = 0;
  struct cmd_options o;
  bool known = true;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *code_text = cmd_option(&o, "--code");
  const char *since = cmd_option(&o, "--since");
  r.forced = cmd_flag(&o, "--force");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &business_id)) return CMD_USAGE;
  if (code_text) r.code = recording_error_of_code(str_from(code_text), &known);
  if (!known || (code_text && r.code == RECORDING_NONE))
    return cmd_misuse(args, "--code: \"%s\" is not an error code", code_text);
  if (since && date_parse_time_or_date(str_from(since), &r.since) != OK)
    return cmd_misuse(args, "--since must be a time like 2026-11-21T08:00:00Z or a date");
  int code = app_open(&app, args);
  if (code == CMD_DONE) code = app_require_business(&app, args, business_id);
  if (code != CMD_DONE) return code;
  enum err e = retry_all(&app, &r, business_id);
  if (e != OK) return app_fail(args, app.db, e);
  printf(args->json ? "{\"queued\":%lld}\n" : "%lld recordings are queued.\n", (long long)r.queued);
  return CMD_DONE;
}
