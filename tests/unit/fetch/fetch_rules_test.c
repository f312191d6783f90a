/* The pure rules of fetch: which redirects are followed, which transfers are too slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fetch/fetch_pace.h"
#include "fetch/fetch_redirect.h"

static struct fetch_hop hop_of(const char *url, enum fetch_method method) {
  return (struct fetch_hop){.url = str_dup(str_from(url)),
                            .method = method,
                            .hops_left = 3,
                            .own_origin = true,
                            .http_allowed = strncmp(url, "http:", 5) == 0};
}

static void a_location_leads_to_a_url(void **state) {
  (void)state;
  const struct {
    const char *from, *location, *to; /* to: NULL where it may not lead */
    bool own_origin, http_allowed;
  } cases[] = {
      {"https://a/x/y?q", "/z", "https://a/z", true, false},
      {"https://a/x/y?q", "z?k=1", "https://a/x/z?k=1", true, false},
      {"https://a/x/y", "../w", "https://a/w", true, false},
      {"https://a/x", "?n=2", "https://a/x?n=2", true, false},
      {"https://a/x", "//b/z", "https://b/z", false, false},
      {"https://a/x", "https://a:443/z", "https://a:443/z", true, false},
      {"https://a/x", "https://a:8443/z", "https://a:8443/z", false, false},
      {"https://a/x", "https://A/z", "https://A/z", true, false},
      {"https://a/x", "https://b/z?X-Sig=a%2Fb", "https://b/z?X-Sig=a%2Fb", false, false},
      {"http://a/x", "https://a/z", "https://a/z", false, false},
      {"http://a/x", "http://b/z", "http://b/z", false, true},
      {"http://a/x", "/z", "http://a/z", true, true},
      {"https://a/x", "http://a/z", NULL, false, false},
      {"https://a/x", "https://u:p@a/z", NULL, false, false},
      {"https://a/x", "https://u@a/z", NULL, false, false},
      {"https://a/x", "ftp://a/z", NULL, false, false},
      {"https://a/x", "file:///etc/passwd", NULL, false, false},
      {"https://a/x", "gopher://a/z", NULL, false, false},
      {"https://a/x", "javascript:alert(1)", NULL, false, false},
      {"https://a/x", "https://", NULL, false, false},
      {"https://a/x", "https://b\\@c/", NULL, false, false},
      {"https://a/x", "https://b:99999/", NULL, false, false},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct fetch_hop hop = hop_of(cases[i].from, FETCH_GET), next;
    enum fetch_direction direction = fetch_redirect(&hop, 302, cases[i].location, &next);
    assert_int_equal(direction, cases[i].to ? FETCH_GO : FETCH_BAD_PLACE);
    if (cases[i].to) {
      assert_string_equal(next.url, cases[i].to);
      assert_int_equal(next.own_origin, cases[i].own_origin);
      assert_int_equal(next.http_allowed, cases[i].http_allowed);
      assert_int_equal(next.hops_left, 2);
      fetch_hop_done(&next);
    }
    fetch_hop_done(&hop);
  }
}

static void credentials_are_not_sent_again_after_another_origin(void **state) {
  (void)state;
  struct fetch_hop first = hop_of("https://a/", FETCH_GET), second, third;
  assert_int_equal(fetch_redirect(&first, 302, "https://b/", &second), FETCH_GO);
  assert_int_equal(fetch_redirect(&second, 302, "https://a/", &third), FETCH_GO);
  assert_false(third.own_origin);
  fetch_hop_done(&first);
  fetch_hop_done(&second);
  fetch_hop_done(&third);
}

static void http_is_refused_after_https(void **state) {
  (void)state;
  struct fetch_hop first = hop_of("http://a/", FETCH_GET), second, third;
  assert_int_equal(fetch_redirect(&first, 302, "https://a/", &second), FETCH_GO);
  assert_int_equal(fetch_redirect(&second, 302, "http://a/", &third), FETCH_BAD_PLACE);
  fetch_hop_done(&first);
  fetch_hop_done(&second);
}

static void the_method_follows_the_status(void **state) {
  (void)state;
  const struct {
    enum fetch_method method;
    int status;
    enum fetch_method after;
  } cases[] = {
      {FETCH_GET, 301, FETCH_GET},    {FETCH_GET, 307, FETCH_GET},       {FETCH_POST, 301, FETCH_GET},
      {FETCH_POST, 302, FETCH_GET},   {FETCH_POST, 303, FETCH_GET},      {FETCH_POST, 307, FETCH_POST},
      {FETCH_PUT, 302, FETCH_PUT},    {FETCH_PUT, 303, FETCH_GET},       {FETCH_POST, 308, FETCH_POST},
      {FETCH_DELETE, 303, FETCH_GET}, {FETCH_DELETE, 302, FETCH_DELETE}, {FETCH_DELETE, 308, FETCH_DELETE},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct fetch_hop hop = hop_of("https://a/", cases[i].method), next;
    assert_int_equal(fetch_redirect(&hop, cases[i].status, "/b", &next), FETCH_GO);
    assert_int_equal(next.method, cases[i].after);
    fetch_hop_done(&hop);
    fetch_hop_done(&next);
  }
}

static void a_body_is_sent_to_its_own_origin_only(void **state) {
  (void)state;
  struct fetch_hop hop = hop_of("https://a/", FETCH_POST), next;
  assert_int_equal(fetch_redirect(&hop, 307, "https://b/", &next), FETCH_BAD_PLACE);
  assert_int_equal(fetch_redirect(&hop, 303, "https://b/", &next), FETCH_GO);
  fetch_hop_done(&next);
  fetch_hop_done(&hop);
}

static void other_replies_are_not_redirects(void **state) {
  (void)state;
  struct fetch_hop hop = hop_of("https://a/", FETCH_GET), next;
  const int statuses[] = {200, 206, 300, 304, 305, 306, 309, 400, 401, 503};
  for (size_t i = 0; i < COUNT_OF(statuses); i++) {
    assert_int_equal(fetch_redirect(&hop, statuses[i], "/b", &next), FETCH_STAY);
  }
  assert_int_equal(fetch_redirect(&hop, 302, NULL, &next), FETCH_STAY);
  hop.hops_left = 0;
  assert_int_equal(fetch_redirect(&hop, 302, "/b", &next), FETCH_TOO_FAR);
  char *longest = malloc(20000);
  assert_non_null(longest);
  memset(longest, 'a', 19999);
  longest[19999] = '\0';
  hop.hops_left = 1;
  assert_int_equal(fetch_redirect(&hop, 302, longest, &next), FETCH_BAD_PLACE);
  free(longest);
  fetch_hop_done(&hop);
}

static void a_steady_trickle_is_slow_after_one_window(void **state) {
  (void)state;
  struct fetch_pace pace;
  fetch_pace_init(&pace, 500, 60000, 1000);
  int64_t slow_at = -1;
  for (int64_t t = 1000; t < 200000 && slow_at < 0; t += 100) {
    fetch_pace_add(&pace, 49, t); /* 490 bytes a second */
    if (fetch_pace_is_slow(&pace, t)) slow_at = t - 1000;
  }
  assert_int_equal(slow_at, 60000);
}

static void enough_bytes_are_never_slow(void **state) {
  (void)state;
  struct fetch_pace pace;
  fetch_pace_init(&pace, 500, 60000, 0);
  for (int64_t t = 0; t < 600000; t += 100) {
    fetch_pace_add(&pace, 51, t);
    assert_false(fetch_pace_is_slow(&pace, t));
  }
}

static void a_burst_counts_for_one_window_only(void **state) {
  (void)state;
  struct fetch_pace pace;
  fetch_pace_init(&pace, 500, 60000, 0);
  fetch_pace_add(&pace, 1000000, 10);
  int64_t slow_at = -1;
  for (int64_t t = 20; t < 200000 && slow_at < 0; t += 10) {
    if (fetch_pace_is_slow(&pace, t)) slow_at = t;
  }
  assert_in_range(slow_at, 60000, 70000);
}

static void a_jump_of_the_clock_empties_the_window(void **state) {
  (void)state;
  struct fetch_pace pace;
  fetch_pace_init(&pace, 500, 60000, 0);
  fetch_pace_add(&pace, 1000000, 10);
  assert_true(fetch_pace_is_slow(&pace, INT64_C(1) << 50));
  assert_true(fetch_pace_next_ms(&pace) > INT64_C(1) << 50);
}

static void without_a_limit_nothing_is_slow(void **state) {
  (void)state;
  struct fetch_pace pace;
  fetch_pace_init(&pace, 0, 60000, 0);
  assert_false(fetch_pace_is_slow(&pace, INT64_MAX));
  assert_int_equal(fetch_pace_next_ms(&pace), INT64_MAX);
  fetch_pace_init(&pace, 500, 0, 0);
  assert_false(fetch_pace_is_slow(&pace, INT64_MAX));
  fetch_pace_init(&pace, INT64_MAX, INT64_MAX / 4, 0);
  assert_false(fetch_pace_is_slow(&pace, 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_location_leads_to_a_url),
      cmocka_unit_test(credentials_are_not_sent_again_after_another_origin),
      cmocka_unit_test(http_is_refused_after_https),
      cmocka_unit_test(the_method_follows_the_status),
      cmocka_unit_test(a_body_is_sent_to_its_own_origin_only),
      cmocka_unit_test(other_replies_are_not_redirects),
      cmocka_unit_test(a_steady_trickle_is_slow_after_one_window),
      cmocka_unit_test(enough_bytes_are_never_slow),
      cmocka_unit_test(a_burst_counts_for_one_window_only),
      cmocka_unit_test(a_jump_of_the_clock_empties_the_window),
      cmocka_unit_test(without_a_limit_nothing_is_slow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
