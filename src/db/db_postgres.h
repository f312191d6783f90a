/* db_postgres.h - a PostgreSQL connection as the files of this room see it. Thread rule: the connection's. */
#pragma once

#include <libpq-fe.h>

#include "db/db_operations.h"

enum { PG_KEPT_SLOTS = 2048, PG_KEPT_MAX = 1536, PG_DEFERRED_MAX = 64, PG_DEFERRED_SIZE = 96, PG_PARAMETERS_MAX = 64 };

struct pg_statement {
  const char *sql;      /* compared by address */
  char *text;           /* PostgreSQL's; owned */
  unsigned number;      /* its name on the server is s and this number */
  unsigned prepared_on; /* the connection_number on which the server knows it; 0: none */
};

/* Something that is sent before the next statement, in one pipeline with it: a text, or a statement with its parameters. */
struct pg_deferred {
  char text[PG_DEFERRED_SIZE];
  struct pg_statement *kept;        /* NULL: the text */
  struct pg_parameters *parameters; /* owned */
  PGresult **result;                /* of a query: where its rows go; NULL: nothing is wanted */
  bool prepares;                    /* this exchange makes the statement known to the server first */
};

struct db_postgres {
  struct db head;
  PGconn *conn; /* NULL: not connected */
  char *url, *schema;
  bool is_pooled, keeps_plans;
  enum err (*on_connect)(struct db *db, void *arg);
  void *on_connect_arg;
  bool connecting; /* on_connect runs */
  unsigned connection_number;
  unsigned host_next;            /* which of the URL's hosts is tried next */
  int64_t connect_not_before_ms; /* kernel clock, as all times here */
  /* The transaction as the caller sees it, and what the server knows of it. */
  bool in_transaction, is_writing;
  bool begun; /* the server has begun it */
  bool lost;  /* its connection is gone: every call fails until db_rollback */
  bool has_savepoint;
  struct pg_deferred deferred[PG_DEFERRED_MAX];
  int deferred_count;
  int statement_timeout_ms; /* as the server knows it */
  int timeout_before_ms;    /* the same before the transaction, whose rollback brings it back */
  /* When plans are made again; see db_postgres.c, (6). */
  unsigned plans_of; /* connection_number */
  int64_t begun_count, plans_next, plans_ms;
  int64_t sent_ms;       /* clock_mono_ms: when the last exchange began */
  int64_t clock_read_ms; /* when it was read; 0: never on this connection */
  bool warned;           /* the server sent a warning since the last call */
  int64_t notified_ms;   /* when the last notification was sent; 0: never */
  bool notification_due;
  int64_t version, version_ms; /* see db_postgres_data_version; when it grew last */
  int64_t touched;
  struct pg_statement *kept[PG_KEPT_SLOTS]; /* hash table by the SQL's address, open addressing */
  size_t kept_count;
  unsigned statements; /* numbers given */
  bool is_listening;
};

extern const struct db_operations db_postgres_operations;
static inline struct db_postgres *db_postgres_of(struct db *db) {
  return (struct db_postgres *)db;
}

/* ---- db_postgres_connect.c ---- */

void db_postgres_close(struct db *db);
/* Connects unless it is connected. ERR_IO: no host answers as it should, or it is too early for a further try; head.problem says
 * why. Waits at most until_ms. */
CHECKED enum err db_postgres_connect(struct db_postgres *db, int64_t until_ms);
/* Closes the connection; a transaction that was begun on it is lost. */
void db_postgres_disconnect(struct db_postgres *db);

/* ---- db_postgres_exchange.c ---- */

/* A statement that is sent, and what came back. */
struct pg_call {
  struct pg_statement *kept; /* or NULL, and text */
  const char *text;
  const struct db_value *values; /* NULL: none */
  bool is_commit;
  const char
      *after; /* NULL, or a text that is sent behind it in the same pipeline; what becomes of that does not matter */
  int64_t limit_ms; /* 0: the usual one */
  PGresult *result; /* of a success; the caller clears it */
};
/* Sends what was deferred and the statement in one pipeline, and waits for the answer. */
CHECKED enum err db_postgres_exchange(struct db_postgres *db, struct pg_call *call);
/* Runs a text of several statements by the simple protocol, after what was deferred. */
CHECKED enum err db_postgres_simple(struct db_postgres *db, const char *sql, int64_t limit_ms);
/* The text is sent before the next statement. */
void db_postgres_defer(struct db_postgres *db, const char *text);
/* So is the statement. If it fails, the transaction is lost. ERR_FULL: no room for it now. */
CHECKED enum err db_postgres_defer_statement(struct db_postgres *db, struct pg_statement *kept,
                                             const struct db_value *values, PGresult **result);
void db_postgres_forget_deferred(struct db_postgres *db);
/* Our code for an error of the server; the text is stored in head.problem. */
CHECKED enum err db_postgres_failed(struct db_postgres *db, const PGresult *result);
/* Waits for the socket: POLLIN, POLLOUT. False: until_ms is over. */
bool db_postgres_wait(struct db_postgres *db, short events, int64_t until_ms);
/* When a call that begins now must end. */
int64_t db_postgres_until(const struct db_postgres *db, int64_t limit_ms);

/* ---- db_postgres_notify.c ---- */

bool db_postgres_may_notify(const struct db_postgres *db);
/* After a commit that wrote. notified: the notification went with it; else it is sent later. */
void db_postgres_note_committed(struct db_postgres *db, bool notified);
void db_postgres_upkeep(struct db *db);
/* Changes when a notification came, when a while has passed, and with each new connection. */
CHECKED enum err db_postgres_data_version(struct db *db, int64_t *ret_version);
