/* calls_tree.c - see calls_tree.h.
 *
 *   a leg moves --calls_tree_moved--> MARKED in call_moves --update_children--> its children are updated; those that moved are
 *   MARKED in turn --> … --> no mark is left
 *
 * Invariants
 *  (1) top_sid is a pure function of the chain of parents: it does not depend on the order in which legs became known.
 *  (2) A leg that is out of date has a marked leg above it in the same committed state: a crash loses none.
 *  (3) A leg that is up to date is not written, and the legs below it are not read: so marks end, in a cycle too. */
#include "ledger/calls_tree.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/calls_search.h"
#include "ledger/changes.h"

/* ---- upwards ---- */

static enum err parent_of(struct db *db, int64_t business_id, const char *sid, char ret_parent[SID_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select parent_call_sid from calls where business_id = ?1 and call_sid = ?2",
               DB_INT(business_id), DB_TEXT(str_from(sid))));
  TRY(db_next(&q));
  struct str parent = db_text(&q, 0);
  return str_copy(ret_parent, SID_SIZE, parent.p ? parent : STR("")) == OK ? OK : ERR_CORRUPT;
}

/* The smallest call_sid of the cycle chain[from], … chain[count - 1]. */
static const char *smallest_in_cycle(char chain[][SID_SIZE], int from, int count) {
  const char *found = chain[from];
  for (int i = from + 1; i < count; i++)
    if (strcmp(chain[i], found) < 0) found = chain[i];
  return found;
}

enum err calls_tree_top(struct db *db, int64_t business_id, struct str call_sid, struct str parent_sid,
                        char ret_top[SID_SIZE]) {
  char chain[CALLS_TREE_DEPTH_MAX][SID_SIZE], next[SID_SIZE];
  TRY(str_copy(chain[0], SID_SIZE, call_sid));
  TRY(str_copy(next, SID_SIZE, parent_sid.p ? parent_sid : STR("")));
  int count = 1;
  while (next[0]) {
    for (int i = 0; i < count; i++) {
      if (strcmp(chain[i], next) != 0) continue;
      memcpy(ret_top, smallest_in_cycle(chain, i, count), SID_SIZE);
      return OK;
    }
    char above[SID_SIZE];
    enum err e = parent_of(db, business_id, next, above);
    if (e == ERR_NOT_FOUND || count == CALLS_TREE_DEPTH_MAX) break;
    TRY(e);
    memcpy(chain[count++], next, SID_SIZE);
    memcpy(next, above, SID_SIZE);
  }
  memcpy(ret_top, chain[count - 1], SID_SIZE);
  return OK;
}

enum err calls_tree_place(struct db *db, int64_t business_id, const char *top_sid, int64_t *ret_sort_at) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select sort_at from calls where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(str_from(top_sid))));
  TRY(db_next(&q));
  *ret_sort_at = db_int(&q, 0);
  return OK;
}

enum err calls_tree_top_now(struct db *db, int64_t business_id, struct str call_sid, char ret_top[SID_SIZE]) {
  char sid[SID_SIZE], parent[SID_SIZE];
  TRY(str_copy(sid, sizeof(sid), call_sid));
  TRY(parent_of(db, business_id, sid, parent));
  return calls_tree_top(db, business_id, str_from(sid), str_from(parent), ret_top);
}

/* ---- downwards ---- */

static enum err mark_parent(struct db *db, int64_t business_id, struct str call_sid) {
  return db_run_later(
      db,
      "insert into call_moves (business_id, call_sid, after_sid) select ?1, ?2, '' where exists (select 1"
      " from calls indexed by calls_parent where business_id = ?1 and parent_call_sid = ?2)"
      " on conflict (business_id, call_sid) do update set after_sid = ''",
      DB_INT(business_id), DB_TEXT(call_sid));
}

/* Children of one parent, read before any of them is written. */
struct legs {
  struct call *all; /* owned */
  int count;
};

static void legs_done(struct legs *l) {
  free(l->all);
}

static enum err tree_read_legs(struct db *db, int64_t business_id, const char *parent, const char *after, int limit,
                               struct legs *ret_legs) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " CALL_COLUMNS " from calls c indexed by calls_parent where business_id = ?1"
               " and parent_call_sid = ?2 and call_sid > ?3 order by call_sid limit ?4",
               DB_INT(business_id), DB_TEXT(str_from(parent)), DB_TEXT(str_from(after)), DB_INT(limit)));
  ret_legs->all = calloc((size_t)limit, sizeof(*ret_legs->all));
  if (!ret_legs->all) return ERR_NOMEM;
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(calls_read_row(&q, 0, &ret_legs->all[ret_legs->count++]));
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err update_leg(struct db *db, const struct call *leg) {
  char top[SID_SIZE];
  int64_t place, id;
  TRY(calls_tree_top(db, leg->business_id, str_from(leg->call_sid), str_from(leg->parent_call_sid), top));
  TRY(calls_tree_place(db, leg->business_id, top, &place));
  bool same_top = strcmp(top, leg->top_sid) == 0;
  int64_t placed_at = leg->document_id ? calls_search_time(leg->document_id) : -1;
  if (same_top && placed_at == calls_search_time(calls_search_first_id(place))) return OK; /* (3) */
  TRY(calls_search_put(db, leg, place, &id));
  TRY(db_run(db, "update calls set top_sid = ?3, document_id = ?4 where business_id = ?1 and call_sid = ?2",
             DB_INT(leg->business_id), DB_TEXT(str_from(leg->call_sid)), DB_TEXT(str_from(top)), DB_INT(id)));
  if (!same_top) TRY(changes_add(db, CHANGE_CALL, leg->business_id, str_from(leg->call_sid)));
  if (same_top && placed_at == calls_search_time(id)) return OK; /* no free id at that time: it has not moved */
  return mark_parent(db, leg->business_id, str_from(leg->call_sid));
}

/* Updates at most limit children of a marked parent, and deletes its mark after the last child. */
static enum err update_children(struct db *db, int64_t business_id, const char *parent, const char *after, int limit,
                                int *ret_count) {
  struct legs legs CLEANUP(legs_done) = {NULL, 0};
  TRY(tree_read_legs(db, business_id, parent, after, limit, &legs));
  if (legs.count == limit)
    TRY(db_run(db, "update call_moves set after_sid = ?3 where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(str_from(parent)), DB_TEXT(str_from(legs.all[limit - 1].call_sid))));
  else
    TRY(db_run(db, "delete from call_moves where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(str_from(parent))));
  for (int i = 0; i < legs.count; i++) TRY(update_leg(db, &legs.all[i]));
  *ret_count = legs.count;
  return OK;
}

struct mark {
  int64_t business_id;
  char call_sid[SID_SIZE], after_sid[SID_SIZE];
};

static enum err read_mark(struct db_rows *q, struct mark *ret_mark) {
  struct mark m;
  TRY(db_next(q));
  m.business_id = db_int(q, 0);
  if (str_copy(m.call_sid, SID_SIZE, db_text(q, 1)) != OK || str_copy(m.after_sid, SID_SIZE, db_text(q, 2)) != OK)
    return ERR_CORRUPT;
  *ret_mark = m;
  return OK;
}

static enum err first_mark(struct db *db, int64_t from_business, struct mark *ret_mark) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select business_id, call_sid, after_sid from call_moves where business_id >= ?1"
               " order by business_id, call_sid limit 1",
               DB_INT(from_business)));
  return read_mark(&q, ret_mark);
}

enum err calls_tree_follow(struct db *db, int64_t *business_id, int limit, int *ret_left) {
  struct mark m;
  int64_t from = *business_id + 1;
  while (limit > 0) {
    enum err e = first_mark(db, from, &m);
    if (e == ERR_NOT_FOUND && from > 0) e = first_mark(db, 0, &m); /* begin again with the first business */
    if (e == ERR_NOT_FOUND) break;
    TRY(e);
    int count;
    TRY(update_children(db, m.business_id, m.call_sid, m.after_sid, limit, &count));
    limit -= count + 1; /* a mark without children counts as one */
    from = *business_id = m.business_id;
  }
  *ret_left = limit > 0 ? limit : 0;
  return OK;
}

/* Updates marks of this business only; the upkeep does the others. */
enum err calls_tree_moved(struct db *db, int64_t business_id, struct str call_sid) {
  TRY(mark_parent(db, business_id, call_sid));
  int limit = CALLS_TREE_AT_ONCE;
  while (limit > 0) {
    struct mark m;
    enum err e = first_mark(db, business_id, &m);
    if (e == ERR_NOT_FOUND || (e == OK && m.business_id != business_id)) return OK;
    TRY(e);
    int count;
    TRY(update_children(db, business_id, m.call_sid, m.after_sid, limit, &count));
    limit -= count + 1;
  }
  return OK;
}

/* Of more than MARKS_READ marks it does not look which tree they are of. */
enum err calls_tree_is_moving(struct db *db, int64_t business_id, struct str call_sid, bool *ret_moving) {
  enum { MARKS_READ = 20 };
  char marks[MARKS_READ][SID_SIZE], top[SID_SIZE], other[SID_SIZE];
  int count = 0;
  enum err e = OK;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q, "select call_sid from call_moves where business_id = ?1 limit ?2", DB_INT(business_id),
                 DB_INT(MARKS_READ)));
    while (count < MARKS_READ && (e = db_next(&q)) == OK) TRY(db_text_copy(&q, 0, marks[count++], SID_SIZE));
    if (e != OK && e != ERR_NOT_FOUND) return e;
  }
  *ret_moving = count == MARKS_READ;
  if (count == 0 || *ret_moving) return OK;
  e = calls_tree_top_now(db, business_id, call_sid, top);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  for (int i = 0; i < count && !*ret_moving; i++) {
    e = calls_tree_top_now(db, business_id, str_from(marks[i]), other);
    if (e == ERR_NOT_FOUND) continue; /* its leg was removed: no leg follows it */
    TRY(e);
    *ret_moving = strcmp(top, other) == 0;
  }
  return OK;
}
