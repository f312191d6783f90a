/* cmd_backup.c - copies the database into a file while other processes write to it. The copy is consistent.
 *
 * It does not migrate the database and creates nothing but the copy, so that an operator can run it before an upgrade. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_progress.h"
#include "ledger/ledger.h"

enum { PROBLEM_MAX = 4096 };

static void backup_show_progress(void *arg, int done_percent) {
  progress_show(arg, done_percent, 100);
}

static int backup_fail(const struct cmd_args *args, const struct db *db, const char *path, enum err e) {
  if (e == ERR_EXISTS) return cmd_fail(args, "%s exists already and is not overwritten", path);
  if (e == ERR_NOT_FOUND) return cmd_fail(args, "%s can't be created: its directory does not exist", path);
  return app_fail(args, db, e);
}

static int backup_print_result(const struct cmd_args *args, const char *path, bool has_key_file) {
  struct stat st;
  struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  if (stat(path, &st) != 0) return cmd_fail(args, "%s was removed by another process", path);
  if (!args->json) {
    printf("%s: %lld bytes.\n", path, (long long)st.st_size);
    if (has_key_file)
      fputs(
          "The copy does not hold DATA_DIR/secrets.key, which decrypts its secrets. Keep that file too, in another "
          "place.\n",
          stderr);
    return CMD_DONE;
  }
  bool written = buf_add(&b, STR("{\"path\":")) == OK && buf_add_json(&b, str_from(path)) == OK &&
                 buf_addf(&b, ",\"bytes\":%lld}", (long long)st.st_size) == OK && print_line(&b) == OK;
  return written ? CMD_DONE : cmd_fail(args, "standard output can't be written");
}

/* Opens the database read-only, with any schema version. Never creates one. */
static int backup_open_database(struct app *app, const struct cmd_args *args) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  const char *text = "out of memory";
  int code = app_open_conf(app, args);
  if (code == CMD_DONE) code = app_locate(app, args);
  if (code != CMD_DONE) return code;
  struct db_open how = app_database(app);
  how.read_only = true;
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
  if (!path || !path[0]) return cmd_misuse(args, "FILE is needed");
  int code = backup_open_database(&app, args);
  if (code != CMD_DONE) return code;
  if (migrate_version(app.db, &version) != OK || version == 0)
    return cmd_fail(args, "DATABASE_URL: that file is not a callreel database");
  progress_begin(&progress, "Copying the database");
  enum err e = db_backup(app.db, path, backup_show_progress, &progress);
  progress_end(&progress);
  return e == OK ? backup_print_result(args, path, !app.conf.secrets_key) : backup_fail(args, app.db, path, e);
}
