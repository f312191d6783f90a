/* Input: URL, '\n', name=value&…, '\n', X-Twilio-Signature. Property: no guessed signature is accepted; a correct one is, in any
 * order of the parameters, with and without the URL's port; a changed request is refused. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "provider/twilio_signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { PARAMETERS_MAX = 20 };

static const struct str TOKENS[] = {{"token", 5}, {"an older token", 14}};

static void require(bool holds) {
  if (!holds) abort();
}

static bool check(struct twilio_signed *what, struct str signature) {
  bool valid = false;
  enum err e = twilio_signature_check(what, signature, TOKENS, COUNT_OF(TOKENS), &valid);
  require(e == OK || e == ERR_NOMEM);
  return e == OK && valid;
}

static size_t split(struct str text, struct twilio_parameter ret_parameters[PARAMETERS_MAX]) {
  struct str each;
  size_t n = 0;
  for (bool more = text.n > 0; more && n < PARAMETERS_MAX; n++) {
    more = str_cut(text, '&', &each, &text);
    if (!str_cut(each, '=', &ret_parameters[n].name, &ret_parameters[n].value))
      ret_parameters[n] = (struct twilio_parameter){each, STR("")};
  }
  return n;
}

static void turn_round(struct twilio_signed *what) {
  for (size_t i = 0, j = what->count; i + 1 < j; i++) {
    struct twilio_parameter kept = what->parameters[i];
    what->parameters[i] = what->parameters[--j];
    what->parameters[j] = kept;
  }
}

static void check_made(struct twilio_signed *what) {
  struct buf made CLEANUP(buf_done) = BUF_INIT(64), changed CLEANUP(buf_done) = BUF_INIT(1 << 20);
  for (size_t i = 0; i < COUNT_OF(TOKENS); i++) {
    buf_clear(&made);
    require(twilio_signature_make(what, TOKENS[i], &made) == OK);
    turn_round(what);
    require(check(what, buf_str(&made)));
  }
  require(!check(what, str_head(buf_str(&made), made.n - 1)));
  const struct str url = what->url;
  require(buf_add(&changed, url) == OK && buf_add_char(&changed, 'x') == OK);
  what->url = buf_str(&changed);
  require(!check(what, buf_str(&made)));
  what->url = url;
}

/* A body that is no form, its digest in the URL: good as it is, and with nothing else in its place. */
static void check_body(struct str url, struct str body) {
  struct buf whole CLEANUP(buf_done) = BUF_INIT(1 << 20), made CLEANUP(buf_done) = BUF_INIT(64);
  uint8_t digest[SHA256_SIZE];
  char text[2 * SHA256_SIZE + 1];
  secret_sha256(body, digest);
  hex_encode(digest, sizeof(digest), text);
  require(buf_addf(&whole, "https://a.example/%zu?bodySHA256=%s&", url.n, text) == OK && buf_add(&whole, url) == OK);
  struct twilio_signed what = {.url = buf_str(&whole), .body = body};
  if (memchr(url.p ? url.p : "", '#', url.n)) return;
  require(twilio_signature_make(&what, TOKENS[0], &made) == OK && check(&what, buf_str(&made)));
  if (body.n < 2) return;
  what.body = str_skip(body, 1);
  require(!check(&what, buf_str(&made)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  struct twilio_parameter parameters[PARAMETERS_MAX];
  struct str rest = str_of((const char *)bytes, n), url, form, signature = STR_NONE;
  if (!str_cut(rest, '\n', &url, &rest)) return 0;
  (void)str_cut(rest, '\n', &form, &signature); /* none: the rest is the form */
  struct twilio_signed what = {.url = url, .parameters = parameters, .count = split(form, parameters)};
  require(!check(&what, signature)); /* nobody guesses a MAC */
  check_made(&what);
  check_body(url, form);
  return 0;
}
