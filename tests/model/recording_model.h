/* recording_model.h - the rows, accounts and workers that recording_model_test.c keeps beside the database: what they are, how
 * they are compared with it, and what the queue and the accounts make of an event. */
#pragma once

#include "../unit/domain/domain_scratch.h"
#include "../unit/domain/recording_rules.h"

#include "db/db_clock.h"
#include "domain/backoff.h"
#include "domain/enqueue.h"
#include "domain/removal.h"
#include "ledger/accounts.h"
#include "ledger/holds.h"

enum { BUSINESSES = 3, SIDS = 5, ROWS = BUSINESSES * SIDS, WORKERS = 6, STEPS = 200000, COMMIT_EVERY = 2000 };

/* One ranked field, and the fields that decide a recording's disposition. */
struct model_field {
  bool is_known;
  struct delivery_rank rank;
  const char *value;
};
enum { FIELD_STATUS, FIELD_URL, FIELD_FORBIDDEN, FIELD_ERROR, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {RECORDING_FIELD_STATUS, RECORDING_FIELD_URL,
                                                     RECORDING_FIELD_FORBIDDEN, RECORDING_FIELD_ERROR};

struct model_row {
  struct recording row;
  bool is_known;
  int place; /* in order of insertion, for equal times */
  struct model_field fields[FIELD_COUNT];
};
struct model_account {
  int64_t auth_failed_at, auth_trial_at, error_streak, last_claim_at;
  bool is_good;              /* a fill succeeded with its credentials */
  struct model_row *suspect; /* refused last, since when no fill succeeded */
};
struct model_worker {
  int held; /* index of a row; -1 none */
  int64_t token;
};

static struct {
  struct db *db;
  uint64_t seed, state;
  int64_t now;
  int step, inserted;
  struct model_row rows[ROWS]; /* by business, then SID */
  struct model_account accounts[BUSINESSES];
  struct model_worker workers[WORKERS];
  int claims, checks, readies, expired; /* to assert that the walk had some of each */
} w;

static const struct queue_limits limits = {.per_business = 2, .total = 4};

static uint64_t roll(uint64_t sides) {
  w.state ^= w.state << 13;
  w.state ^= w.state >> 7;
  w.state ^= w.state << 17;
  return w.state % sides;
}

#define REQUIRE(condition)                                                                               \
  do {                                                                                                   \
    if (!(condition)) fail_msg("seed %llu step %d: %s", (unsigned long long)w.seed, w.step, #condition); \
  } while (0)
#define REQUIRE_OK(expression) REQUIRE((expression) == OK)

static struct str sid_of(const struct model_row *m) {
  return str_from(m->row.recording_sid);
}

/* ---- comparing ---- */

#define TEXTS(X)     \
  X(recording_sid)   \
  X(call_sid)        \
  X(provider_status) \
  X(url)             \
  X(source)          \
  X(lease_owner)     \
  X(error_code)      \
  X(stem)            \
  X(name)            \
  X(content_type)    \
  X(etag)            \
  X(sha256)
#define NUMBERS(X)       \
  X(business_id)         \
  X(forbidden)           \
  X(provider_duration_s) \
  X(provider_channels)   \
  X(started_at)          \
  X(completed_at)        \
  X(first_seen_at)       \
  X(status)              \
  X(rank)                \
  X(enqueued_at)         \
  X(last_enqueue_at)     \
  X(wanted_at)           \
  X(next_ask_at)         \
  X(file_seen_at)        \
  X(lease_token)         \
  X(lease_until)         \
  X(fail_count)          \
  X(failed_at)           \
  X(next_retry_at)       \
  X(permanent)           \
  X(not_found_count)     \
  X(first_404_at)        \
  X(crashes)             \
  X(retried[0])          \
  X(retried[1])          \
  X(retried[2])          \
  X(bytes)               \
  X(announced_bytes)     \
  X(received_bytes)      \
  X(modified_at)         \
  X(duration_ms)         \
  X(channels)            \
  X(ready_at)

static void require_same(const struct recording *model, const struct recording *real) {
#define SAME_TEXT(member) REQUIRE(strcmp(model->member, real->member) == 0);
#define SAME_NUMBER(member) REQUIRE(model->member == real->member);
  TEXTS(SAME_TEXT)
  NUMBERS(SAME_NUMBER)
}

static void compare_row(const struct model_row *m) {
  struct recording real;
  enum err e = recordings_get(w.db, m->row.business_id, sid_of(m), &real);
  REQUIRE(e == (m->is_known ? OK : ERR_NOT_FOUND));
  if (!m->is_known) return;
  require_same(&m->row, &real);
  rules_check_row(&real);
}

/* The table `turns` is what the rows say, but for what became due. */
static void compare_turns(void) {
  static const char wrong[] =
      "select count(*) from turns t left join turns_expected e on e.rank = t.rank and e.business_id = t.business_id"
      " where e.rank is null or e.fills <> t.fills or e.served_at <> t.served_at"
      " or (t.due_at is not e.due_at and (t.due_at is not 0 or e.due_at is null))";
  REQUIRE(scratch_int(w.db, wrong) == 0);
  REQUIRE(scratch_int(w.db, "select (select count(*) from turns) - (select count(*) from turns_expected)") == 0);
  REQUIRE(scratch_int(w.db, "select (select sum(n) from fill_counts) - (select sum(fills) from businesses)") == 0);
  REQUIRE(scratch_int(w.db,
                      "select sum(fills) - (select count(lease_until) from recordings where file_seen_at is null)"
                      " from businesses") == 0);
}

static void compare_all(void) {
  compare_turns();
  for (int i = 0; i < ROWS; i++) compare_row(&w.rows[i]);
  for (int b = 0; b < BUSINESSES; b++) {
    struct account real;
    REQUIRE_OK(accounts_get(w.db, b + 1, &real));
    REQUIRE(real.auth_failed_at == w.accounts[b].auth_failed_at);
    REQUIRE(real.auth_trial_at == w.accounts[b].auth_trial_at);
    REQUIRE(real.error_streak == w.accounts[b].error_streak);
    REQUIRE((real.good_version != 0) == w.accounts[b].is_good);
    const struct model_row *suspect = w.accounts[b].suspect;
    REQUIRE(strcmp(real.suspect_sid, suspect ? suspect->row.recording_sid : "") == 0);
  }
}

/* ---- the model ---- */

static struct recording_outcome model_apply(struct model_row *m, const struct recording_event *event) {
  struct recording next;
  struct recording_outcome outcome = recording_apply(&m->row, event, w.now, &next);
  rules_check_move(&m->row, event, &outcome, &next, w.now);
  if (next.status == RECORDING_READY && m->row.status != RECORDING_READY) w.readies++;
  m->row = next;
  return outcome;
}

static bool is_past(int64_t at, int64_t longest) {
  return at <= w.now || at > w.now + longest + DB_CLOCK_SLACK_MS;
}
/* Under a lease of a download, or under one that has expired and was not taken back yet. */
static bool is_live(const struct model_row *m) {
  return m->is_known && m->row.lease_until != 0 && m->row.file_seen_at == 0;
}

static int live_of(int business) {
  int n = 0;
  for (int i = 0; i < SIDS; i++) n += is_live(&w.rows[business * SIDS + i]);
  return n;
}

/* Since when it can be claimed: since it was enqueued, or since the time it was postponed to. */
static int64_t claimable_at(const struct recording *r) {
  return r->next_ask_at ? r->next_ask_at : r->enqueued_at;
}

/* The order of claims: claimable longer first; then never postponed; then inserted first. */
static bool goes_before(const struct model_row *a, const struct model_row *b) {
  int64_t at_a = claimable_at(&a->row), at_b = claimable_at(&b->row);
  if (at_a != at_b) return at_a < at_b;
  bool put_off_a = a->row.next_ask_at != 0, put_off_b = b->row.next_ask_at != 0;
  if (put_off_a != put_off_b) return put_off_b;
  return a->place < b->place;
}

static struct model_row *head_of(int business, int rank) {
  struct model_row *head = NULL;
  for (int i = 0; i < SIDS; i++) {
    struct model_row *m = &w.rows[business * SIDS + i];
    const struct recording *r = &m->row;
    if (!m->is_known || r->status != RECORDING_QUEUED || r->rank != rank || r->lease_until != 0) continue;
    if (!is_past(r->next_ask_at, RECORDING_BACKOFF_CAP_MS)) continue;
    if (!head || goes_before(m, head)) head = m;
  }
  return head;
}

static struct model_row *next_of_rank(int rank) {
  int best = -1;
  for (int b = 0; b < BUSINESSES; b++) {
    const struct model_account *a = &w.accounts[b];
    int live = live_of(b);
    if (!head_of(b, rank) || live >= limits.per_business + (rank == RECORDING_RANK_PLAY)) continue;
    bool trial_due = is_past(a->auth_trial_at, QUEUE_TRIAL_EVERY_MS) ||
                     (rank == RECORDING_RANK_PLAY && a->last_claim_at <= w.now - ACCOUNT_PLAY_TRIAL_MS);
    if (a->auth_failed_at && (!trial_due || live > 0)) continue;
    if (a->error_streak >= QUEUE_TRIAL_STREAK && live > 0) continue;
    if (best < 0 || live < live_of(best) ||
        (live == live_of(best) && a->last_claim_at < w.accounts[best].last_claim_at))
      best = b;
  }
  return best < 0 ? NULL : head_of(best, rank);
}

static struct model_row *model_next(void) {
  int all = 0, rest = 0;
  for (int i = 0; i < ROWS; i++) {
    all += is_live(&w.rows[i]);
    rest += is_live(&w.rows[i]) && w.rows[i].row.rank == RECORDING_RANK_REST;
  }
  if (all >= limits.total) return NULL;
  struct model_row *m = next_of_rank(RECORDING_RANK_PLAY);
  if (!m) m = next_of_rank(RECORDING_RANK_NEW);
  if (!m && rest < limits.total * 3 / 4) m = next_of_rank(RECORDING_RANK_REST);
  return m;
}

static void model_release(int business) {
  struct recording_event event = {.kind = RECORDING_CREDENTIALS};
  for (int i = 0; i < SIDS; i++)
    if (w.rows[business * SIDS + i].is_known) (void)model_apply(&w.rows[business * SIDS + i], &event);
}

/* After 30 s, then as long as the account has been stopped and 30 s more, at most 10 minutes. */
static int64_t next_trial_at(const struct model_account *a) {
  int64_t pause_ms = 30000 + (a->auth_failed_at < w.now ? w.now - a->auth_failed_at : 0);
  return w.now + (pause_ms < 600000 ? pause_ms : 600000);
}

/* True if a refusal of this recording's credentials seems to be about the recording. */
static bool is_alone(const struct model_row *m) {
  const struct model_account *a = &w.accounts[m->row.business_id - 1];
  return !a->auth_failed_at && a->is_good && (!a->suspect || a->suspect == m);
}

static void model_account_feels(struct model_row *m, const struct recording_event *event) {
  int business = (int)m->row.business_id - 1;
  struct model_account *a = &w.accounts[business];
  if (event->kind == RECORDING_ANSWERED || event->kind == RECORDING_NOT_FOUND) {
    bool was_stopped = a->auth_failed_at != 0;
    a->auth_failed_at = a->auth_trial_at = a->error_streak = 0;
    a->is_good = true;
    a->suspect = NULL;
    if (was_stopped) model_release(business);
  } else if (event->kind == RECORDING_FAILURE && event->error == RECORDING_AUTH_FAILED) {
    struct recording_event stopped = {.kind = RECORDING_ACCOUNT_STOPPED};
    if (!event->is_its_own && !a->auth_failed_at && a->suspect) (void)model_apply(a->suspect, &stopped);
    a->suspect = m;
    if (event->is_its_own) return;
    if (!a->auth_failed_at) a->auth_failed_at = w.now;
    a->auth_trial_at = next_trial_at(a);
  } else if (event->kind == RECORDING_FAILURE &&
             (event->error == RECORDING_PROVIDER_ERROR || event->error == RECORDING_TIMEOUT)) {
    a->error_streak++;
  }
}
