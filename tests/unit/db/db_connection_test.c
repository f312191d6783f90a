#include "db_scratch.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "db/db_file.h"

static void a_row_comes_back_as_it_was_written(void **state) {
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db, "create table t (i, r, s, b, n, e)"), OK);
  static const char bytes[] = {0, 1, 'x', 0};
  assert_int_equal(db_run(db, "insert into t values (?1, ?2, ?3, ?4, ?5, ?6)", DB_INT(INT64_MIN), DB_REAL(0.5),
                          DB_TEXT(STR("שלום")), DB_BLOB(str_of(bytes, sizeof(bytes))), DB_NULL, DB_TEXT(STR_NONE)),
                   OK);
  assert_int_equal(db_changed(db), 1);
  struct db_rows q = DB_ROWS;
  assert_int_equal(db_query(db, &q, "select i, r, s, b, n, e from t"), OK);
  assert_int_equal(db_next(&q), OK);
  assert_true(db_int(&q, 0) == INT64_MIN);
  assert_true(db_real(&q, 1) == 0.5);
  assert_true(str_eq(db_text(&q, 2), STR("שלום")));
  assert_true(str_eq(db_text(&q, 3), str_of(bytes, sizeof(bytes))));
  assert_true(db_is_null(&q, 4) && !db_text(&q, 4).p && db_int_or(&q, 4, -7) == -7);
  assert_true(!db_is_null(&q, 5) && db_text(&q, 5).n == 0);
  assert_int_equal(db_next(&q), ERR_NOT_FOUND);
  assert_int_equal(db_next(&q), ERR_NOT_FOUND);
  db_rows_done(&q);
  db_rows_done(&q);
  db_close(db);
}

static void negative_numbers_and_absent_texts_become_null_where_asked(void **state) {
  struct db *db = scratch_open(*state, 0);
  struct db_rows q = DB_ROWS;
  assert_int_equal(db_query(db, &q, "select ?1 is null, ?2 is null, ?3 is null, ?4 is null", DB_INT_OR_NULL(-1),
                            DB_INT_OR_NULL(0), DB_TEXT_OR_NULL(STR_NONE), DB_TEXT_OR_NULL(STR(""))),
                   OK);
  assert_int_equal(db_next(&q), OK);
  for (int i = 0; i < 4; i++) assert_int_equal(db_int(&q, i), i % 2 == 0);
  db_rows_done(&q);
  db_close(db);
}

static void errors_say_what_the_caller_can_do(void **state) {
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db, "create table t (id integer primary key, u unique, n not null, c check (c > 0))"), OK);
  assert_int_equal(db_script(db, "insert into t values (1, 'a', 1, 1)"), OK);
  static const struct {
    const char *sql;
    enum err e;
  } cases[] = {
      {"insert into t values (1, 'b', 1, 1)", ERR_EXISTS},
      {"insert into t values (2, 'a', 1, 1)", ERR_EXISTS},
      {"insert into t values (3, 'c', null, 1)", ERR_INVALID},
      {"insert into t values (4, 'd', 1, 0)", ERR_INVALID},
      {"select * from missing", ERR_IO},
      {"insert into t values ('x', 'e', 1, 1)", ERR_INVALID},
      {"select zeroblob(2000000000)", ERR_TOO_BIG},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_int_equal(db_run_values(db, cases[i].sql, DB_VALUES_()), cases[i].e);
    assert_true(db_problem(db)[0] != '\0');
  }
  assert_int_equal(scratch_int(db, "select count(*) from t"), 1);
  db_close(db);
}

static void files_are_the_owners_alone(void **state) {
  mode_t before = umask(0);
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db, "create table t (i)"), OK);
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_commit(db), OK);
  umask(before);
  static const char *const suffixes[] = {"", "-wal", "-shm", "-turn"};
  for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
    char path[128];
    struct stat st;
    scratch_path(*state, suffixes[i], path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
  }
  db_close(db);
}

static void a_connection_has_what_durability_asks(void **state) {
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(scratch_int(db, "pragma synchronous"), 2);
  assert_int_equal(scratch_int(db, "pragma mmap_size"), 0);
  struct db_rows q = DB_ROWS;
  assert_int_equal(db_query(db, &q, "pragma journal_mode"), OK);
  assert_int_equal(db_next(&q), OK);
  assert_true(str_eq(db_text(&q, 0), STR("wal")));
  db_rows_done(&q);
  db_close(db);
}

static void writers_keep_temporary_files_and_readers_sort_in_memory(void **state) {
  struct scratch *s = *state;
  struct db *writes = scratch_open(s, 0), *reads;
  assert_int_equal(db_open(&(struct db_open){.url = s->url, .read_only = true}, NULL, &reads), OK);
  assert_int_equal(scratch_int(writes, "pragma temp_store"), 1);
  assert_int_equal(scratch_int(reads, "pragma temp_store"), 2);
  db_close(reads);
  db_close(writes);
}

static void urls_that_are_no_local_database_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *url;
    enum err e;
  } cases[] = {
      {"", ERR_INVALID},
      {"sqlite://relative.db", ERR_INVALID},
      {"sqlite:///tmp/", ERR_INVALID},
      {"mysql://h/d", ERR_INVALID},
      {"postgresql://127.0.0.1:1/d", ERR_IO},
      {"postgresql://%zz/d", ERR_INVALID},
      {"sqlite:////no/such/directory/x.db", ERR_NOT_FOUND},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct buf problem = BUF_INIT(4096);
    struct db *db = NULL;
    assert_int_equal(db_open(&(struct db_open){.url = cases[i].url}, &problem, &db), cases[i].e);
    assert_null(db);
    assert_true(problem.n > 0);
    buf_done(&problem);
  }
}

static void network_file_systems_are_known(void **state) {
  (void)state;
  static const uint64_t network[] = {0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0xfffffffffe534d42};
  static const uint64_t local[] = {0xef53, 0x01021994, 0x58465342, 0x9123683e, 0x794c7630};
  for (size_t i = 0; i < COUNT_OF(network); i++) assert_non_null(db_file_network(network[i]));
  for (size_t i = 0; i < COUNT_OF(local); i++) assert_null(db_file_network(local[i]));
}

static void a_reader_makes_no_database(void **state) {
  struct scratch *s = *state;
  struct buf problem = BUF_INIT(4096);
  struct db *db = NULL;
  assert_int_equal(db_open(&(struct db_open){.url = s->url, .read_only = true}, &problem, &db), ERR_NOT_FOUND);
  assert_true(problem.n > 0);
  assert_int_equal(access(s->path, F_OK), -1);
  buf_done(&problem);
}

static void a_reader_cannot_write(void **state) {
  struct scratch *s = *state;
  struct db *db = scratch_open(s, 0), *reader = NULL;
  assert_int_equal(db_script(db, "create table t (i)"), OK);
  assert_int_equal(db_open(&(struct db_open){.url = s->url, .read_only = true}, NULL, &reader), OK);
  assert_int_not_equal(db_run(reader, "insert into t values (1)"), OK);
  assert_int_equal(scratch_int(reader, "select count(*) from t"), 0);
  db_close(reader);
  db_close(db);
}

static void a_file_that_is_no_database_is_damaged_data(void **state) {
  struct scratch *s = *state;
  FILE *f = fopen(s->path, "w");
  for (int i = 0; i < 500; i++) fputs("this is a text, not a database. ", f);
  fclose(f);
  struct db *db = NULL;
  assert_int_equal(db_open(&(struct db_open){.url = s->url}, NULL, &db), ERR_CORRUPT);
}

static void a_transaction_is_seen_whole_or_not_at_all(void **state) {
  struct db *a = scratch_open(*state, 0), *b = scratch_open(*state, 0);
  assert_int_equal(db_script(a, "create table t (i)"), OK);
  assert_int_equal(db_begin_immediate(a), OK);
  assert_true(db_in_transaction(a));
  assert_int_equal(db_run(a, "insert into t values (1)"), OK);
  assert_int_equal(scratch_int(b, "select count(*) from t"), 0);
  assert_int_equal(db_commit(a), OK);
  assert_int_equal(scratch_int(b, "select count(*) from t"), 1);
  assert_int_equal(db_begin_immediate(a), OK);
  assert_int_equal(db_run(a, "insert into t values (1)"), OK);
  db_rollback(a);
  db_rollback(a);
  assert_int_equal(scratch_int(b, "select count(*) from t"), 1);
  db_close(a);
  db_close(b);
}

static void a_second_writer_gets_busy(void **state) {
  struct db *a = scratch_open(*state, 0), *b = scratch_open(*state, 10);
  assert_int_equal(db_begin_immediate(a), OK);
  assert_int_equal(db_begin_immediate(b), ERR_BUSY);
  assert_false(db_in_transaction(b));
  assert_int_equal(db_commit(a), OK);
  assert_int_equal(db_begin_immediate(b), OK);
  db_rollback(b);
  db_close(a);
  db_close(b);
}

static void a_long_query_ends_at_its_deadline(void **state) {
  struct db *db = scratch_open(*state, 0);
  struct db_rows q = DB_ROWS;
  db_deadline(db, clock_mono_ms());
  assert_int_equal(
      db_query(db, &q, "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"), OK);
  assert_int_equal(db_next(&q), ERR_TIMEOUT);
  db_rows_done(&q);
  db_deadline(db, 0);
  assert_int_equal(scratch_int(db, "select 1"), 1);
  db_close(db);
}

static void the_data_version_follows_other_connections(void **state) {
  struct db *a = scratch_open(*state, 0), *b = scratch_open(*state, 0);
  int64_t before, same, after;
  assert_int_equal(db_data_version(b, &before), OK);
  assert_int_equal(db_data_version(b, &same), OK);
  assert_int_equal(db_script(a, "create table t (i)"), OK);
  assert_int_equal(db_data_version(b, &after), OK);
  assert_true(before == same && after != before);
  db_close(a);
  db_close(b);
}

static void a_backup_holds_one_moment_and_replaces_nothing(void **state) {
  struct scratch *s = *state;
  char path[128], url[160];
  scratch_path(s, ".copy", path);
  (void)snprintf(url, sizeof(url), "sqlite://%s", path);
  struct db *db = scratch_open(s, 0), *copy = NULL;
  assert_int_equal(db_script(db, "create table t (i); insert into t values (1), (2)"), OK);
  assert_int_equal(db_backup(db, path, NULL, NULL), OK);
  assert_int_equal(db_script(db, "insert into t values (3)"), OK);
  assert_int_equal(db_backup(db, path, NULL, NULL), ERR_EXISTS);
  assert_int_equal(db_open(&(struct db_open){.url = url}, NULL, &copy), OK);
  assert_int_equal(scratch_int(copy, "select count(*) from t"), 2);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  db_close(copy);
  db_close(db);
}

static void write_beside(void *arg, int percent) {
  (void)percent;
  assert_int_equal(db_run(arg, "insert into t values (randomblob(100))"), OK);
}

static void a_backup_is_not_started_anew_by_writers(void **state) {
  struct scratch *s = *state;
  char path[128], url[160];
  scratch_path(s, ".copy", path);
  (void)snprintf(url, sizeof(url), "sqlite://%s", path);
  struct db *db = scratch_open(s, 0), *writer = scratch_open(s, 0), *copy = NULL;
  assert_int_equal(db_script(db,
                             "create table t (b); with recursive n(i) as (select 1 union all select i + 1 from n limit "
                             "5000) insert into t select randomblob(1000) from n"),
                   OK);
  assert_int_equal(db_backup(db, path, write_beside, writer), OK);
  assert_int_equal(db_open(&(struct db_open){.url = url}, NULL, &copy), OK);
  assert_int_equal(scratch_int(copy, "select count(*) from t"), 5000);
  assert_true(scratch_int(db, "select count(*) from t") > 5002);
  db_close(copy);
  db_close(writer);
  db_close(db);
}

static void a_database_moved_away_fails_and_goes_on_when_it_is_back(void **state) {
  struct scratch *s = *state;
  char away[128];
  scratch_path(s, ".away", away);
  struct db *db = scratch_open(s, 0);
  assert_int_equal(db_script(db, "create table t (i)"), OK);
  assert_int_equal(rename(s->path, away), 0);
  assert_int_equal(db_run(db, "insert into t values (1)"), ERR_IO);
  assert_non_null(strstr(db_problem(db), "is gone"));
  assert_int_equal(access(s->path, F_OK), -1);
  assert_int_equal(rename(away, s->path), 0);
  assert_int_equal(db_run(db, "insert into t values (1)"), OK);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 1);
  assert_int_equal(db_reopened(db), 0);
  db_close(db);
}

static void a_commit_into_a_removed_file_is_no_commit(void **state) {
  struct scratch *s = *state;
  struct db *db = scratch_open(s, 0);
  assert_int_equal(db_script(db, "create table t (i)"), OK);
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run(db, "insert into t values (1)"), OK);
  assert_int_equal(unlink(s->path), 0);
  assert_int_equal(db_commit(db), ERR_IO);
  db_close(db);
}

static void a_commit_into_a_replaced_file_is_no_commit(void **state) {
  struct scratch *s = *state;
  char copy[128], wal[128], shm[128];
  scratch_path(s, ".copy", copy);
  scratch_path(s, "-wal", wal);
  scratch_path(s, "-shm", shm);
  struct db *db = scratch_open(s, 0);
  assert_int_equal(db_script(db, "create table t (i)"), OK);
  assert_int_equal(db_backup(db, copy, NULL, NULL), OK);
  assert_int_equal(db_begin_immediate(db), OK);
  assert_int_equal(db_run(db, "insert into t values (1)"), OK);
  assert_int_equal(unlink(wal), 0);
  assert_int_equal(unlink(shm), 0);
  assert_int_equal(rename(copy, s->path), 0);
  assert_int_equal(db_commit(db), ERR_IO);
  db_rollback(db);
  assert_int_equal(scratch_int(db, "select count(*) from t"), 0);
  db_close(db);
}

/* Two readers overlap: each begins its snapshot before the other one ends. */
struct relay {
  struct scratch *scratch;
  sem_t baton[2];
  atomic_bool over;
};

static void *relay_run(struct relay *r, int me) {
  struct db *db = NULL;
  if (db_open(&(struct db_open){.url = r->scratch->url, .read_only = true}, NULL, &db) != OK) return r;
  bool failed = false;
  while (!atomic_load(&r->over) && !failed) {
    sem_wait(&r->baton[me]);
    failed = db_begin(db) != OK || db_script(db, "select count(*) from sqlite_schema") != OK;
    sem_post(&r->baton[!me]); /* the other one begins; it posts when this one may end */
    sem_wait(&r->baton[me]);
    db_rollback(db);
    sem_post(&r->baton[me]);
  }
  sem_post(&r->baton[!me]);
  db_close(db);
  return failed ? r : NULL;
}

static void *relay_first(void *arg) {
  return relay_run(arg, 0);
}
static void *relay_second(void *arg) {
  return relay_run(arg, 1);
}

/* The log begins again once it has 8,000 pages, or at one of the next tries, 1,000 pages apart, if the readers get no processor
 * for the 0.1 s that a try waits. */
static void the_log_does_not_grow_without_end_under_readers_that_overlap(void **state) {
  struct relay r = {.scratch = *state};
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db, "create table t (b)"), OK);
  sem_init(&r.baton[0], 0, 1);
  sem_init(&r.baton[1], 0, 0);
  pthread_t threads[2];
  assert_int_equal(pthread_create(&threads[0], NULL, relay_first, &r), 0);
  assert_int_equal(pthread_create(&threads[1], NULL, relay_second, &r), 0);
  for (int i = 0; i < 4000; i++) assert_int_equal(db_run(db, "insert into t values (zeroblob(40000))"), OK);
  atomic_store(&r.over, true);
  for (int i = 0; i < 2; i++) {
    void *failed = NULL;
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
  char wal[128];
  struct stat st;
  scratch_path(*state, "-wal", wal);
  assert_int_equal(stat(wal, &st), 0);
  assert_true(st.st_size < (off_t)24000 * 4120);
  db_close(db);
}

static void another_database_at_the_path_is_taken_without_the_old_ones_log(void **state) {
  struct scratch *s = *state;
  char other[128], url[160], wal[128], shm[128];
  scratch_path(s, ".other", other);
  scratch_path(s, "-wal", wal);
  scratch_path(s, "-shm", shm);
  (void)snprintf(url, sizeof(url), "sqlite://%s", other);
  struct db *db = scratch_open(s, 0), *made = NULL;
  static const char count[] = "select count(*) from t";
  assert_int_equal(db_script(db, "create table t (i); insert into t values (1)"), OK);
  assert_int_equal(db_open(&(struct db_open){.url = url}, NULL, &made), OK);
  assert_int_equal(db_script(made, "create table t (i); insert into t values (1), (2), (3)"), OK);
  db_close(made);
  int64_t before, after;
  assert_int_equal(db_data_version(db, &before), OK);

  assert_int_equal(rename(other, s->path), 0);
  assert_int_equal(db_run(db, "insert into t values (4)"), ERR_IO);
  assert_non_null(strstr(db_problem(db), "remove them"));
  assert_int_equal(unlink(wal), 0);
  assert_int_equal(unlink(shm), 0);
  assert_int_equal(db_run(db, "insert into t values (4)"), OK);

  struct db_rows q = DB_ROWS;
  assert_int_equal(db_query_values(db, &q, count, DB_VALUES_()), OK);
  assert_int_equal(db_next(&q), OK);
  assert_int_equal(db_int(&q, 0), 4);
  db_rows_done(&q);
  assert_int_equal(db_reopened(db), 1);
  assert_int_equal(db_data_version(db, &after), OK);
  assert_int_not_equal(before, after);
  db_close(db);
}

static void the_log_is_moved_into_the_database_before_it_grows_long(void **state) {
  struct db *db = scratch_open(*state, 0);
  assert_int_equal(db_script(db, "create table t (b)"), OK);
  for (int i = 0; i < 3000; i++) assert_int_equal(db_run(db, "insert into t values (zeroblob(5000))"), OK);
  char wal[128];
  struct stat st;
  scratch_path(*state, "-wal", wal);
  assert_int_equal(stat(wal, &st), 0);
  assert_true(st.st_size < (off_t)1100 * 4200);
  db_close(db);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(a_row_comes_back_as_it_was_written),
      SCRATCH_TEST(negative_numbers_and_absent_texts_become_null_where_asked),
      SCRATCH_TEST(errors_say_what_the_caller_can_do),
      SCRATCH_TEST(files_are_the_owners_alone),
      SCRATCH_TEST(a_connection_has_what_durability_asks),
      SCRATCH_TEST(writers_keep_temporary_files_and_readers_sort_in_memory),
      SCRATCH_TEST(urls_that_are_no_local_database_are_refused),
      SCRATCH_TEST(network_file_systems_are_known),
      SCRATCH_TEST(a_reader_makes_no_database),
      SCRATCH_TEST(a_reader_cannot_write),
      SCRATCH_TEST(a_file_that_is_no_database_is_damaged_data),
      SCRATCH_TEST(a_transaction_is_seen_whole_or_not_at_all),
      SCRATCH_TEST(a_second_writer_gets_busy),
      SCRATCH_TEST(a_long_query_ends_at_its_deadline),
      SCRATCH_TEST(the_data_version_follows_other_connections),
      SCRATCH_TEST(a_backup_holds_one_moment_and_replaces_nothing),
      SCRATCH_TEST(a_backup_is_not_started_anew_by_writers),
      SCRATCH_TEST(a_database_moved_away_fails_and_goes_on_when_it_is_back),
      SCRATCH_TEST(a_commit_into_a_removed_file_is_no_commit),
      SCRATCH_TEST(a_commit_into_a_replaced_file_is_no_commit),
      SCRATCH_TEST(the_log_does_not_grow_without_end_under_readers_that_overlap),
      SCRATCH_TEST(another_database_at_the_path_is_taken_without_the_old_ones_log),
      SCRATCH_TEST(the_log_is_moved_into_the_database_before_it_grows_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
