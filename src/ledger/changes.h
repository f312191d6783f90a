/* changes.h - the sequence of changes of all processes, and the follower that delivers it (docs/internals/changes.md).
 *
 *   to report:  TRY(changes_add(db, CHANGE_RECORDING, business, sid));   in the transaction that makes the change
 *   to follow:  changes_new(&open, &changes); changes_subscribe(changes, &subscriber); changes_start(changes);
 *
 * The follower delivers what is committed after changes_new, so load initial state after it. It has a thread and a read
 * connection of its own, polls every 10 ms and at once after changes_wake, and continues after errors of the database.
 * Thread rule: changes_add, _trim, _bounds, _read: the connection's. _subscribe before _start. The rest from any thread.
 * Subscribers are called on the follower's thread, in order of seq, and must not block. */
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
  int64_t business_id; /* 0: none */
  struct str id;
  int64_t at_ms;
};

/* ERR_TOO_BIG: an id over CHANGE_ID_MAX. */
CHECKED enum err changes_add(struct db *db, enum change_kind kind, int64_t business_id, struct str id);
/* The same for many, on PostgreSQL only: rows are collected, and sent with the next statement. */
CHECKED enum err changes_add_row(struct db_set *rows, enum change_kind kind, int64_t business_id, struct str id,
                                 int64_t at_ms);
CHECKED enum err changes_add_rows(struct db *db, struct db_set *rows);
/* Deletes changes older than CHANGES_KEPT_MS or more than CHANGES_KEPT back, at most 500. *ret_more: there may be more. Call it
 * for each CHANGES_TRIM_EACH changes, until there is no more: then the table never exceeds CHANGES_KEPT by more than a tenth. */
CHECKED enum err changes_trim(struct db *db, int64_t now, bool *ret_more);
/* The newest seq (0: none yet) and the oldest that is stored (newest + 1: none). */
CHECKED enum err changes_bounds(struct db *db, int64_t *ret_oldest, int64_t *ret_newest);
/* A transaction that begins after this call sees all changes up to the returned seq that will ever be committed. Beyond it, on
 * PostgreSQL, a change with a smaller number may still be committed after one with a greater. Do not call it inside the
 * transaction: the seq may then be too great. */
int64_t changes_final(struct db *db);
/* Calls fn with at most limit changes of a business (0: of all) after seq `after`: those that the transaction sees, so beyond
 * changes_final some may be missing. *ret_last: the seq to continue after, within this transaction.
 * ERR_NOT_FOUND: changes after `after` were trimmed, or `after` is in the future. */
typedef enum err changes_fn(void *arg, const struct change *change);
CHECKED enum err changes_read(struct db *db, int64_t business_id, int64_t after, int limit, changes_fn *fn, void *arg,
                              int64_t *ret_last);

struct changes;

struct changes_subscriber {
  void (*change)(void *arg, const struct change *change); /* any of the three may be NULL */
  void (*lost)(void *arg); /* changes were missed, or the database was replaced: discard all that was read */
  void (*tick)(void *arg); /* after every poll, about every 10 ms while the database answers */
  void *arg;
};

CHECKED enum err changes_new(const struct db_open *open, struct changes **ret_changes);
/* Before _start. Each time that the database has not answered for so long (monotonic), subscribers' `lost` is called: all that
 * was read before is too old. 0, the default: never. */
void changes_set_stale_max(struct changes *c, int64_t stale_max_ms);
CHECKED enum err changes_subscribe(struct changes *c, const struct changes_subscriber *subscriber);
CHECKED enum err changes_start(struct changes *c);
/* Ends the thread: no subscriber is called afterwards. changes_wake stays allowed until changes_free, so: stop, end the writer,
 * free. */
void changes_stop(struct changes *c);            /* accepts NULL, and one that was not started */
struct changes *changes_free(struct changes *c); /* stops; accepts NULL; returns NULL */
void changes_wake(struct changes *c);            /* polls at once: something was committed; accepts NULL */
bool changes_healthy(struct changes *c);         /* the last poll succeeded */
int64_t changes_seq(struct changes *c);          /* the last seq delivered to all subscribers */
