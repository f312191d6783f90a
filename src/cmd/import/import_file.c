/* import_file.c - judges one file by its bytes, and gives it a name in the store. Runs on several threads.
 *
 * Invariants
 *  (1) The file is opened once and read through that descriptor, so the file that is linked or copied is the one that was judged.
 *  (2) The file itself is never changed: it is opened for reading, and no name of it is removed.
 *  (3) A file has its name in the store only when its bytes are on disk; the directory is synced by the caller's batch. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "cmd/import/import_parts.h"
#include "work/fill_found.h"

enum { CHUNK = 256 * 1024, COPY_TRIES = 5 };

static void free_audio(struct audio **a) {
  *a = audio_free(*a);
}
static enum err open_source(const struct import *im, struct import_file *f, int *ret_fd) {
  struct stat status;
  TRY(fs_open_read(im->dir, f->path, ret_fd));
  if (fstat(*ret_fd, &status) != 0) return err_from_errno(errno);
  f->modified_ms = (int64_t)status.st_mtim.tv_sec * 1000;
  f->info.bytes = status.st_size;
  return OK;
}

static enum err read_through(int fd, struct import_file *f) {
  struct audio *audio CLEANUP(free_audio) = NULL;
  struct digest *digest CLEANUP(digest_free_) = NULL;
  char *chunk CLEANUP(free_char) = malloc(CHUNK);
  if (!chunk) return ERR_NOMEM;
  TRY(audio_new(&audio));
  TRY(digest_new(&digest));
  for (int64_t at = 0;;) {
    ssize_t n = pread(fd, chunk, CHUNK, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ERR_IO;
    if (n == 0) break;
    digest_add(digest, str_of(chunk, (size_t)n));
    TRY(audio_feed(audio, str_of(chunk, (size_t)n)));
    at += n;
    if (audio_verdict(audio) == AUDIO_NO) break;
  }
  audio_finish(audio, &f->info);
  digest_hex(digest, f->sha256);
  return OK;
}

/* Whether the file that has the name is the same, byte for byte. */
static bool has_the_same(const struct import *im, const struct import_file *f) {
  struct audio_info *info = malloc(sizeof(*info));
  char sha256[65];
  bool is_same = info && fill_inspect_file(im->store, f->name, info, sha256) == OK && strcmp(sha256, f->sha256) == 0;
  free(info);
  return is_same;
}

static enum err link_file(const struct import *im, const struct import_file *f, int fd) {
  int store = blob_directory_fd(im->store);
  enum err e = fs_link_open(fd, store, f->name);
  if (e != ERR_NOT_FOUND) return e;
  TRY(fs_make_parents(store, f->name));
  return fs_link_open(fd, store, f->name);
}

static enum err copy_bytes(int fd, struct blob_part *part) {
  char *chunk CLEANUP(free_char) = malloc(CHUNK);
  if (!chunk) return ERR_NOMEM;
  for (int64_t at = 0;;) {
    ssize_t n = pread(fd, chunk, CHUNK, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ERR_IO;
    if (n == 0) return OK;
    TRY(blob_append(part, str_of(chunk, (size_t)n)));
    at += n;
  }
}

/* The part has the name that a fill's would have, so that the sweep removes it if this process dies. */
static enum err copy_file(const struct import *im, struct import_file *f, int fd) {
  char owner[SID_SIZE + 32];
  struct blob_part *part;
  (void)snprintf(owner, sizeof(owner), "%lld.%s", (long long)f->row.business_id, f->row.recording_sid);
  enum err e = blob_begin(im->store, owner, 0, &part);
  if (e == ERR_EXISTS) { /* of an import that died */
    TRY(blob_remove_part(im->store, owner, 0));
    e = blob_begin(im->store, owner, 0, &part);
  }
  TRY(e);
  e = copy_bytes(fd, part);
  if (e == OK) e = blob_publish(part, f->name);
  blob_abandon(part);
  f->is_copied = e == OK;
  return e;
}

/* A worker's sweep may remove the part meanwhile: it knows nothing of it. */
static enum err copy_file_again(const struct import *im, struct import_file *f, int fd) {
  enum err e = ERR_NOT_FOUND;
  for (int i = 0; i < COPY_TRIES && e == ERR_NOT_FOUND; i++) e = copy_file(im, f, fd);
  return e;
}

static enum import_refusal place_file(const struct import *im, struct import_file *f, int fd) {
  enum err e = ERR_UNSUPPORTED;
  int length = snprintf(f->name, sizeof(f->name), "%s.%s", f->stem, audio_extension(f->info.kind));
  if (length >= (int)sizeof(f->name)) return IMPORT_STORE;
  if (im->how != IMPORT_COPY) {
    if (fs_sync_file(fd) != OK) return IMPORT_UNREADABLE; /* (3) */
    e = link_file(im, f, fd);
  }
  bool can_link = e != ERR_UNSUPPORTED && e != ERR_DENIED;
  if (!can_link && im->how == IMPORT_LINK) return IMPORT_NO_LINK;
  if (!can_link) e = copy_file_again(im, f, fd);
  if (e == ERR_EXISTS) return has_the_same(im, f) ? IMPORT_TAKEN : IMPORT_OTHER_FILE;
  return e == OK ? IMPORT_TAKEN : IMPORT_STORE;
}

static enum import_refusal file_judge(const struct import *im, const struct import_file *f) {
  const struct audio_info *info = &f->info;
  if (info->bytes > im->app.conf.max_recording_bytes) return IMPORT_TOO_LARGE;
  if (info->kind == AUDIO_NONE || info->bytes < AUDIO_LEAST_BYTES) return IMPORT_NOT_AUDIO;
  return fill_file_is_whole(&f->row, info) ? IMPORT_TAKEN : IMPORT_TRUNCATED;
}

void import_file_compare(const struct import *im, struct import_file *f) {
  int fd CLEANUP(fs_close_) = -1;
  enum err e = open_source(im, f, &fd);
  if (e == OK) e = read_through(fd, f);
  if (e != OK)
    f->why = e == ERR_INVALID ? IMPORT_NOT_A_FILE : IMPORT_UNREADABLE;
  else
    f->why = strcmp(f->sha256, f->row.sha256) == 0 ? IMPORT_ALREADY : IMPORT_DIFFERS;
}

void import_file_take(const struct import *im, struct import_file *f) {
  int fd CLEANUP(fs_close_) = -1;
  enum err e = open_source(im, f, &fd);
  if (e == OK && f->info.bytes > im->app.conf.max_recording_bytes)
    f->why = IMPORT_TOO_LARGE;
  else if (e == OK)
    e = read_through(fd, f); /* (1) */
  if (e != OK)
    f->why = e == ERR_INVALID ? IMPORT_NOT_A_FILE : IMPORT_UNREADABLE;
  else if (!f->why)
    f->why = file_judge(im, f);
  if (f->why) return;
  if (!f->stem[0] && f->is_new && !f->row.started_at) f->row.started_at = f->modified_ms;
  if (!f->stem[0] && recording_stem(&f->row, 0, f->stem) != OK) {
    f->why = IMPORT_STORE;
    return;
  }
  f->why = place_file(im, f, fd);
}
