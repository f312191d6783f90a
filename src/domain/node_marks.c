/* node_marks.c - see node_marks.h. */
#include "domain/node_marks.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"

#define MARKS_DIRECTORY ".nodes"

enum { MARK_PATH_SIZE = sizeof(MARKS_DIRECTORY) + NODE_ID_SIZE, MARK_TEXT_SIZE = 32, SWEEP_MOST = 1000 };
enum { NODE_LIVES_MS = 30 * 1000 };

static void mark_path(const char *node_id, char ret_path[MARK_PATH_SIZE]) {
  (void)snprintf(ret_path, MARK_PATH_SIZE, MARKS_DIRECTORY "/%s", node_id);
}

/* ---- the rows ---- */

struct rows_reading {
  int64_t now;
  const char *own_id;
  struct node_marks *marks;
};

static enum err add_row(void *arg, const struct node *node) {
  struct rows_reading *r = arg;
  int64_t age_ms = r->now - node->seen_at;
  if (!node->mark || age_ms > NODE_LIVES_MS || age_ms < -NODE_LIVES_MS) return OK;
  if (strcmp(node->node_id, r->own_id) == 0 || r->marks->count == NODE_MARKS_MAX) return OK;
  struct node_mark *mark = &r->marks->marks[r->marks->count++];
  memcpy(mark->node_id, node->node_id, sizeof(mark->node_id));
  mark->mark = node->mark;
  return OK;
}

enum err node_marks_read(struct db *db, const char *own_id, struct node_marks *ret_marks) {
  struct node_marks found = {.count = 0};
  struct rows_reading r = {db_now_ms(db), own_id, &found};
  TRY(nodes_each(db, add_row, &r));
  *ret_marks = found;
  return OK;
}

/* ---- the files ---- */

/* A process's numbers only grow, so a shorter text never follows a longer one. */
enum err node_mark_write(struct blob_store *store, const char *node_id, int64_t mark) {
  char path[MARK_PATH_SIZE], text[MARK_TEXT_SIZE];
  int dir = blob_directory_fd(store);
  mark_path(node_id, path);
  (void)snprintf(text, sizeof(text), "%lld\n", (long long)mark);
  enum err e = fs_write_over(dir, path, 0640, str_from(text));
  if (e != ERR_NOT_FOUND) return e;
  TRY(fs_make_parents(dir, path)); /* the volume's first mark */
  return fs_write_over(dir, path, 0640, str_from(text));
}

enum err node_mark_remove(struct blob_store *store, const char *node_id) {
  char path[MARK_PATH_SIZE];
  mark_path(node_id, path);
  return fs_unlink(blob_directory_fd(store), path);
}

bool node_mark_is_missing(int dir, const struct node_mark *mark) {
  char path[MARK_PATH_SIZE];
  char *text CLEANUP(free_char) = NULL;
  size_t size;
  int64_t found;
  mark_path(mark->node_id, path);
  enum err e = fs_read_whole(dir, path, MARK_TEXT_SIZE, &text, &size);
  if (e != OK) return e == ERR_NOT_FOUND;
  struct str number, rest;
  (void)str_cut(str_of(text, size), '\n', &number, &rest);
  return str_to_i64(number, 0, INT64_MAX, &found) != OK || found < mark->mark;
}

const struct node_mark *node_marks_first_missing(struct blob_store *store, const struct node_marks *marks) {
  for (size_t i = 0; i < marks->count; i++)
    if (node_mark_is_missing(blob_directory_fd(store), &marks->marks[i])) return &marks->marks[i];
  return NULL;
}

/* ---- sweeping ---- */

struct sweeping {
  int64_t own_renewed_s; /* by the volume's clock, as the other marks' times */
  int left;
};

static enum err sweep_mark(void *arg, int dir, const char *name, bool is_dir) {
  struct sweeping *s = arg;
  struct stat st;
  if (s->left-- <= 0) return ERR_TOO_BIG;
  if (is_dir || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return OK;
  if (s->own_renewed_s - (int64_t)st.st_mtime <= NODE_FORGOTTEN_MS / 1000) return OK;
  IGNORE(fs_unlink(dir, name)); /* another process may have removed it */
  return OK;
}

enum err node_marks_sweep(struct blob_store *store, const char *node_id) {
  char path[MARK_PATH_SIZE];
  struct stat own;
  int dir = blob_directory_fd(store);
  mark_path(node_id, path);
  if (fstatat(dir, path, &own, AT_SYMLINK_NOFOLLOW) != 0) return ERR_NOT_FOUND;
  struct sweeping s = {(int64_t)own.st_mtime, SWEEP_MOST};
  enum err e = fs_each(dir, MARKS_DIRECTORY, sweep_mark, &s);
  return e == ERR_TOO_BIG ? OK : e;
}
