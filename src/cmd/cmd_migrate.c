/* cmd_migrate.c - brings the database's schema up to date and prints its version. */
#include <stdio.h>

#include "cmd/app.h"
#include "db/migrate.h"

int cmd_migrate(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  if (args->count) return cmd_misuse(args, "\"%s\" is not understood", args->words[0]);
  app.migrates = true;
  int code = app_open(&app, args);
  if (code != CMD_DONE) return code;
  int version;
  if (migrate_version(app.db, &version) != OK) return cmd_fail(args, "%s", db_problem(app.db));
  printf(args->json ? "{\"schema\":%d}\n" : "The database's schema is up to date (%d).\n", version);
  return CMD_DONE;
}
