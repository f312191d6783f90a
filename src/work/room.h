/* room.h - whether the recordings' volume has room: the state in which a worker begins fills or leaves the queue alone.
 *
 *   room_new(store, disk, min_free_bytes, on_change, worker, &room);   room_begin(room, fetch);
 *   on every tick: next = room_tick(room, mono_ms);   before a claim: room_state(room) == ROOM_ENOUGH
 *
 * Thread rule: the worker's thread, but for room_is_full. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "fetch/fetch.h"

enum room_state {
  ROOM_UNKNOWN, /* nobody has looked yet, or the volume does not tell */
  ROOM_ENOUGH,  /* min_free_bytes or more are free: fills begin */
  ROOM_FULL,    /* fewer are free: no fill begins */
};

struct room;
typedef void room_change_fn(void *arg, enum room_state state);

/* The volume is looked at on the disk pool. Nobody looks before room_begin. */
CHECKED enum err room_new(struct blob_store *store, struct pool *disk, uint64_t min_free_bytes,
                          room_change_fn *on_change, void *arg, struct room **ret_room);
/* fetch: of the worker's thread, where on_change is called after each change of state; it ends after the pool. */
void room_begin(struct room *r, struct fetch *fetch);
/* Looks at the volume when it is time to. Returns in how many ms it wants to be called again. */
int64_t room_tick(struct room *r, int64_t mono_ms);
enum room_state room_state(const struct room *r);
/* (any thread) */
bool room_is_full(const struct room *r);
/* After the pool and fetch have ended. NULL is fine. Always NULL. */
struct room *room_free(struct room *r);
