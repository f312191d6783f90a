/* journey_test.c - a recording is announced, filled and looked up for a play, while the nth call of some kind fails once.
 *
 * For every n: nothing crashes; a webhook that was answered is stored; no row is ever ready without its whole file; and
 * after the fault the recording becomes ready by itself, without a lease, a part or a descriptor left. A webhook that was
 * not answered is delivered again, as the provider does. The test moves the clock and never waits. */
#include "../unit/sizes.h"
#include "../unit/work/works.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "domain/intake.h"
#include "domain/playback.h"
#include "api/media/api_open_files.h"
#include "faults.h"

enum {
  ROUNDS_A_WORKS = 40, /* recordings for one worker and database */
  N_MAX = 200000,
#ifdef __SANITIZE_THREAD__ /* has nothing to say of a failed call */
  EACH_BELOW = 4,
  A_PART = 2,
#else
  EACH_BELOW = TEST_SIZE(100, 40),
  A_PART = TEST_SIZE(16, 8),
#endif
  LOOK_NS = 500 * 1000,
  POLLS_A_STEP = 60, /* polls between two moves of the clock; a fill without fault needs fewer */
  STEPS_MAX = 200,
  STEP_MS = 31 * 1000, /* longer than a lease */
  SWEEP_MS = 11 * 60 * 1000,
};

struct journey {
  struct works *works;
  struct open_files *open_files;
  struct cache_versions *versions;
  struct str wav;
  int rounds;
};

static void open_journey(struct journey *j) {
  j->wav = works_wav(0, 1);
  j->works = works_new((struct works_answer[]){{.status = 200, .body = j->wav, .etag = "\"v1\""}, {0}});
  works_start_worker(j->works);
  assert_int_equal(cache_versions_new(&j->versions), OK);
  assert_int_equal(open_files_new(8, &j->open_files), OK);
}

static void pause_a_moment(void) {
  const struct timespec moment = {.tv_nsec = LOOK_NS};
  (void)nanosleep(&moment, NULL);
}

static int count_fds(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  assert_non_null(d);
  while (readdir(d)) n++;
  (void)closedir(d);
  return n;
}

/* A failed unlink leaves a part, which the sweep removes when its time comes. */
static void assert_swept(struct works *w) {
  for (int i = 0; i < STEPS_MAX && works_count_parts(w) > 0; i++) {
    clock_test_advance_ms(SWEEP_MS);
    for (int k = 0; k < POLLS_A_STEP && works_count_parts(w) > 0; k++) pause_a_moment();
  }
  assert_int_equal(works_count_parts(w), 0);
}

/* The closer closes files of the volume on a thread of its own, a moment later. */
static void assert_closed(int fds) {
  for (int i = 0; i < STEPS_MAX * POLLS_A_STEP && count_fds() != fds; i++) pause_a_moment();
  assert_int_equal(count_fds(), fds);
}

static void close_journey(struct journey *j) {
  assert_swept(j->works);
  j->open_files = open_files_free(j->open_files);
  j->versions = cache_versions_free(j->versions);
  works_free(j->works);
  j->works = NULL;
}

/* ---- the webhook ---- */

struct told {
  struct delivery delivery;
  int64_t now;
};

static enum err run_intake(struct db *db, void *arg) {
  struct told *t = arg;
  struct intake_result result;
  return intake_run(db, &t->delivery, t->now, &result);
}

static enum err deliver(struct works *w, const char *sid, const char *call) {
  struct told t = {.now = clock_now_ms()};
  char url[256];
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/2010-04-01/Accounts/" WORKS_ACCOUNT "/Recordings/%s",
                 http_server_port(w->server), sid);
  t.delivery = (struct delivery){
      .business_id = 1, .call_sid = str_from(call), .recording_sid = str_from(sid), .received_ms = t.now};
  struct delivery_field fields[] = {{STR(RECORDING_FIELD_STATUS), STR("completed")},
                                    {STR(RECORDING_FIELD_URL), str_from(url)},
                                    {STR(RECORDING_FIELD_FORBIDDEN), STR("0")},
                                    {STR(RECORDING_FIELD_CALL), str_from(call)}};
  memcpy(t.delivery.recording.fields, fields, sizeof(fields));
  t.delivery.recording.count = COUNT_OF(fields);
  t.delivery.recording.rank.terminal = true;
  bool before = faults_here(true);
  enum err e = db_writer_call(w->writer, (struct db_job){.run = run_intake, .arg = &t});
  faults_here(before);
  return e;
}

/* ---- the fill ---- */

static void assert_whole(const struct works *w, const struct recording *row, struct str bytes) {
  char *found CLEANUP(free_char) = NULL;
  size_t size;
  assert_int_equal(fs_read_whole(blob_directory_fd(w->store), row->name, 1 << 24, &found, &size), OK);
  assert_int_equal(size, bytes.n);
  assert_memory_equal(found, bytes.p, bytes.n);
  assert_int_equal(row->bytes, bytes.n);
}

static struct recording wait_ready(struct journey *j, const char *sid) {
  struct recording row = works_row(j->works, sid);
  for (int step = 0; step < STEPS_MAX && row.status != RECORDING_READY; step++) {
    for (int i = 0; i < POLLS_A_STEP && row.status != RECORDING_READY; i++) {
      pause_a_moment();
      row = works_row(j->works, sid);
    }
    if (row.status == RECORDING_READY) break;
    assert_false(row.permanent);
    clock_test_advance_ms(STEP_MS);
  }
  assert_string_equal(recording_status_name(row.status), recording_status_name(RECORDING_READY));
  assert_whole(j->works, &row, j->wav);
  assert_int_equal(row.lease_until, 0);
  return row;
}

/* ---- the play ---- */

static enum err open_hot_file(struct journey *j, const struct recording *row, struct str id) {
  struct http_file *file;
  int fd;
  int64_t size;
  TRY(blob_open(j->works->store, row->name, &fd, &size));
  enum err e = http_file_new(fd, &file);
  if (e != OK) {
    (void)close(fd);
    return e;
  }
  e = open_files_put(j->open_files, row, id, cache_mark(j->versions, CACHE_RECORDING, 1, id), file);
  http_file_unref(file);
  return e;
}

static enum err read_recording(struct journey *j, struct str id) {
  struct recording row;
  bool call_known;
  if (open_files_find(j->open_files, 1, id)) return OK;
  TRY(recordings_resolve(j->works->db, 1, id, &call_known, &row));
  if (playback_decide(&row, true, false, clock_now_ms()).kind != PLAYBACK_FILE) return ERR_NOT_YET;
  return open_hot_file(j, &row, id);
}

static void play(struct journey *j, struct str id) {
  bool before = faults_here(true);
  enum err e = read_recording(j, id);
  if (e != OK) e = read_recording(j, id); /* the fault happens once: the player asks again */
  faults_here(before);
  assert_int_equal(e, OK);
  struct open_file *item = open_files_find(j->open_files, 1, id);
  struct stat st;
  assert_non_null(item);
  assert_int_equal(fstat(http_file_fd(item->file), &st), 0);
  assert_int_equal(st.st_size, j->wav.n);
}

/* ---- all of it, n by n ---- */

/* False if the journey has fewer than n calls of this kind. */
static bool run_journey(struct journey *j, enum fault kind, int n) {
  char sid[SID_SIZE], call[SID_SIZE];
  (void)snprintf(sid, sizeof(sid), "RE%032x", (unsigned)n);
  (void)snprintf(call, sizeof(call), "CA%032x", (unsigned)n);
  faults_arm(kind, n);
  enum err e = deliver(j->works, sid, call);
  for (int i = 0; e != OK && i < 3; i++) e = deliver(j->works, sid, call);
  assert_int_equal(e, OK);
  worker_wake(j->works->worker);
  struct recording row = wait_ready(j, sid);
  play(j, str_from(sid));
  play(j, str_from(call));
  struct fault_count count = faults_disarm();
  row = works_row(j->works, sid);
  assert_string_equal(recording_status_name(row.status), recording_status_name(RECORDING_READY));
  assert_whole(j->works, &row, j->wav);
  return count.hit;
}

static void every_fault(enum fault kind) {
  struct journey j;
  int fds = count_fds(), tried = 0, reached = 0;
  bool was_hit = true;
  for (int n = 1; was_hit && n < N_MAX; tried++) {
    if (tried % ROUNDS_A_WORKS == 0) open_journey(&j);
    was_hit = run_journey(&j, kind, n);
    if (was_hit) reached = n;
    n += n < EACH_BELOW ? 1 : n / A_PART; /* late calls resemble each other */
    if (tried % ROUNDS_A_WORKS == ROUNDS_A_WORKS - 1 || !was_hit) close_journey(&j);
  }
  print_message("# %d of %d calls failed\n", tried - 1, reached);
  assert_false(was_hit);
  assert_true(tried > 1);
  assert_closed(fds);
}

#define TORTURE(name, kind)        \
  static void name(void **state) { \
    (void)state;                   \
    every_fault(kind);             \
  }
TORTURE(any_allocation_may_fail, FAULT_MEMORY)
TORTURE(any_allocation_of_the_database_may_fail, FAULT_DATABASE_MEMORY)
TORTURE(any_allocation_of_a_transfer_may_fail, FAULT_FETCH_MEMORY)
TORTURE(any_write_of_a_recording_may_fail, FAULT_WRITE)
TORTURE(any_write_of_the_database_may_fail, FAULT_DATABASE_WRITE)
TORTURE(any_sync_may_fail, FAULT_SYNC)
TORTURE(any_opening_or_naming_of_a_file_may_fail, FAULT_NAME)
TORTURE(any_read_of_a_file_may_fail, FAULT_READ)
TORTURE(any_query_may_fail, FAULT_QUERY)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_allocation_may_fail),
      cmocka_unit_test(any_allocation_of_the_database_may_fail),
      cmocka_unit_test(any_allocation_of_a_transfer_may_fail),
      cmocka_unit_test(any_write_of_a_recording_may_fail),
      cmocka_unit_test(any_write_of_the_database_may_fail),
      cmocka_unit_test(any_sync_may_fail),
      cmocka_unit_test(any_opening_or_naming_of_a_file_may_fail),
      cmocka_unit_test(any_read_of_a_file_may_fail),
      cmocka_unit_test(any_query_may_fail),
  };
  faults_install();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
