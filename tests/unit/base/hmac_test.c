/* HMAC-SHA256 with a prepared key: the vectors of RFC 4231, and the one-shot function as the oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/hmac.h"

static void the_vectors_of_rfc_4231_come_out(void **state) {
  (void)state;
  static const struct {
    struct str key, text;
    const char *mac;
  } cases[] = {
      {STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"), STR("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {STR("Jefe"), STR("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct hmac_key key;
    uint8_t mac[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    hmac_key_set(&key, cases[i].key);
    for (int twice = 0; twice < 2; twice++) { /* a key can be used again */
      hmac_sha256(&key, cases[i].text, mac);
      hex_encode(mac, sizeof(mac), hex);
      assert_string_equal(hex, cases[i].mac);
    }
  }
}

static void any_lengths_of_key_and_text_agree_with_the_one_shot_function(void **state) {
  (void)state;
  char bytes[200];
  for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (char)(i * 37 + 11);
  for (size_t key_n = 0; key_n <= 130; key_n += 13) {
    for (size_t text_n = 0; text_n <= sizeof(bytes); text_n += 5) {
      struct hmac_key key;
      uint8_t mac[SHA256_SIZE], expected[SHA256_SIZE];
      hmac_key_set(&key, str_of(bytes, key_n));
      hmac_sha256(&key, str_of(bytes, text_n), mac);
      secret_hmac_sha256(str_of(bytes, key_n), str_of(bytes, text_n), expected);
      assert_memory_equal(mac, expected, sizeof(mac));
    }
  }
}

static void a_wiped_key_holds_nothing(void **state) {
  (void)state;
  struct hmac_key key;
  const uint8_t none[sizeof(key)] = {0};
  hmac_key_set(&key, STR("secret"));
  hmac_key_wipe(&key);
  assert_memory_equal(&key, none, sizeof(key));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_vectors_of_rfc_4231_come_out),
      cmocka_unit_test(any_lengths_of_key_and_text_agree_with_the_one_shot_function),
      cmocka_unit_test(a_wiped_key_holds_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
