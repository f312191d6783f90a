/* api_webhooks.c - POST /webhooks/twilio/{business_id}/call and …/recording: answered after the commit.
 *
 *   head: 415 not a form -> 401 no signature -> 404 unknown business   (refused before memory for a body is reserved)
 *   body: a business that is not in the snapshot is looked up (404) ->
 *         the provider's checks (403, 400) -> the business's quota (429)
 *      `-> queued for the writer --committed--> 204
 *                    `-- not committed within 5 s --> 503. A write that has not begun is dropped. A write that has begun may
 *                        still be committed; that is harmless, because deliveries may repeat.
 *
 * Invariants
 *  (1) No SQL runs before the signature and the account were found valid: the loop's access snapshot is enough for that,
 *      except for (5).
 *  (2) The memory of a delivery, and the snapshot that its views point into, live until the writer has answered.
 *  (3) Only signed deliveries count against a business's quota, so nobody else can use it up. The provider does not repeat a
 *      delivery that was refused; the quota is therefore far above what a business's calls can cause.
 *  (4) A refusal is logged once a minute for each business and reason. All unknown businesses count as one.
 *  (5) A business that was added a moment ago may not be in the snapshot: the database is asked, if the id is near those that
 *      were given last. All such ids have one quota, so that nobody keeps the readers busy; beyond it, 404 at the head. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_last_webhooks.h"
#include "api/request/api_loop.h"
#include "api/request/api_quota.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/intake.h"
#include "domain/recording_log.h"

enum {
  STORAGE_MAX = 4 * BODY_MAX + 16 * 1024,
  PREFIX_MAX = 16 * 1024,
  REFUSED_EVERY_MS = 60 * 1000,
  REASONS = 16,
  BURST_S = 5,
  LOOKUPS_A_SECOND = 20 /* of businesses that are not in the snapshot */
};

/* ---- refusals ---- */

/* The order of WEBHOOK in metric.def, after its TAKEN. */
enum reason {
  REASON_NO_FORM,
  REASON_NO_SIGNATURE,
  REASON_UNKNOWN_BUSINESS,
  REASON_BAD_SIGNATURE,
  REASON_NO_TOKEN,
  REASON_OTHER_ACCOUNT,
  REASON_BAD_FIELD,
  REASON_NO_ROOM,
  REASON_NOT_COMMITTED,
  REASON_TOO_MANY,
};
static const char *const reason_names[] = {
    [REASON_NO_FORM] = "no_form",
    [REASON_NO_SIGNATURE] = "no_signature",
    [REASON_UNKNOWN_BUSINESS] = "unknown_business",
    [REASON_BAD_SIGNATURE] = "bad_signature",
    [REASON_NO_TOKEN] = "no_auth_token",
    [REASON_OTHER_ACCOUNT] = "other_account",
    [REASON_BAD_FIELD] = "bad_field",
    [REASON_NO_ROOM] = "no_room",
    [REASON_NOT_COMMITTED] = "not_committed",
    [REASON_TOO_MANY] = "too_many",
};

_Static_assert(METRIC_WEBHOOK_NO_FORM + REASON_TOO_MANY == METRIC_WEBHOOK_TOO_MANY,
               "enum reason and metric.def must list the same reasons");

static unsigned webhook_label_of(enum provider_webhook_kind kind) {
  return kind == PROVIDER_WEBHOOK_CALL ? METRIC_WEBHOOK_KIND_CALL : METRIC_WEBHOOK_KIND_RECORDING;
}

static const char *webhook_kind_name(enum provider_webhook_kind kind) {
  return kind == PROVIDER_WEBHOOK_CALL ? "call" : "recording";
}

/* Writes the line of a refusal. d: NULL if it has no SIDs yet. field: may be NULL. */
static void webhook_log_refusal(int64_t business_id, enum reason reason, const struct delivery *d, const char *field) {
  struct log_field fields[6] = {LOG_INT("business", business_id), LOG_TEXT("reason", reason_names[reason])};
  size_t count = 2;
  if (d && d->call_sid.n) fields[count++] = LOG_STR("call", d->call_sid);
  if (d && d->recording_sid.n) fields[count++] = LOG_STR("recording", d->recording_sid);
  if (field) fields[count++] = LOG_TEXT("field", field);
  if (log_enabled(LOG_WARN)) log_write(LOG_WARN, "Webhook refused", fields);
}

/* Counts the refusal and logs it (4). business_id: 0 if the business is not known. d, field: as above. */
static void webhook_count_refusal(struct api *a, enum provider_webhook_kind kind, int64_t business_id,
                                  enum reason reason, const struct delivery *d, const char *field) {
  metric_add_two(METRIC_WEBHOOKS, webhook_label_of(kind), METRIC_WEBHOOK_NO_FORM + reason, 1);
  if (business_id) last_webhooks_note(a, business_id, webhook_kind_name(kind), "refused", reason_names[reason]);
  size_t slot = (size_t)((uint64_t)business_id * REASONS + reason) % REFUSAL_SLOTS;
  int_least64_t now = clock_mono_ms(), last = atomic_load(&a->refused[slot]);
  if (last && now - last < REFUSED_EVERY_MS) return;
  if (!atomic_compare_exchange_strong(&a->refused[slot], &last, now)) return; /* another loop logs it */
  webhook_log_refusal(business_id, reason, d, field);
}

static void webhook_refuse(struct api_request *req, enum provider_webhook_kind kind, int64_t business_id,
                           enum reason reason, enum problem p, const char *detail) {
  webhook_count_refusal(req->api, kind, business_id, reason, NULL, NULL);
  problem_answer_detail(req->x, p, detail);
}

/* ---- a delivery until it is committed ---- */

struct webhook {
  struct db_call db_call;
  struct access_snapshot *access; /* held (2) */
  struct buf storage;
  struct delivery delivery;
  struct intake_result result;
  enum provider_webhook_kind kind;
  int64_t arrived_us;
  bool twiml;
  bool answered;
  char recording_sid[SID_SIZE]; /* of the delivery; "": it names none */
};

/* db_call is the first member. */
static struct webhook *webhook_of(struct db_call *c) {
  return (struct webhook *)(void *)c;
}

static void webhook_free(struct webhook *w) {
  db_call_end(&w->db_call);
  access_unref(w->access);
  buf_done(&w->storage);
  free(w);
}

static void webhook_answer_accepted(struct webhook *w) {
  struct http_fields f;
  answer_fields(&f);
  if (w->twiml)
    answer_bytes(w->db_call.x, 200, &f, STR("text/xml"), STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"));
  else
    answer_empty(w->db_call.x, 204, &f);
}

static void webhook_refuse_delivery(const struct webhook *w, enum reason reason, enum problem p, const char *detail) {
  webhook_count_refusal(w->db_call.api, w->kind, w->db_call.subject.business_id, reason, &w->delivery, NULL);
  problem_answer_detail(w->db_call.x, p, detail);
}

static void webhook_refuse_field(const struct webhook *w, const char *field) {
  webhook_count_refusal(w->db_call.api, w->kind, w->db_call.subject.business_id, REASON_BAD_FIELD, &w->delivery, field);
  problem_answer_field(w->db_call.x, str_from(field));
}

static void webhook_answer_not_committed(struct webhook *w, enum problem p) {
  webhook_count_refusal(w->db_call.api, w->kind, w->delivery.business_id, REASON_NOT_COMMITTED, &w->delivery, NULL);
  w->answered = true;
  problem_answer(w->db_call.x, p, NULL);
}

static void webhook_on_deadline(struct http_exchange *x, void *arg) {
  struct webhook *w = arg;
  (void)x;
  webhook_answer_not_committed(w, PROBLEM_DATABASE);
}

static enum err webhook_run_intake(struct db *db, struct db_call *c) {
  struct webhook *w = webhook_of(c);
  return intake_run(db, &w->delivery, c->now, &w->result);
}

static enum err webhook_run_intake_set(struct db *db, struct db_call *const *calls, int count) {
  const struct delivery **deliveries = calloc((size_t)count, sizeof(struct delivery *));
  struct intake_result **results = calloc((size_t)count, sizeof(struct intake_result *));
  enum err e = deliveries && results ? OK : ERR_NOMEM;
  for (int i = 0; e == OK && i < count; i++) {
    struct webhook *w = webhook_of(calls[i]);
    deliveries[i] = &w->delivery;
    results[i] = &w->result;
  }
  if (e == OK) e = intake_run_set(db, deliveries, count, calls[0]->now, results);
  free(results);
  free(deliveries);
  return e;
}

static void webhook_on_committed(struct db_call *c) {
  struct webhook *w = webhook_of(c);
  http_timer(c->x, -1, NULL, NULL);
  log_debug("Webhook received", LOG_INT("business", w->delivery.business_id),
            LOG_TEXT("kind", w->kind == PROVIDER_WEBHOOK_CALL ? "call" : "recording"),
            LOG_STR("call", w->delivery.call_sid), LOG_STR("recording", w->delivery.recording_sid),
            LOG_TEXT("result", err_text(c->result)),
            LOG_TEXT("enqueued", c->result == OK && w->result.enqueued ? "yes" : "no"));
  if (c->result == OK && w->result.recording_failed) recording_log_failure(&w->result.failed, STR_NONE);
  if (w->answered) {
    webhook_free(w);
    return;
  }
  if (c->result == OK) {
    metric_add_two(METRIC_WEBHOOKS, webhook_label_of(w->kind), METRIC_WEBHOOK_TAKEN, 1);
    last_webhooks_note(c->api, w->delivery.business_id, webhook_kind_name(w->kind), "taken", "");
    metric_add(METRIC_WEBHOOK_FIELDS_DROPPED, 0, (int64_t)(w->delivery.dropped + w->result.dropped_fields));
    metric_observe(METRIC_WEBHOOK_SECONDS, clock_mono_us() - w->arrived_us);
    webhook_answer_accepted(w);
  } else
    webhook_answer_not_committed(w, problem_of_err(c->result));
  webhook_free(w);
}

static void webhook_submit(struct webhook *w) {
  if (str_copy(w->recording_sid, sizeof(w->recording_sid), w->delivery.recording_sid) == OK)
    w->db_call.changed_recording_sid = w->recording_sid;
  w->db_call.run_set = webhook_run_intake_set;
  enum err e = db_call_write(&w->db_call, METRIC_JOB_WEBHOOK, webhook_run_intake, webhook_on_committed);
  if (e == OK) {
    http_timer(w->db_call.x, WEBHOOK_BEGIN_MS, webhook_on_deadline, w);
    return;
  }
  webhook_answer_not_committed(w, problem_of_err(e));
  webhook_free(w);
}

/* ---- the request ---- */

/* 0: the path has no id. */
static int64_t webhook_business_id(const struct api_request *req) {
  struct str text = req->match.params[0];
  uint64_t id;
  if (text.n == 0 || text.p[0] == '0' || str_to_u64(text, INT64_MAX, &id) != OK) return 0;
  return (int64_t)id;
}

static const struct access_business *webhook_find_business(const struct api_request *req) {
  return access_find_business(req->loop->access, webhook_business_id(req));
}

/* The raw request target, without the path of PUBLIC_BASE_URL. */
static struct str webhook_target(const struct api_request *req) {
  const struct http_request *r = req->request;
  const char *from = r->path.p + (req->under_base ? req->api->path_base.n : 0);
  return str_of(from, (size_t)(r->target.p + r->target.n - from));
}

static enum provider_refusal webhook_check_url(struct webhook *w, const struct api_request *req,
                                               const struct access_business *b, struct str prefix, struct str target,
                                               const char **ret_field) {
  const struct provider *provider = req->api->provider;
  const struct provider_account account = {.business_id = b->business_id,
                                           .account_sid = b->account_sid,
                                           .tokens = {b->tokens[0], b->tokens[1]},
                                           .api_key = b->api_key,
                                           .api_secret = b->api_secret,
                                           .base_url = b->base_url};
  const struct provider_webhook hook = {
      .kind = w->kind,
      .signature = http_header_get(req->request, str_from(provider->signature_header)),
      .url_prefix = prefix,
      .target = target,
      .host = req->request->host,
      .body = req->request->body,
      .received_ms = db_clock_now_ms()};
  buf_clear(&w->storage);
  w->delivery.call_sid = w->delivery.recording_sid = STR_NONE;
  return provider->webhook(&account, &hook, &w->storage, &w->delivery, ret_field);
}

static enum provider_refusal webhook_check_own_url(struct webhook *w, const struct api_request *req,
                                                   const struct access_business *b, bool is_https,
                                                   const char **ret_field) {
  struct buf prefix CLEANUP(buf_done) = BUF_INIT(PREFIX_MAX);
  if (buf_addf(&prefix, "%s://%.*s", is_https ? "https" : "http", STR_ARG(req->request->host)) != OK)
    return PROVIDER_NO_MEMORY;
  return webhook_check_url(w, req, b, buf_str(&prefix), webhook_target(req), ret_field);
}

/* The URL that the provider called, where a shadow gets a copy of a request to another system. It needs no trust: the signature
 * covers it. */
static struct str webhook_signed_url(const struct api_request *req) {
  return req->api->parts.shadow ? http_header_get(req->request, STR("X-Callreel-Signed-URL")) : STR_NONE;
}

/* Checks the signature against PUBLIC_BASE_URL with its path, then without. If PUBLIC_BASE_URL is not set, checks it against
 * the URL of the request; where several proxies report different schemes, with both: the signature says which one is true. */
static enum provider_refusal webhook_check(struct webhook *w, const struct api_request *req,
                                           const struct access_business *b, const char **ret_field) {
  const struct api *a = req->api;
  struct str signed_url = webhook_signed_url(req);
  if (signed_url.n) return webhook_check_url(w, req, b, signed_url, STR_NONE, ret_field);
  if (a->public_url) {
    enum provider_refusal refusal =
        webhook_check_url(w, req, b, str_from(a->public_url), webhook_target(req), ret_field);
    if (refusal != PROVIDER_BAD_SIGNATURE || a->path_base.n == 0) return refusal;
    return webhook_check_url(w, req, b, str_from(a->public_origin), webhook_target(req), ret_field);
  }
  bool is_https = request_is_https(req);
  enum provider_refusal refusal = webhook_check_own_url(w, req, b, is_https, ret_field);
  if (refusal != PROVIDER_BAD_SIGNATURE || !request_has_several_protos(req)) return refusal;
  return webhook_check_own_url(w, req, b, !is_https, ret_field);
}

/* (3) False: 429 was answered. */
static bool webhook_within_quota(struct api_request *req, const struct webhook *w, int64_t business_id) {
  struct problem_words words = {0};
  int64_t a_second = req->api->parts.conf->webhooks_per_business;
  if (quota_take_turn(req->api->webhooks, business_id, clock_mono_us(), a_second, BURST_S * a_second,
                      &words.retry_after_s))
    return true;
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_WEBHOOKS, 1);
  webhook_count_refusal(req->api, w->kind, business_id, REASON_TOO_MANY, &w->delivery, NULL);
  problem_answer(req->x, PROBLEM_TOO_MANY_REQUESTS, &words);
  return false;
}

/* True: the delivery may be written. False: a refusal was answered. */
static bool webhook_is_accepted(struct webhook *w, struct api_request *req, const struct access_business *b) {
  const char *field = NULL;
  int64_t id = b->business_id;
  switch (webhook_check(w, req, b, &field)) {
    case PROVIDER_ACCEPTED:
      return webhook_within_quota(req, w, id);
    case PROVIDER_BAD_SIGNATURE:
      webhook_refuse_delivery(w, b->tokens[0].n || b->tokens[1].n ? REASON_BAD_SIGNATURE : REASON_NO_TOKEN,
                              PROBLEM_FORBIDDEN, "The signature does not match this business's auth token.");
      return false;
    case PROVIDER_OTHER_ACCOUNT:
      webhook_refuse_delivery(w, REASON_OTHER_ACCOUNT, PROBLEM_FORBIDDEN,
                              "AccountSid is not the account of this business.");
      return false;
    case PROVIDER_BAD_FIELD:
      webhook_refuse_field(w, field);
      return false;
    case PROVIDER_NO_MEMORY:
      webhook_refuse_delivery(w, REASON_NO_ROOM, PROBLEM_BUSY, NULL);
      return false;
  }
  return false;
}

static bool webhook_wants_twiml(const struct http_request *r) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(r->query.n + 1);
  struct str value;
  return r->query.n && http_query_get(r->query, STR("reply"), &b, &value) == OK && str_eq(value, STR("twiml"));
}

static void webhook_process(struct api_request *req, enum provider_webhook_kind kind) {
  const struct access_business *b = webhook_find_business(req);
  struct webhook *w = calloc(1, sizeof(*w));
  if (!w) {
    webhook_refuse(req, kind, b->business_id, REASON_NO_ROOM, PROBLEM_BUSY, NULL);
    return;
  }
  db_call_begin(&w->db_call, req);
  w->db_call.subject.business_id = b->business_id;
  w->access = access_ref(req->loop->access);
  w->kind = kind;
  w->arrived_us = clock_mono_us();
  w->twiml = webhook_wants_twiml(req->request);
  buf_init(&w->storage, STORAGE_MAX);
  if (webhook_is_accepted(w, req, b))
    webhook_submit(w);
  else
    webhook_free(w);
}

static enum provider_webhook_kind webhook_kind_of(const struct api_request *req) {
  return req->match.route->handle == api_call_webhook ? PROVIDER_WEBHOOK_CALL : PROVIDER_WEBHOOK_RECORDING;
}

/* (5) Whether the business, which the snapshot does not have, is to be looked up. Only a head takes a turn of the quota. */
static bool webhook_business_may_be_new(const struct api_request *req, bool at_head) {
  int64_t wait_s;
  if (!access_business_may_be_new(req->loop->access, webhook_business_id(req))) return false;
  if (at_head)
    return quota_take_turn(req->api->webhooks, 0, clock_mono_us(), LOOKUPS_A_SECOND, LOOKUPS_A_SECOND, &wait_s);
  return !req->seen || req->seen->is_there;
}

enum err webhook_admit(struct api_request *req, bool at_head) {
  const struct access_business *b = webhook_find_business(req);
  int64_t id = b ? b->business_id : 0;
  if (!request_is_form(req->request)) {
    webhook_refuse(req, webhook_kind_of(req), id, REASON_NO_FORM, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
    return ERR_DENIED;
  }
  if (http_header_get(req->request, str_from(req->api->provider->signature_header)).n == 0) {
    webhook_refuse(req, webhook_kind_of(req), id, REASON_NO_SIGNATURE, PROBLEM_UNAUTHORIZED,
                   "The request has no signature.");
    return ERR_DENIED;
  }
  if (b) return OK;
  if (webhook_business_may_be_new(req, at_head)) {
    req->subject.business_id = webhook_business_id(req);
    req->lacks = LACKS_BUSINESS;
    return ERR_NOT_YET;
  }
  webhook_refuse(req, webhook_kind_of(req), 0, REASON_UNKNOWN_BUSINESS, PROBLEM_NOT_FOUND, NULL);
  return ERR_DENIED;
}

void api_call_webhook(void *arg, struct http_exchange *x) {
  (void)x;
  webhook_process(arg, PROVIDER_WEBHOOK_CALL);
}

void api_recording_webhook(void *arg, struct http_exchange *x) {
  (void)x;
  webhook_process(arg, PROVIDER_WEBHOOK_RECORDING);
}
