/* cmd_status.c - prints the queue, the running fills and the failures. It only reads. */
#include <stdio.h>

#include "cmd/app.h"
#include "cmd/status/status_text.h"
#include "cmd/status/status_watch.h"

int cmd_status(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct buf out CLEANUP(buf_done) = BUF_INIT(STATUS_TEXT_MAX);
  struct cmd_options o;
  int64_t business_id = 0;
  cmd_options_init(&o, args);
  bool watch = cmd_flag(&o, "--watch");
  const char *business = cmd_option(&o, "--business");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &business_id)) return CMD_USAGE;
  int code = app_open(&app, args);
  if (code == CMD_DONE) code = app_require_business(&app, args, business_id);
  if (code != CMD_DONE) return code;
  if (watch) return status_watch(args, &app, business_id);
  enum err e = status_write_all(app.db, &app.conf, business_id, args->json, &out);
  if (e != OK) return app_fail(args, app.db, e);
  bool written = fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
  return written ? CMD_DONE : cmd_fail(args, "standard output can't be written");
}
