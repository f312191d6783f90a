/* db_turn.h - lets the processes that write to one database take turns. For this room only.
 *
 *   db_turn_take(&turn, until); … write transaction … db_turn_leave(&turn);
 *
 * SQLite's writers poll for its lock, so a process that takes the lock again at once starves the others. A turn is advisory: a
 * process that gets none within 500 ms writes without it, so a process that froze with the turn blocks nobody for long.
 * Thread rule: the connection's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct db_turn {
  char *path; /* of the lock file; owned */
  int fd;     /* -1 while there is none */
  bool held;
  bool stuck; /* the last wait failed: don't wait again until the turn is free */
};

/* The lock file is the database's path and "-turn". The first db_turn_take creates it; if it can't, there are no turns.
 * False: out of memory. */
bool db_turn_init(struct db_turn *t, const char *database_path);
void db_turn_done(struct db_turn *t);
/* Waits for the turn, until until_mono_ms (monotonic clock) at most. */
void db_turn_take(struct db_turn *t, int64_t until_mono_ms);
void db_turn_leave(struct db_turn *t); /* allowed without a turn */
