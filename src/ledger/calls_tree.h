/* calls_tree.h - which leg is on top of which, and legs that follow one that moved.
 *
 * A leg's top_sid, and the place of its document, depend on the legs above it. A write brings its own leg in line at once and
 * a few below it; more are marked in `call_moves` and brought in line in bounded parts (calls_upkeep.h).
 * Until then a list shows a leg that has yet to follow where it stood before, in the row of its old top leg; docs/internals/
 * search.md says what a reader sees. Thread rule: the connection's; inside db_writer's transaction. */
#pragma once

#include "ledger/calls.h"

enum { CALLS_TREE_DEPTH_MAX = 64, CALLS_TREE_AT_ONCE = 50 };

/* The leg on top of a leg with that parent: the end of the chain of known parents, at most CALLS_TREE_DEPTH_MAX up. Of a chain
 * that comes back to itself it is the leg with the least call_sid. */
CHECKED enum err calls_tree_top(struct db *db, int64_t business_id, struct str call_sid, struct str parent_sid,
                                char ret_top[SID_SIZE]);
/* The sort_at of a leg: where the documents of its tree stand, when it is on top. */
CHECKED enum err calls_tree_place(struct db *db, int64_t business_id, const char *top_sid, int64_t *ret_sort_at);
/* What hangs below a leg has to follow it: up to CALLS_TREE_AT_ONCE legs do at once, the rest is marked. */
CHECKED enum err calls_tree_moved(struct db *db, int64_t business_id, struct str call_sid);
/* Brings at most limit legs in line that are marked, of the businesses behind *business_id first, which becomes the one that
 * was served. *ret_left: how many of limit were not needed. */
CHECKED enum err calls_tree_follow(struct db *db, int64_t *business_id, int limit, int *ret_left);
