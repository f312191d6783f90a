#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "api/media/api_hits.h"
#include "api/auth/api_session_cache.h"

struct stage {
  struct session_cache *t;
  struct cache_versions *versions;
};

static int setup(void **state) {
  struct stage *s = calloc(1, sizeof(*s));
  if (!s || session_cache_new(&s->t) != OK || cache_versions_new(&s->versions) != OK) return -1;
  *state = s;
  return 0;
}

static int teardown(void **state) {
  struct stage *s = *state;
  session_cache_free(s->t);
  cache_versions_free(s->versions);
  free(s);
  return 0;
}

/* The digest of a token that there is one of for each number, and how a change names it. */
static void digest_of(int number, uint8_t ret_digest[SHA256_SIZE], char ret_text[SESSION_DIGEST_TEXT_SIZE]) {
  char token[SESSION_TOKEN_SIZE];
  memset(token, 'A', sizeof(token));
  memcpy(token, &number, sizeof(number));
  session_token_digest(str_of(token, sizeof(token) - 1), ret_digest);
  session_digest(str_of(token, sizeof(token) - 1), ret_text);
}

static bool is_known(struct stage *s, int number) {
  uint8_t digest[SHA256_SIZE];
  char text[SESSION_DIGEST_TEXT_SIZE];
  struct session found;
  uint64_t version;
  digest_of(number, digest, text);
  if (!session_cache_find(s->t, s->versions, digest, &found, &version)) return false;
  assert_int_equal(found.business_id, number + 1);
  return true;
}

static void put(struct stage *s, int number) {
  uint8_t digest[SHA256_SIZE];
  char text[SESSION_DIGEST_TEXT_SIZE];
  const struct session session = {.business_id = number + 1, .key_id = number + 1, .role = "viewer", .expires_at = 1};
  digest_of(number, digest, text);
  session_cache_put(s->t, digest, session_version(s->versions, digest, number + 1, number + 1), &session);
}

static void a_session_is_known_while_nothing_changed(void **state) {
  struct stage *s = *state;
  assert_false(is_known(s, 1));
  put(s, 1);
  put(s, 2);
  put(s, 2);
  assert_true(is_known(s, 1));
  assert_true(is_known(s, 2));
  assert_false(is_known(s, 3));
}

static void a_change_voids_what_it_names(void **state) {
  struct stage *s = *state;
  uint8_t digest[SHA256_SIZE];
  char own[SESSION_DIGEST_TEXT_SIZE], others[SESSION_DIGEST_TEXT_SIZE];
  digest_of(2, digest, others);
  digest_of(1, digest, own);
  const struct {
    int64_t business;
    struct str named;
    bool stays;
  } rows[] = {
      {2, str_from(others), true},
      {2, str_from(own), false},
      {2, STR_NONE, false},
      {3, STR_NONE, true}, /* all sessions of another business */
      {2, STR("no digest"), false},
      {2, str_head(str_from(others), 63), false},
      {2, STR("xyz45678901234567890123456789012345678901234567890123456789abcde"), false},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    put(s, 1);
    session_changed(s->versions, rows[i].business, rows[i].named);
    assert_int_equal(is_known(s, 1), rows[i].stays);
  }
}

static void a_key_that_changes_voids_the_sessions_it_opened(void **state) {
  struct stage *s = *state;
  put(s, 1);
  cache_changed(s->versions, CACHE_KEY_SESSIONS, 3, STR_NONE);
  assert_true(is_known(s, 1));
  cache_changed(s->versions, CACHE_KEY_SESSIONS, 2, STR_NONE);
  assert_false(is_known(s, 1));
}

static void what_was_looked_for_before_a_change_is_not_known_after_it(void **state) {
  struct stage *s = *state;
  uint8_t digest[SHA256_SIZE];
  char text[SESSION_DIGEST_TEXT_SIZE];
  const struct session session = {.business_id = 2, .role = "viewer"};
  digest_of(1, digest, text);
  uint64_t before = session_version(s->versions, digest, 0, 2);
  session_changed(s->versions, 2, str_from(text));
  session_cache_put(s->t, digest, before, &session);
  assert_false(is_known(s, 1));
}

static void a_full_table_keeps_what_came_last(void **state) {
  struct stage *s = *state;
  int known = 0;
  for (int i = 0; i < 20000; i++) put(s, i);
  for (int i = 0; i < 20000; i++) known += is_known(s, i);
  assert_true(is_known(s, 19999));
  assert_true(known > 1000 && known <= 2048);
}

/* ---- hits ---- */

static void playbacks_are_counted_by_business(void **state) {
  struct hits *h;
  int64_t hits, all;
  (void)state;
  assert_int_equal(hits_new(&h), OK);
  hits_of(h, 1, &hits, &all);
  assert_int_equal(all, 0);
  hits_count(h, 1, true);
  hits_count(h, 1, false);
  hits_count(h, 2, true);
  hits_of(h, 1, &hits, &all);
  assert_int_equal(hits, 1);
  assert_int_equal(all, 2);
  hits_of(h, 2, &hits, &all);
  assert_int_equal(hits, 1);
  assert_int_equal(all, 1);
  hits_free(h);
}

static void the_business_counted_least_lately_is_forgotten(void **state) {
  struct hits *h;
  int64_t hits, all;
  (void)state;
  assert_int_equal(hits_new(&h), OK);
  for (int64_t id = 1; id <= HITS_BUSINESSES_MAX; id++) hits_count(h, id, true);
  hits_count(h, 1, false);
  hits_count(h, HITS_BUSINESSES_MAX + 1, true); /* in the set of number 1, which has come again */
  hits_of(h, 1, &hits, &all);
  assert_int_equal(all, 2);
  hits_of(h, HITS_BUSINESSES_MAX + 1, &hits, &all);
  assert_int_equal(all, 1);
  hits_of(h, 2, &hits, &all);
  assert_int_equal(all, 1);
  hits_free(h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_session_is_known_while_nothing_changed, setup, teardown),
      cmocka_unit_test_setup_teardown(a_change_voids_what_it_names, setup, teardown),
      cmocka_unit_test_setup_teardown(a_key_that_changes_voids_the_sessions_it_opened, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_looked_for_before_a_change_is_not_known_after_it, setup, teardown),
      cmocka_unit_test_setup_teardown(a_full_table_keeps_what_came_last, setup, teardown),
      cmocka_unit_test(playbacks_are_counted_by_business),
      cmocka_unit_test(the_business_counted_least_lately_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
