/* queue.c - reports, expired leases and retries, as changes of rows. Claims: queue_claims.c.
 *
 * Invariants
 *  (1) Every change of a row goes through recording_apply and recordings_store.
 *  (2) The transaction that makes a recording ready also stores its peaks, or deletes those of an earlier file.
 *  (3) A recording whose credentials were refused fails alone if others succeed with them: a fill succeeded with this version
 *      of the credentials, and since then no other recording was refused. Otherwise the account stops.
 *  (4) A report whose token does not hold the lease changes neither the row nor the account. */
#include "domain/queue.h"

#include <stdlib.h>
#include <string.h>

#include "domain/recording_log.h"
#include "domain/transcription.h"
#include "ledger/accounts.h"
#include "ledger/turns.h"
#include "ledger/waveforms.h"

_Static_assert(QUEUE_TRIAL_STREAK == 5 && ACCOUNT_PLAY_TRIAL_MS == 10000, "as in schema/0019_turns.sql");

/* Rows are read into a batch first and changed afterwards, because a statement must not change the rows that it reads.
 * */
struct batch {
  struct recording *rows; /* owned */
  size_t n, max;
};
static void queue_batch_done(struct batch *b) {
  free(b->rows);
}

static enum err queue_batch_init(struct batch *b, size_t max) {
  b->rows = calloc(max, sizeof(*b->rows));
  b->n = 0;
  b->max = max;
  return b->rows ? OK : ERR_NOMEM;
}

static enum err queue_batch_add(void *arg, const struct recording *row) {
  struct batch *b = arg;
  if (b->n == b->max) return ERR_TOO_BIG;
  b->rows[b->n++] = *row;
  return OK;
}

enum err queue_became_ready(struct db *db, const struct recording *row, const struct recording_event *event,
                            int64_t now) {
  TRY(waveforms_put(db, row->business_id, str_from(row->recording_sid), event->file.peaks)); /* (2) */
  return transcription_on_ready(db, row, now);
}

static enum err apply_to_row(struct db *db, const struct recording *row, const struct recording_event *event,
                             int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome) {
  struct recording next;
  struct recording_outcome outcome = recording_apply(row, event, now, &next);
  if (outcome.moved) {
    TRY(recordings_store(db, row, &next));
    next.version++;
    if (next.status == RECORDING_READY && row->status != RECORDING_READY)
      TRY(queue_became_ready(db, &next, event, now));
  }
  *ret_row = next;
  *ret_outcome = outcome;
  return OK;
}

/* Applies the event to each row. Skips a row that another transaction changed meanwhile. Calls on_moved, which may be NULL, for
 * each row that moved. */
static enum err apply_to_batch(struct db *db, const struct batch *b, const struct recording_event *event, int64_t now,
                               void (*on_moved)(void *arg, const struct recording *row), void *arg,
                               int64_t *ret_moved) {
  int64_t moved = 0;
  for (size_t i = 0; i < b->n; i++) {
    struct recording next;
    struct recording_outcome outcome;
    enum err e = apply_to_row(db, &b->rows[i], event, now, &next, &outcome);
    if (e == ERR_CONFLICT) continue;
    TRY(e);
    moved += outcome.moved;
    if (outcome.moved && on_moved) on_moved(arg, &next);
  }
  *ret_moved = moved;
  return OK;
}

enum err queue_apply_row(struct db *db, const struct recording *row, const struct recording_event *event, int64_t now,
                         struct recording *ret_row, struct recording_outcome *ret_outcome) {
  return apply_to_row(db, row, event, now, ret_row, ret_outcome);
}

enum err queue_apply(struct db *db, int64_t business_id, struct str recording_sid, const struct recording_event *event,
                     int64_t now, struct recording *ret_row, struct recording_outcome *ret_outcome) {
  struct recording row;
  TRY(recordings_get(db, business_id, recording_sid, &row));
  return apply_to_row(db, &row, event, now, ret_row, ret_outcome);
}

/* ---- changes that come with time ---- */

struct trial_start {
  struct db *db;
  int64_t now;
};

/* Queues one recording that failed with auth_failed. Its fill shows whether the provider accepts the credentials again.
 * Of the first two it takes the one that was not refused last: the refusal may be about that recording. */
static enum err start_trial(void *arg, int64_t business_id) {
  const struct trial_start *t = arg;
  struct batch b CLEANUP(queue_batch_done) = {NULL, 0, 0};
  TRY(queue_batch_init(&b, 2));
  struct recording_event event = {.kind = RECORDING_CREDENTIALS};
  TRY(recordings_failed(t->db, business_id, str_from(recording_error_code(RECORDING_AUTH_FAILED)), 0, STR(""),
                        STR("\x7f"), 2, queue_batch_add, &b));
  if (b.n == 2 && b.rows[0].failed_at > b.rows[1].failed_at) b.rows[0] = b.rows[1];
  if (b.n == 2) b.n = 1;
  int64_t moved;
  return apply_to_batch(t->db, &b, &event, t->now, NULL, NULL, &moved);
}

static enum err start_trials(struct db *db, int64_t now, int limit) {
  struct trial_start t = {db, now};
  return accounts_trials_due(db, now, str_from(recording_error_code(RECORDING_AUTH_FAILED)), limit, start_trial, &t);
}

/* Shares of the rows that a job may touch. Each kind gets what is left of its own share and of those before it. */
struct share {
  int until; /* the share ends here, counted from the beginning of queue_maintain */
  int cost;  /* rows that are touched for one of this kind, at most */
};
static const struct share LAPSED_SHARE = {130, 10}, DUE_SHARE = {240, 7}, DEMOTED_SHARE = {275, 4},
                          FORWARD_SHARE = {295, 3}, TRIALS_SHARE = {320, 9}, TURNS_SHARE = {345, 1};

static int limit_of(struct db *db, int64_t began, struct share share) {
  int64_t limit = (share.until - (db_touched(db) - began)) / share.cost;
  return limit < 1 ? 1 : limit > QUEUE_MAINTAIN_MAX ? QUEUE_MAINTAIN_MAX : (int)limit;
}

static void note_expired_lease(void *arg, const struct recording *row) {
  struct queue_maintained *m = arg;
  struct queue_expired *x = &m->expired[m->leases_expired++];
  x->business_id = row->business_id;
  memcpy(x->call_sid, row->call_sid, sizeof(x->call_sid));
  memcpy(x->recording_sid, row->recording_sid, sizeof(x->recording_sid));
  x->has_failed = row->status == RECORDING_FAILED;
  memcpy(x->error_code, row->error_code, sizeof(x->error_code));
  x->fail_count = row->fail_count;
  x->permanent = row->permanent;
}

static enum err find_due(struct db *db, int64_t now, int64_t *ret_next_at, bool *ret_retries) {
  struct retries_row row;
  TRY(recordings_next_event(db, now, ret_next_at));
  enum err e = retries_next(db, &row);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_retries = e == OK;
  return OK;
}

enum err queue_check_due(struct db *db, int64_t now, struct queue_maintained *ret_maintained) {
  ret_maintained->leases_expired = ret_maintained->due = 0;
  return find_due(db, now, &ret_maintained->next_at, &ret_maintained->retries);
}

enum err queue_maintain(struct db *db, int64_t now, uint32_t jitter, struct queue_maintained *ret_maintained) {
  struct batch b CLEANUP(queue_batch_done) = {NULL, 0, 0};
  TRY(queue_batch_init(&b, QUEUE_MAINTAIN_MAX));
  int64_t expired, due, began = db_touched(db);
  ret_maintained->leases_expired = 0;
  struct recording_event event = {.kind = RECORDING_LEASE_EXPIRED, .jitter = jitter};
  TRY(recordings_lapsed(db, now, limit_of(db, began, LAPSED_SHARE), queue_batch_add, &b));
  TRY(apply_to_batch(db, &b, &event, now, note_expired_lease, ret_maintained, &expired));
  b.n = 0;
  event.kind = RECORDING_RETRY_DUE;
  TRY(recordings_due(db, now, limit_of(db, began, DUE_SHARE), queue_batch_add, &b));
  TRY(apply_to_batch(db, &b, &event, now, NULL, NULL, &due));
  TRY(recordings_demote(db, now - RECORDING_PLAY_RANK_MS, limit_of(db, began, DEMOTED_SHARE)));
  TRY(recordings_bring_forward(db, now, limit_of(db, began, FORWARD_SHARE)));
  TRY(start_trials(db, now, limit_of(db, began, TRIALS_SHARE)));
  TRY(turns_make_due(db, now, limit_of(db, began, TURNS_SHARE)));
  ret_maintained->due = (int)due;
  return find_due(db, now, &ret_maintained->next_at, &ret_maintained->retries);
}

void queue_log_maintained(const struct queue_maintained *maintained) {
  for (int i = 0; i < maintained->leases_expired; i++) {
    const struct queue_expired *x = &maintained->expired[i];
    log_warn("Expired lease taken back", LOG_RECORDING(x));
    if (!x->has_failed) continue;
    struct recording row = {.business_id = x->business_id, .fail_count = x->fail_count, .permanent = x->permanent};
    memcpy(row.call_sid, x->call_sid, sizeof(row.call_sid));
    memcpy(row.recording_sid, x->recording_sid, sizeof(row.recording_sid));
    memcpy(row.error_code, x->error_code, sizeof(row.error_code));
    recording_log_failure(&row, STR("several workers in a row died or stopped during its download"));
  }
}

/* ---- reports ---- */

/* The meaning of a refusal of the credentials. */
enum refusal {
  REFUSAL_NONE,
  REFUSAL_OLD,   /* the credentials were replaced since */
  REFUSAL_ALONE, /* others succeed with these credentials, and no other was refused since: it is about the recording */
  REFUSAL_ACCOUNT, /* it is about the account */
};

static enum err judge_refusal(struct db *db, int64_t business_id, struct str recording_sid,
                              const struct recording_event *event, enum refusal *ret_refusal) {
  struct account account;
  *ret_refusal = REFUSAL_NONE;
  if (event->kind != RECORDING_FAILURE || event->error != RECORDING_AUTH_FAILED) return OK;
  TRY(accounts_get(db, business_id, &account));
  struct str suspect = str_from(account.suspect_sid);
  bool is_good = account.auth_failed_at == 0 && account.good_version == account.credentials_version;
  if (event->credentials_version && event->credentials_version < account.credentials_version)
    *ret_refusal = REFUSAL_OLD;
  else if (is_good && (suspect.n == 0 || str_eq(suspect, recording_sid)))
    *ret_refusal = REFUSAL_ALONE;
  else
    *ret_refusal = REFUSAL_ACCOUNT;
  return OK;
}

/* The recording that was refused first was refused because of the account, too: it waits like the others. */
static enum err stop_account(struct db *db, int64_t business_id, struct str recording_sid, int64_t now) {
  struct account account;
  TRY(accounts_get(db, business_id, &account));
  if (!account.auth_failed_at && account.suspect_sid[0]) {
    struct recording_event event = {.kind = RECORDING_ACCOUNT_STOPPED};
    struct recording row;
    struct recording_outcome outcome;
    enum err e = queue_apply(db, business_id, str_from(account.suspect_sid), &event, now, &row, &outcome);
    if (e != OK && e != ERR_NOT_FOUND) return e;
  }
  return accounts_refused(db, business_id, recording_sid, now, queue_next_trial_at(&account, now));
}

static enum err update_account(struct db *db, int64_t business_id, struct str recording_sid,
                               const struct recording_event *event, enum refusal refusal, int64_t now) {
  bool released = false;
  switch (event->kind) {
    case RECORDING_ANSWERED:
    case RECORDING_NOT_FOUND: /* the provider accepted the credentials, though it has no such recording */
      TRY(accounts_answered(db, business_id, event->credentials_version, &released));
      return released ? queue_release_account(db, business_id, now) : OK;
    case RECORDING_FAILURE:
      if (refusal == REFUSAL_ACCOUNT) return stop_account(db, business_id, recording_sid, now);
      if (refusal == REFUSAL_ALONE) return accounts_suspect(db, business_id, recording_sid);
      if (event->error == RECORDING_PROVIDER_ERROR || event->error == RECORDING_TIMEOUT)
        return accounts_errored(db, business_id);
      return OK;
    default:
      return OK;
  }
}

enum err queue_report(struct db *db, int64_t business_id, struct str recording_sid, const struct recording_event *event,
                      int64_t now, struct recording *ret_row) {
  struct recording row;
  struct recording_outcome outcome;
  enum refusal refusal;
  TRY(judge_refusal(db, business_id, recording_sid, event, &refusal));
  struct recording_event judged = *event;
  judged.is_its_own = refusal == REFUSAL_ALONE;
  enum err e = queue_apply(db, business_id, recording_sid, &judged, now, &row, &outcome);
  if (e == ERR_NOT_FOUND || (e == OK && !outcome.moved)) return ERR_CONFLICT;
  TRY(e);
  if (refusal == REFUSAL_OLD) {
    event = &(struct recording_event){.kind = RECORDING_CREDENTIALS};
    return queue_apply(db, business_id, recording_sid, event, now, ret_row, &outcome);
  }
  TRY(update_account(db, business_id, recording_sid, event, refusal, now));
  *ret_row = row;
  return OK;
}

/* ---- retrying many ---- */

enum err queue_retry_part(struct db *db, struct retries_row *row, int limit, int64_t now, bool *ret_more) {
  struct batch b CLEANUP(queue_batch_done) = {NULL, 0, 0};
  TRY(queue_batch_init(&b, (size_t)limit));
  bool is_auth = str_eq(str_from(row->code), str_from(recording_error_code(RECORDING_AUTH_FAILED)));
  struct recording_event event = {.kind = is_auth ? RECORDING_CREDENTIALS : RECORDING_RETRY_ALL, .forced = row->forced};
  struct str code = str_from(row->code), after = str_from(row->after);
  char until[SID_SIZE] = "\x7f";
  enum err windowed =
      !row->since ? ERR_NOT_FOUND : recordings_failed_skip(db, row->business_id, code, after, QUEUE_RETRY_SCAN, until);
  if (windowed != ERR_NOT_FOUND) TRY(windowed);
  TRY(recordings_failed(db, row->business_id, code, row->since, after, str_from(until), limit, queue_batch_add, &b));
  int64_t moved;
  TRY(apply_to_batch(db, &b, &event, now, NULL, NULL, &moved));
  row->queued += moved;
  if (b.n == b.max)
    memcpy(row->after, b.rows[b.n - 1].recording_sid, sizeof(row->after));
  else if (windowed == OK)
    memcpy(row->after, until, sizeof(row->after));
  *ret_more = b.n == b.max || windowed == OK;
  return OK;
}

static enum err retry_first_part(struct db *db, int64_t business_id, enum recording_error code, int64_t since,
                                 bool forced, int limit, int64_t now, struct queue_retried *ret_retried) {
  struct retries_row row = {.business_id = business_id, .since = since, .forced = forced};
  TRY(str_copy(row.code, sizeof(row.code), str_from(recording_error_code(code))));
  bool more;
  TRY(queue_retry_part(db, &row, limit, now, &more));
  if (more) TRY(retries_begin(db, &row, now));
  *ret_retried = (struct queue_retried){.queued = row.queued, .more = more};
  return OK;
}

enum err queue_retry_all(struct db *db, int64_t business_id, enum recording_error code, int64_t since, bool forced,
                         int64_t now, struct queue_retried *ret_retried) {
  return retry_first_part(db, business_id, code, since, forced, QUEUE_RETRY_FIRST, now, ret_retried);
}

enum err queue_retry_next(struct db *db, int64_t now, struct retries_row *ret_row, bool *ret_ended) {
  struct retries_row row;
  bool more;
  TRY(retries_next(db, &row));
  TRY(queue_retry_part(db, &row, QUEUE_RETRY_PART, now, &more));
  TRY(more ? retries_advance(db, &row, now) : retries_end(db, &row));
  *ret_row = row;
  *ret_ended = !more;
  return OK;
}

enum err queue_release_account(struct db *db, int64_t business_id, int64_t now) {
  struct queue_retried retried; /* not needed: no person waits for the number */
  return retry_first_part(db, business_id, RECORDING_AUTH_FAILED, 0, false, QUEUE_RETRY_PART, now, &retried);
}
