/* cmd_check.c - the doctor: looks at everything that an installation stands on and says what to do. Works beside a running
 * server, and changes nothing but its probe file on the recordings' volume. */
#include <stdlib.h>

#include "cmd/check/check_parts.h"

static void look_at_all(struct check *c) {
  if (!check_settings(c)) return;
  check_files(c);
  check_key(c);
  check_database(c);
  check_volume(c);
  check_limits(c);
  check_workers(c);
  check_businesses(c);
}

int cmd_check(const struct cmd_args *args) {
  struct check c = {.args = args, .app = APP_NONE};
  if (args->count) return cmd_misuse(args, "\"%s\" is not understood", args->words[0]);
  report_init(&c.report, args->json);
  look_at_all(&c);
  enum err e = report_print(&c.report);
  bool failed = c.report.counts[CHECK_FAIL] > 0;
  c.store = blob_close(c.store);
  app_done(&c.app);
  report_done(&c.report);
  if (e != OK) return cmd_fail(args, "what was found can't be printed: %s", err_text(e));
  return failed ? CMD_FAILED : CMD_DONE;
}
