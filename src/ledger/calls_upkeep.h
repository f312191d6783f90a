/* calls_upkeep.h - work that writes of calls leave for later, done in bounded parts. These tables list it:
 *
 *   call_moves             legs that must follow a leg above them (calls_tree.h)
 *   calls_recorded         calls with over a hundred children that got or lost a recording, which the children are shown with
 *   call_documents_gone    documents whose call was deleted
 *   call_documents_stale   calls that an older release wrote without updating their document
 *   call_documents_build   how far the calls of an older schema are indexed
 *   call_documents_folding how far the calls are indexed again with this release's folding of names
 *   call_documents_blocks  blocks of documents that are to be marked or divided (calls_blocks.h)
 *   call_documents_new_blocks  businesses with blocks that may make a group; call_documents_block_groups: groups that blocks left
 *                          (calls_groups.h)
 *   transcript_terms_due   transcripts whose rows for searches are to be written (transcript_terms.h)
 *   call_facets_build      how far they are in call_facets (calls_facets.h)
 *
 *   TRY(calls_upkeep_run(db, &upkeep, 20, &more));   as a writer job, again while more
 *
 * The list is in the database: a crash loses nothing, and any process may do the work.
 * Thread rule: the connection's; calls_upkeep_run and _delete in db_writer's transaction. */
#pragma once

#include "db/db.h"

/* The caller's progress. Initialise it with zeroes. */
struct calls_upkeep {
  int64_t business_id;        /* the business served last */
  int64_t terms_business_id;  /* the same, by transcript_terms_update */
  int64_t blocks_business_id; /* and by calls_blocks_update */
  int64_t groups_business_id; /* and by calls_groups_update */
  int group_blocks;           /* of a group at most; 0: as many as there may be. Tests have small groups. */
  int64_t indexed;            /* calls of an older schema or folding that were indexed, for the log */
};

/* Is there work? Reads the first row of each table. */
CHECKED enum err calls_upkeep_needed(struct db *db, bool *ret_needed);
/* Does at most limit rows of work. *ret_more: there is more. */
CHECKED enum err calls_upkeep_run(struct db *db, struct calls_upkeep *u, int limit, bool *ret_more);
/* Deletes at most limit documents of deleted calls. *ret_count: how many. */
CHECKED enum err calls_upkeep_delete(struct db *db, int limit, int *ret_count);
