/* recordings_claims.c - see recordings_claims.h.
 *
 * Invariants
 *  (1) At each rank the first `most` turns are read. Each claim puts one turn of a rank behind others, and may do so to a turn of
 *      the same business at another rank. So `most` claims never need a turn that was not read.
 *  (2) Of a turn as many recordings are read as it gets if all turns of its rank get the same. */
#include "ledger/recordings_claims.h"

#include "db/db_clock.h"
#include "ledger/recordings_row.h"

/* ?1: now; ?2: fills of a business, at most; ?3: claims; ?4: times behind it are of a clock that jumped. */
#define TURN "select rank, business_id, fills, served_at from turns where due_at = 0 and rank = "
#define FIRST " order by fills, served_at, business_id limit ?3"
#define PLAYS "(" TURN "0 and fills < ?2 + 1" FIRST ")"
#define NEW_ONES "(" TURN "1 and fills < ?2" FIRST ")"
#define THE_REST "(" TURN "2 and fills < ?2" FIRST ")"
#define TURNS                                                                                                        \
  "(select *, (?3 + count(*) over (partition by rank) - 1) / count(*) over (partition by rank) as room from (" PLAYS \
  " union all " NEW_ONES " union all " THE_REST ") found)"
#define LEASES \
  "(select coalesce(sum(n), 0) as n, coalesce(sum(case when rank = 2 then n else 0 end), 0) as rest from fill_counts)"
#define OF_TURN                                                                                         \
  " as since from recordings q where q.status = 'queued' and q.lease_until is null and q.rank = t.rank" \
  " and q.business_id = t.business_id and q.next_ask_at "
#define AT_ONCE "(select q.recording_sid as sid, q.enqueued_at" OF_TURN "is null order by q.enqueued_at limit t.room)"
#define LATER "(select q.recording_sid, q.next_ask_at" OF_TURN "<= ?1 order by q.next_ask_at limit t.room)"
/* As in turns_expected: a time that is ahead hides those that are too far ahead. */
#define IS_AHEAD                                                                                       \
  "select 1 from recordings n where n.status = 'queued' and n.lease_until is null and n.rank = t.rank" \
  " and n.business_id = t.business_id and n.next_ask_at > ?1 and n.next_ask_at <= ?4"
#define JUMPED                                                                      \
  "(select q.recording_sid, q.next_ask_at" OF_TURN "> ?4 and not exists (" IS_AHEAD \
  ") order by q.next_ask_at limit t.room)"
#define OLDEST_OF_TURN \
  "(select sid, since from (" AT_ONCE " union all " LATER " union all " JUMPED ") due order by since limit t.room)"
#define IS_PLAIN \
  "b.auth_failed_at is null and b.error_streak < 5 and b.removed_at is null and r.recording_sid is not null"

static enum err read_claimable(struct db_rows *q, struct claimable *c, struct turns_fills *fills) {
  enum { ALL = RECORDING_COLUMN_COUNT_, REST, RANK, BUSINESS, FILLS, SERVED, ROOM, PLAIN, CREDENTIALS, STARTED };
  *fills = (struct turns_fills){.all = db_int(q, ALL), .rest = db_int(q, REST)};
  c->rank = (int)db_int(q, RANK);
  c->business_id = db_int(q, BUSINESS);
  c->fills = db_int(q, FILLS);
  c->served_at = db_int(q, SERVED);
  c->turn_room = (int)db_int(q, ROOM);
  c->is_plain = db_int(q, PLAIN) != 0;
  if (!c->is_plain) return OK;
  c->credentials_version = db_int(q, CREDENTIALS);
  c->call_started_at = db_int(q, STARTED);
  return recordings_read_row(q, &c->row);
}

enum err recordings_claimable(struct db *db, const struct recordings_limits *limits, int64_t now, int most,
                              struct claimable *ret_list, int *ret_count, struct turns_fills *ret_fills) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  int n = 0;
  enum err e;
  if (db_kind(db) != DB_POSTGRES) return ERR_UNSUPPORTED;
  TRY(turns_make_due(db, now, TURNS_DUE_MAX * most)); /* as so many calls of recordings_next */
  *ret_fills = (struct turns_fills){0, 0};
  TRY(db_query(db, &q,
               DB_FOR_POSTGRES
               "select " RECORDING_COLUMNS
               ", f.n, f.rest, t.rank, t.business_id, t.fills, t.served_at, t.room, " IS_PLAIN
               ", b.credentials_version, c.started_at from " TURNS " t cross join " LEASES
               " f join businesses b on b.business_id = t.business_id left join lateral " OLDEST_OF_TURN
               " k on true left join recordings r on r.business_id = t.business_id and r.recording_sid = k.sid"
               " left join calls c on c.business_id = r.business_id and c.call_sid = r.call_sid"
               " order by t.rank, t.fills, t.served_at, t.business_id, k.since",
               DB_INT(now), DB_INT(limits->per_business), DB_INT(most),
               DB_INT(now + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS)));
  while ((e = db_next(&q)) == OK) {
    if (n == CLAIMABLE_ROOM(most)) return ERR_TOO_BIG;
    TRY(read_claimable(&q, &ret_list[n++], ret_fills));
  }
  *ret_count = n;
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err recordings_store_later(struct db *db, const struct recording *old, const struct recording *next) {
  TRY(db_run_later(db,
                   DB_FOR_POSTGRES "update recordings set (" RECORDING_STORED_COLUMNS
                                   ", version) = (" RECORDING_STORED_PARAMETERS
                                   ", version + 1) where business_id = ?1 and recording_sid = ?2",
                   DB_INT(old->business_id), DB_TEXT(str_from(old->recording_sid)), RECORDING_STORED_VALUES(next)));
  return changes_add(db, recording_change(old, next), old->business_id, str_from(old->recording_sid));
}
