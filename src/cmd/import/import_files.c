/* import_files.c - goes through the files of DIR, in batches: finds their recordings, judges and places them on several threads,
 * and writes the rows.
 *
 *   names -> BATCH files -> import_targets (this thread) -> import_file_take (THREADS) -> directories synced -> rows written
 *                                                          while the rows of the batch before are written
 *
 * Invariants
 *  (1) A row says ready only after its file has its name and the directory is on disk.
 *  (2) A run that dies leaves at most two batches of files whose rows are not written: the next one finds them under their names.
 *  (3) Memory holds two batches and a path of directories, however many files there are. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/import/import_parts.h"

enum { BATCH = 256, THREADS_MAX = 4, DEPTH_MAX = 16, PATH_ROOM = 4096 };

struct import_batch {
  struct import *im;
  struct import_file files[BATCH];
  size_t count;
  _Atomic size_t next; /* of the threads */
  pthread_t threads[THREADS_MAX];
  int running;
};

struct import_walk {
  struct import *im;
  struct import_batch *present; /* is collected, then judged */
  struct import_batch *before;  /* was judged; its rows are written meanwhile */
  int64_t all;                  /* files in DIR, for the progress */
};

/* ---- the files of a batch ---- */

static void *batch_take_files(void *arg) {
  struct import_batch *b = arg;
  for (;;) {
    size_t i = atomic_fetch_add(&b->next, 1);
    if (i >= b->count) return NULL;
    if (b->files[i].why) continue;
    if (b->im->compares)
      import_file_compare(b->im, &b->files[i]);
    else
      import_file_take(b->im, &b->files[i]);
  }
}

static void batch_begin(struct import_batch *b) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  int wanted = cores < 1 ? 1 : cores < THREADS_MAX ? (int)cores : THREADS_MAX;
  atomic_store(&b->next, 0);
  for (b->running = 0; b->running < wanted; b->running++)
    if (pthread_create(&b->threads[b->running], NULL, batch_take_files, b) != 0) break;
}

static void batch_end(struct import_batch *b) {
  (void)batch_take_files(b); /* helps; without threads it does all */
  for (int i = 0; i < b->running; i++) (void)pthread_join(b->threads[i], NULL);
  b->running = 0;
}

static size_t directory_length(const char *name) {
  const char *slash = strrchr(name, '/');
  return slash ? (size_t)(slash - name) : 0;
}

/* Syncs each directory that got a name, once. (1) */
static void batch_sync(struct import_batch *b) {
  int store = blob_directory_fd(b->im->store);
  for (size_t i = 0; i < b->count; i++) {
    struct import_file *f = &b->files[i];
    size_t n = directory_length(f->name);
    bool is_synced = f->why != IMPORT_TAKEN;
    for (size_t k = 0; k < i && !is_synced; k++)
      is_synced =
          !b->files[k].why && directory_length(b->files[k].name) == n && memcmp(b->files[k].name, f->name, n) == 0;
    if (!is_synced && fs_sync_parent(store, f->name) != OK) f->why = IMPORT_STORE;
  }
}

static void batch_report(struct import_batch *b, int64_t all) {
  struct import *im = b->im;
  for (size_t i = 0; i < b->count; i++) {
    struct import_file *f = &b->files[i];
    im->files++;
    if (f->why == IMPORT_TAKEN) {
      im->linked += !f->is_copied;
      im->copied += f->is_copied;
      im->bytes += f->info.bytes;
    } else if (f->why == IMPORT_ALREADY) {
      im->already++;
    } else {
      import_refuse(im, f->path, 0, f->why);
    }
    free(f->path);
    f->path = NULL;
  }
  b->count = 0;
  progress_show(&im->progress, im->files, all);
}

/* Leaves out a file that is the same recording as an earlier one of these batches, whose row is not written yet. */
static void drop_twin(const struct import_batch *b, struct import_file *f) {
  const struct import_file *end = b->files + b->count;
  if (f >= b->files && f < end) end = f;
  for (const struct import_file *other = b->files; other < end && !f->why; other++)
    if (!other->why && other->row.business_id == f->row.business_id &&
        strcmp(other->row.recording_sid, f->row.recording_sid) == 0)
      f->why = IMPORT_ALREADY;
}

static enum err batch_finish(struct import_walk *w, struct import_batch *b) {
  if (!b->count) return OK;
  TRY(import_write(w->im, b->files, b->count));
  batch_report(b, w->all);
  return OK;
}

/* To compare, only what is ready is left to be read. */
static void file_prepare(const struct import_walk *w, struct import_file *f) {
  if (!w->im->compares) {
    drop_twin(w->before, f);
    drop_twin(w->present, f);
  } else if (f->why == IMPORT_ALREADY) {
    f->why = IMPORT_TAKEN;
  } else if (f->why == IMPORT_TAKEN) {
    f->why = f->is_new ? IMPORT_UNKNOWN : IMPORT_NOT_READY;
  }
}

/* Judges and places the present batch while the rows of the one before are written. */
static enum err walk_run_batch(struct import_walk *w) {
  struct import_batch *b = w->present, *before = w->before;
  TRY(import_targets(w->im, b->files, b->count));
  for (size_t i = 0; i < b->count; i++) file_prepare(w, &b->files[i]);
  batch_begin(b);
  enum err e = batch_finish(w, before);
  batch_end(b);
  batch_sync(b);
  w->present = before;
  w->before = b;
  return e;
}

static enum err add_file(struct import_walk *w, const char *path) {
  struct import_batch *b = w->present;
  struct import_file *f = &b->files[b->count];
  f->path = strdup(path);
  if (!f->path) return ERR_NOMEM;
  f->is_new = f->is_copied = false;
  f->stem[0] = f->name[0] = '\0';
  b->count++;
  return b->count == BATCH ? walk_run_batch(w) : OK;
}

/* ---- directories ---- */

typedef enum err file_fn(struct import_walk *w, const char *path);

static enum err count_file(struct import_walk *w, const char *path) {
  (void)path;
  w->all++;
  return OK;
}

/* Calls fn with each file below path. */
static enum err walk_directory(struct import_walk *w, const char *path, int depth, file_fn *fn) {
  struct fs_dir *d;
  const char *name;
  bool is_dir;
  char below[PATH_ROOM];
  enum err e = fs_dir_open(w->im->dir, path, &d);
  if (e != OK) {
    import_refuse(w->im, path, 0, IMPORT_UNREADABLE);
    return OK;
  }
  while ((e = fs_dir_next(d, &name, &is_dir)) == OK) {
    bool is_top = strcmp(path, ".") == 0;
    int n = snprintf(below, sizeof(below), "%s%s%s", is_top ? "" : path, is_top ? "" : "/", name);
    if (n >= (int)sizeof(below) || (is_dir && depth == DEPTH_MAX))
      import_refuse(w->im, name, 0, IMPORT_UNREADABLE);
    else
      e = is_dir ? walk_directory(w, below, depth + 1, fn) : fn(w, below);
    if (e != OK) break;
  }
  fs_dir_close(d);
  return e == ERR_NOT_FOUND ? OK : e;
}

static struct import_batch *files_batch_new(struct import *im) {
  struct import_batch *b = calloc(1, sizeof(*b));
  if (b) b->im = im;
  return b;
}

static struct import_batch *files_batch_free(struct import_batch *b) {
  for (size_t i = 0; b && i < b->count; i++) free(b->files[i].path);
  free(b);
  return NULL;
}

enum err import_files(struct import *im) {
  struct import_walk w = {.im = im, .present = files_batch_new(im), .before = files_batch_new(im)};
  enum err e = w.present && w.before ? walk_directory(&w, ".", 0, count_file) : ERR_NOMEM;
  progress_begin(&im->progress, "Importing files");
  if (e == OK) e = walk_directory(&w, ".", 0, add_file);
  if (e == OK) e = walk_run_batch(&w);
  if (e == OK) e = batch_finish(&w, w.before);
  progress_end(&im->progress);
  files_batch_free(w.present);
  files_batch_free(w.before);
  return e;
}
