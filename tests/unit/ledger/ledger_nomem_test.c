/* ledger_nomem_test.c - each allocation in turn fails, ours and SQLite's. The result is an error or success, never a crash, a
 * leak or a partly written row. */
#include "ledger_scratch.h"

#include <sqlite3.h>

#include "ledger/changes.h"
#include "ledger/keys.h"
#include "ledger/nodes.h"
#include "ledger/sessions.h"
#include "ledger/settings.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static int64_t fail_at, allocations; /* fail_at: number of the allocation that fails; 0: none */
static sqlite3_mem_methods real_methods;

static bool fails(void) {
  return fail_at != 0 && ++allocations == fail_at;
}

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size) {
  return fails() ? NULL : __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size) {
  return fails() ? NULL : __real_realloc(p, size);
}
static void *sqlite_malloc(int size) {
  return fails() ? NULL : real_methods.xMalloc(size);
}
static void *sqlite_realloc(void *p, int size) {
  return fails() ? NULL : real_methods.xRealloc(p, size);
}

static enum err pass_business(void *arg, const struct business *b) {
  (void)arg;
  (void)b;
  return OK;
}

static enum err pass_change(void *arg, const struct change *c) {
  (void)arg;
  (void)c;
  return OK;
}

static enum err write_all(struct db *db) {
  static const struct str name = {"Acme", 4}, tokens[] = {{"first", 5}, {"second", 6}}, numbers[] = {{"+15550001", 9}};
  const struct business_edit edit = {
      .name = &name, .tokens = tokens, .api_secret = &name, .numbers = numbers, .number_count = 1, .set_numbers = true};
  int64_t id, key_id;
  bool told;
  char text[KEY_TEXT_SIZE], cookie[SESSION_TOKEN_SIZE], link[SESSION_TOKEN_SIZE];
  struct session session;
  struct link found;
  TRY(businesses_add(db, scratch_seal_key, 0, &edit, &id));
  TRY(businesses_set(db, scratch_seal_key, id, &(struct business_edit){.base_url = &name}, &told));
  TRY(keys_create(db, id, STR("agent"), STR("desk"), text, &key_id));
  TRY(sessions_create(db, &(struct session){id, "viewer", "ann", key_id, 1000}, cookie));
  TRY(sessions_find(db, str_from(cookie), 1, &session));
  TRY(links_create(db, &(struct link){id, "viewer", 1000}, link));
  TRY(links_use(db, str_from(link), 1, &found));
  struct buf b CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  TRY(settings_put_if_absent(db, scratch_seal_key, "name", STR("value"), &b));
  return nodes_beat(db, &(struct node){.node_id = "n", .role = "all", .host = "h"});
}

static enum err whole_run(const char *url) {
  struct db *db = NULL;
  TRY(db_open(&(struct db_open){.url = url}, NULL, &db));
  int64_t last;
  enum err e = db_begin_immediate(db);
  if (e == OK) e = write_all(db);
  if (e == OK) e = businesses_each(db, scratch_seal_key, true, pass_business, NULL);
  if (e == OK) e = changes_read(db, 0, 0, 100, pass_change, NULL, &last);
  db_rollback(db);
  db_close(db);
  return e;
}

static void every_allocation_may_fail(void **state) {
  struct scratch *s = *state;
  struct db *db = scratch_ledger(s);
  int64_t failed = 0;
  fail_at = INT64_MAX;
  allocations = 0;
  assert_int_equal(whole_run(s->url), OK);
  int64_t all = allocations;
  assert_true(all > 100);
  for (int64_t n = 1; n <= all; n += n < 400 ? 1 : 7) {
    allocations = 0;
    fail_at = n;
    enum err e = whole_run(s->url);
    fail_at = 0;
    assert_true(e == OK || e == ERR_NOMEM);
    failed += e != OK;
    assert_int_equal(scratch_int(db, "select count(*) from businesses"), 0);
  }
  assert_true(failed > 50);
  db_close(db);
}

int main(void) {
  sqlite3_mem_methods failing;
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_methods) != SQLITE_OK) return 1;
  failing = real_methods;
  failing.xMalloc = sqlite_malloc;
  failing.xRealloc = sqlite_realloc;
  if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK) return 1;
  if (sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK)
    return 1; /* else SQLite serves small allocations itself */
  const struct CMUnitTest tests[] = {SCRATCH_TEST(every_allocation_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
