/* cmd_prune.c - lists recordings that are past their retention or older than so many days, and makes them expire.
 *
 *   list all --dry-run--> print
 *            `----------> expire, a part a transaction, and print what expired
 *
 * The workers remove the files. Between two parts it pauses as long as the part took: a server's webhooks write there. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_progress.h"
#include "domain/prune.h"

struct prune_command {
  const struct cmd_args *args;
  struct app app;
  struct prune prune;
  struct prune_part part;
  bool is_dry;
  bool prints;          /* the rows of parts are the result; else they are only counted */
  int64_t count, bytes; /* of the result */
  int64_t listed;       /* that were due at the beginning */
  struct progress progress;
};

static enum err prune_print_json(const struct prune_command *c, const struct recording *row) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  TRY(buf_addf(&b, "%s{\"business_id\":%lld,", c->count ? "," : "", (long long)row->business_id));
  TRY(print_json_text(&b, "recording_sid", row->recording_sid));
  TRY(buf_add_char(&b, ','));
  TRY(print_json_text(&b, "call_sid", row->call_sid));
  TRY(buf_addf(&b, ",\"status\":\"%s\",\"bytes\":%lld,", recording_status_name(row->status), (long long)row->bytes));
  TRY(print_json_time(&b, "kept_from", row->kept_from));
  TRY(buf_add_char(&b, '}'));
  return fwrite(b.p, 1, b.n, stdout) == b.n ? OK : ERR_IO;
}

static enum err prune_print_row(const struct prune_command *c, const struct recording *row) {
  char from[PRINT_TIME_SIZE];
  if (c->args->json) return prune_print_json(c, row);
  int n = printf("business %-4lld  %s  %-34s  %s  %-11s  %lld bytes\n", (long long)row->business_id, row->recording_sid,
                 row->call_sid[0] ? row->call_sid : "-", print_time(row->kept_from, from),
                 recording_status_name(row->status), (long long)row->bytes);
  return n > 0 ? OK : ERR_IO;
}

static enum err prune_take_part(struct prune_command *c) {
  for (int i = 0; i < c->part.count; i++) {
    if (c->prints) TRY(prune_print_row(c, &c->part.rows[i]));
    c->count++;
    c->bytes += c->part.rows[i].bytes;
  }
  return OK;
}

static enum err prune_list(struct prune_command *c) {
  c->count = c->bytes = 0;
  do {
    TRY(prune_list_part(c->app.db, &c->prune, &c->part));
    TRY(prune_take_part(c));
  } while (c->part.more);
  return OK;
}

static enum err prune_run_part(struct db *db, void *arg) {
  struct prune_command *c = arg;
  return prune_part(db, &c->prune, &c->part);
}

static void prune_pause(int64_t ms) {
  (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000 * 1000}, NULL);
}

static enum err prune_expire(struct prune_command *c) {
  c->count = c->bytes = 0;
  progress_begin(&c->progress, "Expiring recordings");
  do {
    int64_t began = clock_mono_ms();
    TRY(app_write(&c->app, prune_run_part, c));
    int64_t took = clock_mono_ms() - began;
    TRY(prune_take_part(c));
    progress_show(&c->progress, c->count, c->listed);
    if (c->part.more) prune_pause(took < 1000 ? took : 1000);
  } while (c->part.more);
  progress_end(&c->progress);
  return OK;
}

static enum err prune_all(struct prune_command *c) {
  int64_t now = db_now_ms(c->app.db);
  prune_begin(&c->prune, now);
  if (c->args->json) printf("{\"dry_run\":%s,\"recordings\":[", c->is_dry ? "true" : "false");
  c->prints = c->is_dry;
  TRY(prune_list(c));
  if (c->is_dry) return OK;
  c->listed = c->count;
  c->prints = true;
  prune_begin(&c->prune, now);
  return prune_expire(c);
}

static void prune_print_end(const struct prune_command *c) {
  if (c->args->json)
    printf("],\"count\":%lld,\"bytes\":%lld,\"at_provider\":%s}\n", (long long)c->count, (long long)c->bytes,
           c->prune.at_provider ? "true" : "false");
  else
    printf("%lld recordings, %.1f MB, %s%s.%s\n", (long long)c->count, (double)c->bytes / 1e6,
           c->is_dry ? "would expire" : "have expired", c->prune.at_provider ? ", at the provider too" : "",
           c->is_dry || !c->count ? "" : " The workers remove their files; callreel status shows what is left to do.");
}

static int prune_main(struct prune_command *c, int64_t business_id) {
  c->app.is_patient = true;
  int code = app_open(&c->app, c->args);
  if (code == CMD_DONE) code = app_require_business(&c->app, c->args, business_id);
  if (code != CMD_DONE) return code;
  c->prune.business_id = business_id;
  c->prune.default_days = c->app.conf.retention_days;
  c->prune.at_provider = c->app.conf.retention_at_provider != 0;
  enum err e = prune_all(c);
  if (e == ERR_IO) return cmd_fail(c->args, "standard output can't be written");
  if (e != OK) return app_fail(c->args, c->app.db, e);
  prune_print_end(c);
  return CMD_DONE;
}

int cmd_prune(const struct cmd_args *args) {
  struct prune_command *c = calloc(1, sizeof(*c));
  struct cmd_options o;
  int64_t business_id = 0, days = -1;
  if (!c) return cmd_fail(args, "out of memory");
  c->args = args;
  cmd_options_init(&o, args);
  c->is_dry = cmd_flag(&o, "--dry-run");
  const char *business = cmd_option(&o, "--business"), *older = cmd_option(&o, "--older-than");
  bool good = cmd_options_end(&o) && (!business || cmd_number("--business", business, 1, INT64_MAX, &business_id)) &&
              (!older || cmd_number("--older-than", older, 1, RETENTION_DAYS_MAX, &days));
  c->prune.older_than_days = days;
  int code = good ? prune_main(c, business_id) : CMD_USAGE;
  app_done(&c->app);
  free(c);
  return code;
}
