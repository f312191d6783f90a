/* migrate.h - runs numbered SQL scripts, each once, in order, each in its own transaction.
 *
 *   TRY(migrate_run(db, migrations, count, NULL, &applied));
 *
 * The table schema_migrations (number, name, oldest, applied_at) records which scripts ran. A script only adds (expand now,
 * contract a release later): so the previous release still starts and runs on the new schema. A script that removes something
 * names in `oldest` the last script that a release must know to work without it.
 * Thread rule: any thread with its own connection; several processes may run it at once. */
#pragma once

#include "db/db.h"

struct migration {
  int number; /* 1, 2 … without gaps */
  const char *name;
  const char *sql;
  int oldest; /* a release that knows fewer scripts can't run after this one; 0: every release can */
};

/* Called again and again while scripts run, on the same thread. done and all: bytes of the texts of the scripts that had not run.
 * It must not use the connection. */
struct migrate_watch {
  void (*fn)(void *arg, const struct migration *m, size_t done, size_t all);
  void *arg;
};
/* Runs the scripts that have not run. watch may be NULL. ERR_TOO_NEW: the schema needs a newer release, and nothing was changed;
 * ERR_INVALID: the numbers have a gap. */
CHECKED enum err migrate_run(struct db *db, const struct migration *migrations, size_t count,
                             const struct migrate_watch *watch, int *ret_applied);
/* The number of the last script that ran; 0: none. */
CHECKED enum err migrate_version(struct db *db, int *ret_number);
/* Also how many scripts a release must know to work with this schema; 0: every release can. */
CHECKED enum err migrate_read(struct db *db, int *ret_number, int *ret_oldest);
