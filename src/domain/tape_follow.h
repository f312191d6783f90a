/* tape_follow.h - the tape of a fill that another process makes, on the same volume: the interface is tape.h's.
 *
 *   tape_follows_new(&parts, &follows);
 *   with a row just read:  e = tape_follow_find(follows, row, &tape);    … a listener like any other …
 *   ERR_NOT_YET: on a thread of the volume:  e = tape_follow(follows, row, &tape);
 *
 * It reads the fill's part, as far as the ledger says that it is committed, and looks again whenever the recording's row
 * changes: it goes over to the part of whoever takes the fill over, and to the whole file in the end, while validators and
 * length stay. One look serves all listeners of this process.
 * Thread rule: any thread. */
#pragma once

#include "blob/blob.h"
#include "db/db_readers.h"
#include "domain/events.h"
#include "domain/tape.h"
#include "domain/volume.h"

struct tape_follows; /* all of a process */

struct tape_follow_parts {
  struct tapes *tapes;
  struct events *events;
  struct db_readers *readers;
  struct blob_store *store;
  struct volume *volume; /* the store's */
};

CHECKED enum err tape_follows_new(const struct tape_follow_parts *parts, struct tape_follows **ret_follows);
/* NULL is fine, always NULL. All tapes must be gone, the readers ended. */
struct tape_follows *tape_follows_free(struct tape_follows *f);
/* A reference to the tape of what row says is arriving, this process's own included. ERR_NOT_FOUND: no byte of it can be had
 * yet, or any more. ERR_NOT_YET: its part has to be opened, by tape_follow. */
CHECKED enum err tape_follow_find(struct tape_follows *f, const struct recording *row, struct tape **ret_tape);
/* The same, but it opens the part: it may wait for the volume. Never ERR_NOT_YET. */
CHECKED enum err tape_follow(struct tape_follows *f, const struct recording *row, struct tape **ret_tape);
/* The writer of this tape lost its lease: whoever has it now is followed. If that can't be, the tape breaks. */
void tape_follow_successor(struct tape_follows *f, struct tape *tape);
/* From time to time: looks that could not be made are made. */
void tape_follows_tick(struct tape_follows *f);
