/* blob_walk.c - walks the files below a directory of a disk store, in pieces.
 *
 * Invariants
 *  (1) levels[0 … depth-1] are the open directories, from the first one down. name is the name of levels[depth-1], relative
 *      to the store, with a '/' at its end; empty for the store's own directory.
 *  (2) Hidden names, links, and files deeper than DEPTH_MAX are skipped.
 *  (3) A directory that was removed during the walk counts as read to its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "blob/blob_operations.h"

enum { DEPTH_MAX = 9 };

struct blob_walk {
  struct fs_dir *levels[DEPTH_MAX];
  size_t name_bytes[DEPTH_MAX]; /* length of name at that level */
  size_t depth;
  char name[BLOB_PART_NAME_SIZE];
};

enum err blob_walk_disk(int store, const char *directory, struct blob_walk **ret_walk) {
  struct blob_walk *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  enum err e = fs_dir_open(store, directory, &w->levels[0]);
  if (e != OK) {
    free(w);
    return e;
  }
  w->depth = 1;
  if (strcmp(directory, ".") != 0) {
    size_t n = strlen(directory); /* a valid name fits */
    memcpy(w->name, directory, n);
    w->name[n] = '/';
    w->name_bytes[0] = n + 1;
  }
  *ret_walk = w;
  return OK;
}

static void walk_leave_directory(struct blob_walk *w) {
  w->depth--;
  w->levels[w->depth] = fs_dir_close(w->levels[w->depth]);
}

/* w->name is that of the directory to enter, without a '/' at its end. */
static enum err walk_enter_directory(struct blob_walk *w, const char *leaf, size_t name_bytes) {
  if (w->depth == DEPTH_MAX || name_bytes + 1 >= sizeof(w->name)) return OK; /* (2) */
  enum err e = fs_dir_open(fs_dir_fd(w->levels[w->depth - 1]), leaf, &w->levels[w->depth]);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  w->name[name_bytes] = '/';
  w->name_bytes[w->depth++] = name_bytes + 1;
  return OK;
}

static enum err walk_visit_file(struct blob_walk *w, const char *leaf, blob_each_fn *fn, void *arg) {
  struct stat status;
  struct str stem;
  int64_t token;
  int dir = fs_dir_fd(w->levels[w->depth - 1]);
  if (fstatat(dir, leaf, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? OK : err_from_errno(errno);
  if (!S_ISREG(status.st_mode)) return OK;
  return fn(arg, w->name, status.st_size, blob_old_part_name_parse(str_from(w->name), &stem, &token));
}

static enum err walk_visit_entry(struct blob_walk *w, const char *leaf, bool is_dir, blob_each_fn *fn, void *arg) {
  size_t before = w->name_bytes[w->depth - 1], n = strlen(leaf);
  if (leaf[0] == '.' || n >= sizeof(w->name) - before) return OK; /* (2) */
  memcpy(w->name + before, leaf, n + 1);
  return is_dir ? walk_enter_directory(w, leaf, before + n) : walk_visit_file(w, leaf, fn, arg);
}

enum err blob_walk_on(struct blob_walk *w, int64_t *entries, blob_each_fn *fn, void *arg) {
  for (; *entries > 0 && w->depth > 0; --*entries) {
    const char *leaf;
    bool is_dir;
    enum err e = fs_dir_next(w->levels[w->depth - 1], &leaf, &is_dir);
    if (e == ERR_NOT_FOUND)
      walk_leave_directory(w); /* (3) */
    else if (e == OK)
      TRY(walk_visit_entry(w, leaf, is_dir, fn, arg));
    else
      return e;
  }
  return w->depth == 0 ? ERR_NOT_FOUND : OK;
}

struct blob_walk *blob_walk_free(struct blob_walk *w) {
  if (!w) return NULL;
  while (w->depth > 0) walk_leave_directory(w);
  free(w);
  return NULL;
}
