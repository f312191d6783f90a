/* nodes.c - see nodes.h. */
#include "ledger/nodes.h"

enum err nodes_beat(struct db *db, const struct node *node) {
  int64_t now = db_now_ms(db);
  TRY(db_run(
      db,
      "insert into nodes (node_id, role, host, pid, works, started_at, seen_at, full_at, mark, version, address)"
      " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
      " on conflict (node_id) do update set role = excluded.role, host = excluded.host, pid = excluded.pid,"
      " works = excluded.works, started_at = excluded.started_at, seen_at = excluded.seen_at, mark = excluded.mark,"
      " full_at = case when excluded.full_at is not null then coalesce(nodes.full_at, excluded.full_at) end,"
      " version = excluded.version, address = excluded.address",
      DB_TEXT(str_from(node->node_id)), DB_TEXT(str_from(node->role)), DB_TEXT(str_from(node->host)), DB_INT(node->pid),
      DB_INT(node->works), DB_INT(node->started_at), DB_INT(now), node->is_full ? DB_INT(now) : DB_NULL,
      node->mark ? DB_INT(node->mark) : DB_NULL, DB_FILLED_OR_NULL(node->version), DB_FILLED_OR_NULL(node->address)));
  return db_run(db, "delete from nodes where abs(?1 - seen_at) > ?2", DB_INT(now), DB_INT(NODE_FORGOTTEN_MS));
}

enum err nodes_leave(struct db *db, struct str node_id) {
  return db_run(db, "delete from nodes where node_id = ?1", DB_TEXT(node_id));
}

enum err nodes_workers(struct db *db, int64_t now, int64_t within_ms, struct nodes_workers *ret_workers) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select count(*), count(full_at), max(full_at) from nodes where works <> 0 and abs(?1 - seen_at) <= ?2",
               DB_INT(now), DB_INT(within_ms)));
  TRY(db_next(&q));
  *ret_workers = (struct nodes_workers){.live = db_int(&q, 0), .full = db_int(&q, 1), .full_at = db_int(&q, 2)};
  return OK;
}

bool nodes_workers_are_full(const struct nodes_workers *workers) {
  return workers->live > 0 && workers->full == workers->live;
}

static enum err read_node(struct db_rows *q, struct node *ret_node) {
  struct node n = {.pid = db_int(q, 3),
                   .works = db_int(q, 4) != 0,
                   .started_at = db_int(q, 5),
                   .seen_at = db_int(q, 6),
                   .full_at = db_int(q, 7),
                   .mark = db_int(q, 8)};
  n.is_full = n.full_at != 0;
  enum err e = str_copy(n.node_id, sizeof(n.node_id), db_text(q, 0));
  if (e == OK) e = str_copy(n.role, sizeof(n.role), db_text(q, 1));
  if (e == OK) e = str_copy(n.host, sizeof(n.host), db_text(q, 2));
  if (e == OK) e = str_copy(n.version, sizeof(n.version), db_text(q, 9));
  if (e == OK) e = str_copy(n.address, sizeof(n.address), db_text(q, 10));
  if (e != OK) return ERR_CORRUPT;
  *ret_node = n;
  return OK;
}

enum err nodes_each(struct db *db, nodes_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select node_id, role, host, pid, works, started_at, seen_at, full_at, mark, version, address from nodes"
               " order by started_at, node_id"));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    struct node node;
    TRY(read_node(&q, &node));
    TRY(fn(arg, &node));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}
