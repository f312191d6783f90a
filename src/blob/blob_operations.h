/* blob_operations.h - the table of functions that a kind of store implements. blob.c checks names before it calls them.
 *
 * A kind of store embeds struct blob_store as the first member of its own, and struct blob_part in its parts. Each
 * operation does what blob.h says of the function with the same name.
 * Thread rule: as blob.h. */
#pragma once

#include "blob/blob.h"

struct blob_operations {
  struct blob_store *(*close)(struct blob_store *s);
  const char *(*directory)(const struct blob_store *s);
  int (*directory_fd)(const struct blob_store *s);
  enum err (*begin)(struct blob_store *s, const char *owner, int64_t token, struct blob_part **ret_part);
  enum err (*append)(struct blob_part *p, struct str bytes);
  int (*part_fd)(const struct blob_part *p);
  enum err (*cut)(struct blob_part *p, int64_t size);
  enum err (*sync)(struct blob_part *p);
  enum err (*publish)(struct blob_part *p, const char *name);
  struct blob_part *(*abandon)(struct blob_part *p);
  struct blob_part *(*leave)(struct blob_part *p);
  enum err (*open_part)(struct blob_store *s, const struct blob_owner *w, int64_t token, int *ret_fd);
  enum err (*open_part_below)(struct blob_store *s, const struct blob_owner *w, int64_t token, int *ret_fd,
                              int64_t *ret_size);
  enum err (*sweep_below)(struct blob_store *s, const struct blob_owner *w, int64_t token);
  enum err (*remove_part)(struct blob_store *s, const char *owner, int64_t token);
  enum err (*each_part)(struct blob_store *s, blob_part_fn *fn, void *arg);
  enum err (*open)(struct blob_store *s, const char *name, int *ret_fd, int64_t *ret_size);
  enum err (*remove)(struct blob_store *s, const char *name); /* without syncing its directory */
  /* Removes those names of one directory that exist, without syncing it. count: at least 1. */
  enum err (*remove_names)(struct blob_store *s, const char *const *names, size_t count);
  enum err (*sync_directory_of)(struct blob_store *s, const char *name);
  enum err (*exists)(struct blob_store *s, const char *name); /* OK or ERR_NOT_FOUND */
  enum err (*free_bytes)(struct blob_store *s, uint64_t *ret_free, uint64_t *ret_total);
  enum err (*walk)(struct blob_store *s, const char *directory, struct blob_walk **ret_walk); /* "." is the store */
};

struct blob_store {
  const struct blob_operations *operations;
};

struct blob_part {
  struct blob_store *store;
  int64_t size; /* committed bytes: readers may read below it */
  bool is_published;
};

enum { BLOB_PART_NAME_SIZE = BLOB_NAME_SIZE + 32 };

/* Components of [A-Za-z0-9._-] that don't begin with '.', with single '/' between, shorter than BLOB_NAME_SIZE. */
bool blob_name_is_valid(const char *name);
/* blob_walk.c: a walk over a directory. */
CHECKED enum err blob_walk_disk(int store, const char *directory, struct blob_walk **ret_walk);

/* A part's name within its directory: "{owner}.{token}". */
void blob_part_name(const char *owner, int64_t token, char ret_name[BLOB_PART_NAME_SIZE]);
bool blob_part_name_parse(struct str name, struct str *ret_owner, int64_t *ret_token);
/* A part of an earlier release: "{stem}.{token}.part". */
void blob_old_part_name(const char *stem, int64_t token, char ret_name[BLOB_PART_NAME_SIZE]);
bool blob_old_part_name_parse(struct str name, struct str *ret_stem, int64_t *ret_token);
