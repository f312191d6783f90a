/* holds_mark.c - makes what a hold covers show it, in parts (holds.h).
 *
 *   a recording's: the recording
 *   a call's:      its legs                                                       --> what it kept --> marked
 *   a number's:    HOLD_STEPS walks by the numbers of calls --> all calls, for addresses --> what it kept --> marked
 *
 * Rows of hold_keeps of a hold that was removed, or of an earlier round, are deleted on the way. Of a hold that was removed, all
 * recordings that show it still come last: the walks mark only some of a call with very many legs. */
#include <string.h>

#include "base/mention.h"
#include "ledger/holds.h"

enum { MARK_RECORDINGS_MAX = 20, MARK_CALLS_MAX = 16, LOOKED_MAX = 500 };
enum { STEP_ADDRESSES = HOLD_STEPS, STEP_KEPT, STEP_SHOWN };

struct marking {
  int64_t hold_id, business_id, round;
  bool is_removed;
  char key[HOLD_KEY_SIZE];
  int step;
  char after[SID_SIZE];
};

static enum err marking_first(struct db *db, struct marking *ret_marking) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select hold_id, business_id, round, is_removed, mark_step, key, mark_after from holds"
               " indexed by holds_unmarked where marked = 0 order by hold_id limit 1"));
  TRY(db_next(&q));
  struct marking m = {.hold_id = db_int(&q, 0),
                      .business_id = db_int(&q, 1),
                      .round = db_int(&q, 2),
                      .is_removed = db_int(&q, 3) != 0,
                      .step = (int)db_int(&q, 4)};
  enum err e = str_copy(m.key, sizeof(m.key), db_text(&q, 5));
  if (e == OK) e = str_copy(m.after, sizeof(m.after), db_text(&q, 6));
  if (e != OK) return ERR_CORRUPT;
  *ret_marking = m;
  return OK;
}

/* The next calls that the hold may cover. A call's: its legs; a number's: calls from it, calls to it, and both without its +;
 * in STEP_ADDRESSES all calls; in STEP_KEPT what it kept; in STEP_SHOWN what is held. */
static enum err marking_query(struct db *db, const struct marking *m, int limit, struct db_rows *q) {
  if (m->step == STEP_SHOWN)
    return db_query(db, q,
                    "select recording_sid, hold from recordings indexed by recordings_held where business_id = ?1"
                    " and hold is not null and recording_sid > ?2 order by recording_sid limit ?3",
                    DB_INT(m->business_id), DB_TEXT(str_from(m->after)), DB_INT(LOOKED_MAX));
  if (m->step == STEP_KEPT)
    return db_query(db, q,
                    "select sid from hold_keeps indexed by hold_keeps_hold where hold_id = ?1 and sid > ?2"
                    " order by sid limit ?3",
                    DB_INT(m->hold_id), DB_TEXT(str_from(m->after)), DB_INT(limit));
  if (m->step == STEP_ADDRESSES)
    return db_query(db, q,
                    "select call_sid, from_number, to_number from calls where business_id = ?1 and call_sid > ?2"
                    " order by call_sid limit ?3",
                    DB_INT(m->business_id), DB_TEXT(str_from(m->after)), DB_INT(LOOKED_MAX));
  struct db_value business = DB_INT(m->business_id), key = DB_TEXT(str_from(m->key + (m->step >= 2)));
  struct db_value after = DB_TEXT(str_from(m->after));
  if (m->key[0] != '+')
    return db_query(db, q,
                    "select l.call_sid from calls c cross join calls l indexed by calls_legs on l.business_id = ?1"
                    " and l.top_sid = c.top_sid and l.call_sid > ?3"
                    " where c.business_id = ?1 and c.call_sid = ?2 order by l.call_sid limit ?4",
                    business, key, after, DB_INT(limit));
  if (m->step % 2 == 0)
    return db_query(db, q,
                    "select call_sid from calls indexed by calls_from_number where business_id = ?1"
                    " and from_number = ?2 and call_sid > ?3 order by call_sid limit ?4",
                    business, key, after, DB_INT(limit));
  return db_query(db, q,
                  "select call_sid from calls indexed by calls_to_number where business_id = ?1 and to_number = ?2"
                  " and call_sid > ?3 order by call_sid limit ?4",
                  business, key, after, DB_INT(limit));
}

/* Whether the row of the walk is to be marked: of all calls those that an address makes one of the number's; of what is held what
 * shows the hold, or shows one as an earlier release did. */
static enum err marking_wants(const struct marking *m, struct db_rows *q, bool *ret_wanted) {
  struct str digits = str_skip(str_from(m->key), 1);
  struct buf shown CLEANUP(buf_done) = BUF_INIT(64);
  *ret_wanted = true;
  if (m->step == STEP_ADDRESSES)
    *ret_wanted =
        mention_is_in(db_text(q, 1), digits, MENTION_PLAIN) || mention_is_in(db_text(q, 2), digits, MENTION_PLAIN);
  if (m->step != STEP_SHOWN) return OK;
  TRY(buf_addf(&shown, "{\"hold_id\":%lld,", (long long)m->hold_id));
  *ret_wanted = str_starts(db_text(q, 1), buf_str(&shown)) || !str_starts(db_text(q, 1), STR("{\"hold_id\":"));
  return OK;
}

static enum err marking_mark(struct db *db, int64_t business_id, struct str sid) {
  struct recording row;
  enum err e = recordings_get(db, business_id, sid, &row);
  if (e == ERR_NOT_FOUND) return holds_mark_call(db, business_id, sid, MARK_RECORDINGS_MAX);
  return e == OK ? holds_mark_row(db, &row) : e;
}

/* Deletes rows that keep nothing, of those up to m->after. */
static enum err marking_clean(struct db *db, const struct marking *m, const char *from) {
  if (m->step != STEP_KEPT) return OK;
  return db_run(db, "delete from hold_keeps where hold_id = ?1 and sid > ?2 and sid <= ?3 and (round <> ?4 or ?5 <> 0)",
                DB_INT(m->hold_id), DB_TEXT(str_from(from)), DB_TEXT(str_from(m->after)), DB_INT(m->round),
                DB_INT(m->is_removed));
}

/* *ret_count: how many rows it looked at. */
static enum err marking_calls(struct db *db, struct marking *m, int limit, int *ret_count) {
  char sids[MARK_CALLS_MAX][SID_SIZE], from[SID_SIZE];
  int n = 0, most = limit < MARK_CALLS_MAX ? limit : MARK_CALLS_MAX;
  enum err e = OK;
  bool wanted;
  *ret_count = 0;
  memcpy(from, m->after, sizeof(from));
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(marking_query(db, m, most, &q));
    while (n < most && (e = db_next(&q)) == OK) {
      TRY(db_text_copy(&q, 0, m->after, sizeof(m->after)));
      TRY(marking_wants(m, &q, &wanted));
      if (wanted) memcpy(sids[n++], m->after, SID_SIZE);
      ++*ret_count;
    }
    if (n < most && e != ERR_NOT_FOUND) return e;
  }
  for (int i = 0; i < n; i++) TRY(marking_mark(db, m->business_id, str_from(sids[i])));
  return n ? marking_clean(db, m, from) : OK;
}

static enum err marking_store(struct db *db, const struct marking *m, bool is_over) {
  if (!is_over)
    return db_run(db, "update holds set mark_step = ?2, mark_after = ?3 where hold_id = ?1", DB_INT(m->hold_id),
                  DB_INT(m->step), DB_TEXT(str_from(m->after)));
  TRY(db_run(db, "delete from holds where hold_id = ?1 and is_removed = 1", DB_INT(m->hold_id)));
  return db_run(db, "update holds set marked = 1 where hold_id = ?1", DB_INT(m->hold_id));
}

enum err holds_mark_part(struct db *db, int limit, bool *ret_more) {
  struct marking m;
  enum err e = marking_first(db, &m);
  *ret_more = e == OK;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  struct recording row;
  int count;
  e = recordings_get(db, m.business_id, str_from(m.key), &row);
  if (e == OK) TRY(holds_mark_row(db, &row));
  if (e == OK) return marking_store(db, &m, true);
  if (e != ERR_NOT_FOUND) return e;
  TRY(marking_calls(db, &m, limit, &count));
  if (count) return marking_store(db, &m, false);
  bool is_over = m.step >= STEP_KEPT && !(m.step == STEP_KEPT && m.is_removed);
  m.step = m.key[0] == '+' || m.step >= STEP_KEPT ? m.step + 1 : STEP_KEPT;
  m.after[0] = '\0';
  return marking_store(db, &m, is_over);
}
