/* calls_upkeep.c - see calls_upkeep.h.
 *
 * The full-text index is fastest when documents are written and deleted in ascending order of their ids, so each part is
 * sorted. */
#include "ledger/calls_upkeep.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/calls_blocks.h"
#include "ledger/calls_facets.h"
#include "ledger/calls_groups.h"
#include "ledger/calls_search.h"
#include "ledger/calls_tree.h"
#include "ledger/transcript_terms.h"

enum { TERMS_FOR_A_CALL = 10, CALLS_FOR_A_BLOCK = 5 }; /* as much work as to index a call; as many calls */

enum err calls_upkeep_needed(struct db *db, bool *ret_needed) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select exists (select 1 from call_moves) or exists (select 1 from call_documents_gone)"
      " or exists (select 1 from call_documents_stale) or exists (select 1 from call_documents_build)"
      " or exists (select 1 from call_facets_build)"
      " or exists (select 1 from call_documents_folding where version < ?1) or exists (select 1 from calls_recorded)",
      DB_INT(CALLS_SEARCH_FOLDING)));
  TRY(db_next(&q));
  *ret_needed = db_int(&q, 0) != 0;
  if (!*ret_needed) TRY(transcript_terms_are_due(db, ret_needed));
  if (!*ret_needed) TRY(calls_blocks_are_due(db, ret_needed));
  return *ret_needed ? OK : calls_groups_are_due(db, ret_needed);
}

/* ---- documents of deleted calls ---- */

enum err calls_upkeep_delete(struct db *db, int limit, int *ret_count) {
  *ret_count = 0;
  if (db_kind(db) == DB_POSTGRES) return OK; /* a trigger deletes the document with its call */
  TRY(db_run(db,
             DB_FOR_SQLITE "delete from call_documents where rowid in (select document_id from call_documents_gone"
                           " order by document_id limit ?1)",
             DB_INT(limit)));
  TRY(db_run(db,
             DB_FOR_SQLITE
             "delete from call_documents_gone where document_id in (select document_id from call_documents_gone"
             " order by document_id limit ?1)",
             DB_INT(limit)));
  *ret_count = (int)db_changed(db);
  return OK;
}

/* ---- calls whose document is missing or out of date ---- */

struct batch {
  struct call *all; /* owned */
  int64_t *places;  /* owned: the sort_at of each one's top leg */
  int count, room;
};

static void upkeep_batch_done(struct batch *b) {
  free(b->all);
  free(b->places);
}

static enum err upkeep_batch_init(struct batch *b, int room) {
  b->all = calloc((size_t)room, sizeof(*b->all));
  b->places = calloc((size_t)room, sizeof(*b->places));
  b->room = room;
  return b->all && b->places ? OK : ERR_NOMEM;
}

/* Reads rows of CALL_COLUMNS and the top leg's sort_at. */
static enum err upkeep_batch_read(struct batch *b, struct db_rows *q) {
  enum err e;
  while (b->count < b->room && (e = db_next(q)) == OK) {
    TRY(calls_read_row(q, 0, &b->all[b->count]));
    b->places[b->count++] = db_int(q, CALL_COLUMN_COUNT);
  }
  return b->count == b->room || e == ERR_NOT_FOUND ? OK : e;
}

static enum err index_call(struct db *db, const struct call *c, int64_t place) {
  int64_t id;
  TRY(calls_search_put(db, c, place, &id));
  return db_run(db, "update calls set document_id = ?3 where business_id = ?1 and call_sid = ?2",
                DB_INT(c->business_id), DB_TEXT(str_from(c->call_sid)), DB_INT(id));
}

#define PLACED_CALL                                                                                            \
  CALL_COLUMNS                                                                                                 \
  ", coalesce((select t.sort_at from calls t where t.business_id = c.business_id and t.call_sid = c.top_sid)," \
  " c.sort_at)"

static enum err index_stale(struct db *db, int limit, int *ret_count) {
  struct batch b CLEANUP(upkeep_batch_done) = {.all = NULL};
  TRY(upkeep_batch_init(&b, limit));
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q,
                 "select " PLACED_CALL " from (select business_id, call_sid from call_documents_stale"
                 " order by business_id, call_sid limit ?1) s"
                 " cross join calls c on c.business_id = s.business_id and c.call_sid = s.call_sid",
                 DB_INT(limit)));
    TRY(upkeep_batch_read(&b, &q));
  }
  for (int i = 0; i < b.count; i++) {
    TRY(index_call(db, &b.all[i], b.places[i]));
    TRY(db_run(db, "delete from call_documents_stale where business_id = ?1 and call_sid = ?2",
               DB_INT(b.all[i].business_id), DB_TEXT(str_from(b.all[i].call_sid))));
  }
  *ret_count = b.count;
  return OK;
}

/* ---- calls of an older schema ---- */

struct build_cursor {
  int64_t business_id, sort_at;
  char call_sid[SID_SIZE];
};

static enum err read_cursor(struct db *db, struct build_cursor *ret_cursor) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select business_id, sort_at, call_sid from call_documents_build limit 1"));
  TRY(db_next(&q));
  ret_cursor->business_id = db_int(&q, 0);
  ret_cursor->sort_at = db_int(&q, 1);
  return str_copy(ret_cursor->call_sid, SID_SIZE, db_text(&q, 2)) == OK ? OK : ERR_CORRUPT;
}

static enum err facets_next_business(struct db *db, int64_t *business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select min(business_id) from calls where business_id > ?1", DB_INT(*business_id)));
  TRY(db_next(&q));
  if (db_is_null(&q, 0)) return ERR_NOT_FOUND;
  *business_id = db_int(&q, 0);
  return OK;
}

static enum err read_older(struct db *db, const struct build_cursor *at, struct batch *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " PLACED_CALL " from calls c indexed by calls_newest_leg where c.business_id = ?1"
               " and (c.sort_at, c.call_sid) < (?2, ?3) order by c.sort_at desc, c.call_sid desc limit ?4",
               DB_INT(at->business_id), DB_INT(at->sort_at), DB_TEXT(str_from(at->call_sid)), DB_INT(b->room)));
  return upkeep_batch_read(b, &q);
}

static enum err move_cursor(struct db *db, const struct build_cursor *to) {
  return db_run(db, "update call_documents_build set business_id = ?1, sort_at = ?2, call_sid = ?3",
                DB_INT(to->business_id), DB_INT(to->sort_at), DB_TEXT(str_from(to->call_sid)));
}

/* Indexes the newest calls first; within a part the oldest first, in ascending order of ids. */
static enum err index_older(struct db *db, struct calls_upkeep *u, int limit, int *ret_count) {
  *ret_count = 0;
  struct build_cursor at;
  enum err e = read_cursor(db, &at);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  struct batch b CLEANUP(upkeep_batch_done) = {.all = NULL};
  TRY(upkeep_batch_init(&b, limit));
  TRY(read_older(db, &at, &b));
  if (b.count == 0) {
    e = facets_next_business(db, &at.business_id);
    if (e == ERR_NOT_FOUND) return db_run(db, "delete from call_documents_build");
    TRY(e);
    at.sort_at = INT64_MAX;
    at.call_sid[0] = '\0';
    return move_cursor(db, &at);
  }
  for (int i = b.count - 1; i >= 0; i--)
    if (!b.all[i].document_id) TRY(index_call(db, &b.all[i], b.places[i]));
  *ret_count = b.count;
  u->indexed += b.count;
  const struct call *last = &b.all[b.count - 1];
  at.sort_at = calls_sort_at(last);
  memcpy(at.call_sid, last->call_sid, sizeof(at.call_sid));
  return move_cursor(db, &at);
}

/* ---- calls with an earlier folding ---- */

static enum err read_folding_cursor(struct db *db, struct build_cursor *ret_cursor) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select business_id, sort_at, call_sid from call_documents_folding where version < ?1 limit 1",
               DB_INT(CALLS_SEARCH_FOLDING)));
  TRY(db_next(&q));
  ret_cursor->business_id = db_int(&q, 0);
  ret_cursor->sort_at = db_int(&q, 1);
  return str_copy(ret_cursor->call_sid, SID_SIZE, db_text(&q, 2)) == OK ? OK : ERR_CORRUPT;
}

static enum err move_folding_cursor(struct db *db, const struct build_cursor *to) {
  return db_run(db, "update call_documents_folding set business_id = ?1, sort_at = ?2, call_sid = ?3",
                DB_INT(to->business_id), DB_INT(to->sort_at), DB_TEXT(str_from(to->call_sid)));
}

static enum err end_folding(struct db *db) {
  return db_run(db, "update call_documents_folding set version = ?1, business_id = 0, sort_at = 0, call_sid = ''",
                DB_INT(CALLS_SEARCH_FOLDING));
}

/* Indexes calls again, the newest first; within a part the oldest first, as index_older. */
static enum err index_folding(struct db *db, struct calls_upkeep *u, int limit) {
  struct build_cursor at;
  enum err e = read_folding_cursor(db, &at);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  struct batch b CLEANUP(upkeep_batch_done) = {.all = NULL};
  TRY(upkeep_batch_init(&b, limit));
  TRY(read_older(db, &at, &b));
  if (b.count == 0) {
    e = facets_next_business(db, &at.business_id);
    if (e == ERR_NOT_FOUND) return end_folding(db);
    TRY(e);
    at.sort_at = INT64_MAX;
    at.call_sid[0] = '\0';
    return move_folding_cursor(db, &at);
  }
  for (int i = b.count - 1; i >= 0; i--)
    if (b.all[i].document_id) TRY(index_call(db, &b.all[i], b.places[i]));
  u->indexed += b.count;
  const struct call *last = &b.all[b.count - 1];
  at.sort_at = calls_sort_at(last);
  memcpy(at.call_sid, last->call_sid, sizeof(at.call_sid));
  return move_folding_cursor(db, &at);
}

/* ---- children of calls that got or lost a recording ---- */

struct recorded_mark {
  int64_t business_id;
  char call_sid[SID_SIZE], after_sid[SID_SIZE];
};

static enum err recorded_first(struct db *db, struct recorded_mark *ret_mark) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id, call_sid, after_sid from calls_recorded order by business_id, call_sid limit 1"));
  TRY(db_next(&q));
  ret_mark->business_id = db_int(&q, 0);
  TRY(str_copy(ret_mark->call_sid, SID_SIZE, db_text(&q, 1)));
  return str_copy(ret_mark->after_sid, SID_SIZE, db_text(&q, 2));
}

/* Moves the mark behind its next children, at most limit. *ret_count: how many they are. */
static enum err recorded_next_children(struct db *db, struct recorded_mark *m, int limit, int *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select k.call_sid from calls k indexed by calls_parent where k.business_id = ?1"
               " and k.parent_call_sid = ?2 and k.call_sid > ?3 order by k.call_sid limit ?4",
               DB_INT(m->business_id), DB_TEXT(str_from(m->call_sid)), DB_TEXT(str_from(m->after_sid)), DB_INT(limit)));
  enum err e;
  int count = 0;
  for (; (e = db_next(&q)) == OK; count++) TRY(str_copy(m->after_sid, SID_SIZE, db_text(&q, 0)));
  *ret_count = count;
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Brings `unrecorded` of the children behind `from`, up to the mark, in line with what recordings there are now. */
static enum err recorded_mark_children(struct db *db, const struct recorded_mark *m, const char *from) {
  TRY(db_run(
      db,
      "update calls indexed by calls_parent set unrecorded = null where business_id = ?1 and parent_call_sid = ?2"
      " and call_sid > ?3 and call_sid <= ?4 and unrecorded is not null"
      " and exists (select 1 from recordings r where r.business_id = ?1 and r.call_sid = ?2)",
      DB_INT(m->business_id), DB_TEXT(str_from(m->call_sid)), DB_TEXT(str_from(from)),
      DB_TEXT(str_from(m->after_sid))));
  return db_run(
      db,
      "update calls indexed by calls_parent set unrecorded = 1 where business_id = ?1 and parent_call_sid = ?2"
      " and call_sid > ?3 and call_sid <= ?4 and unrecorded is null"
      " and not exists (select 1 from recordings r where r.business_id = ?1 and r.call_sid = ?2)"
      " and not exists (select 1 from recordings r where r.business_id = ?1 and r.call_sid = calls.call_sid)",
      DB_INT(m->business_id), DB_TEXT(str_from(m->call_sid)), DB_TEXT(str_from(from)), DB_TEXT(str_from(m->after_sid)));
}

static enum err update_unrecorded(struct db *db, int limit, int *ret_count) {
  struct recorded_mark m;
  enum err e = recorded_first(db, &m);
  *ret_count = 0;
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  char from[SID_SIZE];
  memcpy(from, m.after_sid, sizeof(from));
  TRY(recorded_next_children(db, &m, limit, ret_count));
  TRY(recorded_mark_children(db, &m, from));
  if (*ret_count < limit)
    return db_run(db, "delete from calls_recorded where business_id = ?1 and call_sid = ?2", DB_INT(m.business_id),
                  DB_TEXT(str_from(m.call_sid)));
  return db_run(db, "update calls_recorded set after_sid = ?3 where business_id = ?1 and call_sid = ?2",
                DB_INT(m.business_id), DB_TEXT(str_from(m.call_sid)), DB_TEXT(str_from(m.after_sid)));
}

enum err calls_upkeep_run(struct db *db, struct calls_upkeep *u, int limit, bool *ret_more) {
  int left, count;
  TRY(calls_tree_follow(db, &u->business_id, limit, &left));
  if (left) {
    TRY(update_unrecorded(db, left, &count));
    left -= count;
  }
  if (left) {
    TRY(transcript_terms_update(db, &u->terms_business_id, left * TERMS_FOR_A_CALL, &count));
    left -= (count + TERMS_FOR_A_CALL - 1) / TERMS_FOR_A_CALL;
  }
  for (count = 1; left > 0 && count; left -= count ? CALLS_FOR_A_BLOCK : 0)
    TRY(calls_blocks_update(db, &u->blocks_business_id, &count));
  if (left == limit) { /* a group is more than a part: nothing else is done with it */
    TRY(calls_groups_update(db, &u->groups_business_id, u->group_blocks, &count));
    left -= count;
  }
  if (left > 0) {
    TRY(calls_upkeep_delete(db, left, &count));
    left -= count;
  }
  if (left > 0) {
    TRY(index_stale(db, left, &count));
    left -= count;
  }
  if (left > 0) {
    TRY(index_older(db, u, left, &count));
    left -= count;
  }
  if (left > 0) TRY(index_folding(db, u, left));
  if (left > 0) {
    TRY(calls_facets_add_older(db, left, &count));
    u->indexed += count;
  }
  TRY(calls_search_merge(db));
  return calls_upkeep_needed(db, ret_more);
}
