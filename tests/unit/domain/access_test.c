#include "../sizes.h"
#include "domain_scratch.h"

#include "base/metric.h"
#include "domain/access.h"
#include "ledger/businesses.h"
#include "ledger/keys.h"

static struct access_snapshot *load(struct db *db) {
  struct access_snapshot *s;
  assert_int_equal(access_load(db, scratch_seal_key, STR("https://api.example"), NULL, &s), OK);
  return s;
}

static void only_live_keys_of_live_businesses_are_found(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t one = scratch_business(db, "one"), two = scratch_business(db, "two"), id[4];
  char text[4][KEY_TEXT_SIZE];
  assert_int_equal(keys_create(db, one, STR("viewer"), STR(""), text[0], &id[0]), OK);
  assert_int_equal(keys_create(db, one, STR("agent"), STR(""), text[1], &id[1]), OK);
  assert_int_equal(keys_create(db, two, STR("admin"), STR(""), text[2], &id[2]), OK);
  assert_int_equal(keys_create(db, 0, STR("platform"), STR(""), text[3], &id[3]), OK);
  struct access_snapshot *before = load(db);
  assert_int_equal(keys_revoke(db, id[1]), OK);
  assert_int_equal(businesses_remove(db, two), OK);
  struct access_snapshot *after = load(db);
  static const enum access_role roles[] = {ACCESS_VIEWER, ACCESS_AGENT, ACCESS_ADMIN, ACCESS_PLATFORM};
  const int64_t businesses[] = {one, one, two, 0};
  for (int i = 0; i < 4; i++) {
    const struct access_key *key = access_find_key(before, str_from(text[i]));
    assert_non_null(key);
    assert_true(key->key_id == id[i] && key->role == roles[i] && key->business_id == businesses[i]);
    assert_int_equal(!!access_find_key(after, str_from(text[i])), i == 0 || i == 3);
  }
  assert_int_equal(access_business_count(before), 2);
  assert_int_equal(access_business_count(after), 1);
  assert_null(access_find_business(after, two));
  assert_int_equal(access_find_business(before, two)->business_id, two); /* a held snapshot keeps it */
  access_unref(before);
  access_unref(after);
  db_close(db);
}

static void a_text_that_is_not_a_key_is_not_found(void **state) {
  struct db *db = scratch_ledger(*state);
  struct access_snapshot *empty = load(db);
  int64_t one = scratch_business(db, "one"), id;
  char text[KEY_TEXT_SIZE];
  assert_null(access_find_key(empty, STR("cr_x")));
  assert_null(access_find_business(empty, one));
  assert_int_equal(keys_create(db, one, STR("viewer"), STR(""), text, &id), OK);
  struct access_snapshot *s = load(db);
  struct str whole = str_from(text);
  assert_non_null(access_find_key(s, whole));
  assert_null(access_find_key(s, STR_NONE));
  assert_null(access_find_key(s, str_head(whole, whole.n - 1)));
  assert_null(access_find_key(s, str_skip(whole, 1)));
  for (size_t i = 0; i < whole.n; i++) {
    char other[KEY_TEXT_SIZE];
    memcpy(other, text, sizeof(other));
    other[i] = (char)(other[i] ^ 1);
    assert_null(access_find_key(s, str_from(other)));
  }
  access_unref(empty);
  access_unref(s);
  db_close(db);
}

static void a_business_has_its_decrypted_secrets_and_a_base_url(void **state) {
  struct db *db = scratch_ledger(*state);
  struct str name = STR("one"), account = STR("AC1"), key = STR("SK1"), secret = STR("s3cret"),
             base = STR("https://own.example/");
  struct str tokens[2] = {STR("token-a"), STR("token-b")}, numbers[2] = {STR("+15550101"), STR("+15550100")};
  struct business_edit edit = {.name = &name,
                               .account_sid = &account,
                               .tokens = tokens,
                               .api_key = &key,
                               .api_secret = &secret,
                               .base_url = &base,
                               .numbers = numbers,
                               .number_count = 2,
                               .set_numbers = true};
  int64_t id;
  assert_int_equal(businesses_add(db, scratch_seal_key, 7, &edit, &id), OK);
  int64_t plain = scratch_business(db, "plain");
  struct access_snapshot *s = load(db);
  const struct access_business *b = access_find_business(s, 7);
  assert_true(str_eq(b->tokens[0], tokens[0]) && str_eq(b->tokens[1], tokens[1]));
  assert_true(str_eq(b->api_key, key) && str_eq(b->api_secret, secret) && str_eq(b->account_sid, account));
  assert_true(str_eq(b->base_url, STR("https://own.example")));
  assert_int_equal(b->number_count, 2);
  assert_true(str_eq(b->numbers[0], STR("+15550100")));
  assert_true(str_eq(access_find_business(s, plain)->base_url, STR("https://api.example")));
  assert_int_equal(access_find_business(s, plain)->tokens[0].n, 0);
  access_unref(s);
  static const uint8_t other_key[32] = "another key";
  struct access_snapshot *none = NULL;
  assert_int_equal(access_load(db, other_key, STR("https://api.example"), NULL, &none), ERR_CORRUPT);
  assert_null(none);
  assert_false(db_in_transaction(db));
  db_close(db);
}

static void many_businesses_and_keys_are_all_found(void **state) {
  enum { MANY = 300 };
  struct db *db = scratch_ledger(*state);
  static char text[MANY][KEY_TEXT_SIZE];
  int64_t id;
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(keys_create(db, scratch_business(db, "b"), STR("viewer"), STR(""), text[i], &id), OK);
  assert_int_equal(db_commit(db), OK);
  struct access_snapshot *s = load(db);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(access_find_key(s, str_from(text[i]))->business_id, i + 1);
    assert_int_equal(access_find_business(s, i + 1)->business_id, i + 1);
  }
  access_unref(access_ref(s));
  access_unref(s);
  db_close(db);
}

/* ---- updates ---- */

static struct access_snapshot *update(struct db *db, const struct access_snapshot *before,
                                      struct access_change change) {
  struct access_snapshot *s;
  assert_int_equal(access_update(db, scratch_seal_key, before, &change, 1, &s), OK);
  return s;
}

static void an_update_reads_only_changed_rows(void **state) {
  enum { MANY = TEST_SIZE(5000, 500), KEYS_EACH = 4 };
  struct db *db = scratch_ledger(*state);
  char text[KEY_TEXT_SIZE], made[KEY_TEXT_SIZE];
  int64_t first_id, made_id, id;
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < MANY; i++) {
    int64_t business = scratch_business(db, "b");
    for (int k = 0; k < KEYS_EACH; k++)
      assert_int_equal(keys_create(db, business, STR("viewer"), STR(""), text, i + k ? &id : &first_id), OK);
  }
  assert_int_equal(db_commit(db), OK);
  struct access_snapshot *before = load(db);
  assert_int_equal(access_business_count(before), MANY);
  assert_int_equal(keys_create(db, 1, STR("agent"), STR(""), made, &made_id), OK);

  int64_t rows = metric_read(METRIC_ACCESS_ROWS, 0, 0);
  struct access_snapshot *after =
      update(db, before, (struct access_change){.what = ACCESS_KEY, .business_id = 1, .key_id = made_id});
  assert_int_equal(metric_read(METRIC_ACCESS_ROWS, 0, 0), rows + 1);
  assert_null(access_find_key(before, str_from(made))); /* a snapshot never changes */
  assert_int_equal(access_find_key(after, str_from(made))->role, ACCESS_AGENT);
  assert_ptr_equal(access_find_business(after, 2), access_find_business(before, 2)); /* shared */
  access_unref(before);

  assert_int_equal(keys_revoke(db, made_id), OK);
  before = after;
  after = update(db, before, (struct access_change){.what = ACCESS_KEY, .business_id = 1, .key_id = made_id});
  assert_null(access_find_key(after, str_from(made)));
  assert_non_null(access_find_key(before, str_from(made)));
  assert_non_null(access_find_key(after, str_from(text)));
  assert_int_equal(metric_read(METRIC_ACCESS_ROWS, 0, 0), rows + 1);
  access_unref(before);
  access_unref(after);
  db_close(db);
}

static void a_business_that_changes_keeps_its_listeners(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t one = scratch_business(db, "one"), two = scratch_business(db, "two");
  struct str name = STR("another");
  const struct business_edit edit = {.name = &name};
  bool new_credentials;
  struct access_snapshot *before = load(db);
  struct listeners *listeners = access_find_business(before, one)->listeners;
  assert_int_equal(businesses_set(db, scratch_seal_key, one, &edit, &new_credentials), OK);
  struct access_snapshot *after =
      update(db, before, (struct access_change){.what = ACCESS_BUSINESS, .business_id = one});
  assert_true(str_eq(access_find_business(after, one)->name, name));
  assert_ptr_equal(access_find_business(after, one)->listeners, listeners);
  access_unref(before);
  struct access_snapshot *all;
  assert_int_equal(access_load(db, scratch_seal_key, STR(""), after, &all), OK);
  assert_ptr_equal(access_find_business(all, one)->listeners, listeners);
  assert_ptr_not_equal(access_find_business(all, two)->listeners, listeners);
  access_unref(after);
  access_unref(all);
  db_close(db);
}

static void a_removed_business_disappears_with_its_keys(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t one = scratch_business(db, "one"), two = scratch_business(db, "two"), id;
  char text[2][KEY_TEXT_SIZE];
  assert_int_equal(keys_create(db, one, STR("viewer"), STR(""), text[0], &id), OK);
  assert_int_equal(keys_create(db, two, STR("viewer"), STR(""), text[1], &id), OK);
  struct access_snapshot *before = load(db), *after;
  assert_int_equal(businesses_remove(db, one), OK);
  const struct access_change changes[] = {{.what = ACCESS_KEYS, .business_id = one},
                                          {.what = ACCESS_BUSINESS, .business_id = one}};
  assert_int_equal(access_update(db, scratch_seal_key, before, changes, COUNT_OF(changes), &after), OK);
  assert_null(access_find_business(after, one));
  assert_null(access_find_key(after, str_from(text[0])));
  assert_non_null(access_find_key(after, str_from(text[1])));
  assert_int_equal(access_business_count(after), 1);
  assert_true(access_business_may_be_new(after, two + 1));
  assert_false(access_business_may_be_new(after, two + 1000));
  assert_false(access_business_may_be_new(after, INT64_MAX));
  assert_false(access_business_may_be_new(after, 0));
  access_unref(before);
  access_unref(after);
  db_close(db);
}

static void an_update_that_fails_leaves_no_trace(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t one = scratch_business(db, "one");
  struct str name = STR("one"), tokens[2] = {STR("token-a"), STR("")};
  const struct business_edit edit = {.name = &name, .tokens = tokens};
  bool new_credentials;
  static const uint8_t other_key[32] = "another key";
  struct access_snapshot *before = load(db), *after = NULL;
  assert_int_equal(businesses_set(db, scratch_seal_key, one, &edit, &new_credentials), OK);
  const struct access_change change = {.what = ACCESS_BUSINESS, .business_id = one};
  assert_int_equal(access_update(db, other_key, before, &change, 1, &after), ERR_CORRUPT);
  assert_null(after);
  assert_false(db_in_transaction(db));
  assert_int_equal(access_find_business(before, one)->tokens[0].n, 0);
  access_unref(before);
  db_close(db);
}

static void roles_have_names(void **state) {
  (void)state;
  enum access_role role;
  for (int i = ACCESS_VIEWER; i <= ACCESS_PLATFORM; i++) {
    assert_int_equal(access_role_of(str_from(access_role_name((enum access_role)i)), &role), OK);
    assert_int_equal(role, i);
  }
  assert_int_equal(access_role_of(STR("owner"), &role), ERR_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(only_live_keys_of_live_businesses_are_found),
      SCRATCH_TEST(a_text_that_is_not_a_key_is_not_found),
      SCRATCH_TEST(a_business_has_its_decrypted_secrets_and_a_base_url),
      SCRATCH_TEST(many_businesses_and_keys_are_all_found),
      SCRATCH_TEST(an_update_reads_only_changed_rows),
      SCRATCH_TEST(a_business_that_changes_keeps_its_listeners),
      SCRATCH_TEST(a_removed_business_disappears_with_its_keys),
      SCRATCH_TEST(an_update_that_fails_leaves_no_trace),
      cmocka_unit_test(roles_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
