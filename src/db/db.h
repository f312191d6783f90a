/* db.h - a database connection, its statements and transactions. SQLite today; nothing here names it.
 *
 *   struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
 *   TRY(db_query(db, &q, "select name from businesses where business_id = ?1", DB_INT(id)));
 *   while ((e = db_next(&q)) == OK) use(db_text(&q, 0));
 *   if (e != ERR_NOT_FOUND) return e;
 *
 * SQL is a static string: its prepared statement is kept for the connection's life, found by the string's address; nested
 * use of one statement on one connection is a programmer error. Parameters are ?1, ?2 …
 * Thread rule: a connection has one user at a time. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct db;

struct db_open {
  const char *url; /* sqlite:///absolute/path */
  bool read_only;
  int64_t busy_ms; /* how long to wait for another writer; 0: 5,000 */
};
/* Where connections that write keep temporary files, from the next db_open on: /tmp may be missing or read-only where we run.
 * Call it while the process has one thread. False: out of memory. */
CHECKED bool db_keep_temporary_files_in(const char *directory);
CHECKED enum err db_open(const struct db_open *how, struct buf *ret_problem /* may be NULL */, struct db **ret_db);
struct db *db_close(struct db *db);          /* NULL is fine; always NULL */
const char *db_problem(const struct db *db); /* the last error in the database's words; never NULL */
/* How often another database was found, and opened, where the one in hand had been (a restored backup): what was read before
 * is void then. While there is none, or none with our schema, every call is ERR_IO; nothing needs to be opened again. */
int64_t db_reopened(const struct db *db);

struct db_value {
  enum { DB_END, DB_KIND_NULL, DB_KIND_INT, DB_KIND_REAL, DB_KIND_TEXT, DB_KIND_BLOB } kind;
  int64_t i;
  double d;
  struct str s;
};
#define DB_INT(value) ((struct db_value){.kind = DB_KIND_INT, .i = (int64_t)(value)})
#define DB_REAL(value) ((struct db_value){.kind = DB_KIND_REAL, .d = (value)})
#define DB_TEXT(value) ((struct db_value){.kind = DB_KIND_TEXT, .s = (value)}) /* a struct str */
#define DB_BLOB(value) ((struct db_value){.kind = DB_KIND_BLOB, .s = (value)}) /* a struct str */
#define DB_NULL ((struct db_value){.kind = DB_KIND_NULL})
/* NULL for a negative number, for a view without pointer. */
#define DB_INT_OR_NULL(value) db_int_or_null((int64_t)(value))
#define DB_TEXT_OR_NULL(value) db_text_or_null(value)
struct db_value db_int_or_null(int64_t value);
struct db_value db_text_or_null(struct str s);

#define DB_VALUES_(...) ((struct db_value[]){__VA_ARGS__ __VA_OPT__(, ){.kind = DB_END}})

/* db_run and db_query take a string literal. All of a program's stand in one section of it, so that a test can look at the
 * plan of each, whether or not it was ever run: db_texts_each. */
#define DB_TEXT_OF_(sql) static const char sql_[] __attribute__((used, section("db_texts"))) = sql
void db_texts_each(void (*fn)(void *arg, const char *sql), void *arg);

/* Runs a statement that gives no rows. */
#define db_run(db, sql, ...)                            \
  __extension__({                                       \
    DB_TEXT_OF_(sql);                                   \
    db_run_values((db), sql_, DB_VALUES_(__VA_ARGS__)); \
  })
CHECKED enum err db_run_values(struct db *db, const char *sql, const struct db_value *values);
int64_t db_changed(const struct db *db); /* rows changed by the last db_run: for compare-and-set */
int64_t db_touched(const struct db *db); /* rows changed by all statements of this connection; not those of triggers */
/* Runs several statements of a script, without parameters and without keeping them (migrations). */
CHECKED enum err db_script(struct db *db, const char *sql);

struct db_rows {
  struct db *db;
  void *statement;
};
#define DB_ROWS \
  { NULL, NULL }
#define db_query(db, rows, sql, ...)                              \
  __extension__({                                                 \
    DB_TEXT_OF_(sql);                                             \
    db_query_values((db), (rows), sql_, DB_VALUES_(__VA_ARGS__)); \
  })
CHECKED enum err db_query_values(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values);
/* The same for SQL made at run time (filters); it is prepared anew and not kept. */
CHECKED enum err db_query_once(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values);
CHECKED enum err db_next(struct db_rows *rows); /* OK: a row; ERR_NOT_FOUND: no more; else it failed */
void db_rows_done(struct db_rows *rows);
/* Columns of the row in hand, from 0. Texts are valid until db_next or db_rows_done. */
bool db_is_null(const struct db_rows *rows, int column);
int64_t db_int(const struct db_rows *rows, int column);
int64_t db_int_or(const struct db_rows *rows, int column, int64_t if_null);
double db_real(const struct db_rows *rows, int column);
struct str db_text(const struct db_rows *rows, int column); /* STR_NONE for NULL */

/* Transactions. IMMEDIATE takes the write lock at once. */
CHECKED enum err db_begin(struct db *db); /* for reading: one snapshot */
CHECKED enum err db_begin_immediate(struct db *db);
CHECKED enum err db_commit(struct db *db);
void db_rollback(struct db *db); /* no transaction is fine */
bool db_in_transaction(const struct db *db);

/* A number that changes when another connection, of any process, has committed. Cheap. */
CHECKED enum err db_data_version(struct db *db, int64_t *ret_version);
/* Ends a query that runs longer: it fails with ERR_TIMEOUT. 0 takes the limit away. */
void db_deadline(struct db *db, int64_t mono_ms);
/* ERR_TIMEOUT once the deadline is over: asked by who works long between two queries. */
CHECKED enum err db_in_time(const struct db *db);
/* The database's clock: milliseconds since 1970 UTC. Leases, back-off and cooldown go by it. For SQLite it is clock_now_ms. */
int64_t db_now_ms(struct db *db);
/* A consistent copy of the running database into a new file (SQLite's backup API). */
CHECKED enum err db_backup(struct db *db, const char *path, void (*progress)(void *arg, int done_percent), void *arg);
/* Looks whether the database's pages and indexes hold together, for at most limit_ms: ERR_TIMEOUT; ERR_CORRUPT with what was
 * found first in ret_problem (may be NULL). */
CHECKED enum err db_check(struct db *db, int64_t limit_ms, struct buf *ret_problem);
