#include "db_scratch.h"

#include "db/db_grams.h"

static void add(struct db *db, int64_t rowid, int64_t scope, const char *digits, const char *names) {
  struct buf d CLEANUP(buf_done) = BUF_INIT(1000), n CLEANUP(buf_done) = BUF_INIT(1000);
  assert_int_equal(db_grams_text(&d, scope, DB_GRAMS_DIGITS, str_from(digits)), OK);
  assert_int_equal(db_grams_text(&n, scope, DB_GRAMS_NAMES, str_from(names)), OK);
  assert_int_equal(db_run(db, "insert into documents (rowid, digits, names) values (?1, ?2, ?3)", DB_INT(rowid),
                          DB_TEXT(buf_str(&d)), DB_TEXT(buf_str(&n))),
                   OK);
}

/* The matching rowids as text, newest first. */
static void find(struct db *db, int64_t scope, enum db_grams_kind kind, const char *search, char ret_found[64]) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000), text CLEANUP(buf_done) = BUF_INIT(1000);
  assert_int_equal(db_grams_text(&text, scope, kind, str_from(search)), OK);
  assert_int_equal(buf_addf(&b, "%s : \"", kind == DB_GRAMS_DIGITS ? "digits" : "names"), OK);
  assert_int_equal(buf_add(&b, buf_str(&text)), OK);
  assert_int_equal(buf_add_char(&b, '"'), OK);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query(db, &q, "select rowid from documents where documents match ?1 order by rowid desc",
                            DB_TEXT(buf_str(&b))),
                   OK);
  size_t n = 0;
  while (db_next(&q) == OK) n += (size_t)snprintf(ret_found + n, 64 - n, "%lld ", (long long)db_int(&q, 0));
  ret_found[n] = '\0';
}

static void parts_are_found_within_their_scope(void **state) {
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db, "create virtual table documents using fts5(digits, names, tokenize = 'scoped_grams')"),
                   OK);
  add(db, 1, 1, "15550100 972521234567 ", "Dana Levi\n");
  add(db, 2, 1, "1234 2345 ", "Li\nדנה לוי\n");
  add(db, 3, 2, "15550100 ", "Dana Levi\nO'Brien\n");
  add(db, 4, 17, "15550100 ", "Müller\n"); /* 11 in the scope's digits: not the beginning of 1 */
  static const struct {
    int64_t scope;
    enum db_grams_kind kind;
    const char *search, *found;
  } cases[] = {
      {1, DB_GRAMS_DIGITS, "555", "1 "},      {1, DB_GRAMS_DIGITS, "5550", "1 "},   {1, DB_GRAMS_DIGITS, "55501", "1 "},
      {1, DB_GRAMS_DIGITS, "15550100", "1 "}, {1, DB_GRAMS_DIGITS, "1234", "2 1 "}, {1, DB_GRAMS_DIGITS, "12345", "1 "},
      {1, DB_GRAMS_DIGITS, "1239", ""},       {1, DB_GRAMS_DIGITS, "0100972", ""}, /* not across two numbers */
      {2, DB_GRAMS_DIGITS, "0100", "3 "},     {17, DB_GRAMS_DIGITS, "0100", "4 "},  {3, DB_GRAMS_DIGITS, "0100", ""},
      {1, DB_GRAMS_NAMES, "dana", "1 "},      {1, DB_GRAMS_NAMES, "DANA LE", "1 "}, {1, DB_GRAMS_NAMES, "na", "1 "},
      {1, DB_GRAMS_NAMES, "li", "2 "},        {1, DB_GRAMS_NAMES, "vi", "1 "},      {1, DB_GRAMS_NAMES, "דנ", "2 "},
      {1, DB_GRAMS_NAMES, "לוי", "2 "},       {1, DB_GRAMS_NAMES, "נה ל", "2 "},    {1, DB_GRAMS_NAMES, "dxn", ""},
      {2, DB_GRAMS_NAMES, "o'b", "3 "},       {17, DB_GRAMS_NAMES, "MÜL", "4 "},    {17, DB_GRAMS_NAMES, "ÜL", "4 "},
      {1, DB_GRAMS_NAMES, "d", ""},           {1, DB_GRAMS_DIGITS, "5", ""},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char found[64];
    find(db, cases[i].scope, cases[i].kind, cases[i].search, found);
    if (strcmp(found, cases[i].found) != 0) fail_msg("%s: %s, not %s", cases[i].search, found, cases[i].found);
  }
  db_close(db);
}

static void a_text_without_a_scope_holds_nothing(void **state) {
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db,
                             "create virtual table documents using fts5(digits, names, tokenize = 'scoped_grams');"
                             "insert into documents values ('15550100', 'dana'), ('', ''), (null, null)"),
                   OK);
  char found[64];
  find(db, 1, DB_GRAMS_NAMES, "dana", found);
  assert_string_equal(found, "");
  assert_int_equal(db_script(db, "insert into documents(documents) values ('integrity-check')"), OK);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(parts_are_found_within_their_scope, scratch_setup, scratch_teardown),
      cmocka_unit_test_setup_teardown(a_text_without_a_scope_holds_nothing, scratch_setup, scratch_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
