#include "ledger/calls_many.h"

#include "ledger/calls_search.h"

enum { DOCUMENT_MAX = 64 * 1024, FIELDS_MAX = 1024 * 1024 };

static enum err read_lookup(struct db_rows *q, struct call_lookup *l) {
  enum { SPECIAL = 1, CHILDREN, TOP_TIME, PARENT_TIME, PARENT_IS_TOP, FIELDS, CALL };
  l->is_special = db_int(q, SPECIAL) != 0;
  l->has_children = db_int(q, CHILDREN) != 0;
  l->is_known = !db_is_null(q, CALL);
  l->top_sort_at = db_int(q, TOP_TIME);
  l->parent_is_known = !db_is_null(q, PARENT_TIME);
  l->parent_sort_at = db_int(q, PARENT_TIME);
  l->parent_is_top = db_int_or(q, PARENT_IS_TOP, 0) != 0;
  l->call.business_id = l->business_id;
  if (!l->is_known) return str_copy(l->call.call_sid, SID_SIZE, str_from(l->call_sid));
  TRY(calls_read_row_columns(q, CALL, &l->call));
  return buf_add(&l->fields, db_text(q, FIELDS));
}

enum err calls_many_read(struct db *db, struct call_lookup *lookups, int count) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  for (int i = 0; i < count; i++) {
    struct call_lookup *l = &lookups[i];
    buf_init(&l->fields, FIELDS_MAX);
    TRY(db_set_add(&set, DB_INT(i), DB_INT(l->business_id), DB_TEXT(str_from(l->call_sid)),
                   DB_TEXT(str_from(l->parent_sid))));
  }
  TRY(db_query_set(
      db, &q, &set,
      "select k.n, exists (select 1 from removed_calls m where m.business_id = k.business_id"
      " and m.call_sid in (k.call_sid, k.parent_sid))"
      " or exists (select 1 from erasures e where e.business_id = k.business_id and e.tree_sid is not null)"
      " or exists (select 1 from holds h where h.business_id = k.business_id),"
      " exists (select 1 from calls d where d.business_id = k.business_id and d.parent_call_sid = k.call_sid),"
      " t.sort_at, p.sort_at, p.top_sid = p.call_sid and p.parent_call_sid is null, c.fields,"
      " " CALL_ROW_COLUMNS
      " from unnest(?1::bigint[], ?2::bigint[], ?3::text[], ?4::text[]) k (n, business_id, call_sid, parent_sid)"
      " left join calls c on c.business_id = k.business_id and c.call_sid = k.call_sid"
      " left join calls t on t.business_id = c.business_id and t.call_sid = c.top_sid"
      " left join calls p on p.business_id = k.business_id and p.call_sid = k.parent_sid"));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    int64_t n = db_int(&q, 0);
    if (n < 0 || n >= count) return ERR_CORRUPT;
    TRY(read_lookup(&q, &lookups[n]));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* ---- writing ---- */

enum err calls_many_write_documents(struct db *db, struct call_write *writes, int count) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  for (int i = 0; i < count; i++) {
    if (!writes[i].has_new_document) continue;
    struct buf digits CLEANUP(buf_done) = BUF_INIT(DOCUMENT_MAX), names CLEANUP(buf_done) = BUF_INIT(DOCUMENT_MAX);
    struct call *c = writes[i].call;
    int64_t id;
    TRY(calls_search_document(c, writes[i].place, &digits, &names, &id));
    c->document_id = id;
    TRY(db_set_add(&set, DB_INT(c->business_id), DB_TEXT(str_from(c->call_sid)), DB_INT(id), DB_TEXT(buf_str(&digits)),
                   DB_TEXT(buf_str(&names))));
  }
  if (set.rows == 0) return OK;
  return db_run_set_later(
      db, &set,
      "insert into call_documents (business_id, call_sid, rowid, digits, names)"
      " select * from unnest(?1::bigint[], ?2::text[], ?3::bigint[], ?4::text[], ?5::text[])"
      " on conflict (business_id, call_sid) do update set rowid = excluded.rowid, digits = excluded.digits,"
      " names = excluded.names");
}

static enum err add_row(struct db_set *set, const struct call_write *w) {
  const struct call *c = w->call;
  return db_set_add(
      set, DB_INT(c->business_id), DB_TEXT(str_from(c->call_sid)), DB_FILLED_OR_NULL(c->parent_call_sid),
      DB_TEXT(str_from(c->top_sid)), DB_FILLED_OR_NULL(c->account_sid), DB_FILLED_OR_NULL(c->provider_direction),
      DB_FILLED_OR_NULL(c->direction), DB_FILLED_OR_NULL(c->from_number), DB_FILLED_OR_NULL(c->to_number),
      DB_FILLED_OR_NULL(c->caller_name), DB_FILLED_OR_NULL(c->status), DB_INT_OR_NULL(c->duration_s),
      DB_TIME_OR_NULL(c->earliest_at), DB_TIME_OR_NULL(c->started_at), DB_TIME_OR_NULL(c->ended_at),
      DB_INT(c->first_seen_at), DB_INT(calls_sort_at(c)), DB_TEXT(w->fields), DB_TIME_OR_NULL(c->document_id));
}

/* A trigger would look each row up in `recordings`: the insert does so for all. */
static enum err say_recorded(struct db *db, bool is_known) {
  return db_run_later(db, DB_FOR_POSTGRES "select set_config('callreel.recorded_is_known', ?1, true)",
                      DB_TEXT(is_known ? STR("on") : STR("off")));
}

static enum err calls_many_insert_rows(struct db *db, struct db_set *set) {
  return db_run_set_later(
      db, set,
      "insert into calls (business_id, call_sid, parent_call_sid, top_sid, account_sid, provider_direction,"
      " direction, from_number, to_number, caller_name, status, duration_s, earliest_at, started_at, ended_at,"
      " first_seen_at, sort_at, fields, document_id, unrecorded)"
      " select k.*, case when not exists (select 1 from recordings r where r.business_id = k.business_id"
      "  and r.call_sid = k.call_sid) and (k.parent_call_sid is null or not exists (select 1 from recordings r"
      "  where r.business_id = k.business_id and r.call_sid = k.parent_call_sid)) then 1 end"
      " from unnest(?1::bigint[], ?2::text[], ?3::text[], ?4::text[], ?5::text[], ?6::text[], ?7::text[],"
      " ?8::text[], ?9::text[], ?10::text[], ?11::text[], ?12::bigint[], ?13::bigint[], ?14::bigint[], ?15::bigint[],"
      " ?16::bigint[], ?17::bigint[], ?18::text[], ?19::bigint[]) k (business_id, call_sid, parent_call_sid, top_sid,"
      " account_sid, provider_direction, direction, from_number, to_number, caller_name, status, duration_s,"
      " earliest_at, started_at, ended_at, first_seen_at, sort_at, fields, document_id)"
      " on conflict (business_id, call_sid) do update set parent_call_sid = excluded.parent_call_sid,"
      " top_sid = excluded.top_sid, account_sid = excluded.account_sid, provider_direction ="
      " excluded.provider_direction, direction = excluded.direction, from_number = excluded.from_number,"
      " to_number = excluded.to_number, caller_name = excluded.caller_name, status = excluded.status,"
      " duration_s = excluded.duration_s, earliest_at = excluded.earliest_at, started_at = excluded.started_at,"
      " ended_at = excluded.ended_at, first_seen_at = excluded.first_seen_at, sort_at = excluded.sort_at,"
      " fields = excluded.fields, document_id = excluded.document_id");
}

enum err calls_many_write(struct db *db, const struct call_write *writes, int count) {
  struct db_set set CLEANUP(db_set_done) = DB_SET;
  if (count == 0) return OK;
  for (int i = 0; i < count; i++) TRY(add_row(&set, &writes[i]));
  TRY(say_recorded(db, true));
  TRY(calls_many_insert_rows(db, &set));
  return say_recorded(db, false);
}
