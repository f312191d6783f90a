/* db_postgres_exchange.c - sends a statement with what was deferred before it, and waits for the answer.
 *
 *   deferred … [prepare] statement sync  --one write-->  server  --results in order, then sync-->  done
 *
 * Invariants
 *  (1) Whatever happens, either all results up to the sync were read, or the connection is closed.
 *  (2) A connection is closed after a deadline of ours, and after an error that says that the server goes away or has changed its
 *      role.
 *  (3) A call is repeated on a new connection only if nothing of it can have been committed: its transaction began with it, or it
 *      only read.
 *  (4) A commit without an answer, or with a warning, has an unknown outcome: ERR_UNKNOWN.
 *  (5) The error of a deferred statement is returned by a later call, which is not the statement's own. So it ends the whole
 *      transaction, whatever the error. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/db_clock.h"
#include "db/db_postgres.h"

enum {
  CALL_MS = 35000,
  GRACE_MS = 250,
  VALUE_SIZE = 32,
  CLOCK_EACH_MS = 10000,
  TEXTS_MAX = 64 * 1024 * 1024,
  DEFERRED_TEXTS_MAX = 12
};

static const char READ_CLOCK[] = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";

/* ---- errors ---- */

static const struct {
  const char *state; /* an SQLSTATE, or the beginning of one */
  enum err e;
} states[] = {
    {"23505", ERR_EXISTS}, {"23", ERR_INVALID},        {"22", ERR_INVALID},    {"40001", ERR_BUSY},
    {"40P01", ERR_BUSY},   {"55P03", ERR_BUSY},        {"57014", ERR_TIMEOUT}, {"53100", ERR_FULL},
    {"53200", ERR_NOMEM},  {"54", ERR_TOO_BIG},        {"XX001", ERR_CORRUPT}, {"XX002", ERR_CORRUPT},
    {"42501", ERR_DENIED}, {"P0001", ERR_UNSUPPORTED},
};

/* The server goes away, or is no longer the one that takes writes; a kept plan does not fit the schema any more. */
static bool is_connection_lost(const char *state) {
  static const char *const lost[] = {"57P", "08", "25006", "25P03", "0A000", "26000", "53300"};
  for (size_t i = 0; i < COUNT_OF(lost); i++)
    if (strncmp(state, lost[i], strlen(lost[i])) == 0) return true;
  return false;
}

static const char *state_of(const PGresult *result) {
  const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
  return state ? state : "";
}

enum err db_postgres_failed(struct db_postgres *db, const PGresult *result) {
  const char *state = state_of(result), *said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s%s%s", said ? said : "the connection is gone",
                 *state ? " " : "", state);
  for (size_t i = 0; i < COUNT_OF(states); i++)
    if (strncmp(state, states[i].state, strlen(states[i].state)) == 0) return states[i].e;
  return ERR_IO;
}

static enum err connection_failed(struct db_postgres *db, enum err e) {
  if (e == ERR_TIMEOUT)
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "the database server does not answer");
  else
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "the connection to the database server is gone");
  db_postgres_disconnect(db);
  return e;
}

/* ---- waiting ---- */

bool db_postgres_wait(struct db_postgres *db, short events, int64_t until_ms) {
  for (;;) {
    int64_t left = until_ms - clock_kernel_ms();
    struct pollfd fd = {.fd = PQsocket(db->conn), .events = events};
    int ready = fd.fd < 0 ? 1 : poll(&fd, 1, left < 0 ? 0 : (int)left);
    if (ready > 0) return true; /* also an error of the socket: libpq tells which */
    if (ready == 0) return false;
    if (errno != EINTR) return true;
  }
}

int64_t db_postgres_until(const struct db_postgres *db, int64_t limit_ms) {
  int64_t now = clock_kernel_ms(), until = now + (limit_ms ? limit_ms : CALL_MS);
  if (db->head.deadline_ms == 0) return until;
  int64_t own = now + (db->head.deadline_ms - clock_mono_ms()) + GRACE_MS;
  return own < until ? own : until;
}

static enum err exchange_flush(struct db_postgres *db, int64_t until_ms) {
  int left;
  while ((left = PQflush(db->conn)) == 1) {
    if (!db_postgres_wait(db, POLLIN | POLLOUT, until_ms)) return ERR_TIMEOUT;
    if (!PQconsumeInput(db->conn)) return ERR_IO;
  }
  return left == 0 ? OK : ERR_IO;
}

static enum err next_result(struct db_postgres *db, int64_t until_ms, PGresult **ret_result) {
  while (PQisBusy(db->conn)) {
    if (!db_postgres_wait(db, POLLIN, until_ms)) return ERR_TIMEOUT;
    if (!PQconsumeInput(db->conn)) return ERR_IO;
  }
  *ret_result = PQgetResult(db->conn);
  return OK;
}

/* ---- sending ---- */

void db_postgres_defer(struct db_postgres *db, const char *text) {
  assert(db->deferred_count < PG_DEFERRED_MAX && strlen(text) < PG_DEFERRED_SIZE);
  struct pg_deferred *d = &db->deferred[db->deferred_count++];
  *d = (struct pg_deferred){.kept = NULL};
  (void)snprintf(d->text, PG_DEFERRED_SIZE, "%s", text);
}

struct pg_parameters {
  const char *values[PG_PARAMETERS_MAX];
  int lengths[PG_PARAMETERS_MAX], formats[PG_PARAMETERS_MAX];
  char numbers[PG_PARAMETERS_MAX][VALUE_SIZE];
  char *texts; /* owned */
  int count;
};

static void parameters_done(struct pg_parameters *p) {
  free(p->texts);
}

void db_postgres_forget_deferred(struct db_postgres *db) {
  for (int i = 0; i < db->deferred_count; i++) {
    if (!db->deferred[i].kept) continue;
    parameters_done(db->deferred[i].parameters);
    free(db->deferred[i].parameters);
  }
  db->deferred_count = 0;
}

static enum err parameters_measure(const struct db_value *values, int *ret_count, size_t *ret_bytes) {
  size_t bytes = 1;
  int n = 0;
  for (; values[n].kind != DB_END; n++) {
    if (n == PG_PARAMETERS_MAX) return ERR_TOO_BIG;
    if (values[n].kind == DB_KIND_TEXT && str_index(values[n].s, '\0', 0) < values[n].s.n) return ERR_INVALID;
    if (values[n].kind == DB_KIND_TEXT || values[n].kind == DB_KIND_BLOB) bytes += values[n].s.n + 1;
  }
  if (bytes > TEXTS_MAX) return ERR_TOO_BIG;
  *ret_count = n;
  *ret_bytes = bytes;
  return OK;
}

/* The server infers the types: numbers and texts go as text, bytes in binary. */
static enum err parameters_make(const struct db_value *values, struct pg_parameters *p) {
  size_t bytes;
  TRY(parameters_measure(values, &p->count, &bytes));
  char *to = p->texts = malloc(bytes);
  if (!to) return ERR_NOMEM;
  for (int i = 0; i < p->count; i++) {
    const struct db_value *v = &values[i];
    p->lengths[i] = (int)v->s.n;
    p->formats[i] = v->kind == DB_KIND_BLOB;
    p->values[i] = v->kind == DB_KIND_NULL ? NULL : p->numbers[i];
    if (v->kind == DB_KIND_INT) (void)snprintf(p->numbers[i], VALUE_SIZE, "%lld", (long long)v->i);
    if (v->kind == DB_KIND_REAL) (void)snprintf(p->numbers[i], VALUE_SIZE, "%.17g", v->d);
    if (v->kind != DB_KIND_TEXT && v->kind != DB_KIND_BLOB) continue;
    p->values[i] = to;
    if (v->s.n) memcpy(to, v->s.p, v->s.n);
    to[v->s.n] = '\0';
    to += v->s.n + 1;
  }
  return OK;
}

enum err db_postgres_defer_statement(struct db_postgres *db, struct pg_statement *kept, const struct db_value *values,
                                     PGresult **result) {
  if (db->deferred_count >= PG_DEFERRED_MAX - DEFERRED_TEXTS_MAX) return ERR_FULL;
  struct pg_parameters *p = calloc(1, sizeof(*p));
  if (!p) return ERR_NOMEM;
  enum err e = parameters_make(values, p);
  if (e != OK) {
    free(p);
    return e;
  }
  db->deferred[db->deferred_count++] = (struct pg_deferred){.kept = kept, .parameters = p, .result = result};
  return OK;
}

/* The parts that an exchange has sent: the results come in this order. */
struct sent {
  int deferred;
  bool prepares, statement;
};

static bool is_known(const struct db_postgres *db, const struct pg_statement *s) {
  return s->prepared_on == db->connection_number;
}

static enum err send_text(struct db_postgres *db, const char *text, const struct pg_parameters *p) {
  const char *const *values = p->values;
  int sent = PQsendQueryParams(db->conn, text, p->count, NULL, values, p->lengths, p->formats, 0);
  return sent == 1 ? OK : ERR_IO;
}

/* Counts as known from now on: it may be sent again in this pipeline. */
static enum err send_kept(struct db_postgres *db, struct pg_statement *kept, const struct pg_parameters *p,
                          bool *ret_prepares) {
  *ret_prepares = false;
  if (db->is_pooled) return send_text(db, kept->text, p);
  char name[24];
  (void)snprintf(name, sizeof(name), "s%u", kept->number);
  if (!is_known(db, kept)) {
    if (PQsendPrepare(db->conn, name, kept->text, 0, NULL) != 1) return ERR_IO;
    *ret_prepares = true;
    kept->prepared_on = db->connection_number;
  }
  const char *const *values = p->values;
  return PQsendQueryPrepared(db->conn, name, p->count, values, p->lengths, p->formats, 0) == 1 ? OK : ERR_IO;
}

static enum err send_statement(struct db_postgres *db, struct pg_call *call, struct sent *sent) {
  static const struct db_value none[] = {{.kind = DB_END}};
  struct pg_parameters p CLEANUP(parameters_done) = {.texts = NULL};
  TRY(parameters_make(call->values ? call->values : none, &p));
  TRY(call->kept ? send_kept(db, call->kept, &p, &sent->prepares) : send_text(db, call->text, &p));
  sent->statement = true;
  return OK;
}

static enum err send_all(struct db_postgres *db, struct pg_call *call, struct sent *sent) {
  static const struct pg_parameters none = {.count = 0};
  for (; sent->deferred < db->deferred_count; sent->deferred++) {
    struct pg_deferred *d = &db->deferred[sent->deferred];
    d->prepares = false;
    TRY(d->kept ? send_kept(db, d->kept, d->parameters, &d->prepares) : send_text(db, d->text, &none));
  }
  TRY(send_statement(db, call, sent));
  if (call->after) TRY(send_text(db, call->after, &none));
  return PQpipelineSync(db->conn) == 1 ? OK : ERR_IO;
}

/* ---- reading ---- */

static void note_deferred(struct db_postgres *db, const char *text, const PGresult *result) {
  if (strncmp(text, "begin", 5) == 0) db->begun = true;
  if (strcmp(text, READ_CLOCK) != 0 || PQntuples(result) != 1) return;
  /* The clock of this process may be moved by tests, the server's not. */
  int64_t server_ms = strtoll(PQgetvalue(result, 0, 0), NULL, 10) + clock_mono_ms() - clock_kernel_ms();
  db_clock_report(server_ms, db->sent_ms, clock_mono_ms());
  db->clock_read_ms = clock_kernel_ms();
}

/* Reads the results of one command: the last of them, and its NULL. */
static enum err read_command(struct db_postgres *db, int64_t until_ms, PGresult **ret_result) {
  PGresult *last = NULL, *result;
  for (;;) {
    enum err e = next_result(db, until_ms, &result);
    if (e != OK) {
      PQclear(last);
      return e;
    }
    if (!result) break;
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) { /* out of step: never seen */
      PQclear(result);
      PQclear(last);
      return ERR_IO;
    }
    PQclear(last);
    last = result;
  }
  *ret_result = last;
  return last ? OK : ERR_IO;
}

static bool is_success(const PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

/* The first error of the exchange, or the statement's result. */
struct answer {
  PGresult *error, *result;
  bool is_deferred; /* the error is that of a deferred statement */
};

/* *ret_result: NULL after an error; else the caller clears it. */
static enum err exchange_read_one(struct db_postgres *db, int64_t until_ms, struct answer *a, PGresult **ret_result) {
  PGresult *result;
  TRY(read_command(db, until_ms, &result));
  *ret_result = is_success(result) ? TAKE(result) : NULL;
  if (result && !a->error && PQresultStatus(result) == PGRES_FATAL_ERROR) a->error = TAKE(result);
  PQclear(result);
  return OK;
}

static enum err read_prepare(struct db_postgres *db, struct pg_statement *kept, int64_t until_ms, struct answer *a) {
  PGresult *result;
  TRY(exchange_read_one(db, until_ms, a, &result));
  if (!result) kept->prepared_on = 0;
  PQclear(result);
  return OK;
}

static enum err read_deferred(struct db_postgres *db, const struct pg_deferred *d, int64_t until_ms, struct answer *a) {
  PGresult *result;
  bool had_error = a->error;
  if (d->prepares) TRY(read_prepare(db, d->kept, until_ms, a));
  TRY(exchange_read_one(db, until_ms, a, &result));
  if (d->kept && a->error && !had_error) a->is_deferred = true;
  if (result && d->kept) db->touched += strtoll(PQcmdTuples(result), NULL, 10);
  if (result && !d->kept) note_deferred(db, d->text, result);
  if (d->result) {
    PQclear(*d->result); /* of a first try on a connection that is gone */
    *d->result = TAKE(result);
  }
  PQclear(result);
  return OK;
}

/* The call is answered already: an error does not matter, a lost connection ends only the connection. */
static enum err read_after(struct db_postgres *db, int64_t until_ms) {
  PGresult *result = NULL;
  TRY(read_command(db, until_ms, &result));
  PQclear(result);
  return OK;
}

static enum err exchange_read_all(struct db_postgres *db, struct pg_call *call, const struct sent *sent,
                                  int64_t until_ms, struct answer *a) {
  for (int i = 0; i < sent->deferred; i++) TRY(read_deferred(db, &db->deferred[i], until_ms, a));
  if (sent->prepares) TRY(read_prepare(db, call->kept, until_ms, a));
  if (sent->statement) TRY(exchange_read_one(db, until_ms, a, &a->result));
  if (call->after) TRY(read_after(db, until_ms));
  for (;;) { /* a commit of an implicit transaction may fail here */
    PGresult *result;
    TRY(next_result(db, until_ms, &result));
    if (!result) continue;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR && !a->error) a->error = TAKE(result);
    PQclear(result);
    if (status == PGRES_PIPELINE_SYNC) return PQstatus(db->conn) == CONNECTION_BAD ? ERR_IO : OK;
    if (PQstatus(db->conn) == CONNECTION_BAD) return ERR_IO;
  }
}

/* ---- the exchange ---- */

static void defer_settings(struct db_postgres *db) {
  static const int steps[] = {100, 250, 500, 1000, 2000, 5000, 10000, 30000};
  int64_t left = db->head.deadline_ms ? db->head.deadline_ms - clock_mono_ms() : INT32_MAX;
  size_t i = 0;
  while (i + 1 < COUNT_OF(steps) && steps[i] < left) i++;
  if (steps[i] != db->statement_timeout_ms && db->deferred_count < PG_DEFERRED_MAX && !db->begun) {
    char text[PG_DEFERRED_SIZE];
    (void)snprintf(text, sizeof(text), "set statement_timeout = %d", steps[i]);
    /* Before all that waits, so that it limits that, too. In one pipeline with a begin it is undone by a rollback. */
    memmove(&db->deferred[1], &db->deferred[0], (size_t)db->deferred_count * sizeof(db->deferred[0]));
    db->deferred[0] = (struct pg_deferred){.kept = NULL};
    memcpy(db->deferred[0].text, text, sizeof(text));
    db->deferred_count++;
    db->statement_timeout_ms = steps[i];
  }
  bool is_old = db->clock_read_ms == 0 || clock_kernel_ms() - db->clock_read_ms > CLOCK_EACH_MS;
  if (is_old && db->deferred_count < PG_DEFERRED_MAX) db_postgres_defer(db, READ_CLOCK);
}

static enum err exchange_once(struct db_postgres *db, struct pg_call *call, int64_t until_ms) {
  struct sent sent = {0};
  struct answer a = {.error = NULL};
  db->warned = false;
  db->sent_ms = clock_mono_ms();
  enum err e = send_all(db, call, &sent);
  if (e != OK && e != ERR_IO) return connection_failed(db, e); /* half a pipeline stands in libpq's buffer (1) */
  if (e == OK) e = exchange_flush(db, until_ms);
  if (e == OK) e = exchange_read_all(db, call, &sent, until_ms, &a);
  if (e != OK && call->after && a.result && !a.error) {
    e = OK; /* the text sent behind it found the connection gone */
    db_postgres_disconnect(db);
  }
  if (e != OK) {
    bool said = a.error && is_connection_lost(state_of(a.error));
    char problem[DB_PROBLEM_SIZE];
    if (said) IGNORE(db_postgres_failed(db, a.error)); /* for its text */
    memcpy(problem, db->head.problem, sizeof(problem));
    e = connection_failed(db, e);
    if (said) memcpy(db->head.problem, problem, sizeof(problem));
  } else if (a.error) {
    e = db_postgres_failed(db, a.error);
    if (a.is_deferred && e != ERR_FULL) e = ERR_IO; /* (5) */
    db->lost = db->lost || (a.is_deferred && db->in_transaction);
    if (is_connection_lost(state_of(a.error))) {
      db_postgres_disconnect(db);
      if (call->is_commit) e = ERR_IO;
    }
  }
  if (e == OK && !a.result) e = ERR_IO;
  if (e == OK) call->result = TAKE(a.result);
  PQclear(a.error);
  PQclear(a.result);
  return e;
}

/* (3) */
static bool may_repeat(const struct db_postgres *db, bool had_begun) {
  if (db->conn || had_begun) return false;
  return db->in_transaction || db->head.read_only;
}

enum err db_postgres_exchange(struct db_postgres *db, struct pg_call *call) {
  int64_t until_ms = db_postgres_until(db, call->limit_ms);
  if (db->lost) {
    (void)snprintf(db->head.problem, sizeof(db->head.problem), "the transaction's connection is gone");
    return ERR_IO;
  }
  if (call->values) { /* before anything is sent */
    int count;
    size_t bytes;
    TRY(parameters_measure(call->values, &count, &bytes));
  }
  bool had_begun = db->begun;
  enum err e = db_postgres_connect(db, until_ms);
  if (e != OK) return e;
  struct pg_deferred deferred[PG_DEFERRED_MAX];
  int count = db->deferred_count;
  memcpy(deferred, db->deferred, sizeof(deferred));
  defer_settings(db);
  e = exchange_once(db, call, until_ms);
  if (e != OK && e != ERR_TIMEOUT && !call->is_commit && may_repeat(db, had_begun)) {
    memcpy(db->deferred, deferred, sizeof(deferred)); /* without the settings */
    db->deferred_count = count;
    e = db_postgres_connect(db, until_ms);
    db->lost = e != OK && db->in_transaction;
    if (e == OK) defer_settings(db);
    if (e == OK) e = exchange_once(db, call, until_ms);
  }
  db_postgres_forget_deferred(db);
  return e;
}

/* ---- scripts ---- */

static enum err simple_send(struct db_postgres *db, const char *sql, int64_t until_ms) {
  struct buf all CLEANUP(buf_done) = BUF_INIT(TEXTS_MAX);
  const char *text;
  for (int i = 0; i < db->deferred_count; i++) TRY(buf_addf(&all, "%s; ", db->deferred[i].text));
  TRY(buf_add(&all, str_from(sql)));
  TRY(buf_terminate(&all, &text));
  if (PQexitPipelineMode(db->conn) != 1 || PQsendQuery(db->conn, text) != 1) return ERR_IO;
  return exchange_flush(db, until_ms);
}

static enum err send_deferred_statements(struct db_postgres *db) {
  bool has_any = false;
  for (int i = 0; i < db->deferred_count; i++) has_any = has_any || db->deferred[i].kept;
  if (!has_any) return OK;
  struct pg_call call = {.text = "select 1"};
  TRY(db_postgres_exchange(db, &call));
  PQclear(call.result);
  return OK;
}

enum err db_postgres_simple(struct db_postgres *db, const char *sql, int64_t limit_ms) {
  TRY(send_deferred_statements(db));
  int64_t until_ms = db_postgres_until(db, limit_ms);
  if (db->lost) return ERR_IO;
  TRY(db_postgres_connect(db, until_ms));
  enum err e = simple_send(db, sql, until_ms), said = OK;
  PGresult *result = NULL;
  while (e == OK && (e = next_result(db, until_ms, &result)) == OK && result) {
    if (said == OK && !is_success(result)) said = db_postgres_failed(db, result);
    PQclear(result);
  }
  if (e == OK && PQenterPipelineMode(db->conn) != 1) e = ERR_IO;
  if (e != OK) return connection_failed(db, e);
  db->begun = db->in_transaction && PQtransactionStatus(db->conn) != PQTRANS_IDLE;
  db_postgres_forget_deferred(db);
  return said;
}
