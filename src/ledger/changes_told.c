/* changes_told.c - see changes_told.h. The id of a CHANGE_TOLD is "EVENT OBJECT ROLE", EVENT as the metric's label has it. */
#include "ledger/changes_told.h"

enum { TOLD_MAX = CHANGE_ID_MAX };

enum err changes_tell(struct db *db, int64_t business_id, const struct told *told) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(TOLD_MAX);
  if (business_id == 0) return OK;
  TRY(buf_addf(&b, "%s %.*s %.*s", metric_label_text(METRIC_SECURITY_EVENTS, 0, told->what), STR_ARG(told->object),
               STR_ARG(told->role)));
  return changes_add(db, CHANGE_TOLD, business_id, buf_str(&b));
}

bool changes_told(struct str id, struct told *ret_told) {
  struct str event, rest;
  struct told told;
  if (!str_cut(id, ' ', &event, &rest) || !str_cut(rest, ' ', &told.object, &told.role)) return false;
  for (unsigned i = 0; i < METRIC_SECURITY_COUNT_; i++) {
    if (!str_eq(event, str_from(metric_label_text(METRIC_SECURITY_EVENTS, 0, i)))) continue;
    told.what = (enum metric_label_SECURITY)i;
    *ret_told = told;
    return true;
  }
  return false;
}
