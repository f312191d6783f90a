/* db_sqlite.h - what the files of this room share about a connection. */
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
  const char *sql; /* its address is its name */
  sqlite3_stmt *stmt;
  bool kept;     /* in the table, not freed with the rows */
  bool in_use;   /* rows hold it */
  bool finished; /* all rows were given */
  bool nomem;    /* a column could not be read */
};

struct db {
  sqlite3 *sqlite;
  char *path, *wal_path, *shm_path;
  struct db_files files; /* what is open */
  bool read_only;
  int64_t busy_ms;
  int64_t busy_since_ms; /* when the wait in hand began */
  int64_t busy_until_ms; /* when it ends; 0: busy_ms after it began */
  int64_t deadline_ms;   /* 0: none */
  int64_t changed;       /* rows, by the last statement that writes */
  int64_t touched;       /* rows, by all of them */
  int64_t reopened;
  int rows_open;
  int wal_frames;        /* in the log after our last commit */
  int wal_seen_to;       /* so many when it was last moved into the database */
  bool checkpoint_later; /* the owner calls db_sqlite_checkpoint by itself */
  struct db_turn turn;
  struct db_statement *kept[DB_KEPT_SLOTS]; /* open addressing by address of the SQL */
  size_t kept_count;
  char problem[DB_PROBLEM_SIZE];
};

/* Remembers SQLite's words and gives our code for rc. */
enum err db_sqlite_failed(struct db *db, int rc);
enum err db_sqlite_error(int rc, int system_errno);
/* Outside transactions and rows: is the open file still the one at its path? Takes what stands there now, if it is
 * another database. ERR_IO while there is none. */
CHECKED enum err db_sqlite_check_file(struct db *db);
/* After a commit: ERR_IO where it went into a file that is not the one at the path any more. */
CHECKED enum err db_sqlite_check_commit(struct db *db);
/* Moves the log into the database when it is long. */
void db_sqlite_checkpoint(struct db *db);
/* Opens the connection at path with all that every connection has; db gives the busy handler and the modes. */
CHECKED enum err db_sqlite_connect(struct db *db, sqlite3 **ret_sqlite, struct db_files *ret_files);
void db_sqlite_forget_statements(struct db *db);
