/* speech_slots.c - see speech_slots.h. The table has a row for each place that was ever used: tens. */
#include "ledger/speech_slots.h"

#include "db/db_clock.h"

struct slot_state {
  bool is_leased;
  int64_t token, failures, free_at; /* free_at: 0: now */
};

/* A time further ahead than its longest counts as past. */
static int64_t time_ahead(int64_t at, int64_t now, int64_t most_ms) {
  return at > now && at <= now + most_ms + DB_CLOCK_SLACK_MS ? at : 0;
}

static enum err slot_read(struct db *db, const char *name, int64_t now, struct slot_state *ret_state) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  *ret_state = (struct slot_state){.token = 0};
  TRY(db_query(db, &q, "select lease_token, lease_until, failures, pause_until from speech_slots where slot = ?1",
               DB_TEXT(str_from(name))));
  enum err e = db_next(&q);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  int64_t leased = time_ahead(db_int(&q, 1), now, TASK_LEASE_MS);
  int64_t paused = time_ahead(db_int(&q, 3), now, SPEECH_PAUSE_MAX_MS);
  ret_state->is_leased = leased != 0;
  ret_state->token = db_int(&q, 0);
  ret_state->failures = db_int(&q, 2);
  ret_state->free_at = leased > paused ? leased : paused;
  return OK;
}

static enum err count_leased(struct db *db, int64_t now, int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select count(*) from speech_slots where lease_until > ?1 and lease_until <= ?2", DB_INT(now),
               DB_INT(now + TASK_LEASE_MS + DB_CLOCK_SLACK_MS)));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

static enum err slot_lease(struct db *db, struct str owner, int64_t now, struct speech_slot *slot) {
  TRY(str_copy(slot->lease_owner, sizeof(slot->lease_owner), owner));
  return db_run(db,
                "insert into speech_slots (slot, lease_owner, lease_token, lease_until) values (?1, ?2, ?3, ?4)"
                " on conflict (slot) do update set lease_owner = excluded.lease_owner,"
                " lease_token = excluded.lease_token, lease_until = excluded.lease_until",
                DB_TEXT(str_from(slot->name)), DB_TEXT(owner), DB_INT(slot->lease_token), DB_INT(now + TASK_LEASE_MS));
}

enum err speech_slots_take(struct db *db, const char (*names)[SPEECH_SLOT_SIZE], size_t count, int most,
                           struct str owner, int64_t now, struct speech_slot *ret_slot, int64_t *ret_at) {
  struct speech_slot best = {.index = count};
  int64_t leased, at = 0;
  TRY(count_leased(db, now, &leased));
  for (size_t i = 0; i < count; i++) {
    struct slot_state s;
    TRY(slot_read(db, names[i], now, &s));
    if (s.free_at && (!at || s.free_at < at)) at = s.free_at;
    if (s.free_at || (best.index < count && s.failures >= best.failures)) continue;
    best.index = i;
    best.failures = s.failures;
    best.lease_token = s.token + 1;
  }
  if (best.index == count || leased >= most) {
    *ret_at = best.index == count ? at : 0;
    return ERR_NOT_FOUND;
  }
  TRY(str_copy(best.name, sizeof(best.name), str_from(names[best.index])));
  TRY(slot_lease(db, owner, now, &best));
  *ret_slot = best;
  return OK;
}

enum err speech_slots_renew(struct db *db, const struct speech_slot *slot, int64_t now) {
  TRY(db_run(db, "update speech_slots set lease_until = ?4 where slot = ?1 and lease_owner = ?2 and lease_token = ?3",
             DB_TEXT(str_from(slot->name)), DB_TEXT(str_from(slot->lease_owner)), DB_INT(slot->lease_token),
             DB_INT(now + TASK_LEASE_MS)));
  return db_changed(db) ? OK : ERR_CONFLICT;
}

enum err speech_slots_give(struct db *db, const struct speech_slot *slot, bool failed, int64_t pause_until) {
  return db_run(db,
                "update speech_slots set lease_owner = null, lease_until = null, pause_until = ?4,"
                " failures = case when ?5 = 1 then failures + 1 else 0 end"
                " where slot = ?1 and lease_owner = ?2 and lease_token = ?3",
                DB_TEXT(str_from(slot->name)), DB_TEXT(str_from(slot->lease_owner)), DB_INT(slot->lease_token),
                DB_INT(failed ? pause_until : 0), DB_INT(failed));
}

enum err speech_slots_return(struct db *db, const struct speech_slot *slot) {
  return db_run(db,
                "update speech_slots set lease_owner = null, lease_until = null"
                " where slot = ?1 and lease_owner = ?2 and lease_token = ?3",
                DB_TEXT(str_from(slot->name)), DB_TEXT(str_from(slot->lease_owner)), DB_INT(slot->lease_token));
}
