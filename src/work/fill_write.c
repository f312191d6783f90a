/* fill_write.c - moves bytes from the transfer into the part, in order, over a bounded buffer that the disk pool writes.
 *
 *   transfer --fill_write_take--> incoming --write_start, one at a time--> disk pool: compares, appends
 *                                                     --write_done--> size, listeners, digest, audio
 *   incoming is full: the transfer is paused --write_done--> resumed
 *   the transfer ended: fill_transfer_ended is called after the last write_done
 *
 * A volume that does not answer blocks one write of each fill and nothing else: the worker's thread renews the leases,
 * serves its other callers, and the fill continues where it was when the volume answers.
 *
 * Invariants
 *  (1) At most one write of a fill is under way. Until it is done the pool owns the part and the previous part's file: the
 *      worker's thread neither changes nor closes them. It knows the part's length as `size`.
 *  (2) part[0, size), audio and digest have seen the same bytes, in order.
 *  (3) Bytes that arrive during a write wait in `incoming`, which holds at most FILL_BUFFER_BYTES and one delivery.
 *  (4) fill_transfer_ended is called only when no write is under way and no byte waits. */
#include <stdlib.h>
#include <string.h>

#include "base/closer.h"
#include "work/fill_internal.h"

struct write {
  struct fetch_task task; /* posts it to the worker's thread */
  struct fill *fill;
  struct blob_part *part;
  struct buf bytes;
  size_t to_compare;          /* resumed from byte 0: leading bytes that the part has already */
  int64_t compare_at;         /* their offset in the part */
  int previous_fd;            /* the previous part, which the rest is compared with; -1: none */
  int64_t at, previous_bytes; /* offset of the rest; length of the previous part */
  /* results */
  bool differs;               /* the leading bytes are not the part's; nothing was appended */
  bool differs_from_previous; /* the rest is not what the previous part has */
  enum err e;                 /* of appending the rest */
};

static struct str write_rest(const struct write *w) {
  return str_skip(buf_str(&w->bytes), w->to_compare);
}

/* How many bytes of the rest lie within the previous part. */
static size_t write_previous_overlap(const struct write *w) {
  int64_t left = w->previous_bytes - w->at, n = (int64_t)write_rest(w).n;
  return w->previous_fd < 0 || left <= 0 ? 0 : (size_t)(left < n ? left : n);
}

/* On the disk pool. */
static void write_run(void *arg, unsigned worker) {
  struct write *w = arg;
  struct str head = str_head(buf_str(&w->bytes), w->to_compare), rest = write_rest(w);
  size_t old = write_previous_overlap(w);
  (void)worker;
  w->differs = fill_equal_prefix(blob_part_fd(w->part), w->compare_at, head) < (int64_t)head.n;
  if (!w->differs && rest.n) {
    w->differs_from_previous = fill_equal_prefix(w->previous_fd, w->at, str_head(rest, old)) < (int64_t)old;
    w->e = blob_append(w->part, rest);
  }
  fetch_post_task(w->fill->context->fetch, &w->task); /* the worker outlives its fills */
}

static void write_done(void *arg);

/* Gives the buffer to the pool. */
static enum err write_start(struct fill *f) {
  struct write *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  int64_t left = f->compared >= 0 ? f->size - f->compared : 0;
  *w = (struct write){.task = {.fn = write_done, .arg = w},
                      .fill = f,
                      .part = f->part,
                      .bytes = f->incoming,
                      .to_compare = left < (int64_t)f->incoming.n ? (size_t)left : f->incoming.n,
                      .compare_at = f->compared,
                      .previous_fd = f->previous_fd,
                      .at = f->size,
                      .previous_bytes = f->previous_bytes};
  enum err e = pool_run(f->context->disk, write_run, w);
  if (e != OK) {
    free(w);
    return e;
  }
  buf_init(&f->incoming, FILL_INCOMING_MAX_BYTES);
  f->is_writing = true;
  f->writing_bytes = (int64_t)w->bytes.n;
  f->steps_pending++;
  return OK;
}

enum err fill_write_take(struct fill *f, struct str bytes) {
  TRY(buf_add(&f->incoming, bytes));
  if (!f->is_writing) TRY(write_start(f));
  if (f->incoming.n >= FILL_BUFFER_BYTES && !f->transfer_paused) {
    f->transfer_paused = true; /* (3) */
    fetch_pause(f->transfer);
  }
  return OK;
}

int64_t fill_write_position(const struct fill *f) {
  return (f->compared >= 0 ? f->compared : f->size) + f->writing_bytes + (int64_t)f->incoming.n;
}

static void write_take_result(struct fill *f, const struct write *w) {
  struct str rest = write_rest(w);
  if (w->differs) {
    f->verdict = FILL_VERDICT_CHANGED;
    return;
  }
  if (f->compared >= 0) {
    f->compared += (int64_t)w->to_compare;
    if (f->compared == f->size) f->compared = -1;
  }
  if (rest.n == 0) return;
  if (w->differs_from_previous)
    fill_void_validators(f);
  else if (f->previous_fd >= 0 && w->at + (int64_t)rest.n >= f->previous_bytes)
    fill_close_previous_part(f); /* compared to its end: no listener has had a later byte */
  if (w->e == OK) f->size += (int64_t)rest.n;
  fill_bytes_written(f, rest, w->e);
}

/* After a write: starts the next one, handles the end of the transfer, or resumes it. */
static void write_continue(struct fill *f) {
  if (f->hold == FILL_HOLD_RETURNING) buf_clear(&f->incoming); /* the next fill continues with what is written */
  if (f->verdict == FILL_VERDICT_NONE && f->incoming.n && write_start(f) != OK) {
    f->verdict = FILL_VERDICT_ERROR;
    f->verdict_error = RECORDING_STORAGE_ERROR;
  }
  if (f->verdict != FILL_VERDICT_NONE) {
    buf_clear(&f->incoming);
    if (f->transfer)
      fetch_cancel(f->transfer); /* fill_on_end continues */
    else
      fill_write_end(f, NULL);
    return;
  }
  if (!f->is_writing && f->transfer_ended) {
    fill_write_end(f, NULL);
    return;
  }
  if (!f->transfer_paused || !f->transfer) return;
  f->transfer_paused = false;
  fetch_resume(f->transfer); /* last: it may call fill_on_data at once */
}

static void write_done(void *arg) {
  struct write *w = arg;
  struct fill *f = w->fill;
  f->steps_pending--;
  f->is_writing = false;
  f->writing_bytes = 0;
  if (f->hold == FILL_HOLD_LOST) {
    fill_release_if_idle(f);
  } else {
    write_take_result(f, w);
    write_continue(f);
  }
  buf_done(&w->bytes);
  free(w);
}

void fill_write_end(struct fill *f, const struct fetch_result *result) {
  if (result) {
    f->result = *result;
    f->transfer_ended = true;
    f->transfer_paused = false;
  }
  if (f->hold == FILL_HOLD_LOST) {
    fill_release_if_idle(f);
    return;
  }
  if (f->is_writing || (f->incoming.n && f->verdict == FILL_VERDICT_NONE && f->hold != FILL_HOLD_RETURNING))
    return; /* (4) */
  buf_clear(&f->incoming);
  f->transfer_ended = false;
  fill_transfer_ended(f, &f->result);
}

/* ---- closing files, on the disk pool ---- */

struct closed_files {
  struct blob_part *part;
  bool keeps_file; /* else the part's file is removed */
  int fd;
};

static void close_files_run(void *arg, unsigned worker) {
  struct closed_files *d = arg;
  (void)worker;
  d->part = d->keeps_file ? blob_leave(d->part) : blob_abandon(d->part);
  closer_close(d->fd);
  free(d);
}

static void close_files(struct fill *f, struct blob_part *part, bool keeps_file, int fd) {
  struct closed_files *d = malloc(sizeof(*d));
  if (d) *d = (struct closed_files){part, keeps_file, fd};
  if (d && pool_run(f->context->disk, close_files_run, d) == OK) return;
  free(d);
  blob_leave(part); /* swept later */
  closer_close(fd);
}

void fill_close_part(struct fill *f, bool keeps_file) {
  if (f->part) close_files(f, TAKE(f->part), keeps_file, -1);
  f->size = 0;
}

void fill_close_previous_part(struct fill *f) {
  if (f->previous_fd >= 0) close_files(f, NULL, true, f->previous_fd);
  f->previous_fd = -1;
}
