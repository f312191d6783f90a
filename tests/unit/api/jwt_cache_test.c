/* Tokens that were found good once, in memory. */
#include "tokens.h"

#include "api/auth/api_jwt_cache.h"

static struct jwt *verifier(enum which which) {
  struct jwt_settings s = {.public_key_pem = which == WITH_SECRET ? STR_NONE : buf_str(&pems[which])};
  struct jwt *j;
  if (which == WITH_SECRET) s.secret = STR(SECRET);
  assert_int_equal(jwt_new(&s, NULL, &j), OK);
  return j;
}

static struct jwt_cache *table(void) {
  struct jwt_cache *t;
  assert_int_equal(jwt_cache_new(&t), OK);
  return t;
}

static void a_token_seen_before_says_the_same_without_its_signature(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    char header[64];
    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i]);
    struct jwt *j = verifier((enum which)i);
    struct jwt_cache *t = table();
    struct jwt_claims first, again;
    char *token = make((enum which)i, header, "{\"business_id\":7,\"exp\":2000,\"role\":\"agent\",\"sub\":\"u-1\"}");
    assert_int_equal(jwt_cache_verify(t, j, str_from(token), NOW_MS, &first), JWT_OK);
    /* A verifier with another key would refuse it: it is not asked. */
    struct jwt_settings s = {.secret = STR("another secret, of 32 bytes or more")};
    struct jwt *other;
    assert_int_equal(jwt_new(&s, NULL, &other), OK);
    assert_int_equal(jwt_cache_verify(t, other, str_from(token), NOW_MS, &again), JWT_OK);
    assert_int_equal(again.business_id, 7);
    assert_int_equal(again.role, ACCESS_AGENT);
    assert_int_equal(again.expires_at_ms, first.expires_at_ms);
    assert_string_equal(again.subject, "u-1");
    jwt_free(other);
    jwt_cache_free(t);
    jwt_free(j);
    free(token);
  }
}

static void it_ends_when_it_would(void **state) {
  struct jwt *j = verifier(WITH_SECRET);
  struct jwt_cache *t = table();
  struct jwt_claims c;
  char *token = make(WITH_SECRET, HS, GOOD);
  const int64_t end_ms = 2000 * 1000 + JWT_LEEWAY_MS;
  (void)state;
  assert_int_equal(jwt_cache_verify(t, j, str_from(token), NOW_MS, &c), JWT_OK);
  assert_int_equal(jwt_cache_verify(t, j, str_from(token), end_ms - 1, &c), JWT_OK);
  c.business_id = -5;
  assert_int_equal(jwt_cache_verify(t, j, str_from(token), end_ms, &c), JWT_EXPIRED);
  assert_int_equal(c.business_id, -5);
  jwt_cache_free(t);
  jwt_free(j);
  free(token);
}

static void what_is_not_it_to_the_byte_is_verified(void **state) {
  struct jwt *j = verifier(WITH_SECRET);
  struct jwt_cache *t = table();
  struct jwt_claims c = {.business_id = -5};
  char *token = make(WITH_SECRET, HS, GOOD);
  (void)state;
  for (int round = 0; round < 2; round++) { /* before it was seen, and after */
    for (size_t i = 0; token[i]; i++) {
      char was = token[i];
      token[i] = was == 'A' ? 'B' : 'A';
      assert_int_not_equal(jwt_cache_verify(t, j, str_from(token), NOW_MS, &c), JWT_OK);
      token[i] = was;
    }
    assert_int_equal(c.business_id, -5);
    assert_int_not_equal(jwt_cache_verify(t, j, str_head(str_from(token), strlen(token) - 1), NOW_MS, &c), JWT_OK);
    assert_int_equal(jwt_cache_verify(t, j, str_from(token), NOW_MS, &c), JWT_OK);
    c.business_id = -5;
  }
  jwt_cache_free(t);
  jwt_free(j);
  free(token);
}

static void more_than_there_is_room_for_are_verified_again(void **state) {
  struct jwt *j = verifier(WITH_SECRET);
  struct jwt_cache *t = table();
  (void)state;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 2000; i++) {
      char claims[100];
      struct jwt_claims c;
      (void)snprintf(claims, sizeof(claims), "{\"business_id\":%d,\"exp\":2000}", i + 1);
      char *token = make(WITH_SECRET, HS, claims);
      assert_int_equal(jwt_cache_verify(t, j, str_from(token), NOW_MS, &c), JWT_OK);
      assert_int_equal(c.business_id, i + 1);
      free(token);
    }
  }
  jwt_cache_free(t);
  jwt_free(j);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_token_seen_before_says_the_same_without_its_signature),
      cmocka_unit_test(it_ends_when_it_would),
      cmocka_unit_test(what_is_not_it_to_the_byte_is_verified),
      cmocka_unit_test(more_than_there_is_room_for_are_verified_again),
  };
  return cmocka_run_group_tests(tests, make_keys, free_keys);
}
