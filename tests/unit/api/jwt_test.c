/* Tests of api_jwt.c. The tokens and keys are made here: tokens that are accepted, and each reason for a refusal. */
#include "tokens.h"

static struct jwt *verifier_with(enum which which, const char *issuer, const char *audience) {
  struct jwt_settings s = {.issuer = str_from(issuer), .audience = str_from(audience)};
  struct buf problem = BUF_INIT(1000);
  struct jwt *j = NULL;
  if (which == WITH_SECRET)
    s.secret = STR(SECRET);
  else
    s.public_key_pem = buf_str(&pems[which]);
  assert_int_equal(jwt_new(&s, &problem, &j), OK);
  assert_int_equal(problem.n, 0);
  return j;
}

static struct jwt *verifier(enum which which) {
  return verifier_with(which, NULL, NULL);
}

static void assert_reason(enum jwt_reason is, enum jwt_reason expected, const char *what) {
  if (is != expected) fail_msg("%s: %s, not: %s", what, jwt_reason_text(is), jwt_reason_text(expected));
}

/* Verifies the token, and checks that the claims are set only for JWT_OK. */
static enum jwt_reason verify(const struct jwt *j, struct str token, int64_t now_ms, struct jwt_claims *ret_claims) {
  struct jwt_claims c, before;
  memset(&c, 0x5a, sizeof(c));
  before = c;
  enum jwt_reason reason = jwt_verify(j, token, now_ms, &c);
  if (reason != JWT_OK) assert_memory_equal(&c, &before, sizeof(c));
  if (reason == JWT_OK && ret_claims) *ret_claims = c;
  return reason;
}

/* ---- accepted tokens ---- */

static void each_algorithm_is_taken_with_its_key(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    char header[64];
    struct jwt_claims c;
    (void)snprintf(header, sizeof(header), "{\"typ\":\"at+jwt\",\"kid\":\"k1\",\"alg\":\"%s\"}", algorithms[i]);
    struct jwt *j = verifier((enum which)i);
    char *token =
        make((enum which)i, header,
             "{\"business_id\":7,\"exp\":2000,\"nbf\":900,\"role\":\"agent\",\"sub\":\"d\xc3\xa4na\",\"x\":[{}]}");
    assert_reason(verify(j, str_from(token), NOW_MS, &c), JWT_OK, algorithms[i]);
    assert_int_equal(c.business_id, 7);
    assert_int_equal(c.role, ACCESS_AGENT);
    assert_int_equal(c.expires_at_ms, 2000 * 1000);
    assert_string_equal(c.subject, "d\xc3\xa4na");
    free(token);
    jwt_free(j);
  }
}

static void what_is_not_claimed_has_its_default(void **state) {
  (void)state;
  struct jwt_claims c;
  struct jwt *j = verifier(WITH_SECRET);
  char *token = make(WITH_SECRET, HS, GOOD);
  assert_reason(verify(j, str_from(token), NOW_MS, &c), JWT_OK, GOOD);
  assert_int_equal(c.role, ACCESS_VIEWER);
  assert_string_equal(c.subject, "");
  free(token);
  jwt_free(j);
}

/* ---- refused tokens ---- */

static void a_key_of_one_kind_takes_no_token_of_another(void **state) {
  (void)state;
  for (int of_key = 0; of_key < 3; of_key++) {
    struct jwt *j = verifier((enum which)of_key);
    for (int of_token = 0; of_token < 3; of_token++) {
      char said[32], own[32];
      (void)snprintf(said, sizeof(said), "{\"alg\":\"%s\"}", algorithms[of_token]);
      (void)snprintf(own, sizeof(own), "{\"alg\":\"%s\"}", algorithms[of_key]);
      char *token = make((enum which)of_token, said, GOOD), *lies = make((enum which)of_token, own, GOOD);
      bool same = of_key == of_token;
      assert_reason(verify(j, str_from(token), NOW_MS, NULL), same ? JWT_OK : JWT_WRONG_ALGORITHM, said);
      assert_reason(verify(j, str_from(lies), NOW_MS, NULL), same ? JWT_OK : JWT_BAD_SIGNATURE, own);
      free(token);
      free(lies);
    }
    jwt_free(j);
  }
}

static void the_text_of_a_public_key_is_no_secret(void **state) {
  (void)state;
  for (int i = WITH_RSA; i <= WITH_EC; i++) {
    char own[32];
    struct jwt *j = verifier((enum which)i);
    struct str pem = buf_str(&pems[i]), trimmed = str_head(pem, pem.n - 1);
    (void)snprintf(own, sizeof(own), "{\"alg\":\"%s\"}", algorithms[i]);
    char *tokens[] = {make_raw(NULL, pem, STR(HS), STR(GOOD)), make_raw(NULL, trimmed, STR(HS), STR(GOOD)),
                      make_raw(NULL, pem, str_from(own), STR(GOOD))};
    assert_reason(verify(j, str_from(tokens[0]), NOW_MS, NULL), JWT_WRONG_ALGORITHM, "HS256");
    assert_reason(verify(j, str_from(tokens[1]), NOW_MS, NULL), JWT_WRONG_ALGORITHM, "HS256, trimmed");
    assert_reason(verify(j, str_from(tokens[2]), NOW_MS, NULL), JWT_BAD_SIGNATURE, own);
    for (size_t t = 0; t < COUNT_OF(tokens); t++) free(tokens[t]);
    jwt_free(j);
  }
}

static void another_key_of_the_same_kind_signs_in_vain(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    char own[32];
    struct jwt *j = verifier((enum which)i);
    (void)snprintf(own, sizeof(own), "{\"alg\":\"%s\"}", algorithms[i]);
    char *token = make_raw(other_keys[i], STR("another secret of more than 32 bytes"), str_from(own), STR(GOOD));
    assert_reason(verify(j, str_from(token), NOW_MS, NULL), JWT_BAD_SIGNATURE, own);
    free(token);
    jwt_free(j);
  }
}

static void every_header_but_a_plain_one_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *header;
    enum jwt_reason reason;
  } cases[] = {
      {HS, JWT_OK},
      {" {\"alg\" : \"HS256\" , \"typ\" : 5 } ", JWT_OK},
      {"{\"alg\":\"HS256\",\"jku\":\"https://evil.example/\",\"jwk\":{\"kty\":\"oct\",\"k\":\"\"}}", JWT_OK},
      {"{\"alg\":\"none\"}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":\"None\"}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":\"hs256\"}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":\"HS384\"}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":\"HS256 \"}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":\"\"}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":null}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":[\"HS256\"]}", JWT_WRONG_ALGORITHM},
      {"{\"ALG\":\"HS256\"}", JWT_WRONG_ALGORITHM},
      {"{}", JWT_WRONG_ALGORITHM},
      {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", JWT_CRITICAL},
      {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_CRITICAL},
      {"{\"alg\":\"HS256\",\"crit\":null}", JWT_CRITICAL},
      {"{\"alg\":\"none\",\"alg\":\"HS256\"}", JWT_BAD_HEADER},
      {"{\"alg\":\"HS256\"}x", JWT_BAD_HEADER},
      {"{\"alg\":\"HS256\\u0000\"}", JWT_BAD_HEADER},
      {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", JWT_BAD_HEADER},
      {"[\"HS256\"]", JWT_BAD_HEADER},
      {"\"HS256\"", JWT_BAD_HEADER},
      {"{alg:\"HS256\"}", JWT_BAD_HEADER},
      {"{\"alg\":\"HS256\"", JWT_BAD_HEADER},
  };
  struct jwt *j = verifier(WITH_SECRET);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char *token = make(WITH_SECRET, cases[i].header, GOOD);
    assert_reason(verify(j, str_from(token), NOW_MS, NULL), cases[i].reason, cases[i].header);
    free(token);
  }
  jwt_free(j);
}

static void every_claim_must_be_of_its_type(void **state) {
  (void)state;
#define TIMES "\"exp\":2000"
#define BASE "\"business_id\":7," TIMES
  static const struct {
    const char *claims;
    enum jwt_reason reason;
  } cases[] = {
      {"{" BASE "}", JWT_OK},
      {"{}", JWT_BAD_EXP},
      {"{\"business_id\":7}", JWT_BAD_EXP},
      {"{\"business_id\":7,\"exp\":\"2000\"}", JWT_BAD_EXP},
      {"{\"business_id\":7,\"exp\":null}", JWT_BAD_EXP},
      {"{\"business_id\":7,\"exp\":true}", JWT_BAD_EXP},
      {"{\"business_id\":7,\"exp\":{}}", JWT_BAD_EXP},
      {"{\"business_id\":7,\"exp\":1e400}", JWT_BAD_CLAIMS},
      {"{\"business_id\":7,\"exp\":99999999999999999999}", JWT_BAD_CLAIMS},
      {"{\"business_id\":7,\"exp\":9223372036854775807}", JWT_OK},
      {"{\"business_id\":7,\"exp\":1e300}", JWT_OK},
      {"{\"business_id\":7,\"exp\":1500.5}", JWT_OK},
      {"{\"business_id\":7,\"exp\":0}", JWT_EXPIRED},
      {"{\"business_id\":7,\"exp\":-9223372036854775808}", JWT_EXPIRED},
      {"{" BASE ",\"nbf\":\"1\"}", JWT_BAD_NBF},
      {"{" BASE ",\"nbf\":null}", JWT_BAD_NBF},
      {"{" BASE ",\"nbf\":9223372036854775807}", JWT_NOT_YET},
      {"{" BASE ",\"nbf\":-5}", JWT_OK},
      {"{" BASE ",\"iat\":\"whenever\"}", JWT_OK},
      {"{" TIMES "}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":\"7\"}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":7.0}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":0}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":-7}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":null}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":true}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":[7]}", JWT_BAD_BUSINESS},
      {"{" TIMES ",\"business_id\":9223372036854775807}", JWT_OK},
      {"{" TIMES ",\"business_id\":9223372036854775808}", JWT_BAD_CLAIMS},
      {"{" BASE ",\"role\":\"viewer\"}", JWT_OK},
      {"{" BASE ",\"role\":\"admin\"}", JWT_OK},
      {"{" BASE ",\"role\":\"platform\"}", JWT_BAD_ROLE},
      {"{" BASE ",\"role\":\"Admin\"}", JWT_BAD_ROLE},
      {"{" BASE ",\"role\":\"\"}", JWT_BAD_ROLE},
      {"{" BASE ",\"role\":null}", JWT_BAD_ROLE},
      {"{" BASE ",\"role\":2}", JWT_BAD_ROLE},
      {"{" BASE ",\"role\":[\"viewer\"]}", JWT_BAD_ROLE},
      {"{" BASE ",\"sub\":\"\"}", JWT_OK},
      {"{" BASE ",\"sub\":7}", JWT_BAD_SUBJECT},
      {"{" BASE ",\"sub\":null}", JWT_BAD_SUBJECT},
      {"{" BASE ",\"sub\":\"a\\u0000b\"}", JWT_BAD_CLAIMS},
      {"{" BASE ",\"sub\":\"\xc3\"}", JWT_BAD_CLAIMS},
      {"{" BASE ",\"sub\":\"\xed\xa0\x80\"}", JWT_BAD_CLAIMS},
      {"{" BASE ",\"business_id\":8}", JWT_BAD_CLAIMS},
      {"{" BASE ",\"x\":{\"a\":1,\"a\":2}}", JWT_BAD_CLAIMS},
      {"{" BASE "}{}", JWT_BAD_CLAIMS},
      {"[]", JWT_BAD_CLAIMS},
      {"7", JWT_BAD_CLAIMS},
      {"{" BASE ",}", JWT_BAD_CLAIMS},
  };
  struct jwt *j = verifier(WITH_SECRET);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char *token = make(WITH_SECRET, HS, cases[i].claims);
    assert_reason(verify(j, str_from(token), NOW_MS, NULL), cases[i].reason, cases[i].claims);
    free(token);
  }
  jwt_free(j);
}

static void a_subject_has_200_bytes_at_most(void **state) {
  (void)state;
  struct jwt *j = verifier(WITH_SECRET);
  for (int n = 199; n <= 201; n++) {
    char subject[256], claims[512];
    struct jwt_claims c;
    memset(subject, 's', sizeof(subject));
    (void)snprintf(claims, sizeof(claims), "{" BASE ",\"sub\":\"%.*s\"}", n, subject);
    char *token = make(WITH_SECRET, HS, claims);
    assert_reason(verify(j, str_from(token), NOW_MS, &c), n <= 200 ? JWT_OK : JWT_BAD_SUBJECT, "sub");
    if (n <= 200) assert_int_equal(strlen(c.subject), n);
    free(token);
  }
  jwt_free(j);
}

static void times_hold_to_the_millisecond_with_30_seconds_of_leeway(void **state) {
  (void)state;
  static const struct {
    const char *claims;
    int64_t now_ms;
    enum jwt_reason reason;
  } cases[] = {
      {"{\"business_id\":7,\"exp\":2000}", 2000000, JWT_OK},
      {"{\"business_id\":7,\"exp\":2000}", 2029999, JWT_OK},
      {"{\"business_id\":7,\"exp\":2000}", 2030000, JWT_EXPIRED},
      {"{\"business_id\":7,\"exp\":2000.25}", 2030249, JWT_OK},
      {"{\"business_id\":7,\"exp\":2000.25}", 2030250, JWT_EXPIRED},
      {"{" BASE ",\"nbf\":1000}", 1000000, JWT_OK},
      {"{" BASE ",\"nbf\":1000}", 970000, JWT_OK},
      {"{" BASE ",\"nbf\":1000}", 969999, JWT_NOT_YET},
      {"{\"business_id\":7,\"exp\":253402300799}", INT64_C(253402300799000) + 29999, JWT_OK},
      {"{\"business_id\":7,\"exp\":9e18}", INT64_C(253402300799000) + 30000, JWT_EXPIRED},
  };
  struct jwt *j = verifier(WITH_SECRET);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char *token = make(WITH_SECRET, HS, cases[i].claims);
    assert_reason(verify(j, str_from(token), cases[i].now_ms, NULL), cases[i].reason, cases[i].claims);
    free(token);
  }
  jwt_free(j);
}

static void iss_and_aud_count_where_settings_ask(void **state) {
  (void)state;
  static const struct {
    const char *issuer, *audience, *claims;
    enum jwt_reason reason;
  } cases[] = {
      {NULL, NULL, "{" BASE ",\"iss\":5,\"aud\":{}}", JWT_OK},
      {"https://host", NULL, "{" BASE ",\"iss\":\"https://host\"}", JWT_OK},
      {"https://host", NULL, "{" BASE ",\"iss\":\"https://host/\"}", JWT_WRONG_ISSUER},
      {"https://host", NULL, "{" BASE ",\"iss\":[\"https://host\"]}", JWT_WRONG_ISSUER},
      {"https://host", NULL, "{" BASE ",\"iss\":null}", JWT_WRONG_ISSUER},
      {"https://host", NULL, "{" BASE "}", JWT_WRONG_ISSUER},
      {NULL, "reel", "{" BASE ",\"aud\":\"reel\"}", JWT_OK},
      {NULL, "reel", "{" BASE ",\"aud\":[\"crm\",\"reel\"]}", JWT_OK},
      {NULL, "reel", "{" BASE ",\"aud\":[\"crm\",\"ree\",\"reels\",5,null,[\"reel\"]]}", JWT_WRONG_AUDIENCE},
      {NULL, "reel", "{" BASE ",\"aud\":[]}", JWT_WRONG_AUDIENCE},
      {NULL, "reel", "{" BASE ",\"aud\":{\"reel\":\"reel\"}}", JWT_WRONG_AUDIENCE},
      {NULL, "reel", "{" BASE ",\"aud\":\"reel \"}", JWT_WRONG_AUDIENCE},
      {NULL, "reel", "{" BASE "}", JWT_WRONG_AUDIENCE},
      {"a", "b", "{" BASE ",\"iss\":\"a\",\"aud\":\"b\"}", JWT_OK},
      {"a", "b", "{" BASE ",\"iss\":\"b\",\"aud\":\"a\"}", JWT_WRONG_ISSUER},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct jwt *j = verifier_with(WITH_SECRET, cases[i].issuer, cases[i].audience);
    char *token = make(WITH_SECRET, HS, cases[i].claims);
    assert_reason(verify(j, str_from(token), NOW_MS, NULL), cases[i].reason, cases[i].claims);
    free(token);
    jwt_free(j);
  }
}

/* A token is refused if any one of its bits is changed. */
static void no_byte_of_a_token_can_be_altered(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    char header[32];
    struct jwt *j = verifier((enum which)i);
    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i]);
    char *token = make((enum which)i, header, "{\"business_id\":7,\"exp\":2000,\"sub\":\"x\"}");
    size_t n = strlen(token);
    for (size_t at = 0; at < n; at++) {
      char was = token[at];
      static const uint8_t flips[] = {1, 2, 4, 8, 16, 32, 64, 128, 255};
      for (size_t f = 0; f < COUNT_OF(flips); f++) {
        token[at] = (char)(was ^ flips[f]);
        if (verify(j, str_of(token, n), NOW_MS, NULL) == JWT_OK) fail_msg("%s: byte %zu: %s", header, at, token);
      }
      token[at] = was;
      assert_true(verify(j, str_of(token, at), NOW_MS, NULL) != JWT_OK); /* cut after at bytes */
    }
    assert_reason(verify(j, str_of(token, n), NOW_MS, NULL), JWT_OK, "as it was");
    free(token);
    jwt_free(j);
  }
}

static void a_token_is_three_parts_in_strict_base64url(void **state) {
  (void)state;
  struct jwt *j = verifier(WITH_SECRET);
  char *good = make(WITH_SECRET, HS, GOOD);
  char *first = strchr(good, '.'), *last = strrchr(good, '.');
  int head = (int)(first - good), middle = (int)(last - first) - 1;
  const struct {
    const char *format;
    enum jwt_reason reason;
  } cases[] = {
      {"%.*s.%.*s.%s", JWT_OK},
      {" %.*s.%.*s.%s", JWT_MALFORMED},
      {"%.*s.%.*s.%s ", JWT_MALFORMED},
      {"%.*s.%.*s.%s=", JWT_MALFORMED},
      {"%.*s.%.*s.%s\n", JWT_MALFORMED},
      {"%.*s.%.*s.%s.", JWT_MALFORMED},
      {"%.*s.%.*s.%s.e30", JWT_MALFORMED},
      {"%.*s..%.*s.%s", JWT_MALFORMED},
      {".%.*s.%.*s.%s", JWT_MALFORMED},
      {"%.*s=.%.*s.%s", JWT_MALFORMED},
      {"%.*s.%.*s=.%s", JWT_BAD_SIGNATURE},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(10000);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    assert_int_equal(buf_addf(&b, cases[i].format, head, good, middle, first + 1, last + 1), OK);
#pragma GCC diagnostic pop
    assert_reason(verify(j, buf_str(&b), NOW_MS, NULL), cases[i].reason, cases[i].format);
  }
  static const char *const broken[] = {"",     ".",    "..",   "...",     "a",          "a.b",
                                       "a.b.", "a..c", ".b.c", "e30.e30", "e30.e30.e30"};
  for (size_t i = 0; i < COUNT_OF(broken); i++) assert_true(verify(j, str_from(broken[i]), NOW_MS, NULL) != JWT_OK);
  free(good);
  jwt_free(j);
}

static void a_signature_is_as_long_as_the_key_says(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    char header[32];
    struct jwt *j = verifier((enum which)i);
    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i]);
    char *good = make((enum which)i, header, GOOD), *last = strrchr(good, '.') + 1;
    for (size_t n = 1; n < 400; n += 7) {
      struct buf b CLEANUP(buf_done) = BUF_INIT(10000);
      char zeros[400] = {0};
      assert_int_equal(buf_add(&b, str_of(good, (size_t)(last - good))), OK);
      add64(&b, str_of(zeros, n));
      assert_reason(verify(j, buf_str(&b), NOW_MS, NULL), JWT_BAD_SIGNATURE, header);
    }
    free(good);
    jwt_free(j);
  }
}

static void der_is_no_signature_of_es256(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(10000);
  uint8_t der[128];
  add64(&b, STR("{\"alg\":\"ES256\"}"));
  assert_int_equal(buf_add_char(&b, '.'), OK);
  add64(&b, STR(GOOD));
  size_t n = sign_public(keys[WITH_EC], buf_str(&b), der, sizeof(der));
  assert_int_equal(buf_add_char(&b, '.'), OK);
  add64(&b, str_of((const char *)der, n));
  struct jwt *j = verifier(WITH_EC);
  assert_reason(verify(j, buf_str(&b), NOW_MS, NULL), JWT_BAD_SIGNATURE, "DER");
  jwt_free(j);
}

static void sixteen_kilobytes_are_the_most(void **state) {
  (void)state;
  struct jwt *j = verifier(WITH_SECRET);
  for (size_t n = JWT_TOKEN_MAX - 3; n <= JWT_TOKEN_MAX + 3; n++) {
    /* 20 of the header, '.', the claims, '.', 43 of the signature */
    char *claims = NULL, *token = NULL;
    for (size_t fill = 12044; fill < 12400; fill++) {
      free(claims);
      free(token);
      claims = malloc(fill + 64);
      (void)snprintf(claims, fill + 64, "{" BASE ",\"x\":\"%0*d\"}", (int)fill, 0);
      token = make(WITH_SECRET, HS, claims);
      if (strlen(token) >= n) break;
    }
    size_t is = strlen(token);
    assert_reason(verify(j, str_from(token), NOW_MS, NULL), is <= JWT_TOKEN_MAX ? JWT_OK : JWT_TOO_BIG, "size");
    free(claims);
    free(token);
  }
  jwt_free(j);
}

static void deep_nesting_is_refused_without_harm(void **state) {
  (void)state;
  char claims[6000];
  memset(claims, '[', sizeof(claims));
  struct jwt *j = verifier(WITH_SECRET);
  char *token = make_raw(NULL, STR(SECRET), STR(HS), str_of(claims, sizeof(claims)));
  assert_reason(verify(j, str_from(token), NOW_MS, NULL), JWT_BAD_CLAIMS, "nested");
  free(token);
  token = make_raw(NULL, STR(SECRET), str_of(claims, sizeof(claims)), STR(GOOD));
  assert_reason(verify(j, str_from(token), NOW_MS, NULL), JWT_BAD_HEADER, "nested");
  free(token);
  jwt_free(j);
}

/* ---- keys ---- */

static void assert_no_key(struct jwt_settings s, const char *begins) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1000);
  struct jwt *j = NULL;
  assert_int_equal(jwt_new(&s, &problem, &j), ERR_INVALID);
  assert_null(j);
  assert_true(str_starts(buf_str(&problem), str_from(begins)));
  assert_int_equal(jwt_new(&s, NULL, &j), ERR_INVALID);
}

static void a_key_that_will_not_do_is_refused_with_its_setting(void **state) {
  (void)state;
  char secret[JWT_SECRET_MIN];
  memset(secret, 'k', sizeof(secret));
  struct jwt_settings none = {.issuer = STR("x")},
                      both = {.secret = STR(SECRET), .public_key_pem = buf_str(&pems[WITH_RSA])},
                      brief = {.secret = str_of(secret, sizeof(secret) - 1)},
                      no_pem = {.public_key_pem = STR("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")};
  assert_no_key(none, "JWT_SECRET: ");
  assert_no_key(brief, "JWT_SECRET: ");
  assert_no_key(both, "JWT_SECRET and JWT_PUBLIC_KEY_FILE ");
  assert_no_key(no_pem, "JWT_PUBLIC_KEY_FILE: ");
  struct jwt *j = NULL;
  struct jwt_settings enough = {.secret = str_of(secret, sizeof(secret))};
  assert_int_equal(jwt_new(&enough, NULL, &j), OK);
  jwt_free(j);
  EVP_PKEY *unfit[] = {EVP_RSA_gen(1024), EVP_EC_gen("P-384"), EVP_EC_gen("secp256k1"),
                       EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
  for (size_t i = 0; i < COUNT_OF(unfit); i++) {
    struct buf pem CLEANUP(buf_done) = pem_of(unfit[i]);
    assert_no_key((struct jwt_settings){.public_key_pem = buf_str(&pem)}, "JWT_PUBLIC_KEY_FILE: the key is ");
    EVP_PKEY_free(unfit[i]);
  }
}

static void a_private_key_is_refused(void **state) {
  (void)state;
  BIO *bio = BIO_new(BIO_s_mem());
  char *text;
  assert_int_equal(PEM_write_bio_PrivateKey(bio, keys[WITH_EC], NULL, NULL, 0, NULL, NULL), 1);
  long n = BIO_get_mem_data(bio, &text);
  assert_no_key((struct jwt_settings){.public_key_pem = str_of(text, (size_t)n)},
                "JWT_PUBLIC_KEY_FILE: the file holds a private key");
  BIO_free(bio);
}

static void settings_say_which_key_or_none(void **state) {
  (void)state;
  char path[] = "/tmp/callreel_jwt_XXXXXX", secret[] = SECRET, issuer[] = "https://host";
  int fd = mkstemp(path);
  assert_true(fd >= 0 && write(fd, pems[WITH_EC].p, pems[WITH_EC].n) == (ssize_t)pems[WITH_EC].n);
  close(fd);
  struct conf conf = {.jwt_issuer = issuer};
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1000);
  struct jwt *j = (struct jwt *)&conf;
  assert_int_equal(jwt_from_conf(&conf, &problem, &j), OK);
  assert_null(j);
  conf.jwt_public_key_file = path;
  assert_int_equal(jwt_from_conf(&conf, &problem, &j), OK);
  char *token = make(WITH_EC, "{\"alg\":\"ES256\"}", "{" BASE ",\"iss\":\"https://host\"}");
  assert_reason(verify(j, str_from(token), NOW_MS, NULL), JWT_OK, "ES256");
  free(token);
  j = jwt_free(j);
  conf.jwt_secret = secret;
  assert_int_equal(jwt_from_conf(&conf, &problem, &j), ERR_INVALID);
  unlink(path);
  conf.jwt_secret = NULL;
  buf_clear(&problem);
  assert_int_equal(jwt_from_conf(&conf, &problem, &j), ERR_INVALID);
  assert_true(str_starts(buf_str(&problem), STR("JWT_PUBLIC_KEY_FILE: ")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_algorithm_is_taken_with_its_key),
      cmocka_unit_test(what_is_not_claimed_has_its_default),
      cmocka_unit_test(a_key_of_one_kind_takes_no_token_of_another),
      cmocka_unit_test(the_text_of_a_public_key_is_no_secret),
      cmocka_unit_test(another_key_of_the_same_kind_signs_in_vain),
      cmocka_unit_test(every_header_but_a_plain_one_is_refused),
      cmocka_unit_test(every_claim_must_be_of_its_type),
      cmocka_unit_test(a_subject_has_200_bytes_at_most),
      cmocka_unit_test(times_hold_to_the_millisecond_with_30_seconds_of_leeway),
      cmocka_unit_test(iss_and_aud_count_where_settings_ask),
      cmocka_unit_test(no_byte_of_a_token_can_be_altered),
      cmocka_unit_test(a_token_is_three_parts_in_strict_base64url),
      cmocka_unit_test(a_signature_is_as_long_as_the_key_says),
      cmocka_unit_test(der_is_no_signature_of_es256),
      cmocka_unit_test(sixteen_kilobytes_are_the_most),
      cmocka_unit_test(deep_nesting_is_refused_without_harm),
      cmocka_unit_test(a_key_that_will_not_do_is_refused_with_its_setting),
      cmocka_unit_test(a_private_key_is_refused),
      cmocka_unit_test(settings_say_which_key_or_none),
  };
  return cmocka_run_group_tests(tests, make_keys, free_keys);
}
