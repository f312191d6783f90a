/* tape_follow.h - tapes of fills that run in another process on the same volume. Listeners use tape.h as for any tape.
 *
 *   tape_follows_new(&parts, &follows);
 *   e = tape_follow_find(follows, &row, &tape);                        row: just read
 *   if (e == ERR_NOT_YET) on a thread of the volume: e = tape_follow(follows, &row, &tape);
 *
 * A followed tape shows the fill's part up to the committed length in the recording's row. Each change of the row
 * refreshes it: it switches to the part of the next worker, and in the end to the whole file, as long as validators and
 * length stay the same. One refresh serves all listeners of this process.
 * Thread rule: any thread. Only tape_follow may wait for the file system. */
#pragma once

#include "blob/blob.h"
#include "db/db_readers.h"
#include "domain/events.h"
#include "domain/tape.h"
#include "domain/volume.h"

struct tape_follows; /* all followed tapes of a process */

struct tape_follow_parts {
  struct tapes *tapes;
  struct events *events;
  struct db_readers *readers;
  struct blob_store *store;
  struct volume *volume; /* of the store; opens files */
};

CHECKED enum err tape_follows_new(const struct tape_follow_parts *parts, struct tape_follows **ret_follows);
/* NULL is fine. Always NULL. All tapes must have been unreferenced and the readers stopped. */
struct tape_follows *tape_follows_free(struct tape_follows *f);
/* A reference to the tape that fits the row's validators, whether this process or another one fills it. ERR_NOT_FOUND:
 * there are no bytes yet, or none any more; wait for a change of the row. ERR_NOT_YET: call tape_follow, which opens
 * the part. */
CHECKED enum err tape_follow_find(struct tape_follows *f, const struct recording *row, struct tape **ret_tape);
/* The same, but opens the part if needed, so it may wait for the volume. Never returns ERR_NOT_YET. */
CHECKED enum err tape_follow(struct tape_follows *f, const struct recording *row, struct tape **ret_tape);
/* Call it when the fill of this process that writes the tape has lost its lease: the tape then follows the next
 * worker's fill, or becomes BROKEN if memory is short. */
void tape_follow_successor(struct tape_follows *f, struct tape *tape);
/* Repeats refreshes that found no free reader. Call it about once a second. */
void tape_follows_tick(struct tape_follows *f);
