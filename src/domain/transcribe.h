/* transcribe.h - asks for the transcripts of many recordings: those of a business, or of all, that were made since a time.
 *
 *   struct transcribe t = {.since = since, .only_missing = true};
 *   transcribe_begin(&t);
 *   do TRY(transcribe_list_part(db, &t, part));      or transcribe_part, each in a transaction of its own
 *   while (part->more);
 *
 * Both go through businesses by their id. A recording is wanted if it is ready and its transcript is neither queued nor
 * running; with only_missing, nor ready. Businesses that have nothing transcribed are passed over. transcribe_part asks for
 * the recordings that transcribe_list_part lists, if nothing changes in between.
 * Thread rule: the connection's; transcribe_part needs a write transaction. */
#pragma once

#include "ledger/transcripts.h"

struct transcribe {
  int64_t business_id; /* 0: all */
  int64_t since;       /* of the call's start, else of what is known */
  bool only_missing;   /* else transcripts that are ready are made again */
  /* where the next part begins */
  int64_t at_business; /* all before it are done */
  bool is_at_held;     /* those that show a hold come last */
  struct recordings_place place;
  char after[SID_SIZE];
};

enum { TRANSCRIBE_PART = 100, TRANSCRIBE_BUSINESSES = 200 };

struct transcribe_part {
  struct recording rows[TRANSCRIBE_PART];
  int count;
  bool more; /* call it again */
};

/* Begins, or begins again. */
void transcribe_begin(struct transcribe *t);
/* At most TRANSCRIBE_PART recordings that are wanted. */
CHECKED enum err transcribe_list_part(struct db *db, struct transcribe *t, struct transcribe_part *ret_part);
/* Asks for at most TRANSCRIBE_PART; the rows of ret_part. If the transaction fails, *t has not changed: call it again. */
CHECKED enum err transcribe_part(struct db *db, struct transcribe *t, struct transcribe_part *ret_part);
/* Is this recording wanted? ERR_NOT_FOUND: it is not. */
CHECKED enum err transcribe_wants(struct db *db, const struct recording *row, bool only_missing);
