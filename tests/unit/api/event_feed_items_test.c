#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/events/api_event_feed_items.h"

static size_t comparisons;

int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b) {
  comparisons++;
  return __real_strcmp(a, b);
}

static struct event_feed_items *items_new(void) {
  struct event_feed_items *t = calloc(1, sizeof(*t));
  assert_non_null(t);
  event_feed_items_init(t, INT64_MAX);
  return t;
}

static enum err add(struct event_feed_items *t, enum change_kind kind, const char *id, int64_t seq) {
  return event_feed_items_add(t, &(struct change){.seq = seq, .kind = kind, .business_id = 1, .id = str_from(id)});
}

static void require(const struct event_feed_items *t, const char *expected) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
  for (const struct event_feed_item *one = t->oldest; one; one = one->newer)
    assert_int_equal(buf_addf(&b, "%s%s%s@%lld ", one->change.kind == CHANGE_CALL ? "call " : "", one->change.id,
                              one->change.is_progress ? " (progress)" : "", (long long)one->change.seq),
                     OK);
  const char *text = "";
  if (b.n) assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, expected);
}

static void each_object_is_there_once_in_the_order_of_its_last_change(void **state) {
  (void)state;
  static const struct {
    enum change_kind kind;
    const char *id, *then;
  } steps[] = {
      {CHANGE_PROGRESS, "A", "A (progress)@1 "},
      {CHANGE_CALL, "A", "A (progress)@1 call A@2 "},
      {CHANGE_PROGRESS, "A", "call A@2 A (progress)@3 "},
      {CHANGE_RECORDING, "A", "call A@2 A@4 "},
      {CHANGE_PROGRESS, "A", "call A@2 A@5 "},
      {CHANGE_KEY, "A", "call A@2 A@5 "},
      {CHANGE_RECORDING, "B", "call A@2 A@5 B@7 "},
      {CHANGE_RECORDING, "A", "call A@2 B@7 A@8 "},
      {CHANGE_CALL, "A", "B@7 A@8 call A@9 "},
      {CHANGE_RECORDING, "0123456789012345678901234567890123456789", "B@7 A@8 call A@9 "},
  };
  struct event_feed_items *t = items_new();
  for (size_t i = 0; i < COUNT_OF(steps); i++) {
    assert_int_equal(add(t, steps[i].kind, steps[i].id, (int64_t)i + 1), OK);
    require(t, steps[i].then);
  }
  free(t);
}

static void each_of_many_changes_of_many_objects_costs_little(void **state) {
  (void)state;
  enum { CHANGES = 100 * EVENT_FEED_ITEMS_MAX };
  struct event_feed_items *t = items_new();
  char id[SID_SIZE];
  comparisons = 0;
  for (int i = 0; i < CHANGES; i++) {
    (void)snprintf(id, sizeof(id), "RE%d", i % EVENT_FEED_ITEMS_MAX);
    assert_int_equal(add(t, CHANGE_RECORDING, id, i + 1), OK);
  }
  assert_int_equal(t->count, EVENT_FEED_ITEMS_MAX);
  if (comparisons > 4 * CHANGES) fail_msg("%zu comparisons for %d changes", comparisons, CHANGES);
  assert_int_equal(add(t, CHANGE_RECORDING, "one more", CHANGES + 1), ERR_TOO_BIG);
  free(t);
}

static void an_object_that_shows_a_later_change_is_left_to_the_next_read(void **state) {
  (void)state;
  struct event_feed_items *t = items_new();
  t->final_seq = 4;
  static const struct {
    enum change_kind kind;
    const char *id;
  } changes[] = {{CHANGE_RECORDING, "A"}, {CHANGE_RECORDING, "B"}, {CHANGE_CALL, "A"},     {CHANGE_PROGRESS, "C"},
                 {CHANGE_RECORDING, "A"}, {CHANGE_PROGRESS, "B"},  {CHANGE_RECORDING, "D"}};
  for (size_t i = 0; i < COUNT_OF(changes); i++)
    assert_int_equal(add(t, changes[i].kind, changes[i].id, (int64_t)i + 1), OK);
  require(t, "A@1 B@2 call A@3 C (progress)@4 ");
  for (const struct event_feed_item *one = t->oldest; one; one = one->newer)
    assert_int_equal(one->is_later, one->change.seq == 1); /* progress alone shows no other state */
  free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_object_is_there_once_in_the_order_of_its_last_change),
      cmocka_unit_test(each_of_many_changes_of_many_objects_costs_little),
      cmocka_unit_test(an_object_that_shows_a_later_change_is_left_to_the_next_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
