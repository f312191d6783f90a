#include "recording_rules.h"

#include <stdio.h>

#include "db/db_clock.h"
#include "domain/backoff.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, MINUTE_MS = 60 * 1000, TOKEN = 7 };
#define NOW INT64_C(1790000000000)

static const struct recording_file a_file = {.name = {"1/2026/11/CA1.RE1.mp3", 21},
                                             .bytes = 4000,
                                             .content_type = {"audio/mpeg", 10},
                                             .etag = {"\"e\"", 3},
                                             .modified_at = NOW,
                                             .duration_ms = 1500,
                                             .channels = 1};

/* The simplest row with that status, first seen a moment ago. */
static struct recording plain(enum recording_status status) {
  struct recording r = {.business_id = 1, .recording_sid = "RE1", .call_sid = "CA1", .status = status};
  r.rank = RECORDING_RANK_REST;
  r.announced_bytes = r.duration_ms = -1;
  r.first_seen_at = r.completed_at = NOW - MINUTE_MS;
  r.lease_token = TOKEN;
  r.version = 1;
  if (status == RECORDING_READY) {
    memcpy(r.name, a_file.name.p, a_file.name.n);
    r.bytes = 4000;
  }
  if (status == RECORDING_DOWNLOADING) {
    memcpy(r.lease_owner, "w", 1);
    r.lease_until = NOW + 1000;
  }
  if (status == RECORDING_EXPIRED) {
    memcpy(r.expire_reason, "deleted", 7);
    r.expired_at = NOW - 1000;
  }
  if (status == RECORDING_FAILED) memcpy(r.error_code, "provider_error", 14);
  return r;
}

static struct recording leased(enum recording_status status) {
  struct recording r = plain(status);
  memcpy(r.lease_owner, "w", 1);
  r.lease_until = NOW + 1000;
  return r;
}

static struct recording_event event_of(enum recording_event_kind kind) {
  return (struct recording_event){.kind = kind,
                                  .token = TOKEN,
                                  .owner = {"w", 1},
                                  .stem = {"1/2026/11/CA1.RE1", 17},
                                  .reason = "retention",
                                  .error = RECORDING_PROVIDER_ERROR,
                                  .jitter = UINT32_MAX / 2,
                                  .announced_bytes = -1,
                                  .file = a_file};
}

/* ---- the table, once more, as text ---- */

struct line {
  enum recording_event_kind event;
  unsigned from;
  bool stays;
  int to; /* status, or reason when it stays */
  const char *text;
};
static const struct line lines[] = {
#define MISSING (1u << RECORDING_MISSING)
#define QUEUED (1u << RECORDING_QUEUED)
#define DOWNLOADING (1u << RECORDING_DOWNLOADING)
#define READY (1u << RECORDING_READY)
#define FAILED (1u << RECORDING_FAILED)
#define EXPIRED (1u << RECORDING_EXPIRED)
#define MOVE(event_, from_, question, to_, change) \
  {RECORDING_##event_, (from_), false, RECORDING_##to_, #event_ " " #from_ " " #question},
#define STAY(event_, from_, question, reason) \
  {RECORDING_##event_, (from_), true, RECORDING_SKIP_##reason, #event_ " " #from_ " " #question},
#include "domain/recording.def"
#undef MOVE
#undef STAY
#undef MISSING
#undef QUEUED
#undef DOWNLOADING
#undef READY
#undef FAILED
#undef EXPIRED
};
static bool seen[COUNT_OF(lines)];

/* ---- one case a line of recording.def, or more ---- */

struct step {
  const char *name;
  enum recording_event_kind event;
  enum recording_status from;
  void (*before)(struct recording *row, struct recording_event *event);
  bool moves;
  enum recording_status to;
  enum recording_skip skip;
};

#define BEFORE(name) static void name(struct recording *row, struct recording_event *event)
#define UNUSED ((void)row, (void)event)

BEFORE(wanted_now) {
  UNUSED;
  row->wanted_at = NOW - 1000;
  row->rank = RECORDING_RANK_PLAY;
}
BEFORE(wanted_long_ago) {
  UNUSED;
  row->wanted_at = NOW - RECORDING_PLAY_REPEAT_MS;
  row->rank = RECORDING_RANK_PLAY;
}
BEFORE(wanted_ahead) {
  UNUSED;
  row->wanted_at = NOW + DAY_MS;
  row->rank = RECORDING_RANK_PLAY;
}
BEFORE(ranked_new) {
  UNUSED;
  row->rank = RECORDING_RANK_NEW;
}
BEFORE(permanent) {
  UNUSED;
  row->permanent = true;
}
BEFORE(backing_off) {
  UNUSED;
  row->next_retry_at = NOW + 1;
}
BEFORE(back_off_over) {
  UNUSED;
  row->next_retry_at = NOW;
}
BEFORE(back_off_jumped) {
  UNUSED;
  row->next_retry_at = NOW + RECORDING_BACKOFF_CAP_MS + DB_CLOCK_SLACK_MS + 1;
}
BEFORE(cooling) {
  UNUSED;
  row->last_enqueue_at = NOW - RECORDING_COOLDOWN_MS + 1;
}
BEFORE(cooled) {
  UNUSED;
  row->last_enqueue_at = NOW - RECORDING_COOLDOWN_MS;
}
BEFORE(asked_later) {
  UNUSED;
  row->next_ask_at = NOW + 1;
}
BEFORE(check_asked_later) {
  asked_later(row, event);
  row->file_seen_at = NOW - 1;
  event->is_check = true;
}
BEFORE(with_lease) {
  UNUSED;
  memcpy(row->lease_owner, "w", 1);
  row->lease_until = NOW + 1000;
}
BEFORE(lease_over) {
  UNUSED;
  memcpy(row->lease_owner, "w", 1);
  row->lease_until = NOW;
}
BEFORE(lease_jumped) {
  UNUSED;
  memcpy(row->lease_owner, "w", 1);
  row->lease_until = NOW + RECORDING_LEASE_MS + DB_CLOCK_SLACK_MS + 1;
}
BEFORE(leased_by_a_clock_ahead) {
  UNUSED;
  memcpy(row->lease_owner, "w", 1);
  row->lease_until = NOW + RECORDING_LEASE_MS + DB_CLOCK_SLACK_MS;
}
BEFORE(other_token) {
  with_lease(row, event);
  event->token = TOKEN - 1;
}
BEFORE(other_token_anywhere) {
  UNUSED;
  event->token = TOKEN - 1;
}
BEFORE(in_progress) {
  with_lease(row, event);
  memcpy(row->provider_status, "in-progress", 11);
}
BEFORE(old) {
  with_lease(row, event);
  row->completed_at = row->first_seen_at = NOW - DAY_MS - 1;
}
BEFORE(three_crashes) {
  lease_over(row, event);
  row->crashes = 3;
}
BEFORE(three_returns) {
  with_lease(row, event);
  row->crashes = 3;
}
BEFORE(file_seen) {
  UNUSED;
  row->file_seen_at = NOW - 1;
}
BEFORE(not_the_holder) {
  with_lease(row, event);
  event->token = 0;
}
BEFORE(held) {
  UNUSED;
  event->is_held = true;
}
BEFORE(retried_thrice) {
  UNUSED;
  for (int i = 0; i < 3; i++) row->retried[i] = NOW - 1000 * (i + 1);
}
BEFORE(retried_thrice_long_ago) {
  retried_thrice(row, event);
  row->retried[2] = NOW - RECORDING_RETRY_WINDOW_MS;
}
BEFORE(auth_failed) {
  UNUSED;
  memcpy(row->error_code, "auth_failed\0\0\0", 15);
}

BEFORE(auth_failed_alone) {
  auth_failed(row, event);
  backing_off(row, event);
}

BEFORE(absent) {
  UNUSED;
  row->permanent = true;
  (void)snprintf(row->error_code, sizeof(row->error_code), "absent_silent");
}

BEFORE(absent_forced) {
  absent(row, event);
  event->forced = true;
}
BEFORE(absent_and_leased) {
  with_lease(row, event);
  (void)snprintf(row->error_code, sizeof(row->error_code), "absent_silent");
}

#define STAYS(event, from, before, why) \
  { #event " " #from " " #before, RECORDING_##event, RECORDING_##from, before, false, 0, RECORDING_SKIP_##why }
#define MOVES(event, from, before, to) \
  { #event " " #from " " #before, RECORDING_##event, RECORDING_##from, before, true, RECORDING_##to, 0 }

static const struct step steps[] = {
    STAYS(PLAY, READY, NULL, READY),
    STAYS(PLAY, EXPIRED, NULL, EXPIRED),
    STAYS(PLAY, DOWNLOADING, wanted_now, ALREADY_QUEUED),
    MOVES(PLAY, DOWNLOADING, wanted_long_ago, DOWNLOADING),
    MOVES(PLAY, DOWNLOADING, wanted_ahead, DOWNLOADING),
    STAYS(PLAY, QUEUED, wanted_now, ALREADY_QUEUED),
    MOVES(PLAY, QUEUED, NULL, QUEUED),
    STAYS(PLAY, FAILED, permanent, PERMANENT),
    MOVES(PLAY, FAILED, auth_failed, QUEUED),
    STAYS(PLAY, FAILED, backing_off, BACKOFF),
    STAYS(PLAY, FAILED, NULL, BACKOFF),
    MOVES(PLAY, FAILED, back_off_over, QUEUED),
    MOVES(PLAY, FAILED, back_off_jumped, QUEUED),
    STAYS(PLAY, MISSING, cooling, COOLDOWN),
    MOVES(PLAY, MISSING, cooled, QUEUED),
    MOVES(PLAY, MISSING, NULL, QUEUED),
    STAYS(PREPARE, READY, NULL, READY),
    STAYS(PREPARE, EXPIRED, NULL, EXPIRED),
    STAYS(PREPARE, DOWNLOADING, NULL, ALREADY_QUEUED),
    STAYS(PREPARE, QUEUED, ranked_new, ALREADY_QUEUED),
    STAYS(PREPARE, QUEUED, wanted_now, ALREADY_QUEUED),
    MOVES(PREPARE, QUEUED, NULL, QUEUED),
    STAYS(PREPARE, FAILED, permanent, PERMANENT),
    STAYS(PREPARE, FAILED, backing_off, BACKOFF),
    MOVES(PREPARE, FAILED, back_off_over, QUEUED),
    STAYS(PREPARE, MISSING, cooling, COOLDOWN),
    MOVES(PREPARE, MISSING, cooled, QUEUED),
    MOVES(COMPLETED, MISSING, cooling, QUEUED),
    MOVES(COMPLETED, FAILED, permanent, QUEUED),
    STAYS(COMPLETED, READY, NULL, NOTHING),
    STAYS(COMPLETED, QUEUED, NULL, NOTHING),
    MOVES(REFUSED, MISSING, NULL, FAILED),
    MOVES(REFUSED, FAILED, NULL, FAILED),
    MOVES(REFUSED, QUEUED, with_lease, FAILED),
    STAYS(REFUSED, DOWNLOADING, NULL, NOTHING),
    STAYS(REFUSED, READY, NULL, NOTHING),
    MOVES(RETRY_DUE, FAILED, back_off_over, QUEUED),
    STAYS(RETRY_DUE, FAILED, backing_off, NOTHING),
    STAYS(RETRY_DUE, FAILED, permanent, NOTHING),
    STAYS(RETRY_DUE, FAILED, NULL, NOTHING),
    MOVES(CLAIM, QUEUED, NULL, QUEUED),
    STAYS(CLAIM, QUEUED, with_lease, NOTHING),
    MOVES(CLAIM, QUEUED, lease_jumped, QUEUED),
    STAYS(CLAIM, QUEUED, asked_later, NOTHING),
    STAYS(RENEW, MISSING, NULL, LEASE_LOST),
    STAYS(RENEW, READY, NULL, LEASE_LOST),
    STAYS(RENEW, QUEUED, other_token, LEASE_LOST),
    STAYS(RENEW, DOWNLOADING, lease_over, LEASE_LOST),
    STAYS(RENEW, DOWNLOADING, lease_jumped, LEASE_LOST),
    MOVES(RENEW, DOWNLOADING, leased_by_a_clock_ahead, DOWNLOADING),
    MOVES(RENEW, QUEUED, with_lease, QUEUED),
    MOVES(RENEW, DOWNLOADING, NULL, DOWNLOADING),
    STAYS(ANSWERED, QUEUED, NULL, LEASE_LOST),
    MOVES(ANSWERED, QUEUED, with_lease, DOWNLOADING),
    STAYS(NEW_TOKEN, DOWNLOADING, other_token, LEASE_LOST),
    MOVES(NEW_TOKEN, DOWNLOADING, NULL, DOWNLOADING),
    STAYS(NOT_FOUND, QUEUED, other_token, LEASE_LOST),
    MOVES(NOT_FOUND, QUEUED, in_progress, MISSING),
    MOVES(NOT_FOUND, QUEUED, with_lease, QUEUED),
    MOVES(NOT_FOUND, QUEUED, old, FAILED),
    STAYS(FAILURE, DOWNLOADING, other_token_anywhere, LEASE_LOST),
    MOVES(FAILURE, DOWNLOADING, NULL, FAILED),
    STAYS(COMPLETE, DOWNLOADING, lease_over, LEASE_LOST),
    MOVES(COMPLETE, DOWNLOADING, NULL, READY),
    MOVES(COMPLETE, QUEUED, with_lease, READY),
    STAYS(RELEASED, DOWNLOADING, other_token_anywhere, LEASE_LOST),
    MOVES(RELEASED, DOWNLOADING, three_returns, FAILED),
    MOVES(RELEASED, DOWNLOADING, NULL, QUEUED),
    STAYS(LEASE_EXPIRED, QUEUED, NULL, NOTHING),
    STAYS(LEASE_EXPIRED, DOWNLOADING, NULL, ALREADY_QUEUED),
    MOVES(LEASE_EXPIRED, DOWNLOADING, three_crashes, FAILED),
    MOVES(LEASE_EXPIRED, DOWNLOADING, lease_over, QUEUED),
    MOVES(LEASE_EXPIRED, QUEUED, lease_jumped, QUEUED),
    STAYS(LEASE_EXPIRED, QUEUED, leased_by_a_clock_ahead, ALREADY_QUEUED),
    STAYS(FOUND, QUEUED, not_the_holder, ALREADY_QUEUED),
    STAYS(FOUND, DOWNLOADING, not_the_holder, ALREADY_QUEUED),
    MOVES(FOUND, QUEUED, NULL, READY),
    MOVES(FOUND, MISSING, NULL, READY),
    MOVES(FOUND, FAILED, permanent, READY),
    MOVES(FOUND, DOWNLOADING, NULL, READY),
    STAYS(FOUND, EXPIRED, NULL, NOTHING),
    MOVES(FILE_SEEN, FAILED, backing_off, QUEUED),
    MOVES(FILE_SEEN, FAILED, permanent, QUEUED),
    STAYS(FILE_SEEN, QUEUED, with_lease, NOTHING),
    MOVES(FILE_SEEN, QUEUED, NULL, QUEUED),
    STAYS(FILE_SEEN, QUEUED, file_seen, NOTHING),
    MOVES(FILE_SEEN, QUEUED, asked_later, QUEUED),
    MOVES(FILE_WRONG, QUEUED, with_lease, QUEUED),
    MOVES(CLAIM, QUEUED, check_asked_later, QUEUED),
    STAYS(FILE_WRONG, QUEUED, not_the_holder, LEASE_LOST),
    STAYS(FILE_WRONG, READY, NULL, NOTHING),
    STAYS(FILE_SEEN, READY, NULL, NOTHING),
    MOVES(FILE_GONE, READY, NULL, MISSING),
    STAYS(FILE_GONE, QUEUED, NULL, NOTHING),
    STAYS(EXPIRE, EXPIRED, NULL, EXPIRED),
    STAYS(EXPIRE, EXPIRED, held, EXPIRED),
    STAYS(EXPIRE, READY, held, HELD),
    STAYS(EXPIRE, DOWNLOADING, held, HELD),
    MOVES(EXPIRE, MISSING, NULL, EXPIRED),
    MOVES(EXPIRE, QUEUED, with_lease, EXPIRED),
    MOVES(EXPIRE, DOWNLOADING, NULL, EXPIRED),
    MOVES(EXPIRE, READY, NULL, EXPIRED),
    MOVES(EXPIRE, FAILED, permanent, EXPIRED),
    STAYS(PERSON_RETRY, READY, NULL, READY),
    STAYS(PERSON_RETRY, EXPIRED, NULL, EXPIRED),
    STAYS(PERSON_RETRY, QUEUED, NULL, ALREADY_QUEUED),
    STAYS(PERSON_RETRY, FAILED, retried_thrice, TOO_OFTEN),
    MOVES(PERSON_RETRY, FAILED, retried_thrice_long_ago, QUEUED),
    MOVES(PERSON_RETRY, FAILED, permanent, QUEUED),
    MOVES(PERSON_RETRY, MISSING, cooling, QUEUED),
    STAYS(PERSON_RETRY, FAILED, absent, PERMANENT),
    MOVES(PERSON_RETRY, FAILED, absent_forced, QUEUED),
    MOVES(NOT_FOUND, QUEUED, absent_and_leased, FAILED),
    STAYS(RETRY_ALL, FAILED, absent, PERMANENT),
    MOVES(RETRY_ALL, FAILED, absent_forced, QUEUED),
    MOVES(RETRY_ALL, FAILED, permanent, QUEUED),
    STAYS(PLAY, FAILED, auth_failed_alone, BACKOFF),
    MOVES(ACCOUNT_STOPPED, FAILED, auth_failed_alone, FAILED),
    STAYS(ACCOUNT_STOPPED, FAILED, auth_failed, NOTHING),
    MOVES(CREDENTIALS, FAILED, auth_failed_alone, QUEUED),
    MOVES(CREDENTIALS, FAILED, auth_failed, QUEUED),
    STAYS(CREDENTIALS, FAILED, NULL, NOTHING),
};

static void note_line(const struct step *s) {
  int to = s->moves ? (int)s->to : (int)s->skip;
  for (size_t i = 0; i < COUNT_OF(lines); i++)
    if (lines[i].event == s->event && lines[i].from & (1u << s->from) && lines[i].stays == !s->moves &&
        lines[i].to == to)
      seen[i] = true;
}

static void every_line_of_recording_def_moves_or_stays_as_it_says(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    const struct step *s = &steps[i];
    struct recording row = plain(s->from), next;
    struct recording_event event = event_of(s->event);
    if (s->before) s->before(&row, &event);
    struct recording_outcome outcome = recording_apply(&row, &event, NOW, &next);
    enum recording_status to = s->moves ? s->to : s->from;
    if (outcome.moved != s->moves || next.status != to || (!s->moves && outcome.skip != s->skip))
      fail_msg("%s: moved %d to %s, %s", s->name, outcome.moved, recording_status_name(next.status),
               recording_skip_name(outcome.skip));
    rules_check_move(&row, &event, &outcome, &next, NOW);
    note_line(s);
  }
  for (size_t i = 0; i < COUNT_OF(lines); i++)
    if (!seen[i]) fail_msg("no case for: %s", lines[i].text);
}

static void every_event_in_every_state_keeps_the_rules(void **state) {
  (void)state;
  for (int kind = 0; kind < RECORDING_EVENT_COUNT_; kind++) {
    for (int status = 0; status < RECORDING_STATUS_COUNT_; status++) {
      bool has_line = false;
      for (size_t i = 0; i < COUNT_OF(lines); i++)
        has_line = has_line || ((int)lines[i].event == kind && lines[i].from & (1u << status));
      for (int with = 0; with < 2; with++) {
        bool can_lease = status == RECORDING_QUEUED || status == RECORDING_DOWNLOADING;
        struct recording row =
            with && can_lease ? leased((enum recording_status)status) : plain((enum recording_status)status);
        struct recording_event event = event_of((enum recording_event_kind)kind);
        struct recording next;
        struct recording_outcome outcome = recording_apply(&row, &event, NOW, &next);
        rules_check_move(&row, &event, &outcome, &next, NOW);
        if (!has_line) assert_false(outcome.moved);
      }
    }
  }
}

/* ---- times and counts ---- */

static void back_off_doubles_from_30_s_to_20_min_give_or_take_a_fifth(void **state) {
  (void)state;
  static const int64_t middle_s[] = {30, 60, 120, 240, 480, 960, 1200, 1200};
  for (size_t i = 0; i < COUNT_OF(middle_s); i++) {
    int64_t n = (int64_t)i + 1, middle = middle_s[i] * 1000, least = middle * 4 / 5, most = middle * 6 / 5;
    if (most > RECORDING_BACKOFF_CAP_MS) most = RECORDING_BACKOFF_CAP_MS;
    assert_int_equal(backoff_ms(n, 0), least);
    assert_int_equal(backoff_ms(n, UINT32_MAX), most);
    assert_in_range(backoff_ms(n, UINT32_MAX / 3), least, most);
  }
  assert_int_equal(backoff_ms(INT64_MAX, UINT32_MAX), RECORDING_BACKOFF_CAP_MS);
}

static void not_yet_is_asked_after_growing_times(void **state) {
  (void)state;
  static const int64_t steps_s[] = {1, 2, 3, 5, 8, 8, 60};
  struct recording row = leased(RECORDING_QUEUED), next;
  int64_t now = NOW;
  for (size_t i = 0; i < COUNT_OF(steps_s); i++) {
    struct recording_event event = event_of(RECORDING_NOT_FOUND);
    event.token = row.lease_token;
    assert_true(recording_apply(&row, &event, now, &next).moved);
    assert_int_equal(next.next_ask_at - now, steps_s[i] * 1000);
    assert_string_equal(next.error_code, "not_yet_available");
    assert_int_equal(next.fail_count, 0);
    now = next.next_ask_at;
    event = event_of(RECORDING_CLAIM);
    assert_true(recording_apply(&next, &event, now, &row).moved);
  }
}

static void a_404_is_not_yet_for_10_min_after_the_end_and_5_min_after_the_first(void **state) {
  (void)state;
  static const struct {
    int64_t ended_ago, first_404_ago;
    bool not_yet;
  } cases[] = {{0, 0, true},
               {10 * MINUTE_MS - 1, 0, true},
               {10 * MINUTE_MS, 0, false},
               {9 * MINUTE_MS, 5 * MINUTE_MS - 1, true},
               {9 * MINUTE_MS, 5 * MINUTE_MS, false}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = plain(RECORDING_QUEUED);
    row.started_at = NOW - cases[i].ended_ago - 60000;
    row.provider_duration_s = 60;
    row.first_404_at = cases[i].first_404_ago ? NOW - cases[i].first_404_ago : 0;
    assert_int_equal(recording_not_yet(&row, NOW), cases[i].not_yet);
  }
}

static void each_crash_in_a_row_from_the_fourth_on_is_a_failure(void **state) {
  (void)state;
  struct recording row = leased(RECORDING_DOWNLOADING), next;
  row.crashes = row.fail_count = 0;
  for (int crash = 1; crash <= 6; crash++) {
    struct recording_event event = event_of(RECORDING_RELEASED);
    event.token = row.lease_token;
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_int_equal(next.status, crash < 4 ? RECORDING_QUEUED : RECORDING_FAILED);
    assert_int_equal(next.fail_count, crash < 4 ? 0 : crash - 3);
    if (next.status == RECORDING_FAILED) {
      row = next;
      row.next_retry_at = NOW;
      event = event_of(RECORDING_RETRY_DUE);
      assert_true(recording_apply(&row, &event, NOW, &next).moved);
    }
    event = event_of(RECORDING_CLAIM);
    assert_true(recording_apply(&next, &event, NOW, &row).moved);
  }
}

static void a_missing_file_keeps_its_length_in_the_row(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_READY), next;
  struct recording_event event = event_of(RECORDING_FILE_GONE);
  row.bytes = 4000;
  assert_true(recording_apply(&row, &event, NOW, &next).moved);
  assert_int_equal(next.bytes, 4000);
}

/* The row after a fill that reported n bytes ended by an event; for its validators. */
static struct recording after_arrival(enum recording_event_kind end, int64_t n) {
  struct recording row = leased(RECORDING_DOWNLOADING), next;
  struct recording_event event = event_of(end);
  event.token = row.lease_token;
  row.received_bytes = n;
  row.announced_bytes = 4000;
  (void)snprintf(row.etag, sizeof(row.etag), "\"known\"");
  if (end == RECORDING_LEASE_EXPIRED) row.lease_until = NOW;
  assert_true(recording_apply(&row, &event, NOW, &next).moved);
  assert_int_equal(next.received_bytes, 0);
  return next;
}

static void validators_outlive_a_dead_worker_only(void **state) {
  (void)state;
  const enum recording_event_kind dies[] = {RECORDING_LEASE_EXPIRED, RECORDING_RELEASED};
  for (size_t i = 0; i < COUNT_OF(dies); i++) {
    struct recording row = after_arrival(dies[i], 1200), next;
    struct recording_event event = event_of(RECORDING_CLAIM);
    assert_string_equal(row.etag, "\"known\"");
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_string_equal(next.etag, "\"known\"");
    assert_int_equal(next.announced_bytes, 4000);
    row = after_arrival(dies[i], 0); /* no listener got a byte of this fill, so its validators are cleared */
    assert_string_equal(row.etag, "");
    assert_int_equal(row.announced_bytes, -1);
  }
  assert_string_equal(after_arrival(RECORDING_NEW_TOKEN, 1200).etag, "");
}

static struct recording after_failure(const struct recording *row, enum recording_error error) {
  struct recording_event event = event_of(RECORDING_FAILURE);
  event.error = error;
  struct recording next;
  assert_true(recording_apply(row, &event, NOW, &next).moved);
  return next;
}

static void each_error_is_permanent_when_its_class_says_so(void **state) {
  (void)state;
  for (int e = RECORDING_NONE + 1; e < RECORDING_ERROR_COUNT_; e++) {
    enum recording_error_class class = recording_error_class((enum recording_error)e);
    if (class == RECORDING_CLASS_WAIT) continue;
    for (int64_t n = 1; n <= 12; n++) {
      struct recording row = leased(RECORDING_DOWNLOADING);
      row.fail_count = n - 1;
      struct recording next = after_failure(&row, (enum recording_error)e);
      bool permanent = class == RECORDING_CLASS_FINAL || (class == RECORDING_CLASS_EIGHTH && n >= 8);
      assert_int_equal(next.permanent, permanent);
      assert_int_equal(next.next_retry_at != 0, !permanent && class != RECORDING_CLASS_ACCOUNT);
      assert_int_equal(next.fail_count, n);
    }
  }
}

static void not_found_is_permanent_at_once_when_older_than_a_day(void **state) {
  (void)state;
  for (int older = 0; older < 2; older++) {
    struct recording row = leased(RECORDING_QUEUED), next;
    row.completed_at = row.first_seen_at = NOW - DAY_MS - older;
    struct recording_event event = event_of(RECORDING_NOT_FOUND);
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_string_equal(next.error_code, "not_found_at_provider");
    assert_int_equal(next.permanent, older);
  }
}

static void a_retry_after_of_the_provider_counts_up_to_the_cap(void **state) {
  (void)state;
  static const struct { int64_t asked_s, waits_s; } cases[] = {{100, 100}, {86400, 1200}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct recording row = leased(RECORDING_QUEUED), next;
    struct recording_event event = event_of(RECORDING_FAILURE);
    event.error = RECORDING_RATE_LIMITED;
    event.retry_after_ms = cases[i].asked_s * 1000;
    assert_true(recording_apply(&row, &event, NOW, &next).moved);
    assert_int_equal(next.next_retry_at - NOW, cases[i].waits_s * 1000);
  }
}

static void the_fourth_crash_in_a_row_is_a_failure(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_QUEUED), next;
  int64_t now = NOW;
  for (int crash = 1; crash <= 4; crash++) {
    struct recording_event event = event_of(RECORDING_CLAIM);
    assert_true(recording_apply(&row, &event, now, &next).moved);
    now = next.lease_until;
    event = event_of(RECORDING_LEASE_EXPIRED);
    assert_true(recording_apply(&next, &event, now, &row).moved);
    assert_int_equal(row.status, crash < 4 ? RECORDING_QUEUED : RECORDING_FAILED);
    assert_int_equal(row.fail_count, crash < 4 ? 0 : 1);
  }
}

static void a_person_retries_three_times_in_ten_minutes(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_FAILED), next;
  struct recording_event event = event_of(RECORDING_PERSON_RETRY);
  for (int n = 0; n < 4; n++) {
    struct recording_outcome outcome = recording_apply(&row, &event, NOW + n * 1000, &next);
    assert_int_equal(outcome.moved, n < 3);
    if (n == 3) assert_int_equal(outcome.skip, RECORDING_SKIP_TOO_OFTEN);
    row = next;
    row.status = RECORDING_FAILED;
  }
  assert_true(recording_apply(&row, &event, NOW + RECORDING_RETRY_WINDOW_MS, &next).moved);
}

static void formats_are_tried_on_404_from_the_third_ask(void **state) {
  (void)state;
  for (int64_t before = 0; before < 4; before++) {
    struct recording row = {.not_found_count = before};
    assert_int_equal(recording_tries_formats_on_404(&row, 3), before >= 2);
  }
}

static void the_first_five_minutes_of_404_see_at_most_20_requests(void **state) {
  (void)state;
  for (size_t formats = 1; formats <= 8; formats++) {
    struct recording row = {.not_found_count = 0};
    size_t requests = 0;
    for (int64_t at_ms = 0; at_ms < 5 * 60 * 1000; at_ms += backoff_not_yet_ms(row.not_found_count)) {
      requests += recording_tries_formats_on_404(&row, formats) ? formats : 1;
      row.not_found_count++;
    }
    assert_in_range(requests, 8, 20);
    assert_true(recording_tries_formats_on_404(&row, formats));
  }
}

static void a_completed_webhook_clears_count_and_back_off(void **state) {
  (void)state;
  struct recording row = plain(RECORDING_FAILED), next;
  row.fail_count = 9;
  row.permanent = true;
  row.not_found_count = 4;
  row.first_404_at = row.failed_at = row.last_enqueue_at = NOW - 1;
  struct recording_event event = event_of(RECORDING_COMPLETED);
  assert_true(recording_apply(&row, &event, NOW, &next).enqueued);
  assert_int_equal(next.fail_count, 0);
  assert_int_equal(next.not_found_count, 0);
  assert_int_equal(next.first_404_at, 0);
  assert_int_equal(next.rank, RECORDING_RANK_NEW);
}

static void a_stem_starts_with_business_year_and_month(void **state) {
  (void)state;
  char stem[RECORDING_NAME_SIZE];
  struct recording row = plain(RECORDING_QUEUED);
  row.first_seen_at = INT64_C(1767225599999); /* the last moment of 2025 */
  assert_int_equal(recording_stem(&row, 0, stem), OK);
  assert_string_equal(stem, "1/2025/12/CA1.RE1");
  assert_int_equal(recording_stem(&row, row.first_seen_at + 1, stem), OK);
  assert_string_equal(stem, "1/2026/01/CA1.RE1");
  row.call_sid[0] = '\0';
  assert_int_equal(recording_stem(&row, 0, stem), OK);
  assert_string_equal(stem, "1/2025/12/RE1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_line_of_recording_def_moves_or_stays_as_it_says),
      cmocka_unit_test(every_event_in_every_state_keeps_the_rules),
      cmocka_unit_test(back_off_doubles_from_30_s_to_20_min_give_or_take_a_fifth),
      cmocka_unit_test(not_yet_is_asked_after_growing_times),
      cmocka_unit_test(a_404_is_not_yet_for_10_min_after_the_end_and_5_min_after_the_first),
      cmocka_unit_test(each_crash_in_a_row_from_the_fourth_on_is_a_failure),
      cmocka_unit_test(a_missing_file_keeps_its_length_in_the_row),
      cmocka_unit_test(validators_outlive_a_dead_worker_only),
      cmocka_unit_test(each_error_is_permanent_when_its_class_says_so),
      cmocka_unit_test(not_found_is_permanent_at_once_when_older_than_a_day),
      cmocka_unit_test(a_retry_after_of_the_provider_counts_up_to_the_cap),
      cmocka_unit_test(the_fourth_crash_in_a_row_is_a_failure),
      cmocka_unit_test(a_person_retries_three_times_in_ten_minutes),
      cmocka_unit_test(formats_are_tried_on_404_from_the_third_ask),
      cmocka_unit_test(the_first_five_minutes_of_404_see_at_most_20_requests),
      cmocka_unit_test(a_completed_webhook_clears_count_and_back_off),
      cmocka_unit_test(a_stem_starts_with_business_year_and_month),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
