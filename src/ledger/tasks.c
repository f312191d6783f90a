/* tasks.c - see tasks.h.
 *
 * Invariants
 *  (1) lease_token grows with every claim. tasks_renew, tasks_got_further, tasks_end and tasks_postpone change nothing unless
 *      owner and token are those of the claim.
 *  (2) Each query reads the first rows of one index. */
#include "ledger/tasks.h"

#include "db/db_clock.h"

static const char *const kind_names[TASK_KIND_COUNT_] = {
    [TASK_REMOVE] = "remove", [TASK_REMOVE_AT_PROVIDER] = "remove_at_provider", [TASK_TRANSCRIBE] = "transcribe"};

static struct db_value kind_value(enum task_kind kind) {
  return DB_TEXT(str_from(kind_names[kind]));
}

enum err tasks_add(struct db *db, const struct task *task, int64_t now) {
  return db_run(
      db,
      "insert into tasks (kind, business_id, recording_sid, rank, due_at, again_at, created_at)"
      " values (?1, ?2, ?3, ?4, 0, ?5, ?6) on conflict (kind, business_id, recording_sid) do update set"
      " rank = case when excluded.rank < tasks.rank then excluded.rank else tasks.rank end, due_at = 0,"
      " again_at = case when excluded.again_at > tasks.again_at then excluded.again_at else tasks.again_at end",
      kind_value(task->kind), DB_INT(task->business_id), DB_TEXT(str_from(task->recording_sid)), DB_INT(task->rank),
      DB_INT(task->again_at), DB_INT(now));
}

enum err tasks_maintain(struct db *db, int64_t now, int limit) {
  TRY(db_run(
      db,
      "update tasks set lease_owner = null, lease_until = null where task_id in ("
      " select task_id from (select task_id from tasks indexed by tasks_leases where lease_until <= ?1 limit ?3) past"
      " union all select task_id from (select task_id from tasks indexed by tasks_leases"
      "  where lease_until > ?2 limit ?3) jumped)",
      DB_INT(now), DB_INT(now + TASK_LEASE_MS + DB_CLOCK_SLACK_MS), DB_INT(limit)));
  return db_run(db,
                "update tasks set due_at = 0 where task_id in ("
                " select task_id from (select task_id from tasks indexed by tasks_later"
                "  where due_at > 0 and due_at <= ?1 and lease_until is null order by due_at limit ?3) due"
                " union all select task_id from (select task_id from tasks indexed by tasks_later"
                "  where due_at > 0 and due_at > ?2 and lease_until is null order by due_at limit ?3) jumped)",
                DB_INT(now), DB_INT(now + TASK_POSTPONE_MAX_MS + DB_CLOCK_SLACK_MS), DB_INT(limit));
}

/* ---- claims ---- */

static enum err tasks_next_business(struct db *db, enum task_kind kind, int rank, int64_t after,
                                    int64_t *ret_business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id from tasks indexed by tasks_first where kind = ?1 and rank = ?2 and due_at = 0"
               " and lease_until is null and business_id > ?3 order by business_id limit 1",
               kind_value(kind), DB_INT(rank), DB_INT(after)));
  TRY(db_next(&q));
  *ret_business_id = db_int(&q, 0);
  return OK;
}

/* A pause that ends further ahead than TASK_POSTPONE_MAX_MS counts as over. */
static enum err is_paused(struct db *db, enum task_kind kind, int64_t business_id, int64_t now, bool *ret_paused) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select until from task_pauses where business_id = ?1 and kind = ?2", DB_INT(business_id),
               kind_value(kind)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_paused = e == OK && db_int(&q, 0) > now && db_int(&q, 0) <= now + TASK_POSTPONE_MAX_MS;
  return OK;
}

static enum err is_busy(struct db *db, enum task_kind kind, int64_t business_id, int per_business, int64_t now,
                        bool *ret_busy) {
  TRY(is_paused(db, kind, business_id, now, ret_busy));
  if (*ret_busy) return OK;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select count(*) from (select 1 from tasks indexed by tasks_leased where kind = ?1 and business_id = ?2"
               " and lease_until is not null limit ?3) few",
               kind_value(kind), DB_INT(business_id), DB_INT(per_business)));
  TRY(db_next(&q));
  *ret_busy = db_int(&q, 0) >= per_business;
  return OK;
}

static enum err tasks_first_of_business(struct db *db, enum task_kind kind, int rank, int64_t business_id,
                                        struct task *ret_task) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct task t = {.kind = kind, .business_id = business_id, .rank = rank};
  TRY(db_query(db, &q,
               "select task_id, recording_sid, again_at, lease_token, attempts from tasks indexed by tasks_first"
               " where kind = ?1 and rank = ?2 and due_at = 0 and lease_until is null and business_id = ?3"
               " order by task_id limit 1",
               kind_value(kind), DB_INT(rank), DB_INT(business_id)));
  TRY(db_next(&q));
  t.task_id = db_int(&q, 0);
  if (str_copy(t.recording_sid, sizeof(t.recording_sid), db_text(&q, 1)) != OK) return ERR_CORRUPT;
  t.again_at = db_int(&q, 2);
  t.lease_token = db_int(&q, 3);
  t.attempts = db_int(&q, 4);
  *ret_task = t;
  return OK;
}

static enum err tasks_lease(struct db *db, struct str owner, int64_t now, struct task *t) {
  t->lease_token++;
  TRY(str_copy(t->lease_owner, sizeof(t->lease_owner), owner));
  return db_run(db, "update tasks set lease_owner = ?2, lease_token = ?3, lease_until = ?4 where task_id = ?1",
                DB_INT(t->task_id), DB_TEXT(owner), DB_INT(t->lease_token), DB_INT(now + TASK_LEASE_MS));
}

/* Goes at most once around the businesses of a rank, and passes at most PASSED_MAX that are busy or
 * paused. */
static enum err claim_of_rank(struct db *db, enum task_kind kind, int rank, int per_business, struct tasks_turn *turn,
                              int64_t now, struct task *ret_task) {
  enum { PASSED_MAX = 50 };
  int64_t first = turn->business_id[rank], id;
  bool wrapped = false;
  for (int passed = 0; passed < PASSED_MAX; passed++) {
    enum err e = tasks_next_business(db, kind, rank, turn->business_id[rank], &id);
    if (e == ERR_NOT_FOUND && !wrapped && turn->business_id[rank] > 0) {
      wrapped = true;
      turn->business_id[rank] = 0;
      continue;
    }
    TRY(e);
    bool busy;
    turn->business_id[rank] = id;
    TRY(is_busy(db, kind, id, per_business, now, &busy));
    if (!busy) return tasks_first_of_business(db, kind, rank, id, ret_task);
    if (wrapped && id >= first) break;
  }
  return ERR_NOT_FOUND;
}

enum err tasks_claim(struct db *db, enum task_kind kind, int per_business, struct tasks_turn *turn, struct str owner,
                     int64_t now, struct task *ret_task) {
  enum { REST_EVERY = 4 };
  struct task t;
  bool rest_first = turn->claims % REST_EVERY == REST_EVERY - 1;
  int first = rest_first ? RECORDING_RANK_REST : RECORDING_RANK_PLAY;
  int then = rest_first ? RECORDING_RANK_PLAY : RECORDING_RANK_REST;
  enum err e = claim_of_rank(db, kind, first, per_business, turn, now, &t);
  if (e == ERR_NOT_FOUND) e = claim_of_rank(db, kind, then, per_business, turn, now, &t);
  TRY(e);
  TRY(tasks_lease(db, owner, now, &t));
  turn->claims++;
  *ret_task = t;
  return OK;
}

/* ---- results ---- */

enum err tasks_renew(struct db *db, const struct task *task, int64_t now) {
  TRY(db_run(db, "update tasks set lease_until = ?4 where task_id = ?1 and lease_token = ?2 and lease_owner = ?3",
             DB_INT(task->task_id), DB_INT(task->lease_token), DB_TEXT(str_from(task->lease_owner)),
             DB_INT(now + TASK_LEASE_MS)));
  return db_changed(db) ? OK : ERR_CONFLICT; /* (1) */
}

enum err tasks_got_further(struct db *db, const struct task *task) {
  TRY(db_run(db, "update tasks set attempts = 0 where task_id = ?1 and lease_token = ?2 and lease_owner = ?3",
             DB_INT(task->task_id), DB_INT(task->lease_token), DB_TEXT(str_from(task->lease_owner))));
  return db_changed(db) ? OK : ERR_CONFLICT; /* (1) */
}

enum err tasks_end(struct db *db, const struct task *task) {
  TRY(db_run(db, "delete from tasks where task_id = ?1 and lease_token = ?2 and lease_owner = ?3",
             DB_INT(task->task_id), DB_INT(task->lease_token), DB_TEXT(str_from(task->lease_owner))));
  return db_changed(db) ? OK : ERR_CONFLICT; /* (1) */
}

enum err tasks_postpone(struct db *db, const struct task *task, int64_t due_at, struct str error) {
  TRY(db_run(db,
             "update tasks set due_at = ?3, again_at = 0, lease_owner = null, lease_until = null,"
             " attempts = attempts + ?4, error = ?5"
             " where task_id = ?1 and lease_token = ?2 and lease_owner = ?6",
             DB_INT(task->task_id), DB_INT(task->lease_token), DB_INT(due_at), DB_INT(error.n > 0),
             error.n ? DB_TEXT(error) : DB_NULL, DB_TEXT(str_from(task->lease_owner))));
  return db_changed(db) ? OK : ERR_CONFLICT; /* (1) */
}

/* ---- pauses ---- */

enum err tasks_pause(struct db *db, enum task_kind kind, int64_t business_id, int64_t until) {
  return db_run(db,
                "insert into task_pauses (business_id, kind, until) values (?1, ?2, ?3)"
                " on conflict (business_id, kind) do update set until = excluded.until",
                DB_INT(business_id), kind_value(kind), DB_INT(until));
}

enum err tasks_resume(struct db *db, int64_t business_id) {
  return db_run(db, "delete from task_pauses where business_id = ?1", DB_INT(business_id));
}

/* ---- counting ---- */

enum err tasks_count(struct db *db, enum task_kind kind, int64_t business_id, int most, int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q, "select count(*) from (select 1 from tasks where kind = ?1 and business_id = ?2 limit ?3) few",
                 kind_value(kind), DB_INT(business_id), DB_INT(most)));
  else
    TRY(db_query(db, &q, "select count(*) from (select 1 from tasks where kind = ?1 limit ?2) few", kind_value(kind),
                 DB_INT(most)));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

enum err tasks_oldest(struct db *db, int64_t *ret_created_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select created_at from tasks indexed by tasks_removals where kind <> 'transcribe' order by task_id"
               " limit 1"));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_created_at = e == OK ? db_int(&q, 0) : 0;
  return OK;
}
