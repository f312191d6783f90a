/* check_business.c - checks each business: whether it has credentials, whether they decrypt, and whether the provider accepts
 * them. Prints the webhook URLs to enter at the provider. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/check/check_parts.h"
#include "domain/public_url.h"
#include "domain/setup.h"
#include "ledger/businesses.h"
#include "ledger/settings.h"
#include "provider/provider_try.h"

enum { CHECKS_AT_ONCE = 16, IDS_MAX = 1000 * 1000, TEXT_MAX = 4096, MEND_SIZE = 200 };

/* The businesses whose credentials are sent to the provider together. */
struct provider_round {
  struct check *c;
  struct fetch_check checks[CHECKS_AT_ONCE];
  size_t count;
  bool has_wrong_key; /* a secret did not decrypt */
  int business_count;
};

static const char *mend_with(char mend[MEND_SIZE], int64_t business_id, const char *options) {
  (void)snprintf(mend, MEND_SIZE, "callreel business set %lld %s", (long long)business_id, options);
  return mend;
}

/* ---- requests to the provider ---- */

static void provider_add_ask(struct provider_round *r, const struct provider_account *account) {
  if (provider_try_make(account, clock_now_ms(), &r->checks[r->count]) == OK) r->count++;
}

/* The advice for an account of a business, or for the account of the settings (business_id 0). */
static const char *mend_account(char mend[MEND_SIZE], int64_t business_id, const char *options, const char *settings) {
  return business_id ? mend_with(mend, business_id, options) : settings;
}

static void provider_report(struct check *c, const struct fetch_check *a) {
  struct check_report *r = &c->report;
  char mend[MEND_SIZE], subject[40] = "TWILIO_ACCOUNT_SID";
  int64_t id = a->about;
  if (id) (void)snprintf(subject, sizeof(subject), "business %lld", (long long)id);
  if (a->status == 200)
    report_add(r, CHECK_OK, "provider", "", "%s: the provider accepts its credentials", subject);
  else if (a->status == 401 || a->status == 403)
    report_add(r, CHECK_FAIL, "provider",
               mend_account(mend, id, "--auth-token-file FILE, with the account's current token",
                            "set TWILIO_AUTH_TOKEN, or its file, to the account's current token"),
               "%s: the provider refuses its credentials (%d)", subject, a->status);
  else if (a->status == 404)
    report_add(r, CHECK_WARN, "provider",
               mend_account(mend, id, "--account-sid AC... or --base-url URL, if they are wrong",
                            "see whether TWILIO_ACCOUNT_SID and TWILIO_BASE_URL are right"),
               "%s: the provider does not know the account (404)", subject);
  else if (a->status)
    report_add(r, CHECK_WARN, "provider", "try again later; the provider may be in trouble",
               "%s: the provider answers %d", subject, a->status);
  else
    report_add(r, CHECK_WARN, "provider",
               "see whether this machine reaches it (DNS, firewall, proxy) and whether its base URL is right",
               "%s: the provider can't be reached: %s", subject, a->detail);
}

static void provider_round_send(struct provider_round *r) {
  if (!r->count) return;
  enum err e = fetch_check_all(r->checks, r->count);
  if (e != OK)
    report_add(&r->c->report, CHECK_WARN, "provider", "try again", "the provider can't be asked: %s", err_text(e));
  for (size_t i = 0; i < r->count; i++) {
    if (e == OK) provider_report(r->c, &r->checks[i]);
    fetch_check_done(&r->checks[i]);
  }
  r->count = 0;
}

/* ---- a business ---- */

static struct str base_of(const struct check *c, const char *own) {
  struct str base = str_from(own[0] ? own : c->app.conf.twilio_base_url);
  while (base.n && base.p[base.n - 1] == '/') base.n--;
  return base;
}

struct business_findings {
  struct check *c;
  const struct business *business;
};

/* Reports what of setup.h concerns the credentials; the rest has checks of its own. */
static enum err business_add_finding(void *arg, const struct setup_finding *f) {
  const struct business_findings *b = arg;
  struct check_report *r = &b->c->report;
  char mend[MEND_SIZE];
  long long id = (long long)b->business->business_id;
  switch (f->code) {
    case SETUP_NO_CREDENTIALS:
      report_add(r, CHECK_FAIL, "business", mend_with(mend, id, "--account-sid AC... --auth-token-file FILE"),
                 "business %lld has no credentials: nothing can be fetched, and its webhooks are refused", id);
      return OK;
    case SETUP_NO_TOKEN:
      report_add(r, CHECK_FAIL, "business", mend_with(mend, id, "--auth-token-file FILE"),
                 "business %lld has no auth token: its webhooks' signatures can't be checked, and are refused", id);
      return OK;
    case SETUP_REFUSED:
      report_add(r, CHECK_FAIL, "business", mend_with(mend, id, "--auth-token-file FILE"),
                 "business %lld: its fills are stopped, because the provider refused its credentials", id);
      return OK;
    default:
      return OK;
  }
}

/* False: the credentials are incomplete, so the provider can't be asked. */
static bool business_check_credentials(struct check *c, const struct business *b) {
  const struct setup_facts facts = {.has_account = b->account_sid[0],
                                    .has_token = b->has_token,
                                    .has_api_secret = b->has_api_secret,
                                    .is_refused = b->auth_failed_at};
  struct business_findings findings = {c, b};
  IGNORE(setup_judge(&facts, business_add_finding, &findings)); /* the function never fails */
  return b->account_sid[0] && (b->has_token || (b->api_key[0] && b->has_api_secret));
}

static void business_report_webhooks(struct check *c, int64_t business_id) {
  struct buf recording CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  struct buf call CLEANUP(buf_done) = BUF_INIT(TEXT_MAX);
  if (public_url_add_webhook(&recording, &c->app.conf, business_id, "recording") != OK) return;
  if (public_url_add_webhook(&call, &c->app.conf, business_id, "call") != OK) return;
  report_add(&c->report, CHECK_OK, "webhooks", "",
             "business %lld: enter at the provider %.*s as recordingStatusCallback, %.*s as statusCallback",
             (long long)business_id, STR_ARG(buf_str(&recording)), STR_ARG(buf_str(&call)));
}

static void business_add_ask(struct provider_round *r, const struct business *b) {
  struct provider_account account = {.business_id = b->business_id,
                                     .account_sid = str_from(b->account_sid),
                                     .tokens = {str_from(b->tokens[0]), str_from(b->tokens[1])},
                                     .api_key = str_from(b->api_key),
                                     .api_secret = str_from(b->api_secret),
                                     .base_url = base_of(r->c, b->base_url)};
  provider_add_ask(r, &account);
}

static void business_check(struct provider_round *r, int64_t id) {
  struct check *c = r->c;
  struct business b CLEANUP(business_done) = {0};
  if (businesses_get(c->app.db, NULL, id, &b) != OK) return; /* removed in the meantime */
  r->business_count++;
  bool can_fetch = business_check_credentials(c, &b);
  if (can_fetch && c->has_key) {
    struct business opened CLEANUP(business_done) = {0};
    enum err e = businesses_get(c->app.db, c->app.secrets_key, id, &opened);
    if (e == ERR_CORRUPT) r->has_wrong_key = true;
    if (e == OK) business_add_ask(r, &opened);
  }
  business_report_webhooks(c, id);
}

/* ---- all of them ---- */

static enum err collect_id(void *arg, const struct business *b) {
  return buf_add(arg, str_of((const char *)&b->business_id, sizeof(b->business_id)));
}

static void business_check_each(struct provider_round *r) {
  struct buf ids CLEANUP(buf_done) = BUF_INIT(IDS_MAX * sizeof(int64_t));
  struct check *c = r->c;
  enum err e = businesses_each(c->app.db, NULL, false, collect_id, &ids);
  if (e != OK)
    report_add(&c->report, CHECK_FAIL, "business", "callreel backup, and restore what works",
               "businesses can't be read: %s", db_problem(c->app.db));
  for (size_t at = 0; at + sizeof(int64_t) <= ids.n; at += sizeof(int64_t)) {
    int64_t id;
    memcpy(&id, ids.p + at, sizeof(id));
    business_check(r, id);
    if (r->count == CHECKS_AT_ONCE) provider_round_send(r);
  }
}

static void secrets_check_setting(struct provider_round *r) {
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  if (settings_get(r->c->app.db, r->c->app.secrets_key, "url_signing_key", &value) == ERR_CORRUPT)
    r->has_wrong_key = true;
  if (value.p) secret_wipe(value.p, value.n);
}

static void secrets_report(const struct provider_round *r) {
  if (r->has_wrong_key)
    report_add(
        &r->c->report, CHECK_FAIL, "secrets",
        "put back the SECRETS_KEY, or DATA_DIR/secrets.key, that was in use; if it is lost, give each business its "
        "credentials again with callreel business set",
        "the secrets in the database were encrypted with another key");
  else if (r->business_count)
    report_add(&r->c->report, CHECK_OK, "secrets", "", "the secrets in the database can be decrypted");
}

/* Asks about the account of the settings, with the credentials that serve would use. */
static void provider_round_send_settings(struct provider_round *r) {
  const struct conf *conf = &r->c->app.conf;
  struct provider_account account = {.account_sid = str_from(conf->twilio_account_sid),
                                     .api_key = str_from(conf->twilio_api_key),
                                     .api_secret = str_from(conf->twilio_api_secret),
                                     .base_url = base_of(r->c, "")};
  struct str rest;
  (void)str_cut(str_from(conf->twilio_auth_token), ',', &account.tokens[0], &rest); /* serve fetches with the first */
  account.tokens[0] = str_trim(account.tokens[0]);
  provider_add_ask(r, &account);
  provider_round_send(r);
}

/* If TWILIO_ACCOUNT_SID is set, serve adds a business for that account at its start. */
static void business_check_settings(struct provider_round *r) {
  const struct conf *conf = &r->c->app.conf;
  int64_t id;
  bool is_known = conf->twilio_account_sid && r->c->has_schema &&
                  businesses_find_account(r->c->app.db, str_from(conf->twilio_account_sid), &id) == OK;
  if (!conf->twilio_account_sid && !r->business_count)
    report_add(&r->c->report, CHECK_WARN, "business", "callreel business add --help", "there is no business yet");
  if (!conf->twilio_account_sid || is_known) return;
  if (conf->twilio_auth_token)
    report_add(&r->c->report, CHECK_OK, "business", "", "serve adds one for TWILIO_ACCOUNT_SID at its start");
  else
    report_add(&r->c->report, CHECK_FAIL, "business", "set TWILIO_AUTH_TOKEN, or TWILIO_AUTH_TOKEN_FILE",
               "TWILIO_ACCOUNT_SID is set without TWILIO_AUTH_TOKEN: webhooks would be refused");
  provider_round_send_settings(r);
}

static void webhooks_check_public_url(struct check *c) {
  const char *problem = public_url_problem(c->app.conf.public_base_url);
  if (problem)
    report_add(&c->report, CHECK_WARN, "webhooks",
               "set PUBLIC_BASE_URL to the https URL under which a TLS proxy passes requests on to LISTEN", "%s",
               problem);
}

void check_businesses(struct check *c) {
  struct provider_round r = {.c = c};
  webhooks_check_public_url(c);
  if (c->has_schema) business_check_each(&r);
  if (c->has_schema && c->has_key) {
    secrets_check_setting(&r);
    secrets_report(&r);
  }
  provider_round_send(&r);
  business_check_settings(&r);
}
