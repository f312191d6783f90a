/* api_setup.c - GET /api/setup: what is missing before this business's calls can be heard, in words, for its admins. It only
 * reads; whether the provider takes the credentials is asked behind the answer (api_credentials.h). */
#include <stdlib.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_credentials.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "domain/public_url.h"
#include "domain/setup.h"
#include "ledger/last_webhooks.h"

enum { SETUP_MAX = 32 * 1024 };

struct setup_request {
  struct db_call db_call;
  bool has_webhook;
  struct last_webhook webhook;
  struct buf json;
  int count;
};

static enum err setup_read(struct db *db, struct db_call *c) {
  struct setup_request *s = (struct setup_request *)(void *)c; /* db_call is the first member */
  enum err e = last_webhooks_get(db, c->subject.business_id, &s->webhook);
  s->has_webhook = e == OK;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err setup_add_finding(void *arg, const struct setup_finding *f) {
  static const char *const levels[] = {"ok", "warn", "fail"};
  struct setup_request *s = arg;
  TRY(buf_addf(&s->json, "%s{\"level\":\"%s\",\"code\":\"%s\",\"text\":", s->count++ ? "," : "", levels[f->level],
               f->name));
  TRY(buf_add_json(&s->json, str_from(f->text)));
  TRY(buf_add(&s->json, STR(",\"todo\":")));
  TRY(f->todo[0] ? buf_add_json(&s->json, str_from(f->todo)) : buf_add(&s->json, STR("null")));
  return buf_add_char(&s->json, '}');
}

static enum err setup_add_url(struct setup_request *s, const char *kind) {
  const struct db_call *c = &s->db_call;
  struct buf url CLEANUP(buf_done) = BUF_INIT(SETUP_MAX / 4);
  TRY(public_url_add_webhook(&url, c->api->parts.conf, c->subject.business_id, kind));
  return buf_add_json(&s->json, buf_str(&url));
}

static enum err setup_add_webhook(struct setup_request *s) {
  char at[DATE_TEXT_SIZE];
  if (!s->has_webhook) return buf_add(&s->json, STR("null"));
  date_format_rfc3339(s->webhook.at, at);
  TRY(buf_addf(&s->json, "{\"at\":\"%s\",\"kind\":\"%s\",\"result\":\"%s\",\"reason\":", at, s->webhook.kind,
               s->webhook.result));
  TRY(s->webhook.reason[0] ? buf_add_json(&s->json, str_from(s->webhook.reason)) : buf_add(&s->json, STR("null")));
  return buf_add_char(&s->json, '}');
}

static enum err setup_write(struct setup_request *s, const struct access_business *b) {
  const struct api *a = s->db_call.api;
  const struct api_parts *parts = &a->parts;
  const enum provider_verdict verdict = credentials_verdict(a->credentials, b);
  const struct setup_facts facts = {
      .has_account = b->account_sid.n > 0,
      .has_token = b->tokens[0].n > 0,
      .has_api_secret = b->api_key.n > 0 && b->api_secret.n > 0,
      .is_refused = verdict == PROVIDER_TRY_REFUSED ||
                    (verdict == PROVIDER_TRY_UNKNOWN && parts->account_stopped(parts->arg, b->business_id)),
      .is_accepted = verdict == PROVIDER_TRY_OK,
      .public_url_problem = public_url_problem(parts->conf->public_base_url),
      .has_webhook = s->has_webhook,
      .webhook_refused = s->has_webhook && s->webhook.reason[0],
      .worker_alive = parts->worker_alive(parts->arg),
      .storage_full = parts->storage_full(parts->arg)};
  TRY(buf_add(&s->json, STR("{\"findings\":[")));
  TRY(setup_judge(&facts, setup_add_finding, s));
  TRY(buf_add(&s->json, STR("],\"webhook_urls\":[")));
  TRY(setup_add_url(s, "call"));
  TRY(buf_add_char(&s->json, ','));
  TRY(setup_add_url(s, "recording"));
  TRY(buf_add(&s->json, STR("],\"last_webhook\":")));
  TRY(setup_add_webhook(s));
  return buf_addf(&s->json, ",\"credentials\":\"%s\"}", setup_credentials_name(setup_credentials_of(&facts)));
}

static void setup_on_read(struct db_call *c) {
  struct setup_request *s = (struct setup_request *)(void *)c;
  struct http_fields f;
  const struct access_business *b = access_find_business(c->loop->access, c->subject.business_id);
  enum err e = c->result == OK && !b ? ERR_NOT_FOUND : c->result;
  if (e == OK) e = setup_write(s, b);
  answer_fields(&f);
  if (e == OK)
    answer_json(c->x, 200, &f, buf_str(&s->json));
  else
    problem_answer_err(c->x, e);
  db_call_end(c);
  buf_done(&s->json);
  free(s);
}

void api_setup(void *arg, struct http_exchange *x) {
  struct setup_request *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, arg);
  buf_init(&s->json, SETUP_MAX);
  enum err e = db_call_read(&s->db_call, setup_read, setup_on_read);
  if (e == OK) return;
  problem_answer_err(x, e);
  db_call_end(&s->db_call);
  free(s);
}
