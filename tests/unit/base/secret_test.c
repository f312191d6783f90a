#include "base_testing.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static void digests_agree_with_the_standards_vectors(void **state) {
  (void)state;
  uint8_t digest[SHA256_SIZE];
  char hex[2 * SHA256_SIZE + 1];
  secret_sha256(STR_NONE, digest);
  hex_encode(digest, sizeof(digest), hex);
  assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  secret_sha256(STR("abc"), digest);
  hex_encode(digest, sizeof(digest), hex);
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 2202 and RFC 4231. */
static void macs_agree_with_the_standards_vectors(void **state) {
  (void)state;
  char aa[131], b[20];
  memset(aa, 0xaa, sizeof(aa));
  memset(b, 0x0b, sizeof(b));
  const struct {
    struct str key, text;
    const char *sha1, *sha256;
  } rows[] = {
      {str_of(b, 20), STR("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {STR("Jefe"), STR("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {str_of(aa, 80), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
       "aa4ae5e15272d00e95705637ce8a3b55ed402112", NULL},
      {str_of(aa, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"), NULL,
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {STR_NONE, STR_NONE, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d",
       "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    uint8_t mac[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    secret_hmac_sha1(rows[i].key, rows[i].text, mac);
    hex_encode(mac, SHA1_SIZE, hex);
    if (rows[i].sha1) assert_string_equal(hex, rows[i].sha1);
    secret_hmac_sha256(rows[i].key, rows[i].text, mac);
    hex_encode(mac, SHA256_SIZE, hex);
    if (rows[i].sha256) assert_string_equal(hex, rows[i].sha256);
  }
}

static void comparison_sees_length_and_every_byte(void **state) {
  (void)state;
  assert_true(secret_equal(STR("abc"), STR("abc")) && secret_equal(STR_NONE, STR("")));
  assert_false(secret_equal(STR("abc"), STR("abd")));
  assert_false(secret_equal(STR("abc"), STR("ab")));
  assert_false(secret_equal(STR("\0a"), STR("\0b")));
}

static void base64_agrees_with_the_standards_vectors(void **state) {
  (void)state;
  static const struct {
    struct str bytes;
    const char *standard, *url;
  } rows[] = {
      {STR(""), "", ""},
      {STR("f"), "Zg==", "Zg"},
      {STR("fo"), "Zm8=", "Zm8"},
      {STR("foo"), "Zm9v", "Zm9v"},
      {STR("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
      {STR("\xfb\xff\xfe\0"), "+//+AA==", "-__-AA"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(100);
    const uint8_t *bytes = (const uint8_t *)rows[i].bytes.p;
    assert_int_equal(base64_encode(&b, bytes, rows[i].bytes.n), OK);
    assert_str(buf_str(&b), str_from(rows[i].standard));
    buf_clear(&b);
    assert_int_equal(base64url_encode(&b, bytes, rows[i].bytes.n), OK);
    assert_str(buf_str(&b), str_from(rows[i].url));
    buf_clear(&b);
    assert_int_equal(base64_decode(&b, str_from(rows[i].standard)), OK);
    assert_str(buf_str(&b), rows[i].bytes);
    buf_clear(&b);
    assert_int_equal(base64url_decode(&b, str_from(rows[i].url)), OK);
    assert_str(buf_str(&b), rows[i].bytes);
  }
}

static void base64_has_no_second_spelling(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool url;
  } rows[] = {
      {"Zg", false},   {"Zg=", false},  {"Zg===", false},  {"Zh==", false},  {"Zm9=", false}, {"Z===", false},
      {"====", false}, {"Zm=v", false}, {"Zm9v\n", false}, {" Zm9v", false}, {"-__-", false}, {"Zg==Zg==", false},
      {"Zg==", true},  {"Zh", true},    {"Z", true},       {"+//+", true},   {"Zm9v=", true}, {"Zm\xc3\xa9", true},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(100);
    assert_int_equal(buf_add(&b, STR("kept")), OK);
    struct str text = str_from(rows[i].text);
    assert_int_equal(rows[i].url ? base64url_decode(&b, text) : base64_decode(&b, text), ERR_INVALID);
    assert_str(buf_str(&b), STR("kept"));
  }
}

static const uint8_t key[SECRET_KEY_SIZE] = "an unlikely key of 32 bytes ....";

static void sealed_text_opens_only_for_its_own_row(void **state) {
  (void)state;
  static const struct str texts[] = {STR(""), STR("token"), STR("with\0zero")};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct buf sealed CLEANUP(buf_done) = BUF_INIT(100), plain CLEANUP(buf_done) = BUF_INIT(100);
    assert_int_equal(buf_add(&plain, STR("before ")), OK);
    assert_int_equal(secret_seal(key, STR("businesses/1"), texts[i], &sealed), OK);
    assert_int_equal(sealed.n, 1 + 12 + texts[i].n + 16);
    assert_int_equal(secret_open(key, STR("businesses/1"), buf_str(&sealed), &plain), OK);
    assert_str(str_skip(buf_str(&plain), 7), texts[i]);
    assert_str(str_head(buf_str(&plain), 7), STR("before "));
  }
}

static void sealing_twice_gives_two_texts(void **state) {
  (void)state;
  struct buf a CLEANUP(buf_done) = BUF_INIT(100), b CLEANUP(buf_done) = BUF_INIT(100);
  assert_int_equal(secret_seal(key, STR_NONE, STR("token"), &a), OK);
  assert_int_equal(secret_seal(key, STR_NONE, STR("token"), &b), OK);
  assert_false(str_eq(buf_str(&a), buf_str(&b)));
}

static void sealed_text_with_any_altered_bit_does_not_open(void **state) {
  (void)state;
  struct buf sealed CLEANUP(buf_done) = BUF_INIT(100), plain CLEANUP(buf_done) = BUF_INIT(100);
  assert_int_equal(secret_seal(key, STR("businesses/1"), STR("token"), &sealed), OK);
  for (size_t bit = 0; bit < sealed.n * 8; bit++) {
    sealed.p[bit / 8] = (char)(sealed.p[bit / 8] ^ (1 << bit % 8));
    assert_int_equal(secret_open(key, STR("businesses/1"), buf_str(&sealed), &plain), ERR_CORRUPT);
    sealed.p[bit / 8] = (char)(sealed.p[bit / 8] ^ (1 << bit % 8));
  }
  for (size_t n = 0; n < sealed.n; n++) {
    struct str cut = str_head(buf_str(&sealed), n);
    assert_int_equal(secret_open(key, STR("businesses/1"), cut, &plain), ERR_CORRUPT);
  }
  uint8_t other[SECRET_KEY_SIZE] = {0};
  assert_int_equal(secret_open(other, STR("businesses/1"), buf_str(&sealed), &plain), ERR_CORRUPT);
  assert_int_equal(secret_open(key, STR("businesses/2"), buf_str(&sealed), &plain), ERR_CORRUPT);
  assert_int_equal(plain.n, 0);
}

static void random_bytes_fill_the_whole_buffer(void **state) {
  (void)state;
  static uint8_t bytes[1000], zeros[sizeof(bytes)];
  assert_int_equal(secret_random(bytes, sizeof(bytes)), OK);
  assert_memory_not_equal(bytes + sizeof(bytes) - 16, zeros, 16);
  secret_wipe(bytes, sizeof(bytes));
  assert_memory_equal(bytes, zeros, sizeof(bytes));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(digests_agree_with_the_standards_vectors),
    cmocka_unit_test(macs_agree_with_the_standards_vectors),
    cmocka_unit_test(comparison_sees_length_and_every_byte),
    cmocka_unit_test(base64_agrees_with_the_standards_vectors),
    cmocka_unit_test(base64_has_no_second_spelling),
    cmocka_unit_test(sealed_text_opens_only_for_its_own_row),
    cmocka_unit_test(sealing_twice_gives_two_texts),
    cmocka_unit_test(sealed_text_with_any_altered_bit_does_not_open),
    cmocka_unit_test(random_bytes_fill_the_whole_buffer),
};
RUN_TESTS(tests)
