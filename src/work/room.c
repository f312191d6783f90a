/* room.c - whether the recordings' volume has room, as a state of the worker.
 *
 *   UNKNOWN --enough is free--> ENOUGH
 *   ENOUGH  --too little is free--> FULL
 *   FULL    --enough is free, and FULL_LEAST_MS have passed--> ENOUGH
 *   any     --the free space can't be read--> UNKNOWN                      [all: room_enter]
 *
 * Invariants
 *  (1) A probe runs on the disk pool: the worker's thread never waits for the volume.
 *  (2) At most one probe is under way.
 *  (3) Each change of state is logged once. Nothing is logged while the state stays. */
#include "work/room.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/recording_error.h"
#include "domain/store.h"

enum {
  PROBE_EVERY_MS = 5000,
  FULL_LEAST_MS = 20 * 1000, /* a volume at its limit must not send all event streams a reset again and again */
};

struct room {
  struct blob_store *store;
  struct pool *disk;
  struct fetch *fetch;
  int64_t least_setting;   /* MIN_FREE_BYTES */
  uint64_t min_free_bytes; /* of the volume, by the last probe */
  room_change_fn *on_change;
  void *arg;
  _Atomic enum room_state state; /* only the worker's thread writes it */
  int64_t probe_at_ms;           /* mono */
  int64_t full_until_ms;         /* mono; the earliest end of FULL */
  bool is_probing;
  struct fetch_task back; /* posts the result to the worker's thread */
  /* the probe's results */
  uint64_t free_bytes;
  enum err e;
};

/* The only function that changes the state. */
static void room_enter(struct room *r, enum room_state next) {
  enum room_state before = room_state(r);
  if (next == before) return;
  atomic_store(&r->state, next);
  if (next == ROOM_FULL) r->full_until_ms = clock_mono_ms() + FULL_LEAST_MS;
  if (next == ROOM_FULL)
    log_error("Storage is full", LOG_TEXT("code", recording_error_code(RECORDING_STORAGE_FULL)),
              LOG_INT("free_bytes", r->free_bytes), LOG_INT("min_free_bytes", r->min_free_bytes));
  else if (next == ROOM_UNKNOWN)
    log_error("Could not read the free storage space", LOG_ERR(r->e));
  else if (before == ROOM_FULL)
    log_info("Storage has room again", LOG_INT("free_bytes", r->free_bytes));
  r->on_change(r->arg, next);
}

static void room_probe_done(void *arg) {
  struct room *r = arg;
  r->is_probing = false;
  if (r->e != OK)
    room_enter(r, ROOM_UNKNOWN);
  else if (r->free_bytes < r->min_free_bytes)
    room_enter(r, ROOM_FULL);
  else if (room_state(r) != ROOM_FULL || clock_mono_ms() >= r->full_until_ms)
    room_enter(r, ROOM_ENOUGH);
}

static void room_probe_run(void *arg, unsigned worker) {
  struct room *r = arg;
  uint64_t total;
  (void)worker;
  r->e = blob_free_bytes(r->store, &r->free_bytes, &total);
  if (r->e == OK) r->min_free_bytes = store_least_free(r->least_setting, total);
  fetch_post_task(r->fetch, &r->back);
}

int64_t room_tick(struct room *r, int64_t mono_ms) {
  if (r->is_probing || mono_ms < r->probe_at_ms) return r->is_probing ? PROBE_EVERY_MS : r->probe_at_ms - mono_ms;
  r->probe_at_ms = mono_ms + PROBE_EVERY_MS;
  r->is_probing =
      pool_run(r->disk, room_probe_run, r) == OK; /* a busy pool is asked again when the next probe is due */
  return PROBE_EVERY_MS;
}

enum room_state room_state(const struct room *r) {
  return atomic_load(&r->state);
}

bool room_is_full(const struct room *r) {
  return room_state(r) == ROOM_FULL;
}

enum err room_new(struct blob_store *store, struct pool *disk, int64_t least_setting, room_change_fn *on_change,
                  void *arg, struct room **ret_room) {
  struct room *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  *r = (struct room){.store = store,
                     .disk = disk,
                     .least_setting = least_setting,
                     .on_change = on_change,
                     .arg = arg,
                     .state = ROOM_UNKNOWN};
  r->back = (struct fetch_task){.fn = room_probe_done, .arg = r};
  *ret_room = r;
  return OK;
}

void room_begin(struct room *r, struct fetch *fetch) {
  r->fetch = fetch;
}

struct room *room_free(struct room *r) {
  free(r);
  return NULL;
}
