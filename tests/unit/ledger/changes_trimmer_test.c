/* changes_trimmer_test.c - `changes` keeps its ceiling while many businesses edit all the time. */
#include "../sizes.h"
#include "ledger_scratch.h"

#include <semaphore.h>

#include "base/clock.h"
#include "ledger/changes.h"
#include "ledger/changes_trimmer.h"

/* Changes come 30 times as fast as the 1,000 a second that a service must bear. */
enum { BUSINESSES = 200, CHANGES_EACH = 10, EDIT_US = 300, CHANGES_ADDED = TEST_SIZE(30000, 3000) };

/* The endless edits of one business: each submits the next one. */
struct editor {
  struct db_writer *writer;
  int64_t business_id;
  atomic_bool *stop;
  sem_t ended;
};

static enum err edit_run(struct db *db, void *arg) {
  const struct editor *e = arg;
  int64_t until = clock_mono_us() + EDIT_US;
  while (clock_mono_us() < until) continue;
  for (int i = 0; i < CHANGES_EACH; i++)
    TRY(changes_add(db, CHANGE_CALL, e->business_id, STR("CA00000000000000000000000000000000")));
  return OK;
}

static void edit_submit(struct editor *e);

static void edit_done(void *arg, enum err e) {
  struct editor *editor = arg;
  if (e != OK) abort();
  if (atomic_load(editor->stop))
    sem_post(&editor->ended);
  else
    edit_submit(editor);
}

static void edit_submit(struct editor *e) {
  struct db_job job = {
      .name = METRIC_JOB_EDIT, .business_id = e->business_id, .run = edit_run, .done = edit_done, .arg = e};
  if (db_writer_submit(e->writer, job) != OK) abort();
}

/* Upkeep of another kind that never ends. */
static enum err endless_run(struct db *db, void *arg) {
  (void)arg;
  return db_run(db, "delete from call_documents_gone where document_id = 1");
}

static void fill_to_the_ceiling(struct db *db) {
  assert_int_equal(db_run(db,
                          "with recursive g(i) as (select 1 union all select i + 1 from g where i < ?1)"
                          " insert into changes (kind, business_id, id, at_ms) select 'call', 1, 'CA', ?2 from g",
                          DB_INT(CHANGES_KEPT), DB_INT(db_now_ms(db))),
                   OK);
}

static void the_ceiling_holds_while_many_businesses_edit(void **state) {
  static struct editor editors[BUSINESSES];
  struct scratch *s = *state;
  struct db *db = scratch_ledger(s);
  fill_to_the_ceiling(db);
  struct db_writer *writer;
  assert_int_equal(db_writer_new(&(struct db_writer_config){.open = {.url = s->url}}, &writer), OK);
  atomic_bool stop = false;
  static const bool always = true;
  struct db_job endless = {.name = METRIC_JOB_SEARCH, .class = DB_CLASS_UPKEEP, .run = endless_run, .more = &always};
  assert_int_equal(db_writer_submit(writer, endless), OK);
  for (int i = 0; i < BUSINESSES; i++) {
    editors[i] = (struct editor){.writer = writer, .business_id = 1 + i, .stop = &stop};
    sem_init(&editors[i].ended, 0, 0);
    edit_submit(&editors[i]);
  }
  struct changes_trimmer trimmer = {.writer = writer};
  int64_t oldest, newest = 0, most = 0;
  while (newest < CHANGES_KEPT + CHANGES_ADDED) {
    assert_int_equal(changes_bounds(db, &oldest, &newest), OK);
    if (newest - oldest + 1 > most) most = newest - oldest + 1;
    changes_trimmer_tick(&trimmer, newest, false);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < BUSINESSES; i++) {
    sem_wait(&editors[i].ended);
    sem_destroy(&editors[i].ended);
  }
  db_writer_free(writer);
  db_close(db);
  print_message("# at most %lld changes\n", (long long)most);
  if (most > CHANGES_KEPT + CHANGES_KEPT / 10) fail_msg("there were %lld changes", (long long)most);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(the_ceiling_holds_while_many_businesses_edit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
