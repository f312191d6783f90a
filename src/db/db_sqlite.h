/* db_sqlite.h - a SQLite connection as the files of this room see it. Thread rule: the connection's. */
#pragma once

#include <sqlite3.h>

#include "db/db_file.h"
#include "db/db_operations.h"
#include "db/db_turn.h"

enum { DB_KEPT_SLOTS = 1024, DB_KEPT_MAX = 768 };

/* The database, its log and the log's index. */
struct db_files {
  struct db_file main, wal, shm;
};

struct db_statement {
  const char *sql; /* compared by address */
  sqlite3_stmt *stmt;
  bool kept;     /* in db.kept; else freed with its rows */
  bool in_use;   /* a struct db_rows holds it */
  bool finished; /* db_next has returned all rows */
  bool nomem;    /* no memory for a column */
};

struct db_sqlite {
  struct db head;
  sqlite3 *sqlite;
  char *path, *wal_path, *shm_path;
  struct db_files files;     /* the open ones */
  int64_t busy_since_ms;     /* when the current wait began; monotonic, as the next one */
  int64_t busy_until_ms;     /* when it ends; 0: busy_ms after busy_since_ms */
  db_script_watch_fn *watch; /* NULL: no script is watched */
  void *watch_arg;
  size_t watch_done;
  int rows_open;
  int wal_frames;  /* pages in the log after our last commit */
  int wal_seen_to; /* wal_frames at the last checkpoint */
  struct db_turn turn;
  struct db_statement *kept[DB_KEPT_SLOTS]; /* hash table by the SQL's address, open addressing */
  size_t kept_count;
};

extern const struct db_operations db_sqlite_operations;
static inline struct db_sqlite *db_sqlite_of(struct db *db) {
  return (struct db_sqlite *)db;
}
void db_sqlite_close(struct db *db);
CHECKED enum err db_sqlite_backup(struct db *db, const char *path, void (*progress)(void *arg, int done_percent),
                                  void *arg);
CHECKED enum err db_sqlite_quick_check(struct db *db, int64_t limit_ms, struct buf *ret_problem);

/* Stores SQLite's error text in db->problem and returns our code for rc. */
enum err db_sqlite_failed(struct db_sqlite *db, int rc);
enum err db_sqlite_error(int rc, int system_errno);
/* Outside transactions and rows: checks that the open file is the one at the path, and opens the one there if it is another.
 * ERR_IO: no usable database stands there. */
CHECKED enum err db_sqlite_check_file(struct db_sqlite *db);
/* After a commit. ERR_IO: the committed file is no longer the one at the path. */
CHECKED enum err db_sqlite_check_commit(struct db_sqlite *db);
/* Runs a checkpoint if the log is long (db_connect.c, 6). */
void db_sqlite_checkpoint(struct db_sqlite *db);
/* Opens and sets up a connection at db->path, read-only or not as db says. The caller owns it. */
CHECKED enum err db_sqlite_connect(struct db_sqlite *db, sqlite3 **ret_sqlite, struct db_files *ret_files);
void db_sqlite_forget_statements(struct db_sqlite *db);
