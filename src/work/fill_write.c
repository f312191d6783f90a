/* fill_write.c - how bytes get from the transfer into the part: over a bounded buffer, written by the disk pool, in order.
 *
 *   transfer --fill_write_take--> buffer --one write at a time--> disk pool: compared, appended
 *                                                                   --back--> size, listeners, digest, audio
 *   buffer full: the transfer is paused --a write came back--> goes on
 *   transfer over: what it decides waits until the last write is back
 *
 * A volume that does not answer keeps the fills waiting, one write each, and nobody else: leases are renewed, other callers of
 * the worker's thread are served, and the fill goes on where it was.
 *
 * Invariants
 *  (1) At most one write of a fill is under way. Until it is back the part and the file of before are the pool's: the
 *      worker's thread neither changes nor closes them. It knows how long the part is by `size`.
 *  (2) part[0, size), audio and digest have seen the same bytes, in order.
 *  (3) What comes while a write is under way waits in `in`, which holds no more than FILL_BUFFER_BYTES and one delivery.
 *  (4) A transfer that is over is acted on only when nothing is under way or waits (fill_transfer_over). */
#include <stdlib.h>
#include <string.h>

#include "base/closer.h"
#include "work/fill_internal.h"

struct write {
  struct fetch_task task; /* its way back */
  struct fill *fill;
  struct blob_part *part;
  struct buf bytes;
  size_t to_compare;        /* leading bytes that the part has already: of a restart from 0 */
  int64_t compare_at;       /* where in the part */
  int before;               /* the file of before that the rest is held against; -1: none */
  int64_t at, before_bytes; /* where the rest begins, and how long that file is */
  /* results */
  bool differs;             /* the leading bytes are not the part's: nothing was appended */
  bool differs_from_before; /* the rest is not what the file of before has */
  enum err e;               /* of appending the rest */
};

static struct str rest_of(const struct write *w) {
  return str_skip(buf_str(&w->bytes), w->to_compare);
}

/* How much of the rest lies within the file of before. */
static size_t within_before(const struct write *w) {
  int64_t left = w->before_bytes - w->at, n = (int64_t)rest_of(w).n;
  return w->before < 0 || left <= 0 ? 0 : (size_t)(left < n ? left : n);
}

/* On the disk pool. */
static void run_write(void *arg, unsigned worker) {
  struct write *w = arg;
  struct str head = str_head(buf_str(&w->bytes), w->to_compare), rest = rest_of(w);
  size_t old = within_before(w);
  (void)worker;
  w->differs = fill_equal_prefix(blob_part_fd(w->part), w->compare_at, head) < (int64_t)head.n;
  if (!w->differs && rest.n) {
    w->differs_from_before = fill_equal_prefix(w->before, w->at, str_head(rest, old)) < (int64_t)old;
    w->e = blob_append(w->part, rest);
  }
  fetch_post_task(w->fill->context->fetch, &w->task); /* the worker outlives its fills */
}

static void write_is_back(void *arg);

/* The buffer goes to the pool. */
static enum err start_write(struct fill *f) {
  struct write *w = calloc(1, sizeof(*w));
  if (!w) return ERR_NOMEM;
  int64_t left = f->compared >= 0 ? f->size - f->compared : 0;
  *w = (struct write){.task = {.fn = write_is_back, .arg = w},
                      .fill = f,
                      .part = f->part,
                      .bytes = f->in,
                      .to_compare = left < (int64_t)f->in.n ? (size_t)left : f->in.n,
                      .compare_at = f->compared,
                      .before = f->before,
                      .at = f->size,
                      .before_bytes = f->before_bytes};
  enum err e = pool_run(f->context->disk, run_write, w);
  if (e != OK) {
    free(w);
    return e;
  }
  buf_init(&f->in, FILL_IN_MAX_BYTES);
  f->is_writing = true;
  f->writing_bytes = (int64_t)w->bytes.n;
  f->jobs++;
  return OK;
}

enum err fill_write_take(struct fill *f, struct str bytes) {
  TRY(buf_add(&f->in, bytes));
  if (!f->is_writing) TRY(start_write(f));
  if (f->in.n >= FILL_BUFFER_BYTES && !f->is_held) {
    f->is_held = true; /* (3) */
    fetch_pause(f->transfer);
  }
  return OK;
}

int64_t fill_write_position(const struct fill *f) {
  return (f->compared >= 0 ? f->compared : f->size) + f->writing_bytes + (int64_t)f->in.n;
}

static void take_result(struct fill *f, const struct write *w) {
  struct str rest = rest_of(w);
  if (w->differs) {
    f->stop = FILL_STOP_CHANGED;
    return;
  }
  if (f->compared >= 0) {
    f->compared += (int64_t)w->to_compare;
    if (f->compared == f->size) f->compared = -1;
  }
  if (rest.n == 0) return;
  if (w->differs_from_before)
    fill_void_validators(f);
  else if (f->before >= 0 && w->at + (int64_t)rest.n >= f->before_bytes)
    fill_forget_before(f); /* compared to its end: what follows was told to nobody */
  if (w->e == OK) f->size += (int64_t)rest.n;
  fill_written(f, rest, w->e);
}

/* What is due once a write is back: the next one, the end of the transfer, or more of it. */
static void go_on(struct fill *f) {
  if (f->returning) buf_clear(&f->in); /* what was written is enough to go on with */
  if (f->stop == FILL_STOP_NONE && f->in.n && start_write(f) != OK) {
    f->stop = FILL_STOP_ERROR;
    f->stopped_by = RECORDING_STORAGE_ERROR;
  }
  if (f->stop != FILL_STOP_NONE) {
    buf_clear(&f->in);
    if (f->transfer)
      fetch_cancel(f->transfer); /* its end decides */
    else
      fill_write_end(f, NULL);
    return;
  }
  if (!f->is_writing && f->is_over) {
    fill_write_end(f, NULL);
    return;
  }
  if (!f->is_held || !f->transfer) return;
  f->is_held = false;
  fetch_resume(f->transfer); /* last: it may bring bytes at once */
}

static void write_is_back(void *arg) {
  struct write *w = arg;
  struct fill *f = w->fill;
  f->jobs--;
  f->is_writing = false;
  f->writing_bytes = 0;
  if (f->lost) {
    fill_release_if_idle(f);
  } else {
    take_result(f, w);
    go_on(f);
  }
  buf_done(&w->bytes);
  free(w);
}

void fill_write_end(struct fill *f, const struct fetch_result *result) {
  if (result) {
    f->over = *result;
    f->is_over = true;
    f->is_held = false;
  }
  if (f->lost) {
    fill_release_if_idle(f);
    return;
  }
  if (f->is_writing || (f->in.n && f->stop == FILL_STOP_NONE && !f->returning)) return; /* (4) */
  buf_clear(&f->in);
  f->is_over = false;
  fill_transfer_over(f, &f->over);
}

/* ---- files that are let go of ---- */

struct dropped {
  struct blob_part *part;
  bool is_left; /* else its file is removed */
  int fd;
};

static void run_drop(void *arg, unsigned worker) {
  struct dropped *d = arg;
  (void)worker;
  d->part = d->is_left ? blob_leave(d->part) : blob_abandon(d->part);
  closer_close(d->fd);
  free(d);
}

static void drop(struct fill *f, struct blob_part *part, bool is_left, int fd) {
  struct dropped *d = malloc(sizeof(*d));
  if (d) *d = (struct dropped){part, is_left, fd};
  if (d && pool_run(f->context->disk, run_drop, d) == OK) return;
  free(d);
  blob_leave(part); /* swept later */
  closer_close(fd);
}

void fill_drop_part(struct fill *f, bool is_left) {
  if (f->part) drop(f, TAKE(f->part), is_left, -1);
  f->size = 0;
}

void fill_drop_before(struct fill *f) {
  if (f->before >= 0) drop(f, NULL, true, f->before);
  f->before = -1;
}
