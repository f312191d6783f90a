/* reconcile.h - finds calls and recordings that no webhook reported, through the provider's lists, and stores them as if a
 * webhook had reported them.
 *
 *   reconcile_new(&parts, &r);   e = reconcile_run(r, &how, &result);   reconcile_free(r);
 *
 * One process of a database reconciles at a time; it reads up to four accounts at once. Work is done in parts: a page of a list
 * is read, its new entries are written in jobs of a bounded number of rows, and the next page's url is stored with the last of
 * them. A run that was interrupted continues at that page. docs/internals/reconcile.md describes the whole.
 * Thread rule: one owner, which blocks on the network; reconcile_stop: any thread. */
#pragma once

#include "base/secret.h"
#include "db/db.h"

struct reconcile;

/* Why an entry of a shared account was left alone. */
enum reconcile_unplaced { RECONCILE_FITS_NONE, RECONCILE_FITS_SEVERAL };

struct reconcile_counts {
  int64_t accounts, failed;  /* provider accounts that were read to the end; those that could not be read */
  int64_t pages, entries;    /* of lists */
  int64_t calls, recordings; /* that were new, or had news */
  int64_t queued;            /* recordings that are downloaded because of it */
  int64_t unplaced;          /* entries of shared accounts that belong to no business, or to several */
  int64_t refused;           /* entries that are malformed, or of another account */
};

struct reconcile_parts {
  struct db *db;               /* to read; the owner's thread's */
  const uint8_t *secrets_key;  /* SECRET_KEY_SIZE bytes */
  struct str default_base_url; /* TWILIO_BASE_URL */
  const char *owner;           /* this process, without blanks, at most 39 bytes */
  void *arg;
  /* Runs a job in a write transaction and waits for its commit. It may run it again after a failure. */
  enum err (*write)(void *arg, enum err (*run)(struct db *db, void *job), void *job);
  /* The next three may be NULL. Called after each page. */
  void (*progress)(void *arg, const struct reconcile_counts *so_far);
  void (*unplaced)(void *arg, struct str account_sid, struct str sid, enum reconcile_unplaced why);
  /* An account could not be read to the end; why is a sentence without secrets. */
  void (*failed)(void *arg, struct str account_sid, const char *why);
};

struct reconcile_how {
  int64_t business_id;  /* only the account of this business; 0: all */
  int64_t since_ms;     /* a backfill from then on; 0: since the last success, less a day */
  int64_t not_after_ms; /* accounts with a success later than this are left out; 0: none are */
};

/* The run under way, or the last one. */
struct reconcile_progress {
  bool is_backfill;
  int64_t began_ms, ended_ms; /* UNIX milliseconds; ended_ms 0: it is under way, or its process died */
  int64_t accounts;           /* of the run */
  struct reconcile_counts counts;
};
/* ERR_NOT_FOUND: none was begun yet. *ret_is_live: a process is at it. Thread rule: the connection's. */
CHECKED enum err reconcile_progress_read(struct db *db, struct reconcile_progress *ret_progress, bool *ret_is_live);

CHECKED enum err reconcile_new(const struct reconcile_parts *parts, struct reconcile **ret_reconcile);
/* ERR_BUSY: another process reconciles. ERR_CONFLICT: another one took over, because this one was too slow. ERR_CLOSED:
 * reconcile_stop. OK also where accounts could not be read: see ret_counts, which is written in any case. */
CHECKED enum err reconcile_run(struct reconcile *r, const struct reconcile_how *how,
                               struct reconcile_counts *ret_counts);
void reconcile_stop(struct reconcile *r);
struct reconcile *reconcile_free(struct reconcile *r); /* NULL is fine. Always NULL. */
