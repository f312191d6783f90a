/* settings.c - see settings.h. An encrypted value is bound to "setting:{name}". */
#include "ledger/settings.h"

#include <string.h>

#include "base/secret.h"

static enum err add_bound(struct buf *b, const char *name) {
  return buf_addf(b, "setting:%s", name);
}

enum err settings_get(struct db *db, const uint8_t *secrets_key, const char *name, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select value, sealed from settings where name = ?1", DB_TEXT(str_from(name))));
  TRY(db_next(&q));
  if (db_int(&q, 1) == 0) return buf_add(b, db_text(&q, 0));
  if (!secrets_key) return ERR_DENIED;
  struct buf bound CLEANUP(buf_done) = BUF_INIT(2 * SETTING_NAME_MAX);
  TRY(add_bound(&bound, name));
  return secret_open(secrets_key, buf_str(&bound), db_text(&q, 0), b);
}

static enum err store_setting(struct db *db, const char *sql, const uint8_t *secrets_key, const char *name,
                              struct str value) {
  if (strlen(name) > SETTING_NAME_MAX || value.n > SETTING_VALUE_MAX) return ERR_TOO_BIG;
  struct buf sealed CLEANUP(buf_done) = BUF_INIT(2 * SETTING_VALUE_MAX);
  struct buf bound CLEANUP(buf_done) = BUF_INIT(2 * SETTING_NAME_MAX);
  TRY(add_bound(&bound, name));
  if (secrets_key) TRY(secret_seal(secrets_key, buf_str(&bound), value, &sealed));
  struct db_value values[] = {DB_TEXT(str_from(name)),
                              DB_BLOB(secrets_key ? buf_str(&sealed) : value),
                              DB_INT(!!secrets_key),
                              DB_INT(db_now_ms(db)),
                              {.kind = DB_END}};
  return db_run_values(db, sql, values);
}

enum err settings_put_if_absent(struct db *db, const uint8_t *secrets_key, const char *name, struct str value,
                                struct buf *ret_winner) {
  static const char sql[] =
      "insert into settings (name, value, sealed, made_at) values (?1, ?2, ?3, ?4) on conflict (name) do nothing";
  TRY(store_setting(db, sql, secrets_key, name, value));
  return settings_get(db, secrets_key, name, ret_winner);
}

enum err settings_put(struct db *db, const uint8_t *secrets_key, const char *name, struct str value) {
  static const char sql[] =
      "insert into settings (name, value, sealed, made_at) values (?1, ?2, ?3, ?4)"
      " on conflict (name) do update set value = excluded.value, sealed = excluded.sealed, made_at = excluded.made_at";
  return store_setting(db, sql, secrets_key, name, value);
}

enum err settings_reseal(struct db *db, const uint8_t *secrets_key, const char *name) {
  struct buf value CLEANUP(secret_buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  enum err e = settings_get(db, secrets_key, name, &value);
  if (e != OK) return e == ERR_NOT_FOUND || e == ERR_CORRUPT ? OK : e;
  return settings_put(db, secrets_key, name, buf_str(&value));
}
