#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "fetch/fetch.h"

static void assert_view(struct str view, const char *text) {
  assert_int_equal(view.n, strlen(text));
  if (view.n > 0) assert_memory_equal(view.p, text, view.n);
}

static void a_url_is_parsed(void **state) {
  (void)state;
  const struct {
    const char *url, *scheme, *host;
    int port;
    const char *path, *query, *fragment;
    bool has_port, has_query, has_fragment;
  } cases[] = {
      {"https://api.twilio.com/a/b?x=1&y=2#z", "https", "api.twilio.com", 443, "/a/b", "x=1&y=2", "z", 0, 1, 1},
      {"http://h", "http", "h", 80, "", "", "", 0, 0, 0},
      {"HTTP://H:8080/", "HTTP", "H", 8080, "/", "", "", 1, 0, 0},
      {"http://h?q", "http", "h", 80, "", "q", "", 0, 1, 0},
      {"http://h#f?no", "http", "h", 80, "", "", "f?no", 0, 0, 1},
      {"http://h/?", "http", "h", 80, "/", "", "", 0, 1, 0},
      {"http://h/#", "http", "h", 80, "/", "", "", 0, 0, 1},
      {"https://[::1]:9/p", "https", "[::1]", 9, "/p", "", "", 1, 0, 0},
      {"https://127.0.0.1/a@b:c", "https", "127.0.0.1", 443, "/a@b:c", "", "", 0, 0, 0},
      {"http://a_b-c.example:65535", "http", "a_b-c.example", 65535, "", "", "", 1, 0, 0},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct fetch_url u;
    assert_int_equal(fetch_url_parse(str_from(cases[i].url), &u), OK);
    assert_view(u.scheme, cases[i].scheme);
    assert_view(u.host, cases[i].host);
    assert_int_equal(u.port, cases[i].port);
    assert_view(u.path, cases[i].path);
    assert_view(u.query, cases[i].query);
    assert_view(u.fragment, cases[i].fragment);
    assert_int_equal(u.has_port, cases[i].has_port);
    assert_int_equal(u.has_query, cases[i].has_query);
    assert_int_equal(u.has_fragment, cases[i].has_fragment);
    assert_false(u.has_userinfo);
  }
}

static void user_information_is_found(void **state) {
  (void)state;
  const char *urls[] = {"https://u:p@h/", "https://@h/", "https://u@h:1/x"};
  const char *infos[] = {"u:p", "", "u"};
  for (size_t i = 0; i < COUNT_OF(urls); i++) {
    struct fetch_url u;
    assert_int_equal(fetch_url_parse(str_from(urls[i]), &u), OK);
    assert_true(u.has_userinfo);
    assert_view(u.userinfo, infos[i]);
    assert_view(u.host, "h");
  }
}

static void malformed_urls_are_refused(void **state) {
  (void)state;
  const char *urls[] = {
      "",
      "h",
      "//h/",
      "/p",
      "ftp://h/",
      "file:///etc/passwd",
      "httpx://h",
      "http:/h",
      "http:h",
      "http://",
      "http:///p",
      "http://:80/",
      "http://h:/",
      "http://h:0/",
      "http://h:65536/",
      "http://h:1a/",
      "http://h:-1/",
      "http://h:+1/",
      "http://h:99999999999999999999/",
      "http://a b/",
      "http://h/a b",
      "http://h/\t",
      "http://h/\r\nX: y",
      "http://h/\x7f",
      "http://h/\xc3\xa9",
      "http://h\\@evil/",
      "http://h/a\\b",
      "http://a@b@c/",
      "http://[::1",
      "http://[::1]x/",
      "http://[fe80::1%25eth0]/",
      "http://[::g]/",
      "http://[]/",
      "http://[127.0.0.1]/",
      "http://h%2e/",
      "http://a,b/",
      "http://*/",
      " http://h/",
      "http://h/ ",
  };
  struct fetch_url u;
  for (size_t i = 0; i < COUNT_OF(urls); i++) {
    assert_int_equal(fetch_url_parse(str_from(urls[i]), &u), ERR_INVALID);
  }
  assert_int_equal(fetch_url_parse(str_of("http://h/\0x", 11), &u), ERR_INVALID);
  static char longest[17 * 1024];
  memset(longest, 'a', sizeof(longest));
  memcpy(longest, "http://h/", 9);
  assert_int_equal(fetch_url_parse(str_of(longest, sizeof(longest)), &u), ERR_INVALID);
  assert_int_equal(fetch_url_parse(str_of(longest, 16 * 1024), &u), OK);
}

static void an_origin_is_a_scheme_a_host_and_a_port(void **state) {
  (void)state;
  const struct {
    const char *a, *b;
    bool same;
  } cases[] = {
      {"https://h/a", "https://h/b?c", true},  {"https://h/", "HTTPS://H:443/", true},
      {"http://h:80/", "http://h/", true},     {"https://h/", "http://h/", false},
      {"https://h/", "https://h:444/", false}, {"https://h/", "https://h.example/", false},
      {"http://h:443/", "https://h/", false},  {"https://h/", "https://h./", false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct fetch_url a, b;
    assert_int_equal(fetch_url_parse(str_from(cases[i].a), &a), OK);
    assert_int_equal(fetch_url_parse(str_from(cases[i].b), &b), OK);
    assert_int_equal(fetch_url_same_origin(&a, &b), cases[i].same);
  }
}

static bool is_special(const char *text) {
  struct sockaddr_in in = {.sin_family = AF_INET};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
  if (inet_pton(AF_INET, text, &in.sin_addr) == 1) return fetch_address_is_special((struct sockaddr *)&in);
  assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
  return fetch_address_is_special((struct sockaddr *)&in6);
}

static const char *const special[] = {
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "3fff::1",
    "3fff:fff::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::192.168.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2002:c0a8:1::1",
    "2001:0:808:808::f5ff:fffe",
    "2001:0:7f00:1::f7f7:f7f7",
    "2001:2::1",
    "2001:10::1",
    "5f00::1",
    "4000::1",
};

static const char *const public[] = {
    "1.1.1.1",          "8.8.8.8",         "9.255.255.255",
    "11.0.0.0",         "100.63.255.255",  "100.128.0.0",
    "126.255.255.255",  "128.0.0.1",       "169.253.255.255",
    "169.255.0.0",      "172.15.255.255",  "172.32.0.0",
    "192.0.1.1",        "192.167.255.255", "192.169.0.0",
    "198.17.255.255",   "198.20.0.0",      "223.255.255.255",
    "2606:4700::1111",  "2a00:1450::1",    "2001:4860:4860::8888",
    "2001:200::1",      "::ffff:8.8.8.8",  "::8.8.8.8",
    "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:0:808:808::f7f7:f7f7",
    "3ffe::1",          "2003::1",
};

static void special_addresses_are_told_from_public_ones(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(special); i++) {
    if (!is_special(special[i])) fail_msg("%s is special", special[i]);
  }
  for (size_t i = 0; i < COUNT_OF(public); i++) {
    if (is_special(public[i])) fail_msg("%s is public", public[i]);
  }
  struct sockaddr other = {.sa_family = AF_UNIX};
  assert_true(fetch_address_is_special(&other));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_url_is_parsed),
      cmocka_unit_test(user_information_is_found),
      cmocka_unit_test(malformed_urls_are_refused),
      cmocka_unit_test(an_origin_is_a_scheme_a_host_and_a_port),
      cmocka_unit_test(special_addresses_are_told_from_public_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
