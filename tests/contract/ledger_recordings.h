/* ledger_recordings.h - recordings, the queue, accounts, retries, counts, waveforms and notes. */
#pragma once

#include "ledger_contract.h"

#include <pthread.h>

#include "ledger/accounts.h"
#include "ledger/notes.h"
#include "ledger/recordings_count.h"
#include "ledger/retries.h"
#include "ledger/turns.h"
#include "ledger/waveforms.h"

/* ---- rows ---- */

static void a_recording_is_stored_by_compare_and_set(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_MISSING, RECORDING_RANK_REST, NOW));
  struct recording was = scratch_row(db, 1, "RE1"), next = was, is;
  IN_TRANSACTION(db, assert_int_equal(recordings_insert(db, &was, STR("{}")), ERR_EXISTS));
  next.status = RECORDING_READY;
  next.bytes = INT64_C(1) << 40;
  next.permanent = next.forbidden = true;
  next.duration_ms = 1500;
  (void)snprintf(next.name, sizeof(next.name), "1/a.mp3");
  (void)snprintf(next.etag, sizeof(next.etag), "\"x\"");
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  IN_TRANSACTION(db, assert_int_equal(recordings_store(db, &was, &next), ERR_CONFLICT));
  is = scratch_row(db, 1, "RE1");
  assert_int_equal(is.version, was.version + 1);
  next.version = is.version;
  assert_memory_equal(&is, &next, sizeof(is));
  IN_TRANSACTION(db, assert_ok(recordings_set_fields(db, 1, STR("RE1"), STR("{\"b\":2}")));
                 assert_int_equal(recordings_set_fields(db, 1, STR("RE2"), STR("{}")), ERR_NOT_FOUND));
  struct buf fields CLEANUP(buf_done) = BUF_INIT(1024);
  assert_ok(recordings_fields(db, 1, STR("RE1"), &fields));
  assert_true(str_eq(buf_str(&fields), STR("{\"b\":2}")));
}

static void an_id_names_the_best_recording_of_its_call(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, scratch_call(db, 1, "CA1", "", NOW); scratch_call(db, 1, "CA2", "CA1", NOW);
                 (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA2", RECORDING_READY, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE3", "CA2", RECORDING_QUEUED, RECORDING_RANK_REST, NOW + 1));
  struct recording row;
  bool known = false;
  assert_ok(recordings_resolve(db, 1, STR("RE1"), &known, &row));
  assert_string_equal(row.recording_sid, "RE1");
  assert_ok(recordings_resolve(db, 1, STR("CA1"), &known, &row));
  assert_string_equal(row.recording_sid, "RE2"); /* a child's, which is ready */
  assert_ok(recordings_resolve(db, 1, STR("CA2"), &known, &row));
  assert_string_equal(row.recording_sid, "RE2");
  IN_TRANSACTION(db, scratch_call(db, 1, "CA3", "", NOW));
  assert_int_equal(recordings_resolve(db, 1, STR("CA3"), &known, &row), ERR_NOT_FOUND);
  assert_true(known);
  assert_int_equal(recordings_resolve(db, 1, STR("CA4"), &known, &row), ERR_NOT_FOUND);
  assert_false(known);
  assert_ok(recordings_resolve_only(db, 1, STR("RE1"), &known, &row));
  assert_int_equal(recordings_resolve_only(db, 1, STR("CA1"), &known, &row), ERR_CONFLICT);
  assert_int_equal(recordings_resolve_only(db, 1, STR("CA2"), &known, &row), ERR_CONFLICT);
  assert_int_equal(recordings_resolve_only(db, 1, STR("CA4"), &known, &row), ERR_NOT_FOUND);
  assert_false(known);
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE9", "CA3", RECORDING_EXPIRED, RECORDING_RANK_REST, NOW));
  assert_ok(recordings_resolve_only(db, 1, STR("CA3"), &known, &row));
  assert_string_equal(row.recording_sid, "RE9");
  struct words of_call = {""}, ready = {""};
  assert_ok(recordings_of_call(db, 1, STR("CA2"), words_add_recording, &of_call));
  assert_string_equal(of_call.text, "RE3 RE2");
  assert_ok(recordings_with_status(db, 1, RECORDING_READY, STR("RE1"), 5, words_add_recording, &ready));
  assert_string_equal(ready.text, "RE2");
}

static enum err words_add_code(void *arg, struct str code, int64_t count, int64_t permanent) {
  char text[96];
  (void)snprintf(text, sizeof(text), "%.*s:%lld:%lld", STR_ARG(code), (long long)count, (long long)permanent);
  words_add(arg, text);
  return OK;
}

static void counts_follow_every_write(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct recordings_counts c;
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE3", "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW + 5);
                 (void)scratch_recording(db, 2, "RE1", "CA1", RECORDING_QUEUED, RECORDING_RANK_REST, NOW + 3));
  assert_ok(recordings_count(db, 1, &c));
  assert_true(c.by_status[RECORDING_READY] == 1 && c.by_status[RECORDING_FAILED] == 1 && c.bytes == 4000);
  assert_true(c.by_status[RECORDING_QUEUED] == 1 && c.oldest_queued_at == NOW + 5);
  assert_ok(recordings_count(db, 0, &c));
  assert_true(c.by_status[RECORDING_QUEUED] == 2 && c.oldest_queued_at == NOW + 3);
  struct recording was = scratch_row(db, 1, "RE2"), next = was;
  next.permanent = true;
  (void)snprintf(next.error_code, sizeof(next.error_code), "not_audio");
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  struct words of_one = {""}, of_all = {""}, codes = {""};
  assert_ok(recordings_count_failures(db, 1, words_add_code, &of_one));
  assert_string_equal(of_one.text, "not_audio:1:1");
  assert_ok(recordings_count_failures(db, 0, words_add_code, &of_all));
  assert_string_equal(of_all.text, "not_audio:1:1");
  assert_ok(recordings_count_codes(db, words_add_code, &codes));
  bool few;
  assert_ok(recordings_are_few(db, 1, RECORDING_FAILED, 1, &few));
  assert_true(few);
  assert_ok(recordings_are_few(db, 1, RECORDING_FAILED, 0, &few));
  assert_false(few);
}

static void failed_recordings_are_listed_in_parts(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW));
  struct words all = {""}, coded = {""};
  assert_ok(recordings_failed(db, 1, STR(""), 0, STR("RE1"), STR("\x7f"), 5, words_add_recording, &all));
  assert_string_equal(all.text, "RE2");
  assert_ok(recordings_failed(db, 1, STR("provider_error"), 0, STR(""), STR("\x7f"), 1, words_add_recording, &coded));
  assert_string_equal(coded.text, "RE1");
  char sid[SID_SIZE];
  assert_ok(recordings_failed_skip(db, 1, STR(""), STR(""), 2, sid));
  assert_string_equal(sid, "RE2");
  assert_ok(recordings_failed_skip(db, 1, STR("provider_error"), STR("RE1"), 1, sid));
  assert_string_equal(sid, "RE2");
}

/* ---- the queue ---- */

/* The part of recording_apply that concerns a claim. */
static void lease(struct db *db, int64_t business, const char *sid, int64_t until) {
  struct recording was = scratch_row(db, business, sid), next = was;
  next.lease_token++;
  next.lease_until = until;
  next.status = RECORDING_QUEUED;
  (void)snprintf(next.lease_owner, sizeof(next.lease_owner), "w");
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
}

static void end_lease(struct db *db, int64_t business, const char *sid, enum recording_status status) {
  struct recording was = scratch_row(db, business, sid), next = was;
  next.lease_until = 0;
  next.lease_owner[0] = '\0';
  next.status = status;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
}

/* "1.RE1", leased; "": nothing may be claimed. */
static void claim(struct db *db, const struct recordings_limits *limits, int64_t now, char ret_text[64]) {
  struct recording row;
  enum err e;
  IN_TRANSACTION(db, e = recordings_next(db, limits, now, &row);
                 if (e == OK) assert_ok(recordings_turn(db, row.business_id, now)));
  ret_text[0] = '\0';
  if (e == ERR_NOT_FOUND) return;
  assert_ok(e);
  (void)snprintf(ret_text, 64, "%lld.%s", (long long)row.business_id, row.recording_sid);
  lease(db, row.business_id, row.recording_sid, now + RECORDING_LEASE_MS);
}

static void assert_claims(struct db *db, const struct recordings_limits *limits, int64_t now, const char *expected) {
  struct words w = {""};
  char text[64];
  for (claim(db, limits, now, text); text[0]; claim(db, limits, ++now, text)) words_add(&w, text);
  assert_string_equal(w.text, expected);
}

static void claims_go_by_rank_then_businesses_take_turns(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  for (int i = 0; i < 3; i++) IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  static const struct {
    int64_t business;
    const char *sid;
    int rank;
  } rows[] = {{1, "RE1", RECORDING_RANK_REST}, {1, "RE2", RECORDING_RANK_REST}, {1, "RE3", RECORDING_RANK_NEW},
              {2, "RE1", RECORDING_RANK_REST}, {2, "RE2", RECORDING_RANK_PLAY}, {3, "RE1", RECORDING_RANK_REST}};
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    IN_TRANSACTION(db, (void)scratch_recording(db, rows[i].business, rows[i].sid, "CA1", RECORDING_QUEUED, rows[i].rank,
                                               NOW + (int64_t)i));
  const struct recordings_limits limits = {2, 8};
  assert_claims(db, &limits, NOW + 100, "2.RE2 1.RE3 3.RE1 2.RE1 1.RE1");
  struct turns_fills fills;
  assert_ok(turns_count_fills(db, &fills));
  assert_true(fills.all == 5 && fills.rest == 3);
  int64_t count;
  struct words of_all = {""}, of_one = {""};
  assert_ok(recordings_count_fills(db, STR("w"), NOW, &count));
  assert_int_equal(count, 5);
  assert_ok(recordings_fills(db, 0, NOW, words_add_recording, &of_all));
  assert_string_equal(of_all.text, "RE1 RE3 RE1 RE2 RE1");
  assert_ok(recordings_fills(db, 3, NOW, words_add_recording, &of_one));
  assert_string_equal(of_one.text, "RE1");
  end_lease(db, 1, "RE3", RECORDING_FAILED);
  assert_claims(db, &limits, NOW + 200, "1.RE2");
}

static void limits_hold_over_all(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  char sid[SID_SIZE];
  for (int i = 0; i < 6; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    IN_TRANSACTION(db, (void)scratch_recording(db, 1, sid, "CA1", RECORDING_QUEUED,
                                               i < 5 ? RECORDING_RANK_REST : RECORDING_RANK_PLAY, NOW + i));
  }
  assert_claims(db, &(struct recordings_limits){9, 0}, NOW + 100, "");
  assert_claims(db, &(struct recordings_limits){9, 4}, NOW + 100, "1.RE5 1.RE0 1.RE1 1.RE2"); /* the rest: 3 of 4 */
}

struct claimer {
  const struct contract *contract;
  pthread_barrier_t *start;
  int claimed;
  enum err e;
};

/* Claims until there is nothing to claim, as a worker of another process does. */
static void *claim_all(void *arg) {
  struct claimer *c = arg;
  struct db *db = contract_open(c->contract);
  pthread_barrier_wait(c->start);
  for (enum err e = OK; e != ERR_NOT_FOUND && c->e == OK;) {
    struct recording was, next;
    e = db_begin_immediate(db);
    if (e == OK) e = recordings_next(db, &(struct recordings_limits){3, 4}, NOW + 100, &was);
    next = was;
    next.lease_token++;
    next.lease_until = NOW + 100 + RECORDING_LEASE_MS;
    memcpy(next.lease_owner, "w", 2);
    if (e == OK) e = recordings_store(db, &was, &next);
    if (e == OK) e = recordings_turn(db, was.business_id, NOW + 100);
    if (e == OK) e = db_commit(db);
    if (e == OK) c->claimed++;
    if (e != OK) db_rollback(db);
    if (e != OK && e != ERR_BUSY && e != ERR_NOT_FOUND) c->e = e;
  }
  db_close(db);
  return NULL;
}

static void limits_hold_over_processes(void **state) {
  struct contract *c = *state;
  struct db *db = c->db;
  enum { CLAIMERS = 4 };
  char sid[SID_SIZE];
  for (int64_t business = 1; business <= 2; business++) IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  for (int i = 0; i < 20; i++) {
    (void)snprintf(sid, sizeof(sid), "RE%d", i);
    IN_TRANSACTION(db,
                   (void)scratch_recording(db, 1 + i % 2, sid, "CA1", RECORDING_QUEUED, RECORDING_RANK_NEW, NOW + i));
  }
  pthread_barrier_t start;
  pthread_t threads[CLAIMERS];
  struct claimer claimers[CLAIMERS];
  pthread_barrier_init(&start, NULL, CLAIMERS);
  for (size_t i = 0; i < CLAIMERS; i++) {
    claimers[i] = (struct claimer){.contract = c, .start = &start};
    assert_int_equal(pthread_create(&threads[i], NULL, claim_all, &claimers[i]), 0);
  }
  int claimed = 0;
  for (size_t i = 0; i < CLAIMERS; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(claimers[i].e, OK);
    claimed += claimers[i].claimed;
  }
  pthread_barrier_destroy(&start);
  struct turns_fills fills;
  assert_ok(turns_count_fills(db, &fills));
  assert_int_equal(claimed, 4);
  assert_int_equal(fills.all, 4);
}

static void later_asks_become_due(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b");
                 (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_QUEUED, RECORDING_RANK_REST, NOW));
  struct recording was = scratch_row(db, 1, "RE1"), next = was;
  next.next_ask_at = NOW + 5000;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  const struct recordings_limits limits = {2, 8};
  int64_t at, business;
  bool due;
  assert_claims(db, &limits, NOW, "");
  assert_ok(recordings_next_event(db, NOW, &at));
  assert_int_equal(at, NOW + 5000);
  assert_ok(turns_is_due(db, RECORDING_RANK_REST, 1, NOW, &due));
  assert_false(due);
  assert_int_equal(turns_first(db, RECORDING_RANK_REST, 9, &business), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(turns_make_due(db, NOW + 5000, 10)));
  assert_ok(turns_first(db, RECORDING_RANK_REST, 9, &business));
  assert_int_equal(business, 1);
  IN_TRANSACTION(db, assert_ok(turns_renew(db, RECORDING_RANK_REST, 1))); /* by the rows: not due */
  assert_int_equal(turns_first(db, RECORDING_RANK_REST, 9, &business), ERR_NOT_FOUND);
  assert_claims(db, &limits, NOW + 5000, "1.RE1");
}

static void upkeep_of_the_queue_finds_what_is_due(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b");
                 (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_QUEUED, RECORDING_RANK_PLAY, NOW);
                 (void)scratch_recording(db, 1, "RE2", "CA1", RECORDING_QUEUED, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE3", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
                 (void)scratch_recording(db, 1, "RE4", "CA1", RECORDING_QUEUED, RECORDING_RANK_REST, NOW));
  lease(db, 1, "RE2", NOW + RECORDING_LEASE_MS);
  struct recording was = scratch_row(db, 1, "RE3"), next = was;
  next.next_retry_at = NOW + 1000;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  was = scratch_row(db, 1, "RE4");
  next = was;
  next.next_ask_at = NOW + 2 * RECORDING_BACKOFF_CAP_MS; /* the clock jumped */
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  struct words early = {""}, jumped = {""}, lapsed = {""}, due = {""};
  assert_ok(recordings_lapsed(db, NOW, 10, words_add_recording, &early));
  assert_ok(recordings_due(db, NOW, 10, words_add_recording, &early));
  assert_ok(recordings_lapsed(db, NOW - DB_CLOCK_SLACK_MS, 10, words_add_recording, &early)); /* of another process */
  assert_string_equal(early.text, "");
  assert_ok(recordings_lapsed(db, NOW - DB_CLOCK_SLACK_MS - 1, 10, words_add_recording, &jumped));
  assert_string_equal(jumped.text, "RE2");
  assert_ok(recordings_lapsed(db, NOW + RECORDING_LEASE_MS, 10, words_add_recording, &lapsed));
  assert_string_equal(lapsed.text, "RE2");
  assert_ok(recordings_due(db, NOW + 1000, 10, words_add_recording, &due));
  assert_string_equal(due.text, "RE3");
  IN_TRANSACTION(db, assert_ok(recordings_demote(db, NOW, 10)); assert_ok(recordings_bring_forward(db, NOW, 10)));
  assert_int_equal(scratch_row(db, 1, "RE1").rank, RECORDING_RANK_NEW);
  assert_int_equal(scratch_row(db, 1, "RE4").next_ask_at, NOW);
  was = scratch_row(db, 1, "RE4");
  next = was;
  next.file_seen_at = NOW;
  IN_TRANSACTION(db, assert_ok(recordings_store(db, &was, &next)));
  assert_ok(recordings_next_file_seen(db, 0, &was));
  assert_string_equal(was.recording_sid, "RE4");
  IN_TRANSACTION(db, assert_ok(recordings_forget_files_seen(db, 1, 10)));
  assert_int_equal(recordings_next_file_seen(db, 0, &was), ERR_NOT_FOUND);
}

/* ---- accounts ---- */

static enum err words_add_id(void *arg, int64_t business_id) {
  char text[24];
  (void)snprintf(text, sizeof(text), "%lld", (long long)business_id);
  words_add(arg, text);
  return OK;
}

static void an_account_stops_is_tried_and_goes_on(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct account a;
  bool released;
  IN_TRANSACTION(db, (void)scratch_business(db, "one"); (void)scratch_business(db, "two");
                 (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_FAILED, RECORDING_RANK_REST, NOW);
                 assert_ok(accounts_errored(db, 1)); assert_ok(accounts_suspect(db, 1, STR("RE1")));
                 assert_ok(accounts_refused(db, 1, STR("RE1"), NOW, NOW + 1000)));
  assert_ok(accounts_get(db, 1, &a));
  assert_true(a.auth_failed_at == NOW && a.auth_trial_at == NOW + 1000 && a.error_streak == 1);
  assert_string_equal(a.suspect_sid, "RE1");
  struct words stopped = {""}, early = {""}, due = {""}, idle = {""}, jumped = {""};
  int64_t last;
  assert_ok(accounts_stopped(db, 0, 10, words_add_id, &stopped, &last));
  assert_string_equal(stopped.text, "1");
  assert_true(last == INT64_MAX);
  IN_TRANSACTION(db, assert_ok(accounts_trials_due(db, NOW, STR("provider_error"), 10, words_add_id, &early));
                 assert_ok(accounts_trials_due(db, NOW + 1000, STR("provider_error"), 10, words_add_id, &due));
                 assert_ok(accounts_set_trial(db, 1, NOW + 2 * ACCOUNT_TRIAL_MS));
                 assert_ok(accounts_trials_due(db, NOW, STR("provider_error"), 10, words_add_id, &jumped));
                 assert_ok(accounts_trials_due(db, NOW, STR("other_error"), 10, words_add_id, &idle));
                 assert_ok(accounts_trials_due(db, NOW, STR("provider_error"), 10, words_add_id, &idle)));
  assert_string_equal(early.text, "");
  assert_string_equal(due.text, "1");
  assert_string_equal(jumped.text, "1");
  assert_string_equal(idle.text, "");
  IN_TRANSACTION(db, assert_ok(accounts_answered(db, 1, a.credentials_version, &released)));
  assert_true(released);
  assert_ok(accounts_get(db, 1, &a));
  assert_true(a.auth_failed_at == 0 && a.error_streak == 0 && a.good_version == a.credentials_version);
  IN_TRANSACTION(db, assert_ok(accounts_errored(db, 1)));
  IN_TRANSACTION(
      db, assert_ok(db_run(db, "update businesses set credentials_version = 7 where business_id = ?1", DB_INT(1)));
      assert_ok(accounts_answered(db, 1, 1, &released)));
  assert_ok(accounts_get(db, 1, &a));
  assert_true(!released && a.error_streak == 0 && a.good_version != 7);
  assert_int_equal(accounts_get(db, 99, &a), ERR_NOT_FOUND);
  bool is_removed;
  assert_ok(accounts_is_removed(db, 1, &is_removed));
  assert_false(is_removed);
}

/* ---- retries, waveforms, notes ---- */

static enum err words_add_retries(void *arg, const struct retries_row *row) {
  words_add(arg, row->code[0] ? row->code : "any");
  return OK;
}

static void retries_take_turns(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct retries_row any = {.business_id = 1, .since = NOW},
                     coded = {.business_id = 1, .code = "timeout", .since = NOW}, got;
  IN_TRANSACTION(db, assert_ok(retries_begin(db, &any, NOW)); assert_ok(retries_begin(db, &coded, NOW + 1));
                 any.since = NOW - 5; any.queued = 3; any.forced = true; assert_ok(retries_begin(db, &any, NOW + 2)));
  assert_ok(retries_next(db, &got));
  assert_true(got.code[0] == '\0' && got.since == NOW - 5 && got.queued == 3 && got.forced);
  (void)snprintf(got.after, sizeof(got.after), "RE5");
  IN_TRANSACTION(
      db, assert_ok(retries_advance(db, &got, NOW - 100))); /* the clock went back: the turn grows all the same */
  assert_ok(retries_next(db, &got));
  assert_string_equal(got.code, "timeout");
  struct words all = {""};
  assert_ok(retries_each(db, 1, words_add_retries, &all));
  assert_string_equal(all.text, "any timeout");
  IN_TRANSACTION(db, assert_ok(retries_end(db, &got)));
  assert_ok(retries_next(db, &got));
  assert_string_equal(got.after, "RE5");
  IN_TRANSACTION(db, assert_ok(retries_advance(db, &got, NOW + 1000)); assert_ok(retries_end(db, &got)));
  assert_int_equal(retries_next(db, &got), ERR_NOT_FOUND);
}

static void peaks_go_with_their_recording(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  static const struct str peaks = {"\0\xff'\\x", 5};
  IN_TRANSACTION(db, (void)scratch_recording(db, 1, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW);
                 assert_ok(waveforms_put(db, 1, STR("RE1"), STR("old")));
                 assert_ok(waveforms_put(db, 1, STR("RE1"), peaks)));
  struct buf got CLEANUP(buf_done) = BUF_INIT(64);
  assert_ok(waveforms_get(db, 1, STR("RE1"), &got));
  assert_true(str_eq(buf_str(&got), peaks));
  end_lease(db, 1, "RE1", RECORDING_EXPIRED);
  assert_int_equal(waveforms_get(db, 1, STR("RE1"), &got), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(waveforms_put(db, 1, STR("RE1"), STR(""))));
}

static enum err words_add_note(void *arg, const struct note *n) {
  words_add(arg, n->text);
  return OK;
}

static void notes_are_kept_in_their_order(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct note later = {.at_ms = 9000, .text = "later", .by = "key:1", .author = "key:1", .created_at = NOW},
              whole = {.at_ms = -1, .text = "whole", .by = "key:1", .author = "key:1", .created_at = NOW}, got;
  int count;
  IN_TRANSACTION(db, assert_ok(notes_add(db, 1, STR("RE1"), &later)); assert_ok(notes_add(db, 1, STR("RE1"), &whole)));
  struct words all = {""};
  assert_ok(notes_each(db, 1, STR("RE1"), words_add_note, &all));
  assert_string_equal(all.text, "whole later");
  assert_ok(notes_get(db, 1, STR("RE1"), later.note_id, &got));
  assert_true(got.at_ms == 9000 && got.edited_at == 0);
  (void)snprintf(got.text, sizeof(got.text), "edited");
  got.edited_at = NOW + 1;
  IN_TRANSACTION(db, assert_ok(notes_store(db, 1, STR("RE1"), &got));
                 assert_ok(notes_delete(db, 1, STR("RE1"), whole.note_id));
                 assert_int_equal(notes_delete(db, 1, STR("RE1"), whole.note_id), ERR_NOT_FOUND));
  assert_ok(notes_get(db, 1, STR("RE1"), later.note_id, &got));
  assert_string_equal(got.text, "edited");
  IN_TRANSACTION(db, assert_ok(notes_purge(db, 1, 10, &count)));
  assert_int_equal(count, 1);
}

static void notes_of_one_moment_are_in_the_order_in_which_they_were_made(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct words all = {""};
  for (int i = 0; i < 9; i++) {
    struct note n = {.at_ms = -1, .by = "key:1", .author = "key:1", .created_at = NOW};
    (void)snprintf(n.text, sizeof(n.text), "%d", i);
    IN_TRANSACTION(db, assert_ok(notes_add(db, 1, STR("RE1"), &n)));
    assert_int_equal(n.created_at, NOW + i);
  }
  assert_ok(notes_each(db, 1, STR("RE1"), words_add_note, &all));
  assert_string_equal(all.text, "0 1 2 3 4 5 6 7 8");
}
