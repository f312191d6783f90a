/* intake_set_test.c - deliveries in sets leave the rows that one after the other would leave. */
#include "../ledger/postgres_scratch.h"

#include "domain/fields.h"
#include "domain/intake.h"
#include "domain/recording.h"
#include "ledger/holds.h"

enum { ALONE = 1, IN_SETS, SIDS = 12, DELIVERIES = 60, SET_MOST = 9, ROUNDS = 4 };

static uint32_t seed;

static unsigned any(unsigned n) { /* the same numbers each time */
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}

struct texts {
  char call[16], recording[16], parent[16], time[24], from[16];
};

static void add(struct delivery_part *part, const char *name, const char *value) {
  part->fields[part->count++] = (struct delivery_field){str_from(name), str_from(value)};
}

static void make_call(struct delivery *d, struct texts *t) {
  static const char *const statuses[] = {"initiated", "ringing", "in-progress", "completed"};
  unsigned status = any(4);
  d->call.rank = (struct delivery_rank){status == 3, (int64_t)status, 1000 + (int64_t)any(5), (int)status};
  add(&d->call, CALL_FIELD_STATUS, statuses[status]);
  (void)snprintf(t->time, sizeof(t->time), "%u", 1700000000 + any(4) * 5000);
  if (any(2)) add(&d->call, CALL_FIELD_TIMESTAMP, t->time);
  (void)snprintf(t->from, sizeof(t->from), any(3) ? "+1555010%u" : "client:ann%u", any(3));
  if (any(2)) add(&d->call, CALL_FIELD_FROM, t->from);
  if (any(3) == 0) add(&d->call, CALL_FIELD_DIRECTION, any(2) ? "inbound" : "outbound");
  unsigned number = (unsigned)strtol(t->call + 2, NULL, 10);
  t->parent[0] = '\0';
  if (number == 0 || any(3)) return;
  (void)snprintf(t->parent, sizeof(t->parent), "CA%u", (number - 1) / 2); /* a call has one parent */
  add(&d->call, CALL_FIELD_PARENT, t->parent);
}

static void make_recording(struct delivery *d, struct texts *t) {
  static const char *const statuses[] = {"in-progress", "completed", "completed", "absent"};
  unsigned status = any(4);
  unsigned number = (unsigned)strtol(t->call + 2, NULL, 10) + (d->call_sid.n ? any(2) : 2) * SIDS;
  (void)snprintf(t->recording, sizeof(t->recording), "RE%u", number); /* a recording has one call, or none */
  d->recording_sid = str_from(t->recording);
  d->recording.rank = (struct delivery_rank){status > 0, -1, (int64_t)status, (int)status};
  add(&d->recording, RECORDING_FIELD_STATUS, statuses[status]);
  if (d->call_sid.n) add(&d->recording, RECORDING_FIELD_CALL, t->call);
  if (any(3)) add(&d->recording, RECORDING_FIELD_URL, "https://api.example/RE");
  if (any(3) == 0) add(&d->recording, RECORDING_FIELD_FORBIDDEN, "1");
}

static void make(struct delivery *d, struct texts *t, int64_t now) {
  memset(d, 0, sizeof(*d));
  d->received_ms = now;
  (void)snprintf(t->call, sizeof(t->call), "CA%u", any(SIDS));
  bool has_recording = any(2);
  if (!has_recording || any(6)) d->call_sid = str_from(t->call);
  if (d->call_sid.n) make_call(d, t);
  if (has_recording) make_recording(d, t);
}

static void run_alone(struct db *db, struct delivery *d, int64_t now, struct intake_result *ret_result) {
  d->business_id = ALONE;
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(intake_run(db, d, now, ret_result), OK);
  assert_int_equal(db_commit(db), OK);
}

static void run_set(struct db *db, struct delivery *all, int count, int64_t now, struct intake_result *ret_results) {
  const struct delivery *deliveries[SET_MOST];
  struct intake_result *results[SET_MOST];
  for (int i = 0; i < count; i++) {
    all[i].business_id = IN_SETS;
    deliveries[i] = &all[i];
    results[i] = &ret_results[i];
  }
  assert_int_equal(db_begin_shared(db), OK);
  assert_int_equal(db_lock_businesses(db, (int64_t[]){IN_SETS}, 1), OK);
  enum err e = intake_run_set(db, deliveries, count, now, results);
  if (e != OK) fail_msg("%s: %s", err_text(e), db_problem(db));
  assert_int_equal(db_commit(db), OK);
}

/* Without what says how often, or in which order, a row was written. */
#define ROWS(table, without, with)                                                             \
  "select to_jsonb(r) - 'business_id' - 'version' - 'slot' - 'rowid' - 'document_id' " without \
  " || jsonb_build_object(" with ")::jsonb from " table " r where business_id = "
#define DIFFER(table, without, with) \
  DB_FOR_POSTGRES                    \
  "select 'alone', d::text from ((" ROWS(table, without, with) "1) except all (" ROWS(                                \
      table, without,                                                                                                 \
      with) "2)) x (d) union all select 'in sets', d::text from ((" ROWS(table, without,                              \
                                                                         with) "2) except all (" ROWS(table, without, \
                                                                                                      with) "1)) x "  \
                                                                                                            "(d)"
#define assert_same(db, table, without, with)                                                      \
  do {                                                                                             \
    struct db_rows q = DB_ROWS;                                                                    \
    int differ = 0;                                                                                \
    if (db_query((db), &q, DIFFER(table, without, with)) != OK) fail_msg("%s", db_problem(db));    \
    for (; db_next(&q) == OK; differ++)                                                            \
      print_message("# " table " %.*s: %.*s\n", STR_ARG(db_text(&q, 0)), STR_ARG(db_text(&q, 1))); \
    db_rows_done(&q);                                                                              \
    assert_int_equal(differ, 0);                                                                   \
  } while (0)

static void assert_same_rows(struct db *db) {
  /* Whether a leg counts as unrecorded beside its parent's recording depends on which came first. */
  assert_same(db, "calls", "- case when top_sid <> call_sid then 'unrecorded' else '' end",
              "'place', document_id >> 20");
  /* A recording that was ready when its call came may have no place in lists of others. */
  assert_same(db, "recordings", "- case when status = 'ready' then 'listed_at' else '' end", "");
  assert_same(db, "call_documents", , "'place', rowid >> 20");
  assert_same(db, "call_facets", , "");
  assert_same(db, "recording_counts", , "'some', n > 0");
  assert_same(db, "turns", , "");
  assert_same(db, "call_moves", , "");
  assert_same(db, "call_documents_stale", , "");
  assert_same(db, "calls_recorded", , "");
}

static void run_round(struct db *db, int64_t now) {
  static struct delivery all[DELIVERIES];
  static struct intake_result alone[DELIVERIES], together[DELIVERIES];
  static struct texts texts[DELIVERIES];
  for (int i = 0; i < DELIVERIES; i++) make(&all[i], &texts[i], now);
  for (int i = 0; i < DELIVERIES;) {
    int count = 1 + (int)any(SET_MOST);
    if (count > DELIVERIES - i) count = DELIVERIES - i;
    for (int k = 0; k < count; k++) run_alone(db, &all[i + k], now, &alone[i + k]);
    run_set(db, &all[i], count, now, &together[i]);
    i += count;
    assert_same_rows(db);
  }
}

static void sets_leave_the_rows_that_one_after_the_other_leaves(void **state) {
  (void)state;
  for (unsigned round = 0; round < ROUNDS; round++) {
    struct db *db = scratch_postgres();
    seed = round + 1;
    assert_int_equal(
        db_script(db, "insert into businesses (business_id, name, created_at) values (1, 'a', 1), (2, 'b', 1)"), OK);
    run_round(db, 1700000000000);
    scratch_postgres_drop(db);
  }
}

static void a_business_with_a_hold_has_it_marked(void **state) {
  (void)state;
  struct db *db = scratch_postgres();
  seed = 7;
  assert_int_equal(db_script(db,
                             "insert into businesses (business_id, name, created_at) values (1, 'a', 1), (2, 'b', 1);"
                             "insert into holds (business_id, key, reason, set_by, set_at, shown) values"
                             " (1, 'CA3', 'court', 'key:1', 1, '{}'), (2, 'CA3', 'court', 'key:1', 1, '{}')"),
                   OK);
  run_round(db, 1700000000000);
  scratch_postgres_drop(db);
}

static void files_that_are_found_make_new_recordings_ready(void **state) {
  (void)state;
  static struct delivery all[SET_MOST];
  static struct intake_result alone[SET_MOST], together[SET_MOST];
  static struct texts texts[SET_MOST];
  static const struct recording_event found = {.kind = RECORDING_FOUND,
                                               .stem = {"stem", 4},
                                               .file = {.name = {"stem.mp3", 8},
                                                        .bytes = 5000,
                                                        .etag = {"\"e\"", 3},
                                                        .modified_at = 1000,
                                                        .duration_ms = 2000,
                                                        .channels = 1,
                                                        .content_type = {"audio/mpeg", 10},
                                                        .sha256 = {"00", 2},
                                                        .peaks = {"a\0b", 3}}};
  struct db *db = scratch_postgres();
  assert_int_equal(
      db_script(db, "insert into businesses (business_id, name, created_at) values (1, 'a', 1), (2, 'b', 1)"), OK);
  for (int round = 0; round < 2; round++) { /* in the second one all are known */
    for (int i = 0; i < SET_MOST; i++) {
      memset(&all[i], 0, sizeof(all[i]));
      (void)snprintf(texts[i].call, sizeof(texts[i].call), "CA%d", i);
      (void)snprintf(texts[i].recording, sizeof(texts[i].recording), "RE%d", i);
      all[i].received_ms = 1700000000000;
      all[i].found = &found;
      all[i].recording_sid = str_from(texts[i].recording);
      if (i == 0) continue; /* one has no call */
      all[i].call_sid = str_from(texts[i].call);
      add(&all[i].recording, RECORDING_FIELD_CALL, texts[i].call);
    }
    for (int i = 0; i < SET_MOST; i++) run_alone(db, &all[i], 1700000000000, &alone[i]);
    run_set(db, all, SET_MOST, 1700000000000, together);
    for (int i = 0; i < SET_MOST; i++) {
      assert_int_equal(alone[i].is_ready, round == 0);
      assert_int_equal(together[i].is_ready, round == 0);
    }
    assert_same_rows(db);
    assert_same(db, "waveforms", , "");
  }
  scratch_postgres_drop(db);
}

int main(void) {
  if (!getenv("CALLREEL_TEST_POSTGRES")) {
    puts("1..0 # SKIP CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)");
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sets_leave_the_rows_that_one_after_the_other_leaves),
      cmocka_unit_test(a_business_with_a_hold_has_it_marked),
      cmocka_unit_test(files_that_are_found_make_new_recordings_ready),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
