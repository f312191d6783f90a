/* api_file_opening.c - one file, or the tape of a fill of another process, opened for an db_call.
 *
 * Invariants
 *  (1) run touches nothing but the opening itself, the store and the follows: the db_call may be over before it returns.
 *  (2) What was opened and not taken is given back by drop. */
#include "api/media/api_file_opening.h"

#include <stdlib.h>
#include <string.h>

#include "api/request/api_loop.h"
#include "base/closer.h"
struct opening {
  struct volume_job job;
  struct db_call *db_call; /* until done was called */
  struct blob_store *store;
  struct tape_follows *follows;
  struct recording row;
  struct opened opened;
};

static struct opening *opening_of(struct volume_job *job) {
  return (struct opening *)(void *)job; /* its first member */
}

static enum err open_ready_file(struct opening *o) {
  int64_t size;
  struct opened *opened = &o->opened;
  enum err e = blob_open(o->store, o->row.name, &opened->fd, &size);
  if (e == OK && size == o->row.bytes) return OK;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  opened->is_missing = true;
  e = store_id_of_volume(o->store, opened->store_id);
  return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
}

static enum err run(struct volume_job *job) {
  struct opening *o = opening_of(job);
  if (o->row.status == RECORDING_READY) return open_ready_file(o);
  if (tape_follow(o->follows, &o->row, &o->opened.tape) != OK) o->opened.tape = NULL; /* it is waited for */
  return OK;
}

static void done(struct volume_job *job, enum err result) {
  db_call_return(opening_of(job)->db_call, result);
}

static void drop(struct volume_job *job) {
  struct opening *o = opening_of(job);
  closer_close(o->opened.fd);
  tape_unref(o->opened.tape);
  free(o);
}

enum err opening_begin(struct db_call *e, const struct recording *row, void (*back)(struct db_call *e),
                       struct opening **ret_opening) {
  struct opening *o = calloc(1, sizeof(*o));
  if (!o) return ERR_NOMEM;
  o->job = (struct volume_job){.run = run, .done = done, .destroy = drop, .timeout_ms = OPENING_MS};
  o->db_call = e;
  o->store = e->api->parts.store;
  o->follows = e->api->parts.follows;
  o->row = *row;
  o->opened.fd = -1;
  enum err failed = db_call_leave(e, back);
  if (failed == OK) {
    *ret_opening = o; /* before the volume's thread may be back */
    failed = volume_run(e->api->parts.volume, &o->job);
    if (failed == OK) return OK;
    *ret_opening = NULL;
    failed = db_call_stay(e, failed);
  }
  free(o);
  return failed;
}

struct opened opening_take(struct opening *o) {
  struct opened taken = o->opened;
  if (taken.is_missing && taken.fd >= 0) { /* of another length */
    closer_close(taken.fd);
    taken.fd = -1;
  }
  o->opened = (struct opened){.fd = -1};
  return taken;
}

struct opening *opening_end(struct opening *o) {
  if (o) volume_release(&o->job);
  return NULL;
}
