/* keys.c - see keys.h.
 *
 * Invariants
 *  (1) No row, log message or error contains a key's text. A row has its SHA-256; the text's 256 random bits can't be guessed
 *      from it.
 *  (2) revoked_at, once set, stays. */
#include "ledger/keys.h"

#include <stdio.h>
#include <string.h>

#include "ledger/changes.h"
#include "ledger/token.h"

#define KEY_COLUMNS                                                                \
  "k.key_id, k.business_id, k.role, k.name, k.digest, k.created_at, k.revoked_at," \
  " k.expires_at, k.last_used_at, k.made_by, k.revoked_by"

void keys_digest(struct str text, uint8_t ret_digest[SHA256_SIZE]) {
  secret_sha256(text, ret_digest);
}

static enum err keys_add_change(struct db *db, int64_t business_id, int64_t key_id) {
  char id[24];
  int n = snprintf(id, sizeof(id), "%lld", (long long)key_id);
  return changes_add(db, CHANGE_KEY, business_id, str_of(id, (size_t)n));
}

static bool role_fits(int64_t business_id, struct str role) {
  if (business_id == 0) return str_eq(role, STR("platform"));
  return str_eq(role, STR("viewer")) || str_eq(role, STR("agent")) || str_eq(role, STR("admin"));
}

static enum err business_is_live(struct db *db, int64_t business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select 1 from businesses where business_id = ?1 and removed_at is null", DB_INT(business_id)));
  return db_next(&q);
}

enum err keys_make(struct db *db, const struct key_wish *wish, char ret_text[KEY_TEXT_SIZE], int64_t *ret_key_id) {
  if (wish->business_id < 0 || !role_fits(wish->business_id, wish->role)) return ERR_INVALID;
  if (wish->name.n >= KEY_NAME_SIZE || !str_is_utf8(wish->name)) return ERR_INVALID;
  if (wish->business_id > 0) TRY(business_is_live(db, wish->business_id));
  char text[KEY_TEXT_SIZE] = "cr_";
  uint8_t digest[SHA256_SIZE];
  TRY(token_make(text + 3));
  keys_digest(str_from(text), digest);
  int64_t key_id;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q,
                 "insert into keys (business_id, role, name, digest, created_at, expires_at, made_by)"
                 " values (?1, ?2, ?3, ?4, ?5, ?6, ?7) returning key_id",
                 wish->business_id > 0 ? DB_INT(wish->business_id) : DB_NULL, DB_TEXT(wish->role),
                 wish->name.n > 0 ? DB_TEXT(wish->name) : DB_NULL, DB_BLOB(token_digest_view(digest)),
                 DB_INT(db_now_ms(db)), wish->expires_at ? DB_INT(wish->expires_at) : DB_NULL, DB_TEXT(wish->made_by)));
    TRY(db_next(&q));
    key_id = db_int(&q, 0);
  }
  TRY(keys_add_change(db, wish->business_id, key_id));
  memcpy(ret_text, text, sizeof(text));
  secret_wipe(text, sizeof(text));
  *ret_key_id = key_id;
  return OK;
}

enum err keys_create(struct db *db, int64_t business_id, struct str role, struct str name, char ret_text[KEY_TEXT_SIZE],
                     int64_t *ret_key_id) {
  const struct key_wish wish = {.business_id = business_id, .role = role, .name = name, .made_by = STR("")};
  return keys_make(db, &wish, ret_text, ret_key_id);
}

enum err keys_check_ceiling(struct db *db, int64_t business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select (select count(*) from (select 1 from keys indexed by keys_live"
               "  where business_id = ?1 and revoked_at is null and expires_at is null limit ?3) endless)"
               " + (select count(*) from (select 1 from keys indexed by keys_live"
               "  where business_id = ?1 and revoked_at is null and expires_at > ?2 limit ?3) ending)",
               DB_INT(business_id), DB_INT(db_now_ms(db)), DB_INT(KEYS_LISTED_MAX)));
  TRY(db_next(&q));
  return db_int(&q, 0) >= KEYS_LISTED_MAX ? ERR_BUSY : OK;
}

/* Of any business, or a platform key. */
static enum err keys_revoke_any(struct db *db, int64_t key_id, struct str revoked_by, int64_t *ret_owner) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "update keys set revoked_at = ?2, revoked_by = ?3 where key_id = ?1 and revoked_at is null"
               " returning coalesce(business_id, 0)",
               DB_INT(key_id), DB_INT(db_now_ms(db)), DB_TEXT(revoked_by)));
  TRY(db_next(&q));
  *ret_owner = db_int(&q, 0);
  return OK;
}

enum err keys_revoke_by(struct db *db, int64_t business_id, int64_t key_id, struct str revoked_by) {
  int64_t owner = business_id;
  if (!business_id) {
    TRY(keys_revoke_any(db, key_id, revoked_by, &owner));
    return keys_add_change(db, owner, key_id);
  }
  TRY(db_run(db, /* by an index that begins with the business: another's key is not even met */
             "update keys indexed by keys_business set revoked_at = ?2, revoked_by = ?3"
             " where business_id = ?4 and key_id = ?1 and revoked_at is null",
             DB_INT(key_id), DB_INT(db_now_ms(db)), DB_TEXT(revoked_by), DB_INT(business_id)));
  return db_changed(db) > 0 ? keys_add_change(db, owner, key_id) : ERR_NOT_FOUND;
}

enum err keys_rename(struct db *db, int64_t business_id, int64_t key_id, struct str name) {
  TRY(db_run(db, "update keys indexed by keys_business set name = ?3 where business_id = ?1 and key_id = ?2",
             DB_INT(business_id), DB_INT(key_id), DB_TEXT(name)));
  return db_changed(db) > 0 ? keys_add_change(db, business_id, key_id) : ERR_NOT_FOUND;
}

enum err keys_note_use(struct db *db, int64_t key_id, int64_t now) {
  return db_run(db, "update keys set last_used_at = ?2 where key_id = ?1 and coalesce(last_used_at, 0) <= ?3",
                DB_INT(key_id), DB_INT(now), DB_INT(now - KEY_USED_EVERY_MS));
}

enum err keys_revoke(struct db *db, int64_t key_id) {
  int64_t business_id;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q, "select coalesce(business_id, 0) from keys where key_id = ?1", DB_INT(key_id)));
    TRY(db_next(&q));
    business_id = db_int(&q, 0);
  }
  TRY(db_run(db, "update keys set revoked_at = ?2 where key_id = ?1 and revoked_at is null", DB_INT(key_id),
             DB_INT(db_now_ms(db))));
  return db_changed(db) > 0 ? keys_add_change(db, business_id, key_id) : OK;
}

enum err keys_revoke_some(struct db *db, int64_t business_id, bool *ret_left) {
  TRY(db_run(db,
             "update keys set revoked_at = ?2 where key_id in"
             " (select key_id from keys where business_id = ?1 and revoked_at is null limit ?3)",
             DB_INT(business_id), DB_INT(db_now_ms(db)), DB_INT(KEYS_REVOKED_MAX)));
  *ret_left = db_changed(db) == KEYS_REVOKED_MAX;
  return db_changed(db) > 0 ? changes_add(db, CHANGE_KEY, business_id, STR("")) : OK;
}

static enum err read_key(struct db_rows *q, struct key *ret_key) {
  struct key k = {.key_id = db_int(q, 0),
                  .business_id = db_int(q, 1),
                  .created_at = db_int(q, 5),
                  .revoked_at = db_int(q, 6),
                  .expires_at = db_int(q, 7),
                  .last_used_at = db_int(q, 8)};
  enum err e = str_copy(k.role, sizeof(k.role), db_text(q, 2));
  if (e == OK) e = str_copy(k.name, sizeof(k.name), db_text(q, 3));
  if (e == OK) e = str_copy(k.made_by, sizeof(k.made_by), db_text(q, 9));
  if (e == OK) e = str_copy(k.revoked_by, sizeof(k.revoked_by), db_text(q, 10));
  struct str digest = db_text(q, 4);
  if (e != OK || digest.n != sizeof(k.digest)) return ERR_CORRUPT;
  memcpy(k.digest, digest.p, sizeof(k.digest));
  *ret_key = k;
  return OK;
}

static enum err keys_read_each(struct db_rows *q, keys_each_fn *fn, void *arg) {
  enum err e;
  while ((e = db_next(q)) == OK) {
    struct key key;
    TRY(read_key(q, &key));
    TRY(fn(arg, &key));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err keys_get(struct db *db, int64_t key_id, struct key *ret_key) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select " KEY_COLUMNS " from keys k where k.key_id = ?1", DB_INT(key_id)));
  TRY(db_next(&q));
  return read_key(&q, ret_key);
}

enum err keys_find_live(struct db *db, struct str text, int64_t now, struct key *ret_key) {
  uint8_t digest[SHA256_SIZE];
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  keys_digest(text, digest);
  TRY(db_query(db, &q,
               "select " KEY_COLUMNS
               " from keys k left join businesses b on b.business_id = k.business_id where k.digest = ?1"
               " and k.revoked_at is null and (k.expires_at is null or k.expires_at > ?2)"
               " and (k.business_id is null or (b.business_id is not null and b.removed_at is null))",
               DB_BLOB(token_digest_view(digest)), DB_INT(now)));
  TRY(db_next(&q));
  return read_key(&q, ret_key);
}

enum err keys_each(struct db *db, int64_t business_id, keys_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  if (business_id)
    TRY(db_query(db, &q, "select " KEY_COLUMNS " from keys k where k.business_id = ?1 order by k.key_id",
                 DB_INT(business_id)));
  else
    TRY(db_query(db, &q, "select " KEY_COLUMNS " from keys k order by k.key_id"));
  return keys_read_each(&q, fn, arg);
}

enum err keys_each_unrevoked(struct db *db, int64_t business_id, keys_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select " KEY_COLUMNS
               " from keys k where k.business_id = ?1 and k.revoked_at is null order by k.key_id desc limit ?2",
               DB_INT(business_id), DB_INT(KEYS_LISTED_MAX)));
  return keys_read_each(&q, fn, arg);
}

enum err keys_each_live(struct db *db, keys_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select " KEY_COLUMNS
      " from keys k left join businesses b on b.business_id = k.business_id where k.revoked_at is null"
      " and (k.business_id is null or (b.business_id is not null and b.removed_at is null)) order by k.key_id"));
  return keys_read_each(&q, fn, arg);
}
