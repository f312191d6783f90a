/* db.h - a database connection, its statements and transactions. The database is SQLite or PostgreSQL; this interface shows it
 * only to those who ask db_kind, for the few statements that need other words.
 *
 *   struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
 *   TRY(db_query(db, &q, "select name from businesses where business_id = ?1", DB_INT(id)));
 *   while ((e = db_next(&q)) == OK) use(db_text(&q, 0));
 *   if (e != ERR_NOT_FOUND) return e;
 *
 * SQL is a string literal. The connection keeps its prepared statement and finds it again by the literal's address. Using one
 * statement again while its rows are open is a programmer error. Parameters are ?1, ?2 …
 * Every function that fails returns an error of base/err.def; db_problem has the text.
 * Thread rule: any thread may use a connection, one at a time. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct db;

struct db_open {
  const char *url; /* sqlite:///absolute/path, or postgresql://… (libpq's form, may hold a password) */
  bool read_only;
  int64_t busy_ms; /* longest wait for another connection's write lock, and for a server; 0: 5,000 */
  /* PostgreSQL only. */
  const char *schema; /* NULL: callreel */
  bool is_pooled;     /* the URL leads to a pooler: no prepared statements */
  bool keeps_plans;   /* it writes sets: a statement's plan fits any set, so it is not made for each one */
  /* Runs on each new connection before anything else; may be NULL. An error is the connection's. */
  enum err (*on_connect)(struct db *db, void *arg);
  void *on_connect_arg;
};
/* Sets the directory for temporary files of writing connections, from the next db_open on: /tmp may be missing or read-only in
 * a container. Call it while the process has one thread. False: out of memory. */
CHECKED bool db_keep_temporary_files_in(const char *directory);
bool db_url_is_postgres(const char *url);
CHECKED enum err db_open(const struct db_open *how, struct buf *ret_problem /* may be NULL */, struct db **ret_db);
struct db *db_close(struct db *db); /* NULL is fine; always NULL */
/* *ret_keeps: connections that are opened like this keep what belongs to a session (search path, time-outs, locks, LISTEN).
 * False: a pooler gives them to others after each transaction. Opens two connections to find out, and waits up to 10 s.
 * SQLite: true. */
CHECKED enum err db_keeps_sessions(const struct db_open *how, struct buf *ret_problem /* may be NULL */,
                                   bool *ret_keeps);
const char *db_problem(const struct db *db); /* the database's text of the last error; never NULL */
/* How often this connection found another database: another file at its path (a restored backup), or another server. When the
 * number grows, discard all that was read before. While no file is there, or one without our schema, every call returns ERR_IO;
 * the connection reopens by itself. */
int64_t db_reopened(const struct db *db);
/* Makes db_reopened grow: on_connect found that the server is not the one that was known. */
void db_count_reopened(struct db *db);

/* Most statements have one text for both kinds of database. Where that is not possible, db_run_either and db_query_either have
 * two. A text that begins with one of these comments is for that kind only. */
enum db_kind { DB_SQLITE, DB_POSTGRES };
enum db_kind db_kind(const struct db *db);
#define DB_FOR_SQLITE "/* sqlite */ "
#define DB_FOR_POSTGRES "/* postgres */ "

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
/* NULL for a negative number, and for a view without a pointer. */
#define DB_INT_OR_NULL(value) db_int_or_null((int64_t)(value))
#define DB_TEXT_OR_NULL(value) db_text_or_null(value)
struct db_value db_int_or_null(int64_t value);
struct db_value db_text_or_null(struct str s);
/* NULL for an empty text, and for the time 0. text ends with a NUL and is not copied. */
#define DB_FILLED_OR_NULL(text) db_filled_or_null(text)
#define DB_TIME_OR_NULL(ms) db_time_or_null(ms)
struct db_value db_filled_or_null(const char *text);
struct db_value db_time_or_null(int64_t ms);

#define DB_VALUES_(...) ((struct db_value[]){__VA_ARGS__ __VA_OPT__(, ){.kind = DB_END}})

/* db_run and db_query take a string literal and put it into a section of the program. db_texts_each gives all of them, so that a
 * test can check the plan of each statement, whether or not it was run. */
#define DB_TEXT_OF_(sql) static const char sql_[] __attribute__((used, section("db_texts"))) = sql
#define DB_TEXTS_OF_(sqlite, postgres)                                                           \
  static const char sqlite_[] __attribute__((used, section("db_texts"))) = DB_FOR_SQLITE sqlite; \
  static const char postgres_[] __attribute__((used, section("db_texts"))) = DB_FOR_POSTGRES postgres
void db_texts_each(void (*fn)(void *arg, const char *sql), void *arg);

/* Runs a statement that returns no rows. */
#define db_run(db, sql, ...)                            \
  __extension__({                                       \
    DB_TEXT_OF_(sql);                                   \
    db_run_values((db), sql_, DB_VALUES_(__VA_ARGS__)); \
  })
/* The same with a text for each kind of database; both take the same parameters. */
#define db_run_either(db, sqlite, postgres, ...)                                                  \
  __extension__({                                                                                 \
    struct db *db_ = (db);                                                                        \
    DB_TEXTS_OF_(sqlite, postgres);                                                               \
    db_run_values(db_, db_kind(db_) == DB_SQLITE ? sqlite_ : postgres_, DB_VALUES_(__VA_ARGS__)); \
  })
CHECKED enum err db_run_values(struct db *db, const char *sql, const struct db_value *values);
/* db_run for a statement that can't fail by itself and of which nothing more is wanted, not even db_changed. With a server it
 * is sent together with the next statement of the transaction, which saves a round trip. If it fails all the same, the
 * transaction is lost, and the next call says so. */
#define db_run_later(db, sql, ...)                            \
  __extension__({                                             \
    DB_TEXT_OF_(sql);                                         \
    db_run_later_values((db), sql_, DB_VALUES_(__VA_ARGS__)); \
  })
CHECKED enum err db_run_later_values(struct db *db, const char *sql, const struct db_value *values);
int64_t db_changed(const struct db *db); /* rows that the last db_run changed: for compare-and-set */
/* Rows that all statements changed, with triggers and the search's tables; without what db_run_apart changed. */
int64_t db_touched(const struct db *db);
/* db_run for work that has a bound of its own: db_touched does not count its rows. */
#define db_run_apart(db, sql, ...)                            \
  __extension__({                                             \
    DB_TEXT_OF_(sql);                                         \
    db_run_apart_values((db), sql_, DB_VALUES_(__VA_ARGS__)); \
  })
CHECKED enum err db_run_apart_values(struct db *db, const char *sql, const struct db_value *values);
/* Runs the statements of a script, without parameters; they are not kept. For migrations. */
CHECKED enum err db_script(struct db *db, const char *sql);
/* The same. Calls fn again and again while it runs, on the same thread: done is how many bytes of the script have run. fn must
 * not use the connection. */
typedef void db_script_watch_fn(void *arg, size_t done);
CHECKED enum err db_script_watched(struct db *db, const char *sql, db_script_watch_fn *fn, void *arg);

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
#define db_query_either(db, rows, sqlite, postgres, ...)                                                    \
  __extension__({                                                                                           \
    struct db *db_ = (db);                                                                                  \
    DB_TEXTS_OF_(sqlite, postgres);                                                                         \
    db_query_values(db_, (rows), db_kind(db_) == DB_SQLITE ? sqlite_ : postgres_, DB_VALUES_(__VA_ARGS__)); \
  })
CHECKED enum err db_query_values(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values);
/* The same for SQL that is built at run time; it is prepared each time and not kept. */
CHECKED enum err db_query_once(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values);
CHECKED enum err db_next(struct db_rows *rows); /* OK: a row; ERR_NOT_FOUND: no further row; else an error */
void db_rows_done(struct db_rows *rows);
/* Columns of the current row, counted from 0. Texts are valid until the next db_next or db_rows_done. */
bool db_is_null(const struct db_rows *rows, int column);
int64_t db_int(const struct db_rows *rows, int column);
int64_t db_int_or(const struct db_rows *rows, int column, int64_t if_null);
double db_real(const struct db_rows *rows, int column);
struct str db_text(const struct db_rows *rows, int column); /* STR_NONE for NULL */
/* Copies the text, with a NUL behind it. ERR_CORRUPT: it does not fit. */
CHECKED enum err db_text_copy(const struct db_rows *rows, int column, char *ret_text, size_t size);

/* PostgreSQL only: rows that one statement takes at once. ?1 is the array of the first values of all rows, and so on:
 *   struct db_set set CLEANUP(db_set_done) = DB_SET;
 *   TRY(db_set_add(&set, DB_INT(id), DB_TEXT(name)));          once for each row, always as many values
 *   TRY(db_run_set_later(db, &set, "insert into t (id, name) select * from unnest(?1::bigint[], ?2::text[])"));
 * The statement is for PostgreSQL (DB_FOR_POSTGRES). Values are numbers, texts without NUL, or NULL. */
enum { DB_SET_COLUMNS_MAX = 56 };
struct db_set {
  struct buf columns[DB_SET_COLUMNS_MAX];
  int rows;
};
#define DB_SET \
  { .rows = 0 }
void db_set_done(struct db_set *set);
/* After an error the set can't be used. ERR_TOO_BIG: a column has more than 64 MiB. */
#define db_set_add(set, ...) db_set_add_values((set), DB_VALUES_(__VA_ARGS__))
CHECKED enum err db_set_add_values(struct db_set *set, const struct db_value *values);
/* One statement takes a set; after that it can only be freed. */
#define db_run_set_later(db, set, sql)          \
  __extension__({                               \
    DB_TEXT_OF_(DB_FOR_POSTGRES sql);           \
    db_run_set_later_values((db), (set), sql_); \
  })
CHECKED enum err db_run_set_later_values(struct db *db, struct db_set *set, const char *sql);
#define db_query_set(db, rows, set, sql)            \
  __extension__({                                   \
    DB_TEXT_OF_(DB_FOR_POSTGRES sql);               \
    db_query_set_values((db), (rows), (set), sql_); \
  })
CHECKED enum err db_query_set_values(struct db *db, struct db_rows *rows, struct db_set *set, const char *sql);
/* The same, sent with the next statement of the transaction that is not for later; only then the rows may be read. If it fails,
 * the transaction is lost, and that statement says so. */
#define db_query_set_later(db, rows, set, sql)            \
  __extension__({                                         \
    DB_TEXT_OF_(DB_FOR_POSTGRES sql);                     \
    db_query_set_later_values((db), (rows), (set), sql_); \
  })
CHECKED enum err db_query_set_later_values(struct db *db, struct db_rows *rows, struct db_set *set, const char *sql);
/* Transactions. db_begin_immediate takes the write lock at once. */
CHECKED enum err db_begin(struct db *db); /* a read transaction: one snapshot */
CHECKED enum err db_begin_immediate(struct db *db);
CHECKED enum err db_commit(struct db *db);
void db_rollback(struct db *db); /* allowed without a transaction */
/* A write transaction that touches rows of some businesses only, and none that several share: on PostgreSQL such transactions
 * run at the same time, unless they have a business in common. db_begin_immediate keeps all others out. After the begin:
 * db_lock_businesses, once, before any other statement; ids needs no order, and may name one twice. */
CHECKED enum err db_begin_shared(struct db *db);
CHECKED enum err db_lock_businesses(struct db *db, const int64_t *ids, int count);
bool db_in_transaction(const struct db *db);

/* In a transaction: once it is committed, what was deleted until then is not left in the database's log either, as soon as no
 * reader needs it. (Deleted rows are overwritten in the database itself.) */
void db_forget_later(struct db *db);
/* A number that changes when another connection, of this or another process, commits. Cheap: no disk access. */
CHECKED enum err db_data_version(struct db *db, int64_t *ret_version);
/* From mono_ms on (monotonic clock) every query, running or new, fails with ERR_TIMEOUT. 0 removes the deadline. */
void db_deadline(struct db *db, int64_t mono_ms);
/* The same, unless there is an earlier deadline. */
void db_deadline_sooner(struct db *db, int64_t mono_ms);
/* ERR_TIMEOUT after the deadline. Call it in long work between two queries. */
CHECKED enum err db_in_time(const struct db *db);
/* The database's clock: milliseconds since 1970 UTC. Leases, back-off and cooldown use it. For SQLite it is clock_now_ms. */
int64_t db_now_ms(struct db *db);
CHECKED enum err db_has_table(struct db *db, const char *name, bool *ret_has);
/* In a transaction of db_begin_immediate: no other process changes the schema until it ends. */
CHECKED enum err db_lock_schema(struct db *db);
/* Copies the running database into a new file, as of one moment. ERR_EXISTS: path exists. progress may be NULL. */
CHECKED enum err db_backup(struct db *db, const char *path, void (*progress)(void *arg, int done_percent), void *arg);
/* Checks the database's pages and indexes. ERR_TIMEOUT: the check took longer than limit_ms; ERR_CORRUPT: damage, described in
 * ret_problem (may be NULL). */
CHECKED enum err db_check(struct db *db, int64_t limit_ms, struct buf *ret_problem);
