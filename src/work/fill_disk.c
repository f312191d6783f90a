/* fill_disk.c - the steps of a fill that wait for a disk, on the disk pool; each is posted back to the worker's thread.
 *
 * While a step runs, the fill is the pool's: the worker's thread touches none of part, name, info and disk_error.
 *
 * Invariants
 *  (1) Before a part is begun, the parts of lost tokens are removed: who held one can't publish it any more.
 *  (2) A file that is there is never replaced: it is verified and taken, or set aside when it is not what it should be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "domain/part.h"
#include "work/fill_found.h"
#include "work/fill_internal.h"

struct step {
  struct fetch_task task; /* its way back */
  struct fill *fill;
  void (*run)(struct fill *f);  /* on the pool */
  void (*back)(struct fill *f); /* on the worker's thread */
};

static void step_is_back(void *arg) {
  struct step *s = arg;
  struct fill *f = s->fill;
  void (*back)(struct fill *) = s->back;
  free(s);
  f->jobs--;
  if (f->lost) {
    fill_release_if_idle(f);
  } else {
    back(f);
  }
}

static void step_run(void *arg, unsigned worker) {
  struct step *s = arg;
  (void)worker;
  s->run(s->fill);
  fetch_post_task(s->fill->context->fetch, &s->task); /* the worker outlives its fills */
}

static void start(struct fill *f, void (*run)(struct fill *), void (*back)(struct fill *)) {
  struct step *s = calloc(1, sizeof(*s));
  if (s) *s = (struct step){.task = {.fn = step_is_back, .arg = s}, .fill = f, .run = run, .back = back};
  f->jobs++;
  if (s && pool_run(f->context->disk, step_run, s) == OK) return;
  f->jobs--;
  free(s);
  fill_fail(f, RECORDING_STORAGE_ERROR);
}

static enum recording_error storage_error(enum err e) {
  return e == ERR_FULL ? RECORDING_STORAGE_FULL : RECORDING_STORAGE_ERROR;
}

static void fail_on_disk(struct fill *f, const char *what) {
  (void)snprintf(f->log_why, sizeof(f->log_why), "%s: %s", what, err_text(f->disk_error));
  fill_fail(f, storage_error(f->disk_error));
}

/* ---- looking ---- */

static void run_look(struct fill *f) {
  const struct fill_context *context = f->context;
  struct part_owner owner;
  part_owner_of(&f->row, &owner);
  fill_find_before(f);
  f->disk_error = blob_sweep_below(context->store, &owner.whose, f->row.lease_token); /* (1) */
  if (f->disk_error != OK) return;
  f->taken = fill_found(context->store, &f->row, f->name, &f->info, f->sha256); /* (2) */
  if (f->taken) {
    fill_forget_before(f);
    return;
  }
  f->disk_error = blob_begin(context->store, owner.text, f->row.lease_token, &f->part);
}

/* The last word of a fill whose file has its name. */
static void complete(struct fill *f) {
  bool has_validators = f->begun && !f->taken;
  if (!has_validators && fill_make_validators(f) != OK) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  f->last.file = (struct recording_file){.name = str_from(f->name),
                                         .bytes = f->info.bytes,
                                         .content_type = str_from(audio_content_type(f->info.kind)),
                                         .etag = str_from(f->etag),
                                         .modified_at = f->modified_at,
                                         .duration_ms = f->info.duration_ms,
                                         .channels = f->info.channels,
                                         .sha256 = str_from(f->sha256),
                                         .peaks = str_of(f->info.peaks, f->info.peaks_bytes)};
  fill_end(f, RECORDING_COMPLETE);
}

static void looked(struct fill *f) {
  if (f->disk_error != OK) {
    fail_on_disk(f, "a part could not be begun");
  } else if (f->taken) {
    complete(f);
  } else if (f->returning) {
    fill_end(f, RECORDING_RELEASED);
  } else {
    fill_ask(f);
  }
}

void fill_check_store(struct fill *f) {
  f->state = FILL_LOOKING;
  start(f, run_look, looked);
}

/* ---- emptying ---- */

static void run_cut(struct fill *f) {
  f->disk_error = blob_part_cut(f->part, 0);
}

static void cut(struct fill *f) {
  f->size = 0;
  if (f->disk_error != OK)
    fail_on_disk(f, "the part could not be emptied");
  else if (f->returning)
    fill_end(f, RECORDING_RELEASED);
  else
    fill_ask(f);
}

void fill_cut(struct fill *f) {
  f->state = FILL_LOOKING;
  start(f, run_cut, cut);
}

/* ---- syncing and publishing ---- */

static void run_sync(struct fill *f) {
  f->disk_error = blob_sync(f->part);
}

static void synced(struct fill *f) {
  if (f->disk_error != OK) {
    fail_on_disk(f, "the part could not be synced");
  } else {
    fill_assert_lease(f);
  }
}

void fill_sync(struct fill *f) {
  f->state = FILL_SYNCING;
  start(f, run_sync, synced);
}

static void run_publish(struct fill *f) {
  if (clock_mono_ms() >= f->lease_mono_ms) { /* frozen since the lease was confirmed */
    f->disk_error = ERR_CONFLICT;
    return;
  }
  f->disk_error = blob_publish(f->part, f->name);
  if (f->disk_error != ERR_EXISTS) return;
  f->taken = fill_found(f->context->store, &f->row, f->name, &f->info, f->sha256); /* (2) */
  f->disk_error = f->taken ? OK : blob_publish(f->part, f->name);
}

static void published(struct fill *f) {
  if (f->disk_error == ERR_CONFLICT || f->disk_error == ERR_NOT_FOUND) {
    fill_lease_lost(f); /* frozen, or another one swept the part */
  } else if (f->disk_error != OK) {
    fail_on_disk(f, "the recording could not be published");
  } else {
    complete(f);
  }
}

void fill_publish(struct fill *f) {
  f->state = FILL_PUBLISHING;
  start(f, run_publish, published);
}
