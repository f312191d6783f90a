/* recordings_resolve.c - finds the recording that an API id names: see recordings_resolve in recordings.h.
 *
 * The recordings that are ready come before those that are queued or downloading, these before the rest that may still
 * come (neither expired nor failed permanently), and these before the others, of which one still lets the caller say why. */
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

#define READY " and n.status = 'ready'"
#define COMING " and n.status in ('queued', 'downloading')"
#define USABLE " and n.status <> 'expired' and n.for_good = 0"
#define OWN "recordings n indexed by recordings_call where n.business_id = ?1 and n.call_sid = ?2"
#define PARENTS                                                                      \
  "calls c cross join recordings n indexed by recordings_call on n.business_id = ?1" \
  " and n.call_sid = c.parent_call_sid where c.business_id = ?1 and c.call_sid = ?2"
#define CHILDRENS                                                                                            \
  "calls c indexed by calls_parent cross join recordings n indexed by recordings_call on n.business_id = ?1" \
  " and n.call_sid = c.call_sid where c.business_id = ?1 and c.parent_call_sid = ?2"

#define NEWEST(recordings)                   \
  "(select n.recording_sid from " recordings \
  " order by coalesce(n.started_at, n.first_seen_at) desc, n.recording_sid desc limit 1)"
#define FIRST(condition) NEWEST(OWN condition) ", " NEWEST(PARENTS condition) ", " NEWEST(CHILDRENS condition)
#define IN_ORDER FIRST(READY) ", " FIRST(COMING) ", " FIRST(USABLE) ", " FIRST("")

/* SQLite's coalesce() runs each of its queries only if all before it found no recording. */
enum err recordings_resolve(struct db *db, int64_t business_id, struct str id, bool *ret_call_known,
                            struct recording *ret_row) {
  enum err e = recordings_get(db, business_id, id, ret_row);
  if (e != ERR_NOT_FOUND) return e;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " RECORDING_COLUMNS
               " from recordings r where r.business_id = ?1 and r.recording_sid = coalesce(" IN_ORDER ")",
               DB_INT(business_id), DB_TEXT(id)));
  e = recordings_read_one(&q, ret_row);
  if (e == ERR_NOT_FOUND) TRY(call_is_known(db, business_id, id, ret_call_known));
  return e;
}

enum err recordings_resolve_only(struct db *db, int64_t business_id, struct str id, bool *ret_call_known,
                                 struct recording *ret_row) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  char sids[2][SID_SIZE];
  int count = 0;
  enum err e = recordings_get(db, business_id, id, ret_row);
  if (e != ERR_NOT_FOUND) return e;
  TRY(db_query(db, &q,
               "select recording_sid from (select n.recording_sid from " OWN " limit 2) own"
               " union all select recording_sid from (select n.recording_sid from " PARENTS " limit 2) parents"
               " union all select recording_sid from (select n.recording_sid from " CHILDRENS " limit 2) childrens"
               " limit 2",
               DB_INT(business_id), DB_TEXT(id)));
  while (count < 2 && (e = db_next(&q)) == OK) TRY(db_text_copy(&q, 0, sids[count++], SID_SIZE));
  if (count == 2) return ERR_CONFLICT;
  if (e != ERR_NOT_FOUND) return e;
  if (count) return recordings_get(db, business_id, str_from(sids[0]), ret_row);
  TRY(call_is_known(db, business_id, id, ret_call_known));
  return ERR_NOT_FOUND;
}
