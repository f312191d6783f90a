/* changes_postgres_test.c - numbers of changes that come in another order than their commits. */
#include "postgres_scratch.h"

#include "base/clock.h"
#include "ledger/changes.h"
#include "ledger/changes_postgres.h"

struct told {
  int64_t seq[16];
  size_t count;
};

static enum err note_row(void *arg, struct db_rows *q, int first) {
  struct told *told = arg;
  assert_true(told->count < COUNT_OF(told->seq));
  told->seq[told->count++] = db_int(q, first);
  return OK;
}

/* A second connection to the same schema. */
static struct db *open_beside(struct db *db) {
  struct db_rows q = DB_ROWS;
  char schema[64];
  struct db *other = NULL;
  assert_int_equal(db_query(db, &q, DB_FOR_POSTGRES "select current_schema::text"), OK);
  assert_int_equal(db_next(&q), OK);
  assert_int_equal(str_copy(schema, sizeof(schema), db_text(&q, 0)), OK);
  db_rows_done(&q);
  assert_int_equal(db_open(&(struct db_open){.url = getenv("CALLREEL_TEST_POSTGRES"), .schema = schema}, NULL, &other),
                   OK);
  return other;
}

static void add_change(struct db *db) {
  assert_int_equal(changes_add(db, CHANGE_CALL, 1, STR("CA1")), OK);
}

static bool look(struct db *db, struct changes_position *look, struct told *told) {
  bool more, stuck, lost;
  assert_int_equal(changes_position_read(db, look, 10, note_row, told, &more, &stuck, &lost), OK);
  assert_false(lost);
  return stuck;
}

/* Two transactions: the first number is taken by the one that is still open. */
struct race {
  struct db *open, *quick, *follower;
  struct changes_position look;
  struct told told;
};

static struct race race_begin(void) {
  struct race r = {.follower = scratch_postgres()};
  r.open = open_beside(r.follower);
  r.quick = open_beside(r.follower);
  assert_int_equal(changes_position_begin(r.follower, &r.look), OK);
  assert_int_equal(db_script(r.open, "begin"),
                   OK); /* without the lock of db_begin_immediate: a writer that is not ours */
  assert_int_equal(db_script(r.open, "insert into changes (kind, business_id, id, at_ms) values ('call', 1, 'CA1', 1)"),
                   OK);
  add_change(r.quick);
  return r;
}

static void look_until_settled(struct race *r) {
  int64_t until = clock_kernel_ms() + 30000;
  while (look(r->follower, &r->look, &r->told)) assert_true(clock_kernel_ms() < until);
}

static void race_end(struct race *r) {
  db_close(r->open);
  db_close(r->quick);
  scratch_postgres_drop(r->follower);
}

static void a_later_number_waits_for_an_earlier_one_that_is_open(void **state) {
  (void)state;
  struct race r = race_begin();
  assert_true(look(r.follower, &r.look, &r.told));
  clock_test_advance_ms(1000);
  assert_true(look(r.follower, &r.look, &r.told)); /* takes an id of its own */
  assert_true(look(r.follower, &r.look, &r.told)); /* no clock decides */
  assert_int_equal(r.told.count, 0);
  assert_int_equal(db_script(r.open, "commit"), OK);
  assert_false(look(r.follower, &r.look, &r.told));
  assert_int_equal(r.told.count, 2);
  assert_int_equal(r.told.seq[0] + 1, r.told.seq[1]);
  race_end(&r);
}

static enum err note_change(void *arg, const struct change *change) {
  struct told *told = arg;
  assert_true(told->count < COUNT_OF(told->seq));
  told->seq[told->count++] = change->seq;
  return OK;
}

/* A reader's transaction begins between the commits of two numbers, the greater one first. The follower then passes both; what
 * the transaction sees is final up to what the follower had passed before it. */
static void a_transaction_covers_only_what_was_final_before_it_began(void **state) {
  (void)state;
  struct race r = race_begin();
  struct db *reader = open_beside(r.follower);
  struct told seen = {.count = 0}, later = {.count = 0};
  int64_t oldest, newest, last, before = changes_final(reader);
  assert_int_equal(before, r.look.low);
  assert_int_equal(db_begin(reader), OK);
  assert_int_equal(changes_bounds(reader, &oldest, &newest), OK);
  assert_int_equal(db_script(r.open, "commit"), OK);
  assert_false(look(r.follower, &r.look, &r.told));
  assert_int_equal(r.told.count, 2);
  assert_int_equal(changes_read(reader, 1, oldest - 1, 10, note_change, &seen, &last), OK);
  db_rollback(reader);
  assert_int_equal(seen.count, 1); /* the greater one: it is not final */
  assert_true(seen.seq[0] > before && seen.seq[0] == r.told.seq[1]);
  int64_t now_final = changes_final(reader);
  assert_int_equal(now_final, r.told.seq[1]); /* too great for the transaction above */
  assert_int_equal(changes_read(reader, 1, before, 10, note_change, &later, &last), OK);
  assert_int_equal(later.count, 2);
  db_close(reader);
  race_end(&r);
}

static void a_number_that_was_rolled_back_is_passed(void **state) {
  (void)state;
  struct race r = race_begin();
  assert_true(look(r.follower, &r.look, &r.told));
  assert_int_equal(db_script(r.open, "rollback"), OK);
  clock_test_advance_ms(1000);
  assert_true(look(r.follower, &r.look, &r.told));
  look_until_settled(&r); /* transactions of other tests on the server may still run */
  assert_int_equal(r.told.count, 1);
  add_change(r.quick);
  assert_false(look(r.follower, &r.look, &r.told));
  assert_int_equal(r.told.count, 2);
  race_end(&r);
}

static void another_epoch_has_greater_numbers_and_is_noticed(void **state) {
  (void)state;
  struct db *db = scratch_postgres();
  struct changes_epoch first = CHANGES_EPOCH, second = CHANGES_EPOCH,
                       ahead = {.epoch = 7, .nonce = "of another server"};
  assert_int_equal(changes_enter(db, &first), OK);
  assert_int_equal(changes_enter(db, &second), OK);
  assert_string_equal(first.nonce, second.nonce);
  assert_int_equal(db_reopened(db), 0);
  add_change(db);
  int64_t oldest, before, after;
  assert_int_equal(changes_bounds(db, &oldest, &before), OK);
  assert_int_equal(changes_enter(db, &ahead), OK); /* this server lost its tail */
  assert_int_equal(ahead.epoch, 8);
  assert_int_equal(db_reopened(db), 1);
  assert_int_equal(changes_enter(db, &first), OK);
  assert_int_equal(first.epoch, 8);
  assert_string_equal(first.nonce, ahead.nonce);
  assert_int_equal(db_reopened(db), 2);
  add_change(db);
  assert_int_equal(changes_bounds(db, &oldest, &after), OK);
  assert_true(after > before && after >> 40 == 8);
  scratch_postgres_drop(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_later_number_waits_for_an_earlier_one_that_is_open),
                                     cmocka_unit_test(a_transaction_covers_only_what_was_final_before_it_began),
                                     cmocka_unit_test(a_number_that_was_rolled_back_is_passed),
                                     cmocka_unit_test(another_epoch_has_greater_numbers_and_is_noticed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
