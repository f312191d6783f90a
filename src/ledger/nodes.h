/* nodes.h - the table `nodes`: processes that serve, and whether somebody works.
 *
 * Times are UNIX milliseconds by the database's clock. Thread rule: the connection's; writing inside a transaction. */
#pragma once

#include "db/db.h"

enum { NODE_ID_SIZE = 40, NODE_HOST_SIZE = 65, NODE_FORGOTTEN_MS = 24 * 3600 * 1000 };

struct node {
  char node_id[NODE_ID_SIZE];
  char role[16]; /* all, web, worker */
  char host[NODE_HOST_SIZE];
  int64_t pid;
  bool works;   /* claims fills */
  bool is_full; /* claims none for now: its volume has too little room */
  int64_t started_at;
  int64_t seen_at; /* what is read */
  int64_t full_at; /* what is read: since when it is full; 0: it is not */
};

/* "I am here": makes or renews the row, and forgets nodes not seen for NODE_FORGOTTEN_MS. seen_at is the database's now, and
 * full_at that of the first beat since the node is full. */
CHECKED enum err nodes_beat(struct db *db, const struct node *node);
CHECKED enum err nodes_leave(struct db *db, struct str node_id); /* one that is gone already is fine */
/* Those that were seen lately. */
struct nodes_workers {
  int64_t live;
  int64_t full;    /* of them */
  int64_t full_at; /* since when the last of them is full; 0: none is */
};
/* Workers seen in the last within_ms. A time further ahead than within_ms counts as past. */
CHECKED enum err nodes_workers(struct db *db, int64_t now, int64_t within_ms, struct nodes_workers *ret_workers);
/* There are workers, and none of them has room: recordings that are queued wait for room. */
bool nodes_workers_are_full(const struct nodes_workers *workers);
typedef enum err nodes_each_fn(void *arg, const struct node *node);
CHECKED enum err nodes_each(struct db *db, nodes_each_fn *fn, void *arg);
