/* tape_follow.c - a tape whose bytes another process writes.
 *
 *   a change of the row --on_change--> wanted --a reader is free--> under way --the row was read--> what it says is done
 *
 *   the row                                         the tape
 *   downloading, same validators, same token        extended to `got`
 *   downloading, same validators, another token     gone on with from that token's part, once it is as long
 *   queued, same validators                         waits: its worker died, another will go on
 *   ready, same validators                          gone on with from the file, and done
 *   anything else                                   broken
 *
 * Invariants
 *  (1) The committed length is the ledger's, never the file's size: fewer bytes than that mean waiting.
 *  (2) A part is read only while the row that named it has the tape's validators: a fill takes those over only for bytes
 *      that are the same (work/fill_tape.c).
 *  (3) A follow lives as long as its tape, or until a writer of this process takes that over; a look under way holds it
 *      longer, and does nothing to a tape that is not the follow's any more.
 *  (4) A look that is wanted while one is under way is made after it. */
#include "domain/tape_follow.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/lock.h"

struct follow {
  struct tape_follows *follows;
  struct follow *next, **link; /* in the list of all; link NULL: not in it */
  int64_t business_id;
  char recording_sid[SID_SIZE];
  uint64_t tape_number;
  struct events_watch *watch;
  atomic_uint refs;      /* the tape's, and the look's */
  atomic_bool wanted;    /* a look, since the last one read the row */
  atomic_bool under_way; /* a look */
  struct lock applying;  /* rank behind WORK: covers ended, and what a look does to the tape */
  bool ended;            /* (3) */
  /* the look's alone */
  int64_t token; /* whose part is read; 0: the whole file, or none that goes on */
};

struct tape_follows {
  struct tape_follow_parts parts;
  struct lock opening; /* rank WORK: so that a recording is followed once */
  struct lock lock;    /* rank DOMAIN: covers `all` */
  struct follow *all;
};

static void follow_unref(struct follow *f) {
  if (atomic_fetch_sub(&f->refs, 1) != 1) return;
  lock_done(&f->applying);
  free(f);
}

/* ---- looking ---- */

static bool is_same(const struct tape_head *head, const struct recording *row) {
  bool length_fits = head->total < 0 || row->total < 0 || row->total == head->total;
  return strcmp(head->etag, row->etag) == 0 && length_fits;
}

static enum err take_part(struct follow *f, struct tape *tape, const struct recording *row) {
  int fd CLEANUP(fs_close_) = -1;
  enum err e = blob_open_part(f->follows->parts.store, row->stem, row->lease_token, &fd);
  if (e == ERR_NOT_FOUND) return OK; /* it has just got its name, or its holder died: the row will say */
  TRY(e);
  TRY(tape_go_on_with(tape, fd, row->got));
  f->token = row->lease_token;
  return OK;
}

static enum err take_file(struct follow *f, struct tape *tape, const struct recording *row) {
  int fd CLEANUP(fs_close_) = -1;
  int64_t size;
  TRY(blob_open(f->follows->parts.store, row->name, &fd, &size));
  if (size != row->bytes) return ERR_CORRUPT;
  TRY(tape_go_on_with(tape, fd, size));
  f->token = 0;
  tape_finish(tape);
  return OK;
}

static enum err follow_row(struct follow *f, struct tape *tape, const struct recording *row) {
  if (!is_same(tape_head(tape), row)) return ERR_CONFLICT;
  switch (row->status) {
    case RECORDING_QUEUED:
      return OK;
    case RECORDING_DOWNLOADING:
      if (row->lease_token != f->token) return row->got > 0 ? take_part(f, tape, row) : OK;
      tape_extend(tape, row->got); /* (1) */
      return OK;
    case RECORDING_READY:
      return take_file(f, tape, row);
    default:
      return ERR_CONFLICT;
  }
}

/* Not the follow's any more: another writer has it, or it is gone (3). */
static struct tape *own_tape(struct follow *f) {
  struct tape *tape = tapes_find(f->follows->parts.tapes, f->business_id, str_from(f->recording_sid));
  if (!tape || tape_number(tape) == f->tape_number) return tape;
  tape_unref(tape);
  return NULL;
}

/* row is valid if e is OK. */
static enum err apply(struct follow *f, struct tape *tape, const struct recording *row, enum err e) {
  LOCKED(&f->applying);
  if (f->ended) return OK; /* (3) */
  if (e == OK) e = follow_row(f, tape, row);
  if (e == OK || err_retryable(e)) return e;
  tape_fail(tape);
  events_tell(f->follows->parts.events, f->business_id, str_from(f->recording_sid)); /* who waits may find another */
  return e;
}

static enum err look_once(struct db *db, struct follow *f) {
  struct recording row;
  struct tape *tape = own_tape(f);
  if (!tape) return OK;
  enum err e = recordings_get(db, f->business_id, str_from(f->recording_sid), &row);
  e = apply(f, tape, &row, e);
  tape_unref(tape);
  return err_retryable(e) ? e : OK;
}

static void start_look(struct follow *f);

static void look(struct db *db, void *arg) {
  struct follow *f = arg;
  atomic_store(&f->wanted, false);
  bool is_done = db && look_once(db, f) == OK;
  if (!is_done) atomic_store(&f->wanted, true); /* at the next change or tick */
  atomic_store(&f->under_way, false);
  if (is_done && atomic_load(&f->wanted)) start_look(f); /* (4) */
  follow_unref(f);
}

static void start_look(struct follow *f) {
  if (atomic_exchange(&f->under_way, true)) return;
  atomic_fetch_add(&f->refs, 1);
  if (db_readers_run(f->follows->parts.readers, f->business_id, look, f) == OK) return;
  atomic_store(&f->under_way, false); /* none is free: at the next change or tick */
  follow_unref(f);
}

/* On the changes thread. */
static void on_change(void *arg) {
  struct follow *f = arg;
  atomic_store(&f->wanted, true);
  start_look(f);
}

/* ---- beginning and ending ---- */

/* The tape is gone, or has another writer. */
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

/* Follows the row for this tape from now on, which reads the part of token. */
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
  enum err e = events_watch(all->parts.events, f->business_id, str_from(f->recording_sid), on_change, f, &f->watch);
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
  on_change(f);                     /* what happened before the watch began */
  tape_on_end(tape, follow_end, f); /* its last use: another writer may have the tape by now (3) */
  return OK;
}

static enum err open_followed(struct tape_follows *f, const struct recording *row, struct tape **ret_tape) {
  int fd CLEANUP(fs_close_) = -1;
  struct tape_head head = {.business_id = row->business_id, .modified_at = row->modified_at, .total = row->total};
  memcpy(head.recording_sid, row->recording_sid, sizeof(head.recording_sid));
  memcpy(head.etag, row->etag, sizeof(head.etag));
  memcpy(head.content_type, row->content_type, sizeof(head.content_type));
  TRY(blob_open_part(f->parts.store, row->stem, row->lease_token, &fd));
  return tapes_open(f->parts.tapes, &head, fd, row->got, ret_tape);
}

/* Under `opening`. */
static enum err follow_anew(struct tape_follows *f, const struct recording *row, struct tape **ret_tape) {
  struct tape *tape;
  if (row->status != RECORDING_DOWNLOADING || row->got <= 0) return ERR_NOT_FOUND;
  TRY(open_followed(f, row, &tape));
  enum err e = follow_begin(f, tape, row->lease_token);
  if (e != OK) {
    tape_fail(tape);
    tape_unref(tape);
    return e;
  }
  *ret_tape = tape;
  return OK;
}

static bool is_open(struct tape *tape) {
  struct tape_view view = tape_wait_extend(tape, 0, NULL);
  tape_bytes_unref(view.bytes);
  return view.state == TAPE_OPEN;
}

/* A tape that the row does not speak of: one that is over is held by who is slow, and in nobody's way. Of an open one either
 * the row is the older, or the tape has not heard of it yet: whoever watches the recording is told when that is over. */
enum err tape_follow(struct tape_follows *f, const struct recording *row, struct tape **ret_tape) {
  LOCKED(&f->opening);
  struct tape *tape = tapes_find(f->parts.tapes, row->business_id, str_from(row->recording_sid));
  if (!tape) return follow_anew(f, row, ret_tape);
  if (is_same(tape_head(tape), row)) {
    *ret_tape = tape;
    return OK;
  }
  bool waits = is_open(tape);
  tape_unref(tape);
  return waits ? ERR_NOT_FOUND : follow_anew(f, row, ret_tape);
}

void tape_follow_successor(struct tape_follows *f, struct tape *tape) {
  if (follow_begin(f, tape, 0) != OK) tape_fail(tape);
}

void tape_follows_tick(struct tape_follows *f) {
  LOCKED(&f->lock);
  for (struct follow *each = f->all; each; each = each->next)
    if (atomic_load(&each->wanted)) start_look(each);
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
