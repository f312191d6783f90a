/* db_sqlite.h - a SQLite connection as the files of this room see it. Thread rule: the connection's. */
#pragma once

#include <sqlite3.h>

#include "db/db.h"
#include "db/db_file.h"
#include "db/db_turn.h"

enum { DB_KEPT_SLOTS = 1024, DB_KEPT_MAX = 768, DB_PROBLEM_SIZE = 512 };

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

struct db {
  sqlite3 *sqlite;
  char *path, *wal_path, *shm_path;
  struct db_files files; /* the open ones */
  bool read_only;
  int64_t busy_ms;
  int64_t busy_since_ms;     /* when the current wait began; monotonic, as the next two */
  int64_t busy_until_ms;     /* when it ends; 0: busy_ms after busy_since_ms */
  int64_t deadline_ms;       /* 0: none */
  int64_t changed;           /* rows that the last writing statement changed */
  db_script_watch_fn *watch; /* NULL: no script is watched */
  void *watch_arg;
  size_t watch_done;
  int64_t reopened;
  int rows_open;
  int wal_frames;        /* pages in the log after our last commit */
  int wal_seen_to;       /* wal_frames at the last checkpoint */
  bool checkpoint_later; /* the owner calls db_sqlite_checkpoint itself */
  struct db_turn turn;
  struct db_statement *kept[DB_KEPT_SLOTS]; /* hash table by the SQL's address, open addressing */
  size_t kept_count;
  char problem[DB_PROBLEM_SIZE];
};

/* Stores SQLite's error text in db->problem and returns our code for rc. */
enum err db_sqlite_failed(struct db *db, int rc);
enum err db_sqlite_error(int rc, int system_errno);
/* Outside transactions and rows: checks that the open file is the one at the path, and opens the one there if it is another.
 * ERR_IO: no usable database stands there. */
CHECKED enum err db_sqlite_check_file(struct db *db);
/* After a commit. ERR_IO: the committed file is no longer the one at the path. */
CHECKED enum err db_sqlite_check_commit(struct db *db);
/* Runs a checkpoint if the log is long (db_connect.c, 6). */
void db_sqlite_checkpoint(struct db *db);
/* Opens and sets up a connection at db->path, read-only or not as db says. The caller owns it. */
CHECKED enum err db_sqlite_connect(struct db *db, sqlite3 **ret_sqlite, struct db_files *ret_files);
void db_sqlite_forget_statements(struct db *db);
