/* moving.h - copies a ledger of SQLite into an empty one on a server, table by table, in parts.
 *
 *   TRY(moving_source_fits(source, now, &why));   TRY(moving_begin(target, &why));
 *   moving_init(&m, source, target);
 *   do TRY(moving_copy_part(&m, &more)); while (more);
 *   TRY(moving_end(&m, &difference));
 *
 * Between moving_begin and moving_end the target says that it is unfinished (moving_is_unfinished), and no process may serve
 * it. A move that was interrupted goes on: each table is copied in the order of its key, so the target's last row tells how far
 * it is. What follows from other rows (counts, turns, facets) is made by the target's triggers, search documents by its upkeep.
 * Thread rule: one owner of both connections. source: in a read transaction from begin to end, so that it is one snapshot. */
#pragma once

#include "base/buf.h"
#include "db/db.h"

/* *ret_why: a sentence if the source can't be moved now (it has another schema, or a process serves it), else NULL. */
CHECKED enum err moving_source_fits(struct db *source, int64_t now, const char **ret_why);
/* Marks the target, in a transaction of its own. *ret_why: a sentence if it has rows of its own, else NULL. */
CHECKED enum err moving_begin(struct db *target, const char **ret_why);
CHECKED enum err moving_is_unfinished(struct db *db, bool *ret_unfinished);

enum { MOVING_PART_ROWS = 200, MOVING_KEYS_MAX = 5, MOVING_COLUMNS_MAX = 80, MOVING_NAME_SIZE = 64 };

struct moving_column {
  char name[MOVING_NAME_SIZE];
  char kind; /* of the target: i integer, r real, t text, b bytes */
};

struct moving {
  struct db *source, *target;
  size_t table; /* being copied */
  bool is_open; /* the members below are the table's */
  struct moving_column columns[MOVING_COLUMNS_MAX];
  size_t column_count;
  size_t keys[MOVING_KEYS_MAX]; /* columns, in the order of the key */
  size_t key_count;
  bool has_last; /* the rows up to `last` are in the target */
  struct buf last[MOVING_KEYS_MAX];
  int64_t last_numbers[MOVING_KEYS_MAX];
  int64_t done, all; /* rows, of all tables */
};
CHECKED enum err moving_init(struct moving *m, struct db *source, struct db *target);
/* Copies at most MOVING_PART_ROWS rows in a transaction of its own. *ret_more: there are more. */
CHECKED enum err moving_copy_part(struct moving *m, bool *ret_more);
/* Compares the counts of all tables, copies the settings, sets what gives numbers, and takes the mark away. *ret_different: the
 * name of the first table whose counts differ; then nothing was finished. NULL: it is done. */
CHECKED enum err moving_end(struct moving *m, const char **ret_different);
/* The nth table and its rows in the source; false: there is none. For the report. */
bool moving_table(struct moving *m, size_t n, const char **ret_name, int64_t *ret_rows);
void moving_done(struct moving *m);
