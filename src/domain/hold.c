/* hold.c - see hold.h. */
#include "domain/hold.h"

#include <string.h>

#include "ledger/changes.h"
#include "ledger/erasures.h"

enum { MARKED_AT_ONCE = 20 }; /* recordings; holds_mark_part marks the others */

static enum err hold_set(struct db *db, struct hold *hold, const char *key) {
  TRY(str_copy(hold->key, sizeof(hold->key), str_from(key)));
  return holds_set(db, hold, &hold->hold_id);
}

enum err hold_set_recording(struct db *db, struct hold *hold, const struct recording *row, bool *ret_too_late) {
  bool is_old;
  *ret_too_late = row->status == RECORDING_EXPIRED;
  if (!*ret_too_late) TRY(erasures_cover_call(db, row->business_id, str_from(row->call_sid), ret_too_late, &is_old));
  if (*ret_too_late) return OK;
  TRY(hold_set(db, hold, row->recording_sid));
  return holds_mark_row(db, row);
}

enum err hold_set_call(struct db *db, struct hold *hold, struct str call_sid, bool *ret_too_late) {
  struct call call;
  TRY(calls_get(db, hold->business_id, call_sid, &call));
  TRY(erasures_cover_tree(db, hold->business_id, str_from(call.top_sid), ret_too_late));
  if (!*ret_too_late) TRY(holds_tree_has_expired(db, hold->business_id, str_from(call.top_sid), ret_too_late));
  if (*ret_too_late) return OK;
  TRY(hold_set(db, hold, call.call_sid));
  TRY(changes_add(db, CHANGE_CALL, hold->business_id, call_sid));
  return holds_mark_call(db, hold->business_id, call_sid, MARKED_AT_ONCE);
}

enum err hold_set_number(struct db *db, struct hold *hold, bool *ret_too_late) {
  TRY(erasures_cover_number(db, hold->business_id, str_from(hold->key), ret_too_late));
  return *ret_too_late ? OK : holds_set(db, hold, &hold->hold_id);
}

enum err hold_end(struct db *db, int64_t business_id, struct str key, struct hold *ret_hold, bool *ret_ended) {
  struct recording row;
  enum err e = holds_find(db, business_id, key, ret_hold);
  *ret_ended = e == OK;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(holds_remove(db, ret_hold));
  if (key.p[0] == '+') return OK; /* holds_mark_part finds its calls */
  e = recordings_get(db, business_id, key, &row);
  if (e == OK) return holds_mark_row(db, &row);
  if (e != ERR_NOT_FOUND) return e;
  TRY(changes_add(db, CHANGE_CALL, business_id, key));
  return holds_mark_call(db, business_id, key, MARKED_AT_ONCE);
}
