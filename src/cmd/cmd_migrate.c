/* cmd_migrate.c - brings the database's schema up to date, and moves an installation from SQLite to a server. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_progress.h"
#include "db/migrate.h"
#include "ledger/moving.h"
#include "ledger/settings.h"

static enum err copy_all(struct moving *m) {
  struct progress progress;
  bool more;
  enum err e;
  progress_begin(&progress, "Moving");
  do {
    e = moving_copy_part(m, &more);
    progress_show(&progress, m->done, m->all);
  } while (e == OK && more);
  progress_end(&progress);
  return e;
}

static int move_report(const struct cmd_args *args, struct moving *m) {
  const char *name;
  int64_t rows;
  if (args->json) (void)fputs("{\"tables\":{", stdout);
  for (size_t i = 0; moving_table(m, i, &name, &rows); i++)
    printf(args->json ? "%s\"%s\":%lld" : "%s%-18s %lld\n", args->json && i ? "," : "", name, (long long)rows);
  if (args->json)
    printf("},\"rows\":%lld}\n", (long long)m->all);
  else
    printf(
        "All %lld rows are there. Start the processes with this DATABASE_URL and the same SECRETS_KEY and "
        "RECORDINGS_DIR;\n"
        "the search index of the calls is rebuilt meanwhile.\n",
        (long long)m->all);
  return CMD_DONE;
}

/* source: in a read transaction. */
static int move_rows(const struct cmd_args *args, struct app *app, struct db *source) {
  struct moving m;
  const char *why, *different = NULL;
  enum err e = moving_begin(app->db, &why);
  if (e == OK && why) return cmd_fail(args, "DATABASE_URL: %s", why);
  if (e != OK) return app_fail(args, app->db, e);
  e = moving_init(&m, source, app->db);
  if (e == OK) e = copy_all(&m);
  if (e == OK) e = moving_end(&m, &different);
  int code = CMD_DONE;
  if (e != OK)
    code = cmd_fail(args, "stopped: %s (%s%s). Run it again to go on", err_text(e), db_problem(app->db),
                    db_problem(source));
  else if (different)
    code = cmd_fail(args, "the table %s has another number of rows than in the SQLite database; nothing was finished",
                    different);
  else
    code = move_report(args, &m);
  moving_done(&m);
  return code;
}

/* The secrets in the SQLite database must open with the key of this installation. */
static int check_source(const struct cmd_args *args, struct app *app, struct db *source) {
  const char *why = NULL;
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  enum err e = moving_source_fits(source, clock_now_ms(), &why);
  if (e != OK) return app_fail(args, source, e);
  if (why) return cmd_fail(args, "--from: %s", why);
  e = settings_get(source, app->secrets_key, "url_signing_key", &value);
  if (value.p) secret_wipe(value.p, value.n);
  if (e == ERR_CORRUPT)
    return cmd_fail(
        args, "SECRETS_KEY is not the one of the SQLite installation: set it, or copy its secrets.key to DATA_DIR");
  return CMD_DONE;
}

static int move_from(const struct cmd_args *args, struct app *app, const char *url) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1024);
  struct db *source;
  const struct db_open open = {.url = url, .read_only = true};
  int64_t before = 0, after = 0;
  if (!app_has_server(app)) return cmd_fail(args, "DATABASE_URL must be postgresql://...: there the rows go");
  if (strncmp(url, "sqlite:///", 10) != 0) return cmd_misuse(args, "--from must be sqlite:///PATH");
  if (db_open(&open, &problem, &source) != OK) return cmd_fail(args, "--from: %.*s", STR_ARG(buf_str(&problem)));
  int code = check_source(args, app, source);
  enum err e = code == CMD_DONE ? db_data_version(source, &before) : OK;
  if (e == OK && code == CMD_DONE) e = db_begin(source);
  if (e == OK && code == CMD_DONE) code = move_rows(args, app, source);
  db_rollback(source);
  if (e == OK && code == CMD_DONE) e = db_data_version(source, &after);
  if (e != OK) code = app_fail(args, source, e);
  if (code == CMD_DONE && before != after)
    code = cmd_fail(
        args,
        "somebody wrote into the SQLite database meanwhile, and that is not moved: begin anew, into an empty schema");
  db_close(source);
  return code;
}

int cmd_migrate(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *from = cmd_option(&o, "--from");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  app.migrates = true;
  int code = app_open(&app, args);
  if (code != CMD_DONE) return code;
  if (from) return move_from(args, &app, from);
  int version;
  if (migrate_version(app.db, &version) != OK) return cmd_fail(args, "%s", db_problem(app.db));
  printf(args->json ? "{\"schema\":%d}\n" : "The database's schema is up to date (%d).\n", version);
  return CMD_DONE;
}
