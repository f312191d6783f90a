#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "domain/fields.h"

static void tell(struct fields *f, struct delivery_rank rank, const char *name, const char *value, bool changes) {
  static struct delivery_part part;
  bool changed = !changes;
  part.rank = rank;
  part.count = 1;
  part.fields[0] = (struct delivery_field){str_from(name), str_from(value)};
  size_t dropped;
  assert_int_equal(fields_merge(f, &part, &changed, &dropped), OK);
  assert_int_equal(changed, changes);
}

static void require_text(const struct fields *f, const char *text) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  const char *got;
  assert_int_equal(fields_write(f, &b), OK);
  assert_int_equal(buf_terminate(&b, &got), OK);
  assert_string_equal(got, text);
}

static void the_highest_rank_wins(void **state) {
  (void)state;
  /* each wins over the one before it */
  static const struct delivery_rank ranks[] = {{false, -1, -1, 0}, {false, -1, -1, 5}, {false, -1, 1000, 0},
                                               {false, 0, 0, 0},   {false, 1, -1, 0},  {true, -1, -1, 0},
                                               {true, 0, 0, 0}};
  struct fields *f;
  assert_int_equal(fields_read(STR_NONE, &f), OK);
  for (size_t i = 0; i < COUNT_OF(ranks); i++) {
    char value[8];
    (void)snprintf(value, sizeof(value), "v%zu", i);
    tell(f, ranks[i], "status", value, true);
    for (size_t lower = 0; lower <= i; lower++) tell(f, ranks[lower], "status", "a", false);
    assert_true(str_eq(fields_get(f, "status"), str_from(value)));
  }
  fields_free(f);
}

static void the_greater_value_wins_among_equal_ranks(void **state) {
  (void)state;
  struct fields *f;
  const struct delivery_rank rank = {true, 1, 2, 3};
  assert_int_equal(fields_read(STR_NONE, &f), OK);
  tell(f, rank, "a", "m", true);
  tell(f, rank, "a", "b", false);
  tell(f, rank, "a", "z\"\\\xd7\x93", true);
  require_text(f, "{\"a\":[\"z\\\"\\\\\xd7\x93\",1,1,2,3]}");
  fields_free(f);
}

static void a_written_document_is_read_back_unchanged(void **state) {
  (void)state;
  struct fields *f;
  static const char text[] = "{\"from\":[\"+15550100\",0,-1,-1,2],\"to\":[\"x\",1,9,9,9]}";
  assert_int_equal(fields_read(str_from(text), &f), OK);
  require_text(f, text);
  assert_true(str_eq(fields_get(f, "from"), STR("+15550100")));
  assert_null(fields_get(f, "nobody").p);
  fields_free(f);
}

static void a_damaged_document_is_refused(void **state) {
  (void)state;
  static const char *const cases[] = {"[]",
                                      "{",
                                      "{\"a\":1}",
                                      "{\"a\":[\"x\",1,2,3]}",
                                      "{\"a\":[1,1,2,3,4]}",
                                      "{\"a\":[\"x\",1,2,3,\"4\"]}",
                                      "{\"a\":[\"x\",1,2,3,4],\"a\":[\"x\",1,2,3,4]}",
                                      "{} x",
                                      "{\"a\":[\"\xff\",1,2,3,4]}"};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct fields *f = NULL;
    assert_int_equal(fields_read(str_from(cases[i]), &f), ERR_CORRUPT);
    assert_null(f);
  }
}

/* Merges one field; true if there was room for it. */
static bool is_taken(struct fields *f, struct delivery_rank rank, struct str name, struct str value) {
  static struct delivery_part part;
  bool changed;
  size_t dropped;
  part.rank = rank;
  part.count = 1;
  part.fields[0] = (struct delivery_field){name, value};
  assert_int_equal(fields_merge(f, &part, &changed, &dropped), OK);
  assert_int_equal(changed, dropped == 0);
  return changed;
}

static const struct delivery_rank early = {.sequence = 0}, later = {.sequence = 1};

static void further_fields_beyond_their_number_are_dropped(void **state) {
  (void)state;
  struct fields *f;
  char name[16];
  assert_int_equal(fields_read(STR_NONE, &f), OK);
  for (int i = 0; i < 300; i++) {
    (void)snprintf(name, sizeof(name), "n%d", i);
    assert_true(is_taken(f, early, str_from(name), STR("v")));
  }
  assert_false(is_taken(f, later, STR("one more"), STR("v")));
  assert_true(is_taken(f, later, STR("n7"), STR("w")));
  assert_true(is_taken(f, early, STR(CALL_FIELD_FROM), STR("+15550100")));
  assert_true(is_taken(f, later, STR(CALL_FIELD_FROM), STR("+15550101")));
  fields_free(f);
}

static void further_fields_that_are_too_long_are_dropped(void **state) {
  (void)state;
  struct fields *f;
  static char text[5000];
  memset(text, 'x', sizeof(text));
  assert_int_equal(fields_read(STR_NONE, &f), OK);
  assert_true(is_taken(f, early, str_of(text, 128), STR("v")));
  assert_false(is_taken(f, early, str_of(text, 129), STR("v")));
  assert_true(is_taken(f, early, STR("note"), str_of(text, 4096)));
  assert_false(is_taken(f, later, STR("note"), str_of(text, 4097)));
  assert_false(is_taken(f, early, STR("other"), str_of(text, 4097)));
  fields_free(f);
}

static void further_fields_beyond_their_bytes_are_dropped_until_there_is_room(void **state) {
  (void)state;
  struct fields *f;
  static char text[4096];
  char name[16];
  memset(text, '\1', sizeof(text));
  assert_int_equal(fields_read(STR_NONE, &f), OK);
  for (int i = 0; i < 15; i++) {
    (void)snprintf(name, sizeof(name), "n%02d", i);
    assert_true(is_taken(f, early, str_from(name), str_of(text, sizeof(text))));
  }
  assert_true(is_taken(f, early, STR("rest"), str_of(text, 65536 - 15 * (4096 + 3) - 4)));
  assert_false(is_taken(f, early, STR("one more"), STR("v")));
  struct buf b CLEANUP(buf_done) = BUF_INIT(FIELDS_TEXT_MAX);
  assert_int_equal(fields_write(f, &b), OK);
  static struct delivery_part part;
  part = (struct delivery_part){
      .rank = later, .count = 2, .fields = {{STR("one more"), STR("v")}, {STR("n00"), STR("v")}}};
  bool changed;
  size_t dropped;
  assert_int_equal(fields_merge(f, &part, &changed, &dropped), OK);
  assert_true(changed && dropped == 0);
  assert_int_equal(fields_merge(f, &part, &changed, &dropped), OK);
  assert_false(changed);
  fields_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_highest_rank_wins),
      cmocka_unit_test(the_greater_value_wins_among_equal_ranks),
      cmocka_unit_test(a_written_document_is_read_back_unchanged),
      cmocka_unit_test(a_damaged_document_is_refused),
      cmocka_unit_test(further_fields_beyond_their_number_are_dropped),
      cmocka_unit_test(further_fields_that_are_too_long_are_dropped),
      cmocka_unit_test(further_fields_beyond_their_bytes_are_dropped_until_there_is_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
