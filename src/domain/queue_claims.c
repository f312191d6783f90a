/* queue_claims.c - claims: the next recording is leased to a worker (queue.h).
 *
 * Several at once, on a server: one statement reads what they may need, the choice is made in memory, and the writes go out with
 * the next statement.
 *
 * Invariants
 *  (1) It chooses the recordings that as many calls of queue_claim would choose.
 *  (2) Accounts in trouble and turns that became due too early are left to queue_claim. */
#include <stdlib.h>
#include <string.h>

#include "domain/queue.h"
#include "ledger/calls.h"
#include "ledger/recordings_claims.h"

enum err queue_stem(struct db *db, const struct recording *row, char ret_stem[RECORDING_NAME_SIZE]) {
  if (row->stem[0]) return str_copy(ret_stem, RECORDING_NAME_SIZE, str_from(row->stem));
  struct call call;
  enum err e = row->call_sid[0] ? calls_get(db, row->business_id, str_from(row->call_sid), &call) : ERR_NOT_FOUND;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return recording_stem(row, e == OK ? call.started_at : 0, ret_stem);
}

/* The pause is as long as the account has been stopped, and 30 s: so 30, 60, 120 s and so on up to 10 minutes. */
int64_t queue_next_trial_at(const struct account *account, int64_t now) {
  int64_t stopped_ms = account->auth_failed_at && account->auth_failed_at < now ? now - account->auth_failed_at : 0;
  int64_t pause_ms = stopped_ms + QUEUE_TRIAL_FIRST_MS;
  return now + (pause_ms < QUEUE_TRIAL_EVERY_MS ? pause_ms : QUEUE_TRIAL_EVERY_MS);
}

static enum err lease_row(struct db *db, const struct recording *row, struct str owner, bool is_check, int64_t now,
                          struct recording *ret_row) {
  char stem[RECORDING_NAME_SIZE];
  TRY(queue_stem(db, row, stem));
  struct recording_event event = {
      .kind = RECORDING_CLAIM, .owner = owner, .is_check = is_check, .stem = str_from(stem)};
  struct recording_outcome outcome;
  TRY(queue_apply_row(db, row, &event, now, ret_row, &outcome));
  return outcome.moved ? OK : ERR_NOT_FOUND;
}

enum err queue_claim_check(struct db *db, int64_t after_business, struct str owner, int64_t now,
                           struct recording *ret_row) {
  enum { PASSED_MAX = 4, FORGOTTEN = 10 };
  struct recording row;
  for (int passed = 0; passed < PASSED_MAX; passed++) {
    bool is_removed;
    TRY(recordings_next_file_seen(db, after_business, &row));
    TRY(accounts_is_removed(db, row.business_id, &is_removed));
    if (!is_removed) return lease_row(db, &row, owner, true, now, ret_row);
    TRY(recordings_forget_files_seen(db, row.business_id, FORGOTTEN));
    after_business = row.business_id;
  }
  return ERR_NOT_FOUND;
}

enum err queue_claim(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now,
                     struct recording *ret_row) {
  struct recordings_limits l = {limits->per_business, limits->total};
  struct recording row, next;
  TRY(recordings_next(db, &l, now, &row));
  TRY(lease_row(db, &row, owner, false, now, &next));
  struct account account;
  TRY(accounts_get(db, row.business_id, &account));
  if (account.auth_failed_at) TRY(accounts_set_trial(db, row.business_id, queue_next_trial_at(&account, now)));
  TRY(recordings_turn(db, row.business_id, now));
  *ret_row = next;
  return OK;
}

enum err queue_credentials_version(struct db *db, int64_t business_id, int64_t *ret_version) {
  struct account account = {.credentials_version = 0};
  enum err e = accounts_get(db, business_id, &account);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_version = account.credentials_version;
  return OK;
}

/* ---- several at once ---- */

enum { RANKS = RECORDING_RANK_REST + 1 };

/* The recordings that `most` claims may take, after those that were made. */
struct choice {
  struct claimable *list; /* owned */
  int count;
  bool *is_taken; /* owned; of each of the list */
  struct turns_fills fills;
  const struct queue_limits *limits;
};

static void choice_done(struct choice *c) {
  free(c->list);
  free(c->is_taken);
}

static enum err choice_read(struct db *db, const struct queue_limits *limits, int64_t now, int most, struct choice *c) {
  const struct recordings_limits l = {limits->per_business, limits->total};
  c->list = calloc(CLAIMABLE_ROOM((size_t)most), sizeof(*c->list));
  c->is_taken = calloc(CLAIMABLE_ROOM((size_t)most), sizeof(*c->is_taken));
  c->limits = limits;
  if (!c->list || !c->is_taken) return ERR_NOMEM;
  return recordings_claimable(db, &l, now, most, c->list, &c->count, &c->fills);
}

static bool choice_is_plain(const struct choice *c) {
  for (int i = 0; i < c->count; i++)
    if (!c->list[i].is_plain) return false;
  return true;
}

static bool is_same_turn(const struct claimable *a, const struct claimable *b) {
  return a->rank == b->rank && a->business_id == b->business_id;
}

static bool goes_before(const struct claimable *a, const struct claimable *b) {
  if (a->fills != b->fills) return a->fills < b->fills;
  if (a->served_at != b->served_at) return a->served_at < b->served_at;
  return a->business_id < b->business_id;
}

/* The first of the turn that is not taken, from the turn's first one on; -1: none is left. *ret_next: behind the turn. */
static int first_of_turn(const struct choice *c, int at, int *ret_next) {
  int found = -1, i = at;
  for (; i < c->count && is_same_turn(&c->list[i], &c->list[at]); i++)
    if (found < 0 && !c->is_taken[i]) found = i;
  *ret_next = i;
  return found;
}

enum { CHOICE_NONE = -1, CHOICE_UNKNOWN = -2 };

/* The next at this rank. CHOICE_UNKNOWN: it is of a turn of which not all were read. */
static int choose_of_rank(const struct choice *c, int rank) {
  int most = c->limits->per_business + (rank == RECORDING_RANK_PLAY ? 1 : 0), best = CHOICE_NONE;
  const struct claimable *turn = NULL;
  for (int at = 0, next; at < c->count; at = next) {
    const struct claimable *t = &c->list[at];
    int first = first_of_turn(c, at, &next);
    bool is_ended = first < 0 && next - at < t->turn_room;
    if (t->rank != rank || t->fills >= most || is_ended || (turn && !goes_before(t, turn))) continue;
    turn = t;
    best = first < 0 ? CHOICE_UNKNOWN : first;
  }
  return best;
}

static int claims_choose(const struct choice *c) {
  int rest_max = c->limits->total * 3 / 4;
  if (rest_max < 1) rest_max = 1;
  if (c->fills.all >= c->limits->total) return CHOICE_NONE;
  for (int rank = RECORDING_RANK_PLAY; rank < RANKS; rank++) {
    if (rank == RECORDING_RANK_REST && c->fills.rest >= rest_max) break;
    int i = choose_of_rank(c, rank);
    if (i != CHOICE_NONE) return i;
  }
  return CHOICE_NONE;
}

/* As the triggers and recordings_turn will change the turns. */
static void choice_take(struct choice *c, int i, int64_t now) {
  int64_t business_id = c->list[i].business_id;
  c->is_taken[i] = true;
  c->fills.all++;
  c->fills.rest += c->list[i].rank == RECORDING_RANK_REST;
  for (int k = 0; k < c->count; k++) {
    if (c->list[k].business_id != business_id) continue;
    c->list[k].fills++;
    c->list[k].served_at = now;
  }
}

static enum err lease_later(struct db *db, const struct claimable *from, struct str owner, int64_t now,
                            struct queue_claimed *ret_claimed) {
  char stem[RECORDING_NAME_SIZE];
  struct recording next;
  if (from->row.stem[0])
    TRY(str_copy(stem, sizeof(stem), str_from(from->row.stem)));
  else
    TRY(recording_stem(&from->row, from->call_started_at, stem));
  struct recording_event event = {.kind = RECORDING_CLAIM, .owner = owner, .stem = str_from(stem)};
  struct recording_outcome outcome = recording_apply(&from->row, &event, now, &next);
  if (!outcome.moved) return ERR_CORRUPT; /* the statement reads only what can be claimed */
  TRY(recordings_store_later(db, &from->row, &next));
  TRY(recordings_turn(db, next.business_id, now));
  next.version++;
  *ret_claimed = (struct queue_claimed){.row = next, .credentials_version = from->credentials_version};
  return OK;
}

/* Claims what one statement can tell. *ret_is_plain: false: nothing was claimed, see (2). */
static enum err claim_set(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now, int most,
                          struct queue_claimed *ret_claimed, int *ret_n, bool *ret_is_plain) {
  struct choice c CLEANUP(choice_done) = {.list = NULL};
  int n = 0;
  TRY(choice_read(db, limits, now, most, &c));
  *ret_is_plain = choice_is_plain(&c);
  for (int i; n < most && *ret_is_plain && (i = claims_choose(&c)) >= 0; n++) {
    TRY(lease_later(db, &c.list[i], owner, now, &ret_claimed[n]));
    choice_take(&c, i, now);
  }
  *ret_n = n;
  return OK;
}

static enum err claim_one(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now,
                          struct queue_claimed *ret_claimed) {
  TRY(queue_claim(db, limits, owner, now, &ret_claimed->row));
  return queue_credentials_version(db, ret_claimed->row.business_id, &ret_claimed->credentials_version);
}

enum err queue_claim_many(struct db *db, const struct queue_limits *limits, struct str owner, int64_t now, int most,
                          struct queue_claimed *ret_claimed, int *ret_n) {
  bool in_sets = true;
  int n = 0;
  while (n < most) {
    int some = 1;
    enum err e = ERR_UNSUPPORTED;
    if (in_sets) e = claim_set(db, limits, owner, now, most - n, &ret_claimed[n], &some, &in_sets);
    if (e == ERR_UNSUPPORTED || (e == OK && !in_sets)) {
      in_sets = false;
      some = 1;
      e = claim_one(db, limits, owner, now, &ret_claimed[n]);
    }
    if (e == ERR_NOT_FOUND || (e == OK && some == 0)) break;
    TRY(e);
    n += some;
  }
  *ret_n = n;
  return OK;
}
