/* speech_content.h - what a version of a transcript stores (ledger/transcript_search.h), made of its document.
 *
 *   struct transcript_content c = TRANSCRIPT_CONTENT;
 *   TRY(speech_content_make(business, &document, &c));       then transcripts_finish, transcripts_edit
 *
 * Thread rule: pure. */
#pragma once

#include "ledger/transcript_search.h"
#include "speech/speech_document.h"

/* *c is empty. Costs some 10 ms for an hour of speech. ERR_TOO_BIG, ERR_NOMEM. */
CHECKED enum err speech_content_make(int64_t business_id, const struct speech_document *d,
                                     struct transcript_content *c);
/* The same of a stored document, without a telephone number (base/mention.h): texts and speakers have […] instead, and a text
 * that named it has no words any more. A number that begins in one segment and ends in the next is not found. A document that
 * can't be read is taken as JSON; searches don't find it then. An erasure_mask_fn (domain/erasure_transcripts.h). */
CHECKED enum err speech_content_without(int64_t business_id, struct str document, struct str digits,
                                        struct transcript_content *c);
