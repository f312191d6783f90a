/* cmd_status.c - what waits, what is being filled, what failed. Looks, never acts. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "domain/status.h"
#include "ledger/nodes.h"
#include "ledger/recordings_count.h"

enum { WORKER_LIVES_MS = 30 * 1000 };

struct view {
  struct buf out; /* JSON */
  int n;
  bool json;
  int64_t now;
};

static enum err add_failure(void *arg, struct str code, int64_t count, int64_t for_good) {
  struct view *v = arg;
  if (v->json) return buf_addf(&v->out, "%s\"%.*s\":%lld", v->n++ ? "," : "", STR_ARG(code), (long long)count);
  printf("%s  %-22.*s %6lld   %lld for good\n", v->n++ ? "" : "Failed:\n", STR_ARG(code), (long long)count,
         (long long)for_good);
  return OK;
}

static void print_fill(const struct recording *r, bool first) {
  char size[48] = "";
  if (r->total > 0) (void)snprintf(size, sizeof(size), "%lld %%", (long long)(r->got * 100 / r->total));
  printf("%s  %s  business %lld  %s  %lld bytes %s\n", first ? "Fills:\n" : "", r->recording_sid, (long long)r->business_id,
         recording_status_name(r->status), (long long)r->got, size);
}

static enum err add_fill(void *arg, const struct recording *r) {
  struct view *v = arg;
  bool first = v->n++ == 0;
  if (!v->json) {
    print_fill(r, first);
    return OK;
  }
  if (!first) TRY(buf_add_char(&v->out, ','));
  TRY(buf_addf(&v->out, "{\"business_id\":%lld,\"recording\":", (long long)r->business_id));
  TRY(status_write(&v->out, r, STR(""), v->now));
  return buf_add_char(&v->out, '}');
}

static enum err write_counts(struct view *v, const struct recordings_counts *c, int64_t workers) {
  struct buf *b = &v->out;
  TRY(buf_add(b, STR("{\"recordings\":{")));
  for (int s = 0; s < RECORDING_STATUS_COUNT_; s++)
    TRY(buf_addf(b, "%s\"%s\":%lld", s ? "," : "", recording_status_name((enum recording_status)s),
                 (long long)c->by_status[s]));
  TRY(buf_addf(b, "},\"queue_depth\":%lld,", (long long)c->by_status[RECORDING_QUEUED]));
  TRY(print_json_time(b, "oldest_queued_at", c->oldest_queued_at));
  return buf_addf(b, ",\"bytes\":%lld,\"workers\":%lld,\"failures\":{", (long long)c->bytes, (long long)workers);
}

static void print_counts(const struct recordings_counts *c, int64_t workers, int64_t now) {
  printf("Recordings:");
  for (int s = 0; s < RECORDING_STATUS_COUNT_; s++)
    printf("  %lld %s", (long long)c->by_status[s], recording_status_name((enum recording_status)s));
  printf("\nStored: %.1f MB.  Workers: %lld.", (double)c->bytes / 1e6, (long long)workers);
  if (c->oldest_queued_at) printf("  Oldest queued: %lld s.", (long long)((now - c->oldest_queued_at) / 1000));
  putchar('\n');
}

static enum err show(struct db *db, struct view *v, int64_t business_id) {
  struct recordings_counts counts;
  int64_t workers;
  v->now = db_now_ms(db);
  TRY(recordings_count(db, business_id, &counts));
  TRY(nodes_live_workers(db, v->now, WORKER_LIVES_MS, &workers));
  if (v->json) {
    TRY(write_counts(v, &counts, workers));
  } else {
    print_counts(&counts, workers, v->now);
  }
  TRY(recordings_count_failures(db, business_id, add_failure, v));
  v->n = 0;
  if (v->json) TRY(buf_add(&v->out, STR("},\"fills\":[")));
  TRY(recordings_fills(db, business_id, v->now, add_fill, v));
  if (!v->json) return OK;
  TRY(buf_add(&v->out, STR("]}")));
  return print_line(&v->out);
}

int cmd_status(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct view v = {.json = args->json, .out = BUF_INIT(64 * 1024 * 1024)};
  struct cmd_options o;
  int64_t business_id = 0;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &business_id)) return CMD_USAGE;
  int code = app_open(&app, args);
  if (code != CMD_DONE) return code;
  enum err e = show(app.db, &v, business_id);
  buf_done(&v.out);
  return e == OK ? CMD_DONE : cmd_fail(args, "%s (%s)", err_text(e), db_problem(app.db));
}
