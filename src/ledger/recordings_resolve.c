/* recordings_resolve.c - the recording that an id means.
 *
 * A recording's SID means itself. A call means the first usable recording (neither expired nor failed for good) of its
 * own, then its parent's, then its children's, the newest first within each; where none is usable, its own newest, then
 * the others', to say why. All within the business. */
#include "ledger/recordings_row.h"

static enum err call_is_known(struct db *db, int64_t business_id, struct str call_sid, bool *ret_known) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from calls where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(call_sid)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_known = e == OK;
  return OK;
}

enum err recordings_resolve(struct db *db, int64_t business_id, struct str id, bool *ret_call_known,
                            struct recording *ret_row) {
  enum err e = recordings_get(db, business_id, id, ret_row);
  if (e != ERR_NOT_FOUND) return e;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "with legs(call_sid, kin) as ("
               "  select ?2, 0"
               "  union all select parent_call_sid, 1 from calls"
               "    where business_id = ?1 and call_sid = ?2 and parent_call_sid is not null"
               "  union all select call_sid, 2 from calls indexed by calls_parent"
               "    where business_id = ?1 and parent_call_sid = ?2)"
               "select " RECORDING_COLUMNS
               " from legs join recordings r on r.business_id = ?1 and r.call_sid = legs.call_sid "
               "order by (r.status = 'expired' or r.for_good), kin, coalesce(r.started_at, r.first_seen_at) desc, "
               "r.recording_sid desc limit 1",
               DB_INT(business_id), DB_TEXT(id)));
  e = recordings_read_one(&q, ret_row);
  if (e == ERR_NOT_FOUND) TRY(call_is_known(db, business_id, id, ret_call_known));
  return e;
}
