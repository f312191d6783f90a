/* security_notice.h - reports credentials that a command made or ended to the processes that serve, which log and count them.
 *
 *   to add:   const struct security_notice notice = {METRIC_SECURITY_LINK_MADE, STR("9cdb8d1d…"), STR("admin")};
 *             TRY(security_notice_add(db, business_id, &notice));
 *   to read:  if (security_notice_parse(change->id, &notice)) … of a CHANGE_SECURITY_NOTICE
 *
 * Thread rule: security_notice_add: the connection's, in the transaction that makes or ends the credential.
 * security_notice_parse: pure. */
#pragma once

#include "base/metric.h"
#include "ledger/changes.h"

struct security_notice {
  enum metric_label_SECURITY event;
  struct str object; /* the id of the credential, without blanks; "all": all of the business */
  struct str role;   /* may be empty */
};

/* Adds nothing if business_id is 0. */
CHECKED enum err security_notice_add(struct db *db, int64_t business_id, const struct security_notice *notice);
/* The texts of *ret_notice are parts of id. False: a later release wrote it. */
bool security_notice_parse(struct str id, struct security_notice *ret_notice);
