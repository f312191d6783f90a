/* db_turn.h - whose turn it is to write, among the processes of one database. Of this room only.
 *
 * SQLite lets writers poll for its lock, so one that takes it again at once starves the others. A turn is advice on
 * top: who has none may write all the same, so nothing hangs on a process that froze with it. Thread rule: one user at
 * a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db_turn {
  char *path; /* of the lock file; owned */
  int fd;     /* -1 while there is none */
  bool held;
  bool stuck; /* the last wait was in vain: don't wait again until it was free */
};

/* The lock file is the database's path with "-turn" behind. It is made at the first take; where it can't be, there are
 * no turns. */
bool db_turn_init(struct db_turn *t, const char *database_path); /* false: out of memory */
void db_turn_done(struct db_turn *t);
void db_turn_take(struct db_turn *t, int64_t until_mono_ms);
void db_turn_leave(struct db_turn *t); /* without one is fine */
