/* transcript_terms.h - the rows that searches of transcripts read on SQLite, one for each term of a document
 * (transcript_search.h). A trigger notes each document that comes or goes; its rows are written afterwards, in bounded parts.
 *
 *   TRY(transcript_terms_update(db, &business, 200, &count));    as part of a writer job, again while transcript_terms_are_due
 *
 * calls_list_transcripts.c reads them, and the documents that are still due. PostgreSQL has an index instead.
 * Thread rule: the connection's; updates run in db_writer's transaction. */
#pragma once

#include "db/db.h"

/* Is there a document whose rows are to be written? Never on PostgreSQL. */
CHECKED enum err transcript_terms_are_due(struct db *db, bool *ret_due);
/* Writes at most limit rows, of one document of the next business behind *business_id, which it sets. *ret_count: how many; 0:
 * none is due. */
CHECKED enum err transcript_terms_update(struct db *db, int64_t *business_id, int limit, int *ret_count);
