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
  SESSION_ID_SIZE = 16 + 1, /* the first digits of the digest: they name a session or a link, and open nothing */
  SESSIONS_PER_BUSINESS_MAX = 10000,
  SESSIONS_TRIM_MAX = 100,
  SESSIONS_NAMED_MAX = 50,
  SESSIONS_LIST_MAX = 10000,
  SESSIONS_PER_CREDENTIAL_MAX = 100,
  LINKS_PER_BUSINESS_MAX = 1000,
  LINK_LIVES_MS = 10 * 60 * 1000 /* of all links; links_create takes any expiry */
};

struct session {
  int64_t business_id;
  char role[16];
  char subject[SESSION_SUBJECT_SIZE]; /* "" none */
  int64_t key_id;                     /* the API key that opened it, and with which it ends; 0: none */
  int64_t expires_at;
  char made_by[SESSION_SUBJECT_SIZE]; /* "key:5", "user:SUB", "link:ID"; "" not known */
  int64_t created_at;                 /* set by sessions_each */
  char id[SESSION_ID_SIZE];           /* set by sessions_create and sessions_each */
};

/* Creates a session. If the same key or subject has SESSIONS_PER_CREDENTIAL_MAX sessions in that role, or the business has
 * SESSIONS_PER_BUSINESS_MAX, the oldest one ends. */
CHECKED enum err sessions_create(struct db *db, struct session *session, char ret_token[SESSION_TOKEN_SIZE]);
/* expires_at is the session's, or its key's if that is earlier. ERR_NOT_FOUND: the token is unknown, the session or its key has
 * expired, its key is revoked, or its business is removed. */
CHECKED enum err sessions_find(struct db *db, struct str token, int64_t now, struct session *ret_session);
/* The earlier of two ends; of_key is 0 if there is no key, or if it does not expire. */
int64_t sessions_earlier_end(int64_t own, int64_t of_key);
/* Ends a session, and adds to `changes`. OK if there is none. */
CHECKED enum err sessions_end(struct db *db, struct str token);
/* Ends at most SESSIONS_NAMED_MAX sessions of a business, expired ones too, for whose subject fn is true. *ret_more: there may be
 * more. */
typedef bool sessions_named_fn(void *arg, struct str subject);
CHECKED enum err sessions_end_named(struct db *db, int64_t business_id, sessions_named_fn *fn, void *arg,
                                    bool *ret_more);
/* Ends all sessions and unused links of a business that were made until now. Writes one row, however many there are. */
CHECKED enum err sessions_end_all(struct db *db, int64_t business_id);
/* Calls fn with at most SESSIONS_LIST_MAX sessions of a business, the newest first. */
typedef enum err sessions_each_fn(void *arg, const struct session *session);
CHECKED enum err sessions_each(struct db *db, int64_t business_id, int64_t now, sessions_each_fn *fn, void *arg);
/* The kind of object that sessions_end_id ended. */
struct session_ended {
  int64_t business_id;
  bool is_link;
  char digest[SESSION_DIGEST_TEXT_SIZE]; /* as a CHANGE_SESSION has it */
};

/* Ends the session or unused link with that id, of that business (0: of any). ERR_NOT_FOUND; ERR_INVALID: no such id is
 * possible. */
CHECKED enum err sessions_end_id(struct db *db, int64_t business_id, struct str id, struct session_ended *ret_ended);
/* Deletes at most SESSIONS_TRIM_MAX expired sessions, expired links and used links each. *ret_more: there may be more. */
CHECKED enum err sessions_trim(struct db *db, int64_t now, bool *ret_more);
/* The id of a CHANGE_SESSION: the token's digest in hexadecimal. */
void session_digest(struct str token, char ret_text[SESSION_DIGEST_TEXT_SIZE]);

struct link {
  int64_t business_id;
  char role[16];
  int64_t expires_at;
  int64_t key_id;                     /* the API key that made it, and with which it ends; 0: none */
  char made_by[SESSION_SUBJECT_SIZE]; /* "command", "key:5", "user:SUB"; "" not known */
  int64_t made_at;                    /* set by links_create and links_each */
  char id[SESSION_ID_SIZE];           /* set by all that follow */
};

/* ERR_BUSY: the business has LINKS_PER_BUSINESS_MAX links that have not expired, used ones included. */
CHECKED enum err links_check_ceiling(struct db *db, int64_t business_id);
/* ERR_NOT_FOUND: no such business, or it is removed. */
CHECKED enum err links_create(struct db *db, struct link *link, char ret_token[SESSION_TOKEN_SIZE]);
/* Calls fn with at most SESSIONS_LIST_MAX unused links of a business, the newest first. */
typedef enum err links_each_fn(void *arg, const struct link *link);
CHECKED enum err links_each(struct db *db, int64_t business_id, int64_t now, links_each_fn *fn, void *arg);
/* Reads a link without using it. ERR_NOT_FOUND: unknown, used or expired, or its business is removed. */
CHECKED enum err links_look(struct db *db, struct str token, int64_t now, struct link *ret_link);
/* Uses a link. Only one caller ever gets OK; the others get ERR_NOT_FOUND. */
CHECKED enum err links_use(struct db *db, struct str token, int64_t now, struct link *ret_link);
