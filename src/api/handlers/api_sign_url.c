/* api_sign_url.c - a URL that plays one recording for a while. Which one a call means is chosen here, once. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "domain/signed_url.h"

enum { URL_MAX = 8192, TTL_SIZE = 16 };

struct signing {
  struct db_call db_call;
  char id[SID_SIZE];
  int64_t ttl_s;
  bool call_known;
  struct recording row;
};

static enum err run_look(struct db *db, struct db_call *e) {
  struct signing *s = (struct signing *)(void *)e; /* its first member */
  return recordings_resolve(db, e->subject.business_id, str_from(s->id), &s->call_known, &s->row);
}

static enum err write_answer(const struct signing *s, struct buf *b) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(URL_MAX);
  const struct db_call *e = &s->db_call;
  char expires[DATE_TEXT_SIZE];
  int64_t expires_at;
  TRY(signed_url_write(&e->api->url_key, str_from(e->api->public_url), e->subject.business_id,
                       str_from(s->row.recording_sid), s->ttl_s, clock_now_ms(), &url, &expires_at));
  date_format_rfc3339(expires_at, expires);
  TRY(buf_add(b, STR("{\"url\":")));
  TRY(buf_add_json(b, buf_str(&url)));
  return buf_addf(b, ",\"expires_at\":\"%s\"}", expires);
}

static void answer(const struct signing *s) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(2 * URL_MAX);
  struct http_fields f;
  enum err e = write_answer(s, &b);
  answer_fields(&f);
  if (!str_eq(str_from(s->id), str_from(s->row.recording_sid)))
    field_recording_path(s->db_call.api, &f, STR("Content-Location"), s->row.recording_sid, "url");
  if (e == OK)
    answer_json(s->db_call.x, 200, &f, buf_str(&b));
  else
    problem_answer_err(s->db_call.x, e);
}

static void looked(struct db_call *e) {
  struct signing *s = (struct signing *)(void *)e;
  if (e->result == ERR_NOT_FOUND && s->call_known)
    problem_answer_detail(e->x, PROBLEM_NOT_FOUND, "No recording of this call is known.");
  else if (e->result != OK)
    problem_answer_err(e->x, e->result);
  else if (s->row.status == RECORDING_EXPIRED)
    problem_answer(e->x, PROBLEM_GONE, NULL);
  else
    answer(s);
  db_call_end(e);
  free(s);
}

/* False: 400 was answered. */
static bool read_ttl(struct api_request *v, int64_t *ret_ttl_s) {
  char text[TTL_SIZE];
  uint64_t ttl = SIGNED_URL_TTL_DEFAULT_S;
  if (!request_query(v, "ttl", text, sizeof(text))) return false;
  if (text[0] && (str_to_u64(str_from(text), SIGNED_URL_TTL_MAX_S, &ttl) != OK || ttl == 0)) {
    problem_answer_field(v->x, STR("ttl"));
    return false;
  }
  *ret_ttl_s = (int64_t)ttl;
  return true;
}

void api_sign_url(void *arg, struct http_exchange *x) {
  struct api_request *v = arg;
  int64_t ttl_s;
  if (!request_id(v, ID_RECORDING_OR_CALL) || !read_ttl(v, &ttl_s)) return;
  struct signing *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, v);
  s->ttl_s = ttl_s;
  memcpy(s->id, v->id, sizeof(s->id));
  enum err e = db_call_read(&s->db_call, run_look, looked);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&s->db_call);
  free(s);
}
