/* db_file.h - the database's file: creates it, identifies it, and refuses volumes that can't hold it. For this room only.
 *
 * No function here opens the database's file. POSIX locks belong to process and inode: closing any descriptor of the file would
 * drop the locks that this process's connections hold. Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct db_file {
  uint64_t device, inode; /* an inode number names the same file only while the file is open */
};

/* The absolute path of a URL sqlite:///path; points into url. ERR_INVALID: no such URL; ERR_UNSUPPORTED: another database. */
CHECKED enum err db_file_path(const char *url, struct buf *ret_problem, const char **ret_path);
/* ERR_UNSUPPORTED: the directory of path is on a network file system, where locks and shared memory don't work. */
CHECKED enum err db_file_check_volume(const char *path, struct buf *ret_problem);
/* The name of the network file system with that statfs magic number (statfs(2)); NULL: none. */
const char *db_file_network(uint64_t magic);
/* Creates an empty file with mode 0600. OK if the file exists. */
CHECKED enum err db_file_make(const char *path);
/* The file that stands at path now. ERR_NOT_FOUND, ERR_IO. */
CHECKED enum err db_file_identify(const char *path, struct db_file *ret_file);
bool db_file_same(struct db_file a, struct db_file b);
