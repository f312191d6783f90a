/* last_webhooks.h - the table `last_webhooks`: of each business the last webhook, taken or refused.
 *
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "db/db.h"

struct last_webhook {
  int64_t business_id;
  int64_t at;                            /* UNIX ms */
  char kind[16], result[16], reason[32]; /* reason "": none */
};

CHECKED enum err last_webhooks_put(struct db *db, const struct last_webhook *w);
CHECKED enum err last_webhooks_get(struct db *db, int64_t business_id,
                                   struct last_webhook *ret_webhook); /* ERR_NOT_FOUND */
