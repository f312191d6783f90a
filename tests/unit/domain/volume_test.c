/* A volume that does not answer: closed gates stand for calls that do not return. */
#include "domain_scratch.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "domain/volume.h"

struct stage {
  char directory[64];
  struct blob_store *store;
  struct volume *volume;
  sem_t entered, gate, done, destroyed;
};

struct job {
  struct volume_job job;
  struct stage *stage;
  _Atomic enum err result;
};

static enum err pass_the_gate(struct volume_job *job) {
  struct stage *s = ((struct job *)(void *)job)->stage;
  sem_post(&s->entered);
  sem_wait(&s->gate);
  return OK;
}

static void tell(struct volume_job *job, enum err result) {
  struct job *j = (struct job *)(void *)job;
  j->result = result;
  sem_post(&j->stage->done);
}

static void drop(struct volume_job *job) {
  struct stage *s = ((struct job *)(void *)job)->stage;
  free(job);
  sem_post(&s->destroyed);
}

static struct job *job_of(struct stage *s, int64_t timeout_ms) {
  struct job *j = calloc(1, sizeof(*j));
  assert_non_null(j);
  j->stage = s;
  j->job = (struct volume_job){.run = pass_the_gate, .done = tell, .destroy = drop, .timeout_ms = timeout_ms};
  return j;
}

static int stage_new(void **state) {
  struct stage *s = calloc(1, sizeof(*s));
  if (!s) return -1;
  (void)snprintf(s->directory, sizeof(s->directory), "/tmp/callreel-volume-XXXXXX");
  if (!mkdtemp(s->directory) || blob_open_disk(s->directory, &s->store) != OK) return -1;
  sem_init(&s->entered, 0, 0);
  sem_init(&s->gate, 0, 0);
  sem_init(&s->done, 0, 0);
  sem_init(&s->destroyed, 0, 0);
  *state = s;
  return volume_new(s->store, 1, 2, &s->volume) == OK ? 0 : -1;
}

static int stage_free(void **state) {
  struct stage *s = *state;
  char mark[80];
  volume_free(s->volume);
  blob_close(s->store);
  (void)snprintf(mark, sizeof(mark), "%s/.alive", s->directory);
  (void)unlink(mark);
  (void)rmdir(s->directory);
  free(s);
  return 0;
}

static void a_job_is_done_once_and_destroyed_after_the_last_holder(void **state) {
  struct stage *s = *state;
  struct job *j = job_of(s, 60000);
  assert_int_equal(volume_run(s->volume, &j->job), OK);
  sem_post(&s->gate);
  sem_wait(&s->done);
  assert_int_equal(j->result, OK);
  assert_int_equal(sem_trywait(&s->destroyed), -1); /* the caller still holds it */
  volume_release(&j->job);
  sem_wait(&s->destroyed);
  assert_true(volume_stop(s->volume, 10000));
}

static void a_job_that_times_out_while_it_runs_is_destroyed_when_it_returns(void **state) {
  struct stage *s = *state;
  struct job *j = job_of(s, 0);
  assert_int_equal(volume_run(s->volume, &j->job), OK);
  sem_wait(&s->entered);
  volume_tick(s->volume);
  sem_wait(&s->done);
  assert_int_equal(j->result, ERR_TIMEOUT);
  volume_release(&j->job);
  volume_tick(s->volume);
  assert_int_equal(sem_trywait(&s->destroyed), -1); /* its thread still holds it */
  sem_post(&s->gate);
  sem_wait(&s->destroyed);
  assert_int_equal(sem_trywait(&s->done), -1);
  assert_true(volume_stop(s->volume, 10000));
}

static void a_job_that_times_out_while_it_waits_is_never_run(void **state) {
  struct stage *s = *state;
  struct job *first = job_of(s, 60000), *second = job_of(s, 0);
  assert_int_equal(volume_run(s->volume, &first->job), OK);
  sem_wait(&s->entered);
  assert_int_equal(volume_run(s->volume, &second->job), OK);
  volume_tick(s->volume);
  sem_wait(&s->done);
  assert_int_equal(second->result, ERR_TIMEOUT);
  volume_release(&second->job);
  sem_wait(&s->destroyed);
  sem_post(&s->gate);
  sem_wait(&s->done);
  assert_int_equal(first->result, OK);
  volume_release(&first->job);
  assert_true(volume_stop(s->volume, 10000));
  assert_int_equal(sem_trywait(&s->entered), -1);
}

static void a_full_queue_refuses_jobs(void **state) {
  struct stage *s = *state;
  struct job *jobs[3], *one_too_many = job_of(s, 60000);
  for (int i = 0; i < 3; i++) {
    jobs[i] = job_of(s, 60000);
    assert_int_equal(volume_run(s->volume, &jobs[i]->job), OK);
    if (i == 0) sem_wait(&s->entered);
  }
  assert_int_equal(volume_run(s->volume, &one_too_many->job), ERR_BUSY);
  free(one_too_many);
  for (int i = 0; i < 3; i++) sem_post(&s->gate);
  for (int i = 0; i < 3; i++) sem_wait(&s->done);
  for (int i = 0; i < 3; i++) volume_release(&jobs[i]->job);
  assert_true(volume_stop(s->volume, 10000));
}

static void stopping_gives_up_all_jobs_and_reports_threads_that_do_not_return(void **state) {
  struct stage *s = *state;
  struct job *runs = job_of(s, 60000), *waits = job_of(s, 60000);
  assert_int_equal(volume_run(s->volume, &runs->job), OK);
  sem_wait(&s->entered);
  assert_int_equal(volume_run(s->volume, &waits->job), OK);
  assert_false(volume_stop(s->volume, 0));
  sem_wait(&s->done);
  sem_wait(&s->done);
  assert_int_equal(runs->result, ERR_CLOSED);
  assert_int_equal(waits->result, ERR_CLOSED);
  volume_release(&runs->job);
  volume_release(&waits->job);
  sem_post(&s->gate);
  assert_true(volume_stop(s->volume, 10000));
}

static void a_probe_finds_free_space_and_no_id(void **state) {
  struct stage *s = *state;
  struct volume_seen seen;
  do volume_seen(s->volume, &seen);
  while (seen.age_ms == INT64_MAX);
  assert_int_equal(seen.room_error, OK);
  assert_true(seen.answers && seen.total_bytes > 0);
  assert_int_equal(seen.id_error, ERR_NOT_FOUND);
  assert_true(volume_stop(s->volume, 10000));
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, stage_new, stage_free)

int main(void) {
  const struct CMUnitTest tests[] = {
      STAGED(a_job_is_done_once_and_destroyed_after_the_last_holder),
      STAGED(a_job_that_times_out_while_it_runs_is_destroyed_when_it_returns),
      STAGED(a_job_that_times_out_while_it_waits_is_never_run),
      STAGED(a_full_queue_refuses_jobs),
      STAGED(stopping_gives_up_all_jobs_and_reports_threads_that_do_not_return),
      STAGED(a_probe_finds_free_space_and_no_id),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
