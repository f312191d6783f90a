/* security_notice.c - see security_notice.h. The id of a CHANGE_SECURITY_NOTICE is "EVENT OBJECT ROLE", EVENT as the metric's
 * label has it. */
#include "ledger/security_notice.h"

enum { NOTICE_MAX = CHANGE_ID_MAX };

enum err security_notice_add(struct db *db, int64_t business_id, const struct security_notice *notice) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(NOTICE_MAX);
  if (business_id == 0) return OK;
  TRY(buf_addf(&b, "%s %.*s %.*s", metric_label_text(METRIC_SECURITY_EVENTS, 0, notice->event), STR_ARG(notice->object),
               STR_ARG(notice->role)));
  return changes_add(db, CHANGE_SECURITY_NOTICE, business_id, buf_str(&b));
}

bool security_notice_parse(struct str id, struct security_notice *ret_notice) {
  struct str event, rest;
  struct security_notice notice;
  if (!str_cut(id, ' ', &event, &rest) || !str_cut(rest, ' ', &notice.object, &notice.role)) return false;
  for (unsigned i = 0; i < METRIC_SECURITY_COUNT_; i++) {
    if (!str_eq(event, str_from(metric_label_text(METRIC_SECURITY_EVENTS, 0, i)))) continue;
    notice.event = (enum metric_label_SECURITY)i;
    *ret_notice = notice;
    return true;
  }
  return false;
}
