/* fs.h - files below a directory descriptor, and durable writes.
 *
 * Every path is relative to a directory descriptor; each of its components is opened with O_NOFOLLOW|O_CLOEXEC, and "..",
 * empty components and a leading '/' are ERR_INVALID. Modes: files 0640, directories 0750 unless said otherwise.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

/* For CLEANUP(fs_close_): closes *fd unless it is -1. */
void fs_close_(int *fd);

/* Opens (and with make, creates with its parents, 0750) the directory at an absolute or working-directory path that the
 * operator chose; here links are followed. ret_fd is the caller's to close. */
CHECKED enum err fs_open_root(const char *path, bool make, int *ret_fd);
/* Opens a regular file at such a path for reading; a FIFO or a device does not block. ERR_INVALID: it is no regular file.
 * *ret_mode: its permission bits. */
CHECKED enum err fs_open_chosen(const char *path, int *ret_fd, mode_t *ret_mode);
CHECKED enum err fs_open_dir(int dir, const char *path, int *ret_fd);
/* Read-only; a directory, device or link is ERR_INVALID. */
CHECKED enum err fs_open_read(int dir, const char *path, int *ret_fd);
/* New, for reading and writing; ERR_EXISTS if the name is taken. */
CHECKED enum err fs_create(int dir, const char *path, mode_t mode, int *ret_fd);
/* Makes the directories of path (all components but the last), each synced into its parent. */
CHECKED enum err fs_make_parents(int dir, const char *path);
/* Gives the file at from a second name, to. Never replaces a file: ERR_EXISTS. Both are below dir. */
CHECKED enum err fs_link(int dir, const char *from, const char *to);
/* Gives the open file another name, below dir, on the same volume. ERR_EXISTS: the name is taken. ERR_UNSUPPORTED: the file is on
 * another volume. ERR_DENIED: the kernel allows no further name for this file. */
CHECKED enum err fs_link_open(int fd, int dir, const char *to);
CHECKED enum err fs_unlink(int dir, const char *path); /* ERR_NOT_FOUND when it is gone already */
/* The same of a file in dir itself, without opening it again: name has no '/'. For many files of one directory. */
CHECKED enum err fs_unlink_in(int dir, const char *name);
/* Syncs the directory that holds path. */
CHECKED enum err fs_sync_parent(int dir, const char *path);
CHECKED enum err fs_sync_file(int fd); /* fdatasync */
/* Writes all of s at the file's end or fails. */
CHECKED enum err fs_write_all(int fd, struct str s);
/* The whole file, at most max bytes, into a new allocation for the caller to free(). */
CHECKED enum err fs_read_whole(int dir, const char *path, size_t max, char **ret_bytes, size_t *ret_size);
/* The same for a path that an operator names: anywhere, also through links. is_secret: ERR_DENIED if other users may read it. */
CHECKED enum err fs_read_operators(const char *path, bool is_secret, size_t max, char **ret_bytes, size_t *ret_size);
/* Writes content to path, replacing what is there, completely or not at all: temporary file, fsync, rename, fsync of the
 * directory. */
CHECKED enum err fs_write_durable(int dir, const char *path, mode_t mode, struct str content);
/* Writes content over the file's first bytes, in one call and without a sync; creates the file if it is missing, but not its
 * directory (ERR_NOT_FOUND). Blocks while the volume takes no writes. */
CHECKED enum err fs_write_over(int dir, const char *path, mode_t mode, struct str content);
/* Whether an absolute path leads to the directory that dir is. *ret_same is false also if the path leads to no directory. */
CHECKED enum err fs_leads_to(const char *path, int dir, bool *ret_same);
/* Of the volume that holds dir: bytes that this process may still use, and its size in bytes. */
CHECKED enum err fs_space(int dir, uint64_t *ret_free, uint64_t *ret_total);
/* A directory that is read entry by entry, with pauses of any length between. "." and ".." are left out; the order is
 * undefined. fs_dir_next: ERR_NOT_FOUND at the end; *ret_name is valid until the next call. */
struct fs_dir;
CHECKED enum err fs_dir_open(int dir, const char *path, struct fs_dir **ret_dir);
CHECKED enum err fs_dir_next(struct fs_dir *d, const char **ret_name, bool *ret_is_dir);
int fs_dir_fd(const struct fs_dir *d);         /* owned by d */
struct fs_dir *fs_dir_close(struct fs_dir *d); /* NULL is fine. Always NULL. */
/* Calls fn with each name in the directory, as fs_dir_next has them; stops at the first error and returns it. */
typedef enum err fs_entry_fn(void *arg, int dir, const char *name, bool is_dir);
CHECKED enum err fs_each(int dir, const char *path, fs_entry_fn *fn, void *arg);
