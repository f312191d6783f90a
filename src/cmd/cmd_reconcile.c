/* cmd_reconcile.c - reconcile and backfill: takes calls and recordings that no webhook reported from the provider's lists. Can
 * run beside servers. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_progress.h"
#include "work/reconcile.h"

enum { OWNER_SIZE = 40, UNPLACED_SHOWN = 1000, JSON_MAX = 256 * 1024, BUSY_PAUSE_MS = 500, BUSY_MAX_MS = 100 * 1000 };

struct reconcile_command {
  const struct cmd_args *args;
  struct app app;
  struct progress progress;
  struct buf unplaced, failed; /* as JSON, without brackets */
  int64_t unplaced_shown;
};

static enum err command_write(void *arg, enum err (*run)(struct db *db, void *job), void *job) {
  struct reconcile_command *c = arg;
  return app_write(&c->app, run, job);
}

static void command_progress(void *arg, const struct reconcile_counts *so_far) {
  struct reconcile_command *c = arg;
  progress_count(&c->progress, so_far->entries);
}

static const char *unplaced_text(enum reconcile_unplaced why) {
  return why == RECONCILE_FITS_SEVERAL ? "several businesses have its number" : "no business has its number";
}

static void command_unplaced(void *arg, struct str account_sid, struct str sid, enum reconcile_unplaced why) {
  struct reconcile_command *c = arg;
  if (c->unplaced_shown++ >= UNPLACED_SHOWN) return;
  if (!c->args->json) {
    progress_end(&c->progress);
    printf("left alone  %.*s of account %.*s: %s\n", STR_ARG(sid), STR_ARG(account_sid), unplaced_text(why));
    return;
  }
  IGNORE(buf_addf(&c->unplaced, "%s{\"account_sid\":\"%.*s\",\"sid\":\"%.*s\",\"fits\":\"%s\"}",
                  c->unplaced.n ? "," : "", STR_ARG(account_sid), STR_ARG(sid),
                  why == RECONCILE_FITS_SEVERAL ? "several" : "none")); /* the count still tells of it */
}

static void command_failed(void *arg, struct str account_sid, const char *why) {
  struct reconcile_command *c = arg;
  progress_end(&c->progress);
  fprintf(stderr, "callreel %s: account %.*s: %s\n", c->args->command, STR_ARG(account_sid), why);
  IGNORE(buf_addf(&c->failed, "%s{\"account_sid\":\"%.*s\",\"why\":", c->failed.n ? "," : "", STR_ARG(account_sid)));
  IGNORE(buf_add_json(&c->failed, str_from(why))); /* too many of them: the count tells of the others */
  IGNORE(buf_add_char(&c->failed, '}'));
}

/* ---- signals ---- */

/* Ends the run at SIGINT or SIGTERM, so that its lease is given back. */
static void *command_watch_signals(void *reconcile) {
  sigset_t signals;
  int number;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (sigwait(&signals, &number) == 0) reconcile_stop(reconcile);
  return NULL;
}

static void block_signals(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* ---- the run ---- */

/* Waits for the end of another process's run: it may have died, and its lease ends by itself. */
static enum err command_run_when_free(struct reconcile_command *c, struct reconcile *r, const struct reconcile_how *how,
                                      struct reconcile_counts *counts) {
  const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000 * 1000};
  int64_t until = clock_mono_ms() + BUSY_MAX_MS;
  enum err e = reconcile_run(r, how, counts);
  if (e == ERR_BUSY) fprintf(stderr, "callreel %s: another process reconciles; waiting for it\n", c->args->command);
  while (e == ERR_BUSY && clock_mono_ms() < until) {
    (void)nanosleep(&pause, NULL);
    e = reconcile_run(r, how, counts);
  }
  return e;
}

static int command_report(struct reconcile_command *c, const struct reconcile_counts *n) {
  if (c->args->json)
    printf(
        "{\"accounts\":%lld,\"pages\":%lld,\"entries\":%lld,\"calls\":%lld,\"recordings\":%lld,\"queued\":%lld,"
        "\"refused\":%lld,\"unplaced_count\":%lld,\"unplaced\":[%.*s],\"failed\":[%.*s]}\n",
        (long long)n->accounts, (long long)n->pages, (long long)n->entries, (long long)n->calls,
        (long long)n->recordings, (long long)n->queued, (long long)n->refused, (long long)n->unplaced,
        STR_ARG(buf_str(&c->unplaced)), STR_ARG(buf_str(&c->failed)));
  else
    printf(
        "%lld accounts, %lld entries read: %lld calls and %lld recordings had news, %lld recordings are queued; %lld "
        "left "
        "alone, %lld malformed.\n",
        (long long)n->accounts, (long long)n->entries, (long long)n->calls, (long long)n->recordings,
        (long long)n->queued, (long long)n->unplaced, (long long)n->refused);
  return n->failed ? CMD_FAILED : CMD_DONE;
}

static int command_run(struct reconcile_command *c, const struct reconcile_how *how) {
  char owner[OWNER_SIZE];
  struct reconcile *r;
  struct reconcile_counts counts;
  pthread_t watcher;
  (void)snprintf(owner, sizeof(owner), "command-%ld-%lld", (long)getpid(), (long long)(clock_now_ms() % 1000000));
  const struct reconcile_parts parts = {.db = c->app.db,
                                        .secrets_key = c->app.secrets_key,
                                        .default_base_url = str_from(c->app.conf.twilio_base_url),
                                        .owner = owner,
                                        .arg = c,
                                        .write = command_write,
                                        .progress = command_progress,
                                        .unplaced = command_unplaced,
                                        .failed = command_failed};
  block_signals();
  enum err e = reconcile_new(&parts, &r);
  if (e != OK) return app_fail(c->args, c->app.db, e);
  bool watched = pthread_create(&watcher, NULL, command_watch_signals, r) == 0;
  progress_begin(&c->progress, how->since_ms ? "Backfilling" : "Reconciling");
  e = command_run_when_free(c, r, how, &counts);
  progress_end(&c->progress);
  if (watched) {
    (void)pthread_kill(watcher, SIGTERM); /* it may wait for one */
    (void)pthread_join(watcher, NULL);
  }
  reconcile_free(r);
  if (e == ERR_BUSY) return cmd_fail(c->args, "another process still reconciles; try again later");
  if (e == ERR_CLOSED) return cmd_fail(c->args, "interrupted; it goes on where it was when it is run again");
  if (e != OK) return app_fail(c->args, c->app.db, e);
  return command_report(c, &counts);
}

static int command_begin(const struct cmd_args *args, const struct reconcile_how *how) {
  struct reconcile_command c = {
      .args = args, .app = APP_NONE, .unplaced = BUF_INIT(JSON_MAX), .failed = BUF_INIT(JSON_MAX)};
  c.app.is_patient = true;
  int code = app_open(&c.app, args);
  if (code == CMD_DONE) code = app_require_business(&c.app, args, how->business_id);
  if (code == CMD_DONE) code = command_run(&c, how);
  buf_done(&c.unplaced);
  buf_done(&c.failed);
  app_done(&c.app);
  return code;
}

int cmd_reconcile(const struct cmd_args *args) {
  struct reconcile_how how = {.business_id = 0};
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &how.business_id)) return CMD_USAGE;
  return command_begin(args, &how);
}

int cmd_backfill(const struct cmd_args *args) {
  struct reconcile_how how = {.business_id = 0};
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *since = cmd_option(&o, "--since");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (!since || date_parse_time_or_date(str_from(since), &how.since_ms) != OK || how.since_ms <= 0)
    return cmd_misuse(args, "--since must be a date like 2026-11-21, or a time like 2026-11-21T08:00:00Z");
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &how.business_id)) return CMD_USAGE;
  return command_begin(args, &how);
}
