/* cmd_check.c - checks everything that an installation needs, and says for each problem what to do.
 *
 * It can run beside a server. It changes nothing, except that it creates and removes a probe file on the recordings' volume. */
#include <stdlib.h>

#include "cmd/check/check_parts.h"

static void check_run_all(struct check *c) {
  if (!check_settings(c)) return;
  check_files(c);
  check_key(c);
  check_database(c);
  check_volume(c);
  check_limits(c);
  check_workers(c);
  check_reconcile(c);
  check_businesses(c);
  check_speech(c);
}

int cmd_check(const struct cmd_args *args) {
  struct check c = {.args = args, .app = APP_NONE};
  if (args->count) return cmd_misuse(args, "\"%s\" is not understood", args->words[0]);
  report_init(&c.report, args->json);
  check_run_all(&c);
  enum err e = report_print(&c.report);
  bool failed = c.report.counts[CHECK_FAIL] > 0;
  c.store = blob_close(c.store);
  app_done(&c.app);
  report_done(&c.report);
  if (e != OK) return cmd_fail(args, "the report can't be printed: %s", err_text(e));
  return failed ? CMD_FAILED : CMD_DONE;
}
