/* db_operations.h - what a kind of database does behind db.h: one table for each kind. For this room only.
 *
 *   static const struct db_operations operations = {.close = …, .run = …};
 *   struct db_sqlite { struct db head; … };      the head is the first member
 *
 * db.c checks nothing: each operation has the contract that db.h gives the function of its name.
 * Thread rule: the connection's. */
#pragma once

#include "db/db.h"

enum { DB_PROBLEM_SIZE = 512 };

struct db_operations {
  enum db_kind kind;
  /* The writer's transactions: how long they collect jobs, and how many at most; 0: any number. */
  int64_t group_us;
  int group_max;
  int set_max;  /* most jobs in a set (db_writer.h); 0: there are no sets */
  bool repeats; /* a transaction may be lost through no fault of its jobs (db_writer.h, enum db_repeat) */
  void (*close)(struct db *db);
  enum err (*run)(struct db *db, const char *sql, const struct db_value *values);
  enum err (*run_later)(struct db *db, const char *sql, const struct db_value *values); /* NULL: run */
  int64_t (*touched)(const struct db *db);
  enum err (*script)(struct db *db, const char *sql);
  enum err (*script_watched)(struct db *db, const char *sql, db_script_watch_fn *fn, void *arg);
  /* keep: the statement is found again by the text's address. */
  enum err (*query)(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values, bool keep);
  /* The rows may be read after the next statement that is not for later. NULL: query. */
  enum err (*query_later)(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values);
  enum err (*next)(struct db_rows *rows);
  void (*rows_done)(struct db_rows *rows);
  bool (*is_null)(const struct db_rows *rows, int column);
  int64_t (*column_int)(const struct db_rows *rows, int column);
  double (*column_real)(const struct db_rows *rows, int column);
  struct str (*column_text)(const struct db_rows *rows, int column);
  enum err (*begin)(struct db *db);
  enum err (*begin_immediate)(struct db *db);
  /* NULL: begin_immediate, and nothing. */
  enum err (*begin_shared)(struct db *db);
  enum err (*lock_businesses)(struct db *db, const int64_t *ids, int count);
  enum err (*commit)(struct db *db);
  void (*rollback)(struct db *db);
  bool (*in_transaction)(const struct db *db);
  /* A savepoint inside a transaction: a job of the writer. One at a time. */
  enum err (*savepoint)(struct db *db);
  enum err (*savepoint_rollback)(struct db *db); /* also ends it */
  enum err (*savepoint_release)(struct db *db);
  enum err (*data_version)(struct db *db, int64_t *ret_version);
  int64_t (*now_ms)(struct db *db);
  enum err (*has_table)(struct db *db, const char *name, bool *ret_has);
  /* Inside a transaction: keeps other processes from migrating until it ends. */
  enum err (*lock_schema)(struct db *db);
  enum err (*backup)(struct db *db, const char *path, void (*progress)(void *arg, int done_percent), void *arg);
  enum err (*check)(struct db *db, int64_t limit_ms, struct buf *ret_problem);
  /* For the writer, between transactions. probe_read: is the database still there? probe_write: can it be written? */
  enum err (*probe_read)(struct db *db);
  enum err (*probe_write)(struct db *db);
  void (*upkeep)(struct db *db); /* work that follows a commit and may take time; head.upkeep_later: only then */
};

struct db {
  const struct db_operations *operations;
  bool read_only;
  bool forgets;         /* db_forget_later was called and not carried out yet */
  int64_t upkeep_in_ms; /* after which operations->upkeep must be called again; 0: only after a commit */
  bool upkeep_later;    /* the owner calls operations->upkeep itself */
  bool runs_at_once;    /* db_run_later does not wait, so that an error comes to the one who made it */
  int64_t busy_ms;      /* longest wait for another connection's lock */
  int64_t deadline_ms;  /* monotonic; 0: none */
  int64_t changed;      /* rows that the last writing statement changed */
  int64_t apart;        /* rows that db_run_apart changed */
  int64_t reopened;
  char problem[DB_PROBLEM_SIZE];
};

CHECKED enum err db_query_later_values(struct db *db, struct db_rows *rows, const char *sql,
                                       const struct db_value *values);

CHECKED enum err db_postgres_open(const struct db_open *how, struct buf *ret_problem, struct db **ret_db);
CHECKED enum err db_postgres_keeps_sessions(const struct db_open *how, struct buf *ret_problem, bool *ret_keeps);
CHECKED enum err db_sqlite_open(const struct db_open *how, struct buf *ret_problem, struct db **ret_db);
