/* waveforms.h - the table `waveforms`: the peaks of recordings that are ready, as audiowaveform's binary data format.
 *
 * Thread rule: the connection's; writing inside a transaction. */
#pragma once

#include "db/db.h"

enum { WAVEFORM_MAX = 64 * 1024 };

/* Empty bytes: there are none, whatever there was. */
CHECKED enum err waveforms_put(struct db *db, int64_t business_id, struct str recording_sid, struct str bytes);
/* Appended to b. ERR_NOT_FOUND. */
CHECKED enum err waveforms_get(struct db *db, int64_t business_id, struct str recording_sid, struct buf *b);
