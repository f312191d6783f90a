/* api_urls.c - GET /api/urls: the signed URLs of a business that are in force. DELETE /api/urls[/{url_id}]: ends all, or one.
 *
 * The list goes by key: its cursor is "{made_at}.{url_id}" of the last row. */
#include <stdlib.h>
#include <string.h>

#include "api/auth/api_session_cache.h"
#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_security.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "ledger/urls.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 500, ROW_MAX = 1024, NUMBER_SIZE = 24 };

struct urls_request {
  struct db_call db_call;
  struct buf json;
  int64_t after_ms; /* list: the row to continue after */
  char url_id[URL_ID_SIZE];
  int limit, count;
  struct url last;
};

/* db_call is the first member. */
static struct urls_request *urls_request_of(struct db_call *c) {
  return (struct urls_request *)(void *)c;
}

static void urls_end_request(struct urls_request *u) {
  db_call_end(&u->db_call);
  buf_done(&u->json);
  free(u);
}

/* NULL: it was answered. */
static struct urls_request *urls_request_new(const struct api_request *req) {
  struct urls_request *u = calloc(1, sizeof(*u));
  if (!u) {
    problem_answer_err(req->x, ERR_NOMEM);
    return NULL;
  }
  db_call_begin(&u->db_call, req);
  u->db_call.leaves_catalog_unchanged = true;
  return u;
}

static void urls_answer_err(struct urls_request *u, enum err e) {
  problem_answer_err(u->db_call.x, e);
  urls_end_request(u);
}

/* ---- GET ---- */

static enum err urls_add_time(struct buf *b, const char *name, int64_t ms) {
  char text[DATE_TEXT_SIZE];
  date_format_rfc3339(ms, text);
  return buf_addf(b, ",\"%s\":\"%s\"", name, text);
}

static enum err urls_add_row(void *arg, const struct url *url) {
  struct urls_request *u = arg;
  struct buf *b = &u->json;
  if (u->count == u->limit) { /* one more than asked for: there is a next page */
    u->count++;
    return OK;
  }
  if (u->count++) TRY(buf_add_char(b, ','));
  TRY(buf_addf(b, "{\"url_id\":\"%s\",\"recording_sid\":", url->url_id));
  TRY(buf_add_json(b, str_from(url->recording_sid)));
  TRY(buf_add(b, STR(",\"made_by\":")));
  TRY(buf_add_json(b, str_from(url->made_by)));
  TRY(urls_add_time(b, "made_at", url->made_at));
  TRY(urls_add_time(b, "expires_at", url->expires_at));
  u->last = *url;
  return buf_add_char(b, '}');
}

static enum err urls_read(struct db *db, struct db_call *c) {
  struct urls_request *u = urls_request_of(c);
  TRY(buf_add(&u->json, STR("{\"urls\":[")));
  TRY(urls_each(db, c->subject.business_id, c->now, u->after_ms, str_from(u->url_id), u->limit + 1, urls_add_row, u));
  if (u->count <= u->limit) return buf_add(&u->json, STR("],\"next_cursor\":null}"));
  return buf_addf(&u->json, "],\"next_cursor\":\"%lld.%s\"}", (long long)u->last.made_at, u->last.url_id);
}

static void urls_on_read(struct db_call *c) {
  struct urls_request *u = urls_request_of(c);
  struct http_fields f;
  if (c->result != OK) {
    urls_answer_err(u, c->result);
    return;
  }
  answer_fields(&f);
  answer_json(c->x, 200, &f, buf_str(&u->json));
  urls_end_request(u);
}

static bool urls_read_cursor(struct str text, int64_t *ret_after_ms, char ret_url_id[URL_ID_SIZE]) {
  struct str made, id;
  uint64_t ms;
  if (!str_cut(text, '.', &made, &id) || str_to_u64(made, INT64_MAX, &ms) != OK) return false;
  *ret_after_ms = (int64_t)ms;
  return id.n == URL_ID_SIZE - 1 && str_copy(ret_url_id, URL_ID_SIZE, id) == OK;
}

void api_list_urls(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  char limit[NUMBER_SIZE], cursor[NUMBER_SIZE + URL_ID_SIZE];
  uint64_t wanted = LIMIT_DEFAULT;
  if (!request_query(req, "limit", limit, sizeof(limit)) || !request_query(req, "cursor", cursor, sizeof(cursor)))
    return;
  if (limit[0] && (str_to_u64(str_from(limit), LIMIT_MAX, &wanted) != OK || wanted == 0)) {
    problem_answer_field(x, STR("limit"));
    return;
  }
  struct urls_request *u = urls_request_new(req);
  if (!u) return;
  u->limit = (int)wanted;
  u->after_ms = INT64_MAX;
  buf_init(&u->json, (size_t)(LIMIT_MAX + 1) * ROW_MAX);
  if (cursor[0] && !urls_read_cursor(str_from(cursor), &u->after_ms, u->url_id)) {
    problem_answer_field(x, STR("cursor"));
    urls_end_request(u);
    return;
  }
  enum err e = db_call_read(&u->db_call, urls_read, urls_on_read);
  if (e != OK) urls_answer_err(u, e);
}

/* ---- DELETE ---- */

static enum err urls_delete(struct db *db, struct db_call *c) {
  struct urls_request *u = urls_request_of(c);
  int64_t business_id = c->subject.business_id;
  if (!u->url_id[0]) {
    TRY(urls_end_all(db, business_id));
    return db_call_audit_number(db, c, AUDIT_URL_REVOKED, "business", business_id);
  }
  TRY(urls_end(db, business_id, str_from(u->url_id), &business_id));
  return db_call_audit_id(db, c, AUDIT_URL_REVOKED, "url", u->url_id);
}

static void urls_on_deleted(struct db_call *c) {
  struct urls_request *u = urls_request_of(c);
  char by[SUBJECT_TEXT_SIZE], digest[SESSION_DIGEST_TEXT_SIZE] = "";
  uint8_t bytes[SHA256_SIZE];
  struct http_fields f;
  if (c->result != OK) {
    urls_answer_err(u, c->result);
    return;
  }
  url_digest(str_from(u->url_id), bytes);
  if (u->url_id[0]) hex_encode(bytes, sizeof(bytes), digest);
  session_changed(c->api->versions, c->subject.business_id, str_from(digest)); /* here at once */
  subject_text(&c->subject, &c->api->url_key, by);
  security_note(METRIC_SECURITY_URL_REVOKED);
  log_info("URL revoked", LOG_INT("business", c->subject.business_id),
           LOG_TEXT("url", u->url_id[0] ? u->url_id : "all"), LOG_TEXT("by", by));
  answer_fields(&f);
  answer_empty(c->x, 204, &f);
  urls_end_request(u);
}

static void urls_begin_delete(struct urls_request *u) {
  enum err e = db_call_write(&u->db_call, METRIC_JOB_SESSION, urls_delete, urls_on_deleted);
  if (e != OK) urls_answer_err(u, e);
}

void api_end_urls(void *arg, struct http_exchange *x) {
  struct urls_request *u = urls_request_new(arg);
  (void)x;
  if (u) urls_begin_delete(u);
}

void api_end_url(void *arg, struct http_exchange *x) {
  struct api_request *req = arg;
  struct str id = req->match.params[0];
  char url_id[URL_ID_SIZE];
  if (id.n != URL_ID_SIZE - 1 || str_copy(url_id, sizeof(url_id), id) != OK) {
    problem_answer_field(x, STR("url_id"));
    return;
  }
  struct urls_request *u = urls_request_new(req);
  if (!u) return;
  memcpy(u->url_id, url_id, sizeof(u->url_id));
  urls_begin_delete(u);
}
