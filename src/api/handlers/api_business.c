/* api_business.c - GET /api/business: the own business as it is stored, without secrets. PATCH /api/business: an admin changes
 * the name, the credentials, the numbers, the retention and the transcribing of the own business.
 *
 *   parse --credentials given--> try them at the provider --refused--> 400 credentials_refused; nothing is changed
 *     |                                  `--accepted, or not known--> write
 *     `--none given--> write --> 200 with what is stored, without secrets
 *
 * Credentials are written and never read: no answer, log line or error has them. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_handlers.h"
#include "api/handlers/api_json_body.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_credentials.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "base/log.h"
#include "domain/queue.h"
#include "ledger/businesses.h"
#include "ledger/businesses_speech.h"

enum { ANSWER_MAX = 64 * 1024 };

struct business_request {
  struct db_call db_call;
  json_t *body;                   /* owned; the views of edit point into it */
  struct access_snapshot *access; /* held */
  struct str name, account_sid, tokens[2], api_key, api_secret;
  struct str numbers[BUSINESS_NUMBERS_MAX];
  struct business_edit edit;
  bool new_credentials;
  enum provider_verdict verdict;
  struct business row; /* as stored, without secrets */
  struct business_speech speech;
  struct str transcribe, language, vocabulary;
};

/* db_call is the first member. */
static struct business_request *business_request_of(struct db_call *c) {
  return (struct business_request *)(void *)c;
}

static void wipe_text(struct str s) {
  if (s.n) secret_wipe((void *)(uintptr_t)s.p, s.n); /* of body, which is this request's own */
}

static void business_end(struct business_request *r) {
  db_call_end(&r->db_call);
  for (size_t i = 0; i < COUNT_OF(r->tokens); i++) wipe_text(r->tokens[i]);
  wipe_text(r->api_secret);
  json_decref(r->body);
  access_unref(r->access);
  business_done(&r->row);
  free(r);
}

static void business_answer_err(struct business_request *r, enum err e) {
  if (e == ERR_INVALID)
    problem_answer_detail(r->db_call.x, PROBLEM_BAD_REQUEST,
                          "The name must have 1 to 200 bytes; a number must be E.164 like +15550100.");
  else if (e == ERR_FULL)
    problem_answer_detail(r->db_call.x, PROBLEM_TOO_MANY_REQUESTS,
                          "Two changes of this business's credentials are being tried. Wait for their answers.");
  else
    problem_answer_err(r->db_call.x, e);
  business_end(r);
}

/* ---- the answer ---- */

/* text: NULL or "" is null, as where a setting has no value. */
static enum err business_add_text(struct buf *b, const char *name, const char *text) {
  TRY(buf_addf(b, ",\"%s\":", name));
  return text && text[0] ? buf_add_json(b, str_from(text)) : buf_add(b, STR("null"));
}

static enum err business_write_speech(const struct business_request *r, struct buf *b) {
  const struct conf *conf = r->db_call.api->parts.conf;
  TRY(business_add_text(b, "transcribe", business_transcribe_name(r->speech.transcribe)));
  TRY(business_add_text(b, "language", r->speech.language));
  TRY(business_add_text(b, "vocabulary", r->speech.vocabulary));
  TRY(business_add_text(b, "default_language", conf->speech_language));
  return buf_addf(b, ",\"transcribes\":%s}", conf->speech_engine ? "true" : "false");
}

static enum err business_write_json(const struct business_request *r, struct buf *b) {
  static const char *const verdicts[] = {"ok", "refused", "unknown"};
  const struct business *x = &r->row;
  bool has_any = x->account_sid[0] && (x->has_token || x->has_api_secret);
  TRY(buf_addf(b, "{\"business_id\":%lld", (long long)x->business_id));
  TRY(business_add_text(b, "name", x->name));
  TRY(business_add_text(b, "account_sid", x->account_sid));
  TRY(buf_addf(b, ",\"has_auth_token\":%s", x->has_token ? "true" : "false"));
  TRY(business_add_text(b, "api_key", x->api_key));
  TRY(buf_addf(b, ",\"credentials\":\"%s\",\"numbers\":[", has_any ? verdicts[r->verdict] : "missing"));
  for (size_t i = 0; i < x->number_count; i++) TRY(buf_addf(b, "%s\"%s\"", i ? "," : "", x->numbers[i]));
  TRY(buf_add(b, STR("],\"retention_days\":")));
  TRY(x->retention_days < 0 ? buf_add(b, STR("null")) : buf_addf(b, "%lld", (long long)x->retention_days));
  TRY(buf_addf(b, ",\"default_retention_days\":%lld,\"retention_metadata_days\":%lld",
               (long long)r->db_call.api->parts.conf->retention_days, (long long)x->metadata_days));
  return business_write_speech(r, b);
}

static void business_log(const struct business_request *r) {
  const struct db_call *c = &r->db_call;
  char by[SUBJECT_TEXT_SIZE];
  subject_text(&c->subject, &c->api->url_key, by);
  log_info("Settings changed", LOG_INT("business", c->subject.business_id), LOG_TEXT("by", by),
           LOG_TEXT("credentials", r->new_credentials ? "new" : "same"));
}

static void business_answer(struct business_request *r) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(ANSWER_MAX);
  struct http_fields f;
  enum err e = business_write_json(r, &b);
  if (e != OK) {
    business_answer_err(r, e);
    return;
  }
  answer_fields(&f);
  answer_json(r->db_call.x, 200, &f, buf_str(&b));
  business_end(r);
}

static void business_on_written(struct db_call *c) {
  struct business_request *r = business_request_of(c);
  if (c->result != OK) {
    business_answer_err(r, c->result);
    return;
  }
  business_log(r);
  business_answer(r);
}

/* ---- the read ---- */

static enum err business_read(struct db *db, struct db_call *c) {
  struct business_request *r = business_request_of(c);
  TRY(businesses_get(db, NULL, c->subject.business_id, &r->row));
  return businesses_speech_get(db, c->subject.business_id, &r->speech);
}

static void business_on_read(struct db_call *c) {
  if (c->result == OK)
    business_answer(business_request_of(c));
  else
    business_answer_err(business_request_of(c), c->result);
}

void api_get_business(void *arg, struct http_exchange *x) {
  const struct api_request *req = arg;
  const struct access_business *b = access_find_business(req->loop->access, req->subject.business_id);
  struct business_request *r = b ? calloc(1, sizeof(*r)) : NULL;
  if (!r) {
    problem_answer_err(x, b ? ERR_NOMEM : ERR_NOT_FOUND);
    return;
  }
  db_call_begin(&r->db_call, req);
  r->access = access_ref(req->loop->access);
  r->verdict = credentials_verdict(req->api->credentials, b);
  enum err e = db_call_read(&r->db_call, business_read, business_on_read);
  if (e != OK) business_answer_err(r, e);
}

/* ---- the write ---- */

static enum err business_audit(struct db *db, const struct db_call *c, const struct business_edit *edit) {
  struct buf object CLEANUP(buf_done) = BUF_INIT(AUDIT_OBJECT_SIZE),
                    details CLEANUP(buf_done) = BUF_INIT(AUDIT_DETAILS_SIZE);
  TRY(buf_addf(&object, "business:%lld", (long long)c->subject.business_id));
  TRY(business_edit_write(&details, edit));
  return db_call_audit(db, c, AUDIT_SETTINGS_CHANGED, buf_str(&object), buf_str(&details));
}

static enum err business_write(struct db *db, struct db_call *c) {
  struct business_request *r = business_request_of(c);
  int64_t id = c->subject.business_id;
  const uint8_t *key = c->api->parts.secrets_key;
  TRY(businesses_set(db, key, id, &r->edit, &r->new_credentials));
  if (r->new_credentials) TRY(queue_release_account(db, id, c->now));
  TRY(business_audit(db, c, &r->edit));
  return business_read(db, c);
}

static void business_begin_write(struct business_request *r) {
  enum err e = db_call_write(&r->db_call, METRIC_JOB_EDIT, business_write, business_on_written);
  if (e != OK) business_answer_err(r, e);
}

/* ---- trying the credentials ---- */

static void business_on_verdict(struct db_call *c) {
  struct business_request *r = business_request_of(c);
  const struct problem_words words = {.code = "credentials_refused",
                                      .detail = STR("The provider refuses these credentials. Nothing was changed.")};
  if (r->verdict != PROVIDER_TRY_REFUSED) {
    business_begin_write(r);
    return;
  }
  problem_answer(c->x, PROBLEM_BAD_REQUEST, &words);
  business_end(r);
}

static void business_on_tried(void *arg, enum provider_verdict verdict) {
  struct business_request *r = arg;
  r->verdict = verdict;
  db_call_finish(&r->db_call, OK);
}

static struct str given_or_stored(const struct str *given, struct str stored) {
  return given ? *given : stored;
}

/* The account as it will be after the edit. */
static struct provider_account business_account(const struct business_request *r, const struct access_business *b) {
  const struct business_edit *e = &r->edit;
  return (struct provider_account){.business_id = b->business_id,
                                   .account_sid = given_or_stored(e->account_sid, b->account_sid),
                                   .tokens = {e->tokens ? e->tokens[0] : b->tokens[0], STR_NONE},
                                   .api_key = given_or_stored(e->api_key, b->api_key),
                                   .api_secret = given_or_stored(e->api_secret, b->api_secret),
                                   .base_url = b->base_url};
}

static void business_begin_try(struct business_request *r, const struct access_business *b) {
  const struct provider_account account = business_account(r, b);
  enum err e = db_call_start(&r->db_call, business_on_verdict);
  if (e == OK) {
    e = credentials_try(r->db_call.api->credentials, &account, business_on_tried, r);
    if (e != OK) e = db_call_cancel(&r->db_call, e);
  }
  if (e == ERR_INVALID) /* the credentials stay incomplete: there is nothing to try */
    business_begin_write(r);
  else if (e != OK)
    business_answer_err(r, e);
}

/* ---- the body ---- */

/* "auth_token": a text, or an array of at most two: the second is the other one during a rotation. */
static bool business_read_tokens(struct business_request *r, const struct api_request *req, const json_t *value) {
  size_t count = json_is_array(value) ? json_array_size(value) : 1;
  if (!value) return true;
  for (size_t i = 0; i < count && i < COUNT_OF(r->tokens); i++) {
    const json_t *each = json_is_array(value) ? json_array_get(value, i) : value;
    r->tokens[i] = str_of(json_string_value(each), json_string_length(each));
    if (json_is_string(each) && r->tokens[i].n > 0 && r->tokens[i].n < BUSINESS_SECRET_SIZE) continue;
    count = 0;
  }
  if (count == 0 || count > COUNT_OF(r->tokens)) {
    problem_answer_field(req->x, STR("auth_token"));
    return false;
  }
  r->edit.tokens = r->tokens;
  return true;
}

static bool business_read_credentials(struct business_request *r, const struct api_request *req, const json_t *value) {
  static const char *const members[] = {"account_sid", "auth_token", "api_key", "api_secret"};
  json_t *whole = (json_t *)(uintptr_t)value; /* jansson's iteration takes no const */
  if (!value) return true;
  for (void *m = json_object_iter(whole); m; m = json_object_iter_next(whole, m)) {
    bool is_known = false;
    for (size_t i = 0; i < COUNT_OF(members); i++) is_known |= strcmp(json_object_iter_key(m), members[i]) == 0;
    if (is_known) continue;
    problem_answer_field(req->x, str_from(json_object_iter_key(m)));
    return false;
  }
  if (!json_is_object(value)) {
    problem_answer_field(req->x, STR("credentials"));
    return false;
  }
  if (!json_body_text(req, value, "account_sid", BUSINESS_SID_SIZE - 1, &r->account_sid) ||
      !json_body_text(req, value, "api_key", BUSINESS_SID_SIZE - 1, &r->api_key) ||
      !json_body_text(req, value, "api_secret", BUSINESS_SECRET_SIZE - 1, &r->api_secret) ||
      !business_read_tokens(r, req, json_object_get(value, "auth_token")))
    return false;
  if (r->account_sid.n && !provider_twilio.is_account_sid(r->account_sid)) {
    problem_answer_field(req->x, STR("account_sid"));
    return false;
  }
  if (!r->api_key.n != !r->api_secret.n) {
    problem_answer_field(req->x, r->api_key.n ? STR("api_secret") : STR("api_key"));
    return false;
  }
  if (r->account_sid.n) r->edit.account_sid = &r->account_sid;
  if (r->api_key.n) r->edit.api_key = &r->api_key;
  if (r->api_key.n) r->edit.api_secret = &r->api_secret;
  return true;
}

static bool business_read_numbers(struct business_request *r, const struct api_request *req, const json_t *value) {
  size_t count = json_array_size(value);
  if (!value) return true;
  bool good = json_is_array(value) && count <= BUSINESS_NUMBERS_MAX;
  for (size_t i = 0; good && i < count; i++) {
    const json_t *each = json_array_get(value, i);
    r->numbers[i] = str_of(json_string_value(each), json_string_length(each));
    good = json_is_string(each);
  }
  if (!good) {
    problem_answer_field(req->x, STR("numbers"));
    return false;
  }
  r->edit.numbers = r->numbers;
  r->edit.number_count = count;
  r->edit.set_numbers = true;
  return true;
}

/* null: RETENTION_DAYS; 0: for ever. */
static bool business_read_retention(struct business_request *r, const struct api_request *req, const json_t *value) {
  if (!value) return true;
  int64_t days = json_is_null(value) ? -1 : json_integer_value(value);
  if (!json_is_null(value) && (!json_is_integer(value) || days < 0 || days > BUSINESS_DAYS_MAX)) {
    problem_answer_field(req->x, STR("retention_days"));
    return false;
  }
  r->edit.set_retention = true;
  r->edit.retention_days = days;
  return true;
}

/* 0: calls stay. */
static bool business_read_metadata(struct business_request *r, const struct api_request *req, const json_t *value) {
  if (!value) return true;
  int64_t days = json_integer_value(value);
  if (!json_is_integer(value) || days < 0 || days > BUSINESS_DAYS_MAX) {
    problem_answer_field(req->x, STR("retention_metadata_days"));
    return false;
  }
  r->edit.set_metadata = true;
  r->edit.metadata_days = days;
  return true;
}

/* A text, or null: as the settings say. */
static bool business_read_setting(const struct api_request *req, const json_t *body, const char *name, size_t max,
                                  struct str *ret_text, const struct str **ret_edit) {
  if (!json_object_get(body, name)) return true;
  if (!json_body_text(req, body, name, max, ret_text)) return false;
  *ret_edit = ret_text;
  return true;
}

static bool business_read_speech(struct business_request *r, const struct api_request *req) {
  static const char *const choices[] = {"", "all", "asked", "never"};
  struct business_edit *e = &r->edit;
  if (!business_read_setting(req, r->body, "transcribe", 8, &r->transcribe, &e->transcribe) ||
      !business_read_setting(req, r->body, "language", BUSINESS_LANGUAGE_SIZE - 1, &r->language, &e->language) ||
      !business_read_setting(req, r->body, "vocabulary", BUSINESS_VOCABULARY_SIZE - 1, &r->vocabulary, &e->vocabulary))
    return false;
  bool is_choice = false;
  for (size_t i = 0; i < COUNT_OF(choices); i++) is_choice |= str_eq(r->transcribe, str_from(choices[i]));
  if (is_choice && (!r->language.n || business_is_language(r->language))) return true;
  problem_answer_field(req->x, is_choice ? STR("language") : STR("transcribe"));
  return false;
}

static bool business_read_body(struct business_request *r, const struct api_request *req) {
  if (!json_body_text(req, r->body, "name", BUSINESS_NAME_SIZE - 1, &r->name)) return false;
  if (json_object_get(r->body, "name")) r->edit.name = &r->name;
  return business_read_credentials(r, req, json_object_get(r->body, "credentials")) &&
         business_read_numbers(r, req, json_object_get(r->body, "numbers")) &&
         business_read_retention(r, req, json_object_get(r->body, "retention_days")) &&
         business_read_metadata(r, req, json_object_get(r->body, "retention_metadata_days")) &&
         business_read_speech(r, req);
}

void api_patch_business(void *arg, struct http_exchange *x) {
  static const char *const members[] = {
      "name",       "credentials", "numbers",   "retention_days", "retention_metadata_days",
      "transcribe", "language",    "vocabulary"};
  const struct api_request *req = arg;
  const struct access_business *b = access_find_business(req->loop->access, req->subject.business_id);
  json_t *body = json_body_read(req, members, COUNT_OF(members));
  struct business_request *r = body ? calloc(1, sizeof(*r)) : NULL;
  if (body && (!r || !b)) {
    json_decref(body);
    free(r);
    problem_answer_err(x, b ? ERR_NOMEM : ERR_NOT_FOUND);
    return;
  }
  if (!body) return;
  db_call_begin(&r->db_call, req);
  r->db_call.leaves_catalog_unchanged = true;
  r->body = body;
  r->access = access_ref(req->loop->access);
  r->verdict = PROVIDER_TRY_UNKNOWN;
  if (!business_read_body(r, req))
    business_end(r);
  else if (r->edit.account_sid || r->edit.tokens || r->edit.api_key)
    business_begin_try(r, b);
  else
    business_begin_write(r);
}
