/* room.h - whether the recordings' volume has room. Without room a worker claims nothing.
 *
 *   room_new(store, disk, least_setting, on_change, worker, &room);   room_begin(room, fetch);
 *   on every tick: next = room_tick(room, mono_ms);   before a claim: room_state(room) == ROOM_ENOUGH
 *
 * Thread rule: the worker's thread; room_is_full from any thread. */
#pragma once

#include "base/pool.h"
#include "blob/blob.h"
#include "fetch/fetch.h"

enum room_state {
  ROOM_UNKNOWN, /* not probed yet, or the free space can't be read: no fill begins */
  ROOM_ENOUGH,  /* min_free_bytes or more are free: fills begin */
  ROOM_FULL,    /* fewer are free: no fill begins */
};

struct room;
typedef void room_change_fn(void *arg, enum room_state state);

/* least_setting: MIN_FREE_BYTES, or below 0 (see store_least_free). Probes run on the disk pool. None runs before room_begin. */
CHECKED enum err room_new(struct blob_store *store, struct pool *disk, int64_t least_setting, room_change_fn *on_change,
                          void *arg, struct room **ret_room);
/* fetch: the worker's loop. on_change is called on its thread after each change of state. It must end after the pool. */
void room_begin(struct room *r, struct fetch *fetch);
/* Starts a probe when one is due. Returns after how many ms the next call is due. */
int64_t room_tick(struct room *r, int64_t mono_ms);
enum room_state room_state(const struct room *r);
/* Any thread. */
bool room_is_full(const struct room *r);
/* After the pool and fetch have ended. NULL is fine. Always NULL. */
struct room *room_free(struct room *r);
