/* reconcile_account.c - the accounts at the provider, and which business of an account a call belongs to.
 *
 * Invariants
 *  (1) An account that one business uses is that business's, with or without numbers.
 *  (2) In a shared account a call belongs to the business that has the top leg's own number. A call that fits no business, or
 *      several, belongs to none. */
#include <stdlib.h>
#include <string.h>

#include "ledger/calls.h"
#include "work/reconcile_internal.h"

enum { ACCOUNTS_MAX = 100 * 1000 };

struct accounts_reader {
  const struct reconcile_parts *parts;
  struct reconcile_accounts accounts;
};

static struct str account_base_of(const struct reconcile_parts *parts, const struct business *b) {
  struct str base = b->base_url[0] ? str_from(b->base_url) : parts->default_base_url;
  while (base.n && base.p[base.n - 1] == '/') base.n--;
  return base;
}

static bool has_credentials(const struct business *b) {
  return (b->api_key[0] && b->has_api_secret) || b->has_token;
}

static uint64_t account_hash(const char *account_sid, struct str base_url) {
  return str_hash(base_url, str_hash(str_from(account_sid), 0));
}

static struct reconcile_account *account_find(struct accounts_reader *r, const struct business *b) {
  struct str base = account_base_of(r->parts, b);
  uint64_t hash = account_hash(b->account_sid, base);
  for (size_t i = 0; i < r->accounts.count; i++) {
    struct reconcile_account *a = &r->accounts.list[i];
    if (a->hash == hash && strcmp(a->account_sid, b->account_sid) == 0 && str_eq(str_from(a->base_url), base)) return a;
  }
  return NULL;
}

static enum err account_add(struct accounts_reader *r, const struct business *b,
                            struct reconcile_account **ret_account) {
  if (r->accounts.count == ACCOUNTS_MAX) return ERR_TOO_BIG;
  struct reconcile_account *grown = realloc(r->accounts.list, (r->accounts.count + 1) * sizeof(*grown));
  if (!grown) return ERR_NOMEM;
  r->accounts.list = grown;
  struct reconcile_account *a = &grown[r->accounts.count];
  memset(a, 0, sizeof(*a));
  TRY(str_copy(a->account_sid, sizeof(a->account_sid), str_from(b->account_sid)));
  TRY(str_copy(a->base_url, sizeof(a->base_url), account_base_of(r->parts, b)));
  a->hash = account_hash(a->account_sid, str_from(a->base_url));
  a->oldest_ms = b->created_at;
  r->accounts.count++;
  *ret_account = a;
  return OK;
}

static enum err account_add_numbers(struct reconcile_account *a, const struct business *b) {
  if (!b->number_count) return OK;
  struct reconcile_number *grown = realloc(a->numbers, (a->number_count + b->number_count) * sizeof(*grown));
  if (!grown) return ERR_NOMEM;
  a->numbers = grown;
  for (size_t i = 0; i < b->number_count; i++) {
    struct reconcile_number *n = &grown[a->number_count++];
    memcpy(n->number, b->numbers[i], sizeof(n->number));
    n->business_id = b->business_id;
  }
  return OK;
}

/* Without secrets: those of the account's first business are read afterwards. */
static enum err accounts_add_business(void *arg, const struct business *b) {
  struct accounts_reader *r = arg;
  if (!b->account_sid[0] || !has_credentials(b)) return OK;
  struct reconcile_account *a = account_find(r, b);
  if (!a) TRY(account_add(r, b, &a));
  int64_t *ids = realloc(a->ids, (a->count + 1) * sizeof(*ids));
  if (!ids) return ERR_NOMEM;
  a->ids = ids;
  ids[a->count++] = b->business_id;
  if (b->created_at < a->oldest_ms) a->oldest_ms = b->created_at;
  return account_add_numbers(a, b);
}

static int compare_numbers(const void *a, const void *b) {
  const struct reconcile_number *x = a, *y = b;
  int order = strcmp(x->number, y->number);
  return order ? order : (x->business_id > y->business_id) - (x->business_id < y->business_id);
}

enum err reconcile_account_open(const struct reconcile_parts *parts, struct reconcile_account *a) {
  a->first = calloc(1, sizeof(*a->first));
  if (!a->first) return ERR_NOMEM;
  TRY(businesses_get(parts->db, parts->secrets_key, a->ids[0], a->first));
  a->provider = (struct provider_account){.business_id = a->ids[0],
                                          .account_sid = str_from(a->account_sid),
                                          .tokens = {str_from(a->first->tokens[0]), str_from(a->first->tokens[1])},
                                          .api_key = str_from(a->first->api_key),
                                          .api_secret = str_from(a->first->api_secret),
                                          .base_url = str_from(a->base_url)};
  if (a->numbers) qsort(a->numbers, a->number_count, sizeof(a->numbers[0]), compare_numbers);
  return OK;
}

void reconcile_account_close(struct reconcile_account *a) {
  if (a->first) business_done(a->first);
  free(a->first);
  a->first = NULL;
}

static bool account_has(const struct reconcile_account *a, int64_t business_id) {
  for (size_t i = 0; i < a->count; i++)
    if (a->ids[i] == business_id) return true;
  return false;
}

static void account_done(struct reconcile_account *a) {
  reconcile_account_close(a);
  free(a->ids);
  free(a->numbers);
}

void reconcile_accounts_done(struct reconcile_accounts *a) {
  for (size_t i = 0; i < a->count; i++) account_done(&a->list[i]);
  free(a->list);
  *a = (struct reconcile_accounts){NULL, 0};
}

/* Removes the accounts that the business does not use. */
static void accounts_keep_only(struct reconcile_accounts *a, int64_t business_id) {
  size_t kept = 0;
  for (size_t i = 0; i < a->count; i++) {
    if (account_has(&a->list[i], business_id))
      a->list[kept++] = a->list[i];
    else
      account_done(&a->list[i]);
  }
  a->count = kept;
}

enum err reconcile_accounts_read(const struct reconcile_parts *parts, int64_t business_id,
                                 struct reconcile_accounts *ret_accounts) {
  struct accounts_reader r = {.parts = parts};
  enum err e = businesses_each(parts->db, NULL, false, accounts_add_business, &r);
  if (e == OK && business_id) accounts_keep_only(&r.accounts, business_id);
  if (e != OK) reconcile_accounts_done(&r.accounts);
  if (e == OK) *ret_accounts = r.accounts;
  return e;
}

bool reconcile_account_is_shared(const struct reconcile_account *a) {
  return a->count > 1;
}

int64_t reconcile_account_of_number(const struct reconcile_account *a, struct str number,
                                    enum reconcile_unplaced *ret_why) {
  size_t low = 0, high = a->number_count;
  if (!reconcile_account_is_shared(a)) return a->ids[0]; /* (1) */
  *ret_why = RECONCILE_FITS_NONE;
  while (low < high) { /* the first that is not below it */
    size_t middle = low + (high - low) / 2;
    const char *have = a->numbers[middle].number;
    struct str text = str_from(have);
    size_t n = text.n < number.n ? text.n : number.n;
    int order = n ? memcmp(have, number.p, n) : 0;
    bool is_below = order < 0 || (order == 0 && text.n < number.n);
    if (is_below)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == a->number_count || !str_eq(str_from(a->numbers[low].number), number)) return 0; /* (2) */
  if (low + 1 == a->number_count || !str_eq(str_from(a->numbers[low + 1].number), number))
    return a->numbers[low].business_id;
  *ret_why = RECONCILE_FITS_SEVERAL;
  return 0;
}

enum err reconcile_account_of_call(struct db *db, const struct reconcile_account *a, struct str call_sid,
                                   int64_t *ret_id, enum reconcile_unplaced *ret_why) {
  struct call call;
  *ret_id = reconcile_account_is_shared(a) ? 0 : a->ids[0]; /* (1) */
  *ret_why = RECONCILE_FITS_NONE;
  for (size_t i = 0; reconcile_account_is_shared(a) && i < a->count; i++) {
    enum err e = calls_get(db, a->ids[i], call_sid, &call);
    if (e == ERR_NOT_FOUND) continue;
    TRY(e);
    if (*ret_id) { /* (2) */
      *ret_why = RECONCILE_FITS_SEVERAL;
      *ret_id = 0;
      return OK;
    }
    *ret_id = a->ids[i];
  }
  return OK;
}
