/* Signed URLs are valid for what was signed, until they expire, and for nothing else. */
#include "../ledger/ledger_scratch.h"

#include "domain/signed_url.h"
#include "ledger/settings.h"

#define SID STR("RE0123456789abcdef0123456789abcdef")
#define OTHER_SID STR("RE0123456789abcdef0123456789abcde0")
#define ID STR("0123456789abcdef")
enum { NOW_MS = 1000000 };

static struct hmac_key key_of(const char *secret) {
  struct hmac_key key;
  hmac_key_set(&key, str_from(secret));
  return key;
}

/* A URL of business 7, for the caller to free(); *ret_query: a view into it. */
static char *make(const struct hmac_key *key, int64_t ttl_s, struct str *ret_query) {
  struct buf b = BUF_INIT(1000);
  const char *text;
  assert_int_equal(signed_url_expiry(ttl_s, NOW_MS), NOW_MS + ttl_s * 1000);
  assert_int_equal(signed_url_write(key, STR("/base"), 7, SID, ID, NOW_MS + ttl_s * 1000, &b), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  *ret_query = str_from(strchr(text, '?') + 1);
  return b.p;
}

static enum err verify(const struct hmac_key *key, struct str sid, struct str query, int64_t now_ms) {
  struct signed_url_bearer bearer = {.business_id = -5}, before = bearer;
  enum err e = signed_url_verify(key, sid, query, now_ms, &bearer);
  if (e != OK) assert_memory_equal(&bearer, &before, sizeof(bearer));
  return e;
}

static void a_signed_url_names_its_business_and_expiry(void **state) {
  (void)state;
  struct hmac_key key = key_of("a key of some length");
  struct str query;
  struct signed_url_bearer bearer;
  char *url = make(&key, 600, &query);
  assert_true(
      str_starts(str_from(url), STR("/base/api/recordings/RE0123456789abcdef0123456789abcdef/stream?b=7&exp=1600&id="
                                    "0123456789abcdef&sig=")));
  assert_true(signed_url_present(query));
  assert_int_equal(signed_url_verify(&key, SID, query, NOW_MS, &bearer), OK);
  assert_int_equal(bearer.business_id, 7);
  assert_int_equal(bearer.expires_at_ms, 1600000);
  assert_string_equal(bearer.id, "0123456789abcdef");
  assert_string_equal(bearer.subject, "url:0123456789abcdef");
  free(url);
}

static void a_signed_url_expires_to_the_millisecond(void **state) {
  (void)state;
  struct hmac_key key = key_of("a key of some length");
  struct str query;
  char *url = make(&key, 600, &query);
  assert_int_equal(verify(&key, SID, query, 1599999), OK);
  assert_int_equal(verify(&key, SID, query, 1600000), ERR_DENIED);
  assert_int_equal(verify(&key, SID, query, INT64_MAX), ERR_DENIED);
  free(url);
}

static void a_signed_url_is_valid_for_one_recording_and_one_key(void **state) {
  (void)state;
  struct hmac_key key = key_of("a key of some length"), other = key_of("a key of some lengtH");
  struct str query;
  char *url = make(&key, 600, &query);
  assert_int_equal(verify(&key, OTHER_SID, query, NOW_MS), ERR_DENIED);
  assert_int_equal(verify(&key, str_head(SID, SID.n - 1), query, NOW_MS), ERR_DENIED);
  assert_int_equal(verify(&key, STR(""), query, NOW_MS), ERR_DENIED);
  assert_int_equal(verify(&other, SID, query, NOW_MS), ERR_DENIED);
  free(url);
}

static void no_bit_of_the_query_can_be_altered(void **state) {
  (void)state;
  struct hmac_key key = key_of("a key of some length");
  struct str query;
  char *url = make(&key, 600, &query), *bytes = url + (query.p - url);
  for (size_t at = 0; at < query.n; at++) {
    char was = bytes[at];
    for (int flip = 1; flip < 256; flip++) {
      bytes[at] = (char)(was ^ flip);
      if (verify(&key, SID, query, NOW_MS) != ERR_DENIED) fail_msg("byte %zu: %s", at, url);
    }
    bytes[at] = was;
    assert_int_equal(verify(&key, SID, str_head(query, at), NOW_MS), ERR_DENIED);
  }
  assert_int_equal(verify(&key, SID, query, NOW_MS), OK);
  free(url);
}

static void a_query_has_one_spelling_and_may_have_other_parameters(void **state) {
  (void)state;
  static const struct {
    const char *format; /* %s: the signature */
    enum err e;
  } cases[] = {
      {"b=7&exp=1600&id=0123456789abcdef&sig=%s", OK},
      {"id=0123456789abcdef&sig=%s&exp=1600&b=7", OK},
      {"x=1&b=7&&exp=1600&t=0&id=0123456789abcdef&sig=%s&download", OK},
      {"bb=8&b=7&exp=1600&id=0123456789abcdef&sig=%s&SIG=x&exp", OK},
      {"b=07&exp=1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=+7&exp=1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=01600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=1600.&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=-1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=%%37&exp=1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&id=0123456789abcdef&sig=%s=", ERR_DENIED},
      {"b=7&exp=1600&id=0123456789abcdef&sig=%s&b=7", ERR_DENIED},
      {"b=7&exp=1600&exp=1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&id=0123456789abcdef&sig=%s&sig=", ERR_DENIED},
      {"b=8&exp=1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=71&exp=600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=1601&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"exp=1600&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=&exp=&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=99999999999999999999&id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7;exp=1600;id=0123456789abcdef&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&id=&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&id=0123456789abcdee&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&id=0123456789ABCDEF&sig=%s", ERR_DENIED},
      {"b=7&exp=1600&id=0123456789abcdef&id=0123456789abcdef&sig=%s", ERR_DENIED},
  };
  struct hmac_key key = key_of("a key of some length");
  struct str query;
  char *url = make(&key, 600, &query);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof(text), cases[i].format, strstr(url, "sig=") + 4);
#pragma GCC diagnostic pop
    if (verify(&key, SID, str_from(text), NOW_MS) != cases[i].e) fail_msg("%s", text);
  }
  free(url);
}

static void a_query_without_a_signature_is_not_a_signed_url(void **state) {
  (void)state;
  static const struct {
    const char *query;
    bool present;
  } cases[] = {{"", false},       {"b=7&exp=1600", false}, {"sig", false}, {"xsig=1", false},
               {"x=sig=", false}, {"x&sig=&y", true},      {"sig=", true}, {"sig=%", true}};
  for (size_t i = 0; i < COUNT_OF(cases); i++)
    assert_int_equal(signed_url_present(str_from(cases[i].query)), cases[i].present);
}

/* Releases before this one signed "1:7:{sid}:1600" without an id. */
static void a_url_of_an_earlier_release_is_valid_without_an_id(void **state) {
  (void)state;
  struct hmac_key key = key_of("a key of some length");
  struct signed_url_bearer bearer;
  struct buf query CLEANUP(buf_done) = BUF_INIT(1000);
  uint8_t mac[SHA256_SIZE];
  hmac_sha256(&key, STR("1:7:RE0123456789abcdef0123456789abcdef:1600"), mac);
  assert_int_equal(buf_add(&query, STR("b=7&exp=1600&sig=")), OK);
  assert_int_equal(base64url_encode(&query, mac, sizeof(mac)), OK);
  assert_int_equal(signed_url_verify(&key, SID, buf_str(&query), NOW_MS, &bearer), OK);
  assert_string_equal(bearer.id, "");
  assert_int_equal(strspn(bearer.subject + strlen("url:"), "0123456789abcdef"), 8);
}

static void invalid_values_are_refused_and_nothing_is_written(void **state) {
  (void)state;
  static const struct {
    int64_t business_id;
    const char *sid, *id;
    enum err e;
  } cases[] = {
      {7, "RE1", "0123456789abcdef", OK},
      {INT64_MAX, "RE1", "0123456789abcdef", OK},
      {7, "RE1", "", ERR_INVALID},
      {7, "RE1", "0123456789abcde", ERR_INVALID},
      {7, "RE1", "0123456789abcdeg", ERR_INVALID},
      {0, "RE1", "0123456789abcdef", ERR_INVALID},
      {-7, "RE1", "0123456789abcdef", ERR_INVALID},
      {7, "", "0123456789abcdef", ERR_INVALID},
      {7, "RE:1", "0123456789abcdef", ERR_INVALID},
      {7, "RE/1", "0123456789abcdef", ERR_INVALID},
      {7, "0123456789012345678901234567890123456789012345678901234567890123", "0123456789abcdef", OK},
      {7, "01234567890123456789012345678901234567890123456789012345678901234", "0123456789abcdef", ERR_INVALID},
  };
  struct hmac_key key = key_of("a key of some length");
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
    struct str sid = str_from(cases[i].sid);
    enum err e = signed_url_write(&key, STR(""), cases[i].business_id, sid, str_from(cases[i].id), 2000000, &b);
    assert_int_equal(e, cases[i].e);
    if (e == OK) {
      size_t query = str_index(buf_str(&b), '?', 0) + 1;
      assert_int_equal(verify(&key, sid, str_skip(buf_str(&b), query), NOW_MS), OK);
    } else {
      assert_int_equal(b.n, 0);
    }
  }
}

static void a_buffer_that_is_too_small_keeps_what_it_had(void **state) {
  (void)state;
  struct hmac_key key = key_of("a key of some length");
  struct buf b CLEANUP(buf_done) = BUF_INIT(100);
  assert_int_equal(buf_add(&b, STR("x")), OK);
  assert_int_equal(signed_url_write(&key, STR(""), 7, SID, ID, 1600000, &b), ERR_TOO_BIG);
  assert_int_equal(b.n, 1);
}

static void an_expiry_is_rounded_up_to_whole_seconds(void **state) {
  (void)state;
  assert_int_equal(signed_url_expiry(1, NOW_MS + 1), NOW_MS + 2000);
}

static void the_key_is_made_once_and_stored_encrypted(void **state) {
  struct db *one = scratch_ledger(*state), *two = scratch_open(*state, 0);
  struct hmac_key first, second, configured, expected = key_of("a key of some length");
  uint8_t wrong_seal[SECRET_KEY_SIZE] = "another";
  assert_int_equal(signed_url_load_key(one, scratch_seal_key, NULL, &first), OK);
  assert_false(db_in_transaction(one));
  assert_int_equal(signed_url_load_key(two, scratch_seal_key, NULL, &second), OK);
  assert_memory_equal(&first, &second, sizeof(first));
  assert_int_equal(scratch_int(one, "select sealed from settings where name = 'url_signing_key'"), 1);
  assert_int_equal(signed_url_load_key(two, wrong_seal, NULL, &second), ERR_CORRUPT);
  assert_memory_equal(&first, &second, sizeof(first));
  assert_int_equal(signed_url_load_key(two, scratch_seal_key, "a key of some length", &configured), OK);
  assert_memory_equal(&configured, &expected, sizeof(expected));
  assert_int_equal(signed_url_load_key(two, scratch_seal_key, "fifteen bytes .", &configured), ERR_INVALID);
  db_close(one);
  db_close(two);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_signed_url_names_its_business_and_expiry),
      cmocka_unit_test(a_signed_url_expires_to_the_millisecond),
      cmocka_unit_test(a_signed_url_is_valid_for_one_recording_and_one_key),
      cmocka_unit_test(no_bit_of_the_query_can_be_altered),
      cmocka_unit_test(a_query_has_one_spelling_and_may_have_other_parameters),
      cmocka_unit_test(a_query_without_a_signature_is_not_a_signed_url),
      cmocka_unit_test(a_url_of_an_earlier_release_is_valid_without_an_id),
      cmocka_unit_test(invalid_values_are_refused_and_nothing_is_written),
      cmocka_unit_test(a_buffer_that_is_too_small_keeps_what_it_had),
      cmocka_unit_test(an_expiry_is_rounded_up_to_whole_seconds),
      SCRATCH_TEST(the_key_is_made_once_and_stored_encrypted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
