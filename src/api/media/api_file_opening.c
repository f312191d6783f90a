/* api_file_opening.c - one job of the volume for one database call: opens a ready file, or the part of another
 * process's fill, or looks for the file of a recording for which nothing arrives.
 *
 * Invariants
 *  (1) file_opening_run uses nothing but its own struct, the store and the follows: after a time-out the database call,
 *      and its exchange, may be gone before it returns.
 *  (2) A result that was not taken is closed by file_opening_drop. */
#include "api/media/api_file_opening.h"

#include <stdlib.h>
#include <string.h>

#include "api/request/api_loop.h"
#include "audio/audio.h"
#include "base/closer.h"
#include "base/fs.h"

struct file_opening {
  struct volume_job job;
  struct db_call *db_call; /* valid until file_opening_done was called (1) */
  struct blob_store *store;
  struct tape_follows *follows;
  struct recording row;
  struct file_opening_result result;
};

static struct file_opening *file_opening_of(struct volume_job *job) {
  return (struct file_opening *)(void *)job; /* its first member */
}

static enum err open_ready_file(struct file_opening *o) {
  int64_t size;
  struct file_opening_result *ret = &o->result;
  enum err e = blob_open(o->store, o->row.name, &ret->fd, &size);
  if (e == OK && size == o->row.bytes) return OK;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  ret->is_missing = true;
  e = store_id_of_volume(o->store, ret->store_id);
  return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

bool file_opening_looks(const struct recording *row) {
  return row->status == RECORDING_FAILED || (row->status == RECORDING_QUEUED && row->lease_until == 0);
}

/* Decides by the length alone: to read the whole file is a fill's work. */
static enum err look_for_file(struct file_opening *o) {
  char name[BLOB_NAME_SIZE];
  int fd CLEANUP(fs_close_) = -1;
  int64_t size;
  TRY(blob_find(o->store, o->row.stem, name));
  TRY(blob_open(o->store, name, &fd, &size));
  o->result.is_seen = size >= AUDIO_LEAST_BYTES && (o->row.bytes <= 0 || size == o->row.bytes);
  return OK;
}

static enum err file_opening_run(struct volume_job *job) {
  struct file_opening *o = file_opening_of(job);
  if (o->row.status == RECORDING_READY) return open_ready_file(o);
  if (file_opening_looks(&o->row)) return look_for_file(o);
  if (tape_follow(o->follows, &o->row, &o->result.tape) != OK) o->result.tape = NULL; /* the request waits for it */
  return OK;
}

static void file_opening_done(struct volume_job *job, enum err result) {
  db_call_finish(file_opening_of(job)->db_call, result);
}

static void file_opening_drop(struct volume_job *job) { /* (2) */
  struct file_opening *o = file_opening_of(job);
  closer_close(o->result.fd);
  tape_unref(o->result.tape);
  free(o);
}

enum err file_opening_begin(struct db_call *c, const struct recording *row, void (*on_done)(struct db_call *c),
                            struct file_opening **ret_opening) {
  struct file_opening *o = calloc(1, sizeof(*o));
  if (!o) return ERR_NOMEM;
  o->job = (struct volume_job){.run = file_opening_run,
                               .done = file_opening_done,
                               .destroy = file_opening_drop,
                               .timeout_ms = FILE_OPENING_TIMEOUT_MS};
  o->db_call = c;
  o->store = c->api->parts.store;
  o->follows = c->api->parts.follows;
  o->row = *row;
  o->result.fd = -1;
  enum err failed = db_call_start(c, on_done);
  if (failed == OK) {
    *ret_opening = o; /* set first: on_done may run before volume_run returns */
    failed = volume_run(c->api->parts.volume, &o->job);
    if (failed == OK) return OK;
    *ret_opening = NULL;
    failed = db_call_cancel(c, failed);
  }
  free(o);
  return failed;
}

struct file_opening_result file_opening_take_result(struct file_opening *o) {
  struct file_opening_result taken = o->result;
  if (taken.is_missing && taken.fd >= 0) { /* its length is not that of the row */
    closer_close(taken.fd);
    taken.fd = -1;
  }
  o->result = (struct file_opening_result){.fd = -1};
  return taken;
}

struct file_opening *file_opening_release(struct file_opening *o) {
  if (o) volume_release(&o->job);
  return NULL;
}
