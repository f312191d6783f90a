/* node_marks.h - marks on the recordings' volume, by which processes find out that they do not have the same volume.
 *
 * Two copies of a volume have the same .store-id. So each process writes a growing number to RECORDINGS_DIR/.nodes/{node_id},
 * and after that to its row in `nodes`. A process that reads the row first and the file after it finds this number or a
 * greater one in the file. A smaller number, or no file, means that the two processes have different volumes.
 *
 *   node_marks_read(db, own_id, &others);   missing = node_marks_first_missing(store, &others);
 *
 * No clocks are compared. A process that can't write its mark (its volume is full, or read-only) does not raise the number
 * in its row, so no other process misses it.
 * Thread rule: any thread. Functions with db: the connection's. The others may block on the volume. */
#pragma once

#include "blob/blob.h"
#include "db/db.h"
#include "ledger/nodes.h"

enum { NODE_MARKS_MAX = 64 };

struct node_mark {
  char node_id[NODE_ID_SIZE];
  int64_t mark;
};

struct node_marks {
  size_t count;
  struct node_mark marks[NODE_MARKS_MAX];
};

/* The numbers in the rows of the live processes that have written a mark, without own_id's ("": of all); at most
 * NODE_MARKS_MAX of them. */
CHECKED enum err node_marks_read(struct db *db, const char *own_id, struct node_marks *ret_marks);
/* Creates or renews the mark of node_id. */
CHECKED enum err node_mark_write(struct blob_store *store, const char *node_id, int64_t mark);
/* ERR_NOT_FOUND: there is none. */
CHECKED enum err node_mark_remove(struct blob_store *store, const char *node_id);
/* The first of the marks that is not on the volume, or is older there. NULL: there is none. A mark that can't be read for
 * another reason counts as there. */
const struct node_mark *node_marks_first_missing(struct blob_store *store, const struct node_marks *marks);
/* Whether the mark is not below the directory, or is older there. False also if it can't be read for another reason. */
bool node_mark_is_missing(int dir, const struct node_mark *mark);
/* Removes marks that were last renewed more than NODE_FORGOTTEN_MS before node_id's own. Looks at 1,000 marks at most. */
CHECKED enum err node_marks_sweep(struct blob_store *store, const char *node_id);
