/* bounds_test.c - frequent queries cost the same with few rows and with many. The cost is counted in steps of SQLite's virtual
 * machine, not in time. */
#include "cost_scratch.h"

#include "ledger/accounts.h"
#include "ledger/calls_list.h"
#include "ledger/changes.h"
#include "ledger/recordings_count.h"
#include "ledger/turns.h"

#define NOW SCRATCH_NOW
enum { FEW = 20, MANY = 4000, SOME_STOPPED = 10 };

/* Steps of all kept statements since the last call. */
static int64_t take_steps(struct db *db) {
  int64_t steps = 0;
  for (size_t i = 0; i < DB_KEPT_SLOTS; i++)
    if (db_sqlite_of(db)->kept[i])
      steps += sqlite3_stmt_status(db_sqlite_of(db)->kept[i]->stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
  return steps;
}

static void fill(struct db *db, const char *sql, int from, int to) {
  assert_int_equal(db_run_values(db, sql, DB_VALUES_(DB_INT(from), DB_INT(to), DB_INT(NOW))), OK);
}

#define ROWS_FROM_TO "with recursive g(i) as (select ?1 union all select i + 1 from g where i + 1 < ?2) "
#define NOT_YET_DUE                                                                                            \
  ROWS_FROM_TO                                                                                                 \
  "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, enqueued_at, next_ask_at)" \
  " select 1, 'REwait' || i, ?3, 'queued', 1, ?3 - 1000000 + i, ?3 + 10000 + i from g"
#define QUEUED                                                                                    \
  ROWS_FROM_TO                                                                                    \
  "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, enqueued_at)" \
  " select 1, 'REqueued' || i, ?3, 'queued', 1, ?3 + i from g"
#define PLAYS                                                                                                \
  ROWS_FROM_TO                                                                                               \
  "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, enqueued_at, wanted_at)" \
  " select 1, 'REplay' || i, ?3, 'queued', 0, ?3 + i, ?3 from g"
#define FAILED_AND_READY                                                                                             \
  ROWS_FROM_TO                                                                                                       \
  "insert into recordings (business_id, recording_sid, first_seen_at, status, error_code, next_retry_at, failed_at)" \
  " select 1 + i % 2, 'RE' || i, ?3, iif(i % 4, 'ready', 'failed'), iif(i % 4, null, 'timeout'),"                    \
  "  iif(i % 4, null, ?3 + 1000 + i), ?3 from g"
#define BUSINESSES \
  ROWS_FROM_TO     \
  "insert into businesses (business_id, name, created_at) select 10 + i, 'Acme', ?3 from g"
#define STOPPED                                                                           \
  ROWS_FROM_TO                                                                            \
  "insert into businesses (business_id, name, created_at, auth_failed_at, auth_trial_at)" \
  " select 10 + i, 'Acme', ?3, ?3, ?3 + 1000 + i from g"

#define CHANGES \
  ROWS_FROM_TO  \
  "insert into changes (kind, business_id, id, at_ms) select 'call', 2, 'CA1', ?3 from g"
#define OF_MANY_BUSINESSES                                                                                           \
  ROWS_FROM_TO                                                                                                       \
  "insert into recordings (business_id, recording_sid, first_seen_at, status, error_code) select 10 + i, 'RE', ?3, " \
  "iif(i % 2, 'ready', 'failed'), iif(i % 2, null, 'timeout') from g"

static enum err ignore_row(void *arg, const struct recording *row) {
  (void)arg, (void)row;
  return OK;
}
static enum err ignore_code(void *arg, struct str code, int64_t count, int64_t permanent) {
  (void)arg, (void)code, (void)count, (void)permanent;
  return OK;
}
static enum err ignore_id(void *arg, int64_t id) {
  (void)arg, (void)id;
  return OK;
}

static enum err ignore_change(void *arg, const struct change *change) {
  (void)arg, (void)change;
  return OK;
}

static void claim(struct db *db) {
  static const struct recordings_limits limits = {4, 16};
  struct recording row;
  assert_int_equal(recordings_next(db, &limits, NOW, &row), OK);
  assert_string_equal(row.recording_sid, "REdue");
}
static void find_due(struct db *db) {
  assert_int_equal(recordings_due(db, NOW, 500, ignore_row, NULL), OK);
}
static void find_failed_with_a_code_that_none_has(struct db *db) {
  assert_int_equal(recordings_failed(db, 1, STR("auth_failed"), 0, STR(""), STR("\x7f"), 1, ignore_row, NULL), OK);
}
static void count_all(struct db *db) {
  struct recordings_counts counts;
  assert_int_equal(recordings_count(db, 0, &counts), OK);
  assert_int_equal(recordings_count(db, 1, &counts), OK);
}
static void count_failures(struct db *db) {
  assert_int_equal(recordings_count_failures(db, 0, ignore_code, NULL), OK);
  assert_int_equal(recordings_count_failures(db, 1, ignore_code, NULL), OK);
}
static void list_fills(struct db *db) {
  assert_int_equal(recordings_fills(db, 0, NOW, ignore_row, NULL), OK);
  assert_int_equal(recordings_fills(db, 1, NOW, ignore_row, NULL), OK);
}
static void demote(struct db *db) {
  assert_int_equal(recordings_demote(db, NOW - 60000, 500), OK);
}
static void find_trials(struct db *db) {
  assert_int_equal(accounts_trials_due(db, NOW, STR("auth_failed"), 500, ignore_id, NULL), OK);
}
static void find_stopped(struct db *db) {
  int64_t last;
  assert_int_equal(accounts_stopped(db, 0, SOME_STOPPED, ignore_id, NULL, &last), OK);
}
static void read_own_changes(struct db *db) {
  int64_t last;
  assert_int_equal(changes_read(db, 1, 0, 1000, ignore_change, NULL, &last), OK);
}
static void find_next_event(struct db *db) {
  int64_t at;
  assert_int_equal(recordings_next_event(db, NOW, &at), OK);
}

static void frequent_queries_cost_the_same_with_many_rows(void **state) {
  static const struct {
    const char *name, *rows;
    void (*ask)(struct db *db);
  } cases[] = {
      {"claim with others not yet due", NOT_YET_DUE, claim},
      {"due ones among failed ones", FAILED_AND_READY, find_due},
      {"failed ones with a code", FAILED_AND_READY, find_failed_with_a_code_that_none_has},
      {"counts", FAILED_AND_READY, count_all},
      {"counts with businesses", OF_MANY_BUSINESSES, count_all},
      {"failures by code with businesses", OF_MANY_BUSINESSES, count_failures},
      {"the oldest that is queued", QUEUED, count_all},
      {"failures by code", FAILED_AND_READY, count_failures},
      {"trials of stopped accounts", STOPPED, find_trials},
      {"fills under way", FAILED_AND_READY, list_fills},
      {"plays that nobody waits for", PLAYS, demote},
      {"stopped accounts", STOPPED, find_stopped},
      {"changes of one business among those of others", CHANGES, read_own_changes},
      {"stopped accounts among businesses", BUSINESSES, find_stopped},
      {"the next event with businesses", BUSINESSES, find_next_event},
      {"the next event with queued ones", NOT_YET_DUE, find_next_event},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct db *db = scratch_ledger(*state);
    assert_int_equal(db_begin_immediate(db), OK);
    assert_int_equal(scratch_business(db, "Acme"), 1);
    struct recording due = scratch_recording(db, 1, "REdue", "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW);
    (void)due;
    fill(db, cases[i].rows, 0, FEW);
    cases[i].ask(db);
    (void)take_steps(db);
    cases[i].ask(db);
    int64_t few = take_steps(db);
    fill(db, cases[i].rows, FEW, MANY);
    (void)take_steps(db);
    cases[i].ask(db);
    int64_t many = take_steps(db);
    if (2 * many > 3 * few)
      fail_msg("%s: %lld steps with few, %lld with many", cases[i].name, (long long)few, (long long)many);
    db_rollback(db);
    db_close(db);
  }
}

/* ---- claims beside many businesses ---- */

#define OF_EACH(set)                                                                                     \
  ROWS_FROM_TO                                                                                           \
  "insert into businesses (business_id, name, created_at, last_claim_at, auth_failed_at, auth_trial_at," \
  " error_streak) select 10 + i, 'Acme', ?3, " set " from g"
#define ONE_OF_EACH(status, rank, times)                                                                       \
  ROWS_FROM_TO                                                                                                 \
  "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, enqueued_at, next_ask_at," \
  " lease_until) select 10 + i, 'RE" status "', ?3, '" status "', " rank ", " times " from g"
#define QUEUED_TOO ONE_OF_EACH("queued", "1", "?3 - 1000, null, null")

/* The work of a claim job on the database when it finds one recording. */
static void claim_one(struct db *db) {
  int64_t at;
  assert_int_equal(recordings_lapsed(db, NOW, 50, ignore_row, NULL), OK);
  assert_int_equal(accounts_trials_due(db, NOW, STR("auth_failed"), 50, ignore_id, NULL), OK);
  assert_int_equal(turns_make_due(db, NOW, 50), OK);
  assert_int_equal(recordings_next_event(db, NOW, &at), OK);
  static const struct recordings_limits limits = {4, 100000};
  struct recording row;
  assert_int_equal(recordings_next(db, &limits, NOW, &row), OK);
}

/* Claims until what a job does in parts is done. Returns the steps of a claim then. */
static int64_t steps_of_a_claim(struct db *db) {
  for (int i = 0; i < MANY / 50 + 2; i++) claim_one(db);
  (void)take_steps(db);
  claim_one(db);
  return take_steps(db);
}

static void a_claim_costs_the_same_with_many_businesses(void **state) {
#define UNTRIED "null, null, null, 0"
  static const struct {
    const char *name, *businesses, *recordings[5];
  } cases[] = {
      {"queued", OF_EACH(UNTRIED), {QUEUED_TOO}},
      {"due since a while", OF_EACH(UNTRIED), {ONE_OF_EACH("queued", "1", "?3 - 1000, ?3 - 500, null")}},
      {"not yet due", OF_EACH(UNTRIED), {ONE_OF_EACH("queued", "1", "?3 - 1000, ?3 + 5000 + i, null")}},
      {"at their limit",
       OF_EACH(UNTRIED),
       {QUEUED_TOO, ONE_OF_EACH("downloading", "1", "?3, null, ?3 + 10000 + i"),
        ONE_OF_EACH("missing", "1", "?3, null, ?3 + 10000 + i"), ONE_OF_EACH("failed", "1", "?3, null, ?3 + 10000 + i"),
        ONE_OF_EACH("ready", "1", "?3, null, ?3 + 10000 + i")}},
      {"with errors and a fill",
       OF_EACH("null, null, null, 9"),
       {QUEUED_TOO, ONE_OF_EACH("downloading", "1", "?3, null, ?3 + 10000 + i")}},
      {"stopped", OF_EACH("null, ?3 - 1000, ?3 + 5000 + i, 0"), {QUEUED_TOO}},
      {"stopped, a play",
       OF_EACH("?3 - 1, ?3 - 1000, ?3 + 5000 + i, 0"),
       {ONE_OF_EACH("queued", "0", "?3, null, null")}},
      {"stopped, with a trial under way",
       OF_EACH("?3 - 1000, ?3 - 1000, ?3 - 1, 0"),
       {QUEUED_TOO, ONE_OF_EACH("downloading", "1", "?3, null, ?3 + 10000 + i")}},
      {"stopped, nothing to try", OF_EACH("null, ?3 - 1000, ?3 - 1, 0"), {NULL}},
      {"removed",
       ROWS_FROM_TO "insert into businesses (business_id, name, created_at, removed_at)"
                    " select 10 + i, 'Acme', ?3, ?3 from g",
       {QUEUED_TOO}},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct db *db = scratch_ledger(*state);
    assert_int_equal(db_begin_immediate(db), OK);
    assert_int_equal(scratch_business(db, "Acme"), 1);
    (void)scratch_recording(db, 1, "REdue", "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW);
    int64_t steps[2];
    for (int many = 0; many < 2; many++) {
      int from = many ? FEW : 0, to = many ? MANY : FEW;
      fill(db, cases[i].businesses, from, to);
      for (size_t k = 0; k < COUNT_OF(cases[i].recordings) && cases[i].recordings[k]; k++)
        fill(db, cases[i].recordings[k], from, to);
      steps[many] = steps_of_a_claim(db);
    }
    if (2 * steps[1] > 3 * steps[0])
      fail_msg("%s: %lld steps with few, %lld with many", cases[i].name, (long long)steps[0], (long long)steps[1]);
    db_rollback(db);
    db_close(db);
  }
}

/* ---- lists of calls, and the recording that a call's SID names ---- */

#define CALLS                                                                                               \
  ROWS_FROM_TO                                                                                              \
  "insert into calls (business_id, call_sid, top_sid, parent_call_sid, first_seen_at, started_at, sort_at)" \
  " select 1, printf('CA%05d', i), printf('CA%05d', i), null, ?3 + 1000 * i, ?3 + 1000 * i, ?3 + 1000 * i from g"
#define RECORDINGS(status)                                                                           \
  ROWS_FROM_TO                                                                                       \
  "insert into recordings (business_id, recording_sid, call_sid, started_at, first_seen_at, status)" \
  " select 1, printf('RE%05d', i), printf('CA%05d', i), ?3 + 1000 * i, ?3 + 1000 * i, " status " from g"
#define CALLS_OF_REF                                                                                           \
  ROWS_FROM_TO                                                                                                 \
  "insert into calls (business_id, call_sid, top_sid, ref, status, first_seen_at, started_at, sort_at)"        \
  " select 1, printf('CA%05d', i), printf('CA%05d', i), '42', iif(i < 7, 'busy', 'completed'), ?3 + 1000 * i," \
  " ?3 + 1000 * i, ?3 + 1000 * i from g"
/* All have the searched number; ten, the oldest, are of an agent and have a tag. */
#define CALLS_OF_AGENT                                                                                             \
  ROWS_FROM_TO                                                                                                     \
  "insert into calls (business_id, call_sid, top_sid, from_number, to_number, first_seen_at, started_at, sort_at," \
  " direction, document_id) select 1, printf('CA%05d', i), printf('CA%05d', i), '+15551234567',"                   \
  " iif(i < 10, 'client:noa', 'client:max'), ?3 + 1000 * i, ?3 + 1000 * i, ?3 + 1000 * i, 'inbound',"              \
  " (?3 + 1000 * i) << 20 from g"
#define DOCUMENTS                                                                                                  \
  ROWS_FROM_TO                                                                                                     \
  "insert into call_documents_text (business_id, rowid, call_sid, digits, names) select 1, (?3 + 1000 * i) << 20," \
  " printf('CA%05d', i), '15551234567', '' from g"
#define CHILDREN                                                                                            \
  ROWS_FROM_TO                                                                                              \
  "insert into calls (business_id, call_sid, top_sid, parent_call_sid, first_seen_at, started_at, sort_at)" \
  " select 1, printf('CA%05d', i), 'CA00000', 'CA00000', ?3 + i, ?3 + i, ?3 + i from g where i > 0"

static void list(struct db *db, struct calls_filter f, size_t rows) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  size_t count;
  bool more;
  f.limit = 10;
  assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
  if (count != rows) fail_msg("%zu rows, not %zu: %.*s", count, rows, STR_ARG(f.search));
}
static void list_failed(struct db *db) {
  list(db, (struct calls_filter){.by_recording_status = true, .recording_status = RECORDING_FAILED}, 10);
}
static void list_missing(struct db *db) {
  list(db, (struct calls_filter){.by_recording_status = true, .recording_status = RECORDING_MISSING}, 7);
}
static void list_unrecorded(struct db *db) {
  list(db, (struct calls_filter){.has_recording = CALLS_NO}, 7);
}
static void list_unrecorded_legs(struct db *db) {
  list(db, (struct calls_filter){.has_recording = CALLS_NO, .all_legs = true}, 7);
}
static void list_failed_of_ref(struct db *db) {
  list(db, (struct calls_filter){.ref = STR("42"), .by_recording_status = true, .recording_status = RECORDING_FAILED},
       10);
}
static void list_unrecorded_of_ref(struct db *db) {
  list(db, (struct calls_filter){.ref = STR("42"), .has_recording = CALLS_NO}, 7);
}
static void list_missing_of_ref(struct db *db) {
  list(db, (struct calls_filter){.ref = STR("42"), .by_recording_status = true, .recording_status = RECORDING_MISSING},
       7);
}
static void list_busy_of_ref(struct db *db) {
  list(db, (struct calls_filter){.ref = STR("42"), .status = STR("busy")}, 7);
}
static void search_of_agent(struct db *db) {
  list(db, (struct calls_filter){.search = STR("5551234"), .agent = STR("noa")}, 10);
}
static void search_of_tag(struct db *db) {
  assert_int_equal(db_script(db, "update calls set tags = '[\"vip\"]' where business_id = 1 and call_sid < 'CA00010'"),
                   OK);
  list(db, (struct calls_filter){.search = STR("5551234"), .tag = STR("vip")}, 10);
}
static void search_of_sid_and_agent(struct db *db) {
  list(db, (struct calls_filter){.search = STR("CA0"), .agent = STR("noa")}, 10);
}
static void resolve_top(struct db *db) {
  struct recording row;
  bool known;
  assert_int_equal(recordings_resolve(db, 1, STR("CA00000"), &known, &row), OK);
  assert_string_equal(row.recording_sid, "RE00000");
}

static void lists_filtered_by_recordings_cost_the_same_with_many_rows(void **state) {
  static const struct {
    const char *name, *calls, *recordings;
    void (*ask)(struct db *db);
  } cases[] = {
      {"few failed ones, older than the ready ones", CALLS, RECORDINGS("iif(i < 10, 'failed', 'ready')"), list_failed},
      {"many failed ones, older than the ready ones", CALLS, RECORDINGS("iif(i < 2000, 'failed', 'ready')"),
       list_failed},
      {"calls that miss a recording", CALLS, RECORDINGS("'ready'") " where i > 6", list_missing},
      {"calls without a recording", CALLS, RECORDINGS("'ready'") " where i > 6", list_unrecorded},
      {"calls without a recording, by legs", CALLS, RECORDINGS("'ready'") " where i > 6", list_unrecorded_legs},
      {"few failed ones of a ref", CALLS_OF_REF, RECORDINGS("iif(i < 10, 'failed', 'ready')"), list_failed_of_ref},
      {"calls of a ref without a recording", CALLS_OF_REF, RECORDINGS("'ready'") " where i > 6",
       list_unrecorded_of_ref},
      {"calls of a ref that miss a recording", CALLS_OF_REF, RECORDINGS("'ready'") " where i > 6", list_missing_of_ref},
      {"calls of an agent among many with the number", DOCUMENTS, CALLS_OF_AGENT, search_of_agent},
      {"calls with a tag among many with the number", DOCUMENTS, CALLS_OF_AGENT, search_of_tag},
      {"calls of an agent among many whose SID begins so", DOCUMENTS, CALLS_OF_AGENT, search_of_sid_and_agent},
      {"busy calls of a ref", CALLS_OF_REF, RECORDINGS("'ready'"), list_busy_of_ref},
      {"the recording of a call with children", CHILDREN, RECORDINGS("'ready'"), resolve_top},
  };
  enum { SOME = 100 };
  int failures = 0;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct db *db = scratch_ledger(*state);
    int64_t some = 0, many = 0;
    assert_int_equal(db_begin_immediate(db), OK);
    fill(db, cases[i].calls, 0, SOME);
    fill(db, cases[i].recordings, 0, SOME);
    assert_int_equal(sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &some),
                     SQLITE_OK);
    cases[i].ask(db);
    assert_int_equal(sqlite3_trace_v2(db_sqlite_of(db)->sqlite, 0, NULL, NULL), SQLITE_OK);
    fill(db, cases[i].calls, SOME, MANY);
    fill(db, cases[i].recordings, SOME, MANY);
    assert_int_equal(sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &many),
                     SQLITE_OK);
    cases[i].ask(db);
    assert_int_equal(sqlite3_trace_v2(db_sqlite_of(db)->sqlite, 0, NULL, NULL), SQLITE_OK);
    if (2 * many > 3 * some) {
      print_message("# %s: %lld steps with some, %lld with many\n", cases[i].name, (long long)some, (long long)many);
      failures++;
    }
    db_rollback(db);
    db_close(db);
  }
  assert_int_equal(failures, 0);
}

static void calls_of_a_large_ref_in_a_state_cost_what_the_state_has(void **state) {
  enum { STATE = 1200, REF = 2000, LARGE_REF = 8000 }; /* more than FEW_MAX in the state, more than .few in the ref */
  struct db *db = scratch_ledger(*state);
  const struct calls_filter f = {
      .ref = STR("42"), .by_recording_status = true, .recording_status = RECORDING_FAILED, .few = 1500};
  int64_t steps[2] = {0, 0};
  assert_int_equal(db_begin_immediate(db), OK);
  fill(db, RECORDINGS("'failed'"), LARGE_REF, LARGE_REF + STATE);
  for (int large = 0; large < 2; large++) {
    fill(db, CALLS_OF_REF, large ? REF : 0, large ? LARGE_REF : REF);
    assert_int_equal(
        sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &steps[large]),
        SQLITE_OK);
    list(db, f, 0);
    assert_int_equal(sqlite3_trace_v2(db_sqlite_of(db)->sqlite, 0, NULL, NULL), SQLITE_OK);
  }
  if (2 * steps[1] > 3 * steps[0]) fail_msg("%lld steps, then %lld", (long long)steps[0], (long long)steps[1]);
  db_rollback(db);
  db_close(db);
}

static void a_claim_takes_the_one_that_has_waited_longest(void **state) {
  static const struct recordings_limits limits = {4, 16};
  struct db *db = scratch_ledger(*state);
  assert_int_equal(scratch_business(db, "Acme"), 1);
  static const struct {
    int64_t enqueued_at, next_ask_at;
    const char *next; /* the recording that is claimed next, after this one was added */
  } cases[] = {
      {NOW - 500, 0, "RE0"},
      {NOW - 900, NOW - 400, "RE0"}, /* could be claimed since 400 ms ago */
      {NOW - 300, NOW - 600, "RE2"},
      {NOW - 2000, NOW + 1000, "RE2"}, /* not yet */
      {NOW - 700, 0, "RE4"},
      {NOW + 3600000, 0, "RE4"}, /* queued before the clock jumped back: it is claimed all the same */
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char sid[8];
    (void)snprintf(sid, sizeof(sid), "RE%zu", i);
    struct recording r =
        scratch_recording(db, 1, sid, "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, cases[i].enqueued_at);
    struct recording next = r;
    next.next_ask_at = cases[i].next_ask_at;
    assert_int_equal(recordings_store(db, &r, &next), OK);
    assert_int_equal(recordings_next(db, &limits, NOW, &r), OK);
    assert_string_equal(r.recording_sid, cases[i].next);
  }
  db_close(db);
}

/* The counts that triggers keep equal the rows. */
static void assert_counts_are_right(struct db *db) {
  assert_int_equal(
      scratch_int(db,
                  "select count(*) from (select status, code, sum(n), sum(bytes), sum(for_good) from recording_counts"
                  " group by 1, 2 except select status, code, n, bytes, for_good from recording_totals)"),
      0);
  assert_int_equal(scratch_int(db,
                               "select count(*) from (select status, iif(status = 'failed', error_code, ''), count(*),"
                               " sum(iif(status = 'ready', bytes, 0)) from recordings group by 1, 2"
                               " except select status, code, n, bytes from recording_totals)"),
                   0);
  assert_int_equal(scratch_int(db, "select (select sum(n) from recording_totals) - (select count(*) from recordings)"),
                   0);
}

static void permanent_failures_are_counted_as_they_change(void **state) {
  struct db *db = scratch_ledger(*state);
  struct recording r = scratch_recording(db, 1, "RE1", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
  struct recording next = r;
  next.permanent = true;
  assert_int_equal(recordings_store(db, &r, &next), OK);
  assert_int_equal(scratch_int(db, "select for_good from recording_counts where code = 'provider_error'"), 1);
  assert_counts_are_right(db);
  r = scratch_row(db, 1, "RE1");
  next.status = RECORDING_QUEUED;
  assert_int_equal(recordings_store(db, &r, &next), OK);
  assert_int_equal(scratch_int(db, "select n + for_good from recording_counts where code = 'provider_error'"), 0);
  assert_counts_are_right(db);
  for (int i = 0; i < 9; i++) {
    char sid[8];
    (void)snprintf(sid, sizeof(sid), "RX%d", i);
    static const enum recording_status states[] = {RECORDING_READY, RECORDING_FAILED, RECORDING_QUEUED};
    struct recording from = scratch_recording(db, 2 + i % 2, sid, "CA1", states[i % 3], RECORDING_RANK_REST, NOW);
    struct recording to = from;
    to.status = states[(i + 1 + i / 3) % 3];
    to.bytes = to.status == RECORDING_READY ? 100 + i : 0;
    (void)snprintf(to.error_code, sizeof(to.error_code), "%s", to.status == RECORDING_FAILED ? "timeout" : "");
    assert_int_equal(recordings_store(db, &from, &to), OK);
  }
  assert_counts_are_right(db);
  assert_int_equal(db_run(db, "delete from recordings where business_id = 3"), OK);
  assert_counts_are_right(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(frequent_queries_cost_the_same_with_many_rows),
      SCRATCH_TEST(a_claim_costs_the_same_with_many_businesses),
      SCRATCH_TEST(lists_filtered_by_recordings_cost_the_same_with_many_rows),
      SCRATCH_TEST(calls_of_a_large_ref_in_a_state_cost_what_the_state_has),
      SCRATCH_TEST(a_claim_takes_the_one_that_has_waited_longest),
      SCRATCH_TEST(permanent_failures_are_counted_as_they_change),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
