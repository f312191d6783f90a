/* tape_follow.c - a tape whose bytes another process writes. Each change of the recording's row starts a refresh:
 *
 *   row changed --follow_on_change--> REQUESTED --a reader is free--> run_refresh reads the row
 *                                        no file to open --> follow_apply_row, end_refresh
 *                                        a file to open  --> open_followed_file on a thread of the volume
 *                                                            --> follow_apply_row, end_refresh
 *
 *   the row                                         follow_row does to the tape
 *   downloading, same validators, same token        extends it to received_bytes
 *   downloading, same validators, another token     switches to that token's part once it is as long
 *   queued, same validators                         nothing: its worker died, another one will continue
 *   ready, same validators                          switches to the file and finishes the tape
 *   anything else                                   breaks it
 *
 * Invariants
 *  (1) The committed length comes from the row, never from the file's size. If the file is shorter, listeners wait.
 *  (2) A part is read only while the row that named it has the tape's validators: a fill takes validators over only
 *      for bytes that are the same (work/fill_tape.c).
 *  (3) A follow lives as long as its tape, or until a writer of this process takes the tape over. A running refresh
 *      holds the follow longer, and does nothing to a tape that no longer belongs to it.
 *  (4) A refresh requested during a refresh runs once afterwards. */
#include "domain/tape_follow.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/closer.h"
#include "base/fs.h"
#include "base/lock.h"
#include "domain/part.h"

enum { OPEN_TIMEOUT_MS = 30 * 1000 };

struct follow {
  struct tape_follows *follows;
  struct follow *next, **link; /* in the list of all follows; link NULL: not in it */
  int64_t business_id;
  char recording_sid[SID_SIZE];
  uint64_t tape_number;
  struct events_watch *watch;
  atomic_uint refs;              /* the tape's, and one of a running refresh */
  atomic_bool refresh_requested; /* the row changed since the last refresh read it */
  atomic_bool refresh_running;
  struct lock applying; /* rank WORK + 1: covers ended, and what a refresh does to the tape */
  bool ended;           /* (3) */
  int64_t token;        /* of the part that is read; 0: the whole file, or a part of this process; under applying */
};

struct tape_follows {
  struct tape_follow_parts parts;
  struct lock opening; /* rank WORK: at most one follow begins at a time, so one per recording */
  struct lock lock;    /* rank DOMAIN: covers `all` */
  struct follow *all;
};

static void follow_unref(struct follow *f) {
  if (atomic_fetch_sub(&f->refs, 1) != 1) return;
  lock_done(&f->applying);
  free(f);
}

/* ---- applying a row to the tape ---- */

static bool has_same_validators(const struct tape_head *head, const struct recording *row) {
  bool length_fits =
      head->announced_bytes < 0 || row->announced_bytes < 0 || row->announced_bytes == head->announced_bytes;
  return strcmp(head->etag, row->etag) == 0 && length_fits;
}

/* Opens the part of the fill that holds the row's lease. */
static enum err open_part_of(struct blob_store *store, const struct recording *row, int *ret_fd) {
  struct part_owner owner;
  part_owner_of(row, &owner);
  return blob_open_part(store, &owner.blob, row->lease_token, ret_fd);
}

/* True if the refresh must open a file first. It does so on a thread of the volume, before it takes a lock. */
static bool needs_file(const struct follow *f, const struct recording *row) {
  if (row->status == RECORDING_READY) return true;
  return row->status == RECORDING_DOWNLOADING && row->lease_token != f->token && row->received_bytes > 0;
}

/* fd: the part of the row's token; -1: it does not exist. */
static enum err switch_to_part(struct follow *f, struct tape *tape, const struct recording *row, int fd) {
  if (fd < 0) return OK; /* it was published just now, or its worker died: the row will change */
  TRY(tape_continue_with(tape, fd, row->received_bytes));
  f->token = row->lease_token;
  return OK;
}

static enum err switch_to_file(struct follow *f, struct tape *tape, const struct recording *row, int fd, int64_t size) {
  if (fd < 0) return ERR_NOT_FOUND;
  if (size != row->bytes) return ERR_CORRUPT;
  TRY(tape_continue_with(tape, fd, size));
  f->token = 0;
  tape_finish(tape);
  return OK;
}

/* fd and its size: the file that needs_file asked for, or -1. */
static enum err follow_row(struct follow *f, struct tape *tape, const struct recording *row, int fd, int64_t size) {
  if (!has_same_validators(tape_head(tape), row)) return ERR_CONFLICT;
  switch (row->status) {
    case RECORDING_QUEUED:
      return OK;
    case RECORDING_DOWNLOADING:
      if (row->lease_token != f->token) return row->received_bytes > 0 ? switch_to_part(f, tape, row, fd) : OK;
      tape_extend(tape, row->received_bytes); /* (1) */
      return OK;
    case RECORDING_READY:
      return switch_to_file(f, tape, row, fd, size);
    default:
      return ERR_CONFLICT;
  }
}

/* NULL if the tape is gone or has another writer (3). */
static struct tape *find_followed_tape(struct follow *f) {
  struct tape *tape = tapes_find(f->follows->parts.tapes, f->business_id, str_from(f->recording_sid));
  if (!tape || tape_number(tape) == f->tape_number) return tape;
  tape_unref(tape);
  return NULL;
}

/* e: of reading the row and opening the file; row is valid if e is OK. Breaks the tape if it can't continue. */
static enum err follow_apply_row(struct follow *f, struct tape *tape, const struct recording *row, int fd, int64_t size,
                                 enum err e) {
  LOCKED(&f->applying);
  if (f->ended) return OK; /* (3) */
  if (e == OK) e = follow_row(f, tape, row, fd, size);
  if (e == OK || err_retryable(e)) return e;
  tape_fail(tape);
  events_notify(f->follows->parts.events, f->business_id,
                str_from(f->recording_sid)); /* requests that wait look for another tape */
  return e;
}

static void start_refresh(struct follow *f);

/* Ends a refresh. Starts another one if the row changed meanwhile (4). is_done false: the next change or tick repeats
 * it. */
static void end_refresh(struct follow *f, bool is_done) {
  if (!is_done) atomic_store(&f->refresh_requested, true); /* at the next change or tick */
  atomic_store(&f->refresh_running, false);
  if (is_done && atomic_load(&f->refresh_requested)) start_refresh(f); /* (4) */
  follow_unref(f);
}

/* ---- the part of a refresh that opens a file, on a thread of the volume ---- */

struct file_refresh {
  struct volume_job job;
  struct follow *follow; /* a reference */
  struct recording row;
  int fd; /* -1: the file does not exist */
  int64_t size;
};

static struct file_refresh *file_refresh_of(struct volume_job *job) {
  return (struct file_refresh *)(void *)job; /* its first member */
}

static enum err open_followed_file(struct volume_job *job) {
  struct file_refresh *l = file_refresh_of(job);
  struct blob_store *store = l->follow->follows->parts.store;
  enum err e = l->row.status == RECORDING_READY ? blob_open(store, l->row.name, &l->fd, &l->size)
                                                : open_part_of(store, &l->row, &l->fd);
  return e == ERR_NOT_FOUND ? OK : e;
}

static void on_file_opened(struct volume_job *job, enum err e) {
  struct file_refresh *l = file_refresh_of(job);
  struct follow *f = l->follow;
  struct tape *tape = find_followed_tape(f);
  if (tape) e = e == ERR_TIMEOUT || e == ERR_CLOSED ? e : follow_apply_row(f, tape, &l->row, l->fd, l->size, e);
  bool is_done = !tape || !err_retryable(e);
  tape_unref(tape);
  end_refresh(f, is_done);
  volume_release(job);
}

static void destroy_file_refresh(struct volume_job *job) {
  struct file_refresh *l = file_refresh_of(job);
  closer_close(l->fd);
  follow_unref(l->follow);
  free(l);
}

static enum err start_opening(struct follow *f, const struct recording *row) {
  struct file_refresh *l = calloc(1, sizeof(*l));
  if (!l) return ERR_NOMEM;
  l->job = (struct volume_job){.run = open_followed_file,
                               .done = on_file_opened,
                               .destroy = destroy_file_refresh,
                               .timeout_ms = OPEN_TIMEOUT_MS};
  l->follow = f;
  l->row = *row;
  l->fd = -1;
  atomic_fetch_add(&f->refs, 1);
  enum err e = volume_run(f->follows->parts.volume, &l->job);
  if (e == OK) return OK;
  follow_unref(f);
  free(l);
  return e;
}

/* ---- a refresh, on a reader ---- */

/* True: the refresh continues on a thread of the volume. *ret_e: an error after which it must be repeated, or OK. */
static bool refresh_once(struct db *db, struct follow *f, enum err *ret_e) {
  struct recording row;
  struct tape *tape = find_followed_tape(f);
  *ret_e = OK;
  if (!tape) return false;
  enum err e = recordings_get(db, f->business_id, str_from(f->recording_sid), &row);
  bool opens = e == OK && has_same_validators(tape_head(tape), &row) && needs_file(f, &row);
  if (opens)
    e = start_opening(f, &row);
  else
    e = follow_apply_row(f, tape, &row, -1, 0, e);
  tape_unref(tape);
  *ret_e = err_retryable(e) ? e : OK;
  return opens && e == OK;
}

static void run_refresh(struct db *db, void *arg) {
  struct follow *f = arg;
  enum err e = ERR_IO;
  atomic_store(&f->refresh_requested, false);
  if (db && refresh_once(db, f, &e)) return;
  end_refresh(f, e == OK);
}

static void start_refresh(struct follow *f) {
  if (atomic_exchange(&f->refresh_running, true)) return;
  atomic_fetch_add(&f->refs, 1);
  if (db_readers_run(f->follows->parts.readers, f->business_id, run_refresh, f) == OK) return;
  atomic_store(&f->refresh_running, false); /* no reader is free: the next change or tick tries again */
  follow_unref(f);
}

/* Runs on the changes thread. */
static void follow_on_change(void *arg) {
  struct follow *f = arg;
  atomic_store(&f->refresh_requested, true);
  start_refresh(f);
}

/* ---- beginning and ending ---- */

/* The tape is gone, or another writer took it over (3). */
static void follow_end(void *arg) {
  struct follow *f = arg;
  events_unwatch(TAKE(f->watch));
  {
    LOCKED(&f->applying);
    f->ended = true;
  }
  {
    LOCKED(&f->follows->lock);
    *f->link = f->next;
    if (f->next) f->next->link = f->link;
  }
  follow_unref(f);
}

/* Makes the tape follow its recording's row. token: whose part the tape reads now. */
static enum err follow_begin(struct tape_follows *all, struct tape *tape, int64_t token) {
  const struct tape_head *head = tape_head(tape);
  struct follow *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->follows = all;
  f->business_id = head->business_id;
  memcpy(f->recording_sid, head->recording_sid, sizeof(f->recording_sid));
  f->tape_number = tape_number(tape);
  f->token = token;
  atomic_init(&f->refs, 1);
  lock_init(&f->applying, "tape follow", LOCK_RANK_WORK + 1);
  enum err e =
      events_watch(all->parts.events, f->business_id, str_from(f->recording_sid), follow_on_change, f, &f->watch);
  if (e != OK) {
    follow_unref(f);
    return e;
  }
  {
    LOCKED(&all->lock);
    f->link = &all->all;
    f->next = all->all;
    if (f->next) f->next->link = &f->next;
    all->all = f;
  }
  follow_on_change(f);              /* for changes before the watch began */
  tape_on_end(tape, follow_end, f); /* last: after it another writer may take the tape over (3) */
  return OK;
}

/* Under `opening`. fd: the part of the row's token. */
static enum err open_followed_tape(struct tape_follows *f, const struct recording *row, int fd,
                                   struct tape **ret_tape) {
  struct tape *tape;
  struct tape_head head = {
      .business_id = row->business_id, .modified_at = row->modified_at, .announced_bytes = row->announced_bytes};
  memcpy(head.recording_sid, row->recording_sid, sizeof(head.recording_sid));
  memcpy(head.etag, row->etag, sizeof(head.etag));
  memcpy(head.content_type, row->content_type, sizeof(head.content_type));
  TRY(tapes_open(f->parts.tapes, &head, fd, row->received_bytes, &tape));
  enum err e = follow_begin(f, tape, row->lease_token);
  if (e != OK) {
    tape_fail(tape);
    tape_unref(tape);
    return e;
  }
  *ret_tape = tape;
  return OK;
}

static bool tape_is_open(struct tape *tape) {
  struct tape_view view = tape_wait_extend(tape, 0, NULL);
  tape_bytes_unref(view.bytes);
  return view.state == TAPE_OPEN;
}

static enum err error_without_tape(const struct recording *row) {
  return row->status == RECORDING_DOWNLOADING && row->received_bytes > 0 ? ERR_NOT_YET : ERR_NOT_FOUND;
}

/* A tape with other validators than the row: if it is finished, only slow listeners hold it, and it is ignored. If it
 * is open, either the row that was read is older, or the tape has not been refreshed yet. The caller then waits: the
 * recording's watch (events.h) fires when that is over. */
enum err tape_follow_find(struct tape_follows *f, const struct recording *row, struct tape **ret_tape) {
  struct tape *tape = tapes_find(f->parts.tapes, row->business_id, str_from(row->recording_sid));
  if (!tape) return error_without_tape(row);
  if (has_same_validators(tape_head(tape), row)) {
    *ret_tape = tape;
    return OK;
  }
  bool waits = tape_is_open(tape);
  tape_unref(tape);
  return waits ? ERR_NOT_FOUND : error_without_tape(row);
}

enum err tape_follow(struct tape_follows *f, const struct recording *row, struct tape **ret_tape) {
  int fd CLEANUP(fs_close_) = -1;
  enum err e = tape_follow_find(f, row, ret_tape);
  if (e != ERR_NOT_YET) return e;
  TRY(open_part_of(f->parts.store, row, &fd)); /* without the lock, because it may wait for the volume */
  LOCKED(&f->opening);
  e = tape_follow_find(f, row, ret_tape); /* another thread may have opened it meanwhile */
  return e == ERR_NOT_YET ? open_followed_tape(f, row, fd, ret_tape) : e;
}

void tape_follow_successor(struct tape_follows *f, struct tape *tape) {
  if (follow_begin(f, tape, 0) != OK) tape_fail(tape);
}

void tape_follows_tick(struct tape_follows *f) {
  LOCKED(&f->lock);
  for (struct follow *each = f->all; each; each = each->next)
    if (atomic_load(&each->refresh_requested)) start_refresh(each);
}

/* ---- life ---- */

enum err tape_follows_new(const struct tape_follow_parts *parts, struct tape_follows **ret_follows) {
  struct tape_follows *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->parts = *parts;
  lock_init(&f->opening, "tape follow opening", LOCK_RANK_WORK);
  lock_init(&f->lock, "tape follows", LOCK_RANK_DOMAIN);
  *ret_follows = f;
  return OK;
}

struct tape_follows *tape_follows_free(struct tape_follows *f) {
  if (!f) return NULL;
  assert(!f->all);
  lock_done(&f->lock);
  lock_done(&f->opening);
  free(f);
  return NULL;
}
