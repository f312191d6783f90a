/* sessions.c - see sessions.h.
 *
 *   link:    CREATED --links_use, before expires_at--> USED
 *   session: CREATED --sessions_end, or expires_at---> ENDED
 *
 * Invariants
 *  (1) No row contains a token; it has the token's SHA-256.
 *  (2) One update sets used_at, on condition that it is null: a link works once, even if several use it at the same time.
 *  (3) A credential that signs in often ends its own oldest sessions, not those of others. Each end adds to `changes`.
 *  (4) A session ends with its key or business without a write: every look-up checks both. */
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
                 " and (not ?3 or (role = ?4 and subject is ?5 and key_id is ?6))"
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

enum err sessions_create(struct db *db, const struct session *session, char ret_token[SESSION_TOKEN_SIZE]) {
  char token[TOKEN_TEXT_SIZE];
  TRY(token_make(token));
  struct digest_of d = digest_of(str_from(token));
  struct str subject = str_from(session->subject);
  TRY(db_run(db,
             "insert into sessions (digest, business_id, role, subject, key_id, created_at, expires_at)"
             " values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
             DB_BLOB(token_digest_view(d.bytes)), DB_INT(session->business_id), DB_TEXT(str_from(session->role)),
             subject.n > 0 ? DB_TEXT(subject) : DB_NULL, session->key_id > 0 ? DB_INT(session->key_id) : DB_NULL,
             DB_INT(db_now_ms(db)), DB_INT(session->expires_at)));
  TRY(sessions_end_surplus(db, session, &d, true, SESSIONS_PER_CREDENTIAL_MAX - 1));
  TRY(sessions_end_surplus(db, session, &d, false, SESSIONS_PER_BUSINESS_MAX - 1));
  return str_copy(ret_token, SESSION_TOKEN_SIZE, str_from(token));
}

enum err sessions_find(struct db *db, struct str token, int64_t now, struct session *ret_session) {
  struct digest_of d = digest_of(token);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select s.business_id, s.role, s.subject, s.key_id, s.expires_at, s.created_at from sessions s"
               " join businesses b on b.business_id = s.business_id and b.removed_at is null"
               " left join keys k on k.key_id = s.key_id"
               " where s.digest = ?1 and s.expires_at > ?2"
               " and (s.key_id is null or (k.key_id is not null and k.revoked_at is null))",
               DB_BLOB(token_digest_view(d.bytes)), DB_INT(now)));
  TRY(db_next(&q));
  struct session s = {
      .business_id = db_int(&q, 0), .key_id = db_int(&q, 3), .expires_at = db_int(&q, 4), .created_at = db_int(&q, 5)};
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
  TRY(db_run(db, "delete from links where business_id = ?1", DB_INT(business_id)));
  TRY(db_run(db, "delete from sessions where business_id = ?1", DB_INT(business_id)));
  return db_changed(db) > 0 ? changes_add(db, CHANGE_SESSION, business_id, STR("")) : OK;
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

enum err links_create(struct db *db, const struct link *link, char ret_token[SESSION_TOKEN_SIZE]) {
  char token[TOKEN_TEXT_SIZE];
  TRY(token_make(token));
  struct digest_of d = digest_of(str_from(token));
  TRY(db_run(db,
             "insert into links (digest, business_id, role, expires_at)"
             " select ?1, business_id, ?3, ?4 from businesses where business_id = ?2 and removed_at is null",
             DB_BLOB(token_digest_view(d.bytes)), DB_INT(link->business_id), DB_TEXT(str_from(link->role)),
             DB_INT(link->expires_at)));
  if (db_changed(db) == 0) return ERR_NOT_FOUND;
  return str_copy(ret_token, SESSION_TOKEN_SIZE, str_from(token));
}

enum err links_look(struct db *db, struct str token, int64_t now, struct link *ret_link) {
  struct digest_of d = digest_of(token);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q,
               "select l.business_id, l.role, l.expires_at from links l"
               " join businesses b on b.business_id = l.business_id and b.removed_at is null"
               " where l.digest = ?1 and l.used_at is null and l.expires_at > ?2",
               DB_BLOB(token_digest_view(d.bytes)), DB_INT(now)));
  TRY(db_next(&q));
  struct link link = {.business_id = db_int(&q, 0), .expires_at = db_int(&q, 2)};
  if (str_copy(link.role, sizeof(link.role), db_text(&q, 1)) != OK) return ERR_CORRUPT;
  *ret_link = link;
  return OK;
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
