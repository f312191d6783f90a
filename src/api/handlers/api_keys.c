/* api_keys.c - GET, POST /api/keys and DELETE /api/keys/{key_id}: the keys of a business. POST /api/signin-links: a link that
 * signs a person in. For admins; a key or link belongs to the business of the request and has at most the role admin.
 *
 * The text of a key stands in one answer only, and in no log line. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/handlers/api_json_body.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/db_clock.h"
#include "ledger/keys.h"
#include "ledger/sessions.h"

enum { ROW_MAX = 2048, ANSWER_MAX = 16 * 1024 };

struct keys_request {
  struct db_call db_call;
  struct buf json;
  int count;
  bool too_many; /* the business is at a ceiling */
  int64_t key_id, expires_at;
  char role[KEY_ROLE_SIZE], name[KEY_NAME_SIZE], by[SUBJECT_TEXT_SIZE];
  char text[KEY_TEXT_SIZE];       /* of a new key */
  struct link link;               /* of a new link */
  char token[SESSION_TOKEN_SIZE]; /* its token */
};

/* db_call is the first member. */
static struct keys_request *keys_request_of(struct db_call *c) {
  return (struct keys_request *)(void *)c;
}

static void keys_end(struct keys_request *k) {
  db_call_end(&k->db_call);
  secret_wipe(k->text, sizeof(k->text));
  secret_wipe(k->token, sizeof(k->token));
  if (k->json.p) secret_wipe(k->json.p, k->json.n);
  buf_done(&k->json);
  free(k);
}

static void keys_answer_err(struct keys_request *k, enum err e) {
  problem_answer_err(k->db_call.x, e);
  keys_end(k);
}

/* NULL: it was answered. */
static struct keys_request *keys_request_new(const struct api_request *req, size_t json_max) {
  struct keys_request *k = calloc(1, sizeof(*k));
  if (!k) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&k->db_call, req);
  k->db_call.leaves_catalog_unchanged = true;
  buf_init(&k->json, json_max);
  subject_text(&req->subject, &req->api->url_key, k->by);
  return k;
}

static enum err add_text(struct buf *b, const char *name, const char *text) {
  TRY(buf_addf(b, ",\"%s\":", name));
  return text[0] ? buf_add_json(b, str_from(text)) : buf_add(b, STR("null"));
}

static enum err add_time(struct buf *b, const char *name, int64_t ms) {
  char text[DATE_TEXT_SIZE] = "";
  if (ms) date_format_rfc3339(ms, text);
  return add_text(b, name, text);
}

static void keys_answer_json(struct keys_request *k, int status, enum err e) {
  struct http_fields f;
  if (e != OK) {
    keys_answer_err(k, e);
    return;
  }
  answer_fields(&f);
  answer_json(k->db_call.x, status, &f, buf_str(&k->json));
  keys_end(k);
}

/* ---- GET /api/keys ---- */

static enum err keys_add_row(void *arg, const struct key *key) {
  struct keys_request *k = arg;
  struct buf *b = &k->json;
  if (k->count++) TRY(buf_add_char(b, ','));
  TRY(buf_addf(b, "{\"key_id\":%lld,\"role\":\"%s\"", (long long)key->key_id, key->role));
  TRY(add_text(b, "name", key->name));
  TRY(add_text(b, "made_by", key->made_by));
  TRY(add_time(b, "created_at", key->created_at));
  TRY(add_time(b, "expires_at", key->expires_at));
  TRY(add_time(b, "last_used_at", key->last_used_at));
  return buf_add_char(b, '}');
}

static enum err keys_read(struct db *db, struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  TRY(buf_add(&k->json, STR("{\"keys\":[")));
  TRY(keys_each_unrevoked(db, c->subject.business_id, keys_add_row, k));
  return buf_add(&k->json, STR("]}"));
}

static void keys_on_read(struct db_call *c) {
  keys_answer_json(keys_request_of(c), 200, c->result);
}

void api_list_keys(void *arg, struct http_exchange *x) {
  struct keys_request *k = keys_request_new(arg, (size_t)KEYS_LISTED_MAX * ROW_MAX);
  (void)x;
  if (!k) return;
  enum err e = db_call_read(&k->db_call, keys_read, keys_on_read);
  if (e != OK) keys_answer_err(k, e);
}

/* ---- POST /api/keys ---- */

static enum err keys_write(struct db *db, struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  const struct key_wish wish = {.business_id = c->subject.business_id,
                                .role = str_from(k->role),
                                .name = str_from(k->name),
                                .made_by = str_from(k->by),
                                .expires_at = k->expires_at};
  enum err e = keys_check_ceiling(db, wish.business_id);
  k->too_many = e == ERR_BUSY;
  if (e == OK) e = keys_make(db, &wish, k->text, &k->key_id);
  return e == OK ? db_call_audit_number(db, c, AUDIT_KEY_CREATED, "key", k->key_id) : e;
}

static enum err keys_write_made(struct keys_request *k) {
  struct buf *b = &k->json;
  TRY(buf_addf(b, "{\"key\":\"%s\",\"key_id\":%lld,\"role\":\"%s\",\"business_id\":%lld", k->text, (long long)k->key_id,
               k->role, (long long)k->db_call.subject.business_id));
  TRY(add_text(b, "name", k->name));
  TRY(add_time(b, "expires_at", k->expires_at));
  return buf_add_char(b, '}');
}

static void keys_answer_too_many(struct keys_request *k, enum metric_label_LIMIT limit, const char *detail) {
  metric_add(METRIC_HTTP_LIMITED, limit, 1);
  problem_answer_detail(k->db_call.x, PROBLEM_TOO_MANY_REQUESTS, detail);
  keys_end(k);
}

static void keys_on_written(struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  if (k->too_many) {
    keys_answer_too_many(k, METRIC_LIMIT_KEYS, "The business has 1,000 keys in force. Revoke those that are not used.");
    return;
  }
  if (c->result == OK) {
    security_note(METRIC_SECURITY_KEY_MADE);
    log_info("Key made", LOG_INT("business", c->subject.business_id), LOG_INT("key", k->key_id), LOG_TEXT("by", k->by),
             LOG_TEXT("role", k->role));
  }
  keys_answer_json(k, 201, c->result == OK ? keys_write_made(k) : c->result);
}

/* The role of the member "role", by default viewer. False: it was answered. */
static bool keys_read_role(const struct api_request *req, const json_t *body, char ret_role[KEY_ROLE_SIZE]) {
  struct str text;
  enum access_role role = ACCESS_VIEWER;
  if (!json_body_text(req, body, "role", KEY_ROLE_SIZE - 1, &text)) return false;
  if (text.n && (access_role_of(text, &role) != OK || role == ACCESS_PLATFORM)) {
    problem_answer_field(req->x, STR("role"));
    return false;
  }
  return str_copy(ret_role, KEY_ROLE_SIZE, str_from(access_role_name(role))) == OK;
}

static bool keys_read_wish(struct keys_request *k, const struct api_request *req, const json_t *body) {
  struct str name, expires;
  if (!keys_read_role(req, body, k->role) || !json_body_text(req, body, "name", KEY_NAME_SIZE - 1, &name) ||
      !json_body_text(req, body, "expires_at", DATE_TEXT_SIZE, &expires))
    return false;
  if (expires.n && (date_parse_rfc3339(expires, &k->expires_at) != OK || k->expires_at <= db_clock_now_ms())) {
    problem_answer_field(req->x, STR("expires_at"));
    return false;
  }
  return str_copy(k->name, sizeof(k->name), name) == OK;
}

void api_make_key(void *arg, struct http_exchange *x) {
  static const char *const members[] = {"role", "name", "expires_at"};
  const struct api_request *req = arg;
  json_t *body = json_body_read(req, members, COUNT_OF(members));
  struct keys_request *k = body ? keys_request_new(req, ANSWER_MAX) : NULL;
  (void)x;
  bool good = k && keys_read_wish(k, req, body);
  json_decref(body);
  if (k && !good) keys_end(k);
  if (!good) return;
  enum err e = db_call_write(&k->db_call, METRIC_JOB_SESSION, keys_write, keys_on_written);
  if (e != OK) keys_answer_err(k, e);
}

/* ---- DELETE /api/keys/{key_id} ---- */

static enum err keys_revoke_row(struct db *db, struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  TRY(keys_revoke_by(db, c->subject.business_id, k->key_id, str_from(k->by)));
  return db_call_audit_number(db, c, AUDIT_KEY_REVOKED, "key", k->key_id);
}

static void keys_on_revoked(struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  struct http_fields f;
  if (c->result != OK) {
    keys_answer_err(k, c->result);
    return;
  }
  security_note(METRIC_SECURITY_KEY_REVOKED);
  log_info("Key revoked", LOG_INT("business", c->subject.business_id), LOG_INT("key", k->key_id),
           LOG_TEXT("by", k->by));
  answer_fields(&f);
  answer_empty(c->x, 204, &f);
  keys_end(k);
}

void api_revoke_key(void *arg, struct http_exchange *x) {
  const struct api_request *req = arg;
  uint64_t id;
  if (str_to_u64(req->match.params[0], INT64_MAX, &id) != OK) {
    problem_answer_field(x, STR("key_id"));
    return;
  }
  struct keys_request *k = keys_request_new(req, ANSWER_MAX);
  if (!k) return;
  k->key_id = (int64_t)id;
  enum err e = db_call_write(&k->db_call, METRIC_JOB_SESSION, keys_revoke_row, keys_on_revoked);
  if (e != OK) keys_answer_err(k, e);
}

/* ---- POST /api/signin-links ---- */

static enum err link_write(struct db *db, struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  k->link.expires_at = c->now + LINK_LIVES_MS;
  enum err e = links_check_ceiling(db, k->link.business_id);
  k->too_many = e == ERR_BUSY;
  if (e == OK) e = links_create(db, &k->link, k->token);
  return e == OK ? db_call_audit_id(db, c, AUDIT_LINK_CREATED, "link", k->link.id) : e;
}

static enum err link_write_made(struct keys_request *k) {
  const struct api *a = k->db_call.api;
  struct buf url CLEANUP(buf_done) = BUF_INIT(ANSWER_MAX / 2);
  TRY(a->public_url ? buf_add(&url, str_from(a->public_url)) : buf_add(&url, a->path_base));
  TRY(buf_addf(&url, "/signin?token=%s", k->token));
  TRY(buf_add(&k->json, STR("{\"url\":")));
  TRY(buf_add_json(&k->json, buf_str(&url)));
  secret_wipe(url.p, url.n);
  TRY(buf_addf(&k->json, ",\"role\":\"%s\"", k->link.role));
  TRY(add_time(&k->json, "expires_at", k->link.expires_at));
  return buf_add_char(&k->json, '}');
}

static void link_on_written(struct db_call *c) {
  struct keys_request *k = keys_request_of(c);
  if (k->too_many) {
    keys_answer_too_many(k, METRIC_LIMIT_LINKS,
                         "The business made 1,000 sign-in links within 10 minutes. Try again later.");
    return;
  }
  if (c->result == OK) {
    security_note(METRIC_SECURITY_LINK_MADE);
    log_info("Sign-in link made", LOG_INT("business", c->subject.business_id), LOG_TEXT("link", k->link.id),
             LOG_TEXT("by", k->by), LOG_TEXT("role", k->link.role));
  }
  keys_answer_json(k, 201, c->result == OK ? link_write_made(k) : c->result);
}

void api_make_signin_link(void *arg, struct http_exchange *x) {
  static const char *const members[] = {"role"};
  const struct api_request *req = arg;
  json_t *body = json_body_read(req, members, COUNT_OF(members));
  struct keys_request *k = body ? keys_request_new(req, ANSWER_MAX) : NULL;
  (void)x;
  bool good = k && keys_read_role(req, body, k->link.role);
  json_decref(body);
  if (k && !good) keys_end(k);
  if (!good) return;
  k->link.business_id = req->subject.business_id;
  k->link.key_id = req->subject.key_id;
  enum err e = str_copy(k->link.made_by, sizeof(k->link.made_by), str_from(k->by));
  if (e == OK) e = db_call_write(&k->db_call, METRIC_JOB_SESSION, link_write, link_on_written);
  if (e != OK) keys_answer_err(k, e);
}
