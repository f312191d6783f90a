#include "works.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "domain/recording.h"
#include "ledger/settings.h"

static void a_completed_recording_becomes_a_file_by_one_request(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_string_equal(row.content_type, "audio/wav");
  assert_int_equal(row.duration_ms, 3000);
  assert_int_equal(row.channels, 1);
  assert_int_equal(strlen(row.sha256), 64);
  assert_int_equal(row.lease_until, 0);
  assert_int_equal(w->requests, 1);
  works_free(w);
}

static void a_cut_transfer_is_resumed_where_it_was_cut(void **state) {
  (void)state;
  struct str wav = works_wav(0, 5);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav, .cut_at = 30000, .etag = "\"v1\""},
                                                      {.status = 200, .body = wav, .etag = "\"v1\""},
                                                      {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_int_equal(w->requests, 2);
  assert_int_equal(w->with_range, 1);
  works_free(w);
}

static void without_ranges_a_cut_transfer_restarts_and_is_compared(void **state) {
  (void)state;
  struct str wav = works_wav(0, 5);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav, .cut_at = 30000},
                                                      {.status = 200, .body = wav, .cut_at = 20000},
                                                      {.status = 200, .body = wav},
                                                      {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_int_equal(w->requests, 3);
  works_free(w);
}

static void different_bytes_after_a_cut_restart_the_file(void **state) {
  (void)state;
  struct str first = works_wav(0, 5), second = works_wav(1, 5);
  struct works *w = works_new(
      (struct works_answer[]){{.status = 200, .body = first, .cut_at = 30000}, {.status = 200, .body = second}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, second);
  works_free(w);
}

static void the_fourth_cut_fails_with_a_back_off(void **state) {
  (void)state;
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = works_wav(0, 5), .cut_at = 30000}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_FAILED);
  assert_string_equal(row.error_code, "truncated");
  assert_int_equal(row.fail_count, 1);
  assert_true(row.next_retry_at > 0 && !row.permanent);
  assert_int_equal(w->requests, 4);
  assert_int_equal(works_count_parts(w), 0);
  works_free(w);
}

static void a_fill_that_lost_its_lease_publishes_nothing(void **state) {
  (void)state;
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = works_wav(0, 5), .hold_at = 30000}, {0}});
  works_start_worker(w);
  const char *sid = works_announce(w, 1);
  works_wait_part_of(w, 30000);
  struct recording held = works_row(w, sid);
  works_run(w, "update recordings set lease_token = lease_token + 1, lease_owner = 'another', version = version + 1");
  works_release(w);
  works_stop_worker(w); /* returns when its fill has ended */
  struct recording row = works_row(w, sid);
  assert_int_equal(row.lease_token, held.lease_token + 1);
  assert_string_equal(row.lease_owner, "another");
  assert_string_equal(row.name, "");
  assert_int_equal(works_count_parts(w), 1); /* left for the next fill to compare with */
  works_free(w);
}

static void a_drained_worker_gives_its_lease_back(void **state) {
  (void)state;
  struct str wav = works_wav(0, 5);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav, .hold_at = 30000}, {0}});
  works_start_worker(w);
  const char *sid = works_announce(w, 1);
  works_wait_holding(w);
  works_stop_worker(w);
  struct recording row = works_row(w, sid);
  assert_int_equal(row.status, RECORDING_QUEUED);
  assert_int_equal(row.lease_until, 0);
  assert_int_equal(row.fail_count, 0);
  assert_int_equal(row.crashes, 1);
  works_release(w);
  works_start_worker(w);
  row = works_wait(w, sid, RECORDING_READY);
  works_assert_file(w, &row, wav);
  works_free(w);
}

static void a_file_that_is_there_is_used_without_a_request(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav}, {0}});
  works_start_worker(w);
  const char *sid = works_announce(w, 1);
  struct recording row = works_wait(w, sid, RECORDING_READY);
  works_run(
      w, "update recordings set status = 'queued', name = null, bytes = null, next_ask_at = 0, version = version + 1");
  worker_wake(w->worker);
  row = works_wait(w, sid, RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_int_equal(w->requests, 1);
  works_free(w);
}

static void a_file_that_is_not_the_recording_is_set_aside(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav}, {0}});
  works_start_worker(w);
  const char *sid = works_announce(w, 1);
  struct recording row = works_wait(w, sid, RECORDING_READY);
  int dir = blob_directory_fd(w->store);
  assert_int_equal(fs_unlink(dir, row.name), OK);
  assert_int_equal(fs_write_durable(dir, row.name, 0640, str_head(wav, 20000)), OK);
  works_run(
      w, "update recordings set status = 'queued', name = null, bytes = null, next_ask_at = 0, version = version + 1");
  worker_wake(w->worker);
  row = works_wait(w, sid, RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_int_equal(w->requests, 2);
  works_free(w);
}

static void an_answer_without_audio_is_tried_in_every_format_then_fails(void **state) {
  (void)state;
  static char page[5000] = "<!DOCTYPE html><html>";
  memset(page + 21, ' ', sizeof(page) - 21);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = {page, sizeof(page)}}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_FAILED);
  assert_string_equal(row.error_code, "not_audio");
  assert_int_equal(w->requests, 3);
  assert_int_equal(works_count_parts(w), 0);
  works_free(w);
}

static void the_next_format_is_tried_if_the_first_is_refused(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w = works_new((struct works_answer[]){{.status = 406}, {.status = 200, .body = wav}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_int_equal(w->requests, 2);
  works_free(w);
}

static void a_404_of_a_new_recording_is_no_failure_and_is_asked_again(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w =
      works_new((struct works_answer[]){{.status = 404}, {.status = 404}, {.status = 200, .body = wav}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, wav);
  assert_int_equal(row.fail_count, 0);
  assert_int_equal(w->requests, 3);
  works_free(w);
}

static void refused_credentials_stop_the_account(void **state) {
  (void)state;
  struct works *w = works_new((struct works_answer[]){{.status = 401}, {0}});
  works_start_worker(w);
  const char *first = works_announce(w, 1);
  struct recording row = works_wait(w, first, RECORDING_FAILED);
  assert_string_equal(row.error_code, "auth_failed");
  assert_int_equal(row.next_retry_at, 0);
  const char *second = works_announce(w, 2);
  works_stop_worker(w);
  assert_int_equal(works_row(w, second).status, RECORDING_QUEUED);
  assert_int_equal(w->requests, 1);
  works_free(w);
}

static int64_t last_change(struct works *w) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query(w->db, &q, "select coalesce(max(seq), 0) from changes"), OK);
  assert_int_equal(db_next(&q), OK);
  return db_int(&q, 0);
}

static void without_room_nothing_is_claimed(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav}, {0}});
  w->min_free_bytes = INT64_MAX;
  const char *sid = works_announce(w, 1);
  int64_t before = last_change(w);
  works_start_worker(w);
  works_wait_for_full(w);
  works_stop_worker(w);
  struct recording row = works_row(w, sid);
  assert_int_equal(row.status, RECORDING_QUEUED);
  assert_int_equal(row.lease_token, 0);
  assert_int_equal(last_change(w), before);
  assert_int_equal(w->requests, 0);
  works_free(w);
}

static void put_file(struct works *w, const char *name) {
  int fd;
  assert_int_equal(fs_make_parents(blob_directory_fd(w->store), name), OK);
  assert_int_equal(fs_create(blob_directory_fd(w->store), name, 0640, &fd), OK);
  (void)close(fd);
}

static bool has_file(struct works *w, const char *name) {
  return faccessat(blob_directory_fd(w->store), name, F_OK, 0) == 0;
}

/* Waits until the walk for parts of an earlier release is done. */
static void wait_walked(struct works *w) {
  const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
  for (int i = 0; i < 4000; i++) {
    struct buf b CLEANUP(buf_done) = BUF_INIT(100);
    if (settings_get(w->db, NULL, "old_parts_walked", &b) == OK && str_eq(buf_str(&b), STR("all"))) return;
    (void)nanosleep(&pause, NULL);
  }
  fail_msg("%s", "the walk does not end");
}

#define NOBODYS "RE00000000000000000000000000000077"

static void parts_of_an_earlier_release_are_found_once(void **state) {
  (void)state;
  struct works *w = works_new((struct works_answer[]){{.status = 404}, {0}});
  const char *sid = works_announce(w, 1);
  char needed[128];
  works_run(w,
            "update recordings set status = 'queued', lease_token = 7, etag = '\"v\"',"
            " next_ask_at = unixepoch() * 1000 + 600000"); /* an hour would count as past */
  assert_true(works_row(w, sid).next_ask_at > clock_now_ms());
  (void)snprintf(needed, sizeof(needed), "1/2026/11/CA1.%s.7.part", sid);
  put_file(w, needed);
  put_file(w, "1/2026/11/CA1." NOBODYS ".7.part");
  put_file(w, "1/2025/01/" NOBODYS ".7.part");
  put_file(w, "1/2025/01/" NOBODYS ".mp3");
  put_file(w, "2/2025/01/" NOBODYS ".7.part"); /* of a business that does not exist */
  works_start_worker(w);
  wait_walked(w);
  assert_true(has_file(w, needed));
  assert_false(has_file(w, "1/2026/11/CA1." NOBODYS ".7.part"));
  assert_false(has_file(w, "1/2025/01/" NOBODYS ".7.part"));
  assert_true(has_file(w, "1/2025/01/" NOBODYS ".mp3"));
  assert_true(has_file(w, "2/2025/01/" NOBODYS ".7.part"));
  works_free(w);
}

static void businesses_that_were_walked_are_not_walked_again(void **state) {
  (void)state;
  struct works *w = works_new((struct works_answer[]){{.status = 404}, {0}});
  works_run(w,
            "insert into businesses (business_id, name, created_at) values (2, 'Later', 1);"
            "insert into settings values ('old_parts_walked', '1', 0, 1)");
  put_file(w, "1/2025/01/" NOBODYS ".7.part");
  put_file(w, "2/2025/01/" NOBODYS ".7.part");
  works_start_worker(w);
  wait_walked(w);
  assert_true(has_file(w, "1/2025/01/" NOBODYS ".7.part"));
  assert_false(has_file(w, "2/2025/01/" NOBODYS ".7.part"));
  works_free(w);
}

static void walking_many_businesses_without_files_takes_few_jobs(void **state) {
  (void)state;
  struct works *w = works_new((struct works_answer[]){{.status = 404}, {0}});
  works_run(
      w,
      "insert into businesses (business_id, name, created_at)"
      " with recursive g(i) as (select 10 union all select i + 1 from g where i < 400) select i, 'Acme', 1 from g;"
      "insert into settings values ('old_parts_walked', '5', 0, 1)");
  put_file(w, "399/2025/01/" NOBODYS ".7.part");
  int64_t before = metric_read(METRIC_DATABASE_WRITES, METRIC_WRITE_COMMITTED, 0);
  works_start_worker(w);
  wait_walked(w);
  assert_false(has_file(w, "399/2025/01/" NOBODYS ".7.part"));
  assert_true(metric_read(METRIC_DATABASE_WRITES, METRIC_WRITE_COMMITTED, 0) - before < 100);
  works_free(w);
}

static void a_recording_without_announced_length_becomes_ready(void **state) {
  (void)state;
  struct str wav = works_wav(0, 3);
  struct works *w = works_new((struct works_answer[]){{.status = 200, .body = wav, .no_length = true}, {0}});
  works_start_worker(w);
  struct recording row = works_wait(w, works_announce(w, 1), RECORDING_READY);
  works_assert_file(w, &row, wav);
  works_free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_completed_recording_becomes_a_file_by_one_request),
      cmocka_unit_test(a_cut_transfer_is_resumed_where_it_was_cut),
      cmocka_unit_test(without_ranges_a_cut_transfer_restarts_and_is_compared),
      cmocka_unit_test(different_bytes_after_a_cut_restart_the_file),
      cmocka_unit_test(the_fourth_cut_fails_with_a_back_off),
      cmocka_unit_test(a_fill_that_lost_its_lease_publishes_nothing),
      cmocka_unit_test(a_drained_worker_gives_its_lease_back),
      cmocka_unit_test(a_file_that_is_there_is_used_without_a_request),
      cmocka_unit_test(a_file_that_is_not_the_recording_is_set_aside),
      cmocka_unit_test(an_answer_without_audio_is_tried_in_every_format_then_fails),
      cmocka_unit_test(the_next_format_is_tried_if_the_first_is_refused),
      cmocka_unit_test(a_404_of_a_new_recording_is_no_failure_and_is_asked_again),
      cmocka_unit_test(refused_credentials_stop_the_account),
      cmocka_unit_test(without_room_nothing_is_claimed),
      cmocka_unit_test(parts_of_an_earlier_release_are_found_once),
      cmocka_unit_test(businesses_that_were_walked_are_not_walked_again),
      cmocka_unit_test(walking_many_businesses_without_files_takes_few_jobs),
      cmocka_unit_test(a_recording_without_announced_length_becomes_ready),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
