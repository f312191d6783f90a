/* cmd_verify.c - compares the recordings in the database with the files of the store, and with --repair repairs them.
 *
 * It can run beside servers: it reads rows in batches, holds no transaction while it reads files, and changes a row only if the
 * row has not changed since it was compared. */
#include <stdio.h>

#include "cmd/verify/verify_parts.h"
#include "ledger/recordings_count.h"

static enum err verify_all(struct verify *v) {
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

static int verify_run(struct verify *v, bool adopts) {
  int code = app_open(&v->app, v->args);
  if (code == CMD_DONE && adopts) code = verify_adopt(v->args, &v->app);
  if (code == CMD_DONE) code = app_open_store(&v->app, v->args, &v->store);
  if (code != CMD_DONE) return code;
  enum err e = verify_all(v);
  if (e == ERR_CONFLICT) return cmd_fail(v->args, "RECORDINGS_DIR is another volume now; the repair stopped");
  if (e != OK) return cmd_fail(v->args, "stopped: %s (%s)", err_text(e), db_problem(v->app.db));
  return verify_report_end(v);
}

int cmd_verify(const struct cmd_args *args) {
  struct verify v = {.args = args, .app = APP_NONE};
  struct cmd_options o;
  cmd_options_init(&o, args);
  v.repair = cmd_flag(&o, "--repair");
  bool adopts = cmd_flag(&o, "--adopt-store");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  int code = verify_run(&v, adopts);
  v.store = blob_close(v.store);
  app_done(&v.app);
  return code;
}
