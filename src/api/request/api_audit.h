/* api_audit.h - what a request does, as entries of the audit.
 *
 *   in `run` of a write:   TRY(db_call_audit(db, c, AUDIT_EDIT, call_sid, STR_NONE));      the same transaction
 *   on the loop:           audit_playback(loop, x, &subject, recording_sid, AUDIT_PLAY);      queued for the writer
 *
 * Thread rule: db_call_audit: the writer's, for a write that db_call_write began. The others: the exchange's loop. */
#pragma once

#include "api/request/api_db_call.h"
#include "ledger/audit.h"

/* Appends an entry of the db_call's subject. details: a JSON object without numbers, names and secrets, or empty. */
CHECKED enum err db_call_audit(struct db *db, const struct db_call *c, enum audit_action action, struct str object,
                               struct str details);
/* The subject's role as the audit names it: a platform key's is "platform". */
struct str audit_role_of(const struct subject *s);
/* The same, with an object "{kind}:{id}", as "key:5". */
CHECKED enum err db_call_audit_number(struct db *db, const struct db_call *c, enum audit_action action,
                                      const char *kind, int64_t id);
CHECKED enum err db_call_audit_id(struct db *db, const struct db_call *c, enum audit_action action, const char *kind,
                                  const char *id);
/* The same of somebody who signs in: the session's role and the text by which it was made. */
CHECKED enum err db_call_audit_sign_in(struct db *db, const struct db_call *c, const struct session *session);
/* Writes {"fields":["ref","tags"]}: those names of count that are marked. */
CHECKED enum err audit_details_fields(struct buf *b, const char *const *names, const bool *marked, size_t count);
/* Queues an entry. Call it once for each playback or export. */
void audit_playback(struct api_loop *l, struct http_exchange *x, const struct subject *subject, struct str object,
                    enum audit_action action);
