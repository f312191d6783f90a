/* db_postgres_text_test.c - PostgreSQL's text of statements that are written for both kinds of database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* before cmocka.h */
#include <cmocka.h>

#include "db/db_postgres_text.h"

static void statements_get_postgres_words(void **state) {
  (void)state;
  static const struct {
    const char *sql, *wanted;
  } rows[] = {
      {"select 1", "select 1"},
      {"select ?1, ?12", "select $1, $12"},
      {"select '?1 indexed by x', \"?2\" from t", "select '?1 indexed by x', \"?2\" from t"},
      {"select 'it''s ?1', ?2", "select 'it''s ?1', $2"},
      {"select a -- ?1\nfrom t /* ?2 */ where b = ?3", "select a -- ?1\nfrom t /* ?2 */ where b = $3"},
      {"select a from t indexed by t_a where b = ?1", "select a from t  where b = $1"},
      {"select a from t not indexed where b", "select a from t  where b"},
      {"select a from t indexed\n by  t_a", "select a from t "},
      {"select 1 from a cross join b on a.x = b.x", "select 1 from a  join b on a.x = b.x"},
      {"select 1 from a cross join b c indexed by i on c.x = ?1 where y",
       "select 1 from a  join b c  on c.x = $1 where y"},
      {"select 1 from a cross join (select 2 from z join y on q) b on a.x",
       "select 1 from a  join (select 2 from z join y on q) b on a.x"},
      {"select 1 from a cross join b where x", "select 1 from a cross join b where x"},
      {"select 1 from (select 1 from a cross join b) join c on d",
       "select 1 from (select 1 from a cross join b) join c on d"},
      {"select 1 where +a = ?1 and +b.c = 2", "select 1 where a = $1 and b.c = 2"},
      {"select a + b, a+b, (a) + b, ?1 + a, 1 + a", "select a + b, a+b, (a) + b, $1 + a, 1 + a"},
      {"select x where a = +b", "select x where a = b"},
      {"select -1, +1", "select -1, +1"},
      {"select a where 1", "select a where true"},
      {"select a where 1 and b order by c", "select a where true and b order by c"},
      {"select a where 1 = b", "select a where 1 = b"},
      {"select value from json_each(?1)", "select value from json_items($1)"},
      {"select a where 10", "select a where 10"},
      {"select a || 'x' where growing_pragma = ?1", "select a || 'x' where growing_pragma = $1"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
    const char *word = NULL, *text;
    assert_int_equal(db_postgres_text(rows[i].sql, &b, &word), OK);
    assert_int_equal(buf_terminate(&b, &text), OK);
    assert_string_equal(text, rows[i].wanted);
  }
}

static void words_of_sqlite_alone_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *sql, *word;
  } rows[] = {
      {"pragma data_version", "pragma"},
      {"insert or ignore into t values (1)", "insert or"},
      {"select 1 from t where t match ?1", "match"},
      {"select iif(a, 1, 2)", "iif"},
      {"select 1 from sqlite_schema", "sqlite_…"},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
    const char *word = NULL;
    assert_int_equal(db_postgres_text(rows[i].sql, &b, &word), ERR_UNSUPPORTED);
    assert_string_equal(word, rows[i].word);
  }
}

static void broken_texts_are_refused(void **state) {
  (void)state;
  static const char *const rows[] = {"select 'a", "select \"a", "select /* a", "select ?", "select ? + 1"};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
    const char *word = NULL;
    assert_int_equal(db_postgres_text(rows[i], &b, &word), ERR_INVALID);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(statements_get_postgres_words),
      cmocka_unit_test(words_of_sqlite_alone_are_refused),
      cmocka_unit_test(broken_texts_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
