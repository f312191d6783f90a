#include "db_scratch.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "db/db_writer.h"

struct fixture {
  struct scratch *scratch;
  struct db_writer *writer;
  struct db *reader;
  atomic_int commits;
};

static void count_commit(void *arg) {
  atomic_fetch_add((atomic_int *)arg, 1);
}

static struct fixture *fixture_new(void **state, int64_t busy_ms, size_t queue_max) {
  struct fixture *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  f->scratch = *state;
  f->reader = scratch_open(f->scratch, 0);
  assert_int_equal(db_script(f->reader, "create table t (i integer primary key, text)"), OK);
  struct db_writer_config config = {.open = {.url = f->scratch->url, .busy_ms = busy_ms},
                                    .queue_max = queue_max,
                                    .committed = count_commit,
                                    .arg = &f->commits};
  assert_int_equal(db_writer_new(&config, &f->writer), OK);
  return f;
}

static void fixture_free(struct fixture *f) {
  assert_null(db_writer_free(f->writer));
  db_close(f->reader);
  free(f);
}

/* A job that adds row i, may wait at a gate first, and ends as the test sets. */
struct row {
  int64_t i;
  enum err end;
  const char *script; /* run after the row; NULL: none */
  sem_t *entered, *gate;
  struct fixture *f;
  int commits_at_run;
  enum err answer;
  sem_t answered;
};

static enum err row_run(struct db *db, void *arg) {
  struct row *r = arg;
  if (r->entered) sem_post(r->entered);
  if (r->gate) sem_wait(r->gate);
  r->commits_at_run = atomic_load(&r->f->commits);
  TRY(db_run(db, "insert into t (i) values (?1)", DB_INT(r->i)));
  if (r->script) TRY(db_script(db, r->script));
  return r->end;
}

static void row_done(void *arg, enum err e) {
  struct row *r = arg;
  r->answer = e;
  sem_post(&r->answered);
}

static void row_submit(struct fixture *f, struct row *r) {
  r->f = f;
  sem_init(&r->answered, 0, 0);
  assert_int_equal(db_writer_submit(f->writer, (struct db_job){.run = row_run, .done = row_done, .arg = r}), OK);
}

static enum err row_wait(struct row *r) {
  sem_wait(&r->answered);
  sem_destroy(&r->answered);
  return r->answer;
}

static enum err add_row(struct fixture *f, int64_t i) {
  struct row r = {.i = i};
  row_submit(f, &r);
  return row_wait(&r);
}

/* Holds the writer inside a job while rows are submitted, so that these share the next group. */
static void submit_together(struct fixture *f, struct row *rows, size_t n) {
  sem_t entered, gate;
  sem_init(&entered, 0, 0);
  sem_init(&gate, 0, 0);
  struct row first = {.i = 1000000 + atomic_load(&f->commits), .entered = &entered, .gate = &gate};
  row_submit(f, &first);
  sem_wait(&entered);
  for (size_t i = 0; i < n; i++) row_submit(f, &rows[i]);
  sem_post(&gate);
  (void)row_wait(&first); /* may have run in the same group as the rows */
  sem_destroy(&entered);
  sem_destroy(&gate);
}

static int64_t has_row(struct fixture *f, int64_t i) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query(f->reader, &q, "select count(*) from t where i = ?1", DB_INT(i)), OK);
  assert_int_equal(db_next(&q), OK);
  return db_int(&q, 0);
}

static void an_answered_job_is_visible_to_other_connections(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  for (int i = 1; i <= 20; i++) {
    assert_int_equal(add_row(f, i), OK);
    assert_int_equal(has_row(f, i), 1);
  }
  assert_true(db_writer_healthy(f->writer));
  fixture_free(f);
}

static void a_failing_job_is_rolled_back_alone(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  struct row rows[] = {{.i = 1}, {.i = 2, .end = ERR_CONFLICT}, {.i = 3}, {.i = 3}, {.i = 4}};
  submit_together(f, rows, COUNT_OF(rows));
  static const enum err expected[] = {OK, ERR_CONFLICT, OK, ERR_EXISTS, OK};
  static const int there[] = {1, 0, 1, 1, 1};
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    assert_int_equal(row_wait(&rows[i]), expected[i]);
    assert_int_equal(has_row(f, rows[i].i), there[i]);
  }
  assert_true(db_writer_healthy(f->writer));
  fixture_free(f);
}

static void many_jobs_share_a_commit(void **state) {
  enum { N = 900 };
  static struct row rows[N];
  struct fixture *f = fixture_new(state, 0, 0);
  for (int i = 0; i < N; i++) rows[i] = (struct row){.i = i};
  submit_together(f, rows, N);
  for (int i = 0; i < N; i++) assert_int_equal(row_wait(&rows[i]), OK);
  assert_true(atomic_load(&f->commits) < N / 2);
  fixture_free(f);
}

/* Repeats until the first two rows ran in one group; how often depends on the machine. */
static void run_in_one_group(struct fixture *f, struct row *rows, size_t n, int64_t numbers_from) {
  for (int64_t attempt = 0; attempt < 1000; attempt++) {
    struct row *r = rows;
    for (size_t i = 0; i < n; i++) r[i].i = numbers_from + attempt * 10 + (int64_t)i;
    submit_together(f, rows, n);
    for (size_t i = 0; i < n; i++) (void)row_wait(&rows[i]);
    if (rows[0].commits_at_run == rows[1].commits_at_run) return;
  }
  fail_msg("never shared a group");
}

static void a_transaction_that_the_database_gave_up_fails_all_that_ran_in_it(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  struct row rows[] = {{.end = OK}, {.script = "rollback", .end = ERR_FULL}};
  run_in_one_group(f, rows, COUNT_OF(rows), 1);
  assert_int_equal(rows[0].answer, ERR_FULL);
  assert_int_equal(rows[1].answer, ERR_FULL);
  assert_int_equal(has_row(f, rows[0].i), 0);
  assert_false(db_writer_healthy(f->writer));
  assert_int_equal(add_row(f, 2000000), OK);
  assert_true(db_writer_healthy(f->writer));
  fixture_free(f);
}

static void a_job_that_hides_a_lost_transaction_fails_too(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  struct row rows[] = {{.end = OK}, {.script = "rollback", .end = OK}};
  run_in_one_group(f, rows, COUNT_OF(rows), 1);
  assert_int_equal(rows[0].answer, ERR_IO);
  assert_int_equal(rows[1].answer, ERR_IO);
  fixture_free(f);
}

static void a_full_database_says_so_and_recovers(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  static const char fill[] = "insert into t (text) select randomblob(2500) from t a, t b, t c limit 400";
  for (int i = 1; i <= 20; i++) assert_int_equal(add_row(f, i), OK);
  struct row small = {.i = 100, .script = "pragma max_page_count=20"};
  row_submit(f, &small);
  assert_int_equal(row_wait(&small), OK);
  struct row big = {.i = 101, .script = fill};
  row_submit(f, &big);
  assert_int_equal(row_wait(&big), ERR_FULL);
  assert_int_equal(has_row(f, 101), 0);
  struct row room = {.i = 102, .script = "pragma max_page_count=100000"};
  row_submit(f, &room);
  assert_int_equal(row_wait(&room), OK);
  struct row again = {.i = 103, .script = fill};
  row_submit(f, &again);
  assert_int_equal(row_wait(&again), OK);
  assert_true(db_writer_healthy(f->writer));
  fixture_free(f);
}

static void a_database_locked_by_another_fails_the_jobs_and_recovers(void **state) {
  struct fixture *f = fixture_new(state, 20, 0);
  struct row rows[] = {{.i = 1}, {.i = 2}};
  assert_int_equal(db_begin_immediate(f->reader), OK);
  for (size_t i = 0; i < COUNT_OF(rows); i++) row_submit(f, &rows[i]);
  for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(row_wait(&rows[i]), ERR_BUSY);
  assert_false(db_writer_healthy(f->writer));
  assert_int_equal(db_commit(f->reader), OK);
  assert_int_equal(has_row(f, 1), 0);
  assert_int_equal(add_row(f, 3), OK);
  assert_true(db_writer_healthy(f->writer));
  fixture_free(f);
}

static void a_lock_that_is_given_back_in_time_is_waited_for(void **state) {
  struct fixture *f = fixture_new(state, 60000, 0);
  struct row row = {.i = 1};
  assert_int_equal(db_begin_immediate(f->reader), OK);
  row_submit(f, &row);
  assert_int_equal(db_commit(f->reader), OK);
  assert_int_equal(row_wait(&row), OK);
  fixture_free(f);
}

static void a_removed_database_fails_and_is_found_again(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  char away[128];
  scratch_path(f->scratch, ".away", away);
  assert_int_equal(add_row(f, 1), OK);
  assert_int_equal(rename(f->scratch->path, away), 0);
  assert_int_equal(add_row(f, 2), ERR_IO);
  assert_false(db_writer_healthy(f->writer));
  assert_int_equal(rename(away, f->scratch->path), 0);
  assert_int_equal(add_row(f, 3), OK);
  assert_int_equal(has_row(f, 2), 0);
  fixture_free(f);
}

static void a_full_queue_takes_no_more(void **state) {
  struct fixture *f = fixture_new(state, 0, 3);
  sem_t entered, gate;
  sem_init(&entered, 0, 0);
  sem_init(&gate, 0, 0);
  struct row first = {.i = 1, .entered = &entered, .gate = &gate}, rows[] = {{.i = 2}, {.i = 3}};
  row_submit(f, &first);
  sem_wait(&entered);
  for (size_t i = 0; i < COUNT_OF(rows); i++) row_submit(f, &rows[i]);
  assert_int_equal(db_writer_submit(f->writer, (struct db_job){.run = row_run, .done = row_done, .arg = &first}),
                   ERR_BUSY);
  sem_post(&gate);
  assert_int_equal(row_wait(&first), OK);
  for (size_t i = 0; i < COUNT_OF(rows); i++) assert_int_equal(row_wait(&rows[i]), OK);
  sem_destroy(&entered);
  sem_destroy(&gate);
  fixture_free(f);
}

static void freeing_answers_what_is_queued(void **state) {
  enum { N = 500 };
  static struct row rows[N];
  struct fixture *f = fixture_new(state, 0, 0);
  for (int i = 0; i < N; i++) {
    rows[i] = (struct row){.i = i};
    row_submit(f, &rows[i]);
  }
  f->writer = db_writer_free(f->writer);
  for (int i = 0; i < N; i++) {
    assert_int_equal(sem_trywait(&rows[i].answered), 0);
    assert_int_equal(rows[i].answer, OK);
    sem_destroy(&rows[i].answered);
  }
  fixture_free(f);
}

static void *call_many(void *arg) {
  struct fixture *f = arg;
  static atomic_int next;
  for (int i = 0; i < 100; i++) {
    struct row r = {.i = atomic_fetch_add(&next, 1), .f = f};
    if (db_writer_call(f->writer, (struct db_job){.run = row_run, .arg = &r}) != OK) return arg;
  }
  return NULL;
}

static void callers_of_many_threads_get_their_own_results(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  pthread_t threads[8];
  for (size_t i = 0; i < COUNT_OF(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, call_many, f), 0);
  for (size_t i = 0; i < COUNT_OF(threads); i++) {
    void *failed = NULL;
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
  assert_int_equal(scratch_int(f->reader, "select count(*) from t"), 800);
  fixture_free(f);
}

/* A job of several parts; each adds the next row. */
struct parts {
  struct fixture *f;
  int64_t next, last;
  int64_t end_at; /* this part fails with ERR_CONFLICT; 0: none */
  bool more;
  int parts_done, commits_of_first;
  sem_t *entered, *gate;
  enum err answer;
  sem_t answered;
};

static enum err parts_run(struct db *db, void *arg) {
  struct parts *p = arg;
  if (p->entered) sem_post(p->entered);
  if (p->gate) sem_wait(p->gate);
  p->entered = p->gate = NULL;
  int64_t i = p->next++;
  TRY(db_run(db, "insert into t (i) values (?1)", DB_INT(i)));
  p->more = i < p->last;
  return i == p->end_at ? ERR_CONFLICT : OK;
}

static void part_done(void *arg) {
  struct parts *p = arg;
  if (p->parts_done++ == 0) p->commits_of_first = atomic_load(&p->f->commits);
}

static void parts_done(void *arg, enum err e) {
  struct parts *p = arg;
  p->answer = e;
  sem_post(&p->answered);
}

static void parts_submit(struct parts *p) {
  sem_init(&p->answered, 0, 0);
  struct db_job job = {.run = parts_run, .done = parts_done, .arg = p, .more = &p->more, .part_done = part_done};
  assert_int_equal(db_writer_submit(p->f->writer, job), OK);
}

static enum err parts_wait(struct parts *p) {
  sem_wait(&p->answered);
  sem_destroy(&p->answered);
  return p->answer;
}

static void a_job_of_many_parts_lets_others_between_and_is_answered_once(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  sem_t entered, gate;
  sem_init(&entered, 0, 0);
  sem_init(&gate, 0, 0);
  struct parts p = {.f = f, .next = 1, .last = 50, .entered = &entered, .gate = &gate};
  parts_submit(&p);
  sem_wait(&entered);
  struct row other = {.i = 1000, .script = "update t set text = (select max(i) from t where i < 1000) where i = 1000"};
  row_submit(f, &other);
  sem_post(&gate);
  assert_int_equal(row_wait(&other), OK);
  assert_int_equal(parts_wait(&p), OK);
  assert_int_equal(scratch_int(f->reader, "select text from t where i = 1000"), 1);
  assert_int_equal(scratch_int(f->reader, "select count(*) from t where i <= 50"), 50);
  assert_int_equal(p.parts_done, 49);
  assert_true(p.commits_of_first < atomic_load(&f->commits));
  fixture_free(f);
  sem_destroy(&entered);
  sem_destroy(&gate);
}

static void a_part_that_fails_ends_its_job_and_leaves_those_before(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  struct parts p = {.f = f, .next = 1, .last = 9, .end_at = 4};
  parts_submit(&p);
  assert_int_equal(parts_wait(&p), ERR_CONFLICT);
  assert_int_equal(scratch_int(f->reader, "select max(i) from t"), 3);
  fixture_free(f);
}

static void freeing_ends_a_job_of_many_parts(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  struct parts p = {.f = f, .next = 1, .last = INT64_MAX};
  parts_submit(&p);
  f->writer = db_writer_free(f->writer);
  assert_int_equal(parts_wait(&p), ERR_CLOSED);
  assert_int_equal(scratch_int(f->reader, "select max(i) from t"), p.next - 1);
  fixture_free(f);
}

/* ---- turns ---- */

/* A job that appends its letter when it runs. */
struct order {
  char text[4096];
  size_t n;
};

struct noter {
  struct order *order;
  char name;
  bool wanted;
  enum err answer;
  sem_t answered;
};

static enum err noter_run(struct db *db, void *arg) {
  struct noter *t = arg;
  t->order->text[t->order->n++] = t->name;
  return db_run(db, "insert into t (text) values (?1)", DB_TEXT(str_of(&t->name, 1)));
}

static void noter_done(void *arg, enum err e) {
  struct noter *t = arg;
  t->answer = e;
  sem_post(&t->answered);
}

static bool noter_is_abandoned(void *arg) {
  return !((struct noter *)arg)->wanted;
}

/* Submits a job for each letter while the writer is held, and waits for all: "w2" is a webhook of business 2, "e" an edit, "l" a
 * lease, "u" upkeep, "x" an edit that nobody wants any more, "d" a webhook whose deadline is over. Returns the letters in the
 * order in which they ran; ret_answers: how each was answered. */
static void run_in_order(struct fixture *f, const char *jobs, char ret_order[4096], enum err *ret_answers) {
  struct order order = {.n = 0};
  size_t count = strlen(jobs) / 2;
  struct noter *noters = calloc(count, sizeof(*noters));
  assert_non_null(noters);
  sem_t entered, gate;
  sem_init(&entered, 0, 0);
  sem_init(&gate, 0, 0);
  struct row first = {.i = 5000000 + atomic_load(&f->commits), .entered = &entered, .gate = &gate};
  row_submit(f, &first);
  sem_wait(&entered);
  for (size_t i = 0; i < count; i++) {
    char kind = jobs[2 * i];
    noters[i] = (struct noter){.order = &order, .name = (char)('a' + i % 26), .wanted = kind != 'x'};
    sem_init(&noters[i].answered, 0, 0);
    struct db_job job = {.class = kind == 'l'                  ? DB_CLASS_LEASE
                                  : kind == 'w' || kind == 'd' ? DB_CLASS_WEBHOOK
                                  : kind == 'u'                ? DB_CLASS_UPKEEP
                                                               : DB_CLASS_EDIT,
                         .business_id = jobs[2 * i + 1] - '0',
                         .run = noter_run,
                         .done = noter_done,
                         .arg = &noters[i],
                         .deadline_ms = kind == 'd' ? 1 : 0,
                         .is_abandoned = noter_is_abandoned};
    assert_int_equal(db_writer_submit(f->writer, job), OK);
  }
  sem_post(&gate);
  (void)row_wait(&first);
  for (size_t i = 0; i < count; i++) {
    sem_wait(&noters[i].answered);
    sem_destroy(&noters[i].answered);
    if (ret_answers) ret_answers[i] = noters[i].answer;
  }
  memcpy(ret_order, order.text, sizeof(order.text));
  free(noters);
  sem_destroy(&entered);
  sem_destroy(&gate);
}

static void businesses_take_turns_and_classes_go_by_their_rank(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  static const struct {
    const char *jobs, *order;
  } cases[] = {
      {"e1e1e1e1e2e2e3", "aegbfcd"}, /* businesses take turns; each one's jobs keep their order */
      {"e1w1e2w2l1l2", "efbdac"},    /* leases, webhooks, edits */
      {"w1w1w1w2", "adbc"},          /* a new business waits for one job of another */
      {"e1w2w2w2w3", "becda"},
      {"u1u2e1w1l1", "edcab"}, /* upkeep goes last, and its jobs of one name keep their order */
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char order[4096];
    run_in_order(f, cases[i].jobs, order, NULL);
    assert_string_equal(order, cases[i].order);
  }
  fixture_free(f);
}

static void an_abandoned_or_late_job_is_not_begun(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  char order[4096];
  enum err answers[5];
  run_in_order(f, "x1e1x1d2w2", order, answers);
  assert_string_equal(order, "eb");
  static const enum err expected[] = {ERR_CLOSED, OK, ERR_CLOSED, ERR_BUSY, OK};
  assert_memory_equal(answers, expected, sizeof(expected));
  assert_int_equal(scratch_int(f->reader, "select count(*) from t where text is not null"), 2);
  assert_true(db_writer_healthy(f->writer));
  fixture_free(f);
}

static void a_business_has_its_share_of_the_queue_and_others_theirs(void **state) {
  struct fixture *f = fixture_new(state, 0, 0);
  sem_t entered, gate;
  sem_init(&entered, 0, 0);
  sem_init(&gate, 0, 0);
  struct row first = {.i = 1, .entered = &entered, .gate = &gate};
  row_submit(f, &first);
  sem_wait(&entered);
  struct order order = {.n = 0};
  struct noter t = {.order = &order, .name = 'a', .wanted = false};
  sem_init(&t.answered, 0, 0);
  struct db_job job = {
      .business_id = 1, .run = noter_run, .done = noter_done, .arg = &t, .is_abandoned = noter_is_abandoned};
  int taken = 0;
  while (db_writer_submit(f->writer, job) == OK) taken++;
  assert_int_equal(taken, 1000);
  job.class = DB_CLASS_WEBHOOK;
  assert_int_equal(db_writer_submit(f->writer, job), OK);
  job.business_id = 2;
  job.class = DB_CLASS_EDIT;
  assert_int_equal(db_writer_submit(f->writer, job), OK);
  sem_post(&gate);
  assert_int_equal(row_wait(&first), OK);
  fixture_free(f);
  sem_destroy(&t.answered);
  sem_destroy(&entered);
  sem_destroy(&gate);
}

/* Endless webhooks: each one submits the next. */
struct chain {
  struct fixture *f;
  atomic_bool stop;
  atomic_int ran;
  int64_t busy_us;
  sem_t ended;
};

static enum err chain_run(struct db *db, void *arg) {
  struct chain *c = arg;
  int64_t until = clock_mono_us() + c->busy_us;
  while (clock_mono_us() < until) continue;
  atomic_fetch_add(&c->ran, 1);
  return db_run(db, "insert into t (text) values ('chain')");
}

static void chain_submit(struct chain *c);

static void chain_done(void *arg, enum err e) {
  struct chain *c = arg;
  (void)e;
  if (atomic_load(&c->stop))
    sem_post(&c->ended);
  else
    chain_submit(c);
}

static void chain_submit(struct chain *c) {
  struct db_job job = {.class = DB_CLASS_WEBHOOK, .business_id = 7, .run = chain_run, .done = chain_done, .arg = c};
  assert_int_equal(db_writer_submit(c->f->writer, job), OK);
}

static void edits_go_on_under_webhooks_without_end(void **state) {
  enum { CHAINS = 50 };
  struct fixture *f = fixture_new(state, 0, 0);
  struct chain c = {.f = f, .busy_us = 200};
  sem_init(&c.ended, 0, 0);
  for (int i = 0; i < CHAINS; i++) chain_submit(&c);
  for (int i = 0; i < 20; i++) assert_int_equal(add_row(f, -1 - i), OK);
  atomic_store(&c.stop, true);
  for (int i = 0; i < CHAINS; i++) sem_wait(&c.ended);
  assert_true(atomic_load(&c.ran) > 20); /* webhooks ran before the edits */
  fixture_free(f);
  sem_destroy(&c.ended);
}

#define SCRATCH_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(an_answered_job_is_visible_to_other_connections),
      SCRATCH_TEST(a_failing_job_is_rolled_back_alone),
      SCRATCH_TEST(many_jobs_share_a_commit),
      SCRATCH_TEST(a_transaction_that_the_database_gave_up_fails_all_that_ran_in_it),
      SCRATCH_TEST(a_job_that_hides_a_lost_transaction_fails_too),
      SCRATCH_TEST(a_full_database_says_so_and_recovers),
      SCRATCH_TEST(a_database_locked_by_another_fails_the_jobs_and_recovers),
      SCRATCH_TEST(a_lock_that_is_given_back_in_time_is_waited_for),
      SCRATCH_TEST(a_removed_database_fails_and_is_found_again),
      SCRATCH_TEST(a_full_queue_takes_no_more),
      SCRATCH_TEST(freeing_answers_what_is_queued),
      SCRATCH_TEST(a_job_of_many_parts_lets_others_between_and_is_answered_once),
      SCRATCH_TEST(a_part_that_fails_ends_its_job_and_leaves_those_before),
      SCRATCH_TEST(freeing_ends_a_job_of_many_parts),
      SCRATCH_TEST(businesses_take_turns_and_classes_go_by_their_rank),
      SCRATCH_TEST(an_abandoned_or_late_job_is_not_begun),
      SCRATCH_TEST(a_business_has_its_share_of_the_queue_and_others_theirs),
      SCRATCH_TEST(edits_go_on_under_webhooks_without_end),
      SCRATCH_TEST(callers_of_many_threads_get_their_own_results),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
