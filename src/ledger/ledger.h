/* ledger.h - the catalog's schema, and bringing a database to it.
 *
 * The scripts are schema/NNNN_name.sql, part of the binary. A script whose first line is "-- oldest: N" takes away what
 * releases need that know fewer than N scripts. Thread rule: any thread, own connection. */
#pragma once

#include "db/migrate.h"

enum { LEDGER_MIGRATIONS_MAX = 500 };

struct ledger_migrations {
  struct migration all[LEDGER_MIGRATIONS_MAX]; /* all of it static text */
  size_t count;
};

/* ERR_INVALID when the scripts' names are not NNNN_name.sql from 0001 on without gaps. */
CHECKED enum err ledger_migrations(struct ledger_migrations *ret_migrations);
/* ERR_TOO_NEW: the schema asks for a newer release. */
CHECKED enum err ledger_migrate(struct db *db, int *ret_applied);
/* Looks, runs nothing: the highest script that ran (0: none), and the highest that this release knows. ERR_TOO_NEW, with
 * both set all the same: the schema asks for a newer release. */
CHECKED enum err ledger_schema(struct db *db, int *ret_found, int *ret_known);
