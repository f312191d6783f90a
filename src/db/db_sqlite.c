/* db_sqlite.c - statements, rows and transactions of a SQLite connection.
 *
 *   statement: idle --db_query--> in use --db_next: row--> in use --db_next: no more--> finished --db_rows_done--> idle
 *
 * Invariants
 *  (1) Outside transactions and rows, every call first checks the file at the path (db_connect.c). Inside, nothing is reopened.
 *  (2) A kept statement is found by its SQL's address and has one user. Running it while its rows are open is a bug.
 *  (3) A writing connection holds the turn (db_turn.c) from db_begin_immediate to db_commit or db_rollback, or around a single
 *      statement.
 *  (4) db_commit returns OK only if the file that it wrote is still the one at the path.
 *  (5) db_query copies the texts that it is given. db_run does not: they live longer than the call. */
#include "db/db_sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum err db_sqlite_failed(struct db_sqlite *db, int rc) {
  (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s", sqlite3_errmsg(db->sqlite));
  return db_sqlite_error(rc, sqlite3_system_errno(db->sqlite));
}

/* --- statements --- */

static size_t slot_of(const char *sql) {
  uint64_t h = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(h >> 54) % DB_KEPT_SLOTS;
}

static struct db_statement *statement_free(struct db_statement *s) {
  if (s) sqlite3_finalize(s->stmt); /* its result repeats the error of the last step, which was returned then */
  free(s);
  return NULL;
}

void db_sqlite_forget_statements(struct db_sqlite *db) {
  for (size_t i = 0; i < DB_KEPT_SLOTS; i++) db->kept[i] = statement_free(db->kept[i]);
  db->kept_count = 0;
}

static enum err statement_prepare(struct db_sqlite *db, const char *sql, bool keep,
                                  struct db_statement **ret_statement) {
  struct db_statement *s = calloc(1, sizeof(*s));
  if (!s) return ERR_NOMEM;
  s->sql = sql;
  int rc = sqlite3_prepare_v3(db->sqlite, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &s->stmt, NULL);
  if (rc != SQLITE_OK) {
    enum err e = db_sqlite_failed(db, rc);
    statement_free(s);
    return e;
  }
  assert(s->stmt);
  *ret_statement = s;
  return OK;
}

/* Keeps at most DB_KEPT_MAX statements; further ones are prepared each time. */
static enum err statement_take(struct db_sqlite *db, const char *sql, bool keep, struct db_statement **ret_statement) {
  struct db_statement *s = NULL;
  size_t slot = slot_of(sql);
  if (keep) {
    while (db->kept[slot] && db->kept[slot]->sql != sql) slot = (slot + 1) % DB_KEPT_SLOTS;
    s = db->kept[slot];
  }
  if (!s) {
    TRY(statement_prepare(db, sql, keep, &s));
    if (keep && db->kept_count < DB_KEPT_MAX) {
      s->kept = true;
      db->kept[slot] = s;
      db->kept_count++;
    }
  }
  assert(!s->in_use); /* (2) */
  s->in_use = true;
  s->finished = s->nomem = false;
  *ret_statement = s;
  return OK;
}

static void statement_release(struct db_statement *s) {
  s->in_use = false;
  if (!s->kept) {
    statement_free(s);
    return;
  }
  sqlite3_reset(s->stmt); /* as in statement_free */
  sqlite3_clear_bindings(s->stmt);
}

static int bind_one(sqlite3_stmt *stmt, int at, const struct db_value *v, sqlite3_destructor_type life) {
  switch (v->kind) {
    case DB_KIND_INT:
      return sqlite3_bind_int64(stmt, at, v->i);
    case DB_KIND_REAL:
      return sqlite3_bind_double(stmt, at, v->d);
    case DB_KIND_TEXT:
      return sqlite3_bind_text64(stmt, at, !v->s.p ? "" : v->s.p, v->s.n, life, SQLITE_UTF8);
    case DB_KIND_BLOB:
      return sqlite3_bind_blob64(stmt, at, !v->s.p ? "" : v->s.p, v->s.n, life);
    default:
      return sqlite3_bind_null(stmt, at);
  }
}

static enum err statement_bind(struct db_sqlite *db, struct db_statement *s, const struct db_value *values, bool copy) {
  int n = 0;
  for (; values[n].kind != DB_END; n++) {
    int rc = bind_one(s->stmt, n + 1, &values[n], copy ? SQLITE_TRANSIENT : SQLITE_STATIC);
    if (rc != SQLITE_OK) return db_sqlite_failed(db, rc);
  }
  assert(n == sqlite3_bind_parameter_count(s->stmt));
  return OK;
}

/* --- running --- */

static void sqlite_note_changed(struct db_sqlite *db) {
  db->head.changed = sqlite3_changes64(db->sqlite);
}

static enum err statement_finish(struct db_sqlite *db, struct db_statement *s) {
  int rc;
  do rc = sqlite3_step(s->stmt);
  while (rc == SQLITE_ROW);
  if (rc != SQLITE_DONE) return db_sqlite_failed(db, rc);
  if (!sqlite3_stmt_readonly(s->stmt)) sqlite_note_changed(db);
  return OK;
}

static enum err sqlite_run(struct db *opened, const char *sql, const struct db_value *values) {
  struct db_sqlite *db = db_sqlite_of(opened);
  TRY(db_sqlite_check_file(db));
  struct db_statement *s;
  TRY(statement_take(db, sql, true, &s));
  bool alone = sqlite3_get_autocommit(db->sqlite) && !sqlite3_stmt_readonly(s->stmt);
  enum err e = statement_bind(db, s, values, false);
  if (e == OK && alone) db_turn_take(&db->turn, clock_mono_ms() + db->head.busy_ms);
  if (e == OK) e = statement_finish(db, s);
  statement_release(s);
  if (!alone) return e;
  db_turn_leave(&db->turn);
  if (e == OK) e = db_sqlite_check_commit(db); /* (4) */
  if (!db->head.upkeep_later) db_sqlite_checkpoint(db);
  return e;
}

/* Runs a statement without parameters and rows, wherever the file is. */
static enum err run_plain(struct db_sqlite *db, const char *sql) {
  struct db_statement *s;
  TRY(statement_take(db, sql, true, &s));
  enum err e = statement_finish(db, s);
  statement_release(s);
  return e;
}

static enum err sqlite_script(struct db *opened, const char *sql) {
  struct db_sqlite *db = db_sqlite_of(opened);
  TRY(db_sqlite_check_file(db));
  int rc = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
  return rc == SQLITE_OK ? OK : db_sqlite_failed(db, rc);
}

static int script_step_each(struct db_sqlite *db, const char *sql) {
  const char *rest = sql;
  int rc = SQLITE_OK;
  while (rc == SQLITE_OK && *rest) {
    sqlite3_stmt *stmt = NULL;
    db->watch_done = (size_t)(rest - sql);
    rc = sqlite3_prepare_v2(db->sqlite, rest, -1, &stmt, &rest);
    while (rc == SQLITE_OK && stmt && sqlite3_step(stmt) == SQLITE_ROW) continue;
    int finalized = sqlite3_finalize(stmt);
    if (rc == SQLITE_OK) rc = finalized;
  }
  return rc;
}

static enum err sqlite_script_watched(struct db *opened, const char *sql, db_script_watch_fn *fn, void *arg) {
  struct db_sqlite *db = db_sqlite_of(opened);
  TRY(db_sqlite_check_file(db));
  db->watch = fn;
  db->watch_arg = arg;
  int rc = script_step_each(db, sql);
  db->watch = NULL;
  return rc == SQLITE_OK ? OK : db_sqlite_failed(db, rc);
}

static int64_t sqlite_touched(const struct db *db) {
  return sqlite3_total_changes64(((const struct db_sqlite *)db)->sqlite);
}

static enum err sqlite_query(struct db *opened, struct db_rows *rows, const char *sql, const struct db_value *values,
                             bool keep) {
  struct db_sqlite *db = db_sqlite_of(opened);
  assert(!rows->statement);
  TRY(db_sqlite_check_file(db));
  struct db_statement *s;
  TRY(statement_take(db, sql, keep, &s));
  enum err e = statement_bind(db, s, values, true);
  if (e != OK) {
    statement_release(s);
    return e;
  }
  db->rows_open++;
  *rows = (struct db_rows){.db = opened, .statement = s};
  return OK;
}

static enum err sqlite_next(struct db_rows *rows) {
  struct db_sqlite *db = db_sqlite_of(rows->db);
  struct db_statement *s = rows->statement;
  if (s->nomem) return ERR_NOMEM;
  if (s->finished) return ERR_NOT_FOUND;
  int rc = sqlite3_step(s->stmt);
  if (rc == SQLITE_ROW) return OK;
  if (rc != SQLITE_DONE) return db_sqlite_failed(db, rc);
  s->finished = true;
  if (!sqlite3_stmt_readonly(s->stmt)) sqlite_note_changed(db);
  return ERR_NOT_FOUND;
}

static void sqlite_rows_done(struct db_rows *rows) {
  statement_release(rows->statement);
  db_sqlite_of(rows->db)->rows_open--;
}

/* --- columns --- */

static sqlite3_stmt *row_of(const struct db_rows *rows) {
  return ((struct db_statement *)rows->statement)->stmt;
}

static bool sqlite_is_null(const struct db_rows *rows, int column) {
  return sqlite3_column_type(row_of(rows), column) == SQLITE_NULL;
}

static int64_t sqlite_int(const struct db_rows *rows, int column) {
  return sqlite3_column_int64(row_of(rows), column);
}

static double sqlite_real(const struct db_rows *rows, int column) {
  return sqlite3_column_double(row_of(rows), column);
}

static struct str sqlite_text(const struct db_rows *rows, int column) {
  sqlite3_stmt *stmt = row_of(rows);
  int type = sqlite3_column_type(stmt, column);
  if (type == SQLITE_NULL) return STR_NONE;
  const char *p =
      type == SQLITE_BLOB ? sqlite3_column_blob(stmt, column) : (const void *)sqlite3_column_text(stmt, column);
  size_t n = (size_t)sqlite3_column_bytes(stmt, column);
  if (!p && (n > 0 || type != SQLITE_BLOB)) {
    ((struct db_statement *)rows->statement)->nomem = true;
    return STR_NONE;
  }
  return str_of(!p ? "" : p, n);
}

/* --- transactions --- */

static enum err sqlite_begin(struct db *db) {
  return sqlite_run(db, "begin", DB_VALUES_());
}

static enum err sqlite_begin_immediate(struct db *opened) {
  struct db_sqlite *db = db_sqlite_of(opened);
  TRY(db_sqlite_check_file(db));
  db->busy_until_ms = clock_mono_ms() + db->head.busy_ms;
  db_turn_take(&db->turn, db->busy_until_ms);
  enum err e = run_plain(db, "begin immediate");
  db->busy_until_ms = 0;
  if (e != OK) db_turn_leave(&db->turn);
  return e;
}

static enum err sqlite_commit(struct db *opened) {
  struct db_sqlite *db = db_sqlite_of(opened);
  bool wrote = sqlite3_txn_state(db->sqlite, "main") == SQLITE_TXN_WRITE;
  TRY(run_plain(db, "commit")); /* else db_rollback gives the turn back */
  db_turn_leave(&db->turn);
  enum err e = wrote ? db_sqlite_check_commit(db) : OK; /* (4) */
  if (!db->head.upkeep_later) db_sqlite_checkpoint(db);
  return e;
}

static bool sqlite_in_transaction(const struct db *db) {
  return !sqlite3_get_autocommit(((const struct db_sqlite *)db)->sqlite);
}

static void sqlite_rollback(struct db *opened) {
  struct db_sqlite *db = db_sqlite_of(opened);
  struct db_statement *s;
  if (sqlite_in_transaction(opened)) {
    if (statement_take(db, "rollback", true, &s) == OK) {
      (void)statement_finish(db, s); /* fails only if SQLite has rolled back by itself */
      statement_release(s);
    } else {
      (void)sqlite3_exec(db->sqlite, "rollback", NULL, NULL, NULL); /* as above */
    }
  }
  db_turn_leave(&db->turn);
}

static enum err sqlite_savepoint(struct db *db) {
  return sqlite_run(db, "savepoint job", DB_VALUES_());
}

static enum err sqlite_savepoint_release(struct db *db) {
  return sqlite_run(db, "release job", DB_VALUES_());
}

static enum err sqlite_savepoint_rollback(struct db *db) {
  TRY(sqlite_run(db, "rollback to job", DB_VALUES_()));
  return sqlite_savepoint_release(db);
}

/* --- the rest of the table --- */

static enum err sqlite_data_version(struct db *db, int64_t *ret_version) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_SQLITE "pragma data_version"));
  enum err e = db_next(&q);
  if (e != OK) return e == ERR_NOT_FOUND ? ERR_IO : e;
  /* SQLite's number belongs to the connection: a new one may repeat it. */
  *ret_version = (int64_t)((uint64_t)db->reopened << 32) + db_int(&q, 0);
  return OK;
}

static int64_t sqlite_now_ms(struct db *db) {
  (void)db; /* the database is on this machine */
  return clock_now_ms();
}

static enum err sqlite_has_table(struct db *db, const char *name, bool *ret_has) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_SQLITE "select 1 from sqlite_schema where type = 'table' and name = ?1",
               DB_TEXT(str_from(name))));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

static enum err sqlite_lock_schema(struct db *db) {
  (void)db; /* db_begin_immediate keeps others out */
  return OK;
}

static enum err sqlite_probe_read(struct db *db) {
  return db_sqlite_check_file(db_sqlite_of(db));
}

/* An empty write: sets the database's user version to its own value. */
static enum err sqlite_probe_write(struct db *db) {
  TRY(sqlite_begin_immediate(db));
  int64_t version = 0;
  enum err e;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    e = db_query(db, &q, DB_FOR_SQLITE "pragma user_version");
    if (e == OK) e = db_next(&q);
    if (e == OK) version = db_int(&q, 0);
  }
  char sql[64];
  (void)snprintf(sql, sizeof(sql), "pragma user_version=%d", (int)version);
  if (e == OK) e = sqlite_script(db, sql);
  if (e == OK) e = sqlite_commit(db);
  sqlite_rollback(db);
  return e;
}

static void sqlite_upkeep(struct db *db) {
  db_sqlite_checkpoint(db_sqlite_of(db));
}

const struct db_operations db_sqlite_operations = {
    .kind = DB_SQLITE,
    .group_us = 2000,
    .close = db_sqlite_close,
    .run = sqlite_run,
    .touched = sqlite_touched,
    .script = sqlite_script,
    .script_watched = sqlite_script_watched,
    .query = sqlite_query,
    .next = sqlite_next,
    .rows_done = sqlite_rows_done,
    .is_null = sqlite_is_null,
    .column_int = sqlite_int,
    .column_real = sqlite_real,
    .column_text = sqlite_text,
    .begin = sqlite_begin,
    .begin_immediate = sqlite_begin_immediate,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .in_transaction = sqlite_in_transaction,
    .savepoint = sqlite_savepoint,
    .savepoint_rollback = sqlite_savepoint_rollback,
    .savepoint_release = sqlite_savepoint_release,
    .data_version = sqlite_data_version,
    .now_ms = sqlite_now_ms,
    .has_table = sqlite_has_table,
    .lock_schema = sqlite_lock_schema,
    .backup = db_sqlite_backup,
    .check = db_sqlite_quick_check,
    .probe_read = sqlite_probe_read,
    .probe_write = sqlite_probe_write,
    .upkeep = sqlite_upkeep,
};
