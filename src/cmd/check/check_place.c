/* check_place.c - checks settings, files and their modes, secrets, the database, limits, workers and the run of reconcile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/check/check_parts.h"
#include "cmd/settings_check.h"
#include "ledger/ledger.h"
#include "ledger/nodes.h"
#include "ledger/standbys.h"
#include "work/reconcile.h"

extern char **environ;

enum {
  PROBLEM_MAX = 4096,
  PATH_SIZE = 8192,
  WORKER_LIVES_MS = 30 * 1000,
  QUICK_CHECK_MS = 10 * 1000,
  LOCK_WAIT_MS = 5000,
  FILES_BESIDE = 256, /* descriptors for other things than connections */
  FILES_LEAST = 512,
};

static const char *problem_text(struct buf *b) {
  const char *text;
  return b->n && buf_terminate(b, &text) == OK ? text : "unknown problem";
}

/* ---- settings ---- */

static bool has_secret(const struct conf *conf) {
#define CONF_TEXT(...)
#define CONF_INT(...)
#define CONF_CHOICE(...)
#define CONF_SECRET(name, field, ...) \
  if (conf->field) return true;
#include "base/conf.def"
#undef CONF_TEXT
#undef CONF_INT
#undef CONF_CHOICE
#undef CONF_SECRET
  return false;
}

/* Warns of credentials in the settings that nothing uses, because TWILIO_ACCOUNT_SID is not set. */
static void settings_check_unused(struct check *c) {
  const struct conf *conf = &c->app.conf;
  const char *name = conf->twilio_auth_token ? "TWILIO_AUTH_TOKEN" : "TWILIO_API_SECRET";
  if (conf->twilio_account_sid || (!conf->twilio_auth_token && !conf->twilio_api_secret)) return;
  report_add(&c->report, CHECK_WARN, "settings",
             "set TWILIO_ACCOUNT_SID, or give them to a business by callreel business set",
             "%s is set without TWILIO_ACCOUNT_SID: nothing uses it", name);
}

bool check_settings(struct check *c) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  struct stat st;
  const char *file = c->args->config;
  enum err e = conf_load(file, environ, &problem, &c->app.conf);
  c->app.has_conf = e == OK;
  if (e == OK) e = settings_check(&c->app.conf, &problem);
  if (e != OK) {
    report_add(&c->report, CHECK_FAIL, "settings", "callreel serve --help lists settings and what they may be", "%s",
               problem_text(&problem));
    return false;
  }
  log_set_level(LOG_ERROR);
  if (file && has_secret(&c->app.conf) && stat(file, &st) == 0 && (st.st_mode & 007))
    report_add(&c->report, CHECK_WARN, "settings", "if it holds secrets, chmod 640 it or use NAME_FILE for them",
               "%s can be read by everybody", file);
  settings_check_unused(c);
  if (app_locate(&c->app, c->args) != CMD_DONE) {
    report_add(&c->report, CHECK_FAIL, "settings", "give shorter paths", "DATA_DIR or RECORDINGS_DIR can't be used");
    return false;
  }
  report_add(&c->report, CHECK_OK, "settings", "", "all settings are valid");
  return true;
}

/* ---- files ---- */

/* Reports path if its mode has a bit of wrong. Counts the files in *seen, which a finding makes negative. A missing file is
 * no finding. */
static void files_check_mode(struct check *c, const char *path, mode_t wrong, const char *problem,
                             const char *mend_mode, int *seen) {
  struct stat st;
  char mend[PATH_SIZE + 16];
  if (stat(path, &st) != 0) return;
  ++*seen;
  if (!(st.st_mode & wrong)) return;
  (void)snprintf(mend, sizeof(mend), "chmod %s %s", mend_mode, path);
  report_add(&c->report, CHECK_FAIL, "files", mend, "%s can be %s by others (mode %04o)", path, problem,
             (unsigned)st.st_mode & 07777);
  *seen = -1000;
}

void check_files(struct check *c) {
  static const char *const suffixes[] = {"", "-wal", "-shm", "-turn"};
  char path[PATH_SIZE];
  struct stat st;
  int seen = 0;
  if (stat(c->app.data_dir, &st) != 0) {
    bool none = errno == ENOENT;
    report_add(&c->report, none ? CHECK_WARN : CHECK_FAIL, "files",
               none ? "the first command creates it; see that DATA_DIR is right"
                    : "give the server's user access, or set DATA_DIR",
               "%s %s", c->app.data_dir, none ? "does not exist yet" : strerror(errno));
    return;
  }
  files_check_mode(c, c->app.data_dir, 022, "written", "750", &seen);
  (void)snprintf(path, sizeof(path), "%s/secrets.key", c->app.data_dir);
  files_check_mode(c, path, 077, "read", "600", &seen);
  for (size_t i = 0; i < COUNT_OF(suffixes) && !app_has_server(&c->app); i++) {
    (void)snprintf(path, sizeof(path), "%s%s", c->app.database_url + strlen("sqlite://"), suffixes[i]);
    files_check_mode(c, path, 077, "read", "600", &seen);
  }
  if (seen > 0)
    report_add(&c->report, CHECK_OK, "files", "", "only their owner can read %s and the files in it", c->app.data_dir);
}

/* ---- secrets ---- */

void check_key(struct check *c) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  char path[PATH_SIZE];
  struct stat st;
  (void)snprintf(path, sizeof(path), "%s/secrets.key", c->app.data_dir);
  if (!c->app.conf.secrets_key && stat(path, &st) != 0) {
    bool has_database = app_has_server(&c->app) || stat(c->app.database_url + strlen("sqlite://"), &st) == 0;
    report_add(
        &c->report, has_database ? CHECK_FAIL : CHECK_WARN, "secrets",
        has_database
            ? "put it back from your copy, or set SECRETS_KEY; if it is lost, the next command creates a new one: then "
              "give each business its credentials again with callreel business set"
            : "the first command creates it",
        "%s does not exist", path);
    return;
  }
  /* The file exists, so secrets_key_load creates none. */
  if (secrets_key_load(c->app.conf.secrets_key, c->app.data_dir, &problem, c->app.secrets_key) != OK) {
    report_add(&c->report, CHECK_FAIL, "secrets",
               "put back the key that encrypted the secrets, readable by its owner alone", "%s",
               problem_text(&problem));
    return;
  }
  c->has_key = true;
  report_add(&c->report, CHECK_OK, "secrets", "", "the key that encrypts them can be read (%s)",
             c->app.conf.secrets_key ? "SECRETS_KEY" : path);
}

/* ---- database ---- */

static bool database_check_schema(struct check *c) {
  int found = 0, known = 0;
  enum err e = ledger_schema(c->app.db, &found, &known);
  if (e == ERR_TOO_NEW) {
    report_add(&c->report, CHECK_FAIL, "schema", "install that release, or restore the backup made before it",
               "the database was made by a newer release (schema %d, this one knows %d)", found, known);
  } else if (e != OK) {
    report_add(&c->report, CHECK_FAIL, "schema", "restore a backup, or point DATABASE_URL at callreel's database",
               "the database's schema can't be read: %s", db_problem(c->app.db));
  } else if (found < known) {
    report_add(&c->report, CHECK_WARN, "schema",
               app_has_server(&c->app) ? "callreel migrate" : "callreel migrate; serve does so by itself",
               "the schema is %d, this release's is %d", found, known);
  } else {
    report_add(&c->report, CHECK_OK, "schema", "", "version %d", found);
  }
  return e == OK && found >= known;
}

static void database_check_pages(struct check *c) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  enum err e = app_has_server(&c->app) ? OK : db_check(c->app.db, QUICK_CHECK_MS, &problem);
  if (e == ERR_TIMEOUT)
    report_add(&c->report, CHECK_WARN, "database",
               "run check when there is less load, or on a copy made with callreel backup",
               "its integrity check did not end within %d s", QUICK_CHECK_MS / 1000);
  else if (e != OK)
    report_add(&c->report, CHECK_FAIL, "database", "stop the server and restore the last backup", "it is damaged: %s",
               problem.n ? problem_text(&problem) : db_problem(c->app.db));
}

/* False: nothing that follows would be right. */
static bool database_check_sessions(struct check *c) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  const struct db_open how = app_database(&c->app);
  bool keeps = true;
  enum err e = db_keeps_sessions(&how, &problem, &keeps);
  if (e != OK)
    report_add(&c->report, CHECK_FAIL, "database", "give callreel 12 connections for each serve",
               "it takes no two connections: %s", problem_text(&problem));
  else if (!keeps)
    report_add(&c->report, CHECK_FAIL, "database", "see docs/ops/postgres.md, Poolers", "DATABASE_URL: %s",
               app_no_sessions);
  return e == OK && keeps;
}

/* A standby that takes over must have every write that was acknowledged. */
static void database_check_standbys(struct check *c) {
  static const char mend[] =
      "set synchronous_standby_names on the server, so that a commit waits for a standby (docs/ops/postgres.md)";
  struct standbys s;
  if (!app_has_server(&c->app) || standbys_read(c->app.db, &s) != OK || s.connected == 0) return;
  long long all = s.connected, synchronous = s.synchronous;
  if (!s.is_any_named || synchronous == 0)
    report_add(
        &c->report, CHECK_FAIL, "standby", mend,
        "no standby of %lld is synchronous: one that takes over loses webhooks that were answered, businesses, and "
        "the end of keys",
        all);
  else if (synchronous < 0)
    report_add(&c->report, CHECK_WARN, "standby", "grant pg_monitor to this role, or look at pg_stat_replication",
               "this role may not see whether its standbys are synchronous");
  else if (synchronous < all)
    report_add(&c->report, CHECK_WARN, "standby", "let none of the others take over",
               "%lld of %lld standbys are synchronous", synchronous, all);
  else
    report_add(&c->report, CHECK_OK, "standby", "", "%lld, synchronous", all);
}

/* Takes the write lock and gives it back without a write. */
static bool database_check_writing(struct check *c) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  struct db *db = NULL;
  struct db_open how = app_database(&c->app);
  how.busy_ms = LOCK_WAIT_MS;
  enum err e = db_open(&how, &problem, &db);
  if (e == OK) e = db_begin_immediate(db);
  if (e == ERR_BUSY)
    report_add(&c->report, CHECK_FAIL, "database", "find the process that holds it (fuser) and let it go on or kill it",
               "another process holds its write lock for %d s", LOCK_WAIT_MS / 1000);
  else if (e != OK)
    report_add(&c->report, CHECK_FAIL, "database", "give the server's user the right to write to it and its directory",
               "it can't be written: %s", problem.n ? problem_text(&problem) : err_text(e));
  if (db) db_rollback(db);
  db_close(db);
  return e == OK;
}

/* For a database that does not exist yet: commands create DATA_DIR, but no other directory. False: it is missing. */
static bool database_check_directory(struct check *c) {
  char path[PATH_SIZE];
  struct stat st;
  if (str_copy(path, sizeof(path), str_from(c->app.database_url + strlen("sqlite://"))) != OK) return true;
  char *slash = strrchr(path, '/');
  if (slash == path) return true;
  *slash = '\0';
  if (strcmp(path, c->app.data_dir) == 0 || stat(path, &st) == 0) return true;
  report_add(&c->report, CHECK_FAIL, "database",
             "create it so that the server's user can write to it, or set DATABASE_URL",
             "its directory %s does not exist", path);
  return false;
}

void check_database(struct check *c) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(PROBLEM_MAX);
  struct stat st;
  struct db_open how = app_database(&c->app);
  how.read_only = true;
  if (!app_has_server(&c->app) && stat(c->app.database_url + strlen("sqlite://"), &st) != 0 && errno == ENOENT) {
    c->is_new = true;
    if (!database_check_directory(c)) return;
    report_add(&c->report, CHECK_WARN, "database",
               "the first command creates it; see that DATABASE_URL and DATA_DIR are right", "%s does not exist yet",
               c->app.database_url);
    return;
  }
  enum err e = db_open(&how, &problem, &c->app.db);
  if (e != OK) {
    report_add(&c->report, CHECK_FAIL, "database",
               app_has_server(&c->app) ? "see that the server runs, and that DATABASE_URL is right"
               : e == ERR_CORRUPT      ? "restore the last backup"
                                       : "put it on a local disk that the server's user can write",
               "it can't be opened: %s", problem.n ? problem_text(&problem) : err_text(e));
    return;
  }
  if (!database_check_sessions(c)) return;
  c->has_schema = database_check_schema(c);
  int failed = c->report.counts[CHECK_FAIL], warned = c->report.counts[CHECK_WARN];
  if (c->has_schema && database_check_writing(c)) database_check_pages(c);
  if (c->has_schema && c->report.counts[CHECK_FAIL] == failed && c->report.counts[CHECK_WARN] == warned)
    report_add(&c->report, CHECK_OK, "database", "", "%s",
               app_has_server(&c->app) ? "the server answers and can be written"
                                       : "it is intact, on a local disk, and can be written");
  database_check_standbys(c);
}

/* ---- limits and workers ---- */

void check_limits(struct check *c) {
  static const char mend[] =
      "raise it: LimitNOFILE=65536 in the service's unit, ulimit -n, or --ulimit nofile of the container";
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  long long limit = files.rlim_cur > INT64_MAX ? INT64_MAX : (long long)files.rlim_cur;
  if (limit < FILES_LEAST)
    report_add(&c->report, CHECK_FAIL, "limits", mend, "only %lld files may be open at once", limit);
  else if (limit < c->app.conf.connections + FILES_BESIDE)
    report_add(&c->report, CHECK_WARN, "limits", mend, "%lld files may be open at once, too few for CONNECTIONS=%lld",
               limit, (long long)c->app.conf.connections);
  else
    report_add(&c->report, CHECK_OK, "limits", "", "%lld files may be open at once", limit);
}

void check_workers(struct check *c) {
  struct nodes_workers workers = {.live = 0};
  if (!c->has_schema) return;
  if (nodes_workers(c->app.db, db_now_ms(c->app.db), WORKER_LIVES_MS, &workers) != OK)
    return; /* check_database reported it */
  long long live = workers.live, full = workers.full;
  if (nodes_workers_are_full(&workers))
    report_add(&c->report, CHECK_FAIL, "worker", "make room on the volume, or lower MIN_FREE_BYTES",
               "%lld %s, without room for a recording (storage_full): what is queued is not fetched", live,
               live == 1 ? "lives" : "live");
  else if (full)
    report_add(&c->report, CHECK_WARN, "worker", "make room on its volume; all workers must have the same one",
               "%lld of %lld that live have no room for a recording (storage_full)", full, live);
  else if (live)
    report_add(&c->report, CHECK_OK, "worker", "", "%lld %s", live, live == 1 ? "lives" : "live");
  else
    report_add(&c->report, CHECK_FAIL, "worker", "start callreel serve, or one with --role worker",
               "none was seen for %d s: recordings are queued and not fetched", WORKER_LIVES_MS / 1000);
}

/* Says nothing where nothing was reconciled yet. */
void check_reconcile(struct check *c) {
  struct reconcile_progress p;
  bool is_live;
  if (!c->has_schema || reconcile_progress_read(c->app.db, &p, &is_live) != OK) return;
  long long read = p.counts.accounts, failed = p.counts.failed, all = p.accounts, entries = p.counts.entries;
  if (failed)
    report_add(&c->report, CHECK_WARN, "reconcile", "callreel reconcile says why",
               "%lld of %lld accounts could not be read: what their webhooks lose is not found", failed, all);
  else if (is_live)
    report_add(&c->report, CHECK_OK, "reconcile", "", "under way: %lld of %lld accounts and %lld entries are read",
               read, all, entries);
  else if (!p.ended_ms)
    report_add(&c->report, CHECK_WARN, "reconcile", "the next run goes on there: callreel serve, or callreel reconcile",
               "the last run was interrupted at %lld of %lld accounts", read, all);
  else
    report_add(&c->report, CHECK_OK, "reconcile", "", "%lld accounts were read in the last run", read);
}
