/* cache_version.h - numbers that grow whenever something that is kept in memory may be out of date.
 *
 *   struct cache_mark mark = cache_mark(versions, CACHE_RECORDING, business, sid);     before it is read
 *   … read the row …  keep what was read, with the mark
 *   if (cache_mark_holds(&mark)) … what is kept is still true …
 *
 * Whoever learns of a change calls cache_changed for what it changes; nobody who keeps something is told. A process has
 * 65,536 counters, found by a hash: two things that share one void each other, which costs a look and is never wrong.
 * Thread rule: any thread; nothing waits. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"

enum cache_kind {
  CACHE_RECORDING,    /* a recording under its own SID: owner is the business */
  CACHE_CALL,         /* all that stands under SIDs of a business's calls: any may come to mean another recording */
  CACHE_SESSION,      /* a session: id is its token's digest, owner 0 */
  CACHE_KEY_SESSIONS, /* the sessions that a key opened: owner is the key */
  CACHE_BUSINESS_SESSIONS, /* all sessions of a business */
};

struct cache_versions;

struct cache_mark {
  const atomic_uint_least64_t *counter;
  uint64_t version;
};

CHECKED enum err cache_versions_new(struct cache_versions **ret_versions);
struct cache_versions *cache_versions_free(struct cache_versions *v); /* NULL is fine; always NULL */
struct cache_mark cache_mark(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id);
static inline bool cache_mark_holds(const struct cache_mark *m) {
  return atomic_load_explicit(m->counter, memory_order_acquire) == m->version;
}
/* The mark's number alone. Numbers only grow, so a sum of several is the same only while each is. */
uint64_t cache_version(const struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id);
void cache_changed(struct cache_versions *v, enum cache_kind kind, int64_t owner, struct str id);
/* Changes were missed: nothing that is kept may be believed. */
void cache_changed_all(struct cache_versions *v);
