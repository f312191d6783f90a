#include "ledger_scratch.h"

#include <stdlib.h>

#include "ledger/audit_chain.h"
#include "ledger/audit_list.h"

#define NOW INT64_C(1790000000000)
#define DAY INT64_C(86400000)

static const uint8_t key[SECRET_KEY_SIZE] = "a key of thirty-two bytes, here";
static const uint8_t other_key[SECRET_KEY_SIZE] = "another key of thirty-two bytes";

static void append_at(struct db *db, int64_t business, int64_t at, const char *actor, enum audit_action action,
                      const char *object) {
  const struct audit_entry entry = {.at = at,
                                    .actor = str_from(actor),
                                    .role = STR("agent"),
                                    .action = action,
                                    .object = str_from(object),
                                    .ip = STR("192.0.2.1"),
                                    .details = STR("{}")};
  assert_int_equal(audit_append(db, business, &entry), OK);
}

/* Entries 1 … count, a second apart. */
static void append_some(struct db *db, int64_t business, int count) {
  char object[32];
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 1; i <= count; i++) {
    (void)snprintf(object, sizeof(object), "RE%d", i);
    append_at(db, business, NOW + 1000 * i, i % 2 ? "key:1" : "user:dana", i % 3 ? AUDIT_PLAY : AUDIT_DOWNLOAD, object);
  }
  assert_int_equal(db_commit(db), OK);
}

/* ---- verifying ---- */

struct faults {
  char text[400]; /* "kind first-last " for each */
};

static void note_fault(void *arg, const struct audit_fault *f) {
  static const char *const names[] = {"changed",    "missing", "inserted", "before", "head",
                                      "checkpoint", "summary", "expected", "cut"};
  struct faults *all = arg;
  size_t n = strlen(all->text);
  (void)snprintf(all->text + n, sizeof(all->text) - n, "%s %lld-%lld ", names[f->kind], (long long)f->first,
                 (long long)f->last);
}

static struct faults verify_expecting(struct db *db, int64_t business, int64_t number, const char *digest) {
  struct faults all = {""};
  struct audit_chain c;
  bool more = true;
  assert_int_equal(audit_chain_begin(db, key, business, note_fault, &all, &c), OK);
  if (number) assert_int_equal(audit_chain_expect(&c, number, str_from(digest)), OK);
  while (more) assert_int_equal(audit_chain_part(db, &c, &more), OK);
  return all;
}

static void assert_faults(struct db *db, const char *expected) {
  assert_string_equal(verify_expecting(db, 1, 0, NULL).text, expected);
}

static void a_chain_that_nobody_touched_has_no_faults(void **state) {
  struct db *db = scratch_ledger(*state);
  append_some(db, 1, AUDIT_CHAIN_PART + 3);
  append_some(db, 2, 3);
  assert_faults(db, "");
  assert_string_equal(verify_expecting(db, 2, 0, NULL).text, "");
  assert_string_equal(verify_expecting(db, 3, 0, NULL).text, "");
  db_close(db);
}

static void what_somebody_does_to_a_chain_is_found_with_its_place(void **state) {
  static const struct {
    const char *sql, *faults;
  } cases[] = {
      {"update audit set actor = 'key:2' where number = 4", "changed 4-4 "},
      {"update audit set at = at + 1 where number = 1", "changed 1-1 "},
      {"update audit set details = '' where number = 10", "changed 10-10 "},
      {"update audit set digest = 'x' || substr(digest, 2) where number = 10", "changed 10-10 head 10-10 "},
      {"update audit set digest = 'x' || substr(digest, 2) where number = 5", "changed 5-5 changed 6-6 "},
      {"delete from audit where number in (4, 5)", "missing 4-5 "},
      {"delete from audit where number = 1", "missing 1-1 "},
      {"delete from audit where number = 10", "missing 10-10 "},
      {"delete from audit", "missing 1-10 "},
      {"delete from audit where number = 4; update audit set number = -number where number > 4;"
       " update audit set number = -number - 1 where number < 0",
       "changed 4-4 changed 5-5 changed 6-6 changed 7-7 changed 8-8 changed 9-9 missing 10-10 "},
      {"update audit set number = -1 where number = 4; update audit set number = 4 where number = 5;"
       " update audit set number = 5 where number = -1",
       "changed 4-4 changed 5-5 changed 6-6 "},
      {"insert into audit select business_id, 11, at, actor, role, action, object, ip, details, digest from audit"
       " where number = 10",
       "inserted 11-11 "},
      {"update audit set number = number + 100 where number > 6; update audit set number = number - 99 where number > "
       "6;"
       " insert into audit select business_id, 7, at, actor, role, action, object, ip, details, digest from audit"
       " where number = 6",
       "changed 7-7 changed 8-8 changed 9-9 changed 10-10 inserted 11-11 "},
      {"delete from audit where number < 4; insert into audit_checkpoints select 1, 3, 0,"
       " (select digest from audit where number = 4), 0, 'aa'",
       "checkpoint 3-3 changed 4-4 "},
      {"insert into audit select business_id, 0, at, actor, role, action, object, ip, details, digest from audit"
       " where number = 10; insert into audit select business_id, -7, at, actor, role, action, object, ip, details,"
       " digest from audit where number = 10",
       "before -7-0 "},
      {"update audit_heads set number = 9", "inserted 10-10 "},
      {"delete from audit_heads where business_id = 1",
       "inserted 1-1 inserted 2-2 inserted 3-3 inserted 4-4 inserted 5-5 inserted 6-6 inserted 7-7 inserted 8-8 "
       "inserted 9-9 inserted 10-10 "},
  };
  struct db *db = scratch_ledger(*state);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    append_some(db, 1, 10);
    assert_int_equal(db_script(db, cases[i].sql), OK);
    assert_faults(db, cases[i].faults);
    assert_int_equal(
        db_script(db,
                  "delete from audit; delete from audit_heads; delete from audit_checkpoints; delete from audit_spans"),
        OK);
  }
  db_close(db);
}

static void a_digest_that_was_kept_elsewhere_shows_a_chain_that_was_made_anew(void **state) {
  struct db *db = scratch_ledger(*state);
  char digest[AUDIT_DIGEST_SIZE];
  int64_t number;
  append_some(db, 1, 10);
  assert_int_equal(audit_head(db, 1, &number, digest), OK);
  assert_int_equal(number, 10);
  append_some(db, 1, 2);
  assert_string_equal(verify_expecting(db, 1, 10, digest).text, "");
  assert_int_equal(db_script(db, "delete from audit; delete from audit_heads"), OK);
  append_some(db, 1, 5);
  assert_string_equal(verify_expecting(db, 1, 10, digest).text, "missing 6-10 ");
  append_some(db, 1, 5);
  assert_string_equal(verify_expecting(db, 1, 10, digest).text, "expected 10-10 ");
  db_close(db);
}

/* ---- cutting ---- */

static void cut_all(struct db *db, int64_t before) {
  int64_t count;
  bool more = true;
  while (more) {
    assert_int_equal(db_begin_immediate(db), OK);
    assert_int_equal(audit_cut(db, key, before, NOW + 5 * DAY, &count, &more), OK);
    assert_int_equal(db_commit(db), OK);
    assert_in_range(count, 0, AUDIT_CUT_MAX);
  }
}

static void the_old_end_is_cut_and_the_rest_still_verifies(void **state) {
  struct db *db = scratch_ledger(*state);
  append_some(db, 1, 1000);
  append_some(db, 2, 10);
  cut_all(db, NOW + 1000 * 701);
  assert_int_equal(scratch_int(db, "select min(number) from audit where business_id = 1"), 701);
  assert_int_equal(scratch_int(db, "select count(*) from audit where business_id = 2"), 0);
  assert_faults(db, "");
  append_some(db, 2, 2);
  assert_string_equal(verify_expecting(db, 2, 0, NULL).text, "");
  assert_int_equal(scratch_int(db, "select max(number) from audit where business_id = 2"), 12);
  assert_int_equal(db_script(db, "delete from audit where business_id = 1 and number < 703"), OK);
  assert_faults(db, "missing 701-702 ");
  assert_int_equal(db_script(db,
                             "insert into audit select business_id, 5, at, actor, role, action, object, ip,"
                             " details, digest from audit where business_id = 1 and number = 703"),
                   OK);
  assert_faults(db, "before 5-5 missing 701-702 ");
  assert_int_equal(db_script(db, "delete from audit where business_id = 1 and number = 5"), OK);
  assert_int_equal(db_script(db,
                             "update audit_checkpoints set number = 702, digest ="
                             " (select digest from audit where business_id = 1 and number = 703)"),
                   OK);
  assert_faults(db, "checkpoint 702-702 changed 703-703 ");
  db_close(db);
}

static void an_expected_entry_that_was_cut_is_said_to_be_cut(void **state) {
  struct db *db = scratch_ledger(*state);
  char before[AUDIT_DIGEST_SIZE], cut[AUDIT_DIGEST_SIZE];
  int64_t number;
  append_some(db, 1, 4);
  assert_int_equal(audit_head(db, 1, &number, before), OK);
  append_at(db, 1, NOW + 5000, "key:1", AUDIT_PLAY, "RE5");
  assert_int_equal(audit_head(db, 1, &number, cut), OK);
  append_at(db, 1, NOW + DAY, "key:1", AUDIT_PLAY, "RE6");
  assert_string_equal(verify_expecting(db, 1, 4, before).text, "");
  cut_all(db, NOW + 1000 * 6);
  assert_int_equal(scratch_int(db, "select min(number) from audit"), number + 1);
  assert_string_equal(verify_expecting(db, 1, 4, before).text, "cut 4-5 ");
  assert_string_equal(verify_expecting(db, 1, 5, cut).text, ""); /* the checkpoint has it */
  assert_string_equal(verify_expecting(db, 1, 5, before).text, "expected 5-5 ");
  db_close(db);
}

static void what_is_cut_while_a_chain_is_verified_is_not_missing(void **state) {
  struct db *db = scratch_ledger(*state);
  struct faults all = {""};
  struct audit_chain c;
  bool more;
  append_some(db, 1, AUDIT_CHAIN_PART + 1000);
  assert_int_equal(audit_chain_begin(db, key, 1, note_fault, &all, &c), OK);
  cut_all(db, NOW + 1000 * 501);
  assert_int_equal(audit_chain_part(db, &c, &more), OK);
  assert_true(more);
  cut_all(db, NOW + 1000 * (AUDIT_CHAIN_PART + 901));
  while (more) assert_int_equal(audit_chain_part(db, &c, &more), OK);
  assert_string_equal(all.text, "");
  assert_int_equal(c.entries, AUDIT_CHAIN_PART + 100);
  db_close(db);
}

static void a_chain_is_found_by_what_is_left_of_it(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t business = -1;
  append_some(db, 1, 3);
  append_some(db, 2, 3);
  cut_all(db, NOW + 1000 * 3);
  append_some(db, 4, 3);
  assert_int_equal(db_script(db,
                             "delete from audit_heads where business_id in (2, 4);"
                             " delete from audit where business_id in (1, 2)"),
                   OK);
  static const char *const faults[] = {
      [1] = "missing 3-3 ", [2] = "checkpoint 2-2 ", [4] = "inserted 1-1 inserted 2-2 inserted 3-3 "};
  for (int64_t expected = 1; expected <= 4; expected *= 2) {
    assert_int_equal(audit_chain_next(db, business, &business), OK);
    assert_int_equal(business, expected);
    assert_string_equal(verify_expecting(db, business, 0, NULL).text, faults[business]);
  }
  assert_int_equal(audit_chain_next(db, business, &business), ERR_NOT_FOUND);
  db_close(db);
}

static void a_younger_entry_keeps_the_older_ones_behind_it(void **state) {
  struct db *db = scratch_ledger(*state);
  append_at(db, 1, NOW, "key:1", AUDIT_PLAY, "RE1");
  append_at(db, 1, NOW + 2 * DAY, "key:1", AUDIT_PLAY, "RE2");
  append_at(db, 1, NOW + 1, "key:1", AUDIT_PLAY, "RE3");
  cut_all(db, NOW + DAY);
  assert_int_equal(scratch_int(db, "select count(*) from audit"), 2);
  cut_all(db, NOW + 3 * DAY);
  assert_int_equal(scratch_int(db, "select count(*) from audit"), 0);
  assert_faults(db, "");
  db_close(db);
}

static void a_rotation_of_the_key_keeps_checkpoints_good(void **state) {
  struct db *db = scratch_ledger(*state);
  struct audit_checkpoint c;
  int64_t after = -1;
  bool more;
  append_some(db, 1, 10);
  cut_all(db, NOW + 1000 * 5);
  assert_int_equal(audit_checkpoint_read(db, other_key, 1, &c), ERR_DENIED);
  secret_set_older_key(key);
  assert_int_equal(audit_checkpoint_read(db, other_key, 1, &c), OK);
  assert_int_equal(audit_resign(db, other_key, &after, &more), OK);
  secret_set_older_key(NULL);
  assert_false(more);
  assert_int_equal(audit_checkpoint_read(db, other_key, 1, &c), OK);
  assert_int_equal(c.number, 4);
  db_close(db);
}

/* ---- listing ---- */

static enum err note_number(void *arg, const struct audit_row *row) {
  struct buf *b = arg;
  return buf_addf(b, "%lld ", (long long)row->number);
}

static void assert_list(struct db *db, struct audit_filter f, const char *expected) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  const char *text;
  assert_int_equal(audit_list(db, 1, &f, note_number, &b), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_string_equal(text, expected);
}

static void entries_are_listed_by_each_filter_from_the_newest(void **state) {
  struct db *db = scratch_ledger(*state);
  append_some(db, 2, 3);
  append_some(db, 1, 9);
  assert_list(db, (struct audit_filter){.limit = 3}, "9 8 7 ");
  assert_list(db, (struct audit_filter){.limit = 3, .after_number = 7}, "6 5 4 ");
  assert_list(db, (struct audit_filter){.limit = 9, .actor = STR("user:dana")}, "8 6 4 2 ");
  assert_list(db, (struct audit_filter){.limit = 9, .action = STR("download")}, "9 6 3 ");
  assert_list(db, (struct audit_filter){.limit = 9, .action = STR("download"), .actor = STR("key:1")}, "9 3 ");
  assert_list(db, (struct audit_filter){.limit = 9, .object = STR("RE4")}, "4 ");
  assert_list(db, (struct audit_filter){.limit = 9, .object = STR("RE4"), .action = STR("download")}, "");
  assert_list(db, (struct audit_filter){.limit = 9, .since = NOW + 4000, .until = NOW + 7000}, "6 5 4 ");
  assert_list(db, (struct audit_filter){.limit = 9, .actor = STR("key:1"), .since = NOW + 4000, .until = NOW + 7000},
              "5 ");
  db_close(db);
}

/* ---- summaries ---- */

enum { MANY = 4 * AUDIT_SPAN_ENTRIES + 30 };

/* Compares a list with limit, page by page, with the rows. */
static void assert_listed_as(struct db *db, struct audit_filter f, const char *where) {
  struct buf listed CLEANUP(buf_done) = BUF_INIT(64 * 1024), wanted CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  char sql[512];
  (void)snprintf(sql, sizeof(sql), "select number from audit where business_id = 1 and %s order by number desc", where);
  struct db_rows q = DB_ROWS;
  assert_int_equal(db_query_once(db, &q, sql, DB_VALUES_()), OK);
  while (db_next(&q) == OK) assert_int_equal(buf_addf(&wanted, "%lld ", (long long)db_int(&q, 0)), OK);
  db_rows_done(&q);
  for (size_t before = 1; before != listed.n;) {
    before = listed.n;
    assert_int_equal(audit_list(db, 1, &f, note_number, &listed), OK);
    const char *text, *last;
    assert_int_equal(buf_terminate(&listed, &text), OK);
    if (!listed.n) break;
    for (last = text + listed.n - 1; last > text && last[-1] != ' ';) last--;
    f.after_number = strtoll(last, NULL, 10);
  }
  const char *text, *all;
  assert_int_equal(buf_terminate(&listed, &text), OK);
  assert_int_equal(buf_terminate(&wanted, &all), OK);
  assert_string_equal(text, all);
}

static void assert_all_lists(struct db *db) {
  assert_listed_as(db, (struct audit_filter){.limit = 100, .object = STR("RE700")}, "object = 'RE700'");
  assert_listed_as(db, (struct audit_filter){.limit = 7, .object = STR("RE256"), .actor = STR("user:dana")},
                   "object = 'RE256'");
  assert_listed_as(db, (struct audit_filter){.limit = 7, .object = STR("RE257"), .actor = STR("user:dana")}, "false");
  assert_listed_as(db, (struct audit_filter){.limit = 100, .actor = STR("key:1")}, "actor = 'key:1'");
  assert_listed_as(db, (struct audit_filter){.limit = 99, .action = STR("download")}, "action = 'download'");
  assert_listed_as(db, (struct audit_filter){.limit = 10, .since = NOW + 250000, .until = NOW + 260000},
                   "at >= 1790000250000 and at < 1790000260000");
  assert_listed_as(db, (struct audit_filter){.limit = 300, .until = NOW + 513000}, "at < 1790000513000");
  assert_listed_as(db, (struct audit_filter){.limit = 300}, "true");
  assert_listed_as(db, (struct audit_filter){.limit = 300, .actor = STR("user:nobody")}, "false");
}

static void filters_find_entries_by_summaries_of_them(void **state) {
  struct db *db = scratch_ledger(*state);
  append_some(db, 2, 300);
  append_some(db, 1, MANY);
  assert_int_equal(scratch_int(db, "select count(*) from audit_spans where business_id = 1"), 4);
  assert_int_equal(scratch_int(db, "select filed from audit_heads where business_id = 1"), 4);
  assert_all_lists(db);
  assert_faults(db, "");
  cut_all(db, NOW + 1000 * 300);
  assert_int_equal(scratch_int(db, "select min(span) from audit_spans where business_id = 1"), 1);
  assert_all_lists(db);
  assert_faults(db, "");
  db_close(db);
}

static void a_summary_leaves_out_most_of_what_is_not_there(void **state) {
  struct db *db = scratch_ledger(*state);
  struct audit_span_summary s;
  int shown = 0;
  append_some(db, 1, AUDIT_SPAN_ENTRIES);
  assert_int_equal(audit_spans_get(db, 1, 0, &s), OK);
  for (int i = 0; i < 20000; i++) {
    char object[32];
    (void)snprintf(object, sizeof(object), "RE%d", 100000 + i);
    shown += audit_span_shows(&s, NOW + 1000, STR("key:1"), STR("play"), str_from(object));
  }
  assert_in_range(shown, 0, 200);
  db_close(db);
}

/* A chain that a release without summaries wrote: they are made behind the next entries, some at a time. */
static void a_chain_without_summaries_is_listed_and_gets_them(void **state) {
  struct db *db = scratch_ledger(*state);
  append_some(db, 1, MANY);
  assert_int_equal(db_script(db, "delete from audit_spans; update audit_heads set filed = 0"), OK);
  assert_all_lists(db);
  assert_faults(db, "");
  append_at(db, 1, NOW + 1000 * (MANY + 1), "key:1", AUDIT_PLAY, "RE1");
  assert_int_equal(scratch_int(db, "select count(*) from audit_spans"), AUDIT_SPANS_FILED_MAX);
  assert_all_lists(db);
  append_at(db, 1, NOW + 1000 * (MANY + 2), "key:1", AUDIT_PLAY, "RE1");
  assert_int_equal(scratch_int(db, "select count(*) from audit_spans"), 4);
  assert_all_lists(db);
  assert_int_equal(
      db_script(db,
                "delete from audit where number <= 600; delete from audit_spans; delete from audit_checkpoints;"
                " update audit_heads set filed = 0"),
      OK);
  append_at(db, 1, NOW + 1000 * (MANY + 3), "key:1", AUDIT_PLAY, "RE1");
  append_at(db, 1, NOW + 1000 * (MANY + 4), "key:1", AUDIT_PLAY, "RE1");
  assert_int_equal(scratch_int(db, "select count(*) from audit_spans"), 2);
  assert_all_lists(db);
  db_close(db);
}

static void a_summary_that_hides_an_entry_is_found(void **state) {
  struct db *db = scratch_ledger(*state);
  append_some(db, 1, MANY);
  assert_int_equal(
      db_script(db, "update audit_spans set keys = (select keys from audit_spans where span = 0) where span = 2"), OK);
  assert_faults(db, "summary 513-768 ");
  assert_int_equal(
      db_script(db,
                "delete from audit_spans where span = 2; update audit_spans set last_at = last_at - 1 where span = 0"),
      OK);
  assert_faults(db, "summary 1-256 summary 513-768 ");
  assert_int_equal(db_script(db, "update audit_spans set keys = x'00' where span = 0"), OK);
  assert_faults(db, "summary 1-256 summary 513-768 ");
  db_close(db);
}

static void a_text_that_is_too_long_is_refused(void **state) {
  struct db *db = scratch_ledger(*state);
  static char text[AUDIT_DETAILS_SIZE];
  memset(text, 'x', sizeof(text));
  struct audit_entry e = {.actor = STR("service"), .details = str_of(text, sizeof(text))};
  assert_int_equal(audit_append(db, 1, &e), ERR_TOO_BIG);
  e.details.n--;
  assert_int_equal(audit_append(db, 1, &e), OK);
  assert_faults(db, "");
  assert_true(audit_action_exists(STR("play")));
  assert_false(audit_action_exists(STR("plays")));
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_chain_that_nobody_touched_has_no_faults),
      SCRATCH_TEST(what_somebody_does_to_a_chain_is_found_with_its_place),
      SCRATCH_TEST(a_digest_that_was_kept_elsewhere_shows_a_chain_that_was_made_anew),
      SCRATCH_TEST(the_old_end_is_cut_and_the_rest_still_verifies),
      SCRATCH_TEST(an_expected_entry_that_was_cut_is_said_to_be_cut),
      SCRATCH_TEST(what_is_cut_while_a_chain_is_verified_is_not_missing),
      SCRATCH_TEST(a_chain_is_found_by_what_is_left_of_it),
      SCRATCH_TEST(a_younger_entry_keeps_the_older_ones_behind_it),
      SCRATCH_TEST(a_rotation_of_the_key_keeps_checkpoints_good),
      SCRATCH_TEST(entries_are_listed_by_each_filter_from_the_newest),
      SCRATCH_TEST(filters_find_entries_by_summaries_of_them),
      SCRATCH_TEST(a_summary_leaves_out_most_of_what_is_not_there),
      SCRATCH_TEST(a_chain_without_summaries_is_listed_and_gets_them),
      SCRATCH_TEST(a_summary_that_hides_an_entry_is_found),
      SCRATCH_TEST(a_text_that_is_too_long_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
