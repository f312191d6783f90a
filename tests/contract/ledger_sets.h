/* ledger_sets.h - rows of several deliveries that one statement reads or writes: PostgreSQL only. */
#pragma once

#include "ledger_contract.h"

#include "ledger/calls_many.h"
#include "ledger/changes.h"
#include "ledger/recordings_claims.h"
#include "ledger/recordings_many.h"
#include "ledger/standbys.h"

static inline struct call set_call(const char *sid, const char *parent, const char *top, int64_t at) {
  struct call c = {.business_id = 1, .duration_s = -1, .started_at = at, .first_seen_at = 5};
  assert_ok(str_copy(c.call_sid, SID_SIZE, str_from(sid)));
  assert_ok(str_copy(c.parent_call_sid, SID_SIZE, str_from(parent)));
  assert_ok(str_copy(c.top_sid, SID_SIZE, str_from(top)));
  assert_ok(str_copy(c.caller_name, sizeof(c.caller_name), STR("O\"Hara \\ {משה}, NULL")));
  return c;
}

static inline struct recording set_recording(const char *sid, const char *call_sid) {
  struct recording r = {.business_id = 1, .announced_bytes = -1, .duration_ms = -1, .first_seen_at = 5, .rank = 2};
  assert_ok(str_copy(r.recording_sid, SID_SIZE, str_from(sid)));
  assert_ok(str_copy(r.call_sid, SID_SIZE, str_from(call_sid)));
  return r;
}

static inline void write_calls(struct db *db, struct call *a, struct call *b, const char *fields) {
  struct call_write w[] = {{a, str_from(fields), true, calls_sort_at(a)},
                           {b, str_from(fields), true, calls_sort_at(a)}};
  assert_ok(calls_many_write_documents(db, w, 2));
  assert_ok(calls_many_write(db, w, 2));
}

static inline void begin_set(struct db *db) {
  assert_ok(db_begin_shared(db));
  assert_ok(db_lock_businesses(db, (int64_t[]){7, 1, 7}, 3));
}

static inline void looks_done(struct call_lookup *looks, struct recording_lookup *recordings, int count) {
  for (int i = 0; i < count; i++) {
    buf_done(&looks[i].fields);
    buf_done(&recordings[i].fields);
  }
}

static void sets_of_rows_are_written_and_read(void **state) {
  struct contract *c = *state;
  struct db *db = c->db;
  if (db_kind(db) == DB_SQLITE) return;
  struct call top = set_call("CA1", "", "CA1", 10), child = set_call("CA2", "CA1", "CA1", 12);
  struct recording first = set_recording("RE1", "CA1"), next = first;
  struct db_set changes CLEANUP(db_set_done) = DB_SET;
  begin_set(db);
  assert_ok(recordings_many_write(
      db, &(struct recording_write){.next = &first, .fields = STR("{\"a\":1}"), .call_started_at = 10, .listed_at = 10},
      1));
  write_calls(db, &top, &child, "{\"b\":2}");
  assert_ok(changes_add_row(&changes, CHANGE_CALL, 1, STR("CA1"), 5));
  assert_ok(changes_add_rows(db, &changes));
  assert_ok(db_commit(db));
  begin_set(db);
  assert_ok(str_copy(next.error_code, sizeof(next.error_code), STR("timeout")));
  next.status = RECORDING_FAILED;
  assert_ok(recordings_many_write(db, &(struct recording_write){.was = &first, .next = &next, .fields = STR("{}")}, 1));
  top.duration_s = 60;
  write_calls(db, &top, &child, "{\"b\":3}");
  assert_ok(db_commit(db));

  static struct call_lookup looks[] = {{1, "CA1", ""}, {1, "CA2", "CA1"}, {1, "CA3", "CA2"}};
  static struct recording_lookup recordings[] = {{1, "RE1"}, {1, "RE2"}, {2, "RE1"}};
  struct db_rows rows CLEANUP(db_rows_done) = DB_ROWS;
  begin_set(db);
  assert_ok(recordings_many_send(db, &rows, recordings, 3));
  assert_ok(calls_many_read(db, looks, 3));
  assert_ok(recordings_many_receive(&rows, recordings, 3));
  assert_ok(db_commit(db));
  assert_true(looks[0].is_known && looks[0].has_children && !looks[0].is_special && !looks[0].parent_is_known);
  assert_true(looks[1].is_known && !looks[1].has_children && looks[1].parent_is_known && looks[1].parent_is_top);
  assert_true(!looks[2].is_known && looks[2].parent_is_known && !looks[2].parent_is_top);
  assert_int_equal(looks[1].top_sort_at, 10);
  assert_int_equal(looks[0].call.duration_s, 60);
  assert_string_equal(looks[1].call.caller_name, "O\"Hara \\ {משה}, NULL");
  assert_true(str_eq(buf_str(&looks[0].fields), STR("{\"b\":3}")));
  assert_int_equal(looks[0].call.document_id, top.document_id);
  assert_true(recordings[0].is_known && !recordings[1].is_known && !recordings[2].is_known);
  assert_int_equal(recordings[0].row.status, RECORDING_FAILED);
  assert_int_equal(recordings[0].row.kept_from, 10);
  assert_int_equal(recordings[0].row.version, 2);
  looks_done(looks, recordings, 3);
}

static void recordings_of_several_calls_are_read_at_once(void **state) {
  struct contract *c = *state;
  struct db *db = c->db;
  if (db_kind(db) == DB_SQLITE) return;
  struct recording rows[] = {set_recording("RE1", "CA1"), set_recording("RE2", "CA2"), set_recording("RE3", "CA2"),
                             set_recording("RE4", "CA2")};
  struct recording_write writes[COUNT_OF(rows)];
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    writes[i] = (struct recording_write){.next = &rows[i], .fields = STR("{}"), .call_started_at = 10, .listed_at = 10};
  begin_set(db);
  assert_ok(recordings_many_write(db, writes, COUNT_OF(rows)));
  assert_ok(db_commit(db));
  static struct call_recordings_lookup looks[] = {{1, "CA1"}, {1, "CA2"}, {1, "CA3"}, {2, "CA1"}, {1, "CA1"}};
  assert_ok(recordings_many_of_calls(db, looks, COUNT_OF(looks)));
  assert_int_equal(looks[0].count, 1);
  assert_string_equal(looks[0].row.recording_sid, "RE1");
  assert_int_equal(looks[1].count, 2);
  assert_int_equal(looks[2].count, 0);
  assert_int_equal(looks[3].count, 0);
  assert_string_equal(looks[4].row.recording_sid, "RE1");
  assert_ok(recordings_many_of_calls(db, looks, 0));
}

static void transactions_of_other_businesses_run_at_once(void **state) {
  struct contract *c = *state;
  struct db *db = c->db;
  if (db_kind(db) == DB_SQLITE) return;
  struct db *other = contract_open(c), *third = NULL;
  struct db_open impatient = c->open;
  impatient.busy_ms = 50;
  assert_ok(db_open(&impatient, NULL, &third));
  int64_t oldest, newest;
  begin_set(db);
  assert_ok(changes_bounds(db, &oldest, &newest)); /* the locks go with the first statement */
  assert_ok(db_begin_shared(other));
  assert_ok(db_lock_businesses(other, (int64_t[]){2}, 1));
  assert_ok(changes_bounds(other, &oldest, &newest));
  assert_int_equal(db_begin_immediate(third), ERR_BUSY); /* for all businesses */
  assert_ok(db_begin_shared(third));
  assert_ok(db_lock_businesses(third, (int64_t[]){1}, 1)); /* which the first one has */
  assert_int_equal(changes_bounds(third, &oldest, &newest), ERR_IO);
  db_rollback(third);
  assert_ok(db_commit(db));
  assert_ok(db_commit(other));
  assert_ok(db_begin_immediate(third));
  db_rollback(third);
  db_close(third);
  db_close(other);
}

static void a_server_of_its_own_has_no_standby(void **state) {
  struct contract *c = *state;
  if (db_kind(c->db) == DB_SQLITE) return;
  struct standbys s = {.connected = -1};
  assert_ok(standbys_read(c->db, &s));
  assert_int_equal(s.connected, 0);
  assert_int_equal(s.synchronous, 0);
  assert_false(s.is_any_named);
}

static void what_may_be_claimed_is_read_at_once(void **state) {
  struct contract *c = *state;
  struct db *db = c->db;
  static struct claimable list[CLAIMABLE_ROOM(2)];
  const struct recordings_limits limits = {4, 10};
  struct turns_fills fills = {-1, -1};
  int count = -1;
  if (db_kind(db) == DB_SQLITE) {
    assert_int_equal(recordings_claimable(db, &limits, NOW, 2, list, &count, &fills), ERR_UNSUPPORTED);
    return;
  }
  assert_ok(
      db_script(db,
                "insert into businesses (business_id, name, created_at, credentials_version, error_streak,"
                " last_claim_at) values (1, 'a', 1, 7, 0, 5), (2, 'b', 1, 8, 5, 4), (3, 'c', 1, 9, 0, 3);"
                "insert into calls (business_id, call_sid, top_sid, first_seen_at, sort_at, started_at) values"
                " (1, 'CA1', 'CA1', 1, 2, 3);"
                "insert into recordings (business_id, recording_sid, call_sid, first_seen_at, status, rank,"
                " enqueued_at) values (1, 'RE1', 'CA1', 1, 'queued', 0, 20), (1, 'RE2', null, 1, 'queued', 0, 10),"
                " (2, 'RE1', null, 1, 'queued', 1, 10), (3, 'RE1', null, 1, 'queued', 1, 10)"));
  assert_ok(db_begin_immediate(db));
  assert_ok(recordings_claimable(db, &limits, NOW, 2, list, &count, &fills));
  assert_int_equal(fills.all, 0);
  assert_int_equal(count, 4);
  assert_true(list[0].is_plain && list[0].rank == 0 && list[0].turn_room == 2 && list[0].served_at == 5);
  assert_string_equal(list[0].row.recording_sid, "RE2");
  assert_int_equal(list[0].credentials_version, 7);
  assert_int_equal(list[1].call_started_at, 3);
  assert_true(list[2].business_id == 3 && list[2].is_plain && list[2].turn_room == 1);
  assert_true(list[3].business_id == 2 && !list[3].is_plain); /* its account errs */
  struct recording next = list[0].row;
  next.lease_until = NOW + 5;
  next.lease_token++;
  assert_ok(recordings_store_later(db, &list[0].row, &next));
  assert_ok(recordings_claimable(db, &limits, NOW, 2, list, &count, &fills));
  assert_true(fills.all == 1 && count == 3 && list[0].fills == 1);
  assert_string_equal(list[0].row.recording_sid, "RE1");
  assert_ok(db_commit(db));
}
