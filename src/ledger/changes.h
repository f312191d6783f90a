/* changes.h - one growing sequence of what any process changed, and who follows it.
 *
 *   in a transaction:  TRY(changes_add(db, CHANGE_RECORDING, business, sid));
 *   to follow:         changes_new(&config, &changes); changes_subscribe(changes, &subscriber); changes_start(changes);
 *
 * What is loaded after changes_new misses nothing: the follower begins with what is committed later. The follower has a
 * thread and a read connection of its own, looks every 10 ms, at once when woken, and goes on through errors of the database.
 * Thread rule: changes_add, _read, _trim: the connection's. _subscribe before _start; the rest from any thread; subscribers
 * are called on the follower's thread, in order of seq, and must not wait. */
#pragma once

#include "db/db.h"

enum change_kind {
#define X(name, text) CHANGE_##name,
#include "ledger/change_kind.def"
#undef X
  CHANGE_KIND_COUNT_
};
enum {
  CHANGES_KEPT = 100000,
  CHANGES_KEPT_MS = 10 * 60 * 1000,
  CHANGES_TRIM_EACH = 1000,
  CHANGES_POLL_MS = 10,
  CHANGES_SUBSCRIBERS_MAX = 16,
  CHANGE_ID_MAX = 256
};

struct change {
  int64_t seq;
  enum change_kind kind;
  int64_t business_id; /* 0: of no business */
  struct str id;
  int64_t at_ms;
};

/* ERR_TOO_BIG: an id over CHANGE_ID_MAX. */
CHECKED enum err changes_add(struct db *db, enum change_kind kind, int64_t business_id, struct str id);
/* Forgets what is older than CHANGES_KEPT_MS or more than CHANGES_KEPT back, at most 500 rows at a time. *ret_more: there may be
 * more of it. Call it at least once for each CHANGES_TRIM_EACH changes, until there is no more: then the table never holds more
 * than a tenth above CHANGES_KEPT, however quickly it changes. */
CHECKED enum err changes_trim(struct db *db, int64_t now, bool *ret_more);
/* The newest seq, 0 for none yet, and the oldest that is remembered (newest + 1 when none is). */
CHECKED enum err changes_bounds(struct db *db, int64_t *ret_oldest, int64_t *ret_newest);
/* Changes of one business (0: of all) behind seq `after`, at most limit, fn called with each; *ret_last: how far was looked.
 * ERR_NOT_FOUND: `after` is not remembered any more, or was never given. */
typedef enum err changes_fn(void *arg, const struct change *change);
CHECKED enum err changes_read(struct db *db, int64_t business_id, int64_t after, int limit, changes_fn *fn, void *arg,
                              int64_t *ret_last);

struct changes;

struct changes_subscriber {
  void (*change)(void *arg, const struct change *change); /* any of the three may be NULL */
  void (*lost)(void *arg); /* changes were missed, or the database is another: look at everything again */
  void (*tick)(void *arg); /* after every look, at least every 10 ms or so while the database answers */
  void *arg;
};

CHECKED enum err changes_new(const struct db_open *open, struct changes **ret_changes);
CHECKED enum err changes_subscribe(struct changes *c, const struct changes_subscriber *subscriber);
CHECKED enum err changes_start(struct changes *c);
/* Ends the thread: no subscriber is called after it. Poking stays allowed until changes_free: stop, end who writes, free. */
void changes_stop(struct changes *c);            /* NULL, and one that never started, are fine */
struct changes *changes_free(struct changes *c); /* stops; NULL is fine; always NULL */
void changes_poke(struct changes *c);            /* something was committed: look now; NULL is fine */
bool changes_healthy(struct changes *c);         /* the last look succeeded */
int64_t changes_seq(struct changes *c);          /* the last seq that all subscribers were told */
