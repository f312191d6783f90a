/* nodes.h - the table `nodes`: the running processes, and which of them download recordings.
 *
 * Times are UNIX milliseconds by the database's clock. Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "db/db.h"

enum { NODE_ID_SIZE = 40, NODE_HOST_SIZE = 65, NODE_ADDRESS_SIZE = 128, NODE_FORGOTTEN_MS = 24 * 3600 * 1000 };

struct node {
  char node_id[NODE_ID_SIZE];
  char role[16]; /* all, web, worker */
  char host[NODE_HOST_SIZE];
  char version[24];                /* its release; "" of an earlier one */
  char address[NODE_ADDRESS_SIZE]; /* where it listens, "127.0.0.1:8080"; "": not yet, or an earlier release */
  int64_t pid;
  bool works;   /* it is a worker: it claims fills */
  bool is_full; /* it claims none now: its volume has too little free space */
  int64_t started_at;
  int64_t seen_at; /* when its last beat came; nodes_beat ignores it */
  int64_t full_at; /* since when it is full; 0: it is not; nodes_beat ignores it */
  int64_t mark;    /* the number in its mark on the recordings' volume; 0: it has written none */
};

/* Inserts or renews the process's row with seen_at = now, and deletes rows not renewed for NODE_FORGOTTEN_MS. full_at becomes the
 * time of the first beat in which the node is full. */
CHECKED enum err nodes_beat(struct db *db, const struct node *node);
CHECKED enum err nodes_leave(struct db *db, struct str node_id); /* OK if the row does not exist */
/* Workers whose last beat is recent. */
struct nodes_workers {
  int64_t live;
  int64_t full;    /* how many of them are full */
  int64_t full_at; /* when the last of them became full; 0: none is full */
};
/* Counts workers seen in the last within_ms. A time more than within_ms ahead counts as past. */
CHECKED enum err nodes_workers(struct db *db, int64_t now, int64_t within_ms, struct nodes_workers *ret_workers);
/* True: there are workers, and all of them are full; queued recordings wait for free space. */
bool nodes_workers_are_full(const struct nodes_workers *workers);
typedef enum err nodes_each_fn(void *arg, const struct node *node);
CHECKED enum err nodes_each(struct db *db, nodes_each_fn *fn, void *arg);
