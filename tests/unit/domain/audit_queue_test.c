#include "domain_scratch.h"

#include "base/clock.h"
#include "base/metric.h"
#include "domain/audit_queue.h"
#include "ledger/audit_chain.h"

static const uint8_t key[SECRET_KEY_SIZE];

struct stage {
  struct db *db;
  struct db_writer *writer;
  struct audit_queue *queue;
  int64_t lost_before;
};

static struct stage stage_new(const struct scratch *s) {
  struct stage t = {.db = scratch_ledger(s), .lost_before = metric_read(METRIC_AUDIT_LOST, 0, 0)};
  const struct db_writer_config config = {.open = {.url = s->url, .busy_ms = 1}};
  assert_int_equal(db_writer_new(&config, &t.writer), OK);
  assert_int_equal(audit_queue_new(t.writer, &t.queue), OK);
  return t;
}

static void stage_end(struct stage *t) {
  db_writer_free(t->writer);
  audit_queue_free(t->queue);
  db_close(t->db);
}

static void add(struct stage *t, int64_t business, int n) {
  char object[32];
  (void)snprintf(object, sizeof(object), "RE%d", n);
  const struct audit_entry entry = {
      .at = n, .actor = STR("key:1"), .role = STR("viewer"), .action = AUDIT_PLAY, .object = str_from(object)};
  audit_queue_add(t->queue, business, &entry);
}

static int64_t lost(const struct stage *t) {
  return metric_read(METRIC_AUDIT_LOST, 0, 0) - t->lost_before;
}

static void fail_on_fault(void *arg, const struct audit_fault *fault) {
  (void)arg, (void)fault;
  fail();
}

static void assert_chain(struct db *db, int64_t business, int64_t entries) {
  struct audit_chain c;
  bool more = true;
  assert_int_equal(audit_chain_begin(db, key, business, fail_on_fault, NULL, &c), OK);
  while (more) assert_int_equal(audit_chain_part(db, &c, &more), OK);
  assert_int_equal(c.entries, entries);
}

static void all_that_waits_is_written_in_its_order(void **state) {
  struct stage t = stage_new(*state);
  for (int i = 1; i <= 2000; i++) add(&t, 1 + i % 7, i);
  audit_queue_tick(t.queue);
  for (int i = 2001; i <= 3000; i++) add(&t, 1 + i % 7, i);
  audit_queue_flush(t.queue);
  for (int64_t b = 1; b <= 7; b++) assert_chain(t.db, b, 3000 / 7 + (b - 1 >= 1 && b - 1 <= 3000 % 7));
  assert_int_equal(scratch_int(t.db,
                               "select count(*) from audit a join audit b on b.business_id = a.business_id"
                               " and b.number = a.number + 1 and b.at < a.at"),
                   0);
  assert_int_equal(lost(&t), 0);
  stage_end(&t);
}

/* Rows after one tick, when the writer has run what that handed to it. */
static int64_t rows_after_tick(struct stage *t) {
  audit_queue_tick(t->queue);
  t->writer = db_writer_free(t->writer);
  return scratch_int(t->db, "select count(*) from audit");
}

static void what_comes_within_a_moment_is_written_together(void **state) {
  struct stage t = stage_new(*state);
  add(&t, 1, 1);
  add(&t, 1, 2);
  clock_test_advance_ms(-60 * 1000); /* however slow the machine is, they are not old */
  assert_int_equal(rows_after_tick(&t), 0);
  clock_test_advance_ms(60 * 1000);
  stage_end(&t);
}

static void the_oldest_entry_waits_no_longer_than_that(void **state) {
  struct stage t = stage_new(*state);
  add(&t, 1, 1);
  clock_test_advance_ms(AUDIT_QUEUE_GATHER_MS);
  add(&t, 1, 2);
  assert_int_equal(rows_after_tick(&t), 2);
  stage_end(&t);
}

static void a_full_part_waits_for_nothing(void **state) {
  struct stage t = stage_new(*state);
  for (int i = 1; i <= AUDIT_APPEND_MAX; i++) add(&t, 1, i);
  assert_int_equal(rows_after_tick(&t), AUDIT_APPEND_MAX);
  stage_end(&t);
}

static void a_business_that_adds_too_many_loses_its_own(void **state) {
  struct stage t = stage_new(*state);
  for (int i = 1; i <= AUDIT_QUEUE_BUSINESS_MAX + 5; i++) add(&t, 1, i);
  add(&t, 2, 1);
  assert_int_equal(lost(&t), 5);
  audit_queue_flush(t.queue);
  assert_chain(t.db, 1, AUDIT_QUEUE_BUSINESS_MAX);
  assert_chain(t.db, 2, 1);
  stage_end(&t);
}

static void entries_wait_for_a_database_that_is_away_and_then_are_counted(void **state) {
  struct stage t = stage_new(*state);
  assert_int_equal(db_begin_immediate(t.db), OK); /* another process holds the database */
  add(&t, 1, 1);
  audit_queue_flush(t.queue);
  assert_int_equal(lost(&t), 0);
  clock_test_advance_ms(AUDIT_QUEUE_WAIT_MS + 1);
  add(&t, 1, 2);
  audit_queue_flush(t.queue);
  assert_int_equal(lost(&t), 1);
  db_rollback(t.db);
  audit_queue_flush(t.queue);
  assert_chain(t.db, 1, 1);
  assert_int_equal(scratch_int(t.db, "select at from audit"), 2);
  stage_end(&t);
}

static void what_is_left_at_the_end_is_counted(void **state) {
  struct stage t = stage_new(*state);
  add(&t, 1, 1);
  stage_end(&t);
  assert_int_equal(metric_read(METRIC_AUDIT_LOST, 0, 0) - t.lost_before, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(all_that_waits_is_written_in_its_order),
      SCRATCH_TEST(what_comes_within_a_moment_is_written_together),
      SCRATCH_TEST(the_oldest_entry_waits_no_longer_than_that),
      SCRATCH_TEST(a_full_part_waits_for_nothing),
      SCRATCH_TEST(a_business_that_adds_too_many_loses_its_own),
      SCRATCH_TEST(entries_wait_for_a_database_that_is_away_and_then_are_counted),
      SCRATCH_TEST(what_is_left_at_the_end_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
