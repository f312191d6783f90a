/* prune.h - expires, on request, recordings whose retention is over, or that are older than so many days.
 *
 *   struct prune prune = {.older_than_days = -1, .default_days = conf.retention_days};
 *   prune_begin(&prune, now);
 *   do TRY(prune_list_part(db, &prune, &part));      or prune_part, each in a transaction of its own
 *   while (part.more);
 *
 * Both go through businesses by their id, and through the recordings of each in the order of kept_from. Recordings that a
 * hold covers are left out. So what prune_list_part lists is what prune_part then expires, if nothing changes in between.
 * Thread rule: the connection's; prune_part needs a write transaction. */
#pragma once

#include "domain/removal.h"

struct prune {
  int64_t business_id;     /* 0: all */
  int64_t older_than_days; /* -1: the retention of each business; else all businesses, also those that keep for ever */
  int64_t default_days;    /* RETENTION_DAYS */
  bool at_provider;
  /* where the next part begins */
  int64_t now;
  int64_t at_business; /* all before it are done */
  struct recordings_place place;
};

enum { PRUNE_LIST = 100, PRUNE_BUSINESSES = 200 };

struct prune_part {
  struct recording rows[PRUNE_LIST];
  int count;
  bool more; /* call it again */
};

/* Begins, or begins again. now: db_now_ms; days count back from it. */
void prune_begin(struct prune *p, int64_t now);
/* At most PRUNE_LIST recordings that would expire, as they are. */
CHECKED enum err prune_list_part(struct db *db, struct prune *p, struct prune_part *ret_part);
/* Expires at most RETENTION_PART recordings; the rows of ret_part are as they were before. If the transaction fails, *p has not
 * changed: call it again. */
CHECKED enum err prune_part(struct db *db, struct prune *p, struct prune_part *ret_part);
