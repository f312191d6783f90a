/* cache_version.h - invalidates what caches keep in memory: a counter for each thing that can change.
 *
 *   struct cache_mark mark = cache_mark(versions, CACHE_RECORDING, business, sid);     before it is read
 *   … read the row …  keep what was read, with the mark
 *   if (cache_mark_holds(&mark)) … what is kept is still true …
 *
 * The changes thread calls cache_changed for each change; it does not call the caches, which compare their marks when
 * they are asked. A process has 65,536 counters, found by a hash. If two things share one, a change of either
 * invalidates both, which costs a needless read and is never wrong.
 * Thread rule: any thread; no function blocks. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"

enum cache_kind {
  CACHE_RECORDING,         /* a recording under its own SID: owner is the business */
  CACHE_CALL,              /* everything found by a call's SID: it may mean another recording after a change */
  CACHE_SESSION,           /* a session: id is the digest of its token, owner 0 */
  CACHE_KEY_SESSIONS,      /* all sessions opened with an API key: owner is the key */
  CACHE_BUSINESS_SESSIONS, /* all sessions of a business */
};

struct cache_versions;

struct cache_mark {
  const atomic_uint_least64_t *counter;
  uint64_t version;
};

CHECKED enum err cache_versions_new(struct cache_versions **ret_versions);
struct cache_versions *cache_versions_free(struct cache_versions *v); /* NULL is fine; always NULL */
/* Take the mark before you read what you cache. */
/* Take the mark before you read what you cache. */
struct cache_mark cache_mark(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id);
static inline bool cache_mark_holds(const struct cache_mark *m) {
  return atomic_load_explicit(m->counter, memory_order_acquire) == m->version;
}
/* The counter alone. Counters only grow, so the sum of several is unchanged only if each of them is. */
uint64_t cache_version(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id);
void cache_changed(struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id);
/* Invalidates everything: call it when changes were missed. */
void cache_changed_all(struct cache_versions *v);
