/* fill_disk.c - the steps of a fill that wait for the volume. Each runs on the disk pool and ends on the worker's thread.
 *
 *   worker thread --disk_step_start--> pool: X_run --fetch_post_task--> worker thread: X_done
 *
 * Invariants
 *  (1) Before a part is begun, the parts of older tokens are removed: their holders can't publish them any more.
 *  (2) A file that has the recording's name is never replaced: it is verified and used, or set aside if it is not whole.
 *  (3) While a step runs, the pool's thread owns part, name, info and disk_error: the worker's thread doesn't touch
 *      them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "domain/part.h"
#include "domain/recording_log.h"
#include "domain/store.h"
#include "work/fill_found.h"
#include "work/fill_internal.h"

struct disk_step {
  struct fetch_task task; /* posts it to the worker's thread */
  struct fill *fill;
  void (*run)(struct fill *f);  /* on the pool */
  void (*done)(struct fill *f); /* on the worker's thread */
};

static void disk_step_done(void *arg) {
  struct disk_step *s = arg;
  struct fill *f = s->fill;
  void (*done)(struct fill *) = s->done;
  free(s);
  f->steps_pending--;
  if (f->hold == FILL_HOLD_LOST) {
    fill_release_if_idle(f);
  } else {
    done(f);
  }
}

static void disk_step_run(void *arg, unsigned worker) {
  struct disk_step *s = arg;
  (void)worker;
  s->run(s->fill);
  fetch_post_task(s->fill->context->fetch, &s->task); /* the worker outlives its fills */
}

static void disk_step_start(struct fill *f, void (*run)(struct fill *), void (*done)(struct fill *)) {
  struct disk_step *s = calloc(1, sizeof(*s));
  if (s) *s = (struct disk_step){.task = {.fn = disk_step_done, .arg = s}, .fill = f, .run = run, .done = done};
  f->steps_pending++;
  if (s && pool_run(f->context->disk, disk_step_run, s) == OK) return;
  f->steps_pending--;
  free(s);
  fill_fail(f, RECORDING_STORAGE_ERROR);
}

static enum recording_error storage_error(enum err e) {
  return e == ERR_FULL ? RECORDING_STORAGE_FULL : RECORDING_STORAGE_ERROR;
}

static void fill_fail_on_disk(struct fill *f, const char *what) {
  (void)snprintf(f->log_why, sizeof(f->log_why), "%s: %s", what, err_text(f->disk_error));
  fill_fail(f, storage_error(f->disk_error));
}

/* ---- a finished file, or a new part ---- */

static void check_store_run(struct fill *f) {
  const struct fill_context *context = f->context;
  if (fill_only_checks(f)) { /* the parts stay for the download that may follow */
    f->found_file = fill_find_file(context->store, &f->row, f->name, &f->info, f->sha256); /* (2) */
    return;
  }
  struct part_owner owner;
  part_owner_of(&f->row, &owner);
  fill_open_previous_part(f);
  f->disk_error = blob_sweep_below(context->store, &owner.blob, f->row.lease_token); /* (1) */
  if (f->disk_error != OK) return;
  f->found_file = fill_find_file(context->store, &f->row, f->name, &f->info, f->sha256); /* (2) */
  if (f->found_file) {
    fill_close_previous_part(f);
    return;
  }
  f->disk_error = blob_begin(context->store, owner.text, f->row.lease_token, &f->part);
}

/* The file has its name: reports it. */
static void fill_complete(struct fill *f) {
  bool keeps_validators = f->has_validators && !f->found_file;
  if (!keeps_validators && fill_make_validators(f) != OK) {
    fill_fail(f, RECORDING_STORAGE_ERROR);
    return;
  }
  f->final_event.file = (struct recording_file){.name = str_from(f->name),
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

static void check_store_done(struct fill *f) {
  if (f->disk_error != OK) {
    fill_fail_on_disk(f, "could not create a part");
  } else if (f->found_file) {
    fill_complete(f);
  } else if (fill_only_checks(f)) {
    fill_end(f, RECORDING_FILE_WRONG);
  } else if (f->hold == FILL_HOLD_RETURNING) {
    fill_end(f, RECORDING_RELEASED);
  } else {
    fill_ask(f);
  }
}

void fill_check_store(struct fill *f) {
  f->state = FILL_CHECKING_STORE;
  disk_step_start(f, check_store_run, check_store_done);
}

/* ---- emptying ---- */

static void empty_part_run(struct fill *f) {
  f->disk_error = blob_part_cut(f->part, 0);
}

static void empty_part_done(struct fill *f) {
  f->size = 0;
  if (f->disk_error != OK)
    fill_fail_on_disk(f, "could not empty the part");
  else if (f->hold == FILL_HOLD_RETURNING)
    fill_end(f, RECORDING_RELEASED);
  else
    fill_ask(f);
}

void fill_empty_part(struct fill *f) {
  f->state = FILL_CHECKING_STORE;
  disk_step_start(f, empty_part_run, empty_part_done);
}

/* ---- syncing and publishing ---- */

static void sync_run(struct fill *f) {
  f->disk_error = blob_sync(f->part);
}

static void sync_done(struct fill *f) {
  if (f->disk_error != OK) {
    fill_fail_on_disk(f, "could not sync the part");
  } else {
    fill_assert_lease(f);
  }
}

void fill_sync(struct fill *f) {
  f->state = FILL_SYNCING;
  disk_step_start(f, sync_run, sync_done);
}

static void publish_run(struct fill *f) {
  if (clock_mono_ms() >= f->lease_mono_ms) { /* the process was suspended since the lease was confirmed */
    f->disk_error = ERR_CONFLICT;
    return;
  }
  if (store_is_elsewhere(f->context->store)) { /* RECORDINGS_DIR leads elsewhere now: no reader would find the file */
    f->disk_error = ERR_IO;
    return;
  }
  f->disk_error = blob_publish(f->part, f->name);
  if (f->disk_error != ERR_EXISTS) return;
  f->found_file = fill_find_file(f->context->store, &f->row, f->name, &f->info, f->sha256); /* (2) */
  f->disk_error = f->found_file ? OK : blob_publish(f->part, f->name);
}

static void publish_done(struct fill *f) {
  if (f->disk_error == ERR_CONFLICT) {
    fill_lease_lost(f); /* suspended */
  } else if (f->disk_error ==
             ERR_NOT_FOUND) { /* if the next holder swept it, the report finds that the lease is lost */
    log_warn("Part was removed during its download", LOG_RECORDING(&f->row));
    fill_end(f, RECORDING_RELEASED);
  } else if (f->disk_error != OK) {
    fill_fail_on_disk(f, "could not publish the recording");
  } else {
    fill_complete(f);
  }
}

void fill_publish(struct fill *f) {
  f->state = FILL_PUBLISHING;
  disk_step_start(f, publish_run, publish_done);
}
