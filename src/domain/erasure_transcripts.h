/* erasure_transcripts.h - takes a number out of the transcripts of other calls in which it is said. Used by erasure.c alone.
 * Thread rule: inside db_writer's transaction. */
#pragma once

#include "ledger/erasures.h"
#include "ledger/transcript_search.h"

/* Makes what a version of a transcript stores of its document without the telephone number with these digits. ret_content is
 * empty. */
typedef enum err erasure_mask_fn(int64_t business_id, struct str document, struct str digits,
                                 struct transcript_content *ret_content);

/* Does a part of the steps ERASURE_ANSWERS and ERASURE_TRANSCRIPTS. */
CHECKED enum err erasure_transcripts_part(struct db *db, struct erasure *erasure, erasure_mask_fn *mask, int64_t now);
