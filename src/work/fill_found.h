/* fill_found.h - checks a file that has a recording's name already: is it that recording, and whole?
 *
 *   if (fill_find_file(store, &row, name, &info, sha256)) … use the file instead of asking the provider …
 *
 * Thread rule: reads whole files, so only on the disk pool or in a command. */
#pragma once

#include "audio/audio.h"
#include "blob/blob.h"
#include "ledger/recordings.h"

/* True if the store has a whole file of row's recording; sets its name, properties and SHA-256. Whole means audio, and
 * either row->bytes long where that is known, or audio to its end and at most 2 s shorter than the known duration. A file
 * that is not whole is set aside under another name, so that the name is free and no byte is lost. */
bool fill_find_file(struct blob_store *store, const struct recording *row, char ret_name[RECORDING_NAME_SIZE],
                    struct audio_info *ret_info, char ret_sha256[65]);

/* The three steps of fill_find_file. This one reads the file through, and syncs it and its directory. */
CHECKED enum err fill_inspect_file(struct blob_store *store, const char *name, struct audio_info *ret_info,
                                   char ret_sha256[65]);
/* True if a file with these properties is row's recording, whole. Pure. */
bool fill_file_is_whole(const struct recording *row, const struct audio_info *info);
/* Renames the file to "{name}.{token}.bad" and logs that at warn. */
CHECKED enum err fill_set_file_aside(struct blob_store *store, const struct recording *row, const char *name);
