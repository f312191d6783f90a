#include "ledger_scratch.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "db/db_writer.h"
#include "ledger/changes.h"

/* The calls that a subscriber got, for the test's thread to wait for. */
struct listener {
  pthread_mutex_t mutex;
  pthread_cond_t told;
  struct {
    int64_t seq, business_id;
    enum change_kind kind;
    char id[16];
  } heard[2000];
  int heard_count, lost_count;
  int64_t tick_count;
};

static void on_change(void *arg, const struct change *c) {
  struct listener *l = arg;
  pthread_mutex_lock(&l->mutex);
  if (l->heard_count < (int)COUNT_OF(l->heard)) {
    l->heard[l->heard_count].seq = c->seq;
    l->heard[l->heard_count].business_id = c->business_id;
    l->heard[l->heard_count].kind = c->kind;
    if (str_copy(l->heard[l->heard_count].id, sizeof(l->heard->id), c->id) != OK) abort();
  }
  l->heard_count++;
  pthread_cond_broadcast(&l->told);
  pthread_mutex_unlock(&l->mutex);
}

static void on_lost(void *arg) {
  struct listener *l = arg;
  pthread_mutex_lock(&l->mutex);
  l->lost_count++;
  pthread_cond_broadcast(&l->told);
  pthread_mutex_unlock(&l->mutex);
}

static void on_tick(void *arg) {
  struct listener *l = arg;
  pthread_mutex_lock(&l->mutex);
  l->tick_count++;
  pthread_cond_broadcast(&l->told);
  pthread_mutex_unlock(&l->mutex);
}

static void wait_heard(struct listener *l, int count) {
  pthread_mutex_lock(&l->mutex);
  while (l->heard_count < count) pthread_cond_wait(&l->told, &l->mutex);
  pthread_mutex_unlock(&l->mutex);
}

static void wait_lost(struct listener *l, int count) {
  pthread_mutex_lock(&l->mutex);
  while (l->lost_count < count) pthread_cond_wait(&l->told, &l->mutex);
  pthread_mutex_unlock(&l->mutex);
}

/* Waits for two ticks: then a poll that began after this call is over. */
static void wait_look(struct listener *l) {
  pthread_mutex_lock(&l->mutex);
  int64_t until = l->tick_count + 2;
  while (l->tick_count < until) pthread_cond_wait(&l->told, &l->mutex);
  pthread_mutex_unlock(&l->mutex);
}

static struct listener *listener_new(void) {
  struct listener *l = calloc(1, sizeof(*l));
  assert_non_null(l);
  pthread_mutex_init(&l->mutex, NULL);
  pthread_cond_init(&l->told, NULL);
  return l;
}

static struct changes *follow(struct scratch *s, struct listener *l) {
  struct changes *c;
  struct changes_subscriber subscriber = {.change = on_change, .lost = on_lost, .tick = on_tick, .arg = l};
  assert_int_equal(changes_new(&(struct db_open){.url = s->url}, &c), OK);
  assert_int_equal(changes_subscribe(c, &subscriber), OK);
  assert_int_equal(changes_start(c), OK);
  return c;
}

static void add(struct db *db, int64_t business_id, const char *id) {
  assert_int_equal(changes_add(db, CHANGE_RECORDING, business_id, str_from(id)), OK);
}

static void a_follower_gets_changes_committed_after_it_was_made(void **state) {
  struct db *db = scratch_ledger(*state);
  struct listener *l = listener_new();
  add(db, 1, "before");
  struct changes *c = follow(*state, l);
  assert_int_equal(db_begin_immediate(db), OK);
  add(db, 1, "RE1");
  assert_int_equal(changes_add(db, CHANGE_CALL, 2, STR("CA1")), OK);
  assert_int_equal(changes_add(db, CHANGE_BUSINESS, 3, STR("")), OK);
  assert_int_equal(db_commit(db), OK);
  wait_heard(l, 3);
  wait_look(l);
  assert_int_equal(l->heard_count, 3);
  static const struct {
    enum change_kind kind;
    int64_t business_id;
    const char *id;
  } expected[] = {{CHANGE_RECORDING, 1, "RE1"}, {CHANGE_CALL, 2, "CA1"}, {CHANGE_BUSINESS, 3, ""}};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(l->heard[i].seq, i + 2);
    assert_int_equal(l->heard[i].kind, expected[i].kind);
    assert_int_equal(l->heard[i].business_id, expected[i].business_id);
    assert_string_equal(l->heard[i].id, expected[i].id);
  }
  assert_int_equal(l->lost_count, 0);
  assert_int_equal(changes_seq(c), 4);
  assert_true(changes_healthy(c));
  changes_free(c);
  free(l);
  db_close(db);
}

static void rolled_back_changes_are_never_delivered(void **state) {
  struct db *db = scratch_ledger(*state);
  struct listener *l = listener_new();
  struct changes *c = follow(*state, l);
  assert_int_equal(db_begin_immediate(db), OK);
  add(db, 1, "never");
  db_rollback(db);
  add(db, 1, "RE1");
  wait_heard(l, 1);
  assert_string_equal(l->heard[0].id, "RE1");
  assert_int_equal(l->lost_count, 0);
  changes_free(c);
  free(l);
  db_close(db);
}

static void more_than_a_batch_arrives_in_order(void **state) {
  struct db *db = scratch_ledger(*state);
  struct listener *l = listener_new();
  struct changes *c = follow(*state, l);
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < 1700; i++) add(db, 1, "RE");
  assert_int_equal(db_commit(db), OK);
  wait_heard(l, 1700);
  for (int i = 0; i < 1700; i++) assert_int_equal(l->heard[i].seq, i + 1);
  changes_free(c);
  free(l);
  db_close(db);
}

static void changes_of_another_process_are_delivered(void **state) {
  struct scratch *s = *state;
  int go[2];
  assert_int_equal(pipe(go), 0);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    struct db *db;
    if (read(go[0], &c, 1) != 1 || db_open(&(struct db_open){.url = s->url}, NULL, &db) != OK) _exit(1);
    for (int i = 0; i < 5; i++) {
      if (changes_add(db, CHANGE_KEY, 4, STR("k")) != OK) _exit(2);
    }
    db_close(db);
    _exit(0);
  }
  struct db *db = scratch_ledger(s);
  struct listener *l = listener_new();
  struct changes *c = follow(s, l);
  assert_int_equal(write(go[1], "x", 1), 1);
  wait_heard(l, 5);
  for (int i = 0; i < 5; i++) assert_int_equal(l->heard[i].seq, i + 1);
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
  changes_free(c);
  free(l);
  db_close(db);
  close(go[0]);
  close(go[1]);
}

/* Holds the follower inside a subscriber while rows that it has not read are trimmed. */
struct gate {
  sem_t entered, open;
  struct listener *l;
  bool used;
};

static void hold_first(void *arg, const struct change *change) {
  struct gate *g = arg;
  on_change(g->l, change);
  if (g->used) return;
  g->used = true;
  sem_post(&g->entered);
  sem_wait(&g->open);
}

static void gate_lost(void *arg) {
  on_lost(((struct gate *)arg)->l);
}

static void a_follower_behind_trimmed_rows_reports_a_loss(void **state) {
  static const char *const trims[] = {"delete from changes where seq < 4", "delete from changes"};
  for (size_t i = 0; i < COUNT_OF(trims); i++) {
    struct db *db = scratch_ledger(*state);
    assert_int_equal(db_script(db, "delete from changes; delete from sqlite_sequence where name = 'changes'"), OK);
    struct gate g = {.l = listener_new()};
    sem_init(&g.entered, 0, 0);
    sem_init(&g.open, 0, 0);
    struct changes *c;
    struct changes_subscriber subscriber = {.change = hold_first, .lost = gate_lost, .arg = &g};
    assert_int_equal(changes_new(&(struct db_open){.url = ((struct scratch *)*state)->url}, &c), OK);
    assert_int_equal(changes_subscribe(c, &subscriber), OK);
    assert_int_equal(changes_start(c), OK);
    add(db, 1, "one");
    sem_wait(&g.entered);
    for (int n = 0; n < 4; n++) add(db, 1, "missed");
    assert_int_equal(db_script(db, trims[i]), OK);
    sem_post(&g.open);
    wait_lost(g.l, 1);
    add(db, 1, "after");
    wait_heard(g.l, 2);
    assert_string_equal(g.l->heard[1].id, "after");
    assert_int_equal(g.l->lost_count, 1);
    changes_free(c);
    sem_destroy(&g.entered);
    sem_destroy(&g.open);
    free(g.l);
    db_close(db);
  }
}

static void another_database_at_the_path_is_reported_as_a_loss(void **state) {
  struct scratch *s = *state;
  char copy[128], path[128];
  scratch_path(s, ".copy", copy);
  struct db *db = scratch_ledger(s);
  add(db, 1, "in both");
  assert_int_equal(db_backup(db, copy, NULL, NULL), OK);
  add(db, 1, "in the old one");
  struct listener *l = listener_new();
  struct changes *c = follow(s, l);
  wait_look(l);
  scratch_path(s, "-wal", path);
  assert_int_equal(unlink(path), 0);
  scratch_path(s, "-shm", path);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(rename(copy, s->path), 0);
  wait_lost(l, 1);
  add(db, 1, "in the new one");
  wait_heard(l, 1);
  assert_string_equal(l->heard[0].id, "in the new one");
  assert_int_equal(l->heard[0].seq, 2);
  assert_int_equal(l->lost_count, 1);
  changes_free(c);
  free(l);
  db_close(db);
}

static void a_missing_database_makes_it_unhealthy_and_loses_nothing(void **state) {
  struct scratch *s = *state;
  char away[128];
  scratch_path(s, ".away", away);
  struct db *db = scratch_ledger(s);
  struct listener *l = listener_new();
  struct changes *c = follow(s, l);
  add(db, 1, "one");
  wait_heard(l, 1);
  assert_int_equal(rename(s->path, away), 0);
  while (changes_healthy(c)) sched_yield();
  assert_int_equal(rename(away, s->path), 0);
  add(db, 1, "two");
  wait_heard(l, 2);
  assert_string_equal(l->heard[1].id, "two");
  wait_look(l);
  assert_true(changes_healthy(c));
  assert_int_equal(l->lost_count, 0);
  changes_free(c);
  free(l);
  db_close(db);
}

static enum err add_in_writer(struct db *db, void *arg) {
  return changes_add(db, CHANGE_WANT, 1, str_from(arg));
}

static void poke(void *arg) {
  changes_wake(*(struct changes **)arg);
}

static void a_commit_of_the_writer_wakes_the_follower(void **state) {
  struct scratch *s = *state;
  struct db *db = scratch_ledger(s);
  struct listener *l = listener_new();
  struct changes *c = follow(s, l);
  struct db_writer *w;
  struct db_writer_config config = {.open = {.url = s->url}, .committed = poke, .arg = &c};
  assert_int_equal(db_writer_new(&config, &w), OK);
  static char id[] = "RE1";
  for (int i = 0; i < 50; i++) {
    assert_int_equal(db_writer_call(w, (struct db_job){.run = add_in_writer, .arg = id}), OK);
    wait_heard(l, i + 1);
  }
  changes_stop(c);
  assert_int_equal(db_writer_call(w, (struct db_job){.run = add_in_writer, .arg = id}), OK);
  assert_int_equal(l->heard_count, 50);
  db_writer_free(w);
  changes_free(c);
  free(l);
  db_close(db);
}

struct seqs {
  int64_t seq[16];
  int count;
};

static enum err note_seq(void *arg, const struct change *c) {
  struct seqs *s = arg;
  s->seq[s->count++] = c->seq;
  return OK;
}

static void a_business_reads_its_own_changes_from_where_it_was(void **state) {
  struct db *db = scratch_ledger(*state);
  for (int i = 0; i < 10; i++) add(db, 1 + i % 2, "RE"); /* odd seqs are of business 1 */
  assert_int_equal(db_script(db, "delete from changes where seq <= 3"), OK);
  static const struct {
    int64_t business_id, after;
    int limit;
    enum err e;
    int count;
    int64_t first, last;
  } cases[] = {
      {1, 4, 16, OK, 3, 5, 10},
      {1, 4, 2, OK, 2, 5, 7},
      {2, 3, 16, OK, 4, 4, 10},
      {0, 3, 16, OK, 7, 4, 10},
      {1, 10, 16, OK, 0, 0, 10},
      {9, 3, 16, OK, 0, 0, 10},
      {1, 2, 16, ERR_NOT_FOUND, 0, 0, -1},
      {1, 11, 16, ERR_NOT_FOUND, 0, 0, -1},
      {1, 0, 16, ERR_NOT_FOUND, 0, 0, -1},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct seqs seqs = {.count = 0};
    int64_t last = -1;
    assert_int_equal(changes_read(db, cases[i].business_id, cases[i].after, cases[i].limit, note_seq, &seqs, &last),
                     cases[i].e);
    assert_int_equal(seqs.count, cases[i].count);
    assert_int_equal(seqs.count > 0 ? seqs.seq[0] : 0, cases[i].first);
    assert_int_equal(last, cases[i].last);
  }
  db_close(db);
}

/* The most rows that one call trims. */
static int64_t trim_all(struct db *db, int64_t now) {
  int64_t most = 0, before, after = scratch_int(db, "select count(*) from changes");
  bool more = true;
  while (more) {
    before = after;
    assert_int_equal(changes_trim(db, now, &more), OK);
    after = scratch_int(db, "select count(*) from changes");
    if (before - after > most) most = before - after;
  }
  return most;
}

static void trimming_keeps_ten_minutes_and_a_ceiling(void **state) {
  enum { NOW = 100000000 };
  struct db *db = scratch_ledger(*state);
  assert_int_equal(
      db_script(db,
                "insert into changes (kind, business_id, id, at_ms) values ('call', 1, 'old', 99399999),"
                " ('call', 1, 'ahead', 100600001), ('call', 1, 'kept', 99400000), ('call', 1, 'kept', 100000000)"),
      OK);
  (void)trim_all(db, NOW);
  assert_int_equal(scratch_int(db, "select count(*) from changes"), 2);
  assert_int_equal(scratch_int(db, "select min(seq) from changes"), 3);
  assert_int_equal(
      db_script(db,
                "with recursive n(i) as (select 1 union all select i + 1 from n limit 112000)"
                " insert into changes (kind, business_id, id, at_ms) select 'call', 1, i, 100000000 from n"),
      OK);
  assert_true(trim_all(db, NOW) <= 500);
  assert_int_equal(scratch_int(db, "select count(*) from changes"), CHANGES_KEPT);
  int64_t oldest, newest;
  assert_int_equal(db_script(db, "delete from changes"), OK);
  assert_int_equal(changes_bounds(db, &oldest, &newest), OK);
  assert_int_equal(newest, 112004);
  assert_int_equal(oldest, 112005);
  db_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(changes_of_another_process_are_delivered),
      SCRATCH_TEST(a_follower_gets_changes_committed_after_it_was_made),
      SCRATCH_TEST(rolled_back_changes_are_never_delivered),
      SCRATCH_TEST(more_than_a_batch_arrives_in_order),
      SCRATCH_TEST(a_follower_behind_trimmed_rows_reports_a_loss),
      SCRATCH_TEST(another_database_at_the_path_is_reported_as_a_loss),
      SCRATCH_TEST(a_missing_database_makes_it_unhealthy_and_loses_nothing),
      SCRATCH_TEST(a_commit_of_the_writer_wakes_the_follower),
      SCRATCH_TEST(a_business_reads_its_own_changes_from_where_it_was),
      SCRATCH_TEST(trimming_keeps_ten_minutes_and_a_ceiling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
