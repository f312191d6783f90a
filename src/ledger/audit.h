/* audit.h - the table `audit`: an entry for each action, with its actor, its object and its time. Each business has a chain of
 * them.
 *
 *   TRY(audit_append(db, business_id, &(struct audit_entry){.at = now, .actor = STR("service"), .role = STR("service"),
 *                                                           .action = AUDIT_EXPIRE, .object = recording_sid}));
 *
 * Call it in the transaction that does what the entry tells: both are committed, or neither. Texts hold ids: no telephone
 * numbers, names, transcripts or secrets.
 *
 * The digest of an entry is the SHA-256, in lower-case hexadecimal, of these bytes: the digest of the entry before it (64
 * hexadecimal digits; before the first entry 64 zeros); business, number and at, each as 8 bytes, the highest first; actor, role,
 * action, object, ip and details, each after its length in bytes as 4 bytes, the highest first.
 *
 * Times are UNIX milliseconds. Business 0 is the service: platform keys.
 * Thread rule: the connection's. Writes need a transaction. */
#pragma once

#include "base/secret.h"
#include "db/db.h"

enum audit_action {
#define X(name, text, object) AUDIT_##name,
#include "ledger/audit_action.def"
#undef X
  AUDIT_ACTION_COUNT_
};
const char *audit_action_name(enum audit_action action);
/* False: there is no such action. */
bool audit_action_exists(struct str name);

enum {
  AUDIT_ACTOR_SIZE = 256,
  AUDIT_ROLE_SIZE = 16,
  AUDIT_ACTION_SIZE = 32,
  AUDIT_OBJECT_SIZE = 128,
  AUDIT_IP_SIZE = 64,
  AUDIT_DETAILS_SIZE = 1024,
  AUDIT_DIGEST_SIZE = 2 * SHA256_SIZE + 1,
  AUDIT_APPEND_MAX = 400, /* entries of one call */
};

struct audit_entry {
  int64_t at;
  struct str actor; /* key:ID, user:SUB, url:ID (subject_text); "command": an operator's command; "service" */
  struct str role;  /* viewer, agent, admin, platform, operator, service */
  enum audit_action action;
  struct str object;  /* a SID, or key:ID, url:ID, session:ID, hold:ID, erasure:ID, business:N */
  struct str ip;      /* of the client; empty: none */
  struct str details; /* a JSON object, or empty */
};

/* Appends an entry: three rows, and once in AUDIT_SPAN_ENTRIES entries one more (audit_spans.h). ERR_TOO_BIG: a text
 * is too long for its size above. */
CHECKED enum err audit_append(struct db *db, int64_t business_id, const struct audit_entry *entry);
/* Appends count entries, at most AUDIT_APPEND_MAX, in their order: count + 4 rows at most. */
CHECKED enum err audit_append_all(struct db *db, int64_t business_id, const struct audit_entry *entries, size_t count);

/* Appends what an operator's command did to "{kind}:{id}". details: as in struct audit_entry. */
CHECKED enum err audit_append_command(struct db *db, int64_t business_id, enum audit_action action, const char *kind,
                                      const char *id, struct str details);

/* A stored entry. The texts are valid until the next row. */
struct audit_row {
  int64_t business_id, number, at;
  struct str actor, role, action, object, ip, details, digest;
};

/* The digest that row must have after an entry with the digest `before`. ERR_TOO_BIG: a text is longer than any that was
 * written; then no digest fits. */
CHECKED enum err audit_digest(const struct audit_row *row, struct str before, char ret_digest[AUDIT_DIGEST_SIZE]);
/* The last entry of a chain. ERR_NOT_FOUND: the business has none. */
CHECKED enum err audit_head(struct db *db, int64_t business_id, int64_t *ret_number,
                            char ret_digest[AUDIT_DIGEST_SIZE]);
/* The digest of an entry that is there. ERR_NOT_FOUND. */
CHECKED enum err audit_digest_of(struct db *db, int64_t business_id, int64_t number,
                                 char ret_digest[AUDIT_DIGEST_SIZE]);
/* The next business with a chain after `after` (-1: the first). ERR_NOT_FOUND. */
CHECKED enum err audit_next_business(struct db *db, int64_t after, int64_t *ret_business_id);
