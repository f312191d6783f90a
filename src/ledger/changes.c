/* changes.c - the sequence of changes, and the thread that follows it.
 *
 *   poll --data_version is the same--> tick --10 ms, or changes_wake--> poll
 *     |--it differs--> read rows after seq, in batches --> subscribers' change --> tick
 *     |--a gap, seq beyond the newest, or another database--> subscribers' lost --> continue after the newest row
 *     `--error--> unhealthy --10 ms--> poll
 *            `--each stale_max_ms without a success--> subscribers' lost
 *
 * Invariants
 *  (1) seq has no holes except at its beginning: autoincrement counts, and a rolled-back insert gives its number back. So if the
 *      oldest row is beyond seq + 1, rows were trimmed before the follower read them.
 *  (2) A subscriber gets each change at most once, in order. After `lost` it gets only changes committed after the newest one at
 *      that time.
 *  (3) seq moves after all subscribers were called.
 *  (4) The lock covers closing and wake_pending. No SQL and no callback runs under it. */
#include "ledger/changes.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/lock.h"
#include "ledger/changes_postgres.h"

enum { BATCH = 500, TRIM_PART = 500 };

static const char *const kind_names[] = {
#define X(name, text) [CHANGE_##name] = text,
#include "ledger/change_kind.def"
#undef X
};

/* --- the table --- */

enum err changes_add(struct db *db, enum change_kind kind, int64_t business_id, struct str id) {
  assert((unsigned)kind < CHANGE_KIND_COUNT_);
  if (id.n > CHANGE_ID_MAX) return ERR_TOO_BIG;
  return db_run_later(db, "insert into changes (kind, business_id, id, at_ms) values (?1, ?2, ?3, ?4)",
                      DB_TEXT(str_from(kind_names[kind])), DB_INT(business_id), DB_TEXT(id), DB_INT(db_now_ms(db)));
}

enum err changes_add_row(struct db_set *rows, enum change_kind kind, int64_t business_id, struct str id,
                         int64_t at_ms) {
  assert((unsigned)kind < CHANGE_KIND_COUNT_);
  if (id.n > CHANGE_ID_MAX) return ERR_TOO_BIG;
  return db_set_add(rows, DB_TEXT(str_from(kind_names[kind])), DB_INT(business_id), DB_TEXT(id), DB_INT(at_ms));
}

enum err changes_add_rows(struct db *db, struct db_set *rows) {
  if (rows->rows == 0) return OK;
  /* As changes_next_seq: the transaction has its id before it takes a number. */
  return db_run_set_later(
      db, rows,
      "with own as materialized (select pg_current_xact_id())"
      " insert into changes (seq, kind, business_id, id, at_ms) select nextval('changes_numbers'), k.* from own,"
      " unnest(?1::text[], ?2::bigint[], ?3::text[], ?4::bigint[]) k");
}

enum err changes_trim(struct db *db, int64_t now, bool *ret_more) {
  /* Rows are in order of time, so the first ones are the oldest. A time too far ahead counts as past. */
  TRY(db_run(db,
             "delete from changes where seq in (select seq from changes order by seq limit ?1)"
             " and (abs(?2 - at_ms) > ?3 or seq <= (select max(seq) from changes) - ?4)",
             DB_INT(TRIM_PART), DB_INT(now), DB_INT(CHANGES_KEPT_MS), DB_INT(CHANGES_KEPT)));
  *ret_more = db_changed(db) == TRIM_PART;
  return OK;
}

enum err changes_bounds(struct db *db, int64_t *ret_oldest, int64_t *ret_newest) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query_either(db, &q,
                      "select (select min(seq) from changes), (select seq from sqlite_sequence where name = 'changes')",
                      "select (select min(seq) from changes),"
                      " (select case when is_called then last_value else 0 end from changes_numbers)"));
  TRY(db_next(&q));
  int64_t newest = db_int(&q, 1);
  *ret_oldest = db_int_or(&q, 0, newest + 1);
  *ret_newest = newest;
  return OK;
}

static enum err changes_query(struct db *db, struct db_rows *q, int64_t business_id, int64_t after, int64_t newest,
                              int limit) {
  if (business_id == 0)
    return db_query(db, q,
                    "select seq, kind, business_id, id, at_ms from changes where seq > ?1 and seq <= ?3"
                    " order by seq limit ?2",
                    DB_INT(after), DB_INT(limit), DB_INT(newest));
  return db_query(db, q,
                  "select seq, kind, business_id, id, at_ms from changes indexed by changes_business"
                  " where business_id = ?1 and seq > ?2 and seq <= ?4 order by seq limit ?3",
                  DB_INT(business_id), DB_INT(after), DB_INT(limit), DB_INT(newest));
}

/* The row begins at column first. A kind that only a later release knows is skipped. */
static enum err changes_row_deliver(struct db_rows *q, int first, changes_fn *fn, void *arg) {
  struct change c = {.seq = db_int(q, first),
                     .business_id = db_int(q, first + 2),
                     .id = db_text(q, first + 3),
                     .at_ms = db_int(q, first + 4)};
  struct str kind = db_text(q, first + 1);
  size_t k = 0;
  while (k < COUNT_OF(kind_names) && !str_eq(kind, str_from(kind_names[k]))) k++;
  c.kind = (enum change_kind)k;
  return k < COUNT_OF(kind_names) ? fn(arg, &c) : OK;
}

/* Calls fn with the rows after `after`, up to newest. */
static enum err changes_read_rows(struct db *db, int64_t business_id, int64_t after, int64_t newest, int limit,
                                  changes_fn *fn, void *arg, int64_t *ret_last, int *ret_rows) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(changes_query(db, &q, business_id, after, newest, limit));
  enum err e;
  int rows = 0;
  for (; (e = db_next(&q)) == OK; rows++) {
    TRY(changes_row_deliver(&q, 0, fn, arg));
    *ret_last = db_int(&q, 0);
  }
  *ret_rows = rows;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err changes_read_snapshot(struct db *db, int64_t business_id, int64_t after, int limit, changes_fn *fn,
                                      void *arg, int64_t *ret_last) {
  int64_t oldest, newest, last = after;
  int rows;
  TRY(changes_bounds(db, &oldest, &newest));
  if (after < oldest - 1 || after > newest) return ERR_NOT_FOUND;
  if (after >= newest) {
    *ret_last = after;
    return OK;
  }
  TRY(changes_read_rows(db, business_id, after, newest, limit, fn, arg, &last, &rows));
  *ret_last = rows < limit ? newest : last;
  return OK;
}

int64_t changes_final(struct db *db) {
  int64_t low = db_kind(db) == DB_POSTGRES ? changes_position_low() : -1;
  return low < 0 ? INT64_MAX : low;
}

enum err changes_read(struct db *db, int64_t business_id, int64_t after, int limit, changes_fn *fn, void *arg,
                      int64_t *ret_last) {
  if (db_in_transaction(db)) return changes_read_snapshot(db, business_id, after, limit, fn, arg, ret_last);
  TRY(db_begin(db)); /* bounds and rows of one snapshot */
  enum err e = changes_read_snapshot(db, business_id, after, limit, fn, arg, ret_last);
  db_rollback(db);
  return e;
}

/* --- the follower --- */

struct changes {
  struct db *db;
  struct changes_subscriber subscribers[CHANGES_SUBSCRIBERS_MAX];
  size_t subscriber_count;
  int64_t version;  /* data_version of the last poll; -1: read in any case */
  int64_t reopened; /* db_reopened of the last poll */
  struct changes_epoch epoch;
  struct changes_position position; /* on PostgreSQL */
  bool look_again;                  /* a number is missing: read again even if data_version has not changed */
  int64_t stale_max_ms;             /* 0: none */
  int64_t answered_ms;              /* mono: when the last poll succeeded, or `lost` was called since */
  atomic_llong seq;
  atomic_bool healthy;
  pthread_t thread;
  bool started;
  struct lock lock;
  struct lock_cond woken;
  bool closing, wake_pending;
};

static void call_lost(struct changes *c) {
  for (size_t i = 0; i < c->subscriber_count; i++) {
    if (c->subscribers[i].lost) c->subscribers[i].lost(c->subscribers[i].arg);
  }
}

/* Rows of one read. Subscribers are called after the read has ended. */
struct batch {
  struct change changes[BATCH];
  struct buf ids;
  size_t count;
};

static enum err changes_batch_add(void *arg, const struct change *change) {
  struct batch *b = arg;
  struct change *kept = &b->changes[b->count];
  *kept = *change;
  kept->id.p = NULL; /* set by batch_deliver, when the buffer has its final address */
  TRY(buf_add(&b->ids, change->id));
  b->count++;
  return OK;
}

static void batch_deliver(struct changes *c, struct batch *b) {
  const char *id = b->ids.p;
  for (size_t i = 0; i < b->count; i++) {
    struct change *change = &b->changes[i];
    change->id.p = id;
    if (change->id.n > 0) id += change->id.n;
    for (size_t s = 0; s < c->subscriber_count; s++) {
      if (c->subscribers[s].change) c->subscribers[s].change(c->subscribers[s].arg, change);
    }
  }
}

/* Reads rows after seq in one snapshot. *ret_end: the seq to continue after. *ret_lost: rows were trimmed unread. */
static enum err changes_batch_read(struct changes *c, struct batch *b, int64_t *ret_end, int *ret_rows,
                                   bool *ret_lost) {
  int64_t oldest, newest, seq = atomic_load(&c->seq);
  *ret_end = seq;
  TRY(changes_bounds(c->db, &oldest, &newest));
  *ret_lost = oldest > seq + 1 || newest < seq; /* (1) */
  if (*ret_lost) {
    *ret_rows = 0;
    *ret_end = newest;
    return OK;
  }
  return changes_read_rows(c->db, 0, seq, newest, BATCH, changes_batch_add, b, ret_end, ret_rows);
}

static enum err batch_add_row(void *arg, struct db_rows *q, int first) {
  return changes_row_deliver(q, first, changes_batch_add, arg);
}

static enum err changes_batch_read_next(struct changes *c, struct batch *b, int64_t *ret_end, bool *ret_more,
                                        bool *ret_lost) {
  struct changes_position position = c->position;
  bool is_stuck;
  TRY(changes_position_read(c->db, &position, BATCH, batch_add_row, b, ret_more, &is_stuck, ret_lost));
  c->position = position;
  c->look_again = is_stuck;
  *ret_end = position.low;
  return OK;
}

static enum err follow_batch(struct changes *c, bool *ret_more) {
  struct batch *b = calloc(1, sizeof(*b));
  if (!b) return ERR_NOMEM;
  buf_init(&b->ids, (size_t)BATCH * CHANGE_ID_MAX);
  int64_t end = 0;
  int rows = 0;
  bool lost = false;
  bool more = false;
  enum err e;
  if (db_kind(c->db) == DB_POSTGRES) {
    e = changes_batch_read_next(c, b, &end, &more, &lost);
  } else {
    e = db_begin(c->db);
    if (e == OK) e = changes_batch_read(c, b, &end, &rows, &lost);
    db_rollback(c->db);
    more = rows == BATCH;
  }
  if (e == OK) {
    if (lost) call_lost(c);
    batch_deliver(c, b);
    atomic_store(&c->seq, end); /* (3) */
  }
  buf_done(&b->ids);
  free(b);
  *ret_more = more;
  return e;
}

/* Another database stands at the path: all that was read from the old one must be discarded. */
static enum err follow_reopened(struct changes *c) {
  int64_t oldest, newest;
  if (db_kind(c->db) == DB_POSTGRES) {
    TRY(changes_position_begin(c->db, &c->position));
    newest = c->position.low;
  } else {
    TRY(changes_bounds(c->db, &oldest, &newest));
  }
  c->reopened = db_reopened(c->db);
  call_lost(c);
  atomic_store(&c->seq, newest);
  return OK;
}

static enum err changes_poll(struct changes *c) {
  int64_t version;
  TRY(db_data_version(c->db, &version));
  if (db_reopened(c->db) != c->reopened) TRY(follow_reopened(c));
  if (version == c->version && !c->look_again) return OK;
  bool more = true;
  c->look_again = false;
  while (more) TRY(follow_batch(c, &more));
  c->version = version;
  return OK;
}

/* Values that were read before the database went away are used for stale_max_ms, then discarded. */
static void note_answer(struct changes *c, bool answers) {
  int64_t now = clock_mono_ms();
  bool is_stale = !answers && c->stale_max_ms && now - c->answered_ms >= c->stale_max_ms;
  if (is_stale) call_lost(c);
  if (answers || is_stale) c->answered_ms = now;
}

static void *follower_main(void *arg) {
  struct changes *c = arg;
  for (;;) {
    enum err e = changes_poll(c);
    if (e != OK) c->version = -1;
    note_answer(c, e == OK);
    atomic_store(&c->healthy, e == OK);
    for (size_t i = 0; e == OK && i < c->subscriber_count; i++) {
      if (c->subscribers[i].tick) c->subscribers[i].tick(c->subscribers[i].arg);
    }
    LOCKED(&c->lock);
    if (!c->wake_pending && !c->closing) lock_cond_wait_ms(&c->woken, &c->lock, CHANGES_POLL_MS);
    c->look_again = c->look_again || (c->wake_pending && db_kind(c->db) == DB_POSTGRES);
    c->wake_pending = false;
    if (c->closing) return NULL;
  }
}

enum err changes_new(const struct db_open *open, struct changes **ret_changes) {
  struct changes *c = calloc(1, sizeof(*c));
  if (!c) return ERR_NOMEM;
  c->version = -1;
  int64_t oldest, newest = 0;
  struct db_open how = *open;
  how.on_connect = changes_enter; /* on PostgreSQL it may begin an epoch, so it writes */
  how.on_connect_arg = &c->epoch;
  how.read_only = !db_url_is_postgres(open->url);
  enum err e = db_open(&how, NULL, &c->db);
  if (e == OK && db_kind(c->db) == DB_POSTGRES) {
    e = changes_position_begin(c->db, &c->position);
    newest = c->position.low;
  } else if (e == OK) {
    e = changes_bounds(c->db, &oldest, &newest);
  }
  if (e != OK) {
    db_close(c->db);
    free(c);
    return e;
  }
  atomic_init(&c->seq, newest);
  atomic_init(&c->healthy, true);
  c->answered_ms = clock_mono_ms();
  lock_init(&c->lock, "changes", LOCK_RANK_LEDGER);
  lock_cond_init(&c->woken);
  *ret_changes = c;
  return OK;
}

void changes_set_stale_max(struct changes *c, int64_t stale_max_ms) {
  assert(!c->started);
  c->stale_max_ms = stale_max_ms;
}

enum err changes_subscribe(struct changes *c, const struct changes_subscriber *subscriber) {
  assert(!c->started);
  if (c->subscriber_count == CHANGES_SUBSCRIBERS_MAX) return ERR_TOO_BIG;
  c->subscribers[c->subscriber_count++] = *subscriber;
  return OK;
}

enum err changes_start(struct changes *c) {
  assert(!c->started);
  c->started = pthread_create(&c->thread, NULL, follower_main, c) == 0;
  if (c->started) (void)pthread_setname_np(c->thread, "changes"); /* a name for people and benches */
  return c->started ? OK : ERR_NOMEM;
}

void changes_stop(struct changes *c) {
  if (!c || !c->started) return;
  lock_take(&c->lock);
  c->closing = true;
  lock_cond_signal(&c->woken);
  lock_release(&c->lock);
  pthread_join(c->thread, NULL);
  c->started = false;
}

struct changes *changes_free(struct changes *c) {
  if (!c) return NULL;
  changes_stop(c);
  db_close(c->db);
  lock_cond_done(&c->woken);
  lock_done(&c->lock);
  free(c);
  return NULL;
}

void changes_wake(struct changes *c) {
  if (!c) return;
  LOCKED(&c->lock);
  if (!c->wake_pending) lock_cond_signal(&c->woken);
  c->wake_pending = true;
}

bool changes_healthy(struct changes *c) {
  return atomic_load(&c->healthy);
}

int64_t changes_seq(struct changes *c) {
  return atomic_load(&c->seq);
}
