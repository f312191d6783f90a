/* tape.h - the length and the descriptor of a recording that arrives: one writer, any number of listeners, in one process.
 *
 *   writer:    tapes_open(tapes, &head, fd, size, &tape);  tape_extend(tape, size) …
 *              tape_finish(tape) or tape_fail(tape);  tape_unref(tape)
 *   listener:  tape = tapes_find(tapes, business, sid);
 *              view = tape_wait_extend(tape, have, &listener);    does not block: registers the listener, see below
 *              … send [have, view.committed) of view.bytes …
 *              tape_stop_waiting(tape, &listener);  tape_unref(tape)
 *
 * The writer is a fill of this process, or tape_follow.h for a fill of another process; listeners see no difference.
 * A tape keeps a descriptor and a length in memory; the bytes stay in the file.
 * Thread rule: any thread; one writer at a time. on_extend runs on the writer's thread, under a lock of rank DOMAIN: it
 * must only post to another thread. After tape_stop_waiting returned, on_extend is not running and will not be called.
 * */
#pragma once

#include <stdint.h>

#include "ledger/recordings.h"

struct tape;
struct tapes;      /* all tapes of this process, by (business, recording) */
struct tape_bytes; /* a shared open descriptor; its bytes [0, committed) never change */

enum tape_state {
  TAPE_OPEN,   /* more may come */
  TAPE_DONE,   /* committed is the whole length, and the bytes were verified */
  TAPE_BROKEN, /* the rest will not come under these validators: every listener must cut its response */
};

/* The values of the headers that listeners get. Fixed when the tape opens. */
struct tape_head {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  char etag[RECORDING_ETAG_SIZE]; /* with its quotes */
  char content_type[40];
  int64_t modified_at;     /* UNIX ms */
  int64_t announced_bytes; /* by the provider; -1 unknown */
};

/* on_open is called after a tape was opened, on the writer's thread, without a lock: wake those that wait for one. */
CHECKED enum err tapes_new(void (*on_open)(void *arg, int64_t business_id, struct str recording_sid), void *arg,
                           struct tapes **ret_tapes);
/* NULL is fine. Always NULL. All tapes must have been unreferenced. */
struct tapes *tapes_free(struct tapes *t);

/* Opens a tape for a writer; the first `committed` bytes of fd are there. Duplicates fd. A tape of this recording,
 * open or done, with the same validators and announced length (any, if it announced none) gets this writer, and its
 * listeners continue. Any other tape of it fails, as by tape_fail. The caller owns a reference. ERR_NOMEM; ERR_BUSY: no
 * descriptor is free. */
CHECKED enum err tapes_open(struct tapes *t, const struct tape_head *head, int fd, int64_t committed,
                            struct tape **ret_tape);
/* A reference to the recording's tape, open or done, never a broken one. NULL: there is none. */
struct tape *tapes_find(struct tapes *t, int64_t business_id, struct str recording_sid);
struct tape *tape_ref(struct tape *tape);
void tape_unref(struct tape *tape); /* NULL is fine */

const struct tape_head *tape_head(const struct tape *tape);
uint64_t tape_number(const struct tape *tape); /* unique in this process */

/* ---- the writer ---- */

/* Call it after write() returned. Ignored if committed is less than before. */
void tape_extend(struct tape *tape, int64_t committed);
/* All bytes are committed and verified. */
void tape_finish(struct tape *tape);
/* The rest will not come, or the file did not get its name: no new listener finds the tape. An open tape becomes BROKEN; a
 * done one stays DONE for its listeners, since all its bytes were verified. */
void tape_fail(struct tape *tape);
/* Continues with another file that has the same bytes, for instance the part of the next worker. Listeners read from
 * the old file until `committed` of the new one reaches the old length. Duplicates fd. */
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

/* Returns state, length and bytes as they are now. If the tape is open and has no more than `have` bytes, registers the
 * listener: on_extend is called once, when there are more bytes or the tape is DONE or BROKEN; otherwise on_extend is not
 * called. listener NULL: only returns the view. */
struct tape_view tape_wait_extend(struct tape *tape, int64_t have, struct tape_listener *listener);
void tape_stop_waiting(struct tape *tape, struct tape_listener *listener);
int tape_bytes_fd(const struct tape_bytes *b); /* for reads at offsets; b owns it */
void tape_bytes_unref(struct tape_bytes *b);   /* NULL is fine */

/* For tape_follow.c: fn is called once, without a lock, when the last reference is gone or when tape_on_end is called
 * again. fn NULL: none. */
void tape_on_end(struct tape *tape, void (*fn)(void *arg), void *arg);
