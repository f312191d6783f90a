/* tape.h - a recording while it is still arriving: one writer, any number of listeners, in one process.
 *
 *   writer:    tapes_open(tapes, &head, fd, size, &tape);  tape_extend(tape, size) …;  tape_finish(tape) or tape_fail(tape);
 *              tape_unref(tape)
 *   listener:  tape = tapes_find(tapes, business, sid);
 *              view = tape_wait_extend(tape, have, &listener);    nothing blocks: on_extend comes when there is more
 *              … send [have, view.committed) of view.bytes …
 *              tape_stop_waiting(tape, &listener);  tape_unref(tape)
 *
 * The writer is a fill of this process, or tape_follow.h, which brings the bytes of a fill that another process makes.
 * Whoever listens can't tell one from the other.
 * Thread rule: any thread; one writer at a time. on_extend runs on the writer's thread, under a lock of rank DOMAIN: it only
 * posts. After tape_stop_waiting returned it is not running and won't come. */
#pragma once

#include <stdint.h>

#include "ledger/recordings.h"

struct tape;
struct tapes;      /* all that arrive in this process, by (business, recording) */
struct tape_bytes; /* an open descriptor, shared: what it shows of [0, committed) never changes */

enum tape_state {
  TAPE_OPEN,   /* more may come */
  TAPE_DONE,   /* committed is the whole length, and the bytes were verified */
  TAPE_BROKEN, /* the rest can't be had under these validators: nobody ends cleanly */
};

/* What is known from the first accepted byte on; the same while it arrives and after. */
struct tape_head {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char etag[RECORDING_ETAG_SIZE]; /* with its quotes */
  char content_type[40];
  int64_t modified_at;     /* UNIX ms */
  int64_t announced_bytes; /* by the provider; -1 unknown */
};

/* on_open is called when somebody who waits may find a tape: on the writer's thread, without a lock. */
CHECKED enum err tapes_new(void (*on_open)(void *arg, int64_t business_id, struct str recording_sid), void *arg,
                           struct tapes **ret_tapes);
/* NULL is fine, always NULL. All tapes must be gone. */
struct tapes *tapes_free(struct tapes *t);

/* The writer's: the first `committed` bytes of fd are there. fd is duplicated. A tape of the same validators and length that
 * has lost its writer is gone on with: its listeners notice nothing. One of others breaks. */
CHECKED enum err tapes_open(struct tapes *t, const struct tape_head *head, int fd, int64_t committed,
                            struct tape **ret_tape);
/* A reference to what arrives now or has just arrived; never a broken one. NULL: there is none. */
struct tape *tapes_find(struct tapes *t, int64_t business_id, struct str recording_sid);
struct tape *tape_ref(struct tape *tape);
void tape_unref(struct tape *tape); /* NULL is fine */

const struct tape_head *tape_head(const struct tape *tape);
uint64_t tape_number(const struct tape *tape); /* no two of a process have the same */

/* ---- the writer ---- */

/* write() of these bytes returned. Less than there was is ignored. */
void tape_extend(struct tape *tape, int64_t committed);
/* What was committed is all, and whole. */
void tape_finish(struct tape *tape);
void tape_fail(struct tape *tape);
/* Another file goes on with this recording, and has the same bytes. While it is shorter than what was committed, the one
 * before is read from. fd is duplicated. */
CHECKED enum err tape_continue_with(struct tape *tape, int fd, int64_t committed);

/* ---- listeners ---- */

struct tape_listener {
  void (*on_extend)(void *arg);
  void *arg;
  struct tape_listener *next, **link; /* link NULL: not waiting */
};

struct tape_view {
  enum tape_state state;
  int64_t committed;
  struct tape_bytes *bytes; /* a reference: tape_bytes_unref */
};

/* What is there now. If it is open and not longer than `have`, on_extend is called once, as soon as either is no longer so;
 * else at once nothing will be. listener NULL: only looks. */
struct tape_view tape_wait_extend(struct tape *tape, int64_t have, struct tape_listener *listener);
void tape_stop_waiting(struct tape *tape, struct tape_listener *listener);
int tape_bytes_fd(const struct tape_bytes *b); /* to read from at offsets; stays b's */
void tape_bytes_unref(struct tape_bytes *b);   /* NULL is fine */

/* For tape_follow.c: what ends with the tape, called once without a lock when the last reference is gone, or when other
 * words come in its place (fn NULL: none). */
void tape_on_end(struct tape *tape, void (*fn)(void *arg), void *arg);
