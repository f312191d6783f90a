#include "ledger_scratch.h"

#include "ledger/changes.h"
#include "ledger/keys.h"
#include "ledger/sessions.h"
#include "ledger/urls.h"

static int64_t changes_count(struct db *db) {
  return scratch_int(db, "select coalesce(max(seq), 0) from changes");
}

struct key_list {
  struct key keys[8];
  size_t count;
};

static enum err note_key(void *arg, const struct key *key) {
  struct key_list *l = arg;
  assert_true(l->count < COUNT_OF(l->keys));
  l->keys[l->count++] = *key;
  return OK;
}

static void trim_sessions(struct db *db, int64_t now) {
  bool more = true;
  while (more) assert_int_equal(sessions_trim(db, now, &more), OK);
}

static void a_key_is_found_by_the_digest_of_its_text(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), key_id, platform_id;
  char text[KEY_TEXT_SIZE], platform[KEY_TEXT_SIZE];
  assert_int_equal(keys_create(db, id, STR("agent"), STR("the desk"), text, &key_id), OK);
  assert_int_equal(keys_create(db, 0, STR("platform"), STR(""), platform, &platform_id), OK);
  assert_int_equal(strlen(text), 46);
  assert_true(str_starts(str_from(text), STR("cr_")));
  assert_string_not_equal(text, platform);

  struct key_list live = {.count = 0};
  assert_int_equal(keys_each_live(db, note_key, &live), OK);
  assert_int_equal(live.count, 2);
  uint8_t digest[SHA256_SIZE];
  keys_digest(str_from(text), digest);
  assert_memory_equal(live.keys[0].digest, digest, sizeof(digest));
  assert_int_equal(live.keys[0].key_id, key_id);
  assert_int_equal(live.keys[0].business_id, id);
  assert_string_equal(live.keys[0].role, "agent");
  assert_string_equal(live.keys[0].name, "the desk");
  assert_int_equal(live.keys[1].business_id, 0);
  assert_string_equal(live.keys[1].role, "platform");
  db_close(db);
}

static void keys_with_a_wrong_role_are_not_made(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), gone = scratch_business(db, "y");
  assert_int_equal(businesses_remove(db, gone), OK);
  static char long_name[KEY_NAME_SIZE + 1];
  memset(long_name, 'x', KEY_NAME_SIZE);
  const struct {
    int64_t business;
    const char *role, *name;
    enum err e;
  } cases[] = {
      {id, "platform", "", ERR_INVALID},   {id, "", "", ERR_INVALID},
      {id, "root", "", ERR_INVALID},       {0, "admin", "", ERR_INVALID},
      {-1, "platform", "", ERR_INVALID},   {99, "viewer", "", ERR_NOT_FOUND},
      {gone, "viewer", "", ERR_NOT_FOUND}, {id, "viewer", long_name, ERR_INVALID},
      {id, "viewer", "\xff", ERR_INVALID},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[KEY_TEXT_SIZE];
    int64_t key_id;
    assert_int_equal(
        keys_create(db, cases[i].business, str_from(cases[i].role), str_from(cases[i].name), text, &key_id),
        cases[i].e);
  }
  assert_int_equal(scratch_int(db, "select count(*) from keys"), 0);
  db_close(db);
}

static void a_revoked_key_is_listed_and_lets_nobody_in(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), other = scratch_business(db, "y"), key_id, other_id;
  char text[KEY_TEXT_SIZE];
  assert_int_equal(keys_create(db, id, STR("viewer"), STR(""), text, &key_id), OK);
  assert_int_equal(keys_create(db, other, STR("viewer"), STR(""), text, &other_id), OK);
  int64_t before = changes_count(db);
  assert_int_equal(keys_revoke(db, key_id), OK);
  assert_int_equal(keys_revoke(db, key_id), OK);
  assert_int_equal(keys_revoke(db, 99), ERR_NOT_FOUND);
  assert_int_equal(changes_count(db) - before, 1);
  struct key_list live = {.count = 0}, all = {.count = 0}, own = {.count = 0};
  assert_int_equal(keys_each_live(db, note_key, &live), OK);
  assert_int_equal(keys_each(db, 0, note_key, &all), OK);
  assert_int_equal(keys_each(db, id, note_key, &own), OK);
  assert_int_equal(live.count, 1);
  assert_int_equal(live.keys[0].key_id, other_id);
  assert_int_equal(all.count, 2);
  assert_int_equal(own.count, 1);
  assert_true(own.keys[0].revoked_at > 0);
  db_close(db);
}

static void a_session_is_found_until_it_expires(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  char token[SESSION_TOKEN_SIZE];
  struct session made = {.business_id = id, .role = "agent", .subject = "ann", .expires_at = 1000}, found;
  assert_int_equal(sessions_create(db, &made, token), OK);
  assert_int_equal(strlen(token), 43);
  assert_int_equal(sessions_find(db, str_from(token), 999, &found), OK);
  assert_true(found.created_at > 0);
  assert_int_equal(found.business_id, id);
  assert_string_equal(found.role, "agent");
  assert_string_equal(found.subject, "ann");
  assert_int_equal(found.expires_at, 1000);
  assert_int_equal(sessions_find(db, str_from(token), 1000, &found), ERR_NOT_FOUND);
  assert_int_equal(sessions_find(db, STR("no such token"), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(sessions_find(db, STR_NONE, 1, &found), ERR_NOT_FOUND);
  trim_sessions(db, 1000);
  assert_int_equal(scratch_int(db, "select count(*) from sessions"), 0);
  db_close(db);
}

static void a_session_ends_with_its_key_and_when_it_is_ended(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), key_id;
  char text[KEY_TEXT_SIZE], by_key[SESSION_TOKEN_SIZE], by_user[SESSION_TOKEN_SIZE], digest[SESSION_DIGEST_TEXT_SIZE];
  struct session found;
  assert_int_equal(keys_create(db, id, STR("viewer"), STR(""), text, &key_id), OK);
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "", key_id, 1000}, by_key), OK);
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "bob", 0, 1000}, by_user), OK);
  assert_int_equal(keys_revoke(db, key_id), OK);
  assert_int_equal(sessions_find(db, str_from(by_key), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(sessions_find(db, str_from(by_user), 1, &found), OK);
  assert_int_equal(sessions_end(db, str_from(by_user)), OK);
  assert_int_equal(sessions_end(db, str_from(by_user)), OK);
  assert_int_equal(sessions_find(db, str_from(by_user), 1, &found), ERR_NOT_FOUND);

  session_digest(str_from(by_user), digest);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(
      db_query(db, &q, "select count(*) from changes where kind = 'session' and id = ?1 and business_id = ?2",
               DB_TEXT(str_from(digest)), DB_INT(id)),
      OK);
  assert_int_equal(db_next(&q), OK);
  assert_int_equal(db_int(&q, 0), 1);
  db_rows_done(&q);
  db_close(db);
}

static enum err count_session(void *arg, const struct session *s) {
  assert_int_equal(strlen(s->id), SESSION_ID_SIZE - 1);
  ++*(int *)arg;
  return OK;
}

static enum err count_link(void *arg, const struct link *l) {
  assert_int_equal(strlen(l->id), SESSION_ID_SIZE - 1);
  ++*(int *)arg;
  return OK;
}

static int count_listed(struct db *db, int64_t business_id) {
  int count = 0;
  assert_int_equal(sessions_each(db, business_id, 1, count_session, &count), OK);
  assert_int_equal(links_each(db, business_id, 1, count_link, &count), OK);
  return count;
}

static void sessions_and_links_are_listed_and_end_by_their_ids(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  char token[SESSION_TOKEN_SIZE], link_token[SESSION_TOKEN_SIZE];
  struct session s = {id, "viewer", "bob", 0, INT64_MAX}, found;
  struct link l = {.business_id = id, .role = "viewer", .expires_at = INT64_MAX, .made_by = "key:1"}, looked;
  assert_int_equal(sessions_create(db, &s, token), OK);
  assert_int_equal(links_create(db, &l, link_token), OK);
  assert_int_equal(count_listed(db, id), 2);
  assert_int_equal(count_listed(db, id + 1), 0);
  struct session_ended ended;
  assert_int_equal(sessions_end_id(db, 0, STR("0123456789abcdef"), &ended), ERR_NOT_FOUND);
  assert_int_equal(sessions_end_id(db, 0, STR("0123456789abcdeg"), &ended), ERR_INVALID);
  assert_int_equal(sessions_end_id(db, 0, str_from(token), &ended), ERR_INVALID);
  assert_int_equal(sessions_end_id(db, id + 1, str_from(s.id), &ended), ERR_NOT_FOUND);
  assert_int_equal(sessions_end_id(db, id + 1, str_from(l.id), &ended), ERR_NOT_FOUND);
  assert_int_equal(sessions_end_id(db, id, str_from(s.id), &ended), OK);
  assert_true(!ended.is_link && ended.business_id == id && strncmp(ended.digest, s.id, SESSION_ID_SIZE - 1) == 0);
  assert_int_equal(sessions_find(db, str_from(token), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(sessions_end_id(db, 0, str_from(l.id), &ended), OK);
  assert_true(ended.is_link && ended.business_id == id && !ended.digest[0]);
  assert_int_equal(links_look(db, str_from(link_token), 1, &looked), ERR_NOT_FOUND);
  assert_int_equal(count_listed(db, id), 0);
  db_close(db);
}

static void all_sessions_and_links_of_a_business_end_at_once(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), other = scratch_business(db, "y");
  char tokens[2][SESSION_TOKEN_SIZE], link_token[SESSION_TOKEN_SIZE];
  struct session found;
  struct link l = {.business_id = id, .role = "viewer", .expires_at = INT64_MAX}, looked;
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "", 0, INT64_MAX}, tokens[0]), OK);
  assert_int_equal(sessions_create(db, &(struct session){other, "viewer", "", 0, INT64_MAX}, tokens[1]), OK);
  assert_int_equal(links_create(db, &l, link_token), OK);
  assert_int_equal(sessions_end_all(db, id), OK);
  assert_int_equal(sessions_end_all(db, 99), ERR_NOT_FOUND);
  assert_int_equal(sessions_find(db, str_from(tokens[0]), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(sessions_find(db, str_from(tokens[1]), 1, &found), OK);
  assert_int_equal(links_look(db, str_from(link_token), 1, &looked), ERR_NOT_FOUND);
  assert_int_equal(count_listed(db, id), 0);
  assert_int_equal(count_listed(db, other), 1);
  assert_int_equal(db_script(db, "update businesses set sessions_ended_at = 8000000000000000"), OK);
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "", 0, INT64_MAX}, tokens[0]), OK);
  assert_int_equal(links_create(db, &l, link_token), OK);
  assert_int_equal(sessions_find(db, str_from(tokens[0]), 1, &found), OK);
  assert_int_equal(links_look(db, str_from(link_token), 1, &looked), OK);
  assert_int_equal(sessions_end_all(db, id), OK);
  assert_int_equal(sessions_find(db, str_from(tokens[0]), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(links_look(db, str_from(link_token), 1, &looked), ERR_NOT_FOUND);
  db_close(db);
}

static enum err count_url(void *arg, const struct url *u) {
  (void)u;
  ++*(int *)arg;
  return OK;
}

static int count_urls(struct db *db, int64_t business_id, int64_t now) {
  int count = 0;
  assert_int_equal(urls_each(db, business_id, now, INT64_MAX, STR(""), 100, count_url, &count), OK);
  return count;
}

static void a_url_ends_by_its_id_its_key_its_business_and_its_time(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), key_id, owner;
  char text[KEY_TEXT_SIZE];
  struct session found;
  bool more;
  assert_int_equal(keys_create(db, id, STR("agent"), STR(""), text, &key_id), OK);
  struct url urls[4];
  for (int i = 0; i < 4; i++) {
    urls[i] =
        (struct url){.business_id = id, .recording_sid = "RE1", .made_by = "x", .expires_at = i == 3 ? 5 : INT64_MAX};
    urls[i].key_id = i == 1 ? key_id : 0;
    assert_int_equal(urls_add(db, &urls[i]), OK);
    assert_int_equal(urls_find(db, str_from(urls[i].url_id), 1, &found), OK);
  }
  assert_int_equal(scratch_int(db, "select urls from url_counts"), 4);
  assert_int_equal(count_urls(db, id, 1), 4);
  assert_int_equal(urls_find(db, str_from(urls[3].url_id), 5, &found), ERR_NOT_FOUND);
  assert_int_equal(urls_trim(db, 5, &more), OK);
  assert_int_equal(scratch_int(db, "select urls from url_counts"), 3);
  assert_int_equal(urls_end(db, id + 1, str_from(urls[0].url_id), &owner), ERR_NOT_FOUND);
  assert_int_equal(urls_end(db, 0, str_from(urls[0].url_id), &owner), OK);
  assert_int_equal(owner, id);
  assert_int_equal(urls_find(db, str_from(urls[0].url_id), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(keys_revoke(db, key_id), OK);
  assert_int_equal(urls_find(db, str_from(urls[1].url_id), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(count_urls(db, id, 1), 1);
  assert_int_equal(urls_end_all(db, id), OK);
  assert_int_equal(urls_find(db, str_from(urls[2].url_id), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(count_urls(db, id, 1), 0);
  assert_int_equal(db_script(db, "update businesses set urls_ended_at = 8000000000000000"), OK);
  assert_int_equal(urls_add(db, &urls[2]), OK);
  assert_int_equal(urls_find(db, str_from(urls[2].url_id), 1, &found), OK);
  assert_int_equal(urls_end_all(db, id), OK);
  assert_int_equal(urls_find(db, str_from(urls[2].url_id), 1, &found), ERR_NOT_FOUND);
  db_close(db);
}

static void a_business_has_a_ceiling_of_urls(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  struct url url = {.business_id = id, .recording_sid = "RE1", .made_by = "x", .expires_at = INT64_MAX};
  assert_int_equal(urls_add(db, &url), OK);
  assert_int_equal(db_script(db, "update url_counts set urls = 100000"), OK);
  assert_int_equal(urls_add(db, &url), ERR_BUSY);
  url.business_id = 99;
  assert_int_equal(urls_add(db, &url), ERR_NOT_FOUND);
  db_close(db);
}

/* Adds `count` URLs of that key (0: none), which were made at 1. */
static void add_urls(struct db *db, int64_t business_id, int64_t key_id, int count) {
  assert_int_equal(db_run_values(db,
                                 "with recursive n(i) as (select 1 union all select i + 1 from n limit ?3)"
                                 " insert into urls select hex(randomblob(8)), ?1, 'RE1', '', nullif(?2, 0), 1,"
                                 "  9000000000000000 from n",
                                 DB_VALUES_(DB_INT(business_id), DB_INT(key_id), DB_INT(count))),
                   OK);
}

static void urls_that_ended_leave_room_for_new_ones(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), key_id;
  char text[KEY_TEXT_SIZE];
  struct url url = {.business_id = id, .recording_sid = "RE1", .made_by = "x", .expires_at = INT64_MAX};
  assert_int_equal(keys_create(db, id, STR("agent"), STR(""), text, &key_id), OK);
  add_urls(db, id, key_id, URLS_PER_BUSINESS_MAX);
  assert_int_equal(urls_add(db, &url), ERR_BUSY);
  assert_int_equal(keys_revoke(db, key_id), OK);
  assert_int_equal(urls_add(db, &url), OK);
  assert_int_equal(scratch_int(db, "select count(*) from urls"), URLS_PER_BUSINESS_MAX - URLS_TRIM_MAX + 1);
  assert_int_equal(scratch_int(db, "select urls from url_counts"), URLS_PER_BUSINESS_MAX - URLS_TRIM_MAX + 1);
  add_urls(db, id, 0, URLS_TRIM_MAX - 1);
  assert_int_equal(urls_end_all(db, id), OK);
  assert_int_equal(urls_add(db, &url), OK);
  assert_int_equal(scratch_int(db, "select count(*) from urls"), URLS_PER_BUSINESS_MAX - URLS_TRIM_MAX + 1);
  db_close(db);
}

static void a_business_has_a_ceiling_of_live_keys_and_links(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x"), other = scratch_business(db, "y");
  assert_int_equal(db_script(db,
                             "with recursive n(i) as (select 1 union all select i + 1 from n limit 3000)"
                             " insert into keys (business_id, role, digest, created_at, revoked_at, expires_at)"
                             " select 1, 'viewer', randomblob(32), 1, iif(i <= 1000, 1, null), iif(i <= 2000, 1, null)"
                             " from n where i < 3000"),
                   OK);
  assert_int_equal(keys_check_ceiling(db, id), OK);
  assert_int_equal(db_script(db,
                             "insert into keys (business_id, role, digest, created_at, expires_at)"
                             " values (1, 'viewer', x'00', 1, 9000000000000000)"),
                   OK);
  assert_int_equal(keys_check_ceiling(db, id), ERR_BUSY);
  assert_int_equal(keys_check_ceiling(db, other), OK);
  assert_int_equal(db_script(db,
                             "with recursive n(i) as (select 1 union all select i + 1 from n limit 1000)"
                             " insert into links (digest, business_id, role, expires_at, made_at)"
                             " select randomblob(32), 1, 'viewer', 9000000000000000, 9000000000000000 from n"),
                   OK);
  assert_int_equal(links_check_ceiling(db, id), ERR_BUSY);
  assert_int_equal(links_check_ceiling(db, other), OK);
  db_close(db);
}

static void too_many_sessions_end_the_oldest(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  assert_int_equal(
      db_script(db,
                "with recursive n(i) as (select 1 union all select i + 1 from n limit 10000)"
                " insert into sessions select randomblob(32), 1, 'viewer', 'user ' || i, null, i, 1000, '' from n"),
      OK);
  char token[SESSION_TOKEN_SIZE];
  struct session found;
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "", 0, 1000}, token), OK);
  assert_int_equal(scratch_int(db, "select count(*) from sessions"), SESSIONS_PER_BUSINESS_MAX);
  assert_int_equal(scratch_int(db, "select min(created_at) from sessions"), 2);
  assert_int_equal(sessions_find(db, str_from(token), 1, &found), OK);
  db_close(db);
}

static void a_credential_that_signs_in_often_ends_its_own_sessions(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  char others[2][SESSION_TOKEN_SIZE], first[SESSION_TOKEN_SIZE], token[SESSION_TOKEN_SIZE];
  struct session found;
  assert_int_equal(sessions_create(db, &(struct session){id, "admin", "ann", 0, 1000}, others[0]), OK);
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "bob", 0, 1000}, others[1]), OK);
  assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "ann", 0, 1000}, first), OK);
  assert_int_equal(db_script(db, "update sessions set created_at = 1"), OK);
  for (int i = 0; i < SESSIONS_PER_CREDENTIAL_MAX; i++)
    assert_int_equal(sessions_create(db, &(struct session){id, "viewer", "ann", 0, 1000}, token), OK);
  assert_int_equal(scratch_int(db, "select count(*) from sessions"), SESSIONS_PER_CREDENTIAL_MAX + 2);
  assert_int_equal(scratch_int(db, "select count(*) from changes where kind = 'session'"), 1);
  assert_int_equal(sessions_find(db, str_from(first), 1, &found), ERR_NOT_FOUND);
  assert_int_equal(sessions_find(db, str_from(token), 1, &found), OK);
  for (int i = 0; i < 2; i++) assert_int_equal(sessions_find(db, str_from(others[i]), 1, &found), OK);
  db_close(db);
}

static void a_link_works_once_and_in_time(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t id = scratch_business(db, "x");
  char token[SESSION_TOKEN_SIZE], late[SESSION_TOKEN_SIZE];
  struct link made = {.business_id = id, .role = "viewer", .expires_at = 1000}, found;
  assert_int_equal(links_create(db, &made, token), OK);
  assert_int_equal(links_create(db, &made, late), OK);
  assert_int_equal(links_look(db, str_from(token), 999, &found), OK);
  assert_int_equal(links_use(db, str_from(token), 999, &found), OK);
  assert_int_equal(found.business_id, id);
  assert_string_equal(found.role, "viewer");
  assert_int_equal(links_use(db, str_from(token), 999, &found), ERR_NOT_FOUND);
  assert_int_equal(links_look(db, str_from(token), 999, &found), ERR_NOT_FOUND);
  assert_int_equal(links_use(db, str_from(late), 1000, &found), ERR_NOT_FOUND);
  assert_int_equal(links_create(db, &(struct link){99, "viewer", 1000}, token), ERR_NOT_FOUND);
  trim_sessions(db, 1000);
  assert_int_equal(scratch_int(db, "select count(*) from links"), 0);
  db_close(db);
}

static void many_expired_sessions_go_in_parts(void **state) {
  struct db *db = scratch_ledger(*state);
  assert_int_equal(db_script(db,
                             "with recursive n(i) as (select 1 union all select i + 1 from n limit 250)"
                             " insert into sessions (digest, business_id, role, created_at, expires_at)"
                             " select cast(i as blob), 1, 'viewer', 1, iif(i <= 240, 1000, 1001) from n"),
                   OK);
  static const int left[] = {150, 50, 10};
  for (size_t i = 0; i < COUNT_OF(left); i++) {
    bool more;
    assert_int_equal(sessions_trim(db, 1000, &more), OK);
    assert_int_equal(scratch_int(db, "select count(*) from sessions"), left[i]);
    assert_int_equal(more, i + 1 < COUNT_OF(left));
  }
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_key_is_found_by_the_digest_of_its_text),
      SCRATCH_TEST(keys_with_a_wrong_role_are_not_made),
      SCRATCH_TEST(a_revoked_key_is_listed_and_lets_nobody_in),
      SCRATCH_TEST(a_session_is_found_until_it_expires),
      SCRATCH_TEST(a_session_ends_with_its_key_and_when_it_is_ended),
      SCRATCH_TEST(urls_that_ended_leave_room_for_new_ones),
      SCRATCH_TEST(a_business_has_a_ceiling_of_live_keys_and_links),
      SCRATCH_TEST(too_many_sessions_end_the_oldest),
      SCRATCH_TEST(sessions_and_links_are_listed_and_end_by_their_ids),
      SCRATCH_TEST(all_sessions_and_links_of_a_business_end_at_once),
      SCRATCH_TEST(a_url_ends_by_its_id_its_key_its_business_and_its_time),
      SCRATCH_TEST(a_business_has_a_ceiling_of_urls),
      SCRATCH_TEST(a_credential_that_signs_in_often_ends_its_own_sessions),
      SCRATCH_TEST(a_link_works_once_and_in_time),
      SCRATCH_TEST(many_expired_sessions_go_in_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
