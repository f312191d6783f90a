#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "api/auth/api_auth.h"
#include "api/handlers/api_calls_patch.h"
#include "api/media/api_disposition.h"
#include "api/request/api_prefer.h"
#include "api/request/api_proxies.h"
#include "api/request/api_subject.h"

#define AT INT64_C(1795248062000) /* 2026-11-21T08:01:02Z */

static void a_download_is_named_after_when_and_with_whom(void **state) {
  (void)state;
  static const struct {
    const char *number, *name, *extension, *ascii, *want;
  } rows[] = {
      {"+15551230001", "", "mp3", "2026-11-21_0801_+15551230001.mp3", "2026-11-21_0801_%2B15551230001.mp3"},
      {"+15551230001", "Dana Levi", "mp3", "2026-11-21_0801_+15551230001.mp3",
       "2026-11-21_0801_%2B15551230001_Dana%20Levi.mp3"},
      {"", "", "wav", "2026-11-21_0801.wav", "2026-11-21_0801.wav"},
      {"", "Dana", "wav", "2026-11-21_0801.wav", "2026-11-21_0801_Dana.wav"},
      {"+1", "\xd7\x93\xd7\xa0\xd7\x94", "mp3", "2026-11-21_0801_+1.mp3",
       "2026-11-21_0801_%2B1_%D7%93%D7%A0%D7%94.mp3"},
      {"+1", "a/b\\c:d*e?f\"g<h>i|j", "mp3", "2026-11-21_0801_+1.mp3", "2026-11-21_0801_%2B1_abcdefghij.mp3"},
      {"+1", "x\r\nSet-Cookie: y", "mp3", "2026-11-21_0801_+1.mp3", "2026-11-21_0801_%2B1_xSet-Cookie%20y.mp3"},
      {"+1",
       "\xe2\x80\xae"
       "fdp.exe\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f",
       "mp3", "2026-11-21_0801_+1.mp3", "2026-11-21_0801_%2B1_fdp.exe.mp3"},
      {"+1", "\xc2\x85\x7f\xff\xfe", "mp3", "2026-11-21_0801_+1.mp3", "2026-11-21_0801_%2B1.mp3"},
      {"+1", "  ", "mp3", "2026-11-21_0801_+1.mp3", "2026-11-21_0801_%2B1.mp3"},
      {"sip:a@b;c=d", "100% 'sure'", "mp3", "2026-11-21_0801_sipabcd.mp3",
       "2026-11-21_0801_sipa%40b%3Bc%3Dd_100%25%20%27sure%27.mp3"},
      {"+1", "no extension", "", "2026-11-21_0801_+1", "2026-11-21_0801_%2B1_no%20extension"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b = BUF_INIT(DISPOSITION_MAX);
    struct disposition d = {AT, str_from(rows[i].number), str_from(rows[i].name), str_from(rows[i].extension)};
    const char *text;
    assert_int_equal(disposition_write(&b, &d), OK);
    assert_int_equal(buf_terminate(&b, &text), OK);
    char want[512];
    (void)snprintf(want, sizeof(want), "attachment; filename=\"%s\"; filename*=UTF-8''%s", rows[i].ascii, rows[i].want);
    assert_string_equal(text, want);
    buf_done(&b);
  }
}

/* The name that a browser saves: of filename* if wanted, else of filename. Decoded, 0-terminated. */
static size_t saved_name(const char *text, bool extended, char name[600]) {
  const char *p = strstr(text, extended ? "filename*=UTF-8''" : "filename=\"") + (extended ? 17 : 10);
  size_t n = 0;
  for (; *p && *p != '"' && *p != ';'; n++) {
    unsigned code = (unsigned char)*p;
    bool encoded = *p == '%';
    if (encoded) assert_int_equal(sscanf(p + 1, "%2x", &code), 1);
    name[n] = (char)code;
    p += encoded ? 3 : 1;
  }
  name[n] = '\0';
  return n;
}

static void a_long_name_keeps_its_extension_and_fits_a_file_system(void **state) {
  (void)state;
  static const char *const letters[] = {"x", "\xd7\x93", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
  for (size_t i = 0; i < COUNT_OF(letters); i++)
    for (size_t shift = 0; shift < 5; shift++) {
      char saved[600];
      struct buf name CLEANUP(buf_done) = BUF_INIT(1200), number CLEANUP(buf_done) = BUF_INIT(1200);
      struct buf b CLEANUP(buf_done) = BUF_INIT(DISPOSITION_MAX);
      const char *text;
      for (size_t k = 0; k < shift; k++) assert_int_equal(buf_add_char(&name, 'a'), OK);
      for (size_t k = 0; k < 200; k++) assert_int_equal(buf_add(&name, str_from(letters[i])), OK);
      for (size_t k = 0; shift == 4 && k < 500; k++) assert_int_equal(buf_add_char(&number, '7'), OK);
      struct disposition d = {AT, buf_str(&number), buf_str(&name), STR("mp3")};
      assert_int_equal(disposition_write(&b, &d), OK);
      assert_int_equal(buf_terminate(&b, &text), OK);
      for (int extended = 0; extended < 2; extended++) {
        size_t n = saved_name(text, extended, saved);
        assert_in_range(n, 1, 255);
        assert_true(str_is_utf8(str_of(saved, n)));
        assert_string_equal(saved + n - 4, ".mp3");
      }
    }
}

static void a_bearer_of_a_url_learns_the_day_only(void **state) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(DISPOSITION_MAX);
  const struct disposition d = {AT, STR("+1555"), STR("Dana"), STR("mp3"), STR("RE1")};
  (void)state;
  assert_int_equal(disposition_write(&b, &d), OK);
  assert_true(str_eq(buf_str(&b), STR("attachment; filename=\"2026-11-21_RE1.mp3\"")));
}

static void a_bearer_is_one_word_behind_its_scheme(void **state) {
  (void)state;
  static const struct {
    const char *header, *token;
  } rows[] = {
      {"Bearer cr_abc", "cr_abc"},
      {"bearer cr_abc", "cr_abc"},
      {"BEARER  cr_abc", "cr_abc"},
      {"Bearer", ""},
      {"Bearer ", ""},
      {"Basic cr_abc", ""},
      {"cr_abc", ""},
      {"Bearer a b", ""},
      {"Bearer a\tb", ""},
      {"Bearer a\xc3\xa9", ""},
      {"", ""},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct str token = auth_bearer(str_from(rows[i].header));
    assert_true(str_eq(token, str_from(rows[i].token)));
  }
}

static void preferences_are_read_wherever_they_stand(void **state) {
  (void)state;
  static const struct {
    const char *first, *second;
    bool respond_async;
    int wait_s;
  } rows[] = {
      {"", NULL, false, -1},
      {"wait=5", NULL, false, 5},
      {"Wait = 5", NULL, false, 5},
      {"wait=\"5\"", NULL, false, 5},
      {"wait=100", NULL, false, 54},
      {"wait=0", NULL, false, 0},
      {"wait=-1", NULL, false, -1},
      {"wait=x", NULL, false, -1},
      {"wait=99999999999999999999", NULL, false, -1},
      {"wait", NULL, false, -1},
      {"wait=3, wait=9", NULL, false, 3},
      {"respond-async", NULL, true, -1},
      {"respond-async, wait=7", NULL, true, 7},
      {"handling=lenient; x=y, Respond-Async; z", "wait=2", true, 2},
      {",, ,", ";", false, -1},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct http_header headers[3] = {{STR("Host"), STR("x")}, {STR("prefer"), str_from(rows[i].first)}};
    struct http_request r = {.headers = headers, .header_count = rows[i].second ? 3 : 2};
    if (rows[i].second) headers[2] = (struct http_header){STR("PREFER"), str_from(rows[i].second)};
    struct prefer p = prefer_read(&r);
    assert_int_equal(p.respond_async, rows[i].respond_async);
    assert_int_equal(p.wait_s, rows[i].wait_s);
  }
}

static struct sockaddr_storage address(const char *text) {
  struct sockaddr_storage s;
  memset(&s, 0, sizeof(s));
  struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&s;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&s;
  bool is_v6 = strchr(text, ':');
  s.ss_family = is_v6 ? AF_INET6 : AF_INET;
  assert_int_equal(is_v6 ? inet_pton(AF_INET6, text, &v6->sin6_addr) : inet_pton(AF_INET, text, &v4->sin_addr), 1);
  return s;
}

static void only_the_named_proxies_are_trusted(void **state) {
  (void)state;
  static const struct {
    const char *list, *peer;
    bool trusted;
  } rows[] = {
      {"", "127.0.0.1", false},
      {"127.0.0.1", "127.0.0.1", true},
      {"127.0.0.1", "127.0.0.2", false},
      {"127.0.0.1", "::ffff:127.0.0.1", true},
      {"10.0.0.0/8, 192.168.1.0/25", "10.200.3.4", true},
      {"10.0.0.0/8, 192.168.1.0/25", "192.168.1.127", true},
      {"10.0.0.0/8, 192.168.1.0/25", "192.168.1.128", false},
      {"0.0.0.0/0", "8.8.8.8", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"::1 fd00::/8", "fdff::1", true},
      {"::1 fd00::/8", "fe00::1", false},
      {"::/0", "8.8.8.8", true},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct proxies *p = NULL;
    struct sockaddr_storage peer = address(rows[i].peer);
    assert_int_equal(proxies_new(str_from(rows[i].list), &p), OK);
    assert_int_equal(proxies_trust(p, &peer), rows[i].trusted);
    proxies_free(p);
  }
}

static void a_list_of_proxies_that_cannot_be_read_is_refused(void **state) {
  (void)state;
  static const char *const lists[] = {"example.com", "10.0.0.0/33", "10.0.0.0/", "::1/129",
                                      "10.0.0",      "10.0.0.1/-1", "1.2.3.4,x"};
  for (size_t i = 0; i < COUNT_OF(lists); i++) {
    struct proxies *p = NULL;
    assert_int_not_equal(proxies_new(str_from(lists[i]), &p), OK);
    assert_null(p);
  }
}

/* ---- patches ---- */

static void a_patch_names_what_it_may_not_hold(void **state) {
  (void)state;
  char long_name[256] = "{\"ref\":\"";
  memset(long_name + 8, 'x', 201);
  memcpy(long_name + 209, "\"}", 3);
  const struct {
    const char *body, *field;
  } rows[] = {
      {"", ""},
      {"nothing", ""},
      {"[]", ""},
      {"\"x\"", ""},
      {"{\"ref\":\"a\",\"ref\":\"b\"}", ""},
      {"{\"ref\":1}", "ref"},
      {"{\"ref\":[\"a\"]}", "ref"},
      {long_name, "ref"},
      {"{\"customer_name\":{}}", "customer_name"},
      {"{\"metadata\":\"x\"}", "metadata"},
      {"{\"metadata\":[]}", "metadata"},
      {"{\"status\":\"completed\"}", "status"},
      {"{\"ref\":\"a\",\"call_sid\":null}", "call_sid"},
      {"{\"fourteen bytes\xc3\xa9\":1}", "fourteen bytes"}, /* shown without half a letter */
      {"{\"ref\":\"\\u0000\"}", ""},
      {"{\"ref\":\"\xff\"}", ""},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct call_patch p;
    char field[16] = "?";
    const char *why = NULL;
    assert_int_equal(call_patch_read(str_from(rows[i].body), &p, field, sizeof(field), &why), ERR_INVALID);
    assert_string_equal(field, rows[i].field);
  }
}

static void a_body_that_is_refused_as_a_whole_is_told_why(void **state) {
  (void)state;
  static char deep[3001];
  memset(deep, '[', sizeof(deep) - 1);
  const struct {
    const char *body, *why;
  } rows[] = {
      {"", "The body is not JSON: see byte 0."},
      {"[]", "The body is not a JSON object."},
      {"{\"ref\":\"\\u0000\"}", "The text of ref holds U+0000, which can't be stored."},
      {"{\"metadata\":{\"a\":{\"b\":[1,\"x\\u0000\"]}}}", "The text of b holds U+0000, which can't be stored."},
      {"{\"metadata\":{\"k\\u0000\":1}}", "A member's name holds U+0000, which can't be stored: see byte 22."},
      {"{\"ref\":\"a\",\"ref\":\"b\"}", "A member is there twice: see byte 16."},
      {"{\"ref\":\"a\xff\"}", "The body holds bytes that are not UTF-8: see byte 9."},
      {deep, "The body is nested too deep: see byte 2049."},
      {"{\"metadata\":{\"n\":1.50,\"m\":01}}", "The body is not JSON: see byte 28."},
      {"{\"metadata\":{\"n\":1.50,\"m\":2},}", "The body is not JSON: see byte 30."},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(512);
    const char *text;
    assert_int_equal(call_patch_explain(str_from(rows[i].body), &b), OK);
    assert_int_equal(buf_terminate(&b, &text), OK);
    assert_string_equal(text, rows[i].why);
  }
}

static void tags_are_different_texts_that_can_be_shown(void **state) {
  (void)state;
  static const struct {
    const char *body, *tags, *why;
  } rows[] = {
      {"{\"tags\":[\" vip \",\"\u05d7\u05d5\u05d1\",\"vip\",\"a\\\"b\"]}",
       "[\"vip\",\"\xd7\x97\xd7\x95\xd7\x91\",\"a\\\"b\"]", NULL},
      {"{\"tags\":[]}", "", NULL},
      {"{\"tags\":null}", "", NULL},
      {"{\"tags\":\"vip\"}", NULL, "must be a list of texts or null"},
      {"{\"tags\":[1]}", NULL, "must be a list of texts or null"},
      {"{\"tags\":[\" \"]}", NULL, "has a text that is empty or holds control characters"},
      {"{\"tags\":[\"a\\nb\"]}", NULL, "has a text that is empty or holds control characters"},
      {"{\"tags\":[\"0123456789012345678901234567890123456789x\"]}", NULL, "has a text of more than 40 characters"},
      {"{\"tags\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]}", NULL, "has more than 20 texts"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct call_patch p;
    char field[16] = "";
    const char *why = NULL;
    enum err e = call_patch_read(str_from(rows[i].body), &p, field, sizeof(field), &why);
    assert_int_equal(e, rows[i].why ? ERR_INVALID : OK);
    if (rows[i].why) {
      assert_string_equal(field, "tags");
      assert_string_equal(why, rows[i].why);
      continue;
    }
    assert_true(p.has_tags);
    assert_string_equal(p.tags, rows[i].tags);
    call_patch_done(&p);
  }
}

static void a_patch_says_what_to_set_and_what_to_clear(void **state) {
  (void)state;
  struct call_patch p;
  char field[16];
  const char *why;
  assert_int_equal(call_patch_read(STR("{\"ref\":null,\"customer_name\":\"Dana\"}"), &p, field, sizeof(field), &why),
                   OK);
  assert_true(p.has_ref && p.ref.n == 0);
  assert_true(p.has_customer_name && str_eq(p.customer_name, STR("Dana")));
  assert_false(p.has_metadata);
  call_patch_done(&p);
  assert_int_equal(call_patch_read(STR(" {\"metadata\":null} "), &p, field, sizeof(field), &why), OK);
  assert_true(p.has_metadata && !p.metadata && !p.has_ref && !p.has_customer_name);
  call_patch_done(&p);
}

static void metadata_is_merged(void **state) {
  (void)state;
  static const struct {
    const char *before, *patch, *after;
  } rows[] = {
      {"", "{\"a\":1}", "{\"a\":1}"},
      {"", "{}", "{}"},
      {"", "{\"a\":null}", "{}"},
      {"{\"a\":1,\"b\":2}", "{\"a\":null,\"c\":[1,null]}", "{\"b\":2,\"c\":[1,null]}"},
      {"{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":null,\"d\":{\"e\":null}}}", "{\"a\":{\"c\":2,\"d\":{}}}"},
      {"{\"a\":[1]}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"},
      {"{\"a\":{\"b\":1}}", "{\"a\":\"x\"}", "{\"a\":\"x\"}"},
      {"{\"a\":1.10,\"b\":1e5}", "{\"c\":12345678901234567890,\"d\":[1e999,-0.50]}",
       "{\"a\":1.10,\"b\":1e5,\"c\":12345678901234567890,\"d\":[1e999,-0.50]}"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf body = BUF_INIT(1024), after = BUF_INIT(CALL_METADATA_SIZE - 1);
    struct call_patch p;
    char field[16];
    const char *why;
    assert_int_equal(buf_addf(&body, "{\"metadata\":%s}", rows[i].patch), OK);
    assert_int_equal(call_patch_read(buf_str(&body), &p, field, sizeof(field), &why), OK);
    assert_int_equal(call_patch_merge(&p, rows[i].before, &after), OK);
    assert_true(str_eq(buf_str(&after), str_from(rows[i].after)));
    call_patch_done(&p);
    buf_done(&body);
    buf_done(&after);
  }
}

static void metadata_has_a_ceiling(void **state) {
  (void)state;
  struct buf body = BUF_INIT(8192), after = BUF_INIT(CALL_METADATA_SIZE - 1);
  struct call_patch p;
  char field[16];
  const char *why;
  assert_int_equal(buf_add(&body, STR("{\"metadata\":{\"a\":\"")), OK);
  for (int i = 0; i < CALL_METADATA_SIZE; i++) assert_int_equal(buf_add_char(&body, 'x'), OK);
  assert_int_equal(buf_add(&body, STR("\"}}")), OK);
  assert_int_equal(call_patch_read(buf_str(&body), &p, field, sizeof(field), &why), OK);
  assert_int_equal(call_patch_merge(&p, "", &after), ERR_TOO_BIG);
  call_patch_done(&p);
  buf_done(&body);
  buf_done(&after);
}

static void what_could_be_a_person_is_no_plain_id(void **state) {
  static const struct {
    const char *name;
    bool plain;
  } rows[] = {
      {"", true},
      {"dana", true},
      {"u-42", true},
      {"agent_7.b", true},
      {"123456", true},
      {"auth0|5f7c8ec7c33c6c0412345678", true},
      {"6ba7b810-9dad-11d1-8044-550412345678", true},
      {"4e1243bd22c66e76c2ba9eddc1f91394e57f9f83", true},
      {"google-oauth2|103547991597142817347", true},
      {"01ARZ3NDEKTSV4RRFFQ69G5FAV", true},
      {"team:12|agent:345", true},
      {"dana@example.com", false},
      {"Dana Levi", false},
      {"\xd7\x93\xd7\xa0\xd7\x94", false},
      {"+15005550100", false},
      {"15005550100", false},
      {"tel:15005550100", false},
      {"user15005550100x", false},
      {"1-500-555-0100", false},
      {"500.555.0100", false},
      {"5550100", false},
      {"abcdef-15005550100", false},
      {"12345678901234567890-15005550100", false},
      {"a\tb", false},
      {"~1", false},
  };
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++)
    if (subject_is_plain_id(str_from(rows[i].name)) != rows[i].plain) fail_msg("%s", rows[i].name);
}

static void a_subject_that_could_be_a_person_is_veiled_in_the_log(void **state) {
  struct hmac_key ours, others;
  struct subject dana = {.kind = SUBJECT_USER, .name = "dana@example.com"};
  struct subject id = {.kind = SUBJECT_USER, .name = "u-42"}, noam = {.kind = SUBJECT_USER, .name = "+15005550100"};
  struct subject cookie = {.kind = SUBJECT_USER, .name = "dana@example.com", .session = "a session"};
  char text[SUBJECT_TEXT_SIZE], again[SUBJECT_TEXT_SIZE];
  (void)state;
  hmac_key_set(&ours, STR("the key of an installation"));
  hmac_key_set(&others, STR("the key of another one"));
  subject_text(&id, &ours, text);
  assert_string_equal(text, "user:u-42");
  subject_text(&dana, &ours, text);
  assert_int_equal(strlen(text), strlen("user:~") + 12);
  assert_true(str_starts(str_from(text), STR("user:~")));
  subject_text(&cookie, &ours, again);
  assert_string_equal(again, text); /* the same user, however signed in */
  subject_text(&noam, &ours, again);
  assert_string_not_equal(again, text);
  subject_text(&dana, &others, again);
  assert_string_not_equal(again, text); /* nobody finds it by trying all numbers */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_download_is_named_after_when_and_with_whom),
      cmocka_unit_test(a_long_name_keeps_its_extension_and_fits_a_file_system),
      cmocka_unit_test(a_bearer_of_a_url_learns_the_day_only),
      cmocka_unit_test(a_bearer_is_one_word_behind_its_scheme),
      cmocka_unit_test(preferences_are_read_wherever_they_stand),
      cmocka_unit_test(only_the_named_proxies_are_trusted),
      cmocka_unit_test(a_list_of_proxies_that_cannot_be_read_is_refused),
      cmocka_unit_test(a_patch_names_what_it_may_not_hold),
      cmocka_unit_test(a_body_that_is_refused_as_a_whole_is_told_why),
      cmocka_unit_test(a_patch_says_what_to_set_and_what_to_clear),
      cmocka_unit_test(tags_are_different_texts_that_can_be_shown),
      cmocka_unit_test(metadata_is_merged),
      cmocka_unit_test(metadata_has_a_ceiling),
      cmocka_unit_test(what_could_be_a_person_is_no_plain_id),
      cmocka_unit_test(a_subject_that_could_be_a_person_is_veiled_in_the_log),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
