/* calls_upkeep.h - what writes of calls leave to be done afterwards, in bounded parts.
 *
 *   legs that follow one that moved      call_moves             (calls_tree.h)
 *   documents of calls that are gone     call_documents_gone
 *   documents that an older release left call_documents_stale
 *   calls of before there were documents call_documents_build
 *
 * What is to be done stands in the database: a crash forgets none of it, and any process may do it.
 * Thread rule: the connection's; inside db_writer's transaction. */
#pragma once

#include "db/db.h"

/* Zeroes to begin with. */
struct calls_upkeep {
  int64_t business_id; /* whose turn it was */
  int64_t indexed;     /* calls of before that were looked at */
};

/* Is there anything to be done? Four reads of a first row. */
CHECKED enum err calls_upkeep_needed(struct db *db, bool *ret_needed);
/* Does at most limit rows of it. *ret_more: there is more. */
CHECKED enum err calls_upkeep_run(struct db *db, struct calls_upkeep *u, int limit, bool *ret_more);
/* Deletes documents of calls that are gone, at most limit; *ret_count of them. */
CHECKED enum err calls_upkeep_delete(struct db *db, int limit, int *ret_count);
