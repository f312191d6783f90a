/* waveforms.h - the table `waveforms`: the peaks of ready recordings, in audiowaveform's binary data format, version 2.
 *
 * A trigger deletes the row when its recording is deleted or expires. Thread rule: the connection's. Writes need a
 * transaction. */
#pragma once

#include "db/db.h"

enum { WAVEFORM_MAX = 64 * 1024 }; /* bytes */

/* Stores the peaks; empty bytes delete them. ERR_TOO_BIG: over WAVEFORM_MAX. */
CHECKED enum err waveforms_put(struct db *db, int64_t business_id, struct str recording_sid, struct str bytes);
/* Appends the peaks to b. ERR_NOT_FOUND. */
CHECKED enum err waveforms_get(struct db *db, int64_t business_id, struct str recording_sid, struct buf *b);
