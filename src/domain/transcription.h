/* transcription.h - has recordings transcribed without a request when they become ready, and names the speaker of each channel.
 *
 *   transcription_enable(true);                     at start, if there is an engine
 *   TRY(transcription_on_ready(db, &row, now));     in the transaction that makes a recording ready
 *
 * Thread rule: transcription_enable before threads start; the rest: the connection's. */
#pragma once

#include "ledger/calls.h"

/* Unless it is called with true, only recordings for which somebody asks are transcribed. */
void transcription_enable(bool has_engine);
/* Asks for its transcript if the business has all transcribed. If it has a transcript, of other bytes, asks for another. */
CHECKED enum err transcription_on_ready(struct db *db, const struct recording *row, int64_t now);

struct transcription_speakers {
  const char *channels[2]; /* "customer", "agent", or "1", "2" */
};
/* The provider has the parent's leg on the first channel and the child's on the second. top: the top leg; NULL: unknown. */
void transcription_speakers(const struct call *top, struct transcription_speakers *ret_speakers);
