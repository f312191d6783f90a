#include "work/fill_found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "domain/recording_log.h"

enum { READ_CHUNK = 256 * 1024, DURATION_SLACK_MS = 2000 };

static enum err read_file_through(int fd, struct audio *audio, struct digest *digest) {
  char *chunk CLEANUP(free_char) = malloc(READ_CHUNK);
  if (!chunk) return ERR_NOMEM;
  for (int64_t at = 0;;) {
    ssize_t n = pread(fd, chunk, READ_CHUNK, at);
    if (n < 0) return ERR_IO;
    if (n == 0) return OK;
    digest_add(digest, str_of(chunk, (size_t)n));
    TRY(audio_feed(audio, str_of(chunk, (size_t)n)));
    at += n;
  }
}

static void free_audio(struct audio **a) {
  *a = audio_free(*a);
}
enum err fill_inspect_file(struct blob_store *store, const char *name, struct audio_info *ret_info,
                           char ret_sha256[65]) {
  int fd CLEANUP(fs_close_) = -1;
  int64_t size;
  struct audio *audio CLEANUP(free_audio) = NULL;
  struct digest *digest CLEANUP(digest_free_) = NULL;
  TRY(blob_open(store, name, &fd, &size));
  TRY(audio_new(&audio));
  TRY(digest_new(&digest));
  TRY(read_file_through(fd, audio, digest));
  audio_finish(audio, ret_info);
  digest_hex(digest, ret_sha256);
  TRY(fs_sync_file(fd)); /* the process that published it may have died before it synced */
  return fs_sync_parent(blob_directory_fd(store), name);
}

bool fill_file_is_whole(const struct recording *row, const struct audio_info *info) {
  if (info->kind == AUDIO_NONE || info->bytes < AUDIO_LEAST_BYTES) return false;
  if (row->bytes > 0) return info->bytes == row->bytes;
  bool long_enough = row->provider_duration_s == 0 || info->duration_ms < 0 ||
                     info->duration_ms + DURATION_SLACK_MS >= row->provider_duration_s * 1000;
  return info->whole && long_enough;
}

enum err fill_set_file_aside(struct blob_store *store, const struct recording *row, const char *name) {
  char aside[RECORDING_NAME_SIZE + 32];
  (void)snprintf(aside, sizeof(aside), "%s.%lld.bad", name, (long long)row->lease_token);
  int dir = blob_directory_fd(store);
  enum err e = fs_link(dir, name, aside);
  if (e == OK || e == ERR_EXISTS) e = fs_unlink(dir, name);
  if (e == OK)
    log_warn("File with the wrong content set aside", LOG_RECORDING(row), LOG_TEXT("file", aside));
  else
    log_error("Could not set aside a file with the wrong content", LOG_RECORDING(row), LOG_TEXT("file", name),
              LOG_ERR(e));
  return e;
}

bool fill_find_file(struct blob_store *store, const struct recording *row, char ret_name[RECORDING_NAME_SIZE],
                    struct audio_info *ret_info, char ret_sha256[65]) {
  char name[BLOB_NAME_SIZE];
  struct audio_info info;
  if (blob_find(store, row->stem, name) != OK) return false;
  enum err e = fill_inspect_file(store, name, &info, ret_sha256);
  if (e == OK && !fill_file_is_whole(row, &info)) IGNORE(fill_set_file_aside(store, row, name)); /* logged there */
  if (e != OK || !fill_file_is_whole(row, &info)) return false;
  *ret_info = info;
  return str_copy(ret_name, RECORDING_NAME_SIZE, str_from(name)) == OK;
}
