/* transcript_terms_test.c - the rows that searches of transcripts read are written and deleted in bounded parts; a search finds
 * what is not written yet, and costs the same whatever others store. */
#include "cost_scratch.h"

#include "db/db_writer.h"
#include "ledger/calls_list.h"
#include "ledger/calls_upkeep.h"
#include "ledger/transcript_search.h"
#include "ledger/transcript_terms.h"

enum { WORDS = 3000, OF_OTHERS = 400, ASKED = 100, UPKEEP_PART = 20 };

/* The i-th call of a business, with a recording in which `text` was said. */
static void put_transcript(struct db *db, int64_t business, int i, struct str text) {
  struct transcript_content c CLEANUP(transcript_content_done) = TRANSCRIPT_CONTENT;
  const struct transcript_segment said = {0, 1000, STR("agent"), text};
  char call[SID_SIZE], sid[SID_SIZE];
  (void)snprintf(call, sizeof(call), "CA%lld%06d", (long long)business, i);
  (void)snprintf(sid, sizeof(sid), "RE%lld%06d", (long long)business, i);
  scratch_call(db, business, call, "", SCRATCH_NOW + i);
  (void)scratch_recording(db, business, sid, call, RECORDING_READY, RECORDING_RANK_REST, SCRATCH_NOW + i);
  assert_int_equal(transcript_content_make(business, STR("{}"), &said, 1, &c), OK);
  assert_int_equal(db_run(db,
                          "insert into transcript_texts (business_id, recording_sid, document_id, words, marks, text)"
                          " values (?1, ?2, ?3, ?4, ?5, ?6)",
                          DB_INT(business), DB_TEXT(str_from(sid)), DB_INT(((SCRATCH_NOW + i) << 20) + business),
                          DB_TEXT(buf_str(&c.words)), DB_TEXT(buf_str(&c.marks)), DB_TEXT(buf_str(&c.text))),
                   OK);
}

static size_t found_by(struct db *db, int64_t business, const char *text) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  const struct calls_filter f = {.search = str_from(text), .limit = 10};
  size_t count;
  bool more;
  assert_int_equal(calls_list_page(db, business, &f, keys, &count, &more), OK);
  return count;
}

/* Writes and deletes all rows that are due, as the upkeep does. Returns how many parts that took. */
static int settle(struct db *db) {
  struct calls_upkeep u = {0};
  int parts = 0;
  for (bool more = true; more; parts++) {
    int64_t touched = db_touched(db);
    assert_int_equal(calls_upkeep_run(db, &u, UPKEEP_PART, &more), OK);
    assert_true(db_touched(db) - touched <= DB_JOB_ROWS);
  }
  return parts;
}

static void a_long_transcript_is_found_while_its_rows_are_written_in_parts(void **state) {
  struct db *db = scratch_ledger(*state);
  struct buf text CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  assert_int_equal(scratch_business(db, "mine"), 1);
  for (int i = 0; i < WORDS; i++) assert_int_equal(buf_addf(&text, "word%d ", i), OK);
  assert_int_equal(db_begin_immediate(db), OK);
  put_transcript(db, 1, 1, buf_str(&text));
  put_transcript(db, 1, 2, STR("word7 and nothing else"));
  int64_t business = 0;
  for (int part = 0; part < 4; part++) { /* none, some, most of them are written */
    int count;
    assert_int_equal(found_by(db, 1, "word7"), 2);
    assert_int_equal(found_by(db, 1, "word7 word2999"), 1);
    assert_int_equal(found_by(db, 1, "word7 word3000"), 0);
    assert_int_equal(transcript_terms_update(db, &business, part ? 900 : 5, &count), OK);
    assert_int_equal(count, part ? 900 : 5);
  }
  assert_true(settle(db) >= 2);
  assert_int_equal(scratch_int(db, "select count(*) from transcript_terms"), WORDS + 4);
  assert_int_equal(found_by(db, 1, "word7 word2999"), 1);
  assert_int_equal(db_run(db, "update recordings set status = 'expired' where recording_sid = 'RE1000001'"), OK);
  assert_int_equal(found_by(db, 1, "word7"), 1); /* at once */
  assert_true(settle(db) >= WORDS / DB_JOB_ROWS);
  assert_int_equal(scratch_int(db, "select count(*) from transcript_terms"), 4);
  assert_int_equal(scratch_int(db, "select count(*) from transcript_terms_due"), 0);
  db_rollback(db);
  db_close(db);
}

static void a_transcript_that_goes_before_its_rows_are_written_leaves_none(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t business = 0;
  int count;
  assert_int_equal(scratch_business(db, "mine"), 1);
  assert_int_equal(db_begin_immediate(db), OK);
  put_transcript(db, 1, 1, STR("one two three four five"));
  assert_int_equal(transcript_terms_update(db, &business, 3, &count), OK);
  assert_int_equal(scratch_int(db, "select count(*) from transcript_terms"), 2);
  assert_int_equal(db_run(db, "delete from transcript_texts where business_id = 1"), OK);
  assert_int_equal(found_by(db, 1, "two"), 0);
  (void)settle(db);
  assert_int_equal(scratch_int(db, "select count(*) from transcript_terms"), 0);
  db_rollback(db);
  db_close(db);
}

static void businesses_take_turns(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t business = 0, served[4];
  assert_int_equal(scratch_business(db, "a"), 1);
  assert_int_equal(scratch_business(db, "b"), 2);
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 1; i <= 3; i++) put_transcript(db, 1, i, STR("one two three"));
  put_transcript(db, 2, 1, STR("one two three"));
  for (size_t i = 0; i < COUNT_OF(served); i++) {
    int count;
    assert_int_equal(transcript_terms_update(db, &business, 100, &count), OK);
    assert_int_equal(count, 4);
    served[i] = business;
  }
  assert_true(served[0] == 1 && served[1] == 2 && served[2] == 1 && served[3] == 1);
  db_rollback(db);
  db_close(db);
}

/* ---- what others store ---- */

struct cost {
  int64_t steps, pages;
};

/* Of searches of business 1 that find nothing. */
static struct cost cost_of_searches(struct db *db, const char *word) {
  struct cost c = {0, 0};
  sqlite3 *sqlite = db_sqlite_of(db)->sqlite;
  char text[32];
  assert_int_equal(found_by(db, 1, word), 0); /* prepares statements */
  (void)sqlite3_trace_v2(sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &c.steps);
  (void)scratch_pages_read(sqlite);
  for (int i = 0; i < ASKED; i++) {
    (void)snprintf(text, sizeof(text), "%s%04d", word, i);
    assert_int_equal(found_by(db, 1, text), 0);
  }
  c.pages = scratch_pages_read(sqlite);
  (void)sqlite3_trace_v2(sqlite, 0, NULL, NULL);
  return c;
}

static void put_transcripts_of_others(struct db *db) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  for (int i = 0; i < OF_OTHERS; i++) {
    buf_clear(&text);
    for (int k = 0; k < 40; k++) assert_int_equal(buf_addf(&text, "zeb%04d ", (i * 40 + k) % 1000), OK);
    put_transcript(db, 2, i, buf_str(&text));
  }
}

/* Trees of tables get deeper with what others write: a page or two more for each look-up in the business's own rows. Others have
 * one transcript and one that is due at all times, so that what is behind the business's own rows is never the end of a tree. */
static void a_search_costs_the_same_whatever_and_however_much_others_store(void **state) {
  struct db *db = scratch_ledger(*state);
  assert_int_equal(scratch_business(db, "mine"), 1);
  assert_int_equal(scratch_business(db, "theirs"), 2);
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < 5; i++) put_transcript(db, 1, i, STR("what I said"));
  put_transcript(db, 2, OF_OTHERS, STR("hello"));
  (void)settle(db);
  put_transcript(db, 2, OF_OTHERS + 1, STR("hello"));
  struct cost alone = cost_of_searches(db, "zeb");
  put_transcripts_of_others(db);
  struct cost beside_due = cost_of_searches(db, "zeb");
  (void)settle(db);
  put_transcript(db, 2, OF_OTHERS + 2, STR("hello"));
  struct cost theirs = cost_of_searches(db, "zeb"), nobodys = cost_of_searches(db, "zob");
  print_message("# alone %lld steps, %lld pages; others' %lld, %lld; nobody's %lld, %lld\n", (long long)alone.steps,
                (long long)alone.pages, (long long)theirs.steps, (long long)theirs.pages, (long long)nobodys.steps,
                (long long)nobodys.pages);
  assert_true(alone.steps == beside_due.steps && alone.steps == theirs.steps && alone.steps == nobodys.steps);
  assert_true(llabs(theirs.pages - nobodys.pages) <= theirs.pages / 100);
  assert_true(theirs.pages - alone.pages <= 16 * ASKED);
  db_rollback(db);
  db_close(db);
}

/* The rarest word is walked, not the first one. */
static void words_that_are_rare_together_are_found_soon(void **state) {
  struct db *db = scratch_ledger(*state);
  int64_t steps[2] = {0, 0};
  const char *const searches[] = {"often rare", "rare often"};
  assert_int_equal(scratch_business(db, "mine"), 1);
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < OF_OTHERS; i++) put_transcript(db, 1, i, i == 3 ? STR("rare and often") : STR("often"));
  (void)settle(db);
  for (size_t i = 0; i < COUNT_OF(searches); i++) {
    assert_int_equal(found_by(db, 1, searches[i]), 1);
    (void)sqlite3_trace_v2(db_sqlite_of(db)->sqlite, SQLITE_TRACE_PROFILE, scratch_count_steps, &steps[i]);
    assert_int_equal(found_by(db, 1, searches[i]), 1);
    (void)sqlite3_trace_v2(db_sqlite_of(db)->sqlite, 0, NULL, NULL);
  }
  print_message("# %lld and %lld steps\n", (long long)steps[0], (long long)steps[1]);
  assert_int_equal(steps[0], steps[1]);
  db_rollback(db);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_long_transcript_is_found_while_its_rows_are_written_in_parts),
      SCRATCH_TEST(a_transcript_that_goes_before_its_rows_are_written_leaves_none),
      SCRATCH_TEST(businesses_take_turns),
      SCRATCH_TEST(a_search_costs_the_same_whatever_and_however_much_others_store),
      SCRATCH_TEST(words_that_are_rare_together_are_found_soon),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
