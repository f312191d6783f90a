/* sessions.c - see sessions.h.
 *
 *   link:    CREATED --links_use, before expires_at--> USED
 *   session: CREATED --sessions_end, or expires_at---> ENDED
 *
 * Invariants
 *  (1) No row contains a token; it has the token's SHA-256.
 *  (2) One update sets used_at, on condition that it is null: a link works once, even if several use it at the same time.
 *  (3) A credential that signs in often ends its own oldest sessions, not those of others. Each end adds to `changes`.
 *  (4) A session ends with its key or business without a write: every look-up checks both, and tells the earlier of its own and
 *      its key's expiry, so that a caller that remembers the row ends it in time.
 *  (5) The made_at of a row that was created before sessions_end_all is not later than sessions_ended_at, and that of one that
 * was
 *      created after it is later, also within the same millisecond or if the clock was set back. */
#include "ledger/sessions.h"

#include <string.h>

#include "ledger/changes.h"
#include "ledger/token.h"

/* Holds a digest while a statement uses it. */
struct digest_of {
  uint8_t bytes[SHA256_SIZE];
};

static struct digest_of digest_of(struct str token) {
  struct digest_of d;
  secret_sha256(token, d.bytes);
  return d;
}

static void session_id(const struct digest_of *d, char ret_id[SESSION_ID_SIZE]) {
  hex_encode(d->bytes, (SESSION_ID_SIZE - 1) / 2, ret_id);
}

void session_digest(struct str token, char ret_text[SESSION_DIGEST_TEXT_SIZE]) {
  struct digest_of d = digest_of(token);
  hex_encode(d.bytes, sizeof(d.bytes), ret_text);
}

static enum err sessions_end_digest(struct db *db, struct digest_of d) {
  int64_t business_id;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q, "delete from sessions where digest = ?1 returning business_id",
                 DB_BLOB(token_digest_view(d.bytes))));
    enum err e = db_next(&q);
    if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
    business_id = db_int(&q, 0);
  }
  char text[SESSION_DIGEST_TEXT_SIZE];
  hex_encode(d.bytes, sizeof(d.bytes), text);
  return changes_add(db, CHANGE_SESSION, business_id, str_from(text));
}

enum err sessions_end_named(struct db *db, int64_t business_id, sessions_named_fn *fn, void *arg, bool *ret_more) {
  struct digest_of found[SESSIONS_NAMED_MAX];
  int count = 0;
  enum err e = OK;
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q,
                 "select digest, subject from sessions indexed by sessions_oldest where business_id = ?1"
                 " and subject is not null",
                 DB_INT(business_id)));
    while (count < SESSIONS_NAMED_MAX && (e = db_next(&q)) == OK) {
      struct str digest = db_text(&q, 0);
      if (digest.n != sizeof(found->bytes)) return ERR_CORRUPT;
      if (fn(arg, db_text(&q, 1))) memcpy(found[count++].bytes, digest.p, digest.n);
    }
    if (e != OK && e != ERR_NOT_FOUND) return e;
  }
  for (int i = 0; i < count; i++) TRY(sessions_end_digest(db, found[i]));
  *ret_more = count == SESSIONS_NAMED_MAX;
  return OK;
}

/* The time of a new session or link (5). */
static enum err sessions_time(struct db *db, int64_t business_id, int64_t *ret_now) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select coalesce((select sessions_ended_at from businesses where business_id = ?1 and"
               " sessions_ended_at >= ?2) + 1, ?2)",
               DB_INT(business_id), DB_INT(db_now_ms(db))));
  TRY(db_next(&q));
  *ret_now = db_int(&q, 0);
  return OK;
}

/* Ends the newest session that has `others` newer ones, not counting the new one: among those of the same credential and role, or
 * of the business. Every new session does both, so neither maximum is exceeded. */
static enum err sessions_end_surplus(struct db *db, const struct session *made, const struct digest_of *fresh,
                                     bool same_credential, int64_t others) {
  struct digest_of d;
  struct str subject = str_from(made->subject);
  {
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query(db, &q,
                 "select digest from sessions where business_id = ?1 and digest <> ?2"
                 " and (?3 = 0 or (role = ?4"
                 " and subject is not distinct from ?5 and key_id is not distinct from ?6))"
                 " order by created_at desc limit 1 offset ?7",
                 DB_INT(made->business_id), DB_BLOB(token_digest_view(fresh->bytes)), DB_INT(same_credential),
                 DB_TEXT(str_from(made->role)), subject.n > 0 ? DB_TEXT(subject) : DB_NULL,
                 made->key_id > 0 ? DB_INT(made->key_id) : DB_NULL, DB_INT(others)));
    enum err e = db_next(&q);
    if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
    struct str digest = db_text(&q, 0);
    if (digest.n != sizeof(d.bytes)) return ERR_CORRUPT;
    memcpy(d.bytes, digest.p, sizeof(d.bytes));
  }
  return sessions_end_digest(db, d);
}

enum err sessions_create(struct db *db, struct session *session, char ret_token[SESSION_TOKEN_SIZE]) {
  char token[TOKEN_TEXT_SIZE];
  int64_t now;
  TRY(token_make(token));
  TRY(sessions_time(db, session->business_id, &now));
  struct digest_of d = digest_of(str_from(token));
  struct str subject = str_from(session->subject);
  TRY(db_run(db,
             "insert into sessions (digest, business_id, role, subject, key_id, created_at, expires_at, made_by)"
             " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
             DB_BLOB(token_digest_view(d.bytes)), DB_INT(session->business_id), DB_TEXT(str_from(session->role)),
             subject.n > 0 ? DB_TEXT(subject) : DB_NULL, session->key_id > 0 ? DB_INT(session->key_id) : DB_NULL,
             DB_INT(now), DB_INT(session->expires_at), DB_TEXT(str_from(session->made_by))));
  session_id(&d, session->id);
  TRY(sessions_end_surplus(db, session, &d, true, SESSIONS_PER_CREDENTIAL_MAX - 1));
  TRY(sessions_end_surplus(db, session, &d, false, SESSIONS_PER_BUSINESS_MAX - 1));
  return str_copy(ret_token, SESSION_TOKEN_SIZE, str_from(token));
}

int64_t sessions_earlier_end(int64_t own, int64_t of_key) {
  return of_key && of_key < own ? of_key : own;
}

enum err sessions_find(struct db *db, struct str token, int64_t now, struct session *ret_session) {
  struct digest_of d = digest_of(token);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(
      db, &q,
      "select s.business_id, s.role, s.subject, s.key_id, s.expires_at, s.created_at, k.expires_at from sessions s"
      " join businesses b on b.business_id = s.business_id and b.removed_at is null"
      " left join keys k on k.key_id = s.key_id"
      " where s.digest = ?1 and s.expires_at > ?2 and s.created_at > coalesce(b.sessions_ended_at, 0)"
      " and (s.key_id is null or (k.key_id is not null and k.revoked_at is null"
      "  and coalesce(k.expires_at, ?2 + 1) > ?2))",
      DB_BLOB(token_digest_view(d.bytes)), DB_INT(now)));
  TRY(db_next(&q));
  struct session s = {.business_id = db_int(&q, 0),
                      .key_id = db_int(&q, 3),
                      .expires_at = sessions_earlier_end(db_int(&q, 4), db_int(&q, 6)),
                      .created_at = db_int(&q, 5)};
  enum err e = str_copy(s.role, sizeof(s.role), db_text(&q, 1));
  if (e == OK) e = str_copy(s.subject, sizeof(s.subject), db_text(&q, 2));
  if (e != OK) return ERR_CORRUPT;
  *ret_session = s;
  return OK;
}

enum err sessions_end(struct db *db, struct str token) {
  return sessions_end_digest(db, digest_of(token));
}

enum err sessions_end_all(struct db *db, int64_t business_id) {
  TRY(db_run(
      db,
      "update businesses set sessions_ended_at = (select max(at_ms) from ("
      " select max(created_at) as at_ms from sessions where business_id = ?1"
      " union all select * from (select made_at from links where business_id = ?1 order by made_at desc limit 1) newest"
      " union all select ?2) made) where business_id = ?1",
      DB_INT(business_id), DB_INT(db_now_ms(db))));
  return db_changed(db) > 0 ? changes_add(db, CHANGE_SESSION, business_id, STR("")) : ERR_NOT_FOUND;
}

/* ---- ids ---- */

static bool read_half_byte(char c, uint8_t *ret_value) {
  if (c >= '0' && c <= '9')
    *ret_value = (uint8_t)(c - '0');
  else if (c >= 'a' && c <= 'f')
    *ret_value = (uint8_t)(c - 'a' + 10);
  else
    return false;
  return true;
}

/* The least and the greatest digest that begin with id. False: it is no id. */
static bool digests_of_id(struct str id, struct digest_of *ret_least, struct digest_of *ret_most) {
  if (id.n != SESSION_ID_SIZE - 1) return false;
  memset(ret_least->bytes, 0, sizeof(ret_least->bytes));
  memset(ret_most->bytes, 0xff, sizeof(ret_most->bytes));
  for (size_t i = 0; i < id.n / 2; i++) {
    uint8_t high, low;
    if (!read_half_byte(id.p[2 * i], &high) || !read_half_byte(id.p[2 * i + 1], &low)) return false;
    ret_least->bytes[i] = ret_most->bytes[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}

/* The business of the session or unused link whose digest is in the range. */
static enum err digest_owner(struct db *db, const struct digest_of *least, const struct digest_of *most,
                             int64_t *ret_business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select * from (select business_id from sessions where digest between ?1 and ?2 limit 1) one"
               " union all select * from (select business_id from links where digest between ?1 and ?2"
               "  and used_at is null limit 1) other",
               DB_BLOB(token_digest_view(least->bytes)), DB_BLOB(token_digest_view(most->bytes))));
  TRY(db_next(&q));
  *ret_business_id = db_int(&q, 0);
  return OK;
}

/* By an index that begins with the business: another's session is not even met. */
static enum err sessions_find_digest(struct db *db, int64_t business_id, const struct digest_of *least,
                                     const struct digest_of *most, struct digest_of *ret_digest) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select digest from sessions indexed by sessions_own where business_id = ?1"
               " and digest between ?2 and ?3 limit 1",
               DB_INT(business_id), DB_BLOB(token_digest_view(least->bytes)), DB_BLOB(token_digest_view(most->bytes))));
  TRY(db_next(&q));
  struct str digest = db_text(&q, 0);
  if (digest.n != sizeof(ret_digest->bytes)) return ERR_CORRUPT;
  memcpy(ret_digest->bytes, digest.p, digest.n);
  return OK;
}

static enum err links_end(struct db *db, int64_t business_id, const struct digest_of *least,
                          const struct digest_of *most) {
  TRY(db_run(db,
             "delete from links indexed by links_business where business_id = ?1 and digest between ?2 and ?3"
             " and used_at is null",
             DB_INT(business_id), DB_BLOB(token_digest_view(least->bytes)), DB_BLOB(token_digest_view(most->bytes))));
  return db_changed(db) > 0 ? OK : ERR_NOT_FOUND;
}

enum err sessions_end_id(struct db *db, int64_t business_id, struct str id, struct session_ended *ret_ended) {
  struct digest_of least, most, found;
  struct session_ended ended = {.business_id = business_id};
  if (!digests_of_id(id, &least, &most)) return ERR_INVALID;
  if (!business_id) TRY(digest_owner(db, &least, &most, &ended.business_id));
  enum err e = sessions_find_digest(db, ended.business_id, &least, &most, &found);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  ended.is_link = e == ERR_NOT_FOUND;
  TRY(ended.is_link ? links_end(db, ended.business_id, &least, &most) : sessions_end_digest(db, found));
  if (!ended.is_link) hex_encode(found.bytes, sizeof(found.bytes), ended.digest);
  *ret_ended = ended;
  return OK;
}

static enum err read_id(struct str digest, char ret_id[SESSION_ID_SIZE]) {
  struct digest_of d;
  if (digest.n != sizeof(d.bytes)) return ERR_CORRUPT;
  memcpy(d.bytes, digest.p, sizeof(d.bytes));
  session_id(&d, ret_id);
  return OK;
}

enum err sessions_each(struct db *db, int64_t business_id, int64_t now, sessions_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query(db, &q,
               "select s.digest, s.role, s.subject, s.key_id, s.created_at, s.expires_at, s.made_by from sessions s"
               " join businesses b on b.business_id = s.business_id and b.removed_at is null"
               " left join keys k on k.key_id = s.key_id"
               " where s.business_id = ?1 and s.expires_at > ?2 and s.created_at > coalesce(b.sessions_ended_at, 0)"
               " and (s.key_id is null or (k.key_id is not null and k.revoked_at is null"
               "  and coalesce(k.expires_at, ?2 + 1) > ?2)) order by s.created_at desc limit ?3",
               DB_INT(business_id), DB_INT(now), DB_INT(SESSIONS_LIST_MAX)));
  while ((e = db_next(&q)) == OK) {
    struct session s = {
        .business_id = business_id, .key_id = db_int(&q, 3), .created_at = db_int(&q, 4), .expires_at = db_int(&q, 5)};
    if (read_id(db_text(&q, 0), s.id) != OK || str_copy(s.role, sizeof(s.role), db_text(&q, 1)) != OK ||
        str_copy(s.subject, sizeof(s.subject), db_text(&q, 2)) != OK ||
        str_copy(s.made_by, sizeof(s.made_by), db_text(&q, 6)) != OK)
      return ERR_CORRUPT;
    TRY(fn(arg, &s));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err sessions_trim(struct db *db, int64_t now, bool *ret_more) {
  TRY(db_run(db,
             "delete from sessions where digest in ("
             " select digest from sessions indexed by sessions_expiry where expires_at <= ?1 limit ?2)",
             DB_INT(now), DB_INT(SESSIONS_TRIM_MAX)));
  bool more = db_changed(db) == SESSIONS_TRIM_MAX;
  TRY(db_run(db,
             "delete from links where digest in ("
             " select digest from links indexed by links_expiry where expires_at <= ?1 limit ?2)",
             DB_INT(now), DB_INT(SESSIONS_TRIM_MAX)));
  more = more || db_changed(db) == SESSIONS_TRIM_MAX;
  TRY(db_run(db,
             "delete from links where digest in ("
             " select digest from links indexed by links_used where used_at is not null limit ?1)",
             DB_INT(SESSIONS_TRIM_MAX)));
  *ret_more = more || db_changed(db) == SESSIONS_TRIM_MAX;
  return OK;
}

/* ---- links ---- */

enum err links_check_ceiling(struct db *db, int64_t business_id) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select count(*) from (select 1 from links indexed by links_newest"
               " where business_id = ?1 and made_at > ?2 limit ?3) few",
               DB_INT(business_id), DB_INT(db_now_ms(db) - LINK_LIVES_MS), DB_INT(LINKS_PER_BUSINESS_MAX)));
  TRY(db_next(&q));
  return db_int(&q, 0) >= LINKS_PER_BUSINESS_MAX ? ERR_BUSY : OK;
}

enum err links_create(struct db *db, struct link *link, char ret_token[SESSION_TOKEN_SIZE]) {
  char token[TOKEN_TEXT_SIZE];
  TRY(token_make(token));
  struct digest_of d = digest_of(str_from(token));
  TRY(sessions_time(db, link->business_id, &link->made_at));
  session_id(&d, link->id);
  TRY(db_run(
      db,
      "insert into links (digest, business_id, role, expires_at, key_id, made_by, made_at)"
      " select ?1, business_id, ?3, ?4, ?5, ?6, ?7 from businesses where business_id = ?2 and removed_at is null",
      DB_BLOB(token_digest_view(d.bytes)), DB_INT(link->business_id), DB_TEXT(str_from(link->role)),
      DB_INT(link->expires_at), link->key_id ? DB_INT(link->key_id) : DB_NULL, DB_TEXT(str_from(link->made_by)),
      DB_INT(link->made_at)));
  if (db_changed(db) == 0) return ERR_NOT_FOUND;
  return str_copy(ret_token, SESSION_TOKEN_SIZE, str_from(token));
}

/* Columns: digest, role, expires_at, key_id, made_by, made_at. */
static enum err links_read(const struct db_rows *q, int64_t business_id, struct link *ret_link) {
  struct link link = {
      .business_id = business_id, .expires_at = db_int(q, 2), .key_id = db_int(q, 3), .made_at = db_int(q, 5)};
  TRY(read_id(db_text(q, 0), link.id));
  if (str_copy(link.role, sizeof(link.role), db_text(q, 1)) != OK ||
      str_copy(link.made_by, sizeof(link.made_by), db_text(q, 4)) != OK)
    return ERR_CORRUPT;
  *ret_link = link;
  return OK;
}

enum err links_look(struct db *db, struct str token, int64_t now, struct link *ret_link) {
  struct digest_of d = digest_of(token);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select l.digest, l.role, l.expires_at, l.key_id, l.made_by, l.made_at, l.business_id from links l"
               " join businesses b on b.business_id = l.business_id and b.removed_at is null"
               " left join keys k on k.key_id = l.key_id"
               " where l.digest = ?1 and l.used_at is null and l.expires_at > ?2"
               " and coalesce(l.made_at, ?2) > coalesce(b.sessions_ended_at, 0)"
               " and (l.key_id is null or (k.key_id is not null and k.revoked_at is null"
               "  and coalesce(k.expires_at, ?2 + 1) > ?2))",
               DB_BLOB(token_digest_view(d.bytes)), DB_INT(now)));
  TRY(db_next(&q));
  return links_read(&q, db_int(&q, 6), ret_link);
}

enum err links_each(struct db *db, int64_t business_id, int64_t now, links_each_fn *fn, void *arg) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query(db, &q,
               "select l.digest, l.role, l.expires_at, l.key_id, l.made_by, l.made_at from links l"
               " indexed by links_newest"
               " join businesses b on b.business_id = l.business_id and b.removed_at is null"
               " left join keys k on k.key_id = l.key_id"
               " where l.business_id = ?1 and l.made_at > 0 and l.used_at is null and l.expires_at > ?2"
               " and l.made_at > coalesce(b.sessions_ended_at, 0)"
               " and (l.key_id is null or (k.key_id is not null and k.revoked_at is null"
               "  and coalesce(k.expires_at, ?2 + 1) > ?2)) order by l.made_at desc limit ?3",
               DB_INT(business_id), DB_INT(now), DB_INT(SESSIONS_LIST_MAX)));
  while ((e = db_next(&q)) == OK) {
    struct link link;
    TRY(links_read(&q, business_id, &link));
    TRY(fn(arg, &link));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err links_use(struct db *db, struct str token, int64_t now, struct link *ret_link) {
  struct link link;
  TRY(links_look(db, token, now, &link));
  struct digest_of d = digest_of(token);
  TRY(db_run(db, "update links set used_at = ?2 where digest = ?1 and used_at is null",
             DB_BLOB(token_digest_view(d.bytes)), DB_INT(now)));
  if (db_changed(db) == 0) return ERR_NOT_FOUND; /* (2) */
  *ret_link = link;
  return OK;
}
