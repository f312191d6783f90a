/* cmd_backup.c - a consistent copy of the database beside whoever writes it.
 *
 * It migrates nothing and makes nothing but the copy: it is what one does before a new release runs. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_progress.h"
#include "ledger/ledger.h"

enum { PROBLEM_MAX = 4096 };

static void show(void *arg, int done_percent) {
  progress_show(arg, done_percent, 100);
}

static int explain(const struct cmd_args *args, const struct db *db, const char *path, enum err e) {
  if (e == ERR_EXISTS) return cmd_fail(args, "%s is there already, and is not overwritten", path);
  if (e == ERR_NOT_FOUND) return cmd_fail(args, "%s can't be made: there is no such directory", path);
  return app_fail(args, db, e);
}

static int say_done(const struct cmd_args *args, const char *path, bool has_key_file) {
  struct stat st;
  struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  if (stat(path, &st) != 0) return cmd_fail(args, "%s is gone again", path);
  if (!args->json) {
    printf("%s: %lld bytes.\n", path, (long long)st.st_size);
    if (has_key_file)
      fputs("Its secrets open with DATA_DIR/secrets.key, which is not in it: keep that too, in another place.\n",
            stderr);
    return CMD_DONE;
  }
  bool written = buf_add(&b, STR("{\"path\":")) == OK && buf_add_json(&b, str_from(path)) == OK &&
                 buf_addf(&b, ",\"bytes\":%lld}", (long long)st.st_size) == OK && print_line(&b) == OK;
  return written ? CMD_DONE : cmd_fail(args, "standard output can't be written");
}

/* The database as it is, whatever its schema; never a new one. */
static int open_database(struct app *app, const struct cmd_args *args) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  const char *text = "out of memory";
  int code = app_open_conf(app, args);
  if (code == CMD_DONE) code = app_locate(app, args);
  if (code != CMD_DONE) return code;
  struct db_open how = {.url = app->database_url, .read_only = true};
  enum err e = db_open(&how, &problem, &app->db);
  if (e == OK) return CMD_DONE;
  if (buf_terminate(&problem, &text) != OK) text = err_text(e);
  return cmd_fail(args, "DATABASE_URL: %s", text);
}

int cmd_backup(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct progress progress;
  struct cmd_options o;
  int version;
  cmd_options_init(&o, args);
  const char *path = cmd_word(&o);
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (!path || !path[0]) return cmd_misuse(args, "into which file?");
  int code = open_database(&app, args);
  if (code != CMD_DONE) return code;
  if (migrate_version(app.db, &version) != OK || version == 0)
    return cmd_fail(args, "DATABASE_URL: there is no database of callreel in that file");
  progress_begin(&progress, "Copying the database");
  enum err e = db_backup(app.db, path, show, &progress);
  progress_end(&progress);
  return e == OK ? say_done(args, path, !app.conf.secrets_key) : explain(args, app.db, path, e);
}
