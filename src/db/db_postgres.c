/* db_postgres.c - statements, rows and transactions of a PostgreSQL connection.
 *
 *   transaction: none --begin--> open --commit--> none
 *                                open --the connection is lost--> lost --rollback--> none
 *
 * Invariants
 *  (1) The begin, and a savepoint, are sent with the next statement, so they cost no round trip. A transaction without a
 *      statement is never sent.
 *  (2) An error aborts the transaction: only db_rollback, or the rollback to the savepoint, helps.
 *  (3) A statement's rows are all read before db_query returns, so other statements may run while they are used.
 *  (4) Outside a transaction a lost connection is replaced by the next call.
 *  (5) A write transaction takes an advisory lock of its schema: a job reads, decides and writes as if it were alone, which jobs
 *      rely on. A shared transaction takes the same lock shared, then one of each of its businesses in the order of the locks'
 *      numbers: so no two wait for each other. A client that froze with a lock loses it after
 *      idle_in_transaction_session_timeout.
 *  (6) A kept plan is made for the tables as they were: of an empty one every index is as good as another. So plans are made
 *      again when a connection has begun twice as many write transactions as then, and after PLANS_MS. A writer of sets has one
 *      plan for any set: the server would take a plan made for the few rows at hand for cheaper, and make one each time. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/db_clock.h"
#include "db/db_postgres.h"
#include "db/db_postgres_text.h"

enum {
  SCRIPT_MS = 60 * 60 * 1000,
  TEXT_MAX = 1024 * 1024,
  LOCK_GRACE_MS = 1000,
  PLANS_FIRST = 8,
  PLANS_MS = 60 * 1000,
  BUSINESSES_MAX = 1024,
  TYPE_BOOL = 16,
  TYPE_BYTEA = 17
};

struct pg_rows {
  PGresult *result;
  int row;      /* the current one; -1: before the first */
  char **bytes; /* per column: the unescaped bytes of the current row; owned; NULL: none was asked for */
  bool nomem;
};

static const uint64_t WRITE_LOCK_SEED = 0x63616c6c7265656c;

/* ---- statements ---- */

static size_t slot_of(const char *sql) {
  uint64_t h = (uint64_t)(uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(h >> 53) % PG_KEPT_SLOTS;
}

static enum err text_make(struct db_postgres *db, const char *sql, char **ret_text) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  const char *word = "", *terminated;
  enum err e = db_postgres_text(sql, &text, &word);
  if (e == ERR_UNSUPPORTED)
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "PostgreSQL has no \"%s\": %.400s", word, sql);
  TRY(e);
  TRY(buf_terminate(&text, &terminated));
  *ret_text = TAKE(text.p);
  return OK;
}

/* ERR_FULL: too many are kept. */
static enum err statement_take(struct db_postgres *db, const char *sql, struct pg_statement **ret_statement) {
  size_t slot = slot_of(sql);
  while (db->kept[slot] && db->kept[slot]->sql != sql) slot = (slot + 1) % PG_KEPT_SLOTS;
  if (!db->kept[slot]) {
    if (db->kept_count == PG_KEPT_MAX) return ERR_FULL;
    struct pg_statement *s = calloc(1, sizeof(*s));
    if (!s) return ERR_NOMEM;
    *s = (struct pg_statement){.sql = sql, .number = ++db->statements};
    enum err e = text_make(db, sql, &s->text);
    if (e != OK) {
      free(s);
      return e;
    }
    db->kept[slot] = s;
    db->kept_count++;
  }
  *ret_statement = db->kept[slot];
  return OK;
}

static void pg_note_changed(struct db_postgres *db, PGresult *result) {
  const char *tag = PQcmdStatus(result);
  if (strncmp(tag, "INSERT", 6) != 0 && strncmp(tag, "UPDATE", 6) != 0 && strncmp(tag, "DELETE", 6) != 0) return;
  db->head.changed = strtoll(PQcmdTuples(result), NULL, 10);
  db->touched += db->head.changed;
}

static enum err statement_run(struct db_postgres *db, const char *sql, const struct db_value *values, bool keep,
                              PGresult **ret_result) {
  char *text CLEANUP(free_char) = NULL;
  struct pg_call call = {.values = values};
  enum err e = keep ? statement_take(db, sql, &call.kept) : ERR_FULL;
  if (e == ERR_FULL) {
    TRY(text_make(db, sql, &text));
    call.text = text;
  } else if (e != OK) {
    return e;
  }
  TRY(db_in_time(&db->head));
  bool is_alone = !db->in_transaction && !db->head.read_only;
  e = db_postgres_exchange(db, &call);
  if (e != OK) {
    /* A statement that wrote may have been committed (a read is repeated by its caller as well). */
    if (is_alone && !db->conn && e != ERR_INVALID && e != ERR_TOO_BIG && strncmp(sql, "select", 6) != 0 &&
        e != ERR_BUSY)
      return ERR_UNKNOWN;
    return e;
  }
  pg_note_changed(db, call.result);
  *ret_result = call.result;
  return OK;
}

static enum err pg_run(struct db *opened, const char *sql, const struct db_value *values) {
  PGresult *result;
  TRY(statement_run(db_postgres_of(opened), sql, values, true, &result));
  PQclear(result);
  return OK;
}

/* Sent with the next statement. The begin goes before it, so the commit brings an error at the latest. */
static enum err pg_run_later(struct db *opened, const char *sql, const struct db_value *values) {
  struct db_postgres *db = db_postgres_of(opened);
  struct pg_statement *kept;
  if (!db->is_writing || !db->in_transaction || db->lost) return pg_run(opened, sql, values);
  enum err e = statement_take(db, sql, &kept);
  if (e == OK) e = db_in_time(opened);
  if (e == OK) e = db_postgres_defer_statement(db, kept, values, NULL);
  return e == ERR_FULL ? pg_run(opened, sql, values) : e;
}

static int64_t pg_touched(const struct db *db) {
  return ((const struct db_postgres *)db)->touched;
}

static enum err pg_script(struct db *opened, const char *sql) {
  return db_postgres_simple(db_postgres_of(opened), sql, SCRIPT_MS);
}

static enum err pg_script_watched(struct db *opened, const char *sql, db_script_watch_fn *fn, void *arg) {
  fn(arg, 0);
  return pg_script(opened, sql);
}

/* ---- rows ---- */

static enum err pg_query(struct db *opened, struct db_rows *rows, const char *sql, const struct db_value *values,
                         bool keep) {
  assert(!rows->statement);
  struct pg_rows *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  r->row = -1;
  enum err e = statement_run(db_postgres_of(opened), sql, values, keep, &r->result);
  if (e != OK) {
    free(r);
    return e;
  }
  *rows = (struct db_rows){.db = opened, .statement = r};
  return OK;
}

static enum err pg_query_later(struct db *opened, struct db_rows *rows, const char *sql,
                               const struct db_value *values) {
  struct db_postgres *db = db_postgres_of(opened);
  struct pg_statement *kept;
  assert(!rows->statement);
  if (!db->is_writing || !db->in_transaction || db->lost) return pg_query(opened, rows, sql, values, true);
  struct pg_rows *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  r->row = -1;
  enum err e = statement_take(db, sql, &kept);
  if (e == OK) e = db_in_time(opened);
  if (e == OK) e = db_postgres_defer_statement(db, kept, values, &r->result);
  if (e != OK) {
    free(r);
    return e == ERR_FULL ? pg_query(opened, rows, sql, values, true) : e;
  }
  *rows = (struct db_rows){.db = opened, .statement = r};
  return OK;
}

static void forget_bytes(struct pg_rows *r) {
  for (int i = 0; r->bytes && i < PQnfields(r->result); i++) PQfreemem(r->bytes[i]);
  free(r->bytes);
  r->bytes = NULL;
}

static enum err pg_next(struct db_rows *rows) {
  struct pg_rows *r = rows->statement;
  if (r->nomem) return ERR_NOMEM;
  if (!r->result) return ERR_IO; /* of pg_query_later: it, or the next statement, has failed */
  TRY(db_in_time(rows->db));
  forget_bytes(r);
  if (r->row + 1 >= PQntuples(r->result)) return ERR_NOT_FOUND;
  r->row++;
  return OK;
}

static void pg_rows_done(struct db_rows *rows) {
  struct pg_rows *r = rows->statement;
  struct db_postgres *db = db_postgres_of(rows->db);
  for (int i = 0; i < db->deferred_count; i++) /* of pg_query_later, when nothing came behind it */
    if (db->deferred[i].result == &r->result) db->deferred[i].result = NULL;
  forget_bytes(r);
  PQclear(r->result);
  free(r);
}

static bool pg_is_null(const struct db_rows *rows, int column) {
  const struct pg_rows *r = rows->statement;
  return PQgetisnull(r->result, r->row, column) != 0;
}

static int64_t pg_int(const struct db_rows *rows, int column) {
  const struct pg_rows *r = rows->statement;
  const char *text = PQgetvalue(r->result, r->row, column);
  if (PQftype(r->result, column) == TYPE_BOOL) return text[0] == 't';
  return strtoll(text, NULL, 10);
}

static double pg_real(const struct db_rows *rows, int column) {
  const struct pg_rows *r = rows->statement;
  return strtod(PQgetvalue(r->result, r->row, column), NULL);
}

static struct str bytes_of(struct pg_rows *r, int column) {
  size_t n = 0;
  if (!r->bytes) r->bytes = calloc((size_t)PQnfields(r->result), sizeof(*r->bytes));
  if (r->bytes && r->bytes[column]) PQfreemem(r->bytes[column]);
  if (r->bytes)
    r->bytes[column] = (char *)PQunescapeBytea((const unsigned char *)PQgetvalue(r->result, r->row, column), &n);
  r->nomem = !r->bytes || !r->bytes[column];
  return r->nomem ? STR_NONE : str_of(r->bytes[column], n);
}

static struct str pg_text(const struct db_rows *rows, int column) {
  struct pg_rows *r = rows->statement;
  if (PQgetisnull(r->result, r->row, column)) return STR_NONE;
  if (PQftype(r->result, column) == TYPE_BYTEA) return bytes_of(r, column);
  return str_of(PQgetvalue(r->result, r->row, column), (size_t)PQgetlength(r->result, r->row, column));
}

/* ---- transactions ---- */

static bool pg_in_transaction(const struct db *opened) {
  return ((const struct db_postgres *)opened)->in_transaction;
}

static void transaction_open(struct db_postgres *db, bool is_writing) {
  db->in_transaction = true;
  db->is_writing = is_writing;
  db->timeout_before_ms = db->statement_timeout_ms;
  db->begun = db->lost = db->has_savepoint = false;
}

static void transaction_close(struct db_postgres *db) {
  db->in_transaction = db->is_writing = db->begun = db->lost = db->has_savepoint = false;
  db_postgres_forget_deferred(db);
}

static enum err pg_begin(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  assert(!db->in_transaction);
  db_postgres_forget_deferred(db);
  TRY(db_postgres_connect(db, db_postgres_until(db, db->head.busy_ms)));
  transaction_open(db, false);
  db_postgres_defer(db, "begin isolation level repeatable read, read only");
  return OK;
}

static void pg_rollback(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  if (!db->in_transaction) return;
  if (db->begun && db->conn) {
    struct pg_call call = {.text = "rollback", .limit_ms = 2000};
    int64_t deadline_ms = db->head.deadline_ms;
    char problem[DB_PROBLEM_SIZE];
    memcpy(problem, db->head.problem, sizeof(problem));
    db->head.deadline_ms = 0; /* also after the deadline */
    db->lost = false;         /* a later statement failed: the connection is as good as before */
    db_postgres_forget_deferred(db);
    if (db_postgres_exchange(db, &call) != OK) db_postgres_disconnect(db); /* the server rolls back */
    db->head.deadline_ms = deadline_ms;
    memcpy(db->head.problem, problem, sizeof(problem));
    PQclear(call.result);
  }
  db->statement_timeout_ms = db->timeout_before_ms;
  transaction_close(db);
}

/* (6) */
static void renew_plans(struct db_postgres *db) {
  int64_t now = clock_kernel_ms();
  bool is_new = db->plans_of != db->connection_number;
  if (is_new) db->begun_count = 0;
  db->begun_count++;
  if (!is_new && db->begun_count < db->plans_next && now - db->plans_ms < PLANS_MS) return;
  db->plans_next = db->begun_count < PLANS_FIRST ? PLANS_FIRST : 2 * db->begun_count;
  db->plans_ms = now;
  db->plans_of = db->connection_number;
  if (!is_new) db_postgres_defer(db, "discard plans");
}

static void defer_begin(struct db_postgres *db) {
  char timeout[PG_DEFERRED_SIZE];
  (void)snprintf(timeout, sizeof(timeout), "set local lock_timeout = %d", (int)db->head.busy_ms);
  renew_plans(db);
  db_postgres_defer(db, "begin");
  db_postgres_defer(db, timeout);
}

static long long write_lock(const struct db_postgres *db) {
  return (long long)str_hash(str_from(db->schema), WRITE_LOCK_SEED);
}

/* (5) */
static enum err take_write_lock(struct db_postgres *db) {
  char text[128];
  (void)snprintf(text, sizeof(text), "select pg_advisory_xact_lock(%lld)", write_lock(db));
  defer_begin(db);
  struct pg_call call = {.text = text, .limit_ms = db->head.busy_ms + LOCK_GRACE_MS};
  TRY(db_postgres_exchange(db, &call));
  PQclear(call.result);
  return OK;
}

/* ERR_BUSY while another process writes, or no server answers: the caller tries again. */
static enum err pg_begin_immediate(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  assert(!db->in_transaction);
  db_postgres_forget_deferred(db);
  enum err e = db_postgres_connect(db, db_postgres_until(db, db->head.busy_ms));
  if (e != OK) return e == ERR_IO ? ERR_BUSY : e;
  transaction_open(db, true);
  e = take_write_lock(db);
  if (e == OK) return OK;
  pg_rollback(opened);
  return e == ERR_IO || e == ERR_TIMEOUT ? ERR_BUSY : e;
}

static enum err pg_begin_shared(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  assert(!db->in_transaction);
  db_postgres_forget_deferred(db);
  enum err e = db_postgres_connect(db, db_postgres_until(db, db->head.busy_ms));
  if (e != OK) return e == ERR_IO ? ERR_BUSY : e;
  transaction_open(db, true);
  defer_begin(db);
  return OK;
}

static int by_number(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/* (5) The server takes them in the order of the array: the schema's lock first. */
static enum err pg_lock_businesses(struct db *opened, const int64_t *ids, int count) {
  struct db_postgres *db = db_postgres_of(opened);
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  int64_t locks[BUSINESSES_MAX];
  if (count == 0) return OK;
  if (count > BUSINESSES_MAX) return ERR_TOO_BIG;
  for (int i = 0; i < count; i++)
    locks[i] = (int64_t)str_hash(str_from(db->schema), WRITE_LOCK_SEED ^ ((uint64_t)ids[i] << 1 | 1));
  qsort(locks, (size_t)count, sizeof(*locks), by_number);
  TRY(db_set_add(&set, DB_INT(write_lock(db))));
  for (int i = 0; i < count; i++)
    if (i == 0 || locks[i] != locks[i - 1]) TRY(db_set_add(&set, DB_INT(locks[i])));
  return db_run_set_later(opened, &set,
                          "select case when n = 1 then pg_advisory_xact_lock_shared(k)::text"
                          " else pg_advisory_xact_lock(k)::text end"
                          " from unnest(?1::bigint[]) with ordinality locks (k, n)");
}

/* *ret_notified: a notification went behind the commit. */
static enum err commit_send(struct db_postgres *db, bool *ret_notified) {
  char text[PG_DEFERRED_SIZE];
  struct pg_call call = {.text = "commit", .is_commit = true};
  if (db->is_writing && db_postgres_may_notify(db)) {
    (void)snprintf(text, sizeof(text), "notify %s", db->schema);
    call.after = text;
  }
  *ret_notified = call.after;
  bool was_lost = db->lost;
  enum err e = db_postgres_exchange(db, &call);
  if (e == OK) {
    bool rolled_back = strcmp(PQcmdStatus(call.result), "COMMIT") != 0; /* the transaction was aborted */
    PQclear(call.result);
    if (!db->warned) return rolled_back ? ERR_IO : OK;
    db_postgres_disconnect(db);
    return ERR_UNKNOWN;
  }
  if (!db->conn && !was_lost && db->is_writing) {
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "the connection was lost during a commit");
    return ERR_UNKNOWN;
  }
  return e;
}

static bool has_deferred_statement(const struct db_postgres *db) {
  for (int i = 0; i < db->deferred_count; i++)
    if (db->deferred[i].kept) return true;
  return false;
}

static enum err pg_commit(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  bool is_empty = !db->begun && !has_deferred_statement(db); /* (1) */
  bool notified = false, wrote = db->is_writing && !is_empty;
  enum err e = is_empty && !db->lost ? OK : commit_send(db, &notified);
  if (e != OK) return e; /* db_rollback follows */
  transaction_close(db);
  if (wrote) db_postgres_note_committed(db, notified);
  return OK;
}

static enum err pg_savepoint(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  db_postgres_defer(db, "savepoint job");
  db->has_savepoint = true;
  return OK;
}

/* True: the server knows nothing of the savepoint yet. */
static bool savepoint_unsent(struct db_postgres *db) {
  if (db->deferred_count == 0 || strcmp(db->deferred[db->deferred_count - 1].text, "savepoint job") != 0) return false;
  db->deferred_count--;
  return true;
}

static enum err pg_savepoint_release(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  db->has_savepoint = false;
  if (db->lost) return ERR_IO;
  if (!savepoint_unsent(db)) db_postgres_defer(db, "release job");
  return OK;
}

static enum err pg_savepoint_rollback(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  db->has_savepoint = false;
  if (db->lost) return ERR_IO;
  if (savepoint_unsent(db)) return OK;
  db_postgres_defer(db, "rollback to job");
  db_postgres_defer(db, "release job");
  return OK;
}

/* ---- the rest of the table ---- */

static int64_t pg_now_ms(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  if (db->clock_read_ms == 0 && db->conn && !db->in_transaction) {
    struct pg_call call = {.text = "select 1"}; /* the clock is read with it */
    if (db_postgres_exchange(db, &call) == OK) PQclear(call.result);
  }
  return db_clock_now_ms();
}

static enum err pg_has_table(struct db *opened, const char *name, bool *ret_has) {
  struct db_postgres *db = db_postgres_of(opened);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(opened, &q,
               DB_FOR_POSTGRES "select 1 from pg_catalog.pg_tables where schemaname = ?1 and tablename = ?2",
               DB_TEXT(str_from(db->schema)), DB_TEXT(str_from(name))));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

/* A schema without our table, but with others, is somebody else's. */
static enum err refuse_foreign_schema(struct db_postgres *db) {
  bool is_ours;
  TRY(pg_has_table(&db->head, "schema_migrations", &is_ours));
  if (is_ours) return OK;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(&db->head, &q, DB_FOR_POSTGRES "select count(*) from pg_catalog.pg_tables where schemaname = ?1",
               DB_TEXT(str_from(db->schema))));
  TRY(db_next(&q));
  if (db_int(&q, 0) == 0) return OK;
  (void)snprintf(db->head.problem, sizeof(db->head.problem),
                 "the schema %s holds tables of something else; set DATABASE_SCHEMA to another name", db->schema);
  return ERR_CONFLICT;
}

static enum err pg_lock_schema(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  char text[512];
  /* Changes of the schema wait for readers at most 5 s, so that they do not stop all others behind them. */
  (void)snprintf(text, sizeof(text),
                 "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;"
                 " set local lock_timeout = '60s';"
                 " select pg_advisory_xact_lock(hashtext('callreel migrate %s')); set local lock_timeout = '5s'",
                 db->schema);
  TRY(pg_script(opened, text));
  TRY(refuse_foreign_schema(db));
  (void)snprintf(text, sizeof(text), "create schema if not exists %s", db->schema);
  return pg_script(opened, text);
}

static enum err pg_unsupported(struct db *db) {
  (void)snprintf(db->problem, sizeof(db->problem),
                 "PostgreSQL has its own means for this: use pg_dump, or your provider's backups");
  return ERR_UNSUPPORTED;
}

static enum err pg_backup(struct db *db, const char *path, void (*progress)(void *arg, int done_percent), void *arg) {
  (void)path, (void)progress, (void)arg;
  return pg_unsupported(db);
}

static enum err pg_check(struct db *db, int64_t limit_ms, struct buf *ret_problem) {
  (void)limit_ms, (void)ret_problem;
  return pg_unsupported(db);
}

static enum err probe_opened(struct db *opened, const char *sql) {
  struct db_postgres *db = db_postgres_of(opened);
  struct pg_call call = {.text = sql, .limit_ms = db->head.busy_ms};
  TRY(db_postgres_exchange(db, &call));
  bool is_standby = PQntuples(call.result) == 1 && PQgetvalue(call.result, 0, 0)[0] == 't';
  PQclear(call.result);
  return is_standby ? ERR_IO : OK;
}

static enum err pg_probe(struct db *db) {
  return probe_opened(db, "select pg_is_in_recovery()");
}

const struct db_operations db_postgres_operations = {
    .kind = DB_POSTGRES,
    .group_us = 50000, /* a job takes a millisecond and more: each statement is a round trip */
    .group_max = 48,   /* more savepoints than 64 in a transaction slow everybody's snapshots */
    .set_max = 128,
    .repeats = true,
    .close = db_postgres_close,
    .run = pg_run,
    .run_later = pg_run_later,
    .touched = pg_touched,
    .script = pg_script,
    .script_watched = pg_script_watched,
    .query = pg_query,
    .query_later = pg_query_later,
    .next = pg_next,
    .rows_done = pg_rows_done,
    .is_null = pg_is_null,
    .column_int = pg_int,
    .column_real = pg_real,
    .column_text = pg_text,
    .begin = pg_begin,
    .begin_immediate = pg_begin_immediate,
    .begin_shared = pg_begin_shared,
    .lock_businesses = pg_lock_businesses,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .in_transaction = pg_in_transaction,
    .savepoint = pg_savepoint,
    .savepoint_rollback = pg_savepoint_rollback,
    .savepoint_release = pg_savepoint_release,
    .data_version = db_postgres_data_version,
    .now_ms = pg_now_ms,
    .has_table = pg_has_table,
    .lock_schema = pg_lock_schema,
    .backup = pg_backup,
    .check = pg_check,
    .probe_read = pg_probe,
    .probe_write = pg_probe,
    .upkeep = db_postgres_upkeep,
};
