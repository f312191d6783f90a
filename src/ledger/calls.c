/* calls.c - see calls.h.
 *
 * Invariants
 *  (1) top_sid is the end of the chain of known parents; itself where there is none (calls_tree.h).
 *  (2) Every write adds a row to `changes` and updates the leg's own document, in the same transaction.
 *  (3) The cost of a write does not depend on the number of the call's legs: legs that must follow it are marked. */
#include "ledger/calls.h"

#include <string.h>

#include "ledger/calls_search.h"
#include "ledger/calls_tree.h"
#include "ledger/changes.h"

#define READ_TEXT(member) TRY(db_text_copy(q, at++, ret_call->member, sizeof(ret_call->member)))

enum err calls_read_row_columns(struct db_rows *q, int from, struct call *ret_call) {
  memset(ret_call, 0, sizeof(*ret_call));
  int at = from;
  ret_call->business_id = db_int(q, at++);
  READ_TEXT(call_sid);
  READ_TEXT(parent_call_sid);
  READ_TEXT(top_sid);
  READ_TEXT(account_sid);
  READ_TEXT(provider_direction);
  READ_TEXT(direction);
  READ_TEXT(from_number);
  READ_TEXT(to_number);
  READ_TEXT(caller_name);
  READ_TEXT(status);
  ret_call->duration_s = db_int_or(q, at++, -1);
  ret_call->earliest_at = db_int(q, at++);
  ret_call->started_at = db_int(q, at++);
  ret_call->ended_at = db_int(q, at++);
  READ_TEXT(customer_name);
  READ_TEXT(ref);
  READ_TEXT(metadata);
  ret_call->first_seen_at = db_int(q, at++);
  ret_call->document_id = db_int(q, at++);
  READ_TEXT(tags);
  return OK;
}

enum err calls_read_row(struct db_rows *q, int from, struct call *ret_call) {
  TRY(calls_read_row_columns(q, from, ret_call));
  int at = from + CALL_ROW_COLUMN_COUNT;
  READ_TEXT(agent);
  READ_TEXT(own_number);
  READ_TEXT(hold);
  return OK;
}

#undef READ_TEXT

enum err calls_has_child(struct db *db, int64_t business_id, struct str call_sid, bool *ret_has) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select 1 from calls indexed by calls_parent where business_id = ?1 and parent_call_sid = ?2 limit 1",
               DB_INT(business_id), DB_TEXT(call_sid)));
  enum err e = db_next(&q);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_has = e == OK;
  return OK;
}

enum err calls_get(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " CALL_COLUMNS " from calls c where business_id = ?1 and call_sid = ?2",
               DB_INT(business_id), DB_TEXT(call_sid)));
  TRY(db_next(&q));
  return calls_read_row(&q, 0, ret_call);
}

enum err calls_read(struct db *db, int64_t business_id, struct str call_sid, struct call *ret_call,
                    struct buf *fields) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " CALL_COLUMNS ", c.fields from calls c where business_id = ?1 and call_sid = ?2",
               DB_INT(business_id), DB_TEXT(call_sid)));
  TRY(db_next(&q));
  TRY(calls_read_row(&q, 0, ret_call));
  return buf_add(fields, db_text(&q, CALL_COLUMN_COUNT));
}

static enum err calls_write_row(struct db *db, const struct call *c, struct str fields) {
  return db_run_later(
      db,
      "insert into calls (business_id, call_sid, parent_call_sid, top_sid, account_sid, provider_direction,"
      " direction, from_number, to_number, caller_name, status, duration_s, earliest_at, started_at, ended_at,"
      " first_seen_at, sort_at, fields, document_id)"
      " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
      " on conflict (business_id, call_sid) do update set parent_call_sid = ?3, top_sid = ?4, account_sid = ?5, "
      "provider_direction = ?6,"
      " direction = ?7, from_number = ?8, to_number = ?9, caller_name = ?10, status = ?11, duration_s = ?12,"
      " earliest_at = ?13, started_at = ?14, ended_at = ?15, first_seen_at = ?16, sort_at = ?17, fields = ?18,"
      " document_id = ?19",
      DB_INT(c->business_id), DB_TEXT(str_from(c->call_sid)), DB_FILLED_OR_NULL(c->parent_call_sid),
      DB_TEXT(str_from(c->top_sid)), DB_FILLED_OR_NULL(c->account_sid), DB_FILLED_OR_NULL(c->provider_direction),
      DB_FILLED_OR_NULL(c->direction), DB_FILLED_OR_NULL(c->from_number), DB_FILLED_OR_NULL(c->to_number),
      DB_FILLED_OR_NULL(c->caller_name), DB_FILLED_OR_NULL(c->status), DB_INT_OR_NULL(c->duration_s),
      DB_TIME_OR_NULL(c->earliest_at), DB_TIME_OR_NULL(c->started_at), DB_TIME_OR_NULL(c->ended_at),
      DB_INT(c->first_seen_at), DB_INT(calls_sort_at(c)), DB_TEXT(fields), DB_TIME_OR_NULL(c->document_id));
}

static bool has_same_text(const struct call *a, const struct call *b) {
  return strcmp(a->from_number, b->from_number) == 0 && strcmp(a->to_number, b->to_number) == 0 &&
         strcmp(a->caller_name, b->caller_name) == 0;
}

/* Writes the leg's own document at the time of its top leg, and sets c->document_id. */
static enum err calls_put_document(struct db *db, struct call *c) {
  int64_t place = calls_sort_at(c);
  if (strcmp(c->top_sid, c->call_sid) != 0) TRY(calls_tree_place(db, c->business_id, c->top_sid, &place));
  TRY(calls_search_put(db, c, place, &c->document_id));
  return calls_search_merge(db);
}

enum err calls_put(struct db *db, const struct call *was, const struct call *call, struct str fields) {
  struct call c = *call;
  struct str sid = str_from(c.call_sid);
  bool same_parent = was && strcmp(was->parent_call_sid, c.parent_call_sid) == 0;
  bool same_time = was && calls_sort_at(was) == calls_sort_at(&c);
  if (was) memcpy(c.top_sid, was->top_sid, sizeof(c.top_sid));
  if (!same_parent) TRY(calls_tree_top(db, c.business_id, sid, str_from(c.parent_call_sid), c.top_sid));
  bool same_top = was && strcmp(was->top_sid, c.top_sid) == 0;
  c.document_id = was ? was->document_id : 0;
  if (!same_top || !same_time || !c.document_id || !has_same_text(was, &c)) TRY(calls_put_document(db, &c));
  TRY(calls_write_row(db, &c, fields));
  bool is_top = strcmp(c.top_sid, c.call_sid) == 0;
  if (!same_top || (is_top && !same_time)) TRY(calls_tree_moved(db, c.business_id, sid));
  if (!is_top && (!same_top || !has_same_text(was, &c))) /* its top leg may have another agent or number now */
    TRY(changes_add(db, CHANGE_CALL, c.business_id, str_from(c.top_sid)));
  return changes_add(db, CHANGE_CALL, c.business_id, sid);
}

static struct db_value host_value(const struct str *s) {
  return s && s->n ? DB_TEXT(*s) : DB_NULL;
}

static enum err read_top(struct db *db, int64_t business_id, struct str call_sid, char ret_top[SID_SIZE]) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select top_sid from calls where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
               DB_TEXT(call_sid)));
  TRY(db_next(&q));
  return str_copy(ret_top, SID_SIZE, db_text(&q, 0)) == OK ? OK : ERR_CORRUPT;
}

/* Sets the name that the host sent, and updates the document. */
static enum err set_customer_name(struct db *db, int64_t business_id, struct str call_sid, struct str name) {
  struct call c;
  TRY(calls_get(db, business_id, call_sid, &c));
  if (c.document_id && str_eq(name, str_from(c.customer_name))) return OK;
  if (str_copy(c.customer_name, sizeof(c.customer_name), name) != OK) return ERR_TOO_BIG;
  TRY(calls_put_document(db, &c));
  return db_run(db, "update calls set customer_name = ?3, document_id = ?4 where business_id = ?1 and call_sid = ?2",
                DB_INT(business_id), DB_TEXT(call_sid), host_value(&name), DB_INT(c.document_id));
}

/* The agent stands at the top leg; a change of it is one of both calls. */
static enum err set_agent(struct db *db, int64_t business_id, struct str call_sid, const struct str *agent) {
  char top[SID_SIZE];
  TRY(read_top(db, business_id, call_sid, top));
  struct str top_sid = str_from(top);
  TRY(db_run(db, "update calls set agent_said = ?3 where business_id = ?1 and call_sid = ?2", DB_INT(business_id),
             DB_TEXT(top_sid), host_value(agent)));
  return str_eq(top_sid, call_sid) ? OK : changes_add(db, CHANGE_CALL, business_id, top_sid);
}

enum err calls_set_host(struct db *db, int64_t business_id, struct str call_sid, const struct calls_host *host) {
  TRY(db_run(db,
             "update calls set ref = case when ?3 <> 0 then ?4 else ref end,"
             " metadata = case when ?5 <> 0 then ?6 else metadata end, tags = case when ?7 <> 0 then ?8 else tags end"
             " where business_id = ?1 and call_sid = ?2",
             DB_INT(business_id), DB_TEXT(call_sid), DB_INT(!!host->ref), host_value(host->ref),
             DB_INT(!!host->metadata), host_value(host->metadata), DB_INT(!!host->tags), host_value(host->tags)));
  if (db_changed(db) == 0) return ERR_NOT_FOUND;
  if (host->agent) TRY(set_agent(db, business_id, call_sid, host->agent));
  if (host->customer_name) TRY(set_customer_name(db, business_id, call_sid, *host->customer_name));
  return changes_add(db, CHANGE_CALL, business_id, call_sid);
}

enum err calls_legs(struct db *db, int64_t business_id, struct str call_sid, calls_leg_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select p.call_sid from calls c join calls p on p.business_id = c.business_id"
               " and p.call_sid = c.parent_call_sid where c.business_id = ?1 and c.call_sid = ?2"
               " union all select call_sid from calls indexed by calls_parent"
               " where business_id = ?1 and parent_call_sid = ?2 limit 1000",
               DB_INT(business_id), DB_TEXT(call_sid)));
  enum err e;
  while ((e = db_next(&q)) == OK) TRY(fn(arg, db_text(&q, 0)));
  return e == ERR_NOT_FOUND ? OK : e;
}
