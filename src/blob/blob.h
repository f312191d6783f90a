/* blob.h - the room that keeps bytes: parts that grow, and whole blobs under their names.
 *
 *   blob_begin(store, "1.RE…", token, &part);  blob_append(part, bytes) …;
 *   blob_sync(part);   — the lease is asserted here —   blob_publish(part, "1/2026/11/CA….RE….mp3");
 *
 * A part is the fill's own: ".parts/{owner}.{token}", created exclusively, in a directory that holds nothing but what is being
 * filled. Publishing gives the complete, synced part its name and syncs the directory; it never replaces a blob (ERR_EXISTS).
 * A blob once published never changes.
 * A name is "dir/dir/…/file.ext", made by the catalog, never by a request. Thread rule: a part has one owner; the store any. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct blob_store;
struct blob_part;

enum { BLOB_NAME_SIZE = 160 };

CHECKED enum err blob_open_disk(const char *directory, struct blob_store **ret_store);
struct blob_store *blob_close(struct blob_store *s);
const char *blob_directory(const struct blob_store *s);
int blob_directory_fd(const struct blob_store *s);

/* owner: a name without '/'; who else begins parts of that owner holds another token. ERR_EXISTS when this token's part is
 * there already. */
CHECKED enum err blob_begin(struct blob_store *s, const char *owner, int64_t token, struct blob_part **ret_part);
/* ERR_FULL, ERR_IO; the part stays as it was before, as far as anybody may read: blob_part_size. */
CHECKED enum err blob_append(struct blob_part *p, struct str bytes);
int64_t blob_part_size(const struct blob_part *p);
int blob_part_fd(const struct blob_part *p); /* to read from; stays the part's */
/* Forgets the bytes from size on, of a part that nobody was given bytes of beyond it. */
CHECKED enum err blob_part_cut(struct blob_part *p, int64_t size);
CHECKED enum err blob_sync(struct blob_part *p);
/* Call only while the lease is live. By path, so that a part that a new holder swept can't be published any more:
 * ERR_NOT_FOUND then. ERR_EXISTS: a blob has the name. The part is used up on success only: nothing can be appended any
 * more, its descriptor stays readable until blob_abandon, which is due in any case. */
CHECKED enum err blob_publish(struct blob_part *p, const char *name);
/* Closes; removes the part's file unless it was published. NULL is fine. Always NULL. */
struct blob_part *blob_abandon(struct blob_part *p);
/* Closes, and leaves the part's file to whoever sweeps it: its bytes serve to compare with. NULL is fine. Always NULL. */
struct blob_part *blob_leave(struct blob_part *p);

/* Whose parts are meant. An earlier release put them beside the blob: "{stem}.{token}.part". */
struct blob_whose {
  const char *owner;
  const char *stem; /* the blob's name without its extension */
};
/* The parts that are found by name below a token: those of so many tokens. Whoever takes over sweeps before anything else, so
 * an older one can only be there when as many holders in a row died before they did that. blob_each_part finds all. */
enum { BLOB_TOKENS_BACK = 4 };

/* Opens the part of this token, somebody else's, for reading. ERR_NOT_FOUND. */
CHECKED enum err blob_open_part(struct blob_store *s, const struct blob_whose *w, int64_t token, int *ret_fd);
/* The same of the highest of the tokens below that one; and how long its file is. ERR_NOT_FOUND: there is none. */
CHECKED enum err blob_open_part_below(struct blob_store *s, const struct blob_whose *w, int64_t token, int *ret_fd,
                                      int64_t *ret_size);
/* Removes the parts of the tokens below that one. */
CHECKED enum err blob_sweep_below(struct blob_store *s, const struct blob_whose *w, int64_t token);
/* ERR_NOT_FOUND when it is gone already. */
CHECKED enum err blob_remove_part(struct blob_store *s, const char *owner, int64_t token);
/* Every part but those that an earlier release left; fn may remove it. Costs what is being filled, not what is stored. */
typedef enum err blob_part_fn(void *arg, const char *owner, int64_t token, int64_t size);
CHECKED enum err blob_each_part(struct blob_store *s, blob_part_fn *fn, void *arg);

/* Opens for reading; size and change time of what is there. */
CHECKED enum err blob_open(struct blob_store *s, const char *name, int *ret_fd, int64_t *ret_size);
CHECKED enum err blob_delete(struct blob_store *s, const char *name);
/* The blob of that stem with a known audio extension, if there is one. ERR_NOT_FOUND. */
CHECKED enum err blob_find(struct blob_store *s, const char *stem, char ret_name[BLOB_NAME_SIZE]);
CHECKED enum err blob_free_bytes(struct blob_store *s, uint64_t *ret_free, uint64_t *ret_total);
/* Walks all files: name relative to the store. is_part: an earlier release's part. */
typedef enum err blob_each_fn(void *arg, const char *name, int64_t size, bool is_part);
CHECKED enum err blob_each(struct blob_store *s, blob_each_fn *fn, void *arg);
/* Those below one directory. One that is not there holds none. */
CHECKED enum err blob_each_below(struct blob_store *s, const char *directory, blob_each_fn *fn, void *arg);
/* The same in pieces, with pauses between. ERR_NOT_FOUND: no such directory. */
struct blob_walk;
CHECKED enum err blob_walk_new(struct blob_store *s, const char *directory, struct blob_walk **ret_walk);
/* Looks at the next entries of directories, *entries at most, and takes off how many it looked at. ERR_NOT_FOUND: that was the
 * end. fn's error ends the piece. */
CHECKED enum err blob_walk_on(struct blob_walk *w, int64_t *entries, blob_each_fn *fn, void *arg);
struct blob_walk *blob_walk_free(struct blob_walk *w); /* NULL is fine. Always NULL. */
