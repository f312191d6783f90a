/* reconcile_internal.h - what the files of reconcile share. reconcile.c goes through accounts, lists and pages;
 * reconcile_account.c knows the businesses of an account; reconcile_ask.c asks the provider; reconcile_state.c keeps the lease
 * and the progress.
 * Thread rule: the run's owner and its readers, one at a time under `work`, unless said otherwise. */
#pragma once

#include "base/lock.h"
#include "fetch/fetch_get.h"
#include "ledger/businesses.h"
#include "provider/twilio_list.h"
#include "work/reconcile.h"

enum { RECONCILE_WHY_SIZE = 300, RECONCILE_ASKED_MAX = 2000 };

/* A provider account, and the businesses that use it. */
struct reconcile_account {
  char account_sid[BUSINESS_SID_SIZE];
  char base_url[BUSINESS_URL_SIZE];
  uint64_t hash;          /* of the two above */
  struct business *first; /* owned; with its secrets; NULL before reconcile_account_open */
  int64_t *ids;           /* owned */
  size_t count;
  struct reconcile_number {
    char number[BUSINESS_NUMBER_SIZE];
    int64_t business_id;
  } * numbers; /* owned; sorted */
  size_t number_count;
  int64_t oldest_ms;                /* when the oldest of the businesses was made */
  struct provider_account provider; /* views of the members above */
};
struct reconcile_accounts {
  struct reconcile_account *list; /* owned */
  size_t count;
};
/* Reads all businesses with an account, or the account of one business. */
CHECKED enum err reconcile_accounts_read(const struct reconcile_parts *parts, int64_t business_id,
                                         struct reconcile_accounts *ret_accounts);
void reconcile_accounts_done(struct reconcile_accounts *a);
/* Reads the credentials that the account is asked with: those of its first business. reconcile_account_close forgets them. */
CHECKED enum err reconcile_account_open(const struct reconcile_parts *parts, struct reconcile_account *a);
void reconcile_account_close(struct reconcile_account *a);
bool reconcile_account_is_shared(const struct reconcile_account *a);
/* The business of a top leg with that number, 0 for none or several; *ret_why says which. */
int64_t reconcile_account_of_number(const struct reconcile_account *a, struct str number,
                                    enum reconcile_unplaced *ret_why);
/* The business that knows the call; as above. ERR_… of the database. */
CHECKED enum err reconcile_account_of_call(struct db *db, const struct reconcile_account *a, struct str call_sid,
                                           int64_t *ret_id, enum reconcile_unplaced *ret_why);

/* ---- progress ---- */

/* How far the lists of an account were read. */
struct reconcile_state {
  int64_t done_ms;  /* begin of the last run that succeeded; 0: none did */
  int64_t since_ms; /* of the run under way; 0: none is */
  int64_t began_ms; /* of the run under way */
  int list;         /* enum twilio_list */
  char url[2049];   /* the next page's; "": the first */
};
/* A backfill's progress is kept apart from that of other runs. */
CHECKED enum err reconcile_state_read(struct db *db, const struct reconcile_account *a, bool is_backfill,
                                      struct reconcile_state *ret_state);
CHECKED enum err reconcile_state_write(struct db *db, const struct reconcile_account *a, bool is_backfill,
                                       const struct reconcile_state *state);
/* In a write transaction: takes or renews the lease. ERR_BUSY: another owner has it. ERR_CONFLICT: so does another, and it was
 * ours. */
CHECKED enum err reconcile_lease_take(struct db *db, const char *owner, bool was_ours);
CHECKED enum err reconcile_lease_drop(struct db *db, const char *owner);
/* In a write transaction: stores how far the run is, for reconcile_progress_read. */
CHECKED enum err reconcile_progress_write(struct db *db, const struct reconcile_progress *progress);

/* ---- requests ---- */

/* A run reads several accounts at a time, each by a reader with a thread. A reader that is not inside reconcile_ask holds `work`:
 * then no other reader uses the database, nor the members that `work` covers. */
enum { RECONCILE_READERS_MAX = 4 };

struct reconcile_reader {
  struct reconcile *r;
  struct fetch_getter *getter;
  struct buf body;              /* of the last answer */
  int64_t asked_ms;             /* monotonic: the last request's begin */
  char why[RECONCILE_WHY_SIZE]; /* why the account can't be read */
};

struct reconcile {
  struct reconcile_parts parts;
  struct lock work;
  struct lock lock; /* covers stopped */
  struct lock_cond wake;
  bool stopped;
  struct reconcile_reader readers[RECONCILE_READERS_MAX];
  /* of a run; `work` covers them */
  struct reconcile_how how;
  struct reconcile_counts counts;
  struct reconcile_accounts accounts;
  size_t next;     /* account */
  enum err result; /* the first error that ends the run */
  int64_t began_ms;
  int calls_asked; /* single calls that were asked for */
  bool has_lease;
};
/* Renews the lease; every wait does. The caller holds `work`. */
CHECKED enum err reconcile_renew(struct reconcile *r);
/* GETs url into reader->body, and repeats it while the provider is busy or in trouble. The caller holds `work`; it is released
 * while others may go on. ERR_NOT_FOUND: it answered 400 or 404. ERR_DENIED: it refuses the credentials. ERR_TIMEOUT: it did not
 * answer, or not as it should; reader->why says so. ERR_CLOSED, ERR_CONFLICT: as reconcile_run. */
CHECKED enum err reconcile_ask(struct reconcile_reader *reader, const struct reconcile_account *a, const char *url);
