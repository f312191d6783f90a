/* api_audit.c - see api_audit.h. */
#include "api/request/api_audit.h"

#include <stdio.h>

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "db/db_clock.h"
#include "domain/audit_queue.h"

struct str audit_role_of(const struct subject *s) {
  return s->is_platform ? STR("platform") : str_from(access_role_name(s->role));
}

enum err db_call_audit(struct db *db, const struct db_call *c, enum audit_action action, struct str object,
                       struct str details) {
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  const struct audit_entry entry = {.at = c->now,
                                    .actor = str_from(by),
                                    .role = audit_role_of(&c->subject),
                                    .action = action,
                                    .object = object,
                                    .ip = str_from(c->ip),
                                    .details = details};
  return audit_append(db, c->subject.business_id, &entry);
}

enum err db_call_audit_id(struct db *db, const struct db_call *c, enum audit_action action, const char *kind,
                          const char *id) {
  struct buf object CLEANUP(buf_done) = BUF_INIT(AUDIT_OBJECT_SIZE);
  TRY(buf_addf(&object, "%s:%s", kind, id));
  return db_call_audit(db, c, action, buf_str(&object), STR_NONE);
}

enum err db_call_audit_number(struct db *db, const struct db_call *c, enum audit_action action, const char *kind,
                              int64_t id) {
  char text[24];
  (void)snprintf(text, sizeof(text), "%lld", (long long)id);
  return db_call_audit_id(db, c, action, kind, text);
}

enum err db_call_audit_sign_in(struct db *db, const struct db_call *c, const struct session *session) {
  struct buf object CLEANUP(buf_done) = BUF_INIT(AUDIT_OBJECT_SIZE);
  TRY(buf_addf(&object, "session:%s", session->id));
  const struct audit_entry entry = {.at = c->now,
                                    .actor = str_from(session->made_by),
                                    .role = str_from(session->role),
                                    .action = AUDIT_SIGN_IN,
                                    .object = buf_str(&object),
                                    .ip = str_from(c->ip)};
  return audit_append(db, session->business_id, &entry);
}

enum err audit_details_fields(struct buf *b, const char *const *names, const bool *marked, size_t count) {
  TRY(buf_add(b, STR("{\"fields\":[")));
  for (size_t i = 0, written = 0; i < count; i++)
    if (marked[i]) TRY(buf_addf(b, "%s\"%s\"", written++ ? "," : "", names[i]));
  return buf_add(b, STR("]}"));
}

void audit_playback(struct api_loop *l, struct http_exchange *x, const struct subject *subject, struct str object,
                    enum audit_action action) {
  char by[SUBJECT_TEXT_SIZE], ip[AUDIT_IP_SIZE];
  if (!l->api->parts.audit) return;
  subject_text(subject, &l->api->url_key, by);
  request_client_address(l->api, x, ip);
  const struct audit_entry entry = {.at = db_clock_now_ms(),
                                    .actor = str_from(by),
                                    .role = audit_role_of(subject),
                                    .action = action,
                                    .object = object,
                                    .ip = str_from(ip)};
  audit_queue_add(l->api->parts.audit, subject->business_id, &entry);
}
