/* Google: tokens for signed assertions, requests with them, and its answers. */
#include "speech_testing.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/secret.h"

static char *key_json, *key_pem;
static EVP_PKEY *key;

static int make_key(void **state) {
  (void)state;
  char *text;
  struct buf json CLEANUP(buf_done) = BUF_INIT(1 << 16);
  BIO *bio = BIO_new(BIO_s_mem());
  key = EVP_RSA_gen(2048);
  if (!bio || !key || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) return -1;
  long n = BIO_get_mem_data(bio, &text);
  key_pem = str_dup(str_of(text, (size_t)n));
  BIO_free(bio);
  if (buf_add(&json, STR("{\"type\":\"service_account\",\"project_id\":\"my-project\",\"client_email\":\"a@b.example\","
                         "\"token_uri\":\"http://127.0.0.1:9/token\",\"private_key\":")) != OK ||
      buf_add_json(&json, str_from(key_pem)) != OK || buf_add_char(&json, '}') != OK)
    return -1;
  key_json = str_dup(buf_str(&json));
  return 0;
}

static int free_key(void **state) {
  (void)state;
  free(key_json);
  free(key_pem);
  EVP_PKEY_free(key);
  return 0;
}

static struct speech_engine *google_new(void) {
  struct speech_settings settings = {
      .engine = "google", .google_url = "http://127.0.0.1:9/", .google_key = str_from(key_json)};
  struct speech_engine *e;
  assert_int_equal(speech_engine_new(&settings, &e), OK);
  return e;
}

static void take_token(struct speech_engine *e, const char *body, int64_t now_ms) {
  struct speech_reply reply = reply_of(200, str_from(body));
  assert_int_equal(speech_engine_token_take(e, &reply, now_ms), SPEECH_OK);
}

static void assert_signed(struct str assertion) {
  struct str signed_text, head, claims, signature;
  struct buf bytes CLEANUP(buf_done) = BUF_INIT(4096), text CLEANUP(buf_done) = BUF_INIT(4096);
  assert_true(str_cut(assertion, '.', &head, &signature) && str_cut(signature, '.', &claims, &signature));
  signed_text = str_head(assertion, head.n + 1 + claims.n);
  assert_int_equal(base64url_decode(&bytes, signature), OK);
  EVP_MD_CTX *c = EVP_MD_CTX_new();
  assert_int_equal(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key), 1);
  assert_int_equal(EVP_DigestVerify(c, (uint8_t *)bytes.p, bytes.n, (const uint8_t *)signed_text.p, signed_text.n), 1);
  EVP_MD_CTX_free(c);
  assert_int_equal(base64url_decode(&text, claims), OK);
  assert_true(
      str_eq(buf_str(&text),
             STR("{\"iss\":\"a@b.example\",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\",\"aud\":"
                 "\"http://127.0.0.1:9/token\",\"iat\":1000,\"exp\":4600}")));
}

static void a_token_is_asked_for_with_a_signed_assertion_and_kept(void **state) {
  (void)state;
  struct speech_engine *e = google_new();
  struct speech_request r;
  struct speech_input input = input_of("he");
  assert_true(speech_engine_needs_token(e, 1000000));
  assert_int_equal(speech_engine_request(e, &input, &r), ERR_NOT_YET);
  assert_int_equal(speech_engine_token_request(e, 1000000, &r), OK);
  struct str grant = STR("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
  assert_string_equal(r.fetch.url, "http://127.0.0.1:9/token");
  assert_true(str_starts(r.fetch.body, grant));
  assert_signed(str_skip(r.fetch.body, grant.n));
  speech_request_done(&r);
  take_token(e, "{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", 1000000);
  assert_false(speech_engine_needs_token(e, 1000000 + 3538000));
  assert_true(speech_engine_needs_token(e, 1000000 + 3539000)); /* a minute before its end */
  assert_int_equal(speech_engine_request(e, &input, &r), OK);
  assert_string_equal(r.fetch.url,
                      "http://127.0.0.1:9/v2/projects/my-project/locations/global/recognizers/_:recognize");
  assert_string_equal(r.headers[1], "Authorization: Bearer ya29.x");
  assert_non_null(body_of(&r, "\"languageCodes\":[\"iw-IL\"],\"model\":\"long\""));
  assert_non_null(body_of(&r, "\"content\":\"UklGR"));
  assert_null(body_of(&r, "adaptation"));
  json_t *json = json_loadb(r.body.p, r.body.n, 0, NULL);
  assert_true(json_is_object(json));
  json_decref(json);
  speech_request_done(&r);
  speech_engine_free(e);
}

static void a_vocabulary_is_a_set_of_phrases(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"Acme, \"Zebra\" Inc\n,, \n", "[{\"value\":\"Acme\"},{\"value\":\"\\\"Zebra\\\" Inc\"}]"},
      {"ביטוח לאומי", "[{\"value\":\"ביטוח לאומי\"}]"},
      {" , \n", NULL}};
  struct speech_engine *e = google_new();
  take_token(e, "{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", 1000000);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct speech_request r;
    struct speech_input input = input_of("he");
    input.prompt = str_from(cases[i][0]);
    assert_int_equal(speech_engine_request(e, &input, &r), OK);
    json_t *json = json_loadb(r.body.p, r.body.n, 0, NULL);
    json_t *sets = json_object_get(json_object_get(json_object_get(json, "config"), "adaptation"), "phraseSets");
    char *phrases = json_dumps(json_object_get(json_object_get(json_array_get(sets, 0), "inlinePhraseSet"), "phrases"),
                               JSON_COMPACT);
    assert_int_equal(json_array_size(sets), cases[i][1] ? 1 : 0);
    if (cases[i][1]) assert_string_equal(phrases, cases[i][1]);
    assert_true(json_is_object(json_object_get(json_object_get(json, "config"), "features")));
    free(phrases);
    json_decref(json);
    speech_request_done(&r);
  }
  speech_engine_free(e);
}

static void a_bad_token_answer_is_an_error(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *body;
    enum speech_error error;
  } cases[] = {{400, "{\"error\":\"invalid_grant\"}", SPEECH_AUTH_FAILED},
               {401, "", SPEECH_AUTH_FAILED},
               {429, "", SPEECH_RATE_LIMITED},
               {500, "", SPEECH_ERROR},
               {200, "", SPEECH_ERROR},
               {200, "{}", SPEECH_ERROR},
               {200, "{\"access_token\":\"a\\r\\nb\",\"expires_in\":3600}", SPEECH_ERROR},
               {200, "{\"access_token\":\"a\",\"expires_in\":-1}", SPEECH_ERROR}};
  struct speech_engine *e = google_new();
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct speech_reply reply = reply_of(cases[i].status, str_from(cases[i].body));
    assert_int_equal(speech_engine_token_take(e, &reply, 0), cases[i].error);
    assert_true(speech_engine_needs_token(e, 0));
  }
  speech_engine_free(e);
}

static void googles_answers_are_read(void **state) {
  (void)state;
  struct speech_engine *e = google_new();
  take_token(e, "{\"access_token\":\"t\"}", 0);
  assert_heard(e,
               STR("{\"results\":[{\"alternatives\":[{\"transcript\":\"Hello there.\",\"confidence\":0.9,\"words\":["
                   "{\"endOffset\":\"0.700s\",\"word\":\"Hello\"},{\"startOffset\":\"0.700s\",\"endOffset\":\"1.200s\","
                   "\"word\":\"there.\"}]}],\"resultEndOffset\":\"1.500s\",\"languageCode\":\"en-us\"},"
                   "{\"alternatives\":[{\"transcript\":\" Yes.\"}],\"resultEndOffset\":\"3s\"},"
                   "{\"alternatives\":[]},{\"resultEndOffset\":\"4s\"}]}"),
               "0-1200 Hello there. [Hello 0-700|there. 700-1200]\n1200-3000 Yes.");
  assert_heard(e, STR("{\"metadata\":{\"totalBilledDuration\":\"10s\"}}"), "");
  struct speech_answer a;
  assert_int_equal(answer(e, 200, STR("{\"results\":{}}"), &a), SPEECH_ERROR);
  assert_int_equal(answer(e, 200, STR("hello"), &a), SPEECH_ERROR);
  assert_int_equal(
      answer(e, 400, STR("{\"error\":{\"message\":\"The language code \\\"xx\\\" is not supported\"}}"), &a),
      SPEECH_UNSUPPORTED_LANGUAGE);
  assert_int_equal(answer(e, 400, STR("{\"error\":{\"message\":\"audio\"}}"), &a), SPEECH_BAD_PIECE);
  speech_engine_free(e);
}

static void a_token_that_ends_early_is_replaced_once(void **state) {
  (void)state;
  struct speech_engine *e = google_new();
  struct speech_answer a;
  take_token(e, "{\"access_token\":\"t\"}", 0);
  assert_int_equal(answer(e, 200, STR("{}"), &a), SPEECH_OK);
  assert_int_equal(answer(e, 401, STR(""), &a), SPEECH_SLOW); /* ask again, with a new one */
  assert_true(speech_engine_needs_token(e, 0));
  take_token(e, "{\"access_token\":\"u\"}", 0);
  assert_int_equal(answer(e, 401, STR(""), &a), SPEECH_AUTH_FAILED);
  assert_true(speech_engine_needs_token(e, 0));
  speech_engine_free(e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_is_asked_for_with_a_signed_assertion_and_kept),
      cmocka_unit_test(a_vocabulary_is_a_set_of_phrases),
      cmocka_unit_test(a_bad_token_answer_is_an_error),
      cmocka_unit_test(googles_answers_are_read),
      cmocka_unit_test(a_token_that_ends_early_is_replaced_once),
  };
  return cmocka_run_group_tests(tests, make_key, free_key);
}
