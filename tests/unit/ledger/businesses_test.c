#include "ledger_scratch.h"

#include "db/db_writer.h"
#include "ledger/changes.h"
#include "ledger/keys.h"
#include "ledger/sessions.h"

static const struct str name = {"Acme", 4}, account = {"AC1", 3}, tokens[] = {{"first", 5}, {"second", 6}},
                        api_key = {"SK1", 3}, api_secret = {"hush", 4}, base_url = {"http://127.0.0.1:9", 18},
                        numbers[] = {{"+15550002", 9}, {"+15550001", 9}};
static const struct business_edit whole = {.name = &name,
                                           .account_sid = &account,
                                           .tokens = tokens,
                                           .api_key = &api_key,
                                           .api_secret = &api_secret,
                                           .base_url = &base_url,
                                           .numbers = numbers,
                                           .number_count = 2,
                                           .set_numbers = true};

static int64_t changes_count(struct db *db) {
  return scratch_int(db, "select coalesce(max(seq), 0) from changes");
}

static void a_business_comes_back_as_it_was_added(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id;
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &whole, &id), OK);
  assert_int_equal(id, 1);
  struct business b = {0};
  assert_int_equal(businesses_get(db, scratch_seal_key, id, &b), OK);
  assert_string_equal(b.name, "Acme");
  assert_string_equal(b.account_sid, "AC1");
  assert_string_equal(b.tokens[0], "first");
  assert_string_equal(b.tokens[1], "second");
  assert_string_equal(b.api_key, "SK1");
  assert_string_equal(b.api_secret, "hush");
  assert_string_equal(b.base_url, "http://127.0.0.1:9");
  assert_int_equal(b.number_count, 2);
  assert_string_equal(b.numbers[0], "+15550001");
  assert_string_equal(b.numbers[1], "+15550002");
  assert_true(b.has_token && b.has_api_secret && b.credentials_version == 1 && b.removed_at == 0);
  business_done(&b);
  assert_int_equal(businesses_get(db, NULL, id, &b), OK);
  assert_true(b.has_token && b.has_api_secret && b.tokens[0][0] == '\0' && b.api_secret[0] == '\0');
  business_done(&b);
  db_close(db);
}

static void each_id_is_found_after_the_one_before_it(void **state) {
  struct db *db = scratch_ledger(*state);
  const int64_t ids[] = {1, 3, 70};
  int64_t id = 0;
  assert_int_equal(businesses_next(db, 0, &id), ERR_NOT_FOUND);
  for (size_t i = 0; i < COUNT_OF(ids); i++)
    assert_int_equal(businesses_add(db, scratch_seal_key, ids[i], &whole, &id), OK);
  assert_int_equal(businesses_remove(db, 3), OK); /* its files may still exist */
  id = 0;
  for (size_t i = 0; i < COUNT_OF(ids); i++) {
    assert_int_equal(businesses_next(db, id, &id), OK);
    assert_int_equal(id, ids[i]);
  }
  assert_int_equal(businesses_next(db, id, &id), ERR_NOT_FOUND);
  db_close(db);
}

static void no_secret_stands_in_the_file(void **state) {
  struct scratch *s = *state;
  struct db *db = scratch_ledger(s);
  static const struct str token = {"a-token-to-be-looked-for", 24},
                          pair[] = {{"a-token-to-be-looked-for", 24}, {"", 0}};
  struct business_edit edit = {.name = &name, .tokens = pair, .api_secret = &token};
  int64_t id;
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &edit, &id), OK);
  static const char *const suffixes[] = {"", "-wal"};
  static char bytes[4 << 20];
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char path[128];
    scratch_path(s, suffixes[i], path);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    struct str content = str_of(bytes, fread(bytes, 1, sizeof(bytes), f));
    assert_true(feof(f));
    fclose(f);
    assert_false(str_contains(content, token));
    assert_int_equal(str_contains(content, name), i == 1); /* the new row is in the log */
  }
  db_close(db);
}

static void a_secret_opens_with_its_key_in_its_row_and_column_only(void **state) {
  static const char *const damages[] = {
      "update businesses set token_1 = (select token_1 from businesses where business_id = 2) where business_id = 1",
      "update businesses set token_2 = token_1 where business_id = 1",
      "update businesses set api_secret = x'00' where business_id = 1",
  };
  struct db *db = scratch_ledger(*state);
  int64_t id;
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &whole, &id), OK);
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &whole, &id), OK);
  struct business b = {0};
  for (size_t i = 0; i < COUNT_OF(damages); i++) {
    assert_int_equal(db_begin_immediate(db), OK);
    assert_int_equal(db_script(db, damages[i]), OK);
    assert_int_equal(businesses_get(db, scratch_seal_key, 1, &b), ERR_CORRUPT);
    db_rollback(db);
  }
  static const uint8_t other_key[SECRET_KEY_SIZE] = "another key, another key, anothe";
  assert_int_equal(businesses_get(db, other_key, 1, &b), ERR_CORRUPT);
  assert_int_equal(businesses_get(db, scratch_seal_key, 1, &b), OK);
  business_done(&b);
  db_close(db);
}

static void invalid_businesses_are_refused(void **state) {
  static const struct str empty = {"", 0}, not_text = {"\xff", 1},
                          bad_numbers[] = {
                              {"15550001", 8}, {"+0555", 5}, {"+1", 2}, {"+1234567890123456", 17}, {"+1555 0001", 10}};
  static char long_name[BUSINESS_NAME_SIZE + 1];
  memset(long_name, 'x', BUSINESS_NAME_SIZE);
  struct str too_long = str_from(long_name);
  const struct business_edit edits[] = {
      {.name = NULL},
      {.name = &empty},
      {.name = &not_text},
      {.name = &too_long},
      {.name = &name, .account_sid = &not_text},
      {.name = &name, .numbers = &bad_numbers[0], .number_count = 1, .set_numbers = true},
      {.name = &name, .numbers = &bad_numbers[1], .number_count = 1, .set_numbers = true},
      {.name = &name, .numbers = &bad_numbers[2], .number_count = 1, .set_numbers = true},
      {.name = &name, .numbers = &bad_numbers[3], .number_count = 1, .set_numbers = true},
      {.name = &name, .numbers = &bad_numbers[4], .number_count = 1, .set_numbers = true},
  };
  struct db *db = scratch_ledger(*state);
  for (size_t i = 0; i < COUNT_OF(edits); i++) {
    int64_t id = -1;
    assert_int_equal(db_begin_immediate(db), OK);
    assert_int_equal(businesses_add(db, scratch_seal_key, 0, &edits[i], &id), ERR_INVALID);
    db_rollback(db);
    assert_int_equal(id, -1);
  }
  assert_int_equal(scratch_int(db, "select count(*) from businesses"), 0);
  db_close(db);
}

static void an_id_is_never_given_twice(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id;
  struct business_edit edit = {.name = &name};
  assert_int_equal(businesses_add(db, scratch_seal_key, 7, &edit, &id), OK);
  assert_int_equal(id, 7);
  assert_int_equal(businesses_add(db, scratch_seal_key, 7, &edit, &id), ERR_EXISTS);
  bool left = true;
  assert_int_equal(businesses_remove(db, 7), OK);
  assert_int_equal(businesses_add(db, scratch_seal_key, 7, &edit, &id), ERR_EXISTS);
  assert_int_equal(businesses_purge(db, 7, 100, &left), OK);
  assert_false(left);
  assert_int_equal(businesses_add(db, scratch_seal_key, 7, &edit, &id), ERR_EXISTS);
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &edit, &id), OK);
  assert_int_equal(id, 8);
  assert_int_equal(businesses_add(db, scratch_seal_key, 3, &edit, &id), OK);
  assert_int_equal(businesses_add(db, scratch_seal_key, -1, &edit, &id), ERR_INVALID);
  db_close(db);
}

static void new_credentials_are_reported_and_clear_the_refusal(void **state) {
  static const struct str new_pair[] = {{"third", 5}, {"", 0}}, no = {"", 0}, new_name = {"Beta", 4};
  const struct {
    struct business_edit edit;
    bool told, changed;
  } cases[] = {
      {{.name = &name}, false, false},      {whole, false, false},
      {{.name = &new_name}, false, true},   {{.tokens = new_pair}, true, true},
      {{.tokens = new_pair}, false, false}, {{.base_url = &no}, true, true},
      {{.api_secret = &no}, true, true},    {{.numbers = numbers, .number_count = 1, .set_numbers = true}, false, true},
      {{.set_numbers = true}, false, true}, {{.set_numbers = true}, false, false},
  };
  struct db *db = scratch_ledger(*state);
  int64_t id;
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &whole, &id), OK);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_int_equal(db_script(db, "update businesses set auth_failed_at = 5, auth_trial_at = 6, error_streak = 7"),
                     OK);
    int64_t before = changes_count(db), version = scratch_int(db, "select credentials_version from businesses");
    bool told = !cases[i].told;
    assert_int_equal(businesses_set(db, scratch_seal_key, id, &cases[i].edit, &told), OK);
    assert_int_equal(told, cases[i].told);
    assert_int_equal(changes_count(db) - before, cases[i].changed);
    assert_int_equal(scratch_int(db, "select credentials_version from businesses") - version, cases[i].told);
    assert_int_equal(scratch_int(db, "select auth_failed_at is null and error_streak = 0 from businesses"),
                     cases[i].told);
  }
  struct business b = {0};
  assert_int_equal(businesses_get(db, scratch_seal_key, id, &b), OK);
  assert_string_equal(b.name, "Beta");
  assert_string_equal(b.tokens[0], "third");
  assert_string_equal(b.tokens[1], "");
  assert_string_equal(b.api_secret, "");
  assert_int_equal(b.number_count, 0);
  business_done(&b);
  db_close(db);
}

static void secrets_of_a_lost_key_can_be_replaced_but_not_kept(void **state) {
  static const uint8_t other_key[SECRET_KEY_SIZE] = "another key, another key, anothe";
  struct db *db = scratch_ledger(*state);
  int64_t id;
  bool told;
  assert_int_equal(businesses_add(db, scratch_seal_key, 0, &whole, &id), OK);
  struct business_edit part = {.name = &account, .tokens = tokens};
  assert_int_equal(businesses_set(db, other_key, id, &part, &told), ERR_CORRUPT);
  assert_int_equal(businesses_set(db, other_key, id, &whole, &told), OK);
  assert_true(told);
  struct business b = {0};
  assert_int_equal(businesses_get(db, other_key, id, &b), OK);
  assert_string_equal(b.api_secret, "hush");
  business_done(&b);
  db_close(db);
}

static enum err note_id(void *arg, const struct business *b) {
  char *text = arg;
  text[strlen(text)] = (char)('0' + b->business_id);
  return OK;
}

static void lists_have_live_ones_and_on_demand_removed_ones(void **state) {
  struct db *db = scratch_ledger(*state);
  for (int i = 0; i < 4; i++) (void)scratch_business(db, "x");
  bool left;
  assert_int_equal(businesses_remove(db, 2), OK);
  assert_int_equal(businesses_remove(db, 3), OK);
  assert_int_equal(businesses_purge(db, 3, 10, &left), OK);
  char live[8] = "", all[8] = "";
  assert_int_equal(businesses_each(db, scratch_seal_key, false, note_id, live), OK);
  assert_int_equal(businesses_each(db, scratch_seal_key, true, note_id, all), OK);
  assert_string_equal(live, "14");
  assert_string_equal(all, "124");
  db_close(db);
}

static void the_account_names_its_first_live_business(void **state) {
  struct db *db = scratch_ledger(*state);
  struct business_edit edit = {.name = &name, .account_sid = &account};
  int64_t id;
  for (int i = 0; i < 2; i++) assert_int_equal(businesses_add(db, scratch_seal_key, 0, &edit, &id), OK);
  assert_int_equal(businesses_find_account(db, account, &id), OK);
  assert_int_equal(id, 1);
  assert_int_equal(businesses_remove(db, 1), OK);
  assert_int_equal(businesses_find_account(db, account, &id), OK);
  assert_int_equal(id, 2);
  assert_int_equal(businesses_find_account(db, STR("AC2"), &id), ERR_NOT_FOUND);
  db_close(db);
}

static void removing_ends_keys_and_sessions_and_keeps_the_rows(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), key_id;
  char text[KEY_TEXT_SIZE], cookie[SESSION_TOKEN_SIZE], link[SESSION_TOKEN_SIZE];
  assert_int_equal(keys_create(db, id, STR("viewer"), STR(""), text, &key_id), OK);
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "", 0, 1000}, cookie), OK);
  assert_int_equal(links_create(db, &(struct link){id, "viewer", 1000}, link), OK);
  assert_int_equal(db_script(db,
                             "insert into calls (business_id, call_sid, top_sid, first_seen_at, sort_at)"
                             " values (1, 'CA1', 'CA1', 1, 1)"),
                   OK);
  assert_int_equal(businesses_remove(db, id), OK);
  assert_int_equal(businesses_remove(db, id), ERR_NOT_FOUND);
  struct session session;
  struct link found;
  struct business b;
  assert_int_equal(sessions_find(db, str_from(cookie), 1, &session), ERR_NOT_FOUND);
  assert_int_equal(links_use(db, str_from(link), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(businesses_get(db, NULL, id, &b), ERR_NOT_FOUND);
  assert_int_equal(scratch_int(db, "select count(*) from keys where revoked_at is null"), 0);
  assert_int_equal(scratch_int(db, "select count(*) from calls"), 1);
  db_close(db);
}

static void the_keys_of_a_removed_business_are_revoked_in_parts(void **state) {
  enum { KEYS = 2 * KEYS_REVOKED_MAX + 1 };
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  assert_int_equal(
      db_run_values(db,
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?2) insert into keys"
                    " (business_id, role, digest, name, created_at) select ?1, 'viewer', randomblob(32), '', 1 from n",
                    DB_VALUES_(DB_INT(id), DB_INT(KEYS))),
      OK);
  int64_t began = db_touched(db);
  assert_int_equal(businesses_remove(db, id), OK);
  assert_true(db_touched(db) - began <= DB_JOB_ROWS);
  bool left = true;
  int parts = 1;
  for (; left; parts++) {
    began = db_touched(db);
    assert_int_equal(keys_revoke_some(db, id, &left), OK);
    assert_true(db_touched(db) - began <= DB_JOB_ROWS);
  }
  assert_int_equal(parts, 3);
  assert_int_equal(scratch_int(db, "select count(*) from keys where revoked_at is null"), 0);
  db_close(db);
}

static void purging_takes_a_bounded_part_at_a_time_of_one_business_alone(void **state) {
  struct db *db = scratch_ledger(*state);
  (void)scratch_business(db, "x");
  (void)scratch_business(db, "y");
  assert_int_equal(db_script(db,
                             "with recursive n(i) as (select 1 union all select i + 1 from n limit 25)"
                             " insert into calls (business_id, call_sid, top_sid, first_seen_at, sort_at)"
                             " select 1 + i % 2, 'CA' || i, 'CA' || i, 1, 1 from n;"
                             " insert into recordings (business_id, recording_sid, first_seen_at)"
                             " select business_id, 'RE' || call_sid, 1 from calls"),
                   OK);
  bool left = false;
  assert_int_equal(businesses_purge(db, 2, 10, &left), ERR_CONFLICT);
  assert_int_equal(businesses_remove(db, 2), OK);
  int rounds = 1;
  for (; businesses_purge(db, 2, 10, &left) == OK && left; rounds++) continue;
  assert_int_equal(rounds, 3);
  assert_int_equal(scratch_int(db, "select count(*) from calls where business_id = 2"), 0);
  assert_int_equal(scratch_int(db, "select count(*) from recordings where business_id = 2"), 0);
  assert_int_equal(scratch_int(db, "select count(*) from calls"), 12);
  assert_int_equal(scratch_int(db, "select count(*) from recordings"), 12);
  assert_int_equal(businesses_purge(db, 2, 10, &left), ERR_NOT_FOUND);
  db_close(db);
}

static void a_step_of_a_purge_touches_few_rows(void **state) {
  struct db *db = scratch_ledger(*state);
  (void)scratch_business(db, "x");
  assert_int_equal(db_script(db,
                             "with recursive n(i) as (select 1 union all select i + 1 from n limit 40)"
                             " insert into calls (business_id, call_sid, top_sid, first_seen_at, sort_at)"
                             " select 1, 'CA' || i, 'CA' || i, 1, 1 from n;"
                             "update calls set tags = '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]';"
                             "insert into recordings (business_id, recording_sid, call_sid, first_seen_at, status)"
                             " select 1, 'RE' || call_sid, call_sid, 1, 'queued' from calls;"
                             "with recursive n(i) as (select 1 union all select i + 1 from n limit 40)"
                             " insert into keys (business_id, role, digest, created_at)"
                             " select 1, 'viewer', 'd' || i, 1 from n"),
                   OK);
  assert_int_equal(businesses_remove(db, 1), OK);
  int64_t most = 0;
  for (bool left = true; left;) {
    int64_t before = db_touched(db);
    assert_int_equal(businesses_purge(db, 1, BUSINESSES_PURGE_STEP, &left), OK);
    if (db_touched(db) - before > most) most = db_touched(db) - before;
  }
  assert_in_range(most, 100, BUSINESSES_PURGE_ROWS);
  assert_int_equal(scratch_int(db, "select count(*) from call_tags") + scratch_int(db, "select count(*) from keys"), 0);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_business_comes_back_as_it_was_added),
      SCRATCH_TEST(each_id_is_found_after_the_one_before_it),
      SCRATCH_TEST(no_secret_stands_in_the_file),
      SCRATCH_TEST(a_secret_opens_with_its_key_in_its_row_and_column_only),
      SCRATCH_TEST(invalid_businesses_are_refused),
      SCRATCH_TEST(an_id_is_never_given_twice),
      SCRATCH_TEST(new_credentials_are_reported_and_clear_the_refusal),
      SCRATCH_TEST(secrets_of_a_lost_key_can_be_replaced_but_not_kept),
      SCRATCH_TEST(lists_have_live_ones_and_on_demand_removed_ones),
      SCRATCH_TEST(the_account_names_its_first_live_business),
      SCRATCH_TEST(removing_ends_keys_and_sessions_and_keeps_the_rows),
      SCRATCH_TEST(the_keys_of_a_removed_business_are_revoked_in_parts),
      SCRATCH_TEST(purging_takes_a_bounded_part_at_a_time_of_one_business_alone),
      SCRATCH_TEST(a_step_of_a_purge_touches_few_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
