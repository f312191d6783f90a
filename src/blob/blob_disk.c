/* blob_disk.c - blobs as files below one directory, on a disk or a shared volume.
 *
 *   blob_begin --> GROWING --append, cut--> GROWING --sync--> SYNCED --publish--> PUBLISHED
 *   GROWING, SYNCED, PUBLISHED --abandon--> gone (the file too, unless published)
 *   GROWING --leave--> closed; the file stays until a sweep removes it
 *
 * Invariants
 *  (1) [0, size) of a part's file is what was appended. A write that failed does not change size; the file is cut back to
 *      it, at the latest before it is published.
 *  (2) A blob gets its name by link(2) from the part's path. A link never replaces a file, and it fails if a sweep has
 *      removed the path: a holder whose part was swept can't publish. There are no locks. Parts and blobs must be on one
 *      volume, since a link can't cross volumes.
 *  (3) A blob is complete and on disk before it has its name, and the name is on disk before publish returns OK. If
 *      that last step fails, the name stays: the next try returns ERR_EXISTS, and the blob is whole.
 *  (4) A crash can leave a file with both names, the part's and the blob's. The sweep removes only the part's name.
 *  (5) A part whose sync failed is never published, unless it was cut to 0 bytes since.
 *  (6) Parts are opened and removed by name. The only directory that is read to find parts is PARTS. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "blob/blob.h"
#include "blob/blob_operations.h"

enum { FILE_MODE = 0640 };
#define PARTS ".parts"

struct disk_store {
  struct blob_store base;
  int dir;
  char *directory;
};

struct disk_part {
  struct blob_part base;
  int fd;
  bool is_synced;
  bool is_doubtful; /* a sync failed: the kernel may have dropped bytes, yet report the next sync as good */
  bool has_excess;  /* the file may be longer than size */
  char name[sizeof(PARTS) + BLOB_PART_NAME_SIZE]; /* relative to the store */
};

static const struct disk_store *disk_store_of(const struct blob_store *s) {
  return (const struct disk_store *)s;
}

static int disk_dir_of(const struct blob_part *p) {
  return disk_store_of(p->store)->dir;
}

static struct blob_store *disk_close(struct blob_store *s) {
  struct disk_store *store = (struct disk_store *)s;
  fs_close_(&store->dir);
  free(store->directory);
  free(store);
  return NULL;
}

static const char *disk_directory(const struct blob_store *s) {
  return disk_store_of(s)->directory;
}

static int disk_directory_fd(const struct blob_store *s) {
  return disk_store_of(s)->dir;
}

/* Relative to the store. */
static void disk_part_path(const char *owner, int64_t token, char ret_path[sizeof(PARTS) + BLOB_PART_NAME_SIZE]) {
  memcpy(ret_path, PARTS "/", sizeof(PARTS));
  blob_part_name(owner, token, ret_path + sizeof(PARTS));
}

static enum err disk_begin(struct blob_store *s, const char *owner, int64_t token, struct blob_part **ret_part) {
  struct disk_part *part = calloc(1, sizeof(*part));
  if (!part) return ERR_NOMEM;
  part->base.store = s;
  part->fd = -1;
  disk_part_path(owner, token, part->name);
  int dir = disk_store_of(s)->dir;
  enum err e = fs_create(dir, part->name, FILE_MODE, &part->fd);
  if (e == ERR_NOT_FOUND) {
    e = fs_make_parents(dir, part->name); /* the store's first part */
    if (e == OK) e = fs_create(dir, part->name, FILE_MODE, &part->fd);
  }
  if (e != OK) {
    free(part);
    return e;
  }
  *ret_part = &part->base;
  return OK;
}

static enum err cut_excess(struct disk_part *part) {
  int failed;
  do {
    failed = ftruncate(part->fd, part->base.size);
  } while (failed && errno == EINTR);
  if (failed) return err_from_errno(errno);
  part->has_excess = false;
  return OK;
}

static enum err disk_append(struct blob_part *p, struct str bytes) {
  struct disk_part *part = (struct disk_part *)p;
  if ((uint64_t)bytes.n > (uint64_t)(INT64_MAX - p->size)) return ERR_TOO_BIG;
  part->is_synced = false;
  size_t done = 0;
  while (done < bytes.n) {
    ssize_t n = pwrite(part->fd, bytes.p + done, bytes.n - done, p->size + (int64_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      enum err e = n < 0 ? err_from_errno(errno) : ERR_IO;
      part->has_excess = true;
      (void)cut_excess(part); /* (1): else before publishing */
      return e;
    }
    done += (size_t)n;
  }
  p->size += (int64_t)bytes.n;
  return OK;
}

static int disk_part_fd(const struct blob_part *p) {
  return ((const struct disk_part *)p)->fd;
}

static enum err disk_cut(struct blob_part *p, int64_t size) {
  struct disk_part *part = (struct disk_part *)p;
  int64_t before = p->size;
  part->is_synced = false;
  p->size = size;
  enum err e = cut_excess(part);
  if (e != OK) p->size = before;
  if (e == OK && size == 0) part->is_doubtful = false; /* (5) */
  return e;
}

static enum err disk_sync(struct blob_part *p) {
  struct disk_part *part = (struct disk_part *)p;
  if (part->is_doubtful) return ERR_IO; /* (5) */
  if (part->has_excess) TRY(cut_excess(part));
  enum err e = fs_sync_file(part->fd);
  part->is_synced = e == OK;
  part->is_doubtful = e != OK;
  return e;
}

/* A part that can't be removed now is swept later. */
static void unlink_part(const struct disk_part *part) {
  enum err ignored = fs_unlink(disk_dir_of(&part->base), part->name);
  (void)ignored;
}

static enum err disk_publish(struct blob_part *p, const char *name) {
  struct disk_part *part = (struct disk_part *)p;
  if (!part->is_synced) TRY(disk_sync(p));        /* (3) */
  TRY(fs_make_parents(disk_dir_of(p), name));     /* directories may exist without being on disk yet */
  TRY(fs_link(disk_dir_of(p), part->name, name)); /* (2) */
  TRY(fs_sync_parent(disk_dir_of(p), name));
  p->is_published = true;
  unlink_part(part); /* (4) */
  return OK;
}

static struct blob_part *disk_abandon(struct blob_part *p) {
  struct disk_part *part = (struct disk_part *)p;
  fs_close_(&part->fd);
  if (!p->is_published) unlink_part(part);
  free(part);
  return NULL;
}

static struct blob_part *disk_leave(struct blob_part *p) {
  struct disk_part *part = (struct disk_part *)p;
  fs_close_(&part->fd);
  free(part);
  return NULL;
}

/* ---- parts of other holders ---- */

static enum err disk_open_part(struct blob_store *s, const struct blob_owner *w, int64_t token, int *ret_fd) {
  char path[sizeof(PARTS) + BLOB_PART_NAME_SIZE];
  disk_part_path(w->owner, token, path);
  enum err e = fs_open_read(disk_store_of(s)->dir, path, ret_fd);
  if (e != ERR_NOT_FOUND) return e;
  blob_old_part_name(w->stem, token, path);
  return fs_open_read(disk_store_of(s)->dir, path, ret_fd);
}

/* The lowest token below this one that a holder looks for. */
static int64_t lowest_token_below(int64_t token) {
  return token > BLOB_TOKENS_BACK ? token - BLOB_TOKENS_BACK : 0;
}

static enum err disk_open_part_below(struct blob_store *s, const struct blob_owner *w, int64_t token, int *ret_fd,
                                     int64_t *ret_size) {
  struct stat status;
  int fd CLEANUP(fs_close_) = -1;
  enum err e = ERR_NOT_FOUND;
  for (int64_t t = token - 1; e == ERR_NOT_FOUND && t >= lowest_token_below(token); t--)
    e = disk_open_part(s, w, t, &fd);
  TRY(e);
  if (fstat(fd, &status) != 0) return err_from_errno(errno);
  *ret_fd = fd;
  *ret_size = status.st_size;
  fd = -1;
  return OK;
}

/* Removes from dir the part of each token below this one. name_of: blob_part_name or blob_old_part_name. */
static enum err sweep_directory(int dir, const char *prefix, int64_t token,
                                void (*name_of)(const char *prefix, int64_t token,
                                                char ret_name[BLOB_PART_NAME_SIZE])) {
  for (int64_t t = token - 1; t >= lowest_token_below(token); t--) {
    char name[BLOB_PART_NAME_SIZE];
    name_of(prefix, t, name);
    enum err e = fs_unlink_in(dir, name);
    if (e != OK && e != ERR_NOT_FOUND && e != ERR_INVALID) return e; /* ERR_INVALID: a directory */
  }
  return OK;
}

/* Opens the directory of a stem. *ret_leaf: the stem within it. */
static enum err open_directory_of(int store, const char *stem, const char **ret_leaf, int *ret_dir) {
  char directory[BLOB_NAME_SIZE] = ".";
  const char *slash = strrchr(stem, '/');
  if (slash) TRY(str_copy(directory, sizeof(directory), str_of(stem, (size_t)(slash - stem))));
  TRY(fs_open_dir(store, directory, ret_dir));
  *ret_leaf = slash ? slash + 1 : stem;
  return OK;
}

static enum err disk_sweep_below(struct blob_store *s, const struct blob_owner *w, int64_t token) {
  int parts CLEANUP(fs_close_) = -1, beside CLEANUP(fs_close_) = -1;
  const char *leaf;
  enum err e = fs_open_dir(disk_store_of(s)->dir, PARTS, &parts);
  if (e == OK) e = sweep_directory(parts, w->owner, token, blob_part_name);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  e = open_directory_of(disk_store_of(s)->dir, w->stem, &leaf, &beside);
  if (e == OK) e = sweep_directory(beside, leaf, token, blob_old_part_name);
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err disk_remove_part(struct blob_store *s, const char *owner, int64_t token) {
  char path[sizeof(PARTS) + BLOB_PART_NAME_SIZE];
  disk_part_path(owner, token, path);
  return fs_unlink(disk_store_of(s)->dir, path);
}

struct each_part_call {
  blob_part_fn *fn;
  void *arg;
};

static enum err each_part_on_entry(void *arg, int dir, const char *name, bool is_dir) {
  const struct each_part_call *call = arg;
  struct stat status;
  struct str owner;
  int64_t token;
  char text[BLOB_NAME_SIZE];
  if (is_dir || !blob_part_name_parse(str_from(name), &owner, &token)) return OK; /* not a part's name */
  if (str_copy(text, sizeof(text), owner) != OK) return OK;
  if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? OK : err_from_errno(errno);
  return S_ISREG(status.st_mode) ? call->fn(call->arg, text, token, status.st_size) : OK;
}

static enum err disk_each_part(struct blob_store *s, blob_part_fn *fn, void *arg) {
  struct each_part_call call = {fn, arg};
  enum err e = fs_each(disk_store_of(s)->dir, PARTS, each_part_on_entry, &call);
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- blobs ---- */

static enum err disk_open(struct blob_store *s, const char *name, int *ret_fd, int64_t *ret_size) {
  int fd CLEANUP(fs_close_) = -1;
  struct stat status;
  TRY(fs_open_read(disk_store_of(s)->dir, name, &fd));
  if (fstat(fd, &status) != 0) return err_from_errno(errno);
  *ret_fd = fd;
  *ret_size = status.st_size;
  fd = -1;
  return OK;
}

static enum err disk_remove(struct blob_store *s, const char *name) {
  return fs_unlink(disk_store_of(s)->dir, name);
}

static enum err disk_remove_names(struct blob_store *s, const char *const *names, size_t count) {
  int dir CLEANUP(fs_close_) = -1;
  const char *leaf;
  enum err e = open_directory_of(disk_store_of(s)->dir, names[0], &leaf, &dir);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  for (size_t i = 0; i < count; i++) {
    e = fs_unlink_in(dir, names[i] + (leaf - names[0]));
    if (e != OK && e != ERR_NOT_FOUND) return e;
  }
  return OK;
}

static enum err disk_sync_directory_of(struct blob_store *s, const char *name) {
  return fs_sync_parent(disk_store_of(s)->dir, name);
}

static enum err disk_exists(struct blob_store *s, const char *name) {
  int fd CLEANUP(fs_close_) = -1;
  return fs_open_read(disk_store_of(s)->dir, name, &fd);
}

static enum err disk_free_bytes(struct blob_store *s, uint64_t *ret_free, uint64_t *ret_total) {
  return fs_space(disk_store_of(s)->dir, ret_free, ret_total);
}

static enum err disk_walk(struct blob_store *s, const char *directory, struct blob_walk **ret_walk) {
  return blob_walk_disk(disk_store_of(s)->dir, directory, ret_walk);
}

static const struct blob_operations DISK = {
    .close = disk_close,
    .directory = disk_directory,
    .directory_fd = disk_directory_fd,
    .begin = disk_begin,
    .append = disk_append,
    .part_fd = disk_part_fd,
    .cut = disk_cut,
    .sync = disk_sync,
    .publish = disk_publish,
    .abandon = disk_abandon,
    .leave = disk_leave,
    .open_part = disk_open_part,
    .open_part_below = disk_open_part_below,
    .sweep_below = disk_sweep_below,
    .remove_part = disk_remove_part,
    .each_part = disk_each_part,
    .open = disk_open,
    .remove = disk_remove,
    .remove_names = disk_remove_names,
    .sync_directory_of = disk_sync_directory_of,
    .exists = disk_exists,
    .free_bytes = disk_free_bytes,
    .walk = disk_walk,
};

/* Takes dir, which may be -1. */
static enum err disk_store_new(const char *directory, int dir, struct blob_store **ret_store) {
  struct disk_store *store = calloc(1, sizeof(*store));
  char *path = str_dup(str_from(directory));
  if (!store || !path || dir < 0) {
    enum err e = store && path ? err_from_errno(errno) : ERR_NOMEM;
    free(store);
    free(path);
    fs_close_(&dir);
    return e;
  }
  *store = (struct disk_store){.base.operations = &DISK, .dir = dir, .directory = path};
  *ret_store = &store->base;
  return OK;
}

enum err blob_open_disk(const char *directory, struct blob_store **ret_store) {
  int dir;
  TRY(fs_open_root(directory, true, &dir));
  return disk_store_new(directory, dir, ret_store);
}

/* No path leads below a descriptor of a device, so every open and link there fails with ENOTDIR. */
enum err blob_open_disk_later(const char *directory, struct blob_store **ret_store) {
  return disk_store_new(directory, open("/dev/null", O_PATH | O_CLOEXEC), ret_store);
}

enum err blob_use_directory(struct blob_store *s, int dir) {
  return dup3(dir, disk_store_of(s)->dir, O_CLOEXEC) < 0 ? err_from_errno(errno) : OK; /* replaces it in one step */
}
