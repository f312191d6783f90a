/* db_connect.c - opens a SQLite database, and reopens it when another file stands at its path.
 *
 *   SAME: the open file is the one at the path
 *     SAME --file removed--------> GONE: every call returns ERR_IO
 *     GONE --same file is back---> SAME
 *     SAME, GONE --another file--> SAME: new connection opened, old one closed, reopened + 1   [db_sqlite_check_file]
 *
 * Invariants
 *  (1) The old connection is closed only after the new one is open. So no other file can get its inode number meanwhile, and
 *      db->sqlite is never NULL.
 *  (2) A new database beside the log (-wal) of the old one is never opened: SQLite would apply that log to it.
 *  (3) All files have mode 0600 from the start: db_file_make creates the database, SQLite copies its mode.
 *  (4) A running connection never creates a database at an empty path: an empty database would know no recordings.
 *  (5) A wait for a lock ends at the earliest of busy_until_ms, busy_ms after it began, and the deadline.
 *  (6) From CHECKPOINT_FRAMES pages on a checkpoint moves the log into the database without waiting for anybody. If readers keep
 *      the log from restarting until it has RESTART_FRAMES, the checkpoint waits for them for at most RESTART_WAIT_MS. */
#include "db/db_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "db/db_grams.h"

enum { BUSY_MS = 5000, CHECKPOINT_FRAMES = 1000, RESTART_FRAMES = 8000, RESTART_WAIT_MS = 100, PROGRESS_STEPS = 4000 };

static const char SETTINGS[] =
    "pragma synchronous=full; pragma mmap_size=0;"
    "pragma journal_size_limit=67108864; pragma wal_autocheckpoint=0; pragma secure_delete=on;";
/* A writing connection keeps the pages that a savepoint may roll back in a temporary file. In memory SQLite would walk a list of
 * them at the end of every statement: quadratic in the rows of a savepoint. A reader sorts in memory.
 * cache_size is in KiB. A job of the writer goes through some twenty indexes; with 4 MB of cache a database of 200,000 recordings
 * made it read most of their pages again for each fill. There is one writer in a process, but several readers. */
static const char *const MEMORY[] = {[false] = "pragma temp_store=file; pragma cache_size=-32000",
                                     [true] = "pragma temp_store=memory; pragma cache_size=-4000"};

enum err db_sqlite_error(int rc, int system_errno) {
  switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ERR_BUSY;
    case SQLITE_FULL:
      return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ERR_CORRUPT;
    case SQLITE_INTERRUPT:
      return ERR_TIMEOUT;
    case SQLITE_NOMEM:
      return ERR_NOMEM;
    case SQLITE_TOOBIG:
      return ERR_TOO_BIG;
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
      return ERR_INVALID;
    case SQLITE_CONSTRAINT: {
      bool taken =
          rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY || rc == SQLITE_CONSTRAINT_ROWID;
      return taken ? ERR_EXISTS : ERR_INVALID;
    }
    case SQLITE_IOERR:
      if (rc == SQLITE_IOERR_NOMEM) return ERR_NOMEM;
      return err_from_errno(system_errno) == ERR_FULL ? ERR_FULL : ERR_IO;
    /* This includes a statement that does not fit the schema: the file was replaced by another one, or one not migrated. */
    default:
      return ERR_IO;
  }
}

static int busy_wait(void *arg, int waited_before) {
  struct db_sqlite *db = arg;
  int64_t now = clock_mono_ms();
  if (waited_before == 0) db->busy_since_ms = now;
  int64_t until = db->busy_until_ms != 0 ? db->busy_until_ms : db->busy_since_ms + db->head.busy_ms;
  if (now >= until || (db->head.deadline_ms != 0 && now >= db->head.deadline_ms)) return 0;
  long ns = waited_before < 20 ? 100000 : 1000000;
  (void)nanosleep(&(struct timespec){.tv_nsec = ns}, NULL); /* interrupted: tries earlier */
  return 1;
}

static int stop_after_deadline(void *arg) {
  struct db_sqlite *db = arg;
  if (db->watch) db->watch(db->watch_arg, db->watch_done);
  return db_in_time(&db->head) != OK;
}

static int note_log_length(void *arg, sqlite3 *sqlite, const char *name, int frames) {
  (void)sqlite;
  (void)name;
  struct db_sqlite *db = arg;
  if (frames < db->wal_frames) db->wal_seen_to = 0; /* the log restarted */
  db->wal_frames = frames;
  return SQLITE_OK;
}

/* The file stores its journal mode. Reading the mode needs no lock, setting it needs an exclusive one: so read first. Several
 * processes may create the database at the same time, and SQLite does not call the busy handler in all of this. */
static int ensure_wal(struct db_sqlite *db, sqlite3 *sqlite, bool *ret_wal) {
  static const char *const statements[] = {"pragma journal_mode", "pragma journal_mode=wal"};
  int64_t until = clock_mono_ms() + db->head.busy_ms;
  for (size_t i = 0; i < COUNT_OF(statements); i++) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(sqlite, statements[i], -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    *ret_wal = mode && strcmp(mode, "wal") == 0;
    sqlite3_finalize(stmt);
    if (*ret_wal || db->head.read_only) return SQLITE_OK;
    if ((rc & 0xff) == SQLITE_BUSY && clock_mono_ms() < until) {
      (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* interrupted: tries earlier */
      i = SIZE_MAX;                                                  /* start again with the first statement */
    } else if (rc != SQLITE_ROW) {
      return rc;
    }
  }
  return SQLITE_OK;
}

static enum err identify_open_files(struct db_sqlite *db, sqlite3 *sqlite, struct db_files *ret_files) {
  struct db_files files = {0};
  TRY(db_file_identify(db->path, &files.main));
  enum err e = db_file_identify(db->wal_path, &files.wal);
  if (e == OK) e = db_file_identify(db->shm_path, &files.shm);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  int moved = 0;
  /* The path named this file a moment ago and SQLite opened the path: was it replaced in between? */
  if (sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved) return ERR_IO;
  *ret_files = files;
  return OK;
}

static int set_up_connection(struct db_sqlite *db, sqlite3 *sqlite, bool *ret_wal) {
  int rc = sqlite3_busy_handler(sqlite, busy_wait, db);
  if (rc == SQLITE_OK) rc = sqlite3_exec(sqlite, SETTINGS, NULL, NULL, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_exec(sqlite, MEMORY[db->head.read_only], NULL, NULL, NULL);
  if (rc == SQLITE_OK) rc = ensure_wal(db, sqlite, ret_wal);
  /* The first read opens the log; it stays open as long as the connection. */
  if (rc == SQLITE_OK) rc = sqlite3_exec(sqlite, "select 1 from sqlite_schema limit 1", NULL, NULL, NULL);
  if (rc == SQLITE_OK && db->head.read_only) rc = sqlite3_exec(sqlite, "pragma query_only=on", NULL, NULL, NULL);
  return rc;
}

enum err db_sqlite_connect(struct db_sqlite *db, sqlite3 **ret_sqlite, struct db_files *ret_files) {
  sqlite3 *sqlite = NULL;
  struct db_files files;
  bool is_wal = false;
  int rc =
      sqlite3_open_v2(db->path, &sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
  if (rc == SQLITE_OK) rc = set_up_connection(db, sqlite, &is_wal);
  if (rc == SQLITE_OK) rc = db_grams_register(sqlite);
  enum err e = db_sqlite_error(rc, !sqlite ? 0 : sqlite3_system_errno(sqlite));
  if (e != OK) {
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s: %s", db->path,
                   !sqlite ? "out of memory" : sqlite3_errmsg(sqlite));
  } else if (!is_wal && !db->head.read_only) {
    e = ERR_UNSUPPORTED;
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s: its volume does not allow write-ahead logging",
                   db->path);
  } else if (!db->head.read_only && sqlite3_db_readonly(sqlite, "main") == 1) {
    e = ERR_DENIED;
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s can't be written", db->path);
  } else {
    e = identify_open_files(db, sqlite, &files);
    if (e != OK)
      (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s: removed while it was opened", db->path);
  }
  if (e != OK) {
    sqlite3_close(sqlite);
    return e;
  }
  sqlite3_progress_handler(sqlite, PROGRESS_STEPS, stop_after_deadline, db);
  sqlite3_wal_hook(sqlite, note_log_length, db);
  *ret_sqlite = sqlite;
  *ret_files = files;
  return OK;
}

static bool is_still(const char *path, struct db_file before) {
  struct db_file now;
  return before.inode != 0 && db_file_identify(path, &now) == OK && db_file_same(now, before);
}

static enum err reopen_connection(struct db_sqlite *db) {
  if (is_still(db->wal_path, db->files.wal) || is_still(db->shm_path, db->files.shm)) {
    (void)snprintf(db->head.problem, sizeof(db->head.problem),
                   "%s was replaced, but its -wal and -shm are the old one's: remove them", db->path);
    return ERR_IO;
  }
  sqlite3 *sqlite;
  struct db_files files;
  enum err e = db_sqlite_connect(db, &sqlite, &files);
  if (e != OK) return e == ERR_BUSY ? e : ERR_IO;
  db_sqlite_forget_statements(db);
  int rc = sqlite3_close(db->sqlite);
  assert(rc == SQLITE_OK);
  (void)rc; /* for builds without asserts */
  db->sqlite = sqlite;
  db->files = files;
  db->wal_frames = db->wal_seen_to = 0;
  db->head.reopened++;
  db_turn_leave(&db->turn);
  return OK;
}

enum err db_sqlite_check_file(struct db_sqlite *db) {
  if (db->rows_open > 0 || !sqlite3_get_autocommit(db->sqlite)) return OK;
  struct db_file now;
  enum err e = db_file_identify(db->path, &now);
  if (e == OK && db_file_same(now, db->files.main)) return OK;
  if (e == OK) return reopen_connection(db);
  (void)snprintf(db->head.problem, sizeof(db->head.problem), "the database file %s is gone", db->path);
  return ERR_IO;
}

enum err db_sqlite_check_commit(struct db_sqlite *db) {
  int64_t before = db->head.reopened;
  TRY(db_sqlite_check_file(db));
  if (db->head.reopened == before) return OK;
  (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s was replaced during a transaction", db->path);
  return ERR_IO;
}

void db_sqlite_checkpoint(struct db_sqlite *db) {
  bool forgets = db->head.forgets;
  if (db->wal_frames - db->wal_seen_to < CHECKPOINT_FRAMES && !forgets) return;
  int mode = forgets                            ? SQLITE_CHECKPOINT_TRUNCATE
             : db->wal_frames >= RESTART_FRAMES ? SQLITE_CHECKPOINT_RESTART
                                                : SQLITE_CHECKPOINT_PASSIVE;
  db->wal_seen_to = db->wal_frames;
  db->busy_until_ms = clock_mono_ms() + RESTART_WAIT_MS;
  /* The next checkpoint, CHECKPOINT_FRAMES later, moves what this one could not. */
  int rc = sqlite3_wal_checkpoint_v2(db->sqlite, "main", mode, NULL, NULL);
  if (forgets && rc == SQLITE_OK) db->head.forgets = false; /* else after the next commit */
  db->busy_until_ms = 0;
}

bool db_keep_temporary_files_in(const char *directory) {
  return getenv("SQLITE_TMPDIR") || setenv("SQLITE_TMPDIR", directory, 1) == 0;
}

static enum err open_connection(struct db_sqlite *db, const struct db_open *how, struct buf *ret_problem) {
  const char *path;
  TRY(db_file_path(how->url, ret_problem, &path));
  db->head.read_only = how->read_only;
  db->head.busy_ms = how->busy_ms > 0 ? how->busy_ms : BUSY_MS;
  db->path = strdup(path);
  if (!db->path) return ERR_NOMEM;
  if (asprintf(&db->wal_path, "%s-wal", path) < 0) db->wal_path = NULL;
  if (asprintf(&db->shm_path, "%s-shm", path) < 0) db->shm_path = NULL;
  if (!db->wal_path || !db->shm_path) return ERR_NOMEM;
  TRY(db_file_check_volume(path, ret_problem));
  if (!db_turn_init(&db->turn, path)) return ERR_NOMEM;
  enum err e = how->read_only ? db_file_identify(path, &db->files.main) : db_file_make(path);
  if (e != OK) {
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "the database file %s can't be %s: %s", path,
                   how->read_only ? "read" : "made", strerror(errno));
  } else {
    e = db_sqlite_connect(db, &db->sqlite, &db->files);
  }
  /* Without memory for the text the error is the same. */
  if (e != OK && ret_problem && buf_addf(ret_problem, "%s", db->head.problem) != OK) buf_clear(ret_problem);
  return e;
}

enum err db_sqlite_open(const struct db_open *how, struct buf *ret_problem, struct db **ret_db) {
  struct db_sqlite *db = calloc(1, sizeof(*db));
  if (!db) return ERR_NOMEM;
  db->head.operations = &db_sqlite_operations;
  db->turn.fd = -1;
  enum err e = open_connection(db, how, ret_problem);
  if (e != OK) {
    db_close(&db->head);
    return e;
  }
  *ret_db = &db->head;
  return OK;
}

void db_sqlite_close(struct db *opened) {
  struct db_sqlite *db = db_sqlite_of(opened);
  assert(db->rows_open == 0);
  db_sqlite_forget_statements(db);
  sqlite3_close(db->sqlite); /* rolls back what is open */
  db_turn_done(&db->turn);
  free(db->path);
  free(db->wal_path);
  free(db->shm_path);
  free(db);
}
