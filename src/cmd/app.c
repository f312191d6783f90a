/* app.c - opens settings, directories, key, database and store for a command, in this order. */
#include "cmd/app.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "cmd/cmd_progress.h"
#include "cmd/settings_check.h"
#include "db/db_writer.h"
#include "domain/store.h"
#include "ledger/businesses.h"
#include "ledger/ledger.h"
#include "ledger/moving.h"

extern char **environ;

enum { PROBLEM_MAX = 4096, BUSY_MS = 1000, BUSY_PAUSE_MS = 200, BUSY_TRIES = 50 };
enum { UPDATE_SHOW_MS = 500, UPDATE_LOG_MS = 2000 };

/* The buffer's text, NUL-terminated; never NULL. */
static const char *problem_text(struct buf *b) {
  const char *text;
  return b->n && buf_terminate(b, &text) == OK ? text : "unknown problem";
}

void app_done(struct app *app) {
  app->db = db_close(app->db);
  secret_wipe(app->secrets_key, sizeof(app->secrets_key));
  free(app->data_dir);
  free(app->database_url);
  free(app->recordings_dir);
  if (app->has_conf) conf_done(&app->conf);
  memset(app, 0, sizeof(*app));
}

int app_open_conf(struct app *app, const struct cmd_args *args) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  if (conf_load(args->config, environ, &problem, &app->conf) != OK) return cmd_fail(args, "%s", problem_text(&problem));
  app->has_conf = true;
  if (settings_check(&app->conf, &problem) != OK) return cmd_fail(args, "%s", problem_text(&problem));
  log_set_level((enum log_level)app->conf.log_level);
  log_set_format((enum log_format)app->conf.log_format);
  return CMD_DONE;
}

/* With make, a missing directory is created. */
static int open_data(struct app *app, const struct cmd_args *args, bool make) {
  int fd CLEANUP(fs_close_) = -1;
  enum err e = fs_open_root(app->conf.data_dir, make, &fd);
  app->data_dir = e == OK ? realpath(app->conf.data_dir, NULL) : !make ? strdup(app->conf.data_dir) : NULL;
  if (app->data_dir) return CMD_DONE;
  return cmd_fail(args, "DATA_DIR: the directory can't be used: %s", e ? err_text(e) : strerror(errno));
}

static char *path_join(const char *directory, const char *before, const char *name) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(8192);
  const char *text;
  if (buf_addf(&b, "%s%s/%s", before, directory, name) != OK || buf_terminate(&b, &text) != OK) return NULL;
  return TAKE(b.p);
}

/* Keeps symbolic links in the path: the process follows them again while it runs, and finds out if one leads elsewhere. */
static int locate_recordings(struct app *app, const struct cmd_args *args, const char *path) {
  char *here CLEANUP(free_char) = path[0] == '/' ? NULL : realpath(".", NULL);
  if (path[0] != '/' && !here) return cmd_fail(args, "the working directory can't be found: %s", strerror(errno));
  app->recordings_dir = here ? path_join(here, "", path) : strdup(path);
  return app->recordings_dir ? CMD_DONE : cmd_fail(args, "out of memory, or a path that is too long");
}

static int open_directories(struct app *app, const struct cmd_args *args, bool make) {
  int code = open_data(app, args, make);
  if (code != CMD_DONE) return code;
  if (!db_keep_temporary_files_in(app->data_dir)) return cmd_fail(args, "out of memory");
  app->database_url =
      app->conf.database_url ? strdup(app->conf.database_url) : path_join(app->data_dir, "sqlite://", "callreel.db");
  char *recordings CLEANUP(free_char) =
      app->conf.recordings_dir ? strdup(app->conf.recordings_dir) : path_join(app->data_dir, "", "recordings");
  if (!app->database_url || !recordings) return cmd_fail(args, "out of memory, or a path that is too long");
  return locate_recordings(app, args, recordings); /* see app_open_store */
}

int app_locate(struct app *app, const struct cmd_args *args) {
  return open_directories(app, args, false);
}

/* Repeats step while another process has locked the database (it may be suspended), up to BUSY_TRIES times. */
static enum err app_repeat_while_busy(struct app *app, enum err (*step)(struct app *app, void *arg), void *arg) {
  const struct timespec pause = {.tv_nsec = BUSY_PAUSE_MS * 1000 * 1000};
  enum err e = step(app, arg);
  for (int i = 1; e == ERR_BUSY && app->is_patient && i < BUSY_TRIES; i++) {
    if (i == 1) log_warn("Waiting for the database", LOG_TEXT("why", "held by another process"));
    (void)nanosleep(&pause, NULL);
    e = step(app, arg);
  }
  return e;
}

const char app_no_sessions[] =
    "a pooler in transaction mode is in between: LISTEN, search path, time-outs and locks do not last there. Set its "
    "pool_mode to session";

struct db_open app_database(const struct app *app) {
  return (struct db_open){
      .url = app->database_url, .schema = app->conf.database_schema, .is_pooled = !!app->conf.database_direct_url};
}

bool app_has_server(const struct app *app) {
  return db_url_is_postgres(app->database_url);
}

static enum err open_database(struct app *app, void *problem) {
  struct db_open how = app_database(app);
  how.busy_ms = app->is_patient ? BUSY_MS : 0;
  buf_clear(problem);
  return db_open(&how, problem, &app->db);
}

/* Shows or logs what long scripts do. */
struct schema_update {
  bool logs;
  int64_t began_ms, told_ms; /* monotonic */
  char what[80];
  struct progress progress;
};

static void schema_update_tell(void *arg, const struct migration *m, size_t done, size_t all) {
  struct schema_update *u = arg;
  int64_t now = clock_mono_ms(), every = u->logs ? UPDATE_LOG_MS : UPDATE_SHOW_MS;
  if (now - u->told_ms < every) return;
  u->told_ms = now;
  if (u->logs) {
    log_info("Updating the database", LOG_TEXT("script", m->name), LOG_INT("seconds", (now - u->began_ms) / 1000),
             LOG_INT("percent", progress_percent((int64_t)done, (int64_t)all)));
    return;
  }
  (void)snprintf(u->what, sizeof(u->what), "Updating the database, %s, %lld s", m->name,
                 (long long)((now - u->began_ms) / 1000));
  u->progress.percent = -1; /* the text has changed */
  progress_show(&u->progress, (int64_t)done, (int64_t)all);
}

static enum err app_migrate(struct app *app, void *applied) {
  struct schema_update u = {.logs = app->is_patient, .began_ms = clock_mono_ms()};
  u.told_ms = u.began_ms;
  progress_begin(&u.progress, u.what);
  enum err e = ledger_migrate(app->db, &(struct migrate_watch){schema_update_tell, &u}, applied);
  progress_end(&u.progress);
  return e;
}

static int require_sessions(struct app *app, const struct cmd_args *args) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  struct db_open how = app_database(app);
  const char *urls[] = {app->database_url, app->conf.database_direct_url};
  static const char *const names[] = {"DATABASE_URL", "DATABASE_DIRECT_URL"};
  if (!app_has_server(app) || !(app->migrates || app->needs_sessions)) return CMD_DONE;
  for (size_t i = 0; i < COUNT_OF(urls); i++) {
    bool keeps = true;
    how.url = urls[i];
    enum err e = how.url ? db_keeps_sessions(&how, &problem, &keeps) : OK;
    if (e != OK) return cmd_fail(args, "%s: %s", names[i], problem_text(&problem));
    if (!keeps) return cmd_fail(args, "%s: %s", names[i], app_no_sessions);
  }
  return CMD_DONE;
}

/* Several processes use a server, so its schema changes only when somebody says so. */
static int require_schema(struct app *app, const struct cmd_args *args) {
  int found = 0, known = 0;
  enum err e = ledger_schema(app->db, &found, &known);
  if (e == ERR_TOO_NEW) return cmd_fail(args, "the database was made by a newer release: install that one");
  if (e != OK) return app_fail(args, app->db, e);
  bool unfinished = false;
  if (found >= known) e = moving_is_unfinished(app->db, &unfinished);
  if (e != OK) return app_fail(args, app->db, e);
  if (unfinished) return cmd_fail(args, "the move from SQLite is not finished: run callreel migrate --from again");
  if (found >= known) return CMD_DONE;
  return cmd_fail(args, "the database's schema is %d, this release's is %d: run callreel migrate", found, known);
}

int app_open(struct app *app, const struct cmd_args *args) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  int code = app_open_conf(app, args);
  if (code == CMD_DONE) code = open_directories(app, args, true);
  if (code != CMD_DONE) return code;
  if (secrets_key_load(app->conf.secrets_key, app->data_dir, &problem, app->secrets_key) != OK)
    return cmd_fail(args, "%s", problem_text(&problem));
  if (app_repeat_while_busy(app, open_database, &problem) != OK)
    return cmd_fail(args, "DATABASE_URL: %s", problem_text(&problem));
  code = require_sessions(app, args);
  if (code != CMD_DONE) return code;
  if (app_has_server(app) && !app->migrates) return require_schema(app, args);
  int applied;
  enum err e = app_repeat_while_busy(app, app_migrate, &applied);
  if (e == ERR_TOO_NEW) return cmd_fail(args, "the database was made by a newer release: install that one");
  if (e != OK) return cmd_fail(args, "the database's schema can't be brought up to date: %s", db_problem(app->db));
  return CMD_DONE;
}

struct write_call {
  enum err (*fn)(struct db *db, void *arg);
  void *arg;
  const int64_t *business_ids; /* NULL: any */
  int business_count;
};

static enum err write_begin(struct db *db, const struct write_call *w) {
  if (!w->business_ids) return db_begin_immediate(db);
  TRY(db_begin_shared(db));
  enum err e = db_lock_businesses(db, w->business_ids, w->business_count);
  if (e != OK) db_rollback(db);
  return e;
}

static enum err app_write_once(struct app *app, void *writing) {
  struct write_call *w = writing;
  TRY(write_begin(app->db, w));
  int64_t rows = db_touched(app->db);
  enum err e = w->fn(app->db, w->arg);
  rows = db_touched(app->db) - rows;
#ifdef CALLREEL_TEST_HOOKS
  assert(rows <= DB_JOB_ROWS); /* other processes' jobs wait for this transaction */
#endif
  (void)rows; /* unused without test hooks */
  if (e == OK) e = db_commit(app->db);
  if (e != OK) db_rollback(app->db);
  return e;
}

enum err app_write(struct app *app, enum err (*fn)(struct db *db, void *arg), void *arg) {
  struct write_call w = {fn, arg, NULL, 0};
  return app_repeat_while_busy(app, app_write_once, &w);
}

enum err app_write_of(struct app *app, const int64_t *business_ids, int count, enum err (*fn)(struct db *db, void *arg),
                      void *arg) {
  struct write_call w = {fn, arg, business_ids, count};
  return app_repeat_while_busy(app, app_write_once, &w);
}

/* ---- the store ---- */

struct store_creation {
  struct blob_store *store;
  char id[STORE_ID_SIZE];
};

/* Writes .store-id before the transaction commits: a process that reads the id in the database finds the file, even if
 * several processes start at once. */
static enum err app_create_store_id(struct db *db, void *arg) {
  struct store_creation *m = arg;
  enum err e = store_known_id(db, m->id);
  if (e != ERR_NOT_FOUND) return e;
  TRY(store_id_of_database(db, m->id));
  return store_check(m->store, m->id, true);
}

/* Creates the directory only if the database knows no store: if it is missing later, the volume is not mounted. */
static enum err app_check_store(struct app *app, struct store_creation *m) {
  enum err e = store_known_id(app->db, m->id);
  if (e == OK) {
    TRY(blob_open_disk_later(app->recordings_dir, &m->store));
    return store_reopen(m->store, m->id, NULL);
  }
  if (e != ERR_NOT_FOUND) return e;
  TRY(blob_open_disk(app->recordings_dir, &m->store));
  TRY(app_write(app, app_create_store_id, m));
  return store_check(m->store, m->id, false);
}

static const char wrong_store[] =
    "RECORDINGS_DIR is not the volume that the database knows: it is not mounted, or not shared. If the "
    "recordings were moved there on purpose: callreel verify --adopt-store";

int app_open_store(struct app *app, const struct cmd_args *args, struct blob_store **ret_store) {
  struct store_creation m = {.store = NULL};
  enum err e = app_check_store(app, &m);
  if (e == OK) {
    *ret_store = m.store;
    return CMD_DONE;
  }
  blob_close(m.store);
  if (e == ERR_CONFLICT || e == ERR_NOT_FOUND || e == ERR_CORRUPT) return cmd_fail(args, "%s", wrong_store);
  if (e == ERR_BUSY) return cmd_fail(args, "the database can't be written: %s", db_problem(app->db));
  return cmd_fail(args, "RECORDINGS_DIR can't be used: %s", err_text(e));
}

int app_open_store_or_wait(struct app *app, const struct cmd_args *args, struct blob_store **ret_store) {
  char id[STORE_ID_SIZE];
  enum err e = store_known_id(app->db, id);
  if (e == ERR_NOT_FOUND) return app_open_store(app, args, ret_store);
  if (e == OK) e = blob_open_disk_later(app->recordings_dir, ret_store);
  if (e != OK) return app_fail(args, app->db, e);
  e = store_reopen(*ret_store, id, NULL);
  if (e != OK)
    log_error("Waiting for the recordings' volume", LOG_TEXT("why", wrong_store), LOG_ERR(e),
              LOG_TEXT("recordings_dir", app->recordings_dir));
  return CMD_DONE;
}

int app_fail(const struct cmd_args *args, const struct db *db, enum err e) {
  const char *problem = db_problem(db);
  return problem[0] ? cmd_fail(args, "%s (%s)", err_text(e), problem) : cmd_fail(args, "%s", err_text(e));
}

int app_require_business(struct app *app, const struct cmd_args *args, int64_t business_id) {
  struct business b CLEANUP(business_done) = {0};
  if (!business_id) return CMD_DONE;
  enum err e = businesses_get(app->db, NULL, business_id, &b);
  if (e == ERR_NOT_FOUND) return cmd_fail(args, "business %lld does not exist", (long long)business_id);
  return e == OK ? CMD_DONE : app_fail(args, app->db, e);
}
