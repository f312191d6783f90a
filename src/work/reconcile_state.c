/* reconcile_state.c - the lease of the one process that reconciles, and how far it is: values of the table `settings`.
 *
 * Invariants
 *  (1) All writes run in a write transaction, so of two processes one gets the lease.
 *  (2) A lease that ends later than LEASE_MS from now was written by a clock that has jumped: it counts as over. */
#include <stdio.h>

#include "base/digest.h"
#include "ledger/settings.h"
#include "work/reconcile_internal.h"

#define LEASE_SETTING "reconcile"
#define PROGRESS_SETTING "reconcile.run"
enum { LEASE_MS = 90 * 1000 }; /* a request with its limits of time takes less */

static enum err setting_name(const struct reconcile_account *a, bool is_backfill, char ret_name[SETTING_NAME_MAX + 1]) {
  struct digest *d;
  char hex[2 * SHA256_SIZE + 1];
  TRY(digest_new(&d));
  digest_add(d, str_from(a->base_url));
  digest_add(d, STR("\n"));
  digest_add(d, str_from(a->account_sid));
  digest_hex(d, hex);
  digest_free(d);
  (void)snprintf(ret_name, SETTING_NAME_MAX + 1, "%s.%.32s", is_backfill ? "backfill" : "reconcile", hex);
  return OK;
}

/* Takes the next number off *s. */
static enum err cut_number(struct str *s, int64_t *ret_number) {
  struct str word;
  (void)str_cut(*s, ' ', &word, s);
  return str_to_i64(word, 0, INT64_MAX, ret_number);
}

enum err reconcile_state_read(struct db *db, const struct reconcile_account *a, bool is_backfill,
                              struct reconcile_state *ret_state) {
  char name[SETTING_NAME_MAX + 1];
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  struct reconcile_state s = {.done_ms = 0};
  int64_t list = 0;
  TRY(setting_name(a, is_backfill, name));
  enum err e = settings_get(db, NULL, name, &value);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  struct str rest = buf_str(&value);
  bool is_whole = e == OK && cut_number(&rest, &s.done_ms) == OK && cut_number(&rest, &s.since_ms) == OK &&
                  cut_number(&rest, &s.began_ms) == OK && cut_number(&rest, &list) == OK &&
                  list <= TWILIO_LIST_RECORDINGS && str_copy(s.url, sizeof(s.url), rest) == OK;
  s.list = (int)list;
  *ret_state = is_whole ? s : (struct reconcile_state){.done_ms = 0};
  return OK;
}

enum err reconcile_state_write(struct db *db, const struct reconcile_account *a, bool is_backfill,
                               const struct reconcile_state *state) {
  char name[SETTING_NAME_MAX + 1];
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  TRY(setting_name(a, is_backfill, name));
  TRY(buf_addf(&value, "%lld %lld %lld %d %s", (long long)state->done_ms, (long long)state->since_ms,
               (long long)state->began_ms, state->list, state->url));
  return settings_put(db, NULL, name, buf_str(&value));
}

/* *ret_is_ours: the lease names this owner. *ret_is_live: somebody holds it. */
static enum err lease_read(struct db *db, const char *owner, bool *ret_is_ours, bool *ret_is_live) {
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  enum err e = settings_get(db, NULL, LEASE_SETTING, &value);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  struct str name, until_text;
  int64_t until, now = db_now_ms(db);
  bool has_until = e == OK && str_cut(buf_str(&value), ' ', &name, &until_text) &&
                   str_to_i64(until_text, 0, INT64_MAX, &until) == OK;
  *ret_is_live = has_until && until > now && until <= now + LEASE_MS; /* (2) */
  *ret_is_ours = *ret_is_live && str_eq(name, str_from(owner));
  return OK;
}

enum err reconcile_lease_take(struct db *db, const char *owner, bool was_ours) {
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  bool is_ours, is_live;
  TRY(lease_read(db, owner, &is_ours, &is_live));
  if (is_live && !is_ours) return was_ours ? ERR_CONFLICT : ERR_BUSY;
  TRY(buf_addf(&value, "%s %lld", owner, (long long)(db_now_ms(db) + LEASE_MS)));
  return settings_put(db, NULL, LEASE_SETTING, buf_str(&value));
}

enum err reconcile_lease_drop(struct db *db, const char *owner) {
  bool is_ours, is_live;
  TRY(lease_read(db, owner, &is_ours, &is_live));
  return is_ours ? settings_put(db, NULL, LEASE_SETTING, STR("- 0")) : OK;
}

/* ---- how far a run is ---- */

enum err reconcile_progress_write(struct db *db, const struct reconcile_progress *progress) {
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  const struct reconcile_counts *c = &progress->counts;
  const int64_t numbers[] = {progress->is_backfill, progress->began_ms, progress->ended_ms, progress->accounts,
                             c->accounts,           c->failed,          c->entries,         c->calls,
                             c->recordings,         c->queued,          c->unplaced,        c->refused};
  for (size_t i = 0; i < COUNT_OF(numbers); i++) TRY(buf_addf(&value, "%s%lld", i ? " " : "", (long long)numbers[i]));
  return settings_put(db, NULL, PROGRESS_SETTING, buf_str(&value));
}

enum err reconcile_progress_read(struct db *db, struct reconcile_progress *ret_progress, bool *ret_is_live) {
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  struct reconcile_progress p = {.is_backfill = false};
  struct reconcile_counts *c = &p.counts;
  int64_t is_backfill, *const numbers[] = {&is_backfill,   &p.began_ms, &p.ended_ms,  &p.accounts,
                                           &c->accounts,   &c->failed,  &c->entries,  &c->calls,
                                           &c->recordings, &c->queued,  &c->unplaced, &c->refused};
  bool is_ours, is_live;
  TRY(settings_get(db, NULL, PROGRESS_SETTING, &value));
  struct str rest = buf_str(&value);
  for (size_t i = 0; i < COUNT_OF(numbers); i++)
    if (cut_number(&rest, numbers[i]) != OK) return ERR_NOT_FOUND; /* of a later release */
  TRY(lease_read(db, "", &is_ours, &is_live));
  p.is_backfill = is_backfill != 0;
  *ret_progress = p;
  *ret_is_live = is_live && !p.ended_ms;
  return OK;
}
