/* transcribe_many.h - asks for the transcripts of many recordings: those of a business, or of all, that were made since a time.
 *
 *   struct transcribe_many t = {.since = since, .only_missing = true};
 *   transcribe_many_begin(&t);
 *   do TRY(transcribe_many_list_part(db, &t, part));      or transcribe_many_part, each in a transaction of its own
 *   while (part->more);
 *
 * Both go through businesses by their id. A recording is wanted if it is ready and its transcript is neither queued nor
 * running; with only_missing, nor ready. Businesses that have nothing transcribed are passed over. transcribe_many_part asks for
 * the recordings that transcribe_many_list_part lists, if nothing changes in between.
 * Thread rule: the connection's; transcribe_many_part needs a write transaction. */
#pragma once

#include "ledger/transcripts.h"

struct transcribe_many {
  int64_t business_id; /* 0: all */
  int64_t since;       /* of the call's start, else of what is known */
  bool only_missing;   /* else transcripts that are ready are made again */
  /* where the next part begins */
  int64_t at_business; /* all before it are done */
  bool is_at_held;     /* those that show a hold come last */
  struct recordings_place place;
  char after[SID_SIZE];
};

enum { TRANSCRIBE_MANY_PART = 100, TRANSCRIBE_MANY_BUSINESSES = 200 };

struct transcribe_many_part {
  struct recording rows[TRANSCRIBE_MANY_PART];
  int count;
  bool more; /* call it again */
};

/* Begins, or begins again. */
void transcribe_many_begin(struct transcribe_many *t);
/* At most TRANSCRIBE_MANY_PART recordings that are wanted. */
CHECKED enum err transcribe_many_list_part(struct db *db, struct transcribe_many *t,
                                           struct transcribe_many_part *ret_part);
/* Asks for at most TRANSCRIBE_MANY_PART; the rows of ret_part. If the transaction fails, *t has not changed: call it again. */
CHECKED enum err transcribe_many_part(struct db *db, struct transcribe_many *t, struct transcribe_many_part *ret_part);
/* Is this recording wanted? ERR_NOT_FOUND: it is not. */
CHECKED enum err transcribe_many_wants(struct db *db, const struct recording *row, bool only_missing);
