/* tape.c - the length and the descriptor of a recording that arrives. One writer, any number of listeners.
 *
 *   OPEN --more bytes-----> OPEN     [tape_extend, tape_continue_with]
 *   OPEN --all, verified--> DONE     [tape_finish]
 *   OPEN --error----------> BROKEN   [tape_fail; also leaves the table]
 *   DONE --error----------> DONE     [tape_fail: leaves the table, so that no new listener finds it]
 *
 * Invariants
 *  (1) Bytes [0, committed) never change, whichever descriptor they are read from.
 *  (2) committed only grows, after write() returned.
 *  (3) DONE: committed is the whole length. BROKEN: every listener cuts its response. Both states are final.
 *  (4) The tape's lock covers committed, state, bytes and the listeners; no I/O under it.
 *  (5) The table's lock covers its chains and every tape's refs. A tape without references is in no chain. Neither
 *      lock is taken under the other.
 *  (6) A chain holds at most one tape of a recording, and no broken one. */
#include "domain/tape.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/closer.h"
#include "base/lock.h"

enum { TAPES_BUCKETS = 1024 }; /* far more than fills at a time */

struct tape_bytes {
  int fd;
  atomic_uint refs;
};

struct tape {
  struct tapes *tapes;
  struct tape_head head;
  uint64_t number;
  unsigned refs;                    /* (5) */
  struct tape *chain_next, **chain; /* (5); chain NULL: in no chain */
  void (*on_end)(void *arg);        /* (5) */
  void *on_end_arg;

  struct lock lock; /* (4) */
  enum tape_state state;
  int64_t committed;
  struct tape_bytes *bytes;
  struct tape_bytes *next; /* replaces bytes once it is as long; NULL: none */
  struct tape_listener *listeners;
};

struct tapes {
  struct lock lock; /* (5) */
  void (*on_open)(void *arg, int64_t business_id, struct str recording_sid);
  void *arg;
  uint64_t last_number;
  struct tape *buckets[TAPES_BUCKETS];
};

/* ---- descriptors ---- */

static enum err bytes_new(int fd, struct tape_bytes **ret_bytes) {
  struct tape_bytes *b = malloc(sizeof(*b));
  if (!b) return ERR_NOMEM;
  b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (b->fd < 0) {
    free(b);
    return ERR_BUSY;
  }
  atomic_init(&b->refs, 1);
  *ret_bytes = b;
  return OK;
}

static struct tape_bytes *bytes_ref(struct tape_bytes *b) {
  atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
  return b;
}

void tape_bytes_unref(struct tape_bytes *b) {
  if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
  closer_close(b->fd);
  free(b);
}

int tape_bytes_fd(const struct tape_bytes *b) {
  return b->fd;
}

/* ---- the tape ---- */

const struct tape_head *tape_head(const struct tape *tape) {
  return &tape->head;
}

uint64_t tape_number(const struct tape *tape) {
  return tape->number;
}

static void listener_remove(struct tape_listener *l) {
  if (!l->link) return;
  *l->link = l->next;
  if (l->next) l->next->link = l->link;
  l->link = NULL;
}

/* Under the lock. Calls on_extend of every waiting listener. */
static void wake_listeners(struct tape *tape) {
  while (tape->listeners) {
    struct tape_listener *l = tape->listeners;
    listener_remove(l);
    l->on_extend(l->arg);
  }
}

/* Under the lock. Returns the descriptor that is no longer needed; the caller unreferences it without the lock. */
static struct tape_bytes *commit_bytes(struct tape *tape, int64_t committed) {
  struct tape_bytes *before = NULL;
  if (tape->state != TAPE_OPEN || committed < tape->committed) return NULL; /* (2) */
  if (tape->next) {
    before = tape->bytes;
    tape->bytes = TAKE(tape->next);
  }
  if (committed > tape->committed) {
    tape->committed = committed;
    wake_listeners(tape);
  }
  return before;
}

void tape_extend(struct tape *tape, int64_t committed) {
  struct tape_bytes *before;
  {
    LOCKED(&tape->lock);
    before = commit_bytes(tape, committed);
  }
  tape_bytes_unref(before);
}

void tape_finish(struct tape *tape) {
  LOCKED(&tape->lock);
  if (tape->state != TAPE_OPEN) return; /* (3) */
  tape->state = TAPE_DONE;
  wake_listeners(tape);
}

enum err tape_continue_with(struct tape *tape, int fd, int64_t committed) {
  struct tape_bytes *next, *before, *overtaken; /* overtaken: a replacement that never became as long */
  TRY(bytes_new(fd, &next));
  {
    LOCKED(&tape->lock);
    overtaken = tape->next;
    tape->next = next;
    before = commit_bytes(tape, committed);
  }
  tape_bytes_unref(overtaken);
  tape_bytes_unref(before);
  return OK;
}

struct tape_view tape_wait_extend(struct tape *tape, int64_t have, struct tape_listener *listener) {
  LOCKED(&tape->lock);
  if (listener) listener_remove(listener);
  struct tape_view view = {tape->state, tape->committed, bytes_ref(tape->bytes)};
  if (!listener || view.state != TAPE_OPEN || view.committed > have) return view;
  listener->link = &tape->listeners;
  listener->next = tape->listeners;
  if (listener->next) listener->next->link = &listener->next;
  tape->listeners = listener;
  return view;
}

void tape_stop_waiting(struct tape *tape, struct tape_listener *listener) {
  LOCKED(&tape->lock);
  listener_remove(listener);
}

static void tape_free(struct tape *tape) {
  assert(!tape->listeners && !tape->chain);
  if (tape->on_end) tape->on_end(tape->on_end_arg);
  tape_bytes_unref(tape->bytes);
  tape_bytes_unref(tape->next);
  lock_done(&tape->lock);
  free(tape);
}

/* ---- the table ---- */

static struct tape **tapes_bucket_of(struct tapes *t, int64_t business_id, struct str sid) {
  return &t->buckets[str_hash(sid, (uint64_t)business_id) % TAPES_BUCKETS];
}

enum err tapes_new(void (*on_open)(void *arg, int64_t business_id, struct str recording_sid), void *arg,
                   struct tapes **ret_tapes) {
  struct tapes *t = calloc(1, sizeof(*t));
  if (!t) return ERR_NOMEM;
  lock_init(&t->lock, "tapes", LOCK_RANK_DOMAIN);
  t->on_open = on_open;
  t->arg = arg;
  *ret_tapes = t;
  return OK;
}

struct tapes *tapes_free(struct tapes *t) {
  if (!t) return NULL;
  for (size_t i = 0; i < TAPES_BUCKETS; i++) assert(!t->buckets[i]);
  lock_done(&t->lock);
  free(t);
  return NULL;
}

/* Under the table's lock. */
static struct tape *chain_find(struct tapes *t, int64_t business_id, struct str sid) {
  struct tape *tape = *tapes_bucket_of(t, business_id, sid);
  while (tape && (tape->head.business_id != business_id || !str_eq(str_from(tape->head.recording_sid), sid)))
    tape = tape->chain_next;
  return tape;
}

static void chain_remove(struct tape *tape) {
  if (!tape->chain) return;
  *tape->chain = tape->chain_next;
  if (tape->chain_next) tape->chain_next->chain = tape->chain;
  tape->chain = NULL;
}

static void chain_insert(struct tape *tape) {
  tape->chain = tapes_bucket_of(tape->tapes, tape->head.business_id, str_from(tape->head.recording_sid));
  tape->chain_next = *tape->chain;
  if (tape->chain_next) tape->chain_next->chain = &tape->chain_next;
  *tape->chain = tape;
}

struct tape *tapes_find(struct tapes *t, int64_t business_id, struct str recording_sid) {
  LOCKED(&t->lock);
  struct tape *tape = chain_find(t, business_id, recording_sid);
  if (tape) tape->refs++;
  return tape;
}

struct tape *tape_ref(struct tape *tape) {
  LOCKED(&tape->tapes->lock);
  tape->refs++;
  return tape;
}

void tape_unref(struct tape *tape) {
  bool was_last;
  if (!tape) return;
  {
    LOCKED(&tape->tapes->lock);
    was_last = --tape->refs == 0;
    if (was_last) chain_remove(tape); /* (5) */
  }
  if (was_last) tape_free(tape);
}

void tape_on_end(struct tape *tape, void (*fn)(void *arg), void *arg) {
  void (*before)(void *arg);
  void *before_arg;
  {
    LOCKED(&tape->tapes->lock);
    before = tape->on_end;
    before_arg = tape->on_end_arg;
    tape->on_end = fn;
    tape->on_end_arg = arg;
  }
  if (before) before(before_arg);
}

void tape_fail(struct tape *tape) {
  {
    LOCKED(&tape->tapes->lock);
    chain_remove(tape); /* (6) */
  }
  LOCKED(&tape->lock);
  if (tape->state != TAPE_OPEN) return; /* (3) */
  tape->state = TAPE_BROKEN;
  wake_listeners(tape);
}

/* A tape that announced no length can continue with any length. */
static bool is_same_recording(const struct tape_head *open, const struct tape_head *head) {
  bool length_fits = open->announced_bytes < 0 || open->announced_bytes == head->announced_bytes;
  return strcmp(open->etag, head->etag) == 0 && length_fits && open->modified_at == head->modified_at;
}

static enum err tape_new(struct tapes *t, const struct tape_head *head, int fd, int64_t committed,
                         struct tape **ret_tape) {
  struct tape *tape = calloc(1, sizeof(*tape));
  if (!tape) return ERR_NOMEM;
  enum err e = bytes_new(fd, &tape->bytes);
  if (e != OK) {
    free(tape);
    return e;
  }
  lock_init(&tape->lock, "tape", LOCK_RANK_DOMAIN);
  tape->tapes = t;
  tape->head = *head;
  tape->committed = committed;
  tape->refs = 1;
  *ret_tape = tape;
  return OK;
}

/* A reference to the recording's tape if this head can continue it. A tape that it can't continue becomes BROKEN. */
static struct tape *find_resumable(struct tapes *t, const struct tape_head *head) {
  struct tape *had = tapes_find(t, head->business_id, str_from(head->recording_sid));
  if (had && is_same_recording(&had->head, head)) return had;
  if (had) tape_fail(had);
  tape_unref(had);
  return NULL;
}

static enum err tape_resume(struct tape *tape, int fd, int64_t committed) {
  tape_on_end(tape, NULL, NULL); /* the former writer no longer owns it */
  enum err e = tape_continue_with(tape, fd, committed);
  if (e != OK) tape_unref(tape);
  return e;
}

/* False: another thread opened a tape of this recording first, so this one is in no chain (6). */
static bool insert_if_first(struct tapes *t, struct tape *tape) {
  LOCKED(&t->lock);
  if (chain_find(t, tape->head.business_id, str_from(tape->head.recording_sid))) return false;
  tape->number = ++t->last_number;
  chain_insert(tape);
  return true;
}

enum err tapes_open(struct tapes *t, const struct tape_head *head, int fd, int64_t committed, struct tape **ret_tape) {
  struct tape *tape;
  for (;;) {
    tape = find_resumable(t, head);
    if (tape) {
      TRY(tape_resume(tape, fd, committed));
      break;
    }
    TRY(tape_new(t, head, fd, committed, &tape));
    if (insert_if_first(t, tape)) break;
    tape_unref(tape); /* continue the other one, which may have listeners */
  }
  *ret_tape = tape;
  if (t->on_open) t->on_open(t->arg, head->business_id, str_from(head->recording_sid));
  return OK;
}
