/* blob.h - the store: keeps the bytes of recordings, as parts that grow and as whole blobs under their names.
 *
 *   blob_begin(store, "1.RE…", token, &part);   blob_append(part, bytes) …;   blob_sync(part);
 *   … confirm the lease …
 *   blob_publish(part, "1/2026/11/CA….RE….mp3");   blob_abandon(part);
 *
 * A part belongs to one fill. It is the file ".parts/{owner}.{token}", created exclusively, in a directory that holds only
 * what is being filled. Publishing gives the complete, synced part its name and syncs the directory. It never replaces a
 * blob, and a published blob never changes.
 * A blob's name is "dir/dir/…/file.ext". The ledger makes it, never a request.
 * Thread rule: one thread at a time uses a part; any thread the store. All calls may block on the volume. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct blob_store;
struct blob_part;

enum { BLOB_NAME_SIZE = 160 };

/* The store is the files below directory, which is created if it is missing. */
CHECKED enum err blob_open_disk(const char *directory, struct blob_store **ret_store);
/* The same without a directory, because it is missing or the wrong one. Nothing is created; every call that needs a file
 * fails until blob_use_directory. */
CHECKED enum err blob_open_disk_later(const char *directory, struct blob_store **ret_store);
/* From now on the store is the files below dir, which stays the caller's. Parts that are open can no longer be published. Any
 * thread may use the store meanwhile. */
CHECKED enum err blob_use_directory(struct blob_store *s, int dir);
struct blob_store *blob_close(struct blob_store *s);
const char *blob_directory(const struct blob_store *s);
int blob_directory_fd(const struct blob_store *s);

/* Creates the part of owner (a name without '/') and token. Each fill of an owner uses a token of its own. ERR_EXISTS if
 * this token's part exists. */
CHECKED enum err blob_begin(struct blob_store *s, const char *owner, int64_t token, struct blob_part **ret_part);
/* ERR_FULL, ERR_IO: the part's size and its bytes below that stay as they were. */
CHECKED enum err blob_append(struct blob_part *p, struct str bytes);
/* In bytes. Readers may read below it. */
int64_t blob_part_size(const struct blob_part *p);
int blob_part_fd(const struct blob_part *p); /* for reading; owned by the part */
/* Removes the bytes from size on. No reader may have had any of them. */
CHECKED enum err blob_part_cut(struct blob_part *p, int64_t size);
CHECKED enum err blob_sync(struct blob_part *p);
/* Gives the part its name. Call it only while the lease is live. ERR_NOT_FOUND: the next holder swept the part, so it can't
 * be published. ERR_EXISTS: a blob has the name. After OK nothing can be appended; the descriptor stays readable until
 * blob_abandon, which the caller must call in any case. */
CHECKED enum err blob_publish(struct blob_part *p, const char *name);
/* Closes the part and removes its file, unless it was published. NULL is fine. Always NULL. */
struct blob_part *blob_abandon(struct blob_part *p);
/* Closes the part and keeps its file: the next fill compares its bytes with it, then sweeps it. NULL is fine. Always
 * NULL. */
struct blob_part *blob_leave(struct blob_part *p);

/* Names the owner of parts. An earlier release put parts beside the blob, as "{stem}.{token}.part". */
struct blob_owner {
  const char *owner;
  const char *stem; /* the blob's name without its extension */
};
/* How many tokens below its own a holder looks for parts, by name. Every holder sweeps first, so an older part is there
 * only if this many holders in a row died before their sweep. blob_each_part finds those too. */
enum { BLOB_TOKENS_BACK = 4 };

/* Opens another holder's part, of this token, for reading. ERR_NOT_FOUND. */
CHECKED enum err blob_open_part(struct blob_store *s, const struct blob_owner *o, int64_t token, int *ret_fd);
/* Opens the part of the highest token below this one. *ret_size: the file's length in bytes. ERR_NOT_FOUND: there is
 * none. */
CHECKED enum err blob_open_part_below(struct blob_store *s, const struct blob_owner *o, int64_t token, int *ret_fd,
                                      int64_t *ret_size);
/* Removes the parts of the tokens below this one. */
CHECKED enum err blob_sweep_below(struct blob_store *s, const struct blob_owner *o, int64_t token);
/* ERR_NOT_FOUND if it is gone already. */
CHECKED enum err blob_remove_part(struct blob_store *s, const char *owner, int64_t token);
/* Calls fn for every part, except those of an earlier release. fn may remove the part. Reads only the directory of
 * parts. */
typedef enum err blob_part_fn(void *arg, const char *owner, int64_t token, int64_t size);
CHECKED enum err blob_each_part(struct blob_store *s, blob_part_fn *fn, void *arg);

/* Opens a blob for reading. */
CHECKED enum err blob_open(struct blob_store *s, const char *name, int *ret_fd, int64_t *ret_size);
CHECKED enum err blob_delete(struct blob_store *s, const char *name);
/* A recording's files: stem and a known audio extension, and those that were set aside under its newest tokens
 * ("{stem}.{extension}.{token}.bad", from token on down). */
struct blob_stem {
  const char *stem;
  int64_t token;
};
/* Deletes all these files; missing ones are fine. Each directory is synced, once if the stems are sorted. */
CHECKED enum err blob_delete_stems(struct blob_store *s, const struct blob_stem *stems, size_t count);
/* The name of the blob that is stem and a known audio extension. ERR_NOT_FOUND: there is none. */
CHECKED enum err blob_find(struct blob_store *s, const char *stem, char ret_name[BLOB_NAME_SIZE]);
/* In bytes; *ret_free: the bytes that this process may still use. */
CHECKED enum err blob_free_bytes(struct blob_store *s, uint64_t *ret_free, uint64_t *ret_total);
/* Calls fn for every file of the store, with its name relative to the store. is_part: it is a part of an earlier
 * release. */
typedef enum err blob_each_fn(void *arg, const char *name, int64_t size, bool is_part);
CHECKED enum err blob_each(struct blob_store *s, blob_each_fn *fn, void *arg);
/* The same for the files below one directory. If the directory is missing, there are none. */
CHECKED enum err blob_each_below(struct blob_store *s, const char *directory, blob_each_fn *fn, void *arg);
/* Deletes every file below one directory, and makes that durable: one sync for each directory that had files, or two if it has
 * directories too. If the directory is missing, there are none. */
CHECKED enum err blob_delete_below(struct blob_store *s, const char *directory);
/* The same as blob_each_below in pieces. ERR_NOT_FOUND: no such directory. */
struct blob_walk;
CHECKED enum err blob_walk_new(struct blob_store *s, const char *directory, struct blob_walk **ret_walk);
/* Reads at most *entries more directory entries, and subtracts from *entries how many it read. ERR_NOT_FOUND: the walk is
 * over. An error of fn ends the piece and is returned. */
CHECKED enum err blob_walk_on(struct blob_walk *w, int64_t *entries, blob_each_fn *fn, void *arg);
struct blob_walk *blob_walk_free(struct blob_walk *w); /* NULL is fine. Always NULL. */
