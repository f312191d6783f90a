/* urls.c - see urls.h.
 *
 * Invariants
 *  (1) A row is deleted when its URL ends. So the table holds URLs in force, and those that expired within the last minutes.
 *  (2) A URL ends with its key or business, or with all of its business, without a write: every look-up checks these.
 *  (3) The rows of (2) count towards the ceiling until they expire. At the ceiling they are deleted, URLS_TRIM_MAX at a time.
 *  (4) The made_at of a URL that was added before urls_end_all is not later than urls_ended_at, and that of one that was added
 *      after it is later, also within the same millisecond or if the clock was set back. */
#include "ledger/urls.h"

#include <string.h>

#include "ledger/changes.h"

void url_digest(struct str url_id, uint8_t ret_digest[SHA256_SIZE]) {
  char text[sizeof("url:") + URL_ID_SIZE] = "url:";
  size_t n = url_id.n < URL_ID_SIZE ? url_id.n : URL_ID_SIZE;
  memcpy(text + 4, url_id.p, n);
  secret_sha256(str_of(text, 4 + n), ret_digest);
}

static enum err urls_add_change(struct db *db, int64_t business_id, struct str url_id) {
  uint8_t digest[SHA256_SIZE];
  char text[SESSION_DIGEST_TEXT_SIZE];
  url_digest(url_id, digest);
  hex_encode(digest, sizeof(digest), text);
  return changes_add(db, CHANGE_SESSION, business_id, str_from(text));
}

static enum err urls_count(struct db *db, int64_t business_id, int64_t *ret_count) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select coalesce((select urls from url_counts where business_id = ?1), 0) from businesses"
               " where business_id = ?1 and removed_at is null",
               DB_INT(business_id)));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

/* (3): all of the business, then those of the keys that were revoked within a day. Other URLs have expired. */
static enum err urls_delete_ended(struct db *db, int64_t business_id) {
  TRY(db_run(db,
             "delete from urls where url_id in ("
             " select url_id from urls indexed by urls_newest where business_id = ?1"
             " and made_at <= (select urls_ended_at from businesses where business_id = ?1) limit ?2)",
             DB_INT(business_id), DB_INT(URLS_TRIM_MAX)));
  if (db_changed(db) > 0) return OK;
  return db_run(db,
                "delete from urls where url_id in ("
                " select u.url_id from (select key_id from keys indexed by keys_revoked"
                "   where business_id = ?1 and revoked_at > ?3 order by revoked_at desc limit ?2) k"
                " cross join urls u indexed by urls_key on u.key_id = k.key_id limit ?2)",
                DB_INT(business_id), DB_INT(URLS_TRIM_MAX), DB_INT(db_now_ms(db) - URL_LIVES_MAX_MS));
}

/* The time of a new URL (4). */
static enum err urls_time(struct db *db, int64_t business_id, int64_t *ret_now) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select coalesce((select urls_ended_at from businesses where business_id = ?1 and urls_ended_at >= ?2) + 1,"
      " ?2)",
      DB_INT(business_id), DB_INT(db_now_ms(db))));
  TRY(db_next(&q));
  *ret_now = db_int(&q, 0);
  return OK;
}

static enum err urls_check_ceiling(struct db *db, int64_t business_id) {
  int64_t count;
  TRY(urls_count(db, business_id, &count));
  if (count < URLS_PER_BUSINESS_MAX) return OK;
  TRY(urls_delete_ended(db, business_id));
  TRY(urls_count(db, business_id, &count));
  return count < URLS_PER_BUSINESS_MAX ? OK : ERR_BUSY;
}

enum err urls_add(struct db *db, struct url *url) {
  uint8_t random[(URL_ID_SIZE - 1) / 2];
  TRY(urls_check_ceiling(db, url->business_id));
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), url->url_id);
  TRY(urls_time(db, url->business_id, &url->made_at));
  return db_run(db,
                "insert into urls (url_id, business_id, recording_sid, made_by, key_id, made_at, expires_at)"
                " values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                DB_TEXT(str_from(url->url_id)), DB_INT(url->business_id), DB_TEXT(str_from(url->recording_sid)),
                DB_TEXT(str_from(url->made_by)), url->key_id ? DB_INT(url->key_id) : DB_NULL, DB_INT(url->made_at),
                DB_INT(url->expires_at));
}

enum err urls_find(struct db *db, struct str url_id, int64_t now, struct session *ret_session) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select u.business_id, u.key_id, u.expires_at, k.expires_at from urls u"
               " join businesses b on b.business_id = u.business_id and b.removed_at is null"
               " left join keys k on k.key_id = u.key_id"
               " where u.url_id = ?1 and u.expires_at > ?2 and u.made_at > coalesce(b.urls_ended_at, 0)"
               " and (u.key_id is null or (k.key_id is not null and k.revoked_at is null"
               "  and coalesce(k.expires_at, ?2 + 1) > ?2))",
               DB_TEXT(url_id), DB_INT(now)));
  TRY(db_next(&q));
  *ret_session = (struct session){.business_id = db_int(&q, 0),
                                  .role = "viewer",
                                  .key_id = db_int(&q, 1),
                                  .expires_at = sessions_earlier_end(db_int(&q, 2), db_int(&q, 3))};
  return OK;
}

static enum err urls_read(const struct db_rows *q, struct url *ret_url) {
  struct url u = {
      .business_id = db_int(q, 1), .key_id = db_int(q, 4), .made_at = db_int(q, 5), .expires_at = db_int(q, 6)};
  enum err e = str_copy(u.url_id, sizeof(u.url_id), db_text(q, 0));
  if (e == OK) e = str_copy(u.recording_sid, sizeof(u.recording_sid), db_text(q, 2));
  if (e == OK) e = str_copy(u.made_by, sizeof(u.made_by), db_text(q, 3));
  if (e != OK) return ERR_CORRUPT;
  *ret_url = u;
  return OK;
}

enum err urls_each(struct db *db, int64_t business_id, int64_t now, int64_t made_at, struct str url_id, int limit,
                   urls_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query(db, &q,
               "select u.url_id, u.business_id, u.recording_sid, u.made_by, u.key_id, u.made_at, u.expires_at"
               " from urls u indexed by urls_newest"
               " join businesses b on b.business_id = u.business_id and b.removed_at is null"
               " left join keys k on k.key_id = u.key_id"
               " where u.business_id = ?1 and (u.made_at, u.url_id) < (?2, ?3) and u.expires_at > ?4"
               " and u.made_at > coalesce((select urls_ended_at from businesses where business_id = ?1), 0)"
               " and (u.key_id is null or (k.key_id is not null and k.revoked_at is null"
               "  and coalesce(k.expires_at, ?4 + 1) > ?4))"
               " order by u.made_at desc, u.url_id desc limit ?5",
               DB_INT(business_id), DB_INT(made_at), DB_TEXT(url_id), DB_INT(now), DB_INT(limit)));
  while ((e = db_next(&q)) == OK) {
    struct url url;
    TRY(urls_read(&q, &url));
    TRY(fn(arg, &url));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err urls_owner(struct db *db, struct str url_id, int64_t *ret_business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select business_id from urls where url_id = ?1", DB_TEXT(url_id)));
  TRY(db_next(&q));
  *ret_business_id = db_int(&q, 0);
  return OK;
}

enum err urls_end(struct db *db, int64_t business_id, struct str url_id, int64_t *ret_business_id) {
  int64_t owner = business_id;
  if (!business_id) TRY(urls_owner(db, url_id, &owner));
  TRY(db_run(db, /* by an index that begins with the business: another's URL is not even met */
             "delete from urls indexed by urls_own where business_id = ?1 and url_id = ?2", DB_INT(owner),
             DB_TEXT(url_id)));
  if (!db_changed(db)) return ERR_NOT_FOUND;
  TRY(urls_add_change(db, owner, url_id));
  *ret_business_id = owner;
  return OK;
}

enum err urls_end_all(struct db *db, int64_t business_id) {
  TRY(db_run(
      db,
      "update businesses set urls_ended_at = (select max(at_ms) from ("
      " select * from (select made_at as at_ms from urls where business_id = ?1 order by made_at desc limit 1) newest"
      " union all select ?2) made) where business_id = ?1 and removed_at is null",
      DB_INT(business_id), DB_INT(db_now_ms(db))));
  return db_changed(db) ? changes_add(db, CHANGE_SESSION, business_id, STR("")) : ERR_NOT_FOUND;
}

enum err urls_trim(struct db *db, int64_t now, bool *ret_more) {
  TRY(db_run(db,
             "delete from urls where url_id in ("
             " select url_id from urls indexed by urls_expiry where expires_at <= ?1 limit ?2)",
             DB_INT(now), DB_INT(URLS_TRIM_MAX)));
  *ret_more = db_changed(db) == URLS_TRIM_MAX;
  return OK;
}
