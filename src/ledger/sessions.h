/* sessions.h - the tables `sessions` (cookie sessions) and `links` (one-time sign-in links).
 *
 * Only digests of tokens are stored. A token is 43 base64url characters (256 random bits). Times are UNIX milliseconds.
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "base/secret.h"
#include "db/db.h"

enum {
  SESSION_TOKEN_SIZE = 43 + 1,
  SESSION_SUBJECT_SIZE = 256,
  SESSION_DIGEST_TEXT_SIZE = 2 * SHA256_SIZE + 1,
  SESSIONS_PER_BUSINESS_MAX = 10000,
  SESSIONS_TRIM_MAX = 100,
  SESSIONS_PER_CREDENTIAL_MAX = 100
};

struct session {
  int64_t business_id;
  char role[16];
  char subject[SESSION_SUBJECT_SIZE]; /* "" none */
  int64_t key_id;                     /* the API key that opened it, and with which it ends; 0: none */
  int64_t expires_at;
  int64_t created_at; /* sessions_create ignores it */
};

/* Creates a session. If the same key or subject has SESSIONS_PER_CREDENTIAL_MAX sessions in that role, or the business has
 * SESSIONS_PER_BUSINESS_MAX, the oldest one ends. */
CHECKED enum err sessions_create(struct db *db, const struct session *session, char ret_token[SESSION_TOKEN_SIZE]);
/* ERR_NOT_FOUND: the token is unknown, the session has expired, its key is revoked, or its business is removed. */
CHECKED enum err sessions_find(struct db *db, struct str token, int64_t now, struct session *ret_session);
/* Ends a session, and adds to `changes`. OK if there is none. */
CHECKED enum err sessions_end(struct db *db, struct str token);
/* Ends all sessions and links of a business. */
CHECKED enum err sessions_end_all(struct db *db, int64_t business_id);
/* Deletes at most SESSIONS_TRIM_MAX expired sessions, expired links and used links each. *ret_more: there may be more. */
CHECKED enum err sessions_trim(struct db *db, int64_t now, bool *ret_more);
/* The id of a CHANGE_SESSION: the token's digest in hexadecimal. */
void session_digest(struct str token, char ret_text[SESSION_DIGEST_TEXT_SIZE]);

struct link {
  int64_t business_id;
  char role[16];
  int64_t expires_at;
};

/* ERR_NOT_FOUND: no such business, or it is removed. */
CHECKED enum err links_create(struct db *db, const struct link *link, char ret_token[SESSION_TOKEN_SIZE]);
/* Reads a link without using it. ERR_NOT_FOUND: unknown, used or expired, or its business is removed. */
CHECKED enum err links_look(struct db *db, struct str token, int64_t now, struct link *ret_link);
/* Uses a link. Only one caller ever gets OK; the others get ERR_NOT_FOUND. */
CHECKED enum err links_use(struct db *db, struct str token, int64_t now, struct link *ret_link);
