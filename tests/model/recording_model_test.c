/* recording_model_test.c - sends random events to a model in memory and to a real database, and compares them.
 *
 * The model is recording_apply and, written down once more as plainly as can be, what the queue, the accounts and intake
 * make of it. After every step the rows that may have changed are compared whole (but for the count of writes), the rules
 * of a recording checked, and what was claimed must be what the model would have claimed. Several workers report, also
 * long after their lease was lost; the clock runs, stands, and jumps both ways.
 *
 * CALLREEL_MODEL_STEPS and CALLREEL_MODEL_SEED choose another walk; a failure names both. */
#include "recording_model.h"

/* ---- steps ---- */

static struct model_row *any_known(void) {
  struct model_row *m = &w.rows[roll(ROWS)];
  return m->is_known ? m : NULL;
}

static struct recording_file some_file(void) {
  return (struct recording_file){.name = STR("1/2026/11/x.mp3"),
                                 .bytes = 1001 + (int64_t)roll(9000),
                                 .content_type = STR("audio/mpeg"),
                                 .etag = STR("\"tag\""),
                                 .modified_at = w.now,
                                 .duration_ms = (int64_t)roll(100000),
                                 .channels = 1,
                                 .sha256 = STR("ab")};
}

static void step_want(void) {
  static const enum recording_event_kind kinds[] = {RECORDING_PLAY, RECORDING_PREPARE, RECORDING_PERSON_RETRY,
                                                    RECORDING_PERSON_RETRY};
  struct model_row *m = any_known();
  if (!m) return;
  enum enqueue_kind want = (enum enqueue_kind)roll(4);
  struct recording_event event = {.kind = kinds[want], .forced = want == ENQUEUE_FORCED_RETRY};
  struct recording_outcome considered = enqueue_check(&m->row, want, w.now), real_outcome;
  struct recording_outcome outcome = model_apply(m, &event);
  struct recording real;
  REQUIRE_OK(enqueue_run(w.db, m->row.business_id, sid_of(m), want, w.now, &real, &real_outcome));
  REQUIRE(considered.moved == outcome.moved && considered.skip == outcome.skip);
  REQUIRE(real_outcome.moved == outcome.moved && real_outcome.enqueued == outcome.enqueued &&
          real_outcome.skip == outcome.skip);
  compare_row(m);
}

static void step_file(void) {
  struct model_row *m = any_known();
  if (!m) return;
  static const enum recording_event_kind kinds[] = {RECORDING_FOUND, RECORDING_FILE_SEEN, RECORDING_FILE_GONE};
  size_t kind = roll(16);
  struct recording_event event = {.kind = kinds[kind < 1 ? 0 : kind < 5 ? 1 : 2], .file = some_file()};
  struct recording_outcome outcome = model_apply(m, &event), real_outcome;
  struct recording real;
  REQUIRE_OK(queue_apply(w.db, m->row.business_id, sid_of(m), &event, w.now, &real, &real_outcome));
  REQUIRE(real_outcome.moved == outcome.moved);
  compare_row(m);
}

/* Nothing leaves EXPIRED, so some expired rows are purged, and their SIDs come again. */
static void model_purge(struct model_row *m) {
  struct recording fresh = {.business_id = m->row.business_id, .rank = RECORDING_RANK_REST, .announced_bytes = -1};
  fresh.duration_ms = -1;
  memcpy(fresh.recording_sid, m->row.recording_sid, sizeof(fresh.recording_sid));
  for (int i = 0; i < WORKERS; i++)
    if (w.workers[i].held == (int)(m - w.rows)) w.workers[i].held = -1;
  REQUIRE_OK(db_run(w.db, "delete from recordings where business_id = ?1 and recording_sid = ?2",
                    DB_INT(m->row.business_id), DB_TEXT(sid_of(m))));
  *m = (struct model_row){.row = fresh};
}

static void step_expire(void) {
  struct model_row *m = any_known();
  if (!m || roll(40)) return;
  if (m->row.status == RECORDING_EXPIRED && roll(2)) {
    model_purge(m);
    return;
  }
  bool held = roll(2);
  struct removal removal = {.reason = REMOVAL_DELETED, .rank = RECORDING_RANK_PLAY};
  struct hold hold = {.business_id = m->row.business_id, .reason = "court", .by = "key:1", .at = w.now};
  int64_t hold_id;
  REQUIRE_OK(str_copy(hold.key, sizeof(hold.key), sid_of(m)));
  if (held) REQUIRE_OK(holds_set(w.db, &hold, &hold_id));
  struct recording row, real;
  REQUIRE_OK(recordings_get(w.db, m->row.business_id, sid_of(m), &row));
  char stem[RECORDING_NAME_SIZE];
  REQUIRE_OK(queue_stem(w.db, &row, stem));
  struct recording_event event = {
      .kind = RECORDING_EXPIRE, .is_held = held, .reason = "deleted", .stem = str_from(stem)};
  struct recording_outcome outcome = model_apply(m, &event), real_outcome;
  REQUIRE_OK(removal_expire(w.db, &row, &removal, w.now, &real, &real_outcome));
  REQUIRE(real_outcome.moved == outcome.moved && real_outcome.skip == outcome.skip);
  w.expired += outcome.moved;
  if (held) {
    REQUIRE_OK(holds_find(w.db, m->row.business_id, sid_of(m), &hold));
    REQUIRE_OK(holds_remove(w.db, &hold));
    bool more = true;
    while (more) REQUIRE_OK(holds_mark_part(w.db, 10, &more));
  }
  compare_row(m);
}

static void step_report(void) {
  static const enum recording_event_kind kinds[] = {RECORDING_RENEW,    RECORDING_RENEW,     RECORDING_ANSWERED,
                                                    RECORDING_ANSWERED, RECORDING_NOT_FOUND, RECORDING_FAILURE,
                                                    RECORDING_FAILURE,  RECORDING_COMPLETE,  RECORDING_RELEASED,
                                                    RECORDING_FOUND,    RECORDING_NEW_TOKEN, RECORDING_FILE_WRONG};
  static const enum recording_error errors[] = {RECORDING_RATE_LIMITED,   RECORDING_PROVIDER_ERROR, RECORDING_TIMEOUT,
                                                RECORDING_PROVIDER_ERROR, RECORDING_TRUNCATED,      RECORDING_NOT_AUDIO,
                                                RECORDING_TOO_LARGE,      RECORDING_STORAGE_ERROR};
  struct model_worker *worker = &w.workers[roll(WORKERS)];
  if (worker->held < 0) return;
  struct model_row *m = &w.rows[worker->held];
  struct recording_event event = {.kind = kinds[roll(COUNT_OF(kinds))],
                                  .owner = roll(20) ? STR("worker") : STR("another"),
                                  .token = worker->token,
                                  .error = roll(12) ? errors[roll(COUNT_OF(errors))] : RECORDING_AUTH_FAILED,
                                  .retry_after_ms = roll(4) ? 0 : (int64_t)roll(3000000),
                                  .jitter = (uint32_t)roll(UINT32_MAX),
                                  .received_bytes = (int64_t)roll(4000),
                                  .announced_bytes = roll(3) ? 4000 : -1,
                                  .file = some_file()};
  event.is_its_own = event.kind == RECORDING_FAILURE && event.error == RECORDING_AUTH_FAILED && is_alone(m);
  struct recording_outcome outcome = model_apply(m, &event);
  if (outcome.moved) model_account_feels(m, &event);
  event.is_its_own = false; /* queue_report finds it out */
  struct recording real;
  enum err e = queue_report(w.db, m->row.business_id, sid_of(m), &event, w.now, &real);
  REQUIRE(e == (outcome.moved ? OK : ERR_CONFLICT));
  if (outcome.moved && event.kind == RECORDING_NEW_TOKEN) worker->token = real.lease_token;
  if (m->row.lease_until == 0 && roll(4)) worker->held = -1; /* else it will report under its lost lease */
  compare_row(m);
  bool tells_account =
      event.kind == RECORDING_ANSWERED || event.kind == RECORDING_NOT_FOUND || event.kind == RECORDING_FAILURE;
  if (outcome.moved && tells_account) compare_all();
}

/* Leases, retries, demotions and trials, in the order of queue_maintain. */
static void step_tend(void) {
  uint32_t jitter = (uint32_t)roll(UINT32_MAX);
  int leases_expired = 0, due = 0;
  struct recording_event lapse = {.kind = RECORDING_LEASE_EXPIRED, .jitter = jitter};
  struct recording_event retry = {.kind = RECORDING_RETRY_DUE, .jitter = jitter};
  struct recording_event trial = {.kind = RECORDING_CREDENTIALS};
  for (int i = 0; i < ROWS; i++)
    if (w.rows[i].is_known && w.rows[i].row.lease_until) leases_expired += model_apply(&w.rows[i], &lapse).moved;
  for (int i = 0; i < ROWS; i++)
    if (w.rows[i].is_known) due += model_apply(&w.rows[i], &retry).moved;
  for (int i = 0; i < ROWS; i++) {
    struct recording *r = &w.rows[i].row;
    if (w.rows[i].is_known && r->status == RECORDING_QUEUED && r->rank == RECORDING_RANK_PLAY && !r->lease_until &&
        r->wanted_at < w.now - RECORDING_PLAY_RANK_MS)
      r->rank = RECORDING_RANK_NEW;
    if (w.rows[i].is_known && r->status == RECORDING_QUEUED && !r->lease_until &&
        r->next_ask_at > w.now + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS)
      r->next_ask_at = w.now;
  }
  for (int b = 0; b < BUSINESSES; b++) {
    if (w.accounts[b].auth_failed_at && w.accounts[b].auth_trial_at > w.now + QUEUE_TRIAL_EVERY_MS + DB_CLOCK_SLACK_MS)
      w.accounts[b].auth_trial_at = w.now;
    if (!w.accounts[b].auth_failed_at || !is_past(w.accounts[b].auth_trial_at, QUEUE_TRIAL_EVERY_MS)) continue;
    bool waits = false;
    struct model_row *refused[2];
    int refused_n = 0;
    for (int i = 0; i < SIDS; i++) {
      const struct model_row *m = &w.rows[b * SIDS + i];
      waits = waits || (m->is_known && m->row.status == RECORDING_QUEUED);
    }
    for (int i = 0; i < SIDS && !waits && refused_n < 2; i++) {
      struct model_row *m = &w.rows[b * SIDS + i];
      if (m->is_known && m->row.status == RECORDING_FAILED && strcmp(m->row.error_code, "auth_failed") == 0)
        refused[refused_n++] = m;
    }
    if (refused_n == 0) continue;
    bool takes_second = refused_n == 2 && refused[0]->row.failed_at > refused[1]->row.failed_at;
    (void)model_apply(refused[takes_second], &trial);
  }
  struct queue_maintained maintained;
  REQUIRE_OK(queue_maintain(w.db, w.now, jitter, &maintained));
  REQUIRE(maintained.leases_expired == leases_expired && maintained.due == due);
  compare_all();
}

static void step_claim(void) {
  step_tend(); /* as the worker does */
  struct model_worker *worker = &w.workers[roll(WORKERS)];
  struct model_row *expected = model_next();
  struct recording real;
  enum err e = queue_claim(w.db, &limits, STR("worker"), w.now, &real);
  REQUIRE(e == (expected ? OK : ERR_NOT_FOUND));
  if (!expected) return;
  REQUIRE(real.business_id == expected->row.business_id);
  REQUIRE(str_eq(str_from(real.recording_sid), sid_of(expected)));
  struct recording_event event = {.kind = RECORDING_CLAIM, .owner = STR("worker"), .stem = str_from(real.stem)};
  REQUIRE(model_apply(expected, &event).moved);
  struct model_account *a = &w.accounts[expected->row.business_id - 1];
  if (a->auth_failed_at) a->auth_trial_at = next_trial_at(a);
  a->last_claim_at = w.now;
  *worker = (struct model_worker){(int)(expected - w.rows), real.lease_token};
  w.claims++;
  compare_row(expected);
}

static bool may_be_checked_next(const struct model_row *m, int business) {
  const struct recording *r = &m->row;
  return m->is_known && r->business_id == business && r->status == RECORDING_QUEUED && r->lease_until == 0 &&
         r->file_seen_at != 0;
}

/* Of the first business after that id which has any, and of its best rank, those that wait for the longest time. */
static struct model_row *model_next_check(int after_business) {
  for (int turn = 0; turn < BUSINESSES; turn++) {
    struct model_row *best = NULL;
    for (int i = 0; i < ROWS; i++) {
      struct model_row *m = &w.rows[i];
      if (!may_be_checked_next(m, (after_business + turn) % BUSINESSES + 1)) continue;
      bool is_better = !best || m->row.rank < best->row.rank ||
                       (m->row.rank == best->row.rank && m->row.file_seen_at < best->row.file_seen_at);
      if (is_better) best = m;
    }
    if (best) return best;
  }
  return NULL;
}

static void step_check(void) {
  int after_business = (int)roll(BUSINESSES + 1);
  struct model_worker *worker = &w.workers[roll(WORKERS)];
  struct model_row *expected = model_next_check(after_business);
  struct recording real;
  enum err e = queue_claim_check(w.db, after_business, STR("worker"), w.now, &real);
  REQUIRE(e == (expected ? OK : ERR_NOT_FOUND));
  if (!expected) return;
  struct model_row *m = expected;
  for (int i = 0; i < ROWS; i++) /* several may wait for as long */
    if (w.rows[i].row.business_id == real.business_id && str_eq(str_from(real.recording_sid), sid_of(&w.rows[i])))
      m = &w.rows[i];
  REQUIRE(may_be_checked_next(m, (int)expected->row.business_id));
  REQUIRE(m->row.rank == expected->row.rank && m->row.file_seen_at == expected->row.file_seen_at);
  struct recording_event event = {
      .kind = RECORDING_CLAIM, .owner = STR("worker"), .is_check = true, .stem = str_from(real.stem)};
  REQUIRE(model_apply(m, &event).moved);
  *worker = (struct model_worker){(int)(m - w.rows), real.lease_token};
  w.checks++;
  compare_row(m);
}

static void step_retry_all(void) {
  int business = (int)roll(BUSINESSES);
  struct recording_event event = {.kind = RECORDING_RETRY_ALL, .forced = roll(2)};
  int64_t moved = 0;
  struct queue_retried real;
  for (int i = 0; i < SIDS; i++)
    if (w.rows[business * SIDS + i].is_known) moved += model_apply(&w.rows[business * SIDS + i], &event).moved;
  REQUIRE_OK(queue_retry_all(w.db, business + 1, RECORDING_NONE, 0, event.forced, w.now, &real));
  REQUIRE(real.queued == moved && !real.more);
  compare_all();
}

/* ---- intake ---- */

struct fate {
  bool is_known;
  enum recording_event_kind event;
  enum recording_error error;
};

static const char *value_of(const struct model_row *m, int field) {
  return m->fields[field].is_known ? m->fields[field].value : "";
}

static struct fate fate_of(const struct model_row *m) {
  const char *status = value_of(m, FIELD_STATUS);
  if (strcmp(status, "absent") == 0)
    return (struct fate){
        true, RECORDING_REFUSED,
        strcmp(value_of(m, FIELD_ERROR), "16102") == 0 ? RECORDING_ABSENT_SILENT : RECORDING_ABSENT_TOO_SHORT};
  if (strcmp(status, "deleted") == 0) return (struct fate){true, RECORDING_REFUSED, RECORDING_NOT_FOUND_AT_PROVIDER};
  if (strcmp(status, "failed") == 0) return (struct fate){true, RECORDING_REFUSED, RECORDING_ENCRYPTED};
  if (strcmp(status, "completed") != 0) return (struct fate){false, 0, 0};
  if (strcmp(value_of(m, FIELD_FORBIDDEN), "1") == 0)
    return (struct fate){true, RECORDING_REFUSED, RECORDING_FORBIDDEN_URL};
  return (struct fate){true, RECORDING_COMPLETED, RECORDING_NONE};
}

static void model_tell(struct model_row *m, int field, const struct delivery_rank *rank, const char *value) {
  struct model_field *t = &m->fields[field];
  int order = t->is_known ? delivery_rank_compare(rank, &t->rank) : 1;
  if (order < 0 || (order == 0 && strcmp(value, t->value) <= 0)) return;
  *t = (struct model_field){true, *rank, value};
}

static void model_deliver(struct model_row *m, const struct delivery_rank *rank,
                          const char *const values[FIELD_COUNT]) {
  struct recording *r = &m->row;
  struct fate before = fate_of(m);
  for (int i = 0; i < FIELD_COUNT; i++)
    if (values[i]) model_tell(m, i, rank, values[i]);
  if (!m->is_known) m->place = w.inserted++;
  m->is_known = true;
  (void)snprintf(r->provider_status, sizeof(r->provider_status), "%s", value_of(m, FIELD_STATUS));
  (void)snprintf(r->url, sizeof(r->url), "%s", value_of(m, FIELD_URL));
  r->forbidden = strcmp(value_of(m, FIELD_FORBIDDEN), "1") == 0;
  if (strcmp(values[FIELD_STATUS], "completed") == 0 && (!r->completed_at || w.now < r->completed_at))
    r->completed_at = w.now;
  if (!r->first_seen_at || w.now < r->first_seen_at) r->first_seen_at = w.now;
  struct fate after = fate_of(m);
  struct recording_event event = {.kind = after.event, .error = after.error};
  bool same = before.is_known == after.is_known && before.event == after.event && before.error == after.error;
  if (after.is_known && !same) (void)model_apply(m, &event);
  if (r->status == RECORDING_MISSING)
    (void)snprintf(r->error_code, sizeof(r->error_code), "%s",
                   recording_still_being_made(r) ? "not_yet_available" : "");
}

static void step_deliver(void) {
  static const char *const status_cache[] = {"in-progress", "processing", "completed", "completed",
                                             "completed",   "absent",     "deleted",   "failed"};
  struct model_row *m = &w.rows[roll(ROWS)];
  uint64_t which = roll(COUNT_OF(status_cache));
  struct delivery_rank rank = {.terminal = which >= 2,
                               .sequence = (int64_t)roll(4),
                               .timestamp_ms = (int64_t)roll(3),
                               .status_order = (int)which};
  const char *values[FIELD_COUNT] = {status_cache[which], NULL, NULL, NULL};
  if (which >= 2 && which < 5) {
    bool forbidden = roll(5) == 0;
    values[FIELD_URL] = forbidden ? "https://elsewhere.example/RE" : "https://api.example/RE";
    values[FIELD_FORBIDDEN] = forbidden ? "1" : "0";
  }
  if (which == 5 && roll(2)) values[FIELD_ERROR] = roll(2) ? "16101" : "16102";
  static struct delivery d;
  d = (struct delivery){.business_id = m->row.business_id, .recording_sid = sid_of(m), .received_ms = w.now};
  d.recording.rank = rank;
  for (int i = 0; i < FIELD_COUNT; i++)
    if (values[i])
      d.recording.fields[d.recording.count++] = (struct delivery_field){str_from(field_names[i]), str_from(values[i])};
  struct intake_result result;
  REQUIRE_OK(intake_run(w.db, &d, w.now, &result));
  bool was_known = m->is_known;
  model_deliver(m, &rank, values);
  REQUIRE(was_known || result.recording_changed);
  compare_row(m);
}

static void step_time(void) {
  switch (roll(1000)) {
    case 0:
      w.now += 24 * 60 * 60 * 1000; /* an operator sets the clock */
      break;
    case 1:
      w.now -= 24 * 60 * 60 * 1000;
      break;
    case 2:
    case 3:
    case 4:
      w.now += (int64_t)roll(30 * 60 * 1000);
      break;
    default:
      w.now += (int64_t)roll(8000);
  }
}

/* ---- the walk ---- */

static void walk_begin(struct db *db) {
  const char *seed = getenv("CALLREEL_MODEL_SEED");
  memset(&w, 0, sizeof(w));
  w.db = db;
  w.seed = seed ? strtoull(seed, NULL, 10) : 20261121;
  w.state = w.seed * 2 + 1;
  w.now = SCRATCH_NOW;
  for (int b = 0; b < BUSINESSES; b++) assert_int_equal(scratch_business(db, "one"), b + 1);
  for (int i = 0; i < ROWS; i++) {
    struct recording *r = &w.rows[i].row;
    r->business_id = i / SIDS + 1;
    (void)snprintf(r->recording_sid, sizeof(r->recording_sid), "RE%d", i % SIDS); /* the same SIDs in each business */
    r->rank = RECORDING_RANK_REST;
    r->announced_bytes = r->duration_ms = -1;
  }
  for (int i = 0; i < WORKERS; i++) w.workers[i].held = -1;
}

static void the_database_walks_as_the_model_does(void **state) {
  static void (*const kinds[])(void) = {step_want,   step_want,   step_claim,  step_claim,   step_claim, step_report,
                                        step_report, step_report, step_report, step_deliver, step_time,  step_time,
                                        step_tend,   step_file,   step_check,  step_expire};
  const char *wanted = getenv("CALLREEL_MODEL_STEPS");
  int steps = wanted ? (int)strtol(wanted, NULL, 10) : STEPS;
  struct db *db = scratch_ledger(*state);
  walk_begin(db);
  for (w.step = 0; w.step < steps; w.step++) {
    if (w.step % COMMIT_EVERY == 0) {
      if (w.step) assert_int_equal(db_commit(db), OK);
      compare_all();
      assert_int_equal(db_begin_immediate(db), OK);
      assert_int_equal(db_run(db, "delete from changes"), OK);
    }
    if (roll(500) == 0)
      step_retry_all();
    else
      kinds[roll(COUNT_OF(kinds))]();
  }
  assert_int_equal(db_commit(db), OK);
  compare_all();
  print_message("# %d steps, %d claims, %d checks, %d times ready, %d expired\n", steps, w.claims, w.checks, w.readies,
                w.expired);
  assert_true(w.claims > steps / 50 && w.checks > steps / 1000 && w.readies > steps / 200 && w.expired > 0);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(the_database_walks_as_the_model_does)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
