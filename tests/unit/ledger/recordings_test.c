#include "rows_scratch.h"

#define NOW SCRATCH_NOW

static void put(struct db *db, int64_t business, const char *sid, const char *call, enum recording_status status,
                int64_t after) {
  (void)scratch_recording(db, business, sid, call, status, RECORDING_RANK_REST, NOW + after);
}

static void permanent(struct db *db, const char *sid) {
  assert_int_equal(db_run(db, "update recordings set status = 'failed', for_good = 1 where recording_sid = ?1",
                          DB_TEXT(str_from(sid))),
                   OK);
}

static void require_means(struct db *db, int64_t business, const char *id, const char *sid) {
  struct recording row;
  bool known = false;
  enum err e = recordings_resolve(db, business, str_from(id), &known, &row);
  assert_int_equal(e, sid ? OK : ERR_NOT_FOUND);
  if (sid) assert_string_equal(row.recording_sid, sid);
}

/* Ready, then coming, then what may still come, then the rest; within each its own, its parent's, its children's. */
static void a_call_names_what_is_ready_on_any_leg_first(void **state) {
  static const enum recording_status worst_first[] = {RECORDING_EXPIRED, RECORDING_MISSING, RECORDING_QUEUED,
                                                      RECORDING_READY};
  static const char *const legs[] = {"low", "top", "mid"};
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CAtop", "", NOW);
  scratch_call(db, 1, "CAmid", "CAtop", NOW);
  scratch_call(db, 1, "CAlow", "CAmid", NOW);
  for (size_t i = 0; i < COUNT_OF(worst_first); i++)
    for (size_t leg = 0; leg < COUNT_OF(legs); leg++) {
      char sid[40], call[40];
      snprintf(sid, sizeof(sid), "RE%s%zu", legs[leg], i);
      snprintf(call, sizeof(call), "CA%s", legs[leg]);
      put(db, 1, sid, call, worst_first[i], 100 - (int64_t)i); /* the better, the older */
      require_means(db, 1, "CAmid", sid);
    }
  put(db, 1, "REback", "CAmid", RECORDING_FAILED, 200);
  require_means(db, 1, "CAmid", "REmid3"); /* the ready one, not the newer one in back-off */
  db_close(db);
}

static void a_call_names_its_own_recording_before_its_parents_and_its_childrens(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CAtop", "", NOW);
  scratch_call(db, 1, "CAmid", "CAtop", NOW);
  scratch_call(db, 1, "CAlow", "CAmid", NOW);
  scratch_call(db, 2, "CAmid", "", NOW);
  put(db, 1, "RElow1", "CAlow", RECORDING_READY, 1);
  put(db, 1, "RElow2", "CAlow", RECORDING_MISSING, 2);
  require_means(db, 1, "CAmid", "RElow1"); /* a child's: the one that is ready, not the newest */
  put(db, 1, "REtop", "CAtop", RECORDING_READY, 0);
  require_means(db, 1, "CAmid", "REtop"); /* the parent's recording is preferred */
  put(db, 1, "REmid1", "CAmid", RECORDING_FAILED, 0);
  put(db, 1, "REmid2", "CAmid", RECORDING_READY, 5);
  require_means(db, 1, "CAmid", "REmid2"); /* its own, the newest */
  permanent(db, "REmid2");
  require_means(db, 1, "CAmid", "REtop"); /* ready, unlike its own, which is in back-off */
  permanent(db, "REmid1");
  put(db, 1, "REgone", "CAtop", RECORDING_EXPIRED, 9);
  require_means(db, 1, "CAmid", "REtop");
  permanent(db, "REtop");
  require_means(db, 1, "CAmid", "RElow1");
  assert_int_equal(db_run(db, "update recordings set status = 'expired' where recording_sid like 'RElow%'"), OK);
  require_means(db, 1, "CAmid", "REmid2"); /* none is usable: its own newest */
  require_means(db, 1, "CAtop", "REgone");
  require_means(db, 1, "REmid1", "REmid1");
  db_close(db);
}

static void another_businesss_recording_is_not_found(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  scratch_call(db, 2, "CA1", "", NOW);
  put(db, 1, "RE1", "CA1", RECORDING_READY, 0);
  put(db, 2, "RE2", "CA1", RECORDING_READY, 0);
  require_means(db, 1, "RE2", NULL);
  require_means(db, 3, "RE1", NULL);
  require_means(db, 1, "CA1", "RE1");
  require_means(db, 2, "CA1", "RE2");
  db_close(db);
}

static void a_call_without_recordings_is_known_all_the_same(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  static const struct {
    int64_t business;
    const char *id;
    bool known;
  } cases[] = {{1, "CA1", true}, {1, "CA2", false}, {2, "CA1", false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row;
    bool known = !cases[i].known;
    assert_int_equal(recordings_resolve(db, cases[i].business, str_from(cases[i].id), &known, &row), ERR_NOT_FOUND);
    assert_int_equal(known, cases[i].known);
  }
  db_close(db);
}

static void a_row_is_read_as_it_was_stored(void **state) {
  struct db *db = scratch_ledger(*state);
  struct recording old = scratch_recording(db, 1, "RE1", "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW);
  struct recording next, read;
  memset(&next, 0, sizeof(next));
  next.business_id = 1;
#define TEXT(member, value) memcpy(next.member, value, sizeof(value))
  TEXT(recording_sid, "RE1"), TEXT(call_sid, "CA2"), TEXT(provider_status, "completed"), TEXT(url, "https://a/b");
  TEXT(source, "DialVerb"), TEXT(lease_owner, "w"), TEXT(error_code, "timeout"), TEXT(stem, "1/x"),
      TEXT(name, "1/x.mp3");
  TEXT(content_type, "audio/mpeg"), TEXT(etag, "\"1\""), TEXT(sha256, "ff"), TEXT(expire_reason, "deleted");
  int64_t n = 1000;
#define NUMBER(member) next.member = n++
  NUMBER(provider_duration_s), NUMBER(started_at), NUMBER(completed_at), NUMBER(first_seen_at), NUMBER(enqueued_at);
  NUMBER(last_enqueue_at), NUMBER(wanted_at), NUMBER(next_ask_at), NUMBER(lease_token), NUMBER(lease_until);
  NUMBER(fail_count), NUMBER(failed_at), NUMBER(next_retry_at), NUMBER(not_found_count), NUMBER(first_404_at),
      NUMBER(crashes);
  NUMBER(retried[0]), NUMBER(retried[1]), NUMBER(retried[2]), NUMBER(bytes), NUMBER(announced_bytes),
      NUMBER(received_bytes);
  NUMBER(modified_at), NUMBER(duration_ms), NUMBER(ready_at), NUMBER(expired_at);
  next.provider_channels = next.channels = 2;
  next.forbidden = next.permanent = true;
  next.status = RECORDING_DOWNLOADING;
  next.rank = RECORDING_RANK_REST;
  assert_int_equal(recordings_store(db, &old, &next), OK);
  next.version = old.version + 1;
  next.kept_from = next.started_at; /* by a trigger */
  assert_int_equal(recordings_get(db, 1, STR("RE1"), &read), OK);
  assert_memory_equal(&read, &next, sizeof(read));
  db_close(db);
}

static void a_store_from_an_older_row_changes_nothing(void **state) {
  struct db *db = scratch_ledger(*state);
  struct recording old = scratch_recording(db, 1, "RE1", "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW);
  struct recording next = old;
  next.status = RECORDING_FAILED;
  assert_int_equal(recordings_store(db, &old, &next), OK);
  int64_t changes = scratch_int(db, "select count(*) from changes");
  next.status = RECORDING_MISSING;
  assert_int_equal(recordings_store(db, &old, &next), ERR_CONFLICT);
  assert_int_equal(recordings_insert(db, &old, STR("{}")), ERR_EXISTS);
  assert_int_equal(scratch_row(db, 1, "RE1").status, RECORDING_FAILED);
  assert_int_equal(scratch_int(db, "select count(*) from changes"), changes);
  db_close(db);
}

static void operators_of_earlier_systems_find_their_columns(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  scratch_call(db, 1, "CA2", "CA1", NOW);
  put(db, 1, "RE1", "CA1", RECORDING_FAILED, 0);
  put(db, 1, "RE2", "CA1", RECORDING_READY, 1);
  assert_int_equal(scratch_int(db, "select count(*) from call_log"), 2);
  assert_int_equal(scratch_int(db,
                               "select count(*) from call_log where call_sid = 'CA1' and recording_download_status ="
                               " 'ready' and recording_fail_count = 0 and recording_next_retry_at is null and"
                               " recording_url = '' and recording_last_enqueue_at is null and final_transcript is null"
                               " and business_id = 1"),
                   1);
  assert_int_equal(scratch_int(db,
                               "select count(*) from call_log where parent_call_sid = 'CA1' and"
                               " recording_download_status is null"),
                   1);
  db_close(db);
}

static void the_times_of_call_log_compare_with_those_of_sql(void **state) {
  static const struct {
    const char *ago;
    int64_t want;
  } cases[] = {{"-9 minutes", 1}, {"-11 minutes", 0}, {"-1 day", 0}};
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  put(db, 1, "RE1", "CA1", RECORDING_FAILED, 0);
  assert_int_equal(db_run(db,
                          "update recordings set last_enqueue_at = unixepoch('2026-11-21 08:00:00') * 1000 + 999,"
                          " next_retry_at = unixepoch('2026-11-21 08:00:00') * 1000"),
                   OK);
  assert_int_equal(scratch_int(db,
                               "select count(*) from call_log where recording_next_retry_at = '2026-11-21 08:00:00Z'"
                               " and unixepoch(recording_last_enqueue_at) = unixepoch('2026-11-21 08:00:00')"),
                   1);
  for (size_t i = 0; i < COUNT_OF(cases); i++) { /* ten minutes later */
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    assert_int_equal(db_query(db, &q,
                              "select count(*) from call_log where recording_last_enqueue_at <"
                              " datetime('2026-11-21 08:10:00', ?1)",
                              DB_TEXT(str_from(cases[i].ago))),
                     OK);
    assert_int_equal(db_next(&q), OK);
    assert_int_equal(db_int(&q, 0), cases[i].want);
  }
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_call_names_what_is_ready_on_any_leg_first),
      SCRATCH_TEST(a_call_names_its_own_recording_before_its_parents_and_its_childrens),
      SCRATCH_TEST(another_businesss_recording_is_not_found),
      SCRATCH_TEST(a_call_without_recordings_is_known_all_the_same),
      SCRATCH_TEST(a_row_is_read_as_it_was_stored),
      SCRATCH_TEST(a_store_from_an_older_row_changes_nothing),
      SCRATCH_TEST(operators_of_earlier_systems_find_their_columns),
      SCRATCH_TEST(the_times_of_call_log_compare_with_those_of_sql),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
