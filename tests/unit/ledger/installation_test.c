/* installation_test.c - schema, nodes, settings and the key file. */
#include "ledger_scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ledger/nodes.h"
#include "ledger/secrets_key.h"
#include "ledger/settings.h"

static void the_embedded_scripts_are_numbered_and_run(void **state) {
  static struct ledger_migrations migrations;
  assert_int_equal(ledger_migrations(DB_SQLITE, &migrations), OK);
  assert_true(migrations.count >= 2);
  for (size_t i = 0; i < migrations.count; i++) {
    assert_int_equal(migrations.all[i].number, i + 1);
    assert_int_equal(migrations.all[i].oldest, 0);
  }
  struct db *db = scratch_open(*state, 0);
  int applied, number;
  assert_int_equal(ledger_migrate(db, NULL, &applied), OK);
  assert_int_equal(applied, migrations.count);
  assert_int_equal(migrate_version(db, &number), OK);
  assert_int_equal(number, migrations.count);
  db_close(db);
}

static void a_worker_lives_while_it_was_seen_lately(void **state) {
  struct db *db = scratch_ledger(*state);
  struct node web = {.node_id = "a", .role = "web", .host = "h", .pid = 1, .started_at = 1};
  struct node worker = {.node_id = "b", .role = "worker", .host = "h", .pid = 2, .works = true, .started_at = 2};
  assert_int_equal(nodes_beat(db, &web), OK);
  assert_int_equal(nodes_beat(db, &worker), OK);
  assert_int_equal(nodes_beat(db, &worker), OK);
  int64_t seen = scratch_int(db, "select seen_at from nodes where node_id = 'b'");
  const struct {
    int64_t now, expected;
  } cases[] = {{seen, 1}, {seen + 30000, 1}, {seen + 30001, 0}, {seen - 30000, 1}, {seen - 30001, 0}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct nodes_workers found = {.live = -1};
    assert_int_equal(nodes_workers(db, cases[i].now, 30000, &found), OK);
    assert_int_equal(found.live, cases[i].expected);
  }
  struct nodes_workers found = {.live = -1};
  assert_int_equal(nodes_leave(db, STR("b")), OK);
  assert_int_equal(nodes_leave(db, STR("b")), OK);
  assert_int_equal(nodes_workers(db, seen, 30000, &found), OK);
  assert_int_equal(found.live, 0);
  db_close(db);
}

static void beat_as(struct db *db, const char *node_id, bool works, bool is_full) {
  struct node node = {.role = "all", .host = "h", .pid = 1, .works = works, .is_full = is_full, .started_at = 1};
  assert_int_equal(str_copy(node.node_id, sizeof(node.node_id), str_from(node_id)), OK);
  assert_int_equal(nodes_beat(db, &node), OK);
}

static void assert_workers(struct db *db, int64_t live, int64_t full, bool are_full) {
  struct nodes_workers found;
  assert_int_equal(nodes_workers(db, db_now_ms(db), 30000, &found), OK);
  assert_int_equal(found.live, live);
  assert_int_equal(found.full, full);
  assert_int_equal(nodes_workers_are_full(&found), are_full);
}

static void storage_is_full_when_every_worker_that_lives_is(void **state) {
  struct db *db = scratch_ledger(*state);
  assert_workers(db, 0, 0, false);
  beat_as(db, "web", false, false);
  beat_as(db, "a", true, true);
  assert_workers(db, 1, 1, true);
  beat_as(db, "b", true, false);
  assert_workers(db, 2, 1, false);
  beat_as(db, "b", true, true);
  assert_workers(db, 2, 2, true);
  int64_t since = scratch_int(db, "update nodes set full_at = 77 where node_id = 'a' returning full_at");
  beat_as(db, "a", true, true);
  assert_int_equal(scratch_int(db, "select full_at from nodes where node_id = 'a'"), since);
  beat_as(db, "a", true, false);
  assert_workers(db, 2, 1, false);
  db_close(db);
}

static enum err note_node(void *arg, const struct node *node) {
  *(struct node *)arg = *node;
  return OK;
}

static void nodes_long_gone_are_forgotten(void **state) {
  struct db *db = scratch_ledger(*state);
  struct node old = {.node_id = "old"},
              young = {.node_id = "young", .role = "all", .host = "h", .pid = 3, .started_at = 9};
  assert_int_equal(nodes_beat(db, &old), OK);
  assert_int_equal(db_script(db, "update nodes set seen_at = 1"), OK);
  assert_int_equal(nodes_beat(db, &young), OK);
  struct node found = {.node_id = ""};
  assert_int_equal(nodes_each(db, note_node, &found), OK);
  young.seen_at = found.seen_at;
  assert_memory_equal(&found, &young, sizeof(young));
  assert_int_equal(scratch_int(db, "select count(*) from nodes"), 1);
  db_close(db);
}

static void the_first_of_a_setting_wins(void **state) {
  static const uint8_t *const keys[] = {NULL, scratch_seal_key};
  struct db *db = scratch_ledger(*state);
  for (size_t i = 0; i < COUNT_OF(keys); i++) {
    const char *name = i == 0 ? "store_id" : "url_signing_key";
    struct buf winner = BUF_INIT(SETTING_VALUE_MAX);
    assert_int_equal(settings_get(db, keys[i], name, &winner), ERR_NOT_FOUND);
    assert_int_equal(settings_put_if_absent(db, keys[i], name, STR("mine"), &winner), OK);
    assert_true(str_eq(buf_str(&winner), STR("mine")));
    buf_clear(&winner);
    assert_int_equal(settings_put_if_absent(db, keys[i], name, STR("theirs"), &winner), OK);
    assert_true(str_eq(buf_str(&winner), STR("mine")));
    buf_clear(&winner);
    assert_int_equal(settings_put(db, keys[i], name, STR("new")), OK);
    assert_int_equal(settings_get(db, keys[i], name, &winner), OK);
    assert_true(str_eq(buf_str(&winner), STR("new")));
    buf_done(&winner);
  }
  db_close(db);
}

static void a_sealed_setting_opens_under_its_own_name_with_its_key(void **state) {
  static const uint8_t other_key[SECRET_KEY_SIZE] = "another key, another key, anothe";
  struct db *db = scratch_ledger(*state);
  struct buf b = BUF_INIT(SETTING_VALUE_MAX);
  assert_int_equal(settings_put(db, scratch_seal_key, "one", STR("value")), OK);
  assert_int_equal(db_script(db, "insert into settings select 'two', value, sealed, made_at from settings"), OK);
  assert_int_equal(settings_get(db, scratch_seal_key, "one", &b), OK);
  assert_int_equal(settings_get(db, scratch_seal_key, "two", &b), ERR_CORRUPT);
  assert_int_equal(settings_get(db, other_key, "one", &b), ERR_CORRUPT);
  assert_int_equal(settings_get(db, NULL, "one", &b), ERR_DENIED);
  assert_true(str_eq(buf_str(&b), STR("value")));
  buf_done(&b);
  db_close(db);
}

static void a_configured_key_is_32_bytes_in_base64(void **state) {
  static const struct {
    const char *text;
    enum err e;
  } cases[] = {
      {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", OK},
      {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", OK},
      {"", ERR_INVALID},
      {"c2hvcnQ=", ERR_INVALID},
      {"not base64!", ERR_INVALID},
      {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZmZg==", ERR_INVALID},
  };
  struct scratch *s = *state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    uint8_t key[SECRET_KEY_SIZE];
    struct buf problem = BUF_INIT(4096);
    assert_int_equal(secrets_key_load(cases[i].text, s->dir, &problem, key), cases[i].e);
    assert_int_equal(problem.n > 0, cases[i].e != OK);
    if (cases[i].e == OK) assert_memory_equal(key, "0123456789abcdef0123456789abcdef", sizeof(key));
    buf_done(&problem);
  }
}

static void the_key_is_made_once_for_its_owner_alone(void **state) {
  struct scratch *s = *state;
  uint8_t first[SECRET_KEY_SIZE], second[SECRET_KEY_SIZE];
  char path[128];
  struct stat st;
  assert_int_equal(secrets_key_load(NULL, s->dir, NULL, first), OK);
  assert_int_equal(secrets_key_load(NULL, s->dir, NULL, second), OK);
  assert_memory_equal(first, second, sizeof(first));
  (void)snprintf(path, sizeof(path), "%s/secrets.key", s->dir);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_int_equal(st.st_nlink, 1);

  assert_int_equal(chmod(path, 0640), 0);
  struct buf problem = BUF_INIT(4096);
  assert_int_equal(secrets_key_load(NULL, s->dir, &problem, second), ERR_DENIED);
  assert_true(str_contains(buf_str(&problem), STR("chmod 600")));
  buf_done(&problem);
}

static void processes_that_race_agree_on_one_key(void **state) {
  enum { CHILDREN = 6 };
  struct scratch *s = *state;
  int start[2], keys[2];
  assert_int_equal(pipe(start), 0);
  assert_int_equal(pipe(keys), 0);
  pid_t pids[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    pids[i] = fork();
    if (pids[i] != 0) continue;
    char c;
    uint8_t key[SECRET_KEY_SIZE];
    close(start[1]);
    if (read(start[0], &c, 1) != 0 || secrets_key_load(NULL, s->dir, NULL, key) != OK) _exit(1);
    _exit(write(keys[1], key, sizeof(key)) == (ssize_t)sizeof(key) ? 0 : 2);
  }
  close(start[0]);
  close(start[1]);
  uint8_t first[SECRET_KEY_SIZE], other[SECRET_KEY_SIZE];
  for (int i = 0; i < CHILDREN; i++) {
    int status;
    assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    assert_int_equal(status, 0);
    assert_int_equal(read(keys[0], i == 0 ? first : other, sizeof(other)), sizeof(other));
    if (i > 0) assert_memory_equal(first, other, sizeof(first));
  }
  close(keys[0]);
  close(keys[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(the_embedded_scripts_are_numbered_and_run),
      SCRATCH_TEST(a_worker_lives_while_it_was_seen_lately),
      SCRATCH_TEST(storage_is_full_when_every_worker_that_lives_is),
      SCRATCH_TEST(nodes_long_gone_are_forgotten),
      SCRATCH_TEST(the_first_of_a_setting_wins),
      SCRATCH_TEST(a_sealed_setting_opens_under_its_own_name_with_its_key),
      SCRATCH_TEST(a_configured_key_is_32_bytes_in_base64),
      SCRATCH_TEST(the_key_is_made_once_for_its_owner_alone),
      SCRATCH_TEST(processes_that_race_agree_on_one_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
