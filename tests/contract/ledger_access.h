/* ledger_access.h - businesses, keys, sessions, links, URLs, settings, processes and changes. */
#pragma once

#include "ledger_contract.h"

#include "base/clock.h"
#include "ledger/changes.h"
#include "ledger/keys.h"
#include "ledger/last_webhooks.h"
#include "ledger/nodes.h"
#include "ledger/sessions.h"
#include "ledger/settings.h"
#include "ledger/urls.h"

/* ---- businesses ---- */

static enum err words_add_business(void *arg, const struct business *b) {
  char text[BUSINESS_NAME_SIZE + 16];
  (void)snprintf(text, sizeof(text), "%s:%zu", b->name, b->number_count);
  words_add(arg, text);
  return OK;
}

static void a_business_is_added_changed_removed_and_purged(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  const struct str name = STR("Acme"), account = STR("AC1"), tokens[2] = {STR("secret"), STR("")},
                   renamed = STR("Acme 2"), numbers[] = {STR("+97231234567"), STR("+12125550100"), STR("+12125550100")},
                   new_tokens[2] = {STR("other"), STR("")};
  const struct business_edit edit = {.name = &name,
                                     .account_sid = &account,
                                     .tokens = tokens,
                                     .numbers = numbers,
                                     .number_count = 3,
                                     .set_numbers = true};
  const struct business_edit change = {.name = &renamed, .tokens = new_tokens};
  int64_t given, next, found;
  bool new_credentials, left, more;
  IN_TRANSACTION(db, assert_ok(businesses_add(db, scratch_seal_key, 5, &edit, &given)));
  IN_TRANSACTION(db,
                 assert_ok(businesses_add(db, scratch_seal_key, 0, &(struct business_edit){.name = &renamed}, &next)));
  assert_true(given == 5 && next > 5);
  assert_ok(db_begin_immediate(db));
  assert_int_equal(businesses_add(db, scratch_seal_key, 5, &edit, &given), ERR_EXISTS);
  db_rollback(db);
  struct business b CLEANUP(business_done) = {0};
  assert_ok(businesses_get(db, scratch_seal_key, 5, &b));
  assert_string_equal(b.tokens[0], "secret");
  assert_true(b.number_count == 2 && strcmp(b.numbers[0], "+12125550100") == 0 && b.has_token && !b.has_api_secret);
  assert_ok(businesses_find_account(db, STR("AC1"), &found));
  assert_int_equal(found, 5);
  IN_TRANSACTION(db, assert_ok(businesses_set(db, scratch_seal_key, 5, &change, &new_credentials)));
  assert_true(new_credentials);
  struct words all = {""}, rest = {""};
  assert_ok(businesses_each(db, NULL, false, words_add_business, &all));
  assert_string_equal(all.text, "Acme 2:2 Acme 2:0");
  int64_t after = 0, resealed = 0;
  IN_TRANSACTION(db, assert_ok(businesses_reseal(db, scratch_seal_key, &after, &resealed, &more)));
  assert_ok(businesses_next(db, 0, &found));
  assert_int_equal(found, 5);
  IN_TRANSACTION(
      db, scratch_call(db, 5, "CA1", "", NOW);
      (void)scratch_recording(db, 5, "RE1", "CA1", RECORDING_READY, RECORDING_RANK_REST, NOW); assert_ok(
          last_webhooks_put(db, &(struct last_webhook){.business_id = 5, .at = NOW, .kind = "call", .result = "ok"}));
      assert_int_equal(businesses_purge(db, 5, 10, &left), ERR_CONFLICT); assert_ok(businesses_remove(db, 5)));
  assert_ok(businesses_each(db, NULL, true, words_add_business, &rest));
  assert_string_equal(rest.text, "Acme 2:2 Acme 2:0");
  for (left = true; left;) IN_TRANSACTION(db, assert_ok(businesses_purge(db, 5, 10, &left)));
  struct recording row;
  struct call call;
  struct last_webhook webhook;
  assert_int_equal(recordings_get(db, 5, STR("RE1"), &row), ERR_NOT_FOUND);
  assert_int_equal(calls_get(db, 5, STR("CA1"), &call), ERR_NOT_FOUND);
  assert_int_equal(last_webhooks_get(db, 5, &webhook), ERR_NOT_FOUND);
  assert_ok(db_begin_immediate(db));
  assert_int_equal(businesses_add(db, scratch_seal_key, 5, &edit, &given), ERR_EXISTS); /* never given again */
  db_rollback(db);
}

static void the_last_webhook_is_the_newest(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct last_webhook w = {.business_id = 1, .at = NOW, .kind = "call", .result = "accepted"}, got;
  IN_TRANSACTION(db, assert_ok(last_webhooks_put(db, &w)); w.at = NOW - 1; memcpy(w.kind, "old", 4);
                 assert_ok(last_webhooks_put(db, &w)));
  assert_ok(last_webhooks_get(db, 1, &got));
  assert_string_equal(got.kind, "call");
  w.at = NOW + 1;
  IN_TRANSACTION(db, assert_ok(last_webhooks_put(db, &w)));
  assert_ok(last_webhooks_get(db, 1, &got));
  assert_string_equal(got.kind, "old");
}

/* ---- keys ---- */

static enum err count_key(void *arg, const struct key *k) {
  (void)k;
  ++*(int *)arg;
  return OK;
}

static void keys_are_made_used_and_revoked(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  char text[KEY_TEXT_SIZE];
  int64_t platform, admin, agent;
  IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  const struct key_wish wish = {
      .business_id = 1, .role = STR("agent"), .name = STR("n"), .made_by = STR("key:1"), .expires_at = NOW};
  IN_TRANSACTION(db, assert_ok(keys_create(db, 0, STR("platform"), STR(""), text, &platform));
                 assert_ok(keys_create(db, 1, STR("admin"), STR("desk"), text, &admin));
                 assert_ok(keys_make(db, &wish, text, &agent));
                 assert_int_equal(keys_create(db, 9, STR("admin"), STR(""), text, &platform), ERR_NOT_FOUND));
  struct key k;
  uint8_t digest[SHA256_SIZE];
  assert_ok(keys_check_ceiling(db, 1));
  assert_ok(keys_get(db, agent, &k));
  keys_digest(str_from(text), digest);
  assert_memory_equal(k.digest, digest, sizeof(digest));
  assert_true(k.business_id == 1 && k.expires_at == NOW && strcmp(k.made_by, "key:1") == 0);
  struct key found;
  assert_ok(keys_find_live(db, str_from(text), NOW - 1, &found));
  assert_true(found.key_id == agent && found.business_id == 1);
  assert_int_equal(keys_find_live(db, str_from(text), NOW, &found), ERR_NOT_FOUND);
  assert_int_equal(keys_find_live(db, STR("cr_no"), NOW - 1, &found), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(keys_note_use(db, agent, NOW)); assert_ok(keys_note_use(db, agent, NOW + 1)));
  assert_ok(keys_get(db, agent, &k));
  assert_int_equal(k.last_used_at, NOW);
  int all = 0, of_one = 0, unrevoked = 0, live = 0;
  IN_TRANSACTION(db, assert_ok(keys_revoke_by(db, 1, agent, STR("key:1")));
                 assert_int_equal(keys_revoke_by(db, 2, admin, STR("key:1")), ERR_NOT_FOUND);
                 assert_ok(keys_revoke_by(db, 0, platform, STR("command")));
                 assert_int_equal(keys_revoke_by(db, 0, platform, STR("command")), ERR_NOT_FOUND);
                 assert_ok(keys_revoke(db, platform)));
  assert_int_equal(keys_find_live(db, str_from(text), NOW - 1, &found), ERR_NOT_FOUND);
  assert_ok(keys_each(db, 0, count_key, &all));
  assert_ok(keys_each(db, 1, count_key, &of_one));
  assert_ok(keys_each_unrevoked(db, 1, count_key, &unrevoked));
  assert_ok(keys_each_live(db, count_key, &live));
  assert_true(all == 3 && of_one == 2 && unrevoked == 1 && live == 1);
  bool left;
  IN_TRANSACTION(db, assert_ok(keys_revoke_some(db, 1, &left)));
  assert_false(left);
  assert_ok(keys_get(db, admin, &k));
  assert_true(k.revoked_at > 0);
}

/* ---- sessions, links and URLs ---- */

static enum err count_session(void *arg, const struct session *s) {
  (void)s;
  ++*(int *)arg;
  return OK;
}
static enum err count_link(void *arg, const struct link *l) {
  (void)l;
  ++*(int *)arg;
  return OK;
}
static enum err count_url(void *arg, const struct url *u) {
  (void)u;
  ++*(int *)arg;
  return OK;
}

static void sessions_and_links_open_until_they_end(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  int64_t now = db_now_ms(db);
  struct session s = {.business_id = 1,
                      .role = "agent",
                      .subject = "noa",
                      .expires_at = now + 60000,
                      .made_by = "user:noa"},
                 got;
  struct link l = {.business_id = 1, .role = "viewer", .expires_at = now + 60000, .made_by = "command"}, found;
  char token[3][SESSION_TOKEN_SIZE], link[2][SESSION_TOKEN_SIZE];
  struct session_ended ended;
  IN_TRANSACTION(db, for (int i = 0; i < 3; i++) assert_ok(sessions_create(db, &s, token[i]));
                 assert_ok(links_create(db, &l, link[0])); assert_ok(links_create(db, &l, link[1])));
  assert_ok(sessions_find(db, str_from(token[0]), now, &got));
  assert_string_equal(got.subject, "noa");
  assert_int_equal(sessions_find(db, str_from(token[0]), now + 60000, &got), ERR_NOT_FOUND);
  int sessions = 0, links = 0;
  assert_ok(sessions_each(db, 1, now, count_session, &sessions));
  assert_ok(links_each(db, 1, now, count_link, &links));
  assert_true(sessions == 3 && links == 2);
  assert_ok(links_check_ceiling(db, 1));
  assert_ok(links_look(db, str_from(link[0]), now, &found));
  IN_TRANSACTION(db, assert_ok(links_use(db, str_from(link[0]), now, &found));
                 assert_int_equal(links_use(db, str_from(link[0]), now, &found), ERR_NOT_FOUND);
                 assert_ok(sessions_end(db, str_from(token[0])));
                 assert_ok(sessions_end_id(db, 0, str_from(s.id), &ended));
                 assert_ok(sessions_end_id(db, 1, str_from(l.id), &ended));
                 assert_int_equal(sessions_end_id(db, 1, str_from(l.id), &ended), ERR_NOT_FOUND));
  assert_int_equal(sessions_find(db, str_from(token[0]), now, &got), ERR_NOT_FOUND);
  assert_ok(sessions_find(db, str_from(token[1]), now, &got));
  bool more;
  IN_TRANSACTION(db, assert_ok(sessions_trim(db, now + 60000, &more)));
  assert_int_equal(sessions_find(db, str_from(token[1]), now, &got), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(sessions_create(db, &s, token[0])); assert_ok(sessions_end_all(db, 1)));
  assert_int_equal(sessions_find(db, str_from(token[0]), now, &got), ERR_NOT_FOUND);
}

static void a_credential_has_a_maximum_of_sessions(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  struct session s = {.business_id = 1, .role = "agent", .subject = "noa", .expires_at = db_now_ms(db) + 60000}, got;
  char first[SESSION_TOKEN_SIZE], token[SESSION_TOKEN_SIZE];
  IN_TRANSACTION(db, assert_ok(sessions_create(db, &s, first));
                 for (int i = 0; i < SESSIONS_PER_CREDENTIAL_MAX; i++) assert_ok(sessions_create(db, &s, token)));
  int count = 0;
  assert_ok(sessions_each(db, 1, db_now_ms(db), count_session, &count));
  assert_int_equal(count, SESSIONS_PER_CREDENTIAL_MAX);
  assert_ok(sessions_find(db, str_from(token), db_now_ms(db), &got));
}

static void signed_urls_are_in_force_until_they_end(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  int64_t now = db_now_ms(db), business;
  struct url u = {.business_id = 1, .recording_sid = "RE1", .made_by = "key:1", .expires_at = now + 60000}, v = u,
             w = u, of_none = {.business_id = 9};
  struct session s;
  int count = 0;
  bool more;
  IN_TRANSACTION(db, assert_ok(urls_add(db, &u)); assert_ok(urls_add(db, &v));
                 assert_int_equal(urls_add(db, &of_none), ERR_NOT_FOUND));
  assert_ok(urls_find(db, str_from(u.url_id), now, &s));
  assert_ok(urls_each(db, 1, now, INT64_MAX, STR(""), 10, count_url, &count));
  assert_int_equal(count, 2);
  IN_TRANSACTION(db, assert_ok(db_script(db, "update url_counts set urls = 100000 where business_id = 1"));
                 assert_int_equal(urls_add(db, &w), ERR_BUSY);
                 assert_ok(db_script(db, "update url_counts set urls = 2 where business_id = 1")));
  IN_TRANSACTION(db, assert_int_equal(urls_end(db, 2, str_from(u.url_id), &business), ERR_NOT_FOUND);
                 assert_ok(urls_end(db, 0, str_from(u.url_id), &business)); assert_ok(urls_end_all(db, 1)));
  assert_int_equal(urls_find(db, str_from(u.url_id), now, &s), ERR_NOT_FOUND);
  assert_int_equal(urls_find(db, str_from(v.url_id), now, &s), ERR_NOT_FOUND);
  IN_TRANSACTION(db, assert_ok(urls_trim(db, now + 60000, &more)));
  count = 0;
  assert_ok(urls_each(db, 1, now, INT64_MAX, STR(""), 10, count_url, &count));
  assert_int_equal(count, 0);
}

static void what_a_key_made_ends_no_later_than_the_key(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  IN_TRANSACTION(db, (void)scratch_business(db, "b"));
  int64_t now = db_now_ms(db), key_id;
  char text[KEY_TEXT_SIZE], token[SESSION_TOKEN_SIZE];
  struct key_wish wish = {.business_id = 1, .role = STR("agent"), .name = STR("n"), .made_by = STR("key:1")};
  struct session s = {.business_id = 1, .role = "agent", .expires_at = now + 60000}, got;
  struct url u = {.business_id = 1, .recording_sid = "RE1", .made_by = "key:1", .expires_at = now + 60000};
  for (int lives_ms = 1000; lives_ms <= 100000; lives_ms += 99000) {
    int64_t until = lives_ms < 60000 ? now + lives_ms : now + 60000;
    wish.expires_at = now + lives_ms;
    IN_TRANSACTION(db, assert_ok(keys_make(db, &wish, text, &key_id)); s.key_id = u.key_id = key_id;
                   assert_ok(sessions_create(db, &s, token)); assert_ok(urls_add(db, &u)));
    assert_ok(sessions_find(db, str_from(token), now, &got));
    assert_int_equal(got.expires_at, until);
    assert_ok(urls_find(db, str_from(u.url_id), now, &got));
    assert_int_equal(got.expires_at, until);
    assert_int_equal(sessions_find(db, str_from(token), until, &got), ERR_NOT_FOUND);
    assert_int_equal(urls_find(db, str_from(u.url_id), until, &got), ERR_NOT_FOUND);
  }
}

/* ---- settings and processes ---- */

static void a_setting_has_one_winner(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct buf first CLEANUP(buf_done) = BUF_INIT(64), second CLEANUP(buf_done) = BUF_INIT(64),
                   plain CLEANUP(buf_done) = BUF_INIT(64);
  IN_TRANSACTION(db, assert_ok(settings_put_if_absent(db, scratch_seal_key, "s", STR("mine"), &first));
                 assert_ok(settings_put_if_absent(db, scratch_seal_key, "s", STR("yours"), &second));
                 assert_ok(settings_reseal(db, scratch_seal_key, "s"));
                 assert_ok(settings_put(db, NULL, "p", STR("1"))); assert_ok(settings_put(db, NULL, "p", STR("2"))));
  assert_true(str_eq(buf_str(&first), STR("mine")) && str_eq(buf_str(&second), STR("mine")));
  assert_ok(settings_get(db, NULL, "p", &plain));
  assert_true(str_eq(buf_str(&plain), STR("2")));
  assert_int_equal(settings_get(db, NULL, "s", &plain), ERR_DENIED);
  assert_int_equal(settings_get(db, NULL, "none", &plain), ERR_NOT_FOUND);
}

static enum err words_add_node(void *arg, const struct node *n) {
  char text[NODE_ID_SIZE + 32];
  (void)snprintf(text, sizeof(text), "%s:%d:%lld", n->node_id, n->is_full, (long long)n->mark);
  words_add(arg, text);
  return OK;
}

static void processes_come_and_go(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  struct node a = {.node_id = "a",
                   .role = "worker",
                   .host = "h",
                   .version = "1",
                   .pid = 1,
                   .works = true,
                   .started_at = NOW,
                   .mark = INT64_C(1) << 40},
              b = {.node_id = "b", .role = "web", .host = "h", .pid = 2, .started_at = NOW + 1};
  IN_TRANSACTION(db, assert_ok(nodes_beat(db, &a)); assert_ok(nodes_beat(db, &b)));
  a.is_full = true;
  IN_TRANSACTION(db, assert_ok(nodes_beat(db, &a)); assert_ok(nodes_beat(db, &a)));
  struct nodes_workers workers;
  assert_ok(nodes_workers(db, db_now_ms(db), 60000, &workers));
  assert_true(workers.live == 1 && workers.full == 1 && workers.full_at > 0 && nodes_workers_are_full(&workers));
  struct words all = {""};
  assert_ok(nodes_each(db, words_add_node, &all));
  assert_string_equal(all.text, "a:1:1099511627776 b:0:0");
  IN_TRANSACTION(db, assert_ok(nodes_leave(db, STR("a"))));
  assert_ok(nodes_workers(db, db_now_ms(db), 60000, &workers));
  assert_int_equal(workers.live, 0);
}

/* ---- changes ---- */

static enum err words_add_change(void *arg, const struct change *c) {
  char text[SID_SIZE];
  assert_ok(str_copy(text, sizeof(text), c->id));
  words_add(arg, text);
  return OK;
}

static void changes_are_numbered_and_read_in_order(void **state) {
  struct db *db = ((struct contract *)*state)->db;
  int64_t oldest, newest, begin, last;
  assert_ok(changes_bounds(db, &oldest, &begin));
  IN_TRANSACTION(db, assert_ok(changes_add(db, CHANGE_CALL, 1, STR("CA1")));
                 assert_ok(changes_add(db, CHANGE_CALL, 2, STR("CA2"))));
  assert_ok(db_begin_immediate(db));
  assert_ok(changes_add(db, CHANGE_CALL, 1, STR("CAx")));
  db_rollback(db);
  IN_TRANSACTION(db, assert_ok(changes_add(db, CHANGE_RECORDING, 1, STR("RE1"))));
  assert_ok(changes_bounds(db, &oldest, &newest));
  assert_true(newest >= begin + 3);
  struct words all = {""}, of_one = {""};
  assert_ok(changes_read(db, 0, begin, 10, words_add_change, &all, &last));
  assert_string_equal(all.text, "CA1 CA2 RE1");
  assert_int_equal(last, newest);
  assert_ok(changes_read(db, 1, begin, 10, words_add_change, &of_one, &last));
  assert_string_equal(of_one.text, "CA1 RE1");
  assert_int_equal(changes_read(db, 0, newest + 1, 10, words_add_change, &all, &last), ERR_NOT_FOUND);
  bool more;
  IN_TRANSACTION(db, assert_ok(changes_trim(db, db_now_ms(db) + 2 * CHANGES_KEPT_MS, &more)));
  assert_false(more);
  assert_int_equal(changes_read(db, 0, begin, 10, words_add_change, &all, &last), ERR_NOT_FOUND);
}

struct heard {
  struct lock lock;
  struct lock_cond cond;
  struct words ids;
  int lost;
};

static void hear_change(void *arg, const struct change *c) {
  struct heard *h = arg;
  LOCKED(&h->lock);
  (void)words_add_change(&h->ids, c);
  lock_cond_signal(&h->cond);
}
static void hear_lost(void *arg) {
  struct heard *h = arg;
  LOCKED(&h->lock);
  h->lost++;
}

/* Waits until the follower has told so much. */
static void assert_heard(struct heard *h, const char *expected) {
  int64_t until = clock_mono_ms() + 10000;
  LOCKED(&h->lock);
  while (strcmp(h->ids.text, expected) != 0 && clock_mono_ms() < until)
    lock_cond_wait_ms(&h->cond, &h->lock, until - clock_mono_ms());
  assert_string_equal(h->ids.text, expected);
}

static void a_follower_hears_what_is_committed_after_it_began(void **state) {
  struct contract *c = *state;
  struct db *db = c->db;
  struct changes *changes = NULL;
  int64_t oldest, newest;
  struct heard h = {.ids = {""}};
  lock_init(&h.lock, "heard", LOCK_RANK_BASE);
  lock_cond_init(&h.cond);
  IN_TRANSACTION(db, assert_ok(changes_add(db, CHANGE_CALL, 1, STR("CA1"))));
  assert_ok(changes_new(&c->open, &changes));
  assert_ok(
      changes_subscribe(changes, &(struct changes_subscriber){.change = hear_change, .lost = hear_lost, .arg = &h}));
  assert_ok(changes_start(changes));
  IN_TRANSACTION(db, assert_ok(changes_add(db, CHANGE_CALL, 1, STR("CA2"))));
  changes_wake(changes);
  assert_heard(&h, "CA2");
  assert_ok(db_begin_immediate(db)); /* a number that is never committed stops nothing */
  assert_ok(changes_add(db, CHANGE_CALL, 1, STR("CAx")));
  assert_ok(changes_bounds(db, &oldest, &newest)); /* the row was sent by now */
  db_rollback(db);
  IN_TRANSACTION(db, assert_ok(changes_add(db, CHANGE_CALL, 1, STR("CA3"))));
  changes_wake(changes);
  assert_heard(&h, "CA2 CA3");
  changes_free(changes);
  assert_int_equal(h.lost, 0);
  lock_cond_done(&h.cond);
  lock_done(&h.lock);
}
