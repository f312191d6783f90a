/* db_foreign.c - see db_foreign.h. A server sends its rows one by one, so that memory does not depend on the table's size. */
#include "db/db_foreign.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>
#include <sqlite3.h>

#include "base/problem_text.h"
#include "db/db.h"

enum { SQL_MAX = 4096, BUSY_MS = 5000 };

struct db_foreign {
  sqlite3 *sqlite;
  sqlite3_stmt *statement;
  PGconn *server;
  PGresult *row;   /* the present row of a server; before the first: its columns */
  bool is_waiting; /* row was not given out yet */
  size_t columns;
};

/* "schema.table" as "schema"."table". */
static enum err write_select(const char *table, struct buf *b) {
  TRY(buf_add(b, STR("select * from \"")));
  for (const char *c = table; *c; c++) {
    if (*c == '.')
      TRY(buf_add(b, STR("\".\"")));
    else if (*c == '"')
      TRY(buf_add(b, STR("\"\"")));
    else
      TRY(buf_add_char(b, *c));
  }
  return buf_add_char(b, '"');
}

static enum err problem_of(struct buf *problem, const char *text) {
  IGNORE(buf_add(problem, str_trim(str_from(text)))); /* a text that is too long is left out */
  while (problem->n && problem->p[problem->n - 1] == '\n') problem->n--;
  return ERR_IO;
}

/* ---- SQLite ---- */

static enum err sqlite_open_table(struct db_foreign *f, const char *path, const char *sql, struct buf *problem) {
  int rc = sqlite3_open_v2(path, &f->sqlite, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
  if (rc == SQLITE_OK) (void)sqlite3_busy_timeout(f->sqlite, BUSY_MS);
  if (rc == SQLITE_OK) rc = sqlite3_prepare_v2(f->sqlite, sql, -1, &f->statement, NULL);
  if (rc != SQLITE_OK) return problem_of(problem, f->sqlite ? sqlite3_errmsg(f->sqlite) : sqlite3_errstr(rc));
  f->columns = (size_t)sqlite3_column_count(f->statement);
  return OK;
}

static enum err sqlite_next_row(struct db_foreign *f, struct str cells[DB_FOREIGN_COLUMNS_MAX]) {
  int rc = sqlite3_step(f->statement);
  if (rc == SQLITE_DONE) return ERR_NOT_FOUND;
  if (rc != SQLITE_ROW) return rc == SQLITE_BUSY ? ERR_BUSY : ERR_IO;
  for (int i = 0; i < (int)f->columns; i++) {
    const char *text = (const char *)sqlite3_column_text(f->statement, i);
    cells[i] = text ? str_of(text, (size_t)sqlite3_column_bytes(f->statement, i)) : STR_NONE;
  }
  return OK;
}

/* ---- PostgreSQL ---- */

/* Takes the next result of the query: a row, or the end. */
static enum err server_take_row(struct db_foreign *f) {
  PQclear(f->row);
  f->row = PQgetResult(f->server);
  if (!f->row) return ERR_NOT_FOUND;
  ExecStatusType status = PQresultStatus(f->row);
  if (status == PGRES_SINGLE_TUPLE) return OK;
  return status == PGRES_TUPLES_OK ? ERR_NOT_FOUND : ERR_IO;
}

static enum err server_open_table(struct db_foreign *f, const char *url, const char *sql, struct buf *problem) {
  f->server = PQconnectdb(url);
  if (!f->server) return ERR_NOMEM;
  if (PQstatus(f->server) != CONNECTION_OK) return problem_of(problem, "the server can't be reached with this URL");
  PGresult *set = PQexec(f->server, "set default_transaction_read_only = on; set statement_timeout = 0");
  PQclear(set);
  if (!PQsendQuery(f->server, sql) || !PQsetSingleRowMode(f->server))
    return problem_of(problem, PQerrorMessage(f->server));
  enum err e = server_take_row(f);
  if (e != OK && e != ERR_NOT_FOUND) return problem_of(problem, PQerrorMessage(f->server));
  f->is_waiting = true;
  f->columns = f->row ? (size_t)PQnfields(f->row) : 0;
  return OK;
}

static enum err server_next_row(struct db_foreign *f, struct str cells[DB_FOREIGN_COLUMNS_MAX]) {
  if (!f->is_waiting) TRY(server_take_row(f));
  f->is_waiting = false;
  if (!f->row || PQresultStatus(f->row) != PGRES_SINGLE_TUPLE) return ERR_NOT_FOUND;
  for (int i = 0; i < (int)f->columns; i++)
    cells[i] = str_of(PQgetvalue(f->row, 0, i), (size_t)PQgetlength(f->row, 0, i));
  return OK;
}

/* ---- either ---- */

static enum err foreign_open(struct db_foreign *f, const char *url, const char *table, struct buf *problem) {
  struct buf sql CLEANUP(buf_done) = BUF_INIT(SQL_MAX);
  const char *text;
  TRY(write_select(table, &sql));
  TRY(buf_terminate(&sql, &text));
  if (db_url_is_postgres(url)) return server_open_table(f, url, text, problem);
  if (strncmp(url, "sqlite:", 7) != 0) return ERR_INVALID;
  const char *path = url + 7;
  return sqlite_open_table(f, strncmp(path, "//", 2) == 0 ? path + 2 : path, text, problem);
}

enum err db_foreign_open(const char *url, const char *table, struct buf *ret_problem, struct db_foreign **ret_foreign) {
  struct db_foreign *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  enum err e = foreign_open(f, url, table, ret_problem);
  if (e == OK && f->columns > DB_FOREIGN_COLUMNS_MAX) e = ERR_TOO_BIG;
  if (e != OK && !ret_problem->n) IGNORE(buf_add(ret_problem, str_from(err_text(e)))); /* no memory: no text */
  if (e != OK) {
    db_foreign_close(f);
    return e;
  }
  *ret_foreign = f;
  return OK;
}

size_t db_foreign_columns(const struct db_foreign *f) {
  return f->columns;
}

const char *db_foreign_column(const struct db_foreign *f, size_t i) {
  return f->statement ? sqlite3_column_name(f->statement, (int)i) : PQfname(f->row, (int)i);
}

enum err db_foreign_next(struct db_foreign *f, struct str cells[DB_FOREIGN_COLUMNS_MAX]) {
  return f->statement ? sqlite_next_row(f, cells) : server_next_row(f, cells);
}

struct db_foreign *db_foreign_close(struct db_foreign *f) {
  if (!f) return NULL;
  sqlite3_finalize(f->statement);
  sqlite3_close_v2(f->sqlite);
  PQclear(f->row);
  if (f->server) PQfinish(f->server);
  free(f);
  return NULL;
}
