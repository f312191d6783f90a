/* db_file.h - the database as a file: making it, knowing it again, refusing where it can't live. Of this room only.
 *
 * Nothing here opens the database's file: closing any descriptor of it would drop the locks that the connections of
 * this process hold on it (POSIX advisory locks go by process and inode). Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct db_file {
  uint64_t device, inode; /* meaningful while somebody holds the file open */
};

/* The absolute path of a sqlite:///path; points into url. ERR_INVALID, ERR_UNSUPPORTED for another database. */
CHECKED enum err db_file_path(const char *url, struct buf *ret_problem, const char **ret_path);
/* ERR_UNSUPPORTED where the directory of path is on a network file system: locks and shared memory don't hold there. */
CHECKED enum err db_file_check_volume(const char *path, struct buf *ret_problem);
/* The name of a network file system by its statfs magic; NULL for others. */
const char *db_file_network(uint64_t magic);
/* Makes an empty file, mode 0600; one that is there already is fine. */
CHECKED enum err db_file_make(const char *path);
/* What the path names now: ERR_NOT_FOUND, ERR_IO. */
CHECKED enum err db_file_look(const char *path, struct db_file *ret_file);
bool db_file_same(struct db_file a, struct db_file b);
