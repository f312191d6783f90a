/* calls_tree.h - the tree of legs: finds a leg's top leg, and updates legs after the leg above them has moved.
 *
 * A leg's top_sid and the time of its document depend on the legs above it. A write updates its own leg and up to
 * CALLS_TREE_AT_ONCE legs below it. The table `call_moves` marks parents whose other legs must follow; calls_upkeep.h updates
 * them in bounded parts. Until then lists show such a leg in the row of its old top leg (docs/internals/search.md).
 * Thread rule: the connection's; writes run in db_writer's transaction. */
#pragma once

#include "ledger/calls.h"

enum { CALLS_TREE_DEPTH_MAX = 64, CALLS_TREE_AT_ONCE = 30 };

/* The top leg of a leg with that parent: the end of the chain of known parents, at most CALLS_TREE_DEPTH_MAX up. In a chain that
 * is a cycle, the leg with the smallest call_sid. */
CHECKED enum err calls_tree_top(struct db *db, int64_t business_id, struct str call_sid, struct str parent_sid,
                                char ret_top[SID_SIZE]);
/* The sort_at of a top leg: the time of all documents of its tree. */
CHECKED enum err calls_tree_place(struct db *db, int64_t business_id, const char *top_sid, int64_t *ret_sort_at);
/* Call it after a leg's top_sid or time changed. Updates up to CALLS_TREE_AT_ONCE legs below it, and marks the rest. */
CHECKED enum err calls_tree_moved(struct db *db, int64_t business_id, struct str call_sid);
/* Whether legs of that leg's tree have yet to follow: then some of them have the top leg of before. */
CHECKED enum err calls_tree_is_moving(struct db *db, int64_t business_id, struct str call_sid, bool *ret_moving);
/* The top leg that a leg has by the chain of its parents now, also if it has yet to follow. ERR_NOT_FOUND: no such leg. */
CHECKED enum err calls_tree_top_now(struct db *db, int64_t business_id, struct str call_sid, char ret_top[SID_SIZE]);
/* Updates at most limit marked legs. Begins with businesses after *business_id, and sets it to the last one served, so that they
 * take turns. *ret_left: the unused part of limit. */
CHECKED enum err calls_tree_follow(struct db *db, int64_t *business_id, int limit, int *ret_left);
