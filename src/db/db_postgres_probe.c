/* db_postgres_probe.c - finds out whether a connection keeps its session, or a pooler lends it to others after each transaction.
 *
 *   one: listen CHANNEL    other: notify CHANNEL    one: hears it within PROBE_MS --> true
 *                            `-- has the same backend as one --> false
 *
 * Behind a pooler in transaction mode, the server's connection that listens serves no client when the notification comes, or
 * serves the other one: so the first connection never gets it. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/problem_text.h"
#include "base/secret.h"
#include "db/db_postgres.h"

enum { CALL_MS = 2000, PROBE_MS = 10000 };

static enum err run_text(struct db *opened, const char *word, const char *channel) {
  char text[96];
  (void)snprintf(text, sizeof(text), "%s %s", word, channel);
  struct pg_call call = {.text = text, .limit_ms = CALL_MS};
  TRY(db_postgres_exchange(db_postgres_of(opened), &call));
  PQclear(call.result);
  return OK;
}

/* The server's process behind the connection at this moment. */
static enum err backend_of(struct db *opened, int64_t *ret_pid) {
  struct pg_call call = {.text = "select pg_backend_pid()", .limit_ms = CALL_MS};
  TRY(db_postgres_exchange(db_postgres_of(opened), &call));
  *ret_pid = PQntuples(call.result) == 1 ? strtoll(PQgetvalue(call.result, 0, 0), NULL, 10) : 0;
  PQclear(call.result);
  return OK;
}

/* Nothing is sent meanwhile: a pooler would find a connection for it, perhaps the one that listens. */
static enum err wait_for_notification(struct db_postgres *db, bool *ret_came) {
  int64_t until_ms = clock_kernel_ms() + PROBE_MS;
  PGnotify *note = NULL;
  while (!(note = PQnotifies(db->conn)) && db_postgres_wait(db, POLLIN, until_ms))
    if (!PQconsumeInput(db->conn)) return ERR_IO;
  *ret_came = note;
  PQfreemem(note);
  return OK;
}

static enum err probe_pair(struct db *one, struct db *other, bool *ret_keeps) {
  uint64_t random;
  int64_t backend, others_backend;
  char channel[48];
  TRY(secret_random(&random, sizeof(random)));
  (void)snprintf(channel, sizeof(channel), "callreel_probe_%016llx", (unsigned long long)random);
  TRY(run_text(one, "listen", channel));
  TRY(backend_of(one, &backend));
  TRY(backend_of(other, &others_backend));
  *ret_keeps = backend != others_backend;
  if (!*ret_keeps) return OK;
  TRY(run_text(other, "notify", channel));
  TRY(wait_for_notification(db_postgres_of(one), ret_keeps));
  return run_text(one, "unlisten", channel);
}

enum err db_postgres_keeps_sessions(const struct db_open *how, struct buf *ret_problem, bool *ret_keeps) {
  struct db *one = NULL, *other = NULL;
  struct db_open plain = *how;
  plain.on_connect = NULL;
  plain.read_only = false;
  TRY(db_postgres_open(&plain, ret_problem, &one));
  enum err e = db_postgres_open(&plain, ret_problem, &other);
  if (e == OK) {
    e = probe_pair(one, other, ret_keeps);
    if (e != OK) e = problem_text_set(ret_problem, e, "%s", db_problem(one)[0] ? db_problem(one) : db_problem(other));
  }
  db_close(other);
  db_close(one);
  return e;
}
