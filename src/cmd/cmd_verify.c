/* cmd_verify.c - the files against the catalog, and on request the catalog against the files.
 *
 * Runs beside servers: rows are read in batches, files without holding anything of the database, and a row is moved only if
 * it is still as it was judged. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd_print.h"
#include "cmd/verify/verify_parts.h"
#include "ledger/recordings_count.h"

enum { LINE_MAX = 8192 };

static const struct {
  const char *name, *text, *repaired;
} KINDS[] = {
    [VERIFY_MISSING] = {"missing", "its file is gone", "fetched again when it is asked for"},
    [VERIFY_LENGTH] = {"length", "its file is of another length", "set aside, fetched again when it is asked for"},
    [VERIFY_CHECKSUM] = {"checksum", "its file holds other bytes than were fetched",
                         "set aside, fetched again when it is asked for"},
    [VERIFY_UNREAD] = {"unreadable", "its file can't be read", ""},
    [VERIFY_FOUND] = {"found", "a whole file of a recording that is not ready", "taken"},
    [VERIFY_BAD] = {"damaged", "not the recording that it is named after", "set aside"},
    [VERIFY_STRAY] = {"stray", "a file of no recording that would want it", ""},
    [VERIFY_PART] = {"part", "left by a fill that is over", "removed"},
};

const char *verify_kind_name(enum verify_kind kind) {
  return KINDS[kind].name;
}
const char *verify_kind_text(enum verify_kind kind) {
  return KINDS[kind].text;
}

static enum err write_json(struct buf *b, enum verify_kind kind, const char *name, const struct recording *row,
                           bool is_repaired) {
  TRY(buf_addf(b, "{\"kind\":\"%s\",\"name\":", verify_kind_name(kind)));
  TRY(buf_add_json(b, str_from(name)));
  if (row)
    TRY(buf_addf(b, ",\"business_id\":%lld,\"recording_sid\":\"%s\"", (long long)row->business_id, row->recording_sid));
  else
    TRY(buf_add(b, STR(",\"business_id\":null,\"recording_sid\":null")));
  return buf_addf(b, ",\"repaired\":%s}", is_repaired ? "true" : "false");
}

enum err verify_tell(struct verify *v, enum verify_kind kind, const char *name, const struct recording *row,
                     bool is_repaired) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  v->found[kind]++;
  v->repaired[kind] += is_repaired;
  progress_end(&v->progress);
  if (v->args->json) {
    TRY(write_json(&b, kind, name, row, is_repaired));
    if (v->listed++) (void)putchar(',');
  } else {
    TRY(buf_addf(&b, "%-10s  ", verify_kind_name(kind)));
    TRY(buf_add_json(&b, str_from(name))); /* strays may be named anyhow */
    TRY(buf_addf(&b, "  %s%s%s", verify_kind_text(kind), is_repaired ? ": " : "",
                 is_repaired ? KINDS[kind].repaired : ""));
  }
  return print_line(&b);
}

static enum err look(struct verify *v) {
  struct recordings_counts counts;
  TRY(recordings_count(v->app.db, 0, &counts));
  v->bytes_in_all = counts.bytes;
  if (v->args->json) (void)fputs("{\"findings\":[", stdout);
  progress_begin(&v->progress, "Verifying");
  enum err e = verify_catalog(v);
  if (e == OK) e = verify_files(v);
  progress_end(&v->progress);
  return e;
}

static int say_end(struct verify *v) {
  int64_t found = 0, repaired = 0;
  for (int k = 0; k < VERIFY_KIND_COUNT_; k++) {
    found += v->found[k];
    repaired += v->repaired[k];
  }
  long long left = (long long)(found - repaired);
  if (v->args->json)
    printf("],\"files\":%lld,\"bytes\":%lld,\"found\":%lld,\"repaired\":%lld,\"left\":%lld,\"set_aside\":%lld}\n",
           (long long)v->files, (long long)v->bytes, (long long)found, (long long)repaired, left,
           (long long)v->set_aside);
  else
    printf("%lld files, %.1f MB: %lld findings, %lld repaired, %lld left.%s\n", (long long)v->files,
           (double)v->bytes / 1e6, (long long)found, (long long)repaired, left,
           left && !v->repair ? " callreel verify --repair mends what can be mended." : "");
  if (fflush(stdout) != 0) return cmd_fail(v->args, "standard output can't be written");
  return left ? CMD_FAILED : CMD_DONE;
}

static int run(struct verify *v, bool adopts) {
  int code = app_open(&v->app, v->args);
  if (code == CMD_DONE && adopts) code = verify_adopt(v->args, &v->app);
  if (code == CMD_DONE) code = app_open_store(&v->app, v->args, &v->store);
  if (code != CMD_DONE) return code;
  enum err e = look(v);
  if (e == ERR_CONFLICT)
    return cmd_fail(v->args, "RECORDINGS_DIR became another volume meanwhile: nothing more is repaired");
  if (e != OK) return cmd_fail(v->args, "can't go on: %s (%s)", err_text(e), db_problem(v->app.db));
  return say_end(v);
}

int cmd_verify(const struct cmd_args *args) {
  struct verify v = {.args = args, .app = APP_NONE};
  struct cmd_options o;
  cmd_options_init(&o, args);
  v.repair = cmd_flag(&o, "--repair");
  bool adopts = cmd_flag(&o, "--adopt-store");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  int code = run(&v, adopts);
  v.store = blob_close(v.store);
  app_done(&v.app);
  return code;
}
