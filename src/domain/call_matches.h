/* call_matches.h - where the words of a search were said, for a row of the list of calls.
 *
 *   struct transcript_query query;   TRY(transcript_query_parse(search, &query));      once a list
 *   TRY(call_matches_write(db, business, &query, recordings, count, &buf));            a row
 *
 * Thread rule: the connection's. */
#pragma once

#include "ledger/transcript_search.h"

enum { CALL_MATCHES_MAX = 3 };

/* Appends [{"recording_sid","start","speaker","text","at":[[from,to],…]},…]: at most CALL_MATCHES_MAX places in the transcripts
 * of the recordings, in their order. `at` counts characters (code points) of text. */
CHECKED enum err call_matches_write(struct db *db, int64_t business_id, const struct transcript_query *query,
                                    const struct recording *const *recordings, size_t count, struct buf *b);
