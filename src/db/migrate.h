/* migrate.h - numbered SQL scripts, each run once, in order, each in a transaction of its own.
 *
 * The table schema_migrations (number, name, oldest, applied_at) says which ran. Scripts only add (expand first, contract one
 * release later), so that the previous release still runs, and starts, beside them: a number that it does not know is fine.
 * A script that takes something away names, as oldest, the script that a release must know to work without it.
 * Thread rule: any thread, own connection; two processes may race. */
#pragma once

#include "db/db.h"

struct migration {
  int number; /* 1 … without gaps */
  const char *name;
  const char *sql;
  int oldest; /* releases that know fewer scripts can't run after this one; 0: all can */
};

/* ERR_TOO_NEW when the schema asks for a release that knows more scripts than these: nothing is touched. */
CHECKED enum err migrate_run(struct db *db, const struct migration *migrations, size_t count, int *ret_applied);
/* The highest number that the database knows, 0 for none. */
CHECKED enum err migrate_version(struct db *db, int *ret_number);
/* That, and how many scripts a release must know to work with this schema; 0: any release can. */
CHECKED enum err migrate_look(struct db *db, int *ret_number, int *ret_oldest);
