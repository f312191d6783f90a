/* db_foreign.h - reads a table of another program's database, row by row; never writes to it.
 *
 *   TRY(db_foreign_open(url, "call_log", &problem, &f));
 *   for (size_t i = 0; i < db_foreign_columns(f); i++) use(db_foreign_column(f, i));
 *   while ((e = db_foreign_next(f, cells)) == OK) …
 *
 * Thread rule: one owner. */
#pragma once

#include "base/buf.h"

enum { DB_FOREIGN_COLUMNS_MAX = 512 };

struct db_foreign;
/* url: sqlite:PATH, sqlite:///PATH, or postgresql://…. table may have a schema in front: "schema.table". ERR_INVALID, ERR_IO …:
 * ret_problem says why, without the url. */
CHECKED enum err db_foreign_open(const char *url, const char *table, struct buf *ret_problem,
                                 struct db_foreign **ret_foreign);
size_t db_foreign_columns(const struct db_foreign *f);
const char *db_foreign_column(const struct db_foreign *f, size_t i);
/* The next row's values as text, empty for null; valid until the next call. ERR_NOT_FOUND: there is none. */
CHECKED enum err db_foreign_next(struct db_foreign *f, struct str cells[DB_FOREIGN_COLUMNS_MAX]);
struct db_foreign *db_foreign_close(struct db_foreign *f); /* NULL is fine. Always NULL. */
