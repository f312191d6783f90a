/* journal.h - keeps the account's calls and recordings in a file, so that a restarted simulator still has them.
 *
 *   TRY(journal_open(&journal, directory, &store));   reads what an earlier run wrote into the empty store
 *   journal_call(&journal, c);                        after a call was added
 *   journal_recording(&journal, r);                   after a recording was added, or its status changed
 *
 * The file is DIRECTORY/calls.jsonl: a JSON object a line; of several lines with one SID the last counts. Faults, counts and
 * webhooks under way are not kept. A recording that was still being made is completed after the restart.
 * Thread rule: as the store's. */
#pragma once

#include "store.h"

struct journal {
  int fd; /* -1: nothing is kept */
};
#define JOURNAL_NONE ((struct journal){-1})

/* ERR_CORRUPT: a line that is complete can't be read. */
CHECKED enum err journal_open(struct journal *j, const char *directory, struct store *store);
/* A line that can't be written is lost, with a message on standard error. */
void journal_call(const struct journal *j, const struct call *c);
void journal_recording(const struct journal *j, const struct recording *r);
void journal_close(struct journal *j);
