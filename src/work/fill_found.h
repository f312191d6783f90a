/* fill_found.h - a file that stands under a recording's name already: is it that recording, whole? (disk pool) */
#pragma once

#include "audio/audio.h"
#include "blob/blob.h"
#include "ledger/recordings.h"

/* True, with its name, what it holds and its SHA-256, if a file is there that counts: audio, of the catalog's length where
 * that is known, else audio to its end and no more than 2 s shorter than the known duration. A file that does not count is
 * set aside under another name, so that it stands in nobody's way and nothing is lost. */
bool fill_found(struct blob_store *store, const struct recording *row, char ret_name[RECORDING_NAME_SIZE],
                struct audio_info *ret_info, char ret_sha256[65]);

/* The parts of it, for who looks without filling. Reads the file through and syncs it and its directory. */
CHECKED enum err fill_inspect(struct blob_store *store, const char *name, struct audio_info *ret_info,
                              char ret_sha256[65]);
/* Does what was read count as row's recording? Pure. */
bool fill_counts(const struct recording *row, const struct audio_info *info);
/* Gives the file a name that nobody looks for, "{name}.{token}.bad", logged at warn. */
CHECKED enum err fill_set_aside(struct blob_store *store, const struct recording *row, const char *name);
