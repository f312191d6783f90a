/* sessions.h - the tables `sessions` (who is signed in with a cookie) and `links` (one-time sign-in links).
 *
 * Only digests of tokens are kept. A token is 43 base64url characters (256 random bits).
 * Thread rule: the connection's; writing inside a transaction. */
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
  int64_t key_id;                     /* 0: of no key; else it ends with that key */
  int64_t expires_at;
};

/* Past SESSIONS_PER_CREDENTIAL_MAX of a key or subject in a role, and SESSIONS_PER_BUSINESS_MAX, the oldest end. */
CHECKED enum err sessions_create(struct db *db, const struct session *session, char ret_token[SESSION_TOKEN_SIZE]);
/* ERR_NOT_FOUND: unknown, expired at now, its key revoked or its business removed. */
CHECKED enum err sessions_find(struct db *db, struct str token, int64_t now, struct session *ret_session);
/* Ends it, with a row in `changes`. One that is not there is fine. */
CHECKED enum err sessions_end(struct db *db, struct str token);
/* Of a business: its sessions and its links. */
CHECKED enum err sessions_end_all(struct db *db, int64_t business_id);
/* Forgets expired sessions and links that can't be used any more, at most SESSIONS_TRIM_MAX of each kind; *ret_more: there may be
 * more. */
CHECKED enum err sessions_trim(struct db *db, int64_t now, bool *ret_more);
/* What a CHANGE_SESSION names: the token's digest in hexadecimal. */
void session_digest(struct str token, char ret_text[SESSION_DIGEST_TEXT_SIZE]);

struct link {
  int64_t business_id;
  char role[16];
  int64_t expires_at;
};

/* ERR_NOT_FOUND for a business that is not there (any more). */
CHECKED enum err links_create(struct db *db, const struct link *link, char ret_token[SESSION_TOKEN_SIZE]);
/* Looks without using it. ERR_NOT_FOUND: unknown, used, late, or its business removed. */
CHECKED enum err links_look(struct db *db, struct str token, int64_t now, struct link *ret_link);
/* Once: of several that use it at the same time one gets OK, the others ERR_NOT_FOUND. */
CHECKED enum err links_use(struct db *db, struct str token, int64_t now, struct link *ret_link);
