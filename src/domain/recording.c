/* recording.c - the state machine of a recording, as a pure function of (row, event, now). recording.def lists its
 * moves.
 *
 *                     play, prepare, completed, retry
 *            MISSING ---------------------------------> QUEUED --claim--> QUEUED (leased)
 *               ^   <------ still being made ----------   |  ^               | the provider answers 200
 *               |                                 failure |  | due, retry,   v
 *     file gone |                                         v  | credentials  DOWNLOADING
 *               |                                       FAILED <-- failure --|  | lease expired, released: QUEUED
 *             READY <------------- complete, verified, published ------------+--'
 *     any state --expire--> EXPIRED, which nothing leaves
 *
 * Invariants
 *  (1) A lease exists in QUEUED and DOWNLOADING only.
 *  (2) lease_token only grows. A report of another owner or token, or after lease_until, changes nothing.
 *  (3) permanent implies FAILED and no next_retry_at.
 *  (4) name is set in READY only.
 *  (5) An error `absent_…` is replaced by a report of the provider or by a file, never by the failure of a forced retry.
 *  (6) A stored time that is further ahead than its own maximum counts as past, but for DB_CLOCK_SLACK_MS: another process's
 *      clock may have made it. So a clock that jumped leaves no recording waiting for years.
 *  (7) file_seen_at stays as it is while the recording is leased: the ledger counts leases by it.
 *  (8) EXPIRED has a reason and a time, and no event leaves it. */
#include "domain/recording.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "db/db_clock.h"
#include "domain/backoff.h"

static const char *const skip_names[RECORDING_SKIP_COUNT_] = {
    [RECORDING_SKIP_NOTHING] = "nothing_to_do",
    [RECORDING_SKIP_READY] = "ready",
    [RECORDING_SKIP_ALREADY_QUEUED] = "already_queued",
    [RECORDING_SKIP_COOLDOWN] = "cooldown",
    [RECORDING_SKIP_BACKOFF] = "backoff",
    [RECORDING_SKIP_PERMANENT] = "failed_for_good",
    [RECORDING_SKIP_EXPIRED] = "expired",
    [RECORDING_SKIP_TOO_OFTEN] = "too_often",
    [RECORDING_SKIP_HELD] = "held",
    [RECORDING_SKIP_LEASE_LOST] = "lease_lost",
};

const char *recording_skip_name(enum recording_skip skip) {
  return skip_names[skip];
}

/* True if `until` is in the future, by at most max milliseconds and the slack of clocks (6). */
static bool is_ahead(int64_t until, int64_t now, int64_t max) {
  return until > now && until <= now + max + DB_CLOCK_SLACK_MS;
}

bool recording_is_leased(const struct recording *row, int64_t now) {
  return is_ahead(row->lease_until, now, RECORDING_LEASE_MS);
}

bool recording_holds_lease(const struct recording *row, struct str owner, int64_t token, int64_t now) {
  return row->lease_token == token && str_eq(str_from(row->lease_owner), owner) && recording_is_leased(row, now);
}

bool recording_may_be_checked(const struct recording *row) {
  return row->status == RECORDING_QUEUED && row->lease_until == 0 && row->file_seen_at == 0;
}

bool recording_still_being_made(const struct recording *row) {
  static const char *const making[] = {"in-progress", "paused", "stopped", "processing"};
  for (size_t i = 0; i < COUNT_OF(making); i++)
    if (strcmp(row->provider_status, making[i]) == 0) return true;
  return false;
}

int64_t recording_ended_at(const struct recording *row) {
  if (row->started_at > 0 && row->provider_duration_s > 0) return row->started_at + row->provider_duration_s * 1000;
  return row->completed_at;
}

bool recording_not_yet(const struct recording *row, int64_t now) {
  int64_t ended = recording_ended_at(row);
  if (ended == 0) ended = row->first_seen_at;
  bool asking_short = row->first_404_at == 0 || now - row->first_404_at < RECORDING_NOT_YET_ASKING_MS;
  return now - ended < RECORDING_NOT_YET_ENDED_MS && asking_short;
}

bool recording_tries_formats_on_404(const struct recording *row, size_t format_count) {
  int64_t ask = row->not_found_count + 1, single_asks = RECORDING_FORMATS_ON_404_FROM_ASK - 1;
  if (ask <= single_asks) return false;
  if (ask > RECORDING_NOT_YET_ASKS) return true; /* the first 5 minutes are over */
  int64_t with_formats = single_asks + (ask - single_asks) * (int64_t)format_count;
  return with_formats + RECORDING_NOT_YET_ASKS - ask <= RECORDING_NOT_YET_REQUESTS;
}

/* The provider said that there is no audio. The row keeps this reason while a forced retry is queued and runs. */
static bool is_absent(const struct recording *row) {
  enum recording_error e = recording_error_of_code(str_from(row->error_code), NULL);
  return e == RECORDING_ABSENT_TOO_SHORT || e == RECORDING_ABSENT_SILENT;
}

/* ---- when_…: the conditions of recording.def ---- */

struct rule_input {
  const struct recording *row;
  const struct recording_event *event;
  int64_t now;
};

static bool when_always(const struct rule_input *a) {
  (void)a;
  return true;
}
static bool when_play_just_noted(const struct rule_input *a) {
  return is_ahead(a->row->wanted_at + RECORDING_PLAY_REPEAT_MS, a->now, RECORDING_PLAY_REPEAT_MS);
}
static bool when_ranked_play_and_just_noted(const struct rule_input *a) {
  return a->row->rank == RECORDING_RANK_PLAY && when_play_just_noted(a);
}
static bool when_ranked_new_or_higher(const struct rule_input *a) {
  return a->row->rank <= RECORDING_RANK_NEW;
}
static bool when_permanent(const struct rule_input *a) {
  return a->row->permanent;
}
static bool when_in_backoff(const struct rule_input *a) {
  if (a->row->next_retry_at == 0) return true; /* it is retried when the credentials change, not at a time */
  return is_ahead(a->row->next_retry_at, a->now, RECORDING_BACKOFF_CAP_MS);
}
static bool when_due(const struct rule_input *a) {
  return !a->row->permanent && a->row->next_retry_at != 0 && !when_in_backoff(a);
}
static bool when_in_cooldown(const struct rule_input *a) {
  return is_ahead(a->row->last_enqueue_at + RECORDING_COOLDOWN_MS, a->now, RECORDING_COOLDOWN_MS);
}
static bool when_claimable(const struct rule_input *a) {
  bool is_due = a->event->is_check || !is_ahead(a->row->next_ask_at, a->now, RECORDING_BACKOFF_CAP_MS);
  return !recording_is_leased(a->row, a->now) && is_due;
}
static bool when_may_be_checked(const struct rule_input *a) {
  return recording_may_be_checked(a->row);
}
static bool when_not_holder(const struct rule_input *a) {
  return !recording_holds_lease(a->row, a->event->owner, a->event->token, a->now);
}
static bool when_unleased(const struct rule_input *a) {
  return a->row->lease_until == 0;
}
static bool when_holder(const struct rule_input *a) {
  return !when_not_holder(a);
}
static bool when_lease_is_live(const struct rule_input *a) {
  return recording_is_leased(a->row, a->now);
}
static bool when_leased_to_another(const struct rule_input *a) {
  return when_lease_is_live(a) && when_not_holder(a);
}
static bool when_still_being_made(const struct rule_input *a) {
  return recording_still_being_made(a->row);
}
static bool when_not_yet(const struct rule_input *a) {
  return recording_not_yet(a->row, a->now);
}
static bool when_fourth_crash(const struct rule_input *a) {
  return a->row->crashes >= RECORDING_CRASHES_MAX;
}
static bool when_retried_too_often(const struct rule_input *a) {
  return is_ahead(a->row->retried[2] + RECORDING_RETRY_WINDOW_MS, a->now, RECORDING_RETRY_WINDOW_MS);
}
static bool when_absent(const struct rule_input *a) {
  return is_absent(a->row);
}
static bool when_absent_and_not_forced(const struct rule_input *a) {
  return is_absent(a->row) && !a->event->forced;
}
static bool when_held(const struct rule_input *a) {
  return a->event->is_held;
}
static bool when_failed_auth(const struct rule_input *a) {
  return strcmp(a->row->error_code, recording_error_code(RECORDING_AUTH_FAILED)) == 0;
}
static bool when_waits_for_account(const struct rule_input *a) {
  return when_failed_auth(a) && a->row->next_retry_at == 0;
}
static bool when_failed_auth_alone(const struct rule_input *a) {
  return when_failed_auth(a) && a->row->next_retry_at != 0;
}

/* ---- does_…: the changes of recording.def; recording_apply itself sets the status ---- */

static void set_error(struct recording *next, enum recording_error e) {
  (void)snprintf(next->error_code, sizeof(next->error_code), "%s", recording_error_code(e));
}

/* For all but a new report of the provider and a file: an `absent_…` stays, because another attempt could only replace it by
 * a lesser reason. */
static void note_error(struct recording *next, enum recording_error e) {
  if (!is_absent(next)) set_error(next, e);
}

static void copy_text(char *dst, size_t size, struct str s) {
  enum err e = str_copy(dst, size, s);
  assert(e == OK); /* callreel makes these texts itself: names, validators and owners fit */
  (void)e;
}

static void clear_lease(struct recording *next) {
  next->lease_until = 0;
  next->lease_owner[0] = '\0';
}

/* Clears what the last fill reported: length and validators. The next fill may get other bytes. */
static void clear_received(struct recording *next) {
  next->etag[0] = next->content_type[0] = '\0';
  next->modified_at = 0;
  next->received_bytes = 0;
  next->announced_bytes = -1;
}

static void set_enqueued(struct recording *next, int64_t now) {
  next->enqueued_at = now;
  next->last_enqueue_at = now;
  next->next_ask_at = now;
  next->next_retry_at = 0;
  next->file_seen_at = 0;
  next->permanent = false;
  clear_received(next);
  note_error(next, RECORDING_NONE);
}

static void does_note_play(const struct rule_input *a, struct recording *next) {
  next->wanted_at = a->now;
}
static void does_raise_to_play(const struct rule_input *a, struct recording *next) {
  next->rank = RECORDING_RANK_PLAY;
  next->wanted_at = a->now;
}
static void does_raise_to_new(const struct rule_input *a, struct recording *next) {
  (void)a;
  next->rank = RECORDING_RANK_NEW;
}
static void does_enqueue_play(const struct rule_input *a, struct recording *next) {
  set_enqueued(next, a->now);
  does_raise_to_play(a, next);
}
static void does_enqueue_new(const struct rule_input *a, struct recording *next) {
  set_enqueued(next, a->now);
  next->rank = RECORDING_RANK_NEW;
}
static void does_enqueue_to_check(const struct rule_input *a, struct recording *next) {
  does_enqueue_new(a, next);
  next->file_seen_at = a->now;
}
static void does_check_now(const struct rule_input *a, struct recording *next) {
  next->next_ask_at = next->file_seen_at = a->now;
}
static void does_enqueue_and_reset(const struct rule_input *a, struct recording *next) {
  does_enqueue_new(a, next);
  set_error(next, RECORDING_NONE);
  next->crashes = 0;
  next->fail_count = 0;
  next->failed_at = 0;
  next->not_found_count = 0;
  next->first_404_at = 0;
}
static void does_enqueue_at_same_rank(const struct rule_input *a, struct recording *next) {
  set_enqueued(next, a->now);
}
static void does_enqueue_at_lowest_rank(const struct rule_input *a, struct recording *next) {
  set_enqueued(next, a->now);
  next->rank = RECORDING_RANK_REST;
  next->crashes = 0;
  next->not_found_count = 0;
  next->first_404_at = 0;
}
static void does_enqueue_retry(const struct rule_input *a, struct recording *next) {
  does_enqueue_play(a, next);
  next->crashes = 0;
  next->not_found_count = 0;
  next->first_404_at = 0;
  next->retried[2] = next->retried[1];
  next->retried[1] = next->retried[0];
  next->retried[0] = a->now;
}

static void does_take_lease(const struct rule_input *a, struct recording *next) {
  next->lease_token++;
  next->lease_until = a->now + RECORDING_LEASE_MS;
  copy_text(next->lease_owner, sizeof(next->lease_owner), a->event->owner);
  if (next->stem[0] == '\0') copy_text(next->stem, sizeof(next->stem), a->event->stem);
  next->received_bytes = 0;
  if (!a->event->is_check) next->file_seen_at = 0; /* a fill checks it by itself */
}
static void does_wait_for_download(const struct rule_input *a, struct recording *next) {
  (void)a;
  clear_lease(next);
  next->crashes = 0;
  next->file_seen_at = 0;
}
static void does_renew(const struct rule_input *a, struct recording *next) {
  next->lease_until = a->now + RECORDING_LEASE_MS;
  next->received_bytes = a->event->received_bytes;
  next->announced_bytes = a->event->announced_bytes;
  if (a->event->file.etag.n == 0) return;
  copy_text(next->etag, sizeof(next->etag), a->event->file.etag);
  copy_text(next->content_type, sizeof(next->content_type), a->event->file.content_type);
  next->modified_at = a->event->file.modified_at;
}
static void does_receive(const struct rule_input *a, struct recording *next) {
  does_renew(a, next);
  next->not_found_count = 0;
  next->first_404_at = 0;
  note_error(next, RECORDING_NONE);
}

/* The bytes of a part never change while it exists. So a restart, which may bring other bytes, gets a new token and
 * with it a new part. */
static void does_take_new_token(const struct rule_input *a, struct recording *next) {
  clear_received(next);
  next->lease_token++;
  next->lease_until = a->now + RECORDING_LEASE_MS;
}

static void note_404(const struct rule_input *a, struct recording *next) {
  next->not_found_count++;
  if (next->first_404_at == 0) next->first_404_at = a->now;
  clear_lease(next);
}
static void does_wait_for_provider(const struct rule_input *a, struct recording *next) {
  clear_lease(next);
  next->crashes = 0;
  next->not_found_count = 0;
  next->first_404_at = 0;
  note_error(next, RECORDING_NOT_YET_AVAILABLE);
  (void)a;
}
static void does_ask_later(const struct rule_input *a, struct recording *next) {
  note_404(a, next);
  clear_received(next);
  next->crashes = 0;
  next->next_ask_at = a->now + backoff_not_yet_ms(next->not_found_count);
  note_error(next, RECORDING_NOT_YET_AVAILABLE);
}

static void fail_with(struct recording *next, enum recording_error e, const struct rule_input *a) {
  clear_lease(next);
  next->crashes = next->file_seen_at = 0;
  next->fail_count++;
  next->failed_at = a->now;
  next->next_retry_at = 0;
  note_error(next, e);
  e = recording_error_of_code(str_from(next->error_code), NULL);
  int64_t ended = recording_ended_at(next) ? recording_ended_at(next) : next->first_seen_at;
  enum recording_error_class class = recording_error_class(e);
  bool old_and_gone = e == RECORDING_NOT_FOUND_AT_PROVIDER && a->now - ended > RECORDING_OLD_MS;
  next->permanent = class == RECORDING_CLASS_FINAL || old_and_gone ||
                    (class == RECORDING_CLASS_EIGHTH && next->fail_count >= RECORDING_LAST_FAILURE);
  if (next->permanent || (class == RECORDING_CLASS_ACCOUNT && !a->event->is_its_own)) return;
  int64_t wait = backoff_ms(next->fail_count, a->event->jitter);
  if (a->event->retry_after_ms > wait) wait = a->event->retry_after_ms;
  next->next_retry_at = a->now + (wait < RECORDING_BACKOFF_CAP_MS ? wait : RECORDING_BACKOFF_CAP_MS);
}
static void does_wait_for_account(const struct rule_input *a, struct recording *next) {
  (void)a;
  next->next_retry_at = 0;
}
static void does_fail(const struct rule_input *a, struct recording *next) {
  fail_with(next, a->event->error, a);
}
static void does_fail_not_found(const struct rule_input *a, struct recording *next) {
  note_404(a, next);
  fail_with(next, RECORDING_NOT_FOUND_AT_PROVIDER, a);
}
/* Keeps the number of crashes: if the next fill crashes too, the recording fails again at once. */
static void does_fail_crashed(const struct rule_input *a, struct recording *next) {
  fail_with(next, RECORDING_STORAGE_ERROR, a);
  next->crashes = a->row->crashes;
}
/* The result is the same row whether or not earlier webhooks arrived: the order of deliveries has no effect. */
static void does_fail_permanently(const struct rule_input *a, struct recording *next) {
  clear_lease(next);
  next->crashes = 0;
  next->not_found_count = next->first_404_at = 0;
  next->next_retry_at = next->next_ask_at = next->enqueued_at = next->file_seen_at = 0;
  next->rank = RECORDING_RANK_REST;
  if (!next->permanent) next->fail_count++;
  next->permanent = true;
  next->failed_at = a->now;
  set_error(next, a->event->error);
}

/* Keeps validators and length if any byte was received: listeners continue with the next fill if its bytes are the
 * same. */
static void does_requeue(const struct rule_input *a, struct recording *next) {
  clear_lease(next);
  next->crashes++;
  next->next_ask_at = a->now;
  if (a->row->received_bytes == 0) clear_received(next);
  next->received_bytes = 0;
}
static void does_keep_file(const struct rule_input *a, struct recording *next) {
  const struct recording_file *file = &a->event->file;
  clear_lease(next);
  if (!next->stem[0]) copy_text(next->stem, sizeof(next->stem), a->event->stem);
  copy_text(next->name, sizeof(next->name), file->name);
  copy_text(next->content_type, sizeof(next->content_type), file->content_type);
  copy_text(next->etag, sizeof(next->etag), file->etag);
  copy_text(next->sha256, sizeof(next->sha256), file->sha256);
  next->bytes = next->received_bytes = next->announced_bytes = file->bytes;
  next->modified_at = file->modified_at;
  next->duration_ms = file->duration_ms;
  next->channels = file->channels;
  next->ready_at = a->now;
  next->fail_count = next->crashes = next->not_found_count = next->first_404_at = next->next_retry_at = 0;
  next->file_seen_at = 0;
  next->permanent = false;
  set_error(next, RECORDING_NONE);
}
/* Keeps `bytes`: a file of another length that is found under the name later is not this recording. */
static void does_clear_file(const struct rule_input *a, struct recording *next) {
  (void)a;
  next->name[0] = next->etag[0] = next->content_type[0] = next->sha256[0] = '\0';
  next->received_bytes = next->modified_at = next->ready_at = 0;
  next->announced_bytes = next->duration_ms = -1;
  next->channels = 0;
}

/* Keeps what describes the recording: stem, length, duration, channels. */
static void does_expire(const struct rule_input *a, struct recording *next) {
  clear_lease(next);
  next->name[0] = next->etag[0] = next->sha256[0] = '\0';
  next->modified_at = next->received_bytes = 0;
  next->announced_bytes = -1;
  next->enqueued_at = next->next_ask_at = next->next_retry_at = next->file_seen_at = 0;
  next->crashes = next->not_found_count = next->first_404_at = 0;
  next->rank = RECORDING_RANK_REST;
  next->permanent = false;
  if (a->row->status != RECORDING_READY) next->bytes = 0;
  set_error(next, RECORDING_NONE);
  if (!next->stem[0]) copy_text(next->stem, sizeof(next->stem), a->event->stem);
  next->expired_at = a->now;
  copy_text(next->expire_reason, sizeof(next->expire_reason), str_from(a->event->reason));
}

/* ---- the table ---- */

struct move {
  enum recording_event_kind event;
  unsigned from; /* bits by status */
  bool (*when)(const struct rule_input *a);
  bool stays;
  enum recording_status to;
  void (*does)(const struct rule_input *a, struct recording *next);
  enum recording_skip why;
};

enum {
#define X(name, text) FROM_##name = 1 << RECORDING_##name,
#include "ledger/recording_status.def"
#undef X
};

static const struct move moves[] = {
#define MISSING FROM_MISSING
#define QUEUED FROM_QUEUED
#define DOWNLOADING FROM_DOWNLOADING
#define READY FROM_READY
#define FAILED FROM_FAILED
#define EXPIRED FROM_EXPIRED
#define MOVE(event_, from_, question, to_, change) \
  {RECORDING_##event_, (from_), when_##question, false, RECORDING_##to_, does_##change, RECORDING_SKIP_NOTHING},
#define STAY(event_, from_, question, reason) \
  {RECORDING_##event_, (from_), when_##question, true, RECORDING_STATUS_COUNT_, NULL, RECORDING_SKIP_##reason},
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

struct recording_outcome recording_apply(const struct recording *row, const struct recording_event *event, int64_t now,
                                         struct recording *ret_next) {
  const struct rule_input a = {row, event, now};
  *ret_next = *row;
  for (size_t i = 0; i < COUNT_OF(moves); i++) {
    const struct move *m = &moves[i];
    if (m->event != event->kind || !(m->from & (1u << row->status)) || !m->when(&a)) continue;
    if (m->stays) return (struct recording_outcome){.skip = m->why};
    m->does(&a, ret_next);
    ret_next->status = m->to;
    bool enqueued = m->to == RECORDING_QUEUED && (row->status == RECORDING_MISSING || row->status == RECORDING_FAILED);
    return (struct recording_outcome){.moved = true, .enqueued = enqueued};
  }
  return (struct recording_outcome){.skip = RECORDING_SKIP_NOTHING};
}

enum recording_error recording_reason(const struct recording *row, enum recording_error waits_for, int64_t now) {
  enum recording_error own = recording_error_of_code(str_from(row->error_code), NULL);
  bool is_on_its_way = row->status == RECORDING_QUEUED || row->status == RECORDING_DOWNLOADING;
  if (is_on_its_way && is_absent(row)) own = RECORDING_NONE; /* a forced retry */
  bool waits = row->status == RECORDING_QUEUED && row->lease_until == 0;
  bool is_due = own == RECORDING_NONE || !is_ahead(row->next_ask_at, now, RECORDING_BACKOFF_CAP_MS);
  return waits_for != RECORDING_NONE && waits && is_due ? waits_for : own;
}

int recording_retry_after_s(const struct recording *row, int64_t now) {
  if (row->status != RECORDING_QUEUED && row->status != RECORDING_DOWNLOADING) return 0;
  if (row->status == RECORDING_QUEUED && recording_still_being_made(row))
    return 8; /* the provider most likely answers 404 until then */
  int64_t wait_s = row->status == RECORDING_QUEUED ? (row->next_ask_at - now + 999) / 1000 : 0;
  if (wait_s < 2) return row->status == RECORDING_DOWNLOADING ? 1 : 2;
  return wait_s > 8 ? 8 : (int)wait_s;
}

int64_t recording_failed_retry_after_s(const struct recording *row, int64_t now) {
  if (row->status != RECORDING_FAILED || row->next_retry_at == 0) return 0;
  int64_t wait_s = (row->next_retry_at - now + 999) / 1000;
  return wait_s < 1 ? 1 : wait_s;
}

enum err recording_stem(const struct recording *row, int64_t call_started_at, char ret_stem[RECORDING_NAME_SIZE]) {
  int64_t at = row->started_at ? row->started_at : call_started_at ? call_started_at : row->first_seen_at;
  int year, month;
  date_year_month(at, &year, &month);
  const char *dot = row->call_sid[0] ? "." : "";
  int n = snprintf(ret_stem, RECORDING_NAME_SIZE, "%lld/%04d/%02d/%s%s%s", (long long)row->business_id, year, month,
                   row->call_sid, dot, row->recording_sid);
  return n > 0 && n < RECORDING_NAME_SIZE ? OK : ERR_TOO_BIG;
}
