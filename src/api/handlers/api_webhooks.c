/* api_webhooks.c - what the provider tells us, taken once it is on disk.
 *
 *   at its head: 415 no form -> 401 no signature -> 404 unknown business, so that nobody holds room for a body by less
 *   with its body: the provider's own checks -> 400 does not fit
 *      `-> queued for the writer --committed--> 204
 *                    `-- 5 s have passed --> 503; a write that had not begun does not happen, one that had may still be
 *                        committed, which is harmless: deliveries may repeat
 *
 * Invariants
 *  (1) No SQL before the signature and the account were found good: all that takes is the loop's access snapshot.
 *  (2) A delivery's memory, and the snapshot that its views point into, live until the writer has answered.
 *  (3) What a business may have counts for signed deliveries only: nobody else can use it up. The provider tells nobody again
 *      of what was refused, so it is far beyond what anybody's calls can be.
 *  (4) Refusals are logged once a minute for each business and reason; businesses that are not known are one. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/api_quota.h"
#include "api/request/api_request.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/intake.h"

enum {
  STORAGE_MAX = 4 * BODY_MAX + 16 * 1024,
  PREFIX_MAX = 16 * 1024,
  REFUSED_EVERY_MS = 60 * 1000,
  REASONS = 16,
  BURST_S = 5
};

/* ---- refusals ---- */

/* In the order of metric.def's WEBHOOK, behind its TAKEN. */
enum reason {
  REASON_NO_FORM,
  REASON_NO_SIGNATURE,
  REASON_UNKNOWN_BUSINESS,
  REASON_BAD_FORM,
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
    [REASON_BAD_FORM] = "bad_form",
    [REASON_BAD_SIGNATURE] = "bad_signature",
    [REASON_NO_TOKEN] = "no_auth_token",
    [REASON_OTHER_ACCOUNT] = "other_account",
    [REASON_BAD_FIELD] = "bad_field",
    [REASON_NO_ROOM] = "no_room",
    [REASON_NOT_COMMITTED] = "not_committed",
    [REASON_TOO_MANY] = "too_many",
};

_Static_assert(METRIC_WEBHOOK_NO_FORM + REASON_TOO_MANY == METRIC_WEBHOOK_TOO_MANY, "the same reasons");

static unsigned label_of(enum provider_webhook_kind kind) {
  return kind == PROVIDER_WEBHOOK_CALL ? METRIC_WEBHOOK_KIND_CALL : METRIC_WEBHOOK_KIND_RECORDING;
}

/* Counts and logs. business_id: 0 for one that is not known. */
static void note_refusal(struct api *a, enum provider_webhook_kind kind, int64_t business_id, enum reason reason,
                         const char *field) {
  metric_add_two(METRIC_WEBHOOKS, label_of(kind), METRIC_WEBHOOK_NO_FORM + reason, 1);
  size_t slot = (size_t)((uint64_t)business_id * REASONS + reason) % REFUSAL_SLOTS;
  int_least64_t now = clock_mono_ms(), last = atomic_load(&a->refused[slot]);
  if (last && now - last < REFUSED_EVERY_MS) return;
  if (!atomic_compare_exchange_strong(&a->refused[slot], &last, now)) return; /* another loop says it */
  if (field)
    log_warn("Webhook refused", LOG_INT("business", business_id), LOG_TEXT("reason", reason_names[reason]),
             LOG_TEXT("field", field));
  else
    log_warn("Webhook refused", LOG_INT("business", business_id), LOG_TEXT("reason", reason_names[reason]));
}

static void refuse(struct api_request *v, enum provider_webhook_kind kind, int64_t business_id, enum reason reason,
                   enum problem p, const char *detail) {
  note_refusal(v->api, kind, business_id, reason, NULL);
  problem_answer_detail(v->x, p, detail);
}

static void refuse_field(struct api_request *v, enum provider_webhook_kind kind, int64_t business_id,
                         const char *field) {
  note_refusal(v->api, kind, business_id, REASON_BAD_FIELD, field);
  problem_answer_field(v->x, str_from(field));
}

/* ---- a delivery on its way to the disk ---- */

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
  char recording_sid[SID_SIZE]; /* that it tells of; "" none */
};

static struct webhook *webhook_of(struct db_call *e) {
  return (struct webhook *)(void *)e;
} /* its first member */

static void webhook_free(struct webhook *w) {
  db_call_end(&w->db_call);
  access_unref(w->access);
  buf_done(&w->storage);
  free(w);
}

static void answer_taken(struct webhook *w) {
  struct http_fields f;
  answer_fields(&f);
  if (w->twiml)
    answer_bytes(w->db_call.x, 200, &f, STR("text/xml"), STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"));
  else
    answer_empty(w->db_call.x, 204, &f);
}

static void answer_not_committed(struct webhook *w, enum problem p) {
  note_refusal(w->db_call.api, w->kind, w->delivery.business_id, REASON_NOT_COMMITTED, NULL);
  w->answered = true;
  problem_answer(w->db_call.x, p, NULL);
}

static void too_late(struct http_exchange *x, void *arg) {
  struct webhook *w = arg;
  (void)x;
  answer_not_committed(w, PROBLEM_DATABASE);
}

static enum err run_intake(struct db *db, struct db_call *e) {
  struct webhook *w = webhook_of(e);
  return intake_run(db, &w->delivery, e->now, &w->result);
}

static void committed(struct db_call *e) {
  struct webhook *w = webhook_of(e);
  http_timer(e->x, -1, NULL, NULL);
  log_debug("Webhook received", LOG_INT("business", w->delivery.business_id),
            LOG_TEXT("kind", w->kind == PROVIDER_WEBHOOK_CALL ? "call" : "recording"),
            LOG_STR("call", w->delivery.call_sid), LOG_STR("recording", w->delivery.recording_sid),
            LOG_TEXT("result", err_text(e->result)),
            LOG_TEXT("enqueued", e->result == OK && w->result.enqueued ? "yes" : "no"));
  if (w->answered) {
    webhook_free(w);
    return;
  }
  if (e->result == OK) {
    metric_add_two(METRIC_WEBHOOKS, label_of(w->kind), METRIC_WEBHOOK_TAKEN, 1);
    metric_add(METRIC_WEBHOOK_FIELDS_DROPPED, 0, (int64_t)(w->delivery.dropped + w->result.dropped_fields));
    metric_observe(METRIC_WEBHOOK_SECONDS, clock_mono_us() - w->arrived_us);
    answer_taken(w);
  } else
    answer_not_committed(w, problem_of_err(e->result));
  webhook_free(w);
}

static void submit(struct webhook *w) {
  if (str_copy(w->recording_sid, sizeof(w->recording_sid), w->delivery.recording_sid) == OK)
    w->db_call.changed = w->recording_sid;
  enum err e = db_call_write(&w->db_call, METRIC_JOB_WEBHOOK, run_intake, committed);
  if (e == OK) {
    http_timer(w->db_call.x, WEBHOOK_COMMIT_MS, too_late, w);
    return;
  }
  answer_not_committed(w, problem_of_err(e));
  webhook_free(w);
}

/* ---- the request ---- */

static bool is_form(const struct http_request *r) {
  struct str type, parameters;
  (void)str_cut(http_header_get(r, STR("Content-Type")), ';', &type, &parameters);
  return str_eq_nocase(str_trim(type), STR("application/x-www-form-urlencoded")) &&
         http_header_count(r, STR("Content-Encoding")) == 0;
}

static const struct access_business *find_business(const struct api_request *v) {
  struct str text = v->match.params[0];
  uint64_t id;
  if (text.n == 0 || text.p[0] == '0' || str_to_u64(text, INT64_MAX, &id) != OK) return NULL;
  return access_find_business(v->loop->access, (int64_t)id);
}

/* The raw target below the path of PUBLIC_BASE_URL. */
static struct str target_of(const struct api_request *v) {
  const struct http_request *r = v->request;
  const char *from = r->path.p + (v->under_base ? v->api->path_base.n : 0);
  return str_of(from, (size_t)(r->target.p + r->target.n - from));
}

static enum provider_refusal check_under(struct webhook *w, const struct api_request *v,
                                         const struct access_business *b, struct str prefix, const char **ret_field) {
  const struct provider *provider = v->api->provider;
  const struct provider_account account = {.business_id = b->business_id,
                                           .account_sid = b->account_sid,
                                           .tokens = {b->tokens[0], b->tokens[1]},
                                           .api_key = b->api_key,
                                           .api_secret = b->api_secret,
                                           .base_url = b->base_url};
  const struct provider_webhook hook = {.kind = w->kind,
                                        .signature = http_header_get(v->request, str_from(provider->signature_header)),
                                        .url_prefix = prefix,
                                        .target = target_of(v),
                                        .body = v->request->body,
                                        .received_ms = clock_now_ms()};
  buf_clear(&w->storage);
  return provider->webhook(&account, &hook, &w->storage, &w->delivery, ret_field);
}

/* Under PUBLIC_BASE_URL, with its path and without; where there is none, as the request came. */
static enum provider_refusal check(struct webhook *w, const struct api_request *v, const struct access_business *b,
                                   const char **ret_field) {
  const struct api *a = v->api;
  if (a->public_url) {
    enum provider_refusal refusal = check_under(w, v, b, str_from(a->public_url), ret_field);
    if (refusal != PROVIDER_BAD_SIGNATURE || a->path_base.n == 0) return refusal;
    return check_under(w, v, b, str_from(a->public_origin), ret_field);
  }
  struct buf prefix CLEANUP(buf_done) = BUF_INIT(PREFIX_MAX);
  if (buf_addf(&prefix, "%s://%.*s", request_is_https(v) ? "https" : "http", STR_ARG(v->request->host)) != OK)
    return PROVIDER_NO_ROOM;
  return check_under(w, v, b, buf_str(&prefix), ret_field);
}

/* (3) */
static bool has_turn(struct api_request *v, const struct webhook *w, int64_t business_id) {
  struct problem_words words = {0};
  int64_t a_second = v->api->parts.conf->webhooks_per_business;
  if (quota_take_turn(v->api->webhooks, business_id, clock_mono_us(), a_second, BURST_S * a_second,
                      &words.retry_after_s))
    return true;
  metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_WEBHOOKS, 1);
  note_refusal(v->api, w->kind, business_id, REASON_TOO_MANY, NULL);
  problem_answer(v->x, PROBLEM_TOO_MANY_REQUESTS, &words);
  return false;
}

/* True if it was taken; else it was refused. */
static bool is_taken(struct webhook *w, struct api_request *v, const struct access_business *b) {
  const char *field = NULL;
  int64_t id = b->business_id;
  switch (check(w, v, b, &field)) {
    case PROVIDER_TAKEN:
      if (intake_fits(&w->delivery, &field)) return has_turn(v, w, id);
      refuse_field(v, w->kind, id, field);
      return false;
    case PROVIDER_BAD_FORM:
      refuse(v, w->kind, id, REASON_BAD_FORM, PROBLEM_BAD_REQUEST, "The form can't be parsed.");
      return false;
    case PROVIDER_BAD_SIGNATURE:
      refuse(v, w->kind, id, b->tokens[0].n || b->tokens[1].n ? REASON_BAD_SIGNATURE : REASON_NO_TOKEN,
             PROBLEM_FORBIDDEN, "The signature is not this business's.");
      return false;
    case PROVIDER_OTHER_ACCOUNT:
      refuse(v, w->kind, id, REASON_OTHER_ACCOUNT, PROBLEM_FORBIDDEN, "AccountSid is not this business's own.");
      return false;
    case PROVIDER_BAD_FIELD:
      refuse_field(v, w->kind, id, field);
      return false;
    case PROVIDER_NO_ROOM:
      refuse(v, w->kind, id, REASON_NO_ROOM, PROBLEM_BUSY, NULL);
      return false;
  }
  return false;
}

static bool wants_twiml(const struct http_request *r) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(r->query.n + 1);
  struct str value;
  return r->query.n && http_query_get(r->query, STR("reply"), &b, &value) == OK && str_eq(value, STR("twiml"));
}

static void take(struct api_request *v, const struct access_business *b, enum provider_webhook_kind kind) {
  struct webhook *w = calloc(1, sizeof(*w));
  if (!w) {
    refuse(v, kind, b->business_id, REASON_NO_ROOM, PROBLEM_BUSY, NULL);
    return;
  }
  db_call_begin(&w->db_call, v);
  w->db_call.subject.business_id = b->business_id;
  w->access = access_ref(v->loop->access);
  w->kind = kind;
  w->arrived_us = clock_mono_us();
  w->twiml = wants_twiml(v->request);
  buf_init(&w->storage, STORAGE_MAX);
  if (is_taken(w, v, b))
    submit(w);
  else
    webhook_free(w);
}

static enum provider_webhook_kind kind_of(const struct api_request *v) {
  return v->match.route->handle == api_call_webhook ? PROVIDER_WEBHOOK_CALL : PROVIDER_WEBHOOK_RECORDING;
}

bool webhook_is_refused(struct api_request *v) {
  const struct access_business *b = find_business(v);
  int64_t id = b ? b->business_id : 0;
  if (!is_form(v->request))
    refuse(v, kind_of(v), id, REASON_NO_FORM, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
  else if (http_header_get(v->request, str_from(v->api->provider->signature_header)).n == 0)
    refuse(v, kind_of(v), id, REASON_NO_SIGNATURE, PROBLEM_UNAUTHORIZED, "The request is not signed.");
  else if (!b)
    refuse(v, kind_of(v), id, REASON_UNKNOWN_BUSINESS, PROBLEM_NOT_FOUND, NULL);
  else
    return false;
  return true;
}

/* The head is looked at again: a business can be removed while a body arrives. */
static void receive(struct api_request *v) {
  if (!webhook_is_refused(v)) take(v, find_business(v), kind_of(v));
}

void api_call_webhook(void *arg, struct http_exchange *x) {
  (void)x;
  receive(arg);
}

void api_recording_webhook(void *arg, struct http_exchange *x) {
  (void)x;
  receive(arg);
}
