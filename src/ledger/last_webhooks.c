#include "ledger/last_webhooks.h"

enum err last_webhooks_put(struct db *db, const struct last_webhook *w) {
  struct str reason = str_from(w->reason);
  return db_run(db,
                "insert into last_webhooks (business_id, at, kind, result, reason) values (?1, ?2, ?3, ?4, ?5)"
                " on conflict (business_id) do update set at = ?2, kind = ?3, result = ?4, reason = ?5"
                " where last_webhooks.at <= ?2",
                DB_INT(w->business_id), DB_INT(w->at), DB_TEXT(str_from(w->kind)), DB_TEXT(str_from(w->result)),
                reason.n ? DB_TEXT(reason) : DB_NULL);
}

enum err last_webhooks_get(struct db *db, int64_t business_id, struct last_webhook *ret_webhook) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select at, kind, result, reason from last_webhooks where business_id = ?1",
               DB_INT(business_id)));
  TRY(db_next(&q));
  struct last_webhook w = {.business_id = business_id, .at = db_int(&q, 0)};
  if (str_copy(w.kind, sizeof(w.kind), db_text(&q, 1)) != OK ||
      str_copy(w.result, sizeof(w.result), db_text(&q, 2)) != OK ||
      str_copy(w.reason, sizeof(w.reason), db_text(&q, 3)) != OK)
    return ERR_CORRUPT;
  *ret_webhook = w;
  return OK;
}
