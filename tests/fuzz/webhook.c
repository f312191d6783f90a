/* Input: any form, correctly signed, as a webhook; the first byte chooses its kind. Property: accepted values can be stored, and
 * only URLs of the account can be requested. */
#include <stdlib.h>
#include <string.h>

#include "http/route.h"
#include "provider/provider.h"
#include "provider/twilio_signature.h"

#define AC "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BASE "https://api.twilio.com"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static const struct provider_account ACCOUNT = {.business_id = 1,
                                                .account_sid = {AC, sizeof(AC) - 1},
                                                .tokens = {{"token", 5}},
                                                .base_url = {BASE, sizeof(BASE) - 1}};

/* The text that the provider would have signed for this body. */
static enum err sign(struct str body, struct buf *signature) {
  struct twilio_parameter parameters[DELIVERY_FIELDS_MAX];
  struct twilio_signed what = {.url = STR("https://x.example/hook"), .parameters = parameters};
  struct buf room CLEANUP(buf_done) = BUF_INIT(1 << 20);
  struct http_form form = {.rest = body, .takes_any_bytes = true};
  enum err e;
  TRY(buf_reserve(&room, body.n + 1));
  while (what.count < DELIVERY_FIELDS_MAX &&
         (e = http_form_next(&form, &room, &parameters[what.count].name, &parameters[what.count].value)) == OK)
    what.count++;
  return twilio_signature_make(&what, STR("token"), signature);
}

static struct str field(const struct delivery_part *part, const char *name) {
  for (size_t i = 0; i < part->count; i++)
    if (str_eq(part->fields[i].name, str_from(name))) return part->fields[i].value;
  return STR_NONE;
}

static void check_part(const struct delivery_part *part) {
  require(part->count <= DELIVERY_FIELDS_MAX);
  for (size_t i = 0; i < part->count; i++) {
    require(part->fields[i].name.n > 0 && str_is_utf8(part->fields[i].name));
    require(part->fields[i].value.n > 0 && str_is_utf8(part->fields[i].value));
    for (size_t j = 0; j < i; j++) require(!str_eq(part->fields[i].name, part->fields[j].name));
  }
}

static void check_url(const struct delivery *d) {
  struct str url = field(&d->recording, RECORDING_FIELD_URL),
             forbidden = field(&d->recording, RECORDING_FIELD_FORBIDDEN);
  struct provider_request request = {0};
  require((url.n > 0) == (forbidden.n > 0));
  if (url.n == 0) return;
  enum err e = provider_twilio.request(&ACCOUNT, url, d->recording_sid, PROVIDER_MP3, false, &request);
  require((e == OK) == str_eq(forbidden, STR("0")));
  if (e == OK) require(strstr(request.url, "/Accounts/" AC "/") && strstr(request.url, "/Recordings/RE"));
  provider_request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n < 1) return 0;
  struct str body = str_of((const char *)bytes + 1, n - 1);
  struct buf signature CLEANUP(buf_done) = BUF_INIT(64), storage CLEANUP(buf_done) = BUF_INIT(4 * n + 8192);
  static struct delivery d;
  const char *bad = NULL;
  if (sign(body, &signature) != OK) return 0;
  const struct provider_webhook hook = {.kind = bytes[0] % 2 ? PROVIDER_WEBHOOK_CALL : PROVIDER_WEBHOOK_RECORDING,
                                        .signature = buf_str(&signature),
                                        .url_prefix = STR("https://x.example"),
                                        .target = STR("/hook"),
                                        .body = body};
  enum provider_refusal refusal = provider_twilio.webhook(&ACCOUNT, &hook, &storage, &d, &bad);
  require((refusal == PROVIDER_BAD_FIELD) == !!bad);
  if (refusal != PROVIDER_ACCEPTED) return 0;
  require(d.call_sid.n == 0 || provider_twilio.is_call_sid(d.call_sid));
  require(d.recording_sid.n == 0 || provider_twilio.is_recording_sid(d.recording_sid));
  require(d.call_sid.n > 0 || d.recording_sid.n > 0);
  check_part(&d.call);
  check_part(&d.recording);
  check_url(&d);
  return 0;
}
