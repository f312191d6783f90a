/* db_postgres_connect.c - opens and closes the connection to a PostgreSQL server.
 *
 *   closed --db_postgres_connect--> connected --an error of the connection, a deadline--> closed
 *
 * Invariants
 *  (1) No call of libpq blocks: each waits with poll, until a deadline of our own.
 *  (2) One host is tried at a time, for at most HOST_MS; the next try begins with the next host. A host that takes no writes is
 *      passed over (target_session_attrs).
 *  (3) After a failed round through all hosts the next one begins 50 to 500 ms later, so that a server that comes back is not
 *      hit by all connections at once.
 *  (4) A connection that writes keeps plans while tables grow: so none of them may rest on a table being small.
 *  (5) No text of ours contains the URL: it may hold a password.
 *  (6) Settings are the first statement of a connection, not options of its start: poolers refuse or ignore those. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/problem_text.h"
#include "base/secret.h"
#include "db/db_postgres.h"

enum {
  HOST_MS = 2000,
  BUSY_MS = 5000,
  PAUSE_LEAST_MS = 50,
  PAUSE_SPAN_MS = 450,
  SETTINGS_SIZE = 1024,
  SCHEMA_MAX = 63
};

static const char DEFAULT_SCHEMA[] = "callreel";

/* ---- the URL's hosts ---- */

/* The nth of a list with commas, the last one if there are fewer. */
static struct str list_item(const char *list, unsigned n) {
  struct str item = STR_NONE, rest = str_from(list);
  while (str_cut(rest, ',', &item, &rest) && n-- > 0) {
  }
  return item;
}

static unsigned list_count(const char *list) {
  unsigned count = 1;
  for (const char *at = list ? list : ""; *at; at++) count += *at == ',';
  return count;
}

struct hosts {
  char *host, *hostaddr, *port; /* lists with commas; owned; NULL: the URL names none */
};

static void hosts_done(struct hosts *h) {
  free(h->host);
  free(h->hostaddr);
  free(h->port);
}

static enum err hosts_read(const char *url, struct hosts *ret_hosts) {
  PQconninfoOption *all = PQconninfoParse(url, NULL); /* its message may quote the URL (5) */
  if (!all) return ERR_INVALID;
  struct hosts h = {NULL, NULL, NULL};
  bool complete = true;
  for (PQconninfoOption *o = all; o->keyword; o++) {
    char **to = strcmp(o->keyword, "host") == 0       ? &h.host
                : strcmp(o->keyword, "hostaddr") == 0 ? &h.hostaddr
                : strcmp(o->keyword, "port") == 0     ? &h.port
                                                      : NULL;
    if (!to || !o->val) continue;
    *to = strdup(o->val);
    complete = complete && *to;
  }
  PQconninfoFree(all);
  if (!complete) {
    hosts_done(&h);
    return ERR_NOMEM;
  }
  *ret_hosts = h;
  return OK;
}

static unsigned hosts_count(const struct hosts *h) {
  unsigned named = list_count(h->host), addressed = list_count(h->hostaddr);
  return named > addressed ? named : addressed;
}

/* ---- connecting ---- */

static void note_notice(void *arg, const PGresult *result) {
  struct db_postgres *db = arg;
  const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity && strcmp(severity, "WARNING") == 0) db->warned = true;
}

/* Waits for the connection in its steps. */
static bool poll_connection(PGconn *conn, int64_t until_ms) {
  PostgresPollingStatusType step = PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK && step != PGRES_POLLING_FAILED) {
    int64_t left = until_ms - clock_kernel_ms();
    if (left <= 0) return false;
    struct pollfd fd = {.fd = PQsocket(conn), .events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    if (poll(&fd, 1, (int)left) < 0 && fd.fd < 0) return false;
    if (fd.revents) step = PQconnectPoll(conn);
  }
  return step == PGRES_POLLING_OK;
}

/* The first words before the URL are defaults that it may replace; those behind it are ours. */
static PGconn *start_connection(const struct db_postgres *db, const struct hosts *h, unsigned n) {
  char name[SCHEMA_MAX + 16], host[256], hostaddr[256], port[64];
  /* Operators tell installations on one server apart by it. */
  bool is_default = strcmp(db->schema, DEFAULT_SCHEMA) == 0;
  (void)snprintf(name, sizeof(name), "callreel%s%s", is_default ? "" : " ", is_default ? "" : db->schema);
  const char *keys[16], *values[16];
  int count = 0;
#define ADD(key, value) (keys[count] = (key), values[count++] = (value))
  ADD("tcp_user_timeout", "3000");
  ADD("keepalives_idle", "10");
  ADD("keepalives_interval", "3");
  ADD("keepalives_count", "3");
  ADD("target_session_attrs", db->head.read_only ? "primary" : "read-write");
  ADD("dbname", db->url);
  if (h->host && str_copy(host, sizeof(host), list_item(h->host, n)) == OK) ADD("host", host);
  if (h->hostaddr && str_copy(hostaddr, sizeof(hostaddr), list_item(h->hostaddr, n)) == OK) ADD("hostaddr", hostaddr);
  if (h->port && str_copy(port, sizeof(port), list_item(h->port, n)) == OK) ADD("port", port);
  ADD("application_name", name);
  ADD("client_encoding", "UTF8");
#undef ADD
  keys[count] = values[count] = NULL;
  return PQconnectStartParams(keys, values, 1);
}

static void keep_problem(struct db_postgres *db, const char *text) {
  (void)snprintf(db->head.problem, sizeof(db->head.problem), "%s", text);
  size_t n = strlen(db->head.problem);
  while (n > 0 && db->head.problem[n - 1] == '\n') db->head.problem[--n] = '\0';
  for (size_t i = 0; i < n; i++)
    if (db->head.problem[i] == '\n') db->head.problem[i] = ' ';
}

/* Takes conn. */
static void set_up(struct db_postgres *db, PGconn *conn) {
  db->conn = conn;
  db->connection_number++;
  db->statement_timeout_ms = db->timeout_before_ms = 30000;
  db->clock_read_ms = 0;
  db->is_listening = false;
  db->deferred_count = 0;
  PQsetNoticeReceiver(conn, note_notice, db);
}

static enum err try_host(struct db_postgres *db, const struct hosts *h, unsigned n, int64_t until_ms) {
  int64_t now = clock_kernel_ms(), limit = now + HOST_MS < until_ms ? now + HOST_MS : until_ms;
  PGconn *conn = start_connection(db, h, n);
  if (!conn) return ERR_NOMEM;
  PQsetNoticeReceiver(conn, note_notice, db); /* before libpq writes to standard error */
  if (PQstatus(conn) == CONNECTION_BAD || !poll_connection(conn, limit)) {
    keep_problem(db, PQstatus(conn) == CONNECTION_BAD ? PQerrorMessage(conn) : "the database server does not answer");
    PQfinish(conn);
    return ERR_IO;
  }
  if (PQserverVersion(conn) < 130000) {
    keep_problem(db, "the database server is older than PostgreSQL 13");
    PQfinish(conn);
    return ERR_UNSUPPORTED;
  }
  if (PQsetnonblocking(conn, 1) != 0 || PQenterPipelineMode(conn) != 1) {
    PQfinish(conn);
    return ERR_NOMEM;
  }
  set_up(db, conn);
  return OK;
}

static void sleep_until(int64_t at_ms) {
  int64_t left = at_ms - clock_kernel_ms();
  if (left <= 0) return;
  struct timespec t = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
  (void)nanosleep(&t, NULL); /* interrupted: tries earlier */
}

static void pause_before_next_try(struct db_postgres *db) {
  uint16_t random = 0;
  IGNORE(secret_random(&random, sizeof(random))); /* without it only the pauses are the same */
  db->connect_not_before_ms = clock_kernel_ms() + PAUSE_LEAST_MS + random % PAUSE_SPAN_MS;
}

static enum err try_all_hosts(struct db_postgres *db, int64_t until_ms) {
  struct hosts h CLEANUP(hosts_done) = {NULL, NULL, NULL};
  TRY(hosts_read(db->url, &h));
  unsigned count = hosts_count(&h);
  enum err e = ERR_IO;
  for (unsigned i = 0; i < count && e != OK; i++) {
    if (i > 0 && clock_kernel_ms() >= until_ms) break;
    e = try_host(db, &h, db->host_next % count, until_ms);
    if (e != OK) db->host_next++;
  }
  return e;
}

static const struct {
  const char *name, *value;
  enum { EACH, READING, WRITING, KEEPING } of;
} settings[] = {
    {"tcp_user_timeout", "3000", EACH},
    {"idle_in_transaction_session_timeout", "3000", EACH},
    {"lock_timeout", "2000", EACH},
    {"statement_timeout", "30000", EACH},
    {"jit", "off", EACH},
    {"standard_conforming_strings", "on", EACH},
    {"bytea_output", "hex", EACH},
    {"default_transaction_read_only", "on", READING},
    {"plan_cache_mode", "force_custom_plan", READING},
    {"synchronous_commit", "on", WRITING},
    {"enable_seqscan", "off", WRITING},
    {"enable_hashjoin", "off", WRITING},
    {"enable_mergejoin", "off", WRITING},
    {"plan_cache_mode", "force_generic_plan", KEEPING},
};

static bool setting_applies(const struct db_postgres *db, size_t i) {
  if (settings[i].of == EACH) return true;
  if (settings[i].of == KEEPING && !db->keeps_plans) return false;
  return (settings[i].of == READING) == db->head.read_only;
}

/* (6) */
static enum err set_session(struct db_postgres *db) {
  char text[SETTINGS_SIZE];
  int n = snprintf(text, sizeof(text), "select set_config('search_path', '%s,public', false)", db->schema);
  for (size_t i = 0; i < COUNT_OF(settings); i++) {
    if (!setting_applies(db, i)) continue;
    n += snprintf(text + n, sizeof(text) - (size_t)n, ", set_config('%s', '%s', false)", settings[i].name,
                  settings[i].value);
    assert(n < (int)sizeof(text));
  }
  struct pg_call call = {.text = text, .limit_ms = HOST_MS};
  TRY(db_postgres_exchange(db, &call));
  PQclear(call.result);
  return OK;
}

/* Prepares the session and runs on_connect, outside the caller's transaction, which has not reached the server. */
static enum err session_begin(struct db_postgres *db) {
  bool was_in_transaction = db->in_transaction, was_lost = db->lost;
  db->in_transaction = db->lost = false;
  db->connecting = true;
  enum err e = set_session(db);
  if (e == OK && db->on_connect) e = db->on_connect(&db->head, db->on_connect_arg);
  db->connecting = false;
  db->in_transaction = was_in_transaction;
  db->lost = was_lost;
  if (e != OK && db->conn) db_postgres_disconnect(db);
  return e == OK && !db->conn ? ERR_IO : e;
}

enum err db_postgres_connect(struct db_postgres *db, int64_t until_ms) {
  if (db->conn) return OK;
  if (db->connecting) return ERR_IO; /* it went away while it was greeted: the next one is greeted from the beginning */
  struct pg_deferred deferred[PG_DEFERRED_MAX]; /* out of the way of on_connect */
  int deferred_count = db->deferred_count;
  memcpy(deferred, db->deferred, sizeof(deferred));
  sleep_until(db->connect_not_before_ms < until_ms ? db->connect_not_before_ms : until_ms);
  enum err e = clock_kernel_ms() < db->connect_not_before_ms ? ERR_IO : try_all_hosts(db, until_ms);
  if (e == OK) e = session_begin(db);
  if (e != OK && clock_kernel_ms() >= db->connect_not_before_ms) pause_before_next_try(db);
  memcpy(db->deferred, deferred, sizeof(deferred));
  db->deferred_count = deferred_count;
  return e;
}

void db_postgres_disconnect(struct db_postgres *db) {
  PQfinish(db->conn);
  db->conn = NULL;
  db->lost = db->in_transaction;
  db->begun = false;
}

/* ---- opening ---- */

static bool is_schema_name(const char *name) {
  size_t n = strlen(name);
  if (n == 0 || n > SCHEMA_MAX || (name[0] >= '0' && name[0] <= '9') || strncmp(name, "pg_", 3) == 0) return false;
  return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

enum err db_postgres_open(const struct db_open *how, struct buf *ret_problem, struct db **ret_db) {
  const char *schema = how->schema ? how->schema : DEFAULT_SCHEMA;
  if (!is_schema_name(schema))
    return problem_text_set(ret_problem, ERR_INVALID, "the schema's name must have small letters, digits and _ only");
  struct db_postgres *db = calloc(1, sizeof(*db));
  if (!db) return ERR_NOMEM;
  db->head = (struct db){.operations = &db_postgres_operations, .read_only = how->read_only};
  db->head.busy_ms = how->busy_ms > 0 ? how->busy_ms : BUSY_MS;
  db->is_pooled = how->is_pooled;
  db->keeps_plans = how->keeps_plans;
  db->on_connect = how->on_connect;
  db->on_connect_arg = how->on_connect_arg;
  db->url = strdup(how->url);
  db->schema = strdup(schema);
  enum err e = db->url && db->schema ? db_postgres_connect(db, clock_kernel_ms() + db->head.busy_ms) : ERR_NOMEM;
  if (e == ERR_INVALID) keep_problem(db, "the URL is not one of PostgreSQL");
  if (e != OK) {
    enum err why = problem_text_set(ret_problem, e, "%s", db->head.problem);
    db_close(&db->head);
    return why;
  }
  *ret_db = &db->head;
  return OK;
}

void db_postgres_close(struct db *opened) {
  struct db_postgres *db = db_postgres_of(opened);
  db_postgres_forget_deferred(db);
  if (db->conn) PQfinish(db->conn);
  for (size_t i = 0; i < PG_KEPT_SLOTS; i++) {
    if (db->kept[i]) free(db->kept[i]->text);
    free(db->kept[i]);
  }
  if (db->url) secret_wipe(db->url, strlen(db->url));
  free(db->url);
  free(db->schema);
  free(db);
}
