/* changes_postgres.c - see changes_postgres.h.
 *
 *   low --next number is there--> low + 1
 *   low --it is missing--> stuck --it came--> low + 1
 *                                --settled: it never will--> behind the gap
 *                                --STUCK_MS--> lost
 *
 * Invariants
 *  (1) A read is one statement, so one snapshot: its rows and its oldest running transaction belong together.
 *  (2) A transaction has its id before it takes a number (changes_next_seq). So when a number up to seq was seen and then an
 *      id of our own was taken, every transaction with a number up to seq is older than that id. Once none of those runs, a
 *      number that is still missing was rolled back.
 *  (3) No clock decides that a number is dead: only (2) does.
 *  (4) Numbers of a later epoch are greater than all of an earlier one. */
#include "ledger/changes_postgres.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"

enum { SETTLE_AFTER_MS = 10, STUCK_MS = 10 * 60 * 1000, BLIND_MS = 5 * 60 * 1000, SPAN = 2000 };

static atomic_llong newest_low = -1;

int64_t changes_position_low(void) {
  return atomic_load(&newest_low);
}

/* ---- epochs ---- */

static enum err read_epoch(struct db *db, const struct changes_epoch *known, struct changes_epoch *ret_epoch) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_POSTGRES "select e.epoch, e.nonce from changes_enter(?1, ?2) e", DB_INT(known->epoch),
               DB_TEXT(str_from(known->nonce))));
  TRY(db_next(&q));
  ret_epoch->epoch = db_int(&q, 0);
  return str_copy(ret_epoch->nonce, sizeof(ret_epoch->nonce), db_text(&q, 1));
}

enum err changes_enter(struct db *db, void *epoch) {
  struct changes_epoch *known = epoch, now = CHANGES_EPOCH;
  bool has = false;
  if (db_kind(db) != DB_POSTGRES) return OK;
  TRY(db_has_table(db, "changes_epoch", &has));
  if (!has) return OK;
  TRY(read_epoch(db, known, &now));
  if (known->nonce[0] && strcmp(known->nonce, now.nonce) != 0) db_count_reopened(db);
  *known = now;
  return OK;
}

/* ---- the follower's reads ---- */

enum err changes_position_begin(struct db *db, struct changes_position *ret_position) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  /* A number that is missing among the last ones may be of a transaction that runs: begin before it. */
  TRY(db_query(db, &q,
               DB_FOR_POSTGRES
               "select coalesce((select min(s) - 1 from generate_series(greatest(n.last - ?1::bigint,"
               " (n.last >> 40) << 40) + 1, n.last) s where not exists (select 1 from changes where seq = s)), n.last)"
               " from (select case when is_called then last_value else 0 end as last from changes_numbers) n",
               DB_INT(SPAN)));
  TRY(db_next(&q));
  *ret_position = (struct changes_position){.low = db_int(&q, 0), .read_ms = clock_mono_ms()};
  atomic_store(&newest_low, ret_position->low);
  return OK;
}

/* Takes a transaction id of our own (2). */
static enum err position_settle(struct db *db, struct changes_position *position, int64_t seq) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, DB_FOR_POSTGRES "select pg_current_xact_id()::text::bigint"));
  TRY(db_next(&q));
  position->settled_xid = db_int(&q, 0);
  position->settled_seq = seq;
  return OK;
}

static enum err position_lost(struct db *db, struct changes_position *position, bool *ret_lost) {
  TRY(changes_position_begin(db, position));
  *ret_lost = true;
  return OK;
}

static enum err position_stuck(struct db *db, struct changes_position *position, int64_t seen, bool *ret_lost) {
  int64_t now = clock_mono_ms();
  if (position->stuck_ms == 0) position->stuck_ms = now;
  if (now - position->stuck_ms > STUCK_MS) return position_lost(db, position, ret_lost);
  if (position->settled_xid == 0 && now - position->stuck_ms >= SETTLE_AFTER_MS)
    return position_settle(db, position, seen);
  return OK;
}

/* Reads once, and calls fn with the rows that are final. */
static enum err position_rows(struct db *db, struct changes_position *position, int limit, changes_row_fn *fn,
                              void *arg, int *ret_rows, int64_t *ret_seen, bool *ret_stuck) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               DB_FOR_POSTGRES
               "select s.xmin, c.seq, c.kind, c.business_id, c.id, c.at_ms"
               " from (select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin) s"
               " left join (select * from changes where seq > ?1 order by seq limit ?2) c on true order by c.seq",
               DB_INT(position->low), DB_INT(limit)));
  enum err e;
  int rows = 0;
  bool stuck = false;
  while ((e = db_next(&q)) == OK && !db_is_null(&q, 1)) {
    int64_t xmin = db_int(&q, 0), seq = db_int(&q, 1);
    bool is_settled = position->settled_xid != 0 && xmin >= position->settled_xid && seq <= position->settled_seq;
    *ret_seen = seq;
    rows++;
    stuck = stuck || (seq != position->low + 1 && !is_settled);
    if (stuck) continue;
    TRY(fn(arg, &q, 1));
    position->low = seq;
  }
  *ret_rows = rows;
  *ret_stuck = stuck;
  return e == OK || e == ERR_NOT_FOUND ? OK : e;
}

enum err changes_position_read(struct db *db, struct changes_position *position, int limit, changes_row_fn *fn,
                               void *arg, bool *ret_more, bool *ret_stuck, bool *ret_lost) {
  int64_t seen = 0, before = position->low;
  int rows = 0;
  *ret_more = *ret_stuck = *ret_lost = false;
  if (clock_mono_ms() - position->read_ms > BLIND_MS) return position_lost(db, position, ret_lost);
  TRY(position_rows(db, position, limit, fn, arg, &rows, &seen, ret_stuck));
  position->read_ms = clock_mono_ms();
  if (position->low != before || !*ret_stuck) position->stuck_ms = 0;
  if (position->low >= position->settled_seq) position->settled_xid = 0;
  *ret_more = rows == limit && !*ret_stuck;
  if (*ret_stuck) TRY(position_stuck(db, position, seen, ret_lost));
  atomic_store(&newest_low, position->low);
  return OK;
}
