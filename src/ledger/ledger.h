/* ledger.h - the catalog's schema: runs its scripts, and checks a database against it.
 *
 *   TRY(ledger_migrate(db, NULL, &applied));
 *
 * The scripts schema/NNNN_name.sql are part of the binary; PostgreSQL has its own, schema_postgres/NNNN_name.sql. A script
 * whose first line is "-- oldest: N" removes something that releases with fewer than N scripts need. Thread rule: any thread
 * with its own connection. */
#pragma once

#include "db/migrate.h"

enum { LEDGER_MIGRATIONS_MAX = 500 };

struct ledger_migrations {
  struct migration all[LEDGER_MIGRATIONS_MAX]; /* their texts are static */
  size_t count;
};

/* Lists the scripts. ERR_INVALID: their names are not NNNN_name.sql from 0001 on without gaps. */
CHECKED enum err ledger_migrations(enum db_kind kind, struct ledger_migrations *ret_migrations);
/* Runs the scripts that have not run. watch may be NULL. ERR_TOO_NEW: the schema needs a newer release. */
CHECKED enum err ledger_migrate(struct db *db, const struct migrate_watch *watch, int *ret_applied);
/* Reads the number of the last script that ran (0: none) and of the last one that this release knows; runs nothing. ERR_TOO_NEW:
 * the schema needs a newer release; both numbers are set then too. */
CHECKED enum err ledger_schema(struct db *db, int *ret_found, int *ret_known);
