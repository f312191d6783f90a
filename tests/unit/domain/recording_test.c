#include "recording_rows.h"

#include <stdio.h>

#include "db/db_clock.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_line_of_recording_def_moves_or_stays_as_it_says),
      cmocka_unit_test(every_event_in_every_state_keeps_the_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
