/* changes_told.h - reports credentials that a command made or ended to the processes that serve, which log and count them.
 *
 *   to tell:  TRY(changes_tell(db, business_id, &(struct told){METRIC_SECURITY_LINK_MADE, STR("9cdb8d1d…"), STR("admin")}));
 *   to read:  if (changes_told(change->id, &told)) … of a CHANGE_TOLD
 *
 * Thread rule: changes_tell: the connection's, in the transaction of what it tells. changes_told: pure. */
#pragma once

#include "base/metric.h"
#include "ledger/changes.h"

struct told {
  enum metric_label_SECURITY what;
  struct str object; /* the id of what was made or ended, without blanks; "all": all of the business */
  struct str role;   /* may be empty */
};

/* Nothing is told if business_id is 0. */
CHECKED enum err changes_tell(struct db *db, int64_t business_id, const struct told *told);
/* The texts of *ret_told are parts of id. False: a later release wrote it. */
bool changes_told(struct str id, struct told *ret_told);
