/* db.c - opens the kind of database that a URL names and passes calls on to it; parameter values, and the list of the program's
 * statements. */
#include "db/db_operations.h"

#include <string.h>

#include "base/clock.h"

struct db_value db_int_or_null(int64_t value) {
  return value < 0 ? DB_NULL : DB_INT(value);
}

struct db_value db_text_or_null(struct str s) {
  return !s.p ? DB_NULL : DB_TEXT(s);
}

struct db_value db_filled_or_null(const char *text) {
  return text[0] ? DB_TEXT(str_from(text)) : DB_NULL;
}

struct db_value db_time_or_null(int64_t ms) {
  return ms ? DB_INT(ms) : DB_NULL;
}

enum err db_text_copy(const struct db_rows *rows, int column, char *ret_text, size_t size) {
  return str_copy(ret_text, size, db_text(rows, column)) == OK ? OK : ERR_CORRUPT;
}

/* The linker defines these: the first byte of the section, and the byte after its last. */
extern const char __start_db_texts[], __stop_db_texts[];

void db_texts_each(void (*fn)(void *arg, const char *sql), void *arg) {
  for (const char *p = __start_db_texts; p < __stop_db_texts; p++) {
    if (*p == '\0') continue; /* padding between two texts */
    fn(arg, p);
    p += strlen(p);
  }
}

/* --- passed on --- */

bool db_url_is_postgres(const char *url) {
  struct str s = str_from(url);
  return str_starts(s, STR("postgresql://")) || str_starts(s, STR("postgres://"));
}

enum err db_open(const struct db_open *how, struct buf *ret_problem, struct db **ret_db) {
  if (db_url_is_postgres(how->url)) return db_postgres_open(how, ret_problem, ret_db);
  return db_sqlite_open(how, ret_problem, ret_db);
}

enum err db_keeps_sessions(const struct db_open *how, struct buf *ret_problem, bool *ret_keeps) {
  if (db_url_is_postgres(how->url)) return db_postgres_keeps_sessions(how, ret_problem, ret_keeps);
  *ret_keeps = true;
  return OK;
}

struct db *db_close(struct db *db) {
  if (db) db->operations->close(db);
  return NULL;
}

enum db_kind db_kind(const struct db *db) {
  return db->operations->kind;
}

const char *db_problem(const struct db *db) {
  return db->problem;
}

int64_t db_reopened(const struct db *db) {
  return db->reopened;
}

void db_count_reopened(struct db *db) {
  db->reopened++;
}

enum err db_run_values(struct db *db, const char *sql, const struct db_value *values) {
  return db->operations->run(db, sql, values);
}

enum err db_run_later_values(struct db *db, const char *sql, const struct db_value *values) {
  bool waits = db->operations->run_later && !db->runs_at_once;
  return waits ? db->operations->run_later(db, sql, values) : db_run_values(db, sql, values);
}

int64_t db_changed(const struct db *db) {
  return db->changed;
}

int64_t db_touched(const struct db *db) {
  return db->operations->touched(db) - db->apart;
}

enum err db_run_apart_values(struct db *db, const char *sql, const struct db_value *values) {
  int64_t before = db_touched(db);
  enum err e = db_run_values(db, sql, values);
  db->apart += db_touched(db) - before;
  return e;
}

enum err db_script(struct db *db, const char *sql) {
  return db->operations->script(db, sql);
}

enum err db_script_watched(struct db *db, const char *sql, db_script_watch_fn *fn, void *arg) {
  return db->operations->script_watched(db, sql, fn, arg);
}

enum err db_query_values(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values) {
  return db->operations->query(db, rows, sql, values, true);
}

enum err db_query_once(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values) {
  return db->operations->query(db, rows, sql, values, false);
}

enum err db_query_later_values(struct db *db, struct db_rows *rows, const char *sql, const struct db_value *values) {
  if (!db->operations->query_later) return db_query_values(db, rows, sql, values);
  return db->operations->query_later(db, rows, sql, values);
}

enum err db_next(struct db_rows *rows) {
  return rows->db->operations->next(rows);
}

void db_rows_done(struct db_rows *rows) {
  if (!rows->statement) return;
  rows->db->operations->rows_done(rows);
  *rows = (struct db_rows)DB_ROWS;
}

bool db_is_null(const struct db_rows *rows, int column) {
  return rows->db->operations->is_null(rows, column);
}

int64_t db_int(const struct db_rows *rows, int column) {
  return rows->db->operations->column_int(rows, column);
}

int64_t db_int_or(const struct db_rows *rows, int column, int64_t if_null) {
  return db_is_null(rows, column) ? if_null : db_int(rows, column);
}

double db_real(const struct db_rows *rows, int column) {
  return rows->db->operations->column_real(rows, column);
}

struct str db_text(const struct db_rows *rows, int column) {
  return rows->db->operations->column_text(rows, column);
}

enum err db_begin(struct db *db) {
  return db->operations->begin(db);
}

enum err db_begin_immediate(struct db *db) {
  return db->operations->begin_immediate(db);
}

enum err db_begin_shared(struct db *db) {
  return db->operations->begin_shared ? db->operations->begin_shared(db) : db_begin_immediate(db);
}

enum err db_lock_businesses(struct db *db, const int64_t *ids, int count) {
  return db->operations->lock_businesses ? db->operations->lock_businesses(db, ids, count) : OK;
}

enum err db_commit(struct db *db) {
  return db->operations->commit(db);
}

void db_rollback(struct db *db) {
  db->operations->rollback(db);
}

bool db_in_transaction(const struct db *db) {
  return db->operations->in_transaction(db);
}

enum err db_data_version(struct db *db, int64_t *ret_version) {
  return db->operations->data_version(db, ret_version);
}

void db_deadline(struct db *db, int64_t mono_ms) {
  db->deadline_ms = mono_ms;
}

void db_deadline_sooner(struct db *db, int64_t mono_ms) {
  if (db->deadline_ms == 0 || mono_ms < db->deadline_ms) db->deadline_ms = mono_ms;
}

enum err db_in_time(const struct db *db) {
  return db->deadline_ms != 0 && clock_mono_ms() >= db->deadline_ms ? ERR_TIMEOUT : OK;
}

int64_t db_now_ms(struct db *db) {
  return db->operations->now_ms(db);
}

enum err db_has_table(struct db *db, const char *name, bool *ret_has) {
  return db->operations->has_table(db, name, ret_has);
}

enum err db_lock_schema(struct db *db) {
  return db->operations->lock_schema(db);
}

enum err db_backup(struct db *db, const char *path, void (*progress)(void *arg, int done_percent), void *arg) {
  return db->operations->backup(db, path, progress, arg);
}

enum err db_check(struct db *db, int64_t limit_ms, struct buf *ret_problem) {
  return db->operations->check(db, limit_ms, ret_problem);
}

void db_forget_later(struct db *db) {
  db->forgets = true;
}
