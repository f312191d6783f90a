#include "rows_scratch.h"

#include "ledger/calls_upkeep.h"

#define NOW SCRATCH_NOW

static const char *top_of(struct db *db, const char *sid) {
  static struct call c;
  assert_int_equal(calls_get(db, 1, str_from(sid), &c), OK);
  return c.top_sid;
}

/* A tree of five legs on three levels, and a leg whose parent is not known. */
static const struct leg {
  const char *sid, *parent, *top;
} legs[] = {{"CA1", "", "CA1"},
            {"CA11", "CA1", "CA1"},
            {"CA12", "CA1", "CA1"},
            {"CA121", "CA12", "CA1"},
            {"CA9", "CA404", "CA9"}};

static void legs_in_every_order_have_the_same_top(void **state) {
  struct db *db = scratch_ledger(*state);
  for (int n = 0; n < 120; n++) {
    int left[5] = {0, 1, 2, 3, 4}, rest = n;
    for (int i = 0; i < 5; i++) {
      int pick = rest % (5 - i);
      rest /= 5 - i;
      const struct leg *leg = &legs[left[pick]];
      memmove(&left[pick], &left[pick + 1], sizeof(int) * (size_t)(4 - pick));
      scratch_call(db, 1, leg->sid, leg->parent, NOW + n);
    }
    for (size_t i = 0; i < COUNT_OF(legs); i++) assert_string_equal(top_of(db, legs[i].sid), legs[i].top);
    assert_int_equal(scratch_int(db, "select count(*) from calls"),
                     scratch_int(db, "select count(*) from call_documents"));
    assert_int_equal(db_run(db, "delete from calls"), OK);
    int count;
    assert_int_equal(calls_upkeep_delete(db, 100, &count), OK);
    assert_int_equal(scratch_int(db, "select count(*) from call_documents"), 0);
  }
  db_close(db);
}

static void a_leg_that_gets_another_parent_takes_its_own_along(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "", NOW);
  scratch_call(db, 1, "CA2", "", NOW);
  scratch_call(db, 1, "CA3", "CA1", NOW);
  scratch_call(db, 1, "CA4", "CA3", NOW);
  scratch_call(db, 1, "CA3", "CA2", NOW);
  assert_string_equal(top_of(db, "CA3"), "CA2");
  assert_string_equal(top_of(db, "CA4"), "CA2");
  db_close(db);
}

static void a_chain_of_parents_that_closes_does_not_hang(void **state) {
  struct db *db = scratch_ledger(*state);
  scratch_call(db, 1, "CA1", "CA3", NOW);
  scratch_call(db, 1, "CA2", "CA1", NOW);
  scratch_call(db, 1, "CA3", "CA2", NOW);
  scratch_call(db, 1, "CA7", "CA7", NOW);
  assert_string_equal(top_of(db, "CA1"), "CA1");
  assert_string_equal(top_of(db, "CA2"), "CA1");
  assert_string_equal(top_of(db, "CA3"), "CA1");
  assert_string_equal(top_of(db, "CA7"), "CA7");
  db_close(db);
}

static enum err add_leg(void *arg, struct str sid) {
  struct buf *b = arg;
  TRY(buf_add(b, sid));
  return buf_add_char(b, ' ');
}

static void the_legs_of_a_call_are_its_parent_and_children(void **state) {
  struct db *db = scratch_ledger(*state);
  for (size_t i = 0; i < COUNT_OF(legs); i++) scratch_call(db, 1, legs[i].sid, legs[i].parent, NOW);
  scratch_call(db, 2, "CA13", "CA1", NOW);
  static const struct { const char *of, *legs; } cases[] = {{"CA1", "CA11 CA12 "}, {"CA12", "CA1 CA121 "}, {"CA9", ""}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
    assert_int_equal(calls_legs(db, 1, str_from(cases[i].of), add_leg, &b), OK);
    assert_true(str_eq(buf_str(&b), str_from(cases[i].legs)));
  }
  db_close(db);
}

static void fields_of_the_host_survive_webhooks(void **state) {
  struct db *db = scratch_ledger(*state);
  struct call c;
  struct str name = STR("Dana"), ref = STR("42"), metadata = STR("{\"a\":1}"), none = STR("");
  scratch_call(db, 1, "CA1", "", NOW);
  assert_int_equal(calls_set_host(db, 1, STR("CA1"),
                                  &(struct calls_host){.customer_name = &name, .ref = &ref, .metadata = &metadata}),
                   OK);
  scratch_call(db, 1, "CA1", "", NOW + 1);
  assert_int_equal(calls_set_host(db, 1, STR("CA1"), &(struct calls_host){.ref = &none}), OK);
  assert_int_equal(calls_get(db, 1, STR("CA1"), &c), OK);
  assert_string_equal(c.customer_name, "Dana");
  assert_string_equal(c.ref, "");
  assert_string_equal(c.metadata, "{\"a\":1}");
  assert_int_equal(calls_set_host(db, 2, STR("CA1"), &(struct calls_host){.customer_name = &name}), ERR_NOT_FOUND);
  db_close(db);
}

/* Triggers have a short way for calls that are new. */
static void a_new_call_has_the_facets_that_are_found_when_all_are_looked_at_again(void **state) {
  static const char *const directions[] = {"", "inbound", "outbound"}, *const addresses[] = {
                                                                           "",           "+15550100",
                                                                           "client:noa", "sip:dan@example.com",
                                                                           "SIPS:dan@x", "anonymous"};
  struct db *db = scratch_ledger(*state);
  int n = 0;
  for (size_t d = 0; d < COUNT_OF(directions); d++)
    for (size_t i = 0; i < COUNT_OF(addresses) * COUNT_OF(addresses); i++, n++)
      for (int kin = 0; kin < 3; kin++) { /* a child that comes first, its parent, and a call without either */
        struct call c = {.business_id = 1, .duration_s = kin - 1, .first_seen_at = NOW + n};
        (void)snprintf(c.call_sid, sizeof(c.call_sid), "CA%d-%d", n, kin);
        if (kin == 0) (void)snprintf(c.parent_call_sid, sizeof(c.parent_call_sid), "CA%d-1", n);
        (void)snprintf(c.direction, sizeof(c.direction), "%s", directions[d]);
        (void)snprintf(c.from_number, sizeof(c.from_number), "%s", addresses[i % COUNT_OF(addresses)]);
        (void)snprintf(c.to_number, sizeof(c.to_number), "%s", addresses[i / COUNT_OF(addresses)]);
        assert_int_equal(scratch_put(db, &c), OK);
      }
  assert_int_equal(db_script(db,
                             "create temp table had as select * from call_facets;"
                             "insert into call_facets_due select business_id, call_sid from calls"),
                   OK);
  assert_int_equal(scratch_int(db, "select count(*) from had"), 3 * n);
  assert_int_equal(scratch_int(db, "select count(*) from (select * from had except select * from call_facets)"), 0);
  assert_true(scratch_int(db, "select count(*) from call_facets where agent = 'noa' and own_number is not null") > 9);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(legs_in_every_order_have_the_same_top),
      SCRATCH_TEST(a_leg_that_gets_another_parent_takes_its_own_along),
      SCRATCH_TEST(a_chain_of_parents_that_closes_does_not_hang),
      SCRATCH_TEST(the_legs_of_a_call_are_its_parent_and_children),
      SCRATCH_TEST(fields_of_the_host_survive_webhooks),
      SCRATCH_TEST(a_new_call_has_the_facets_that_are_found_when_all_are_looked_at_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
