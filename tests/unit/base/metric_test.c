/* The format of the metrics, and that no count is lost between threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"

/* The whole text, for the caller to free(). */
static char *scrape(void) {
  struct buf b = BUF_INIT(METRIC_TEXT_MAX);
  const char *text;
  assert_int_equal(metric_write(&b), OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  return b.p;
}

/* The value of the line that begins with series and a space; NULL: no such line. The text stays whole. */
static const char *find(const char *text, const char *series) {
  size_t n = strlen(series);
  for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (strncmp(line, series, n) == 0 && line[n] == ' ') return line + n + 1;
  return NULL;
}

static void assert_series(const char *series, const char *value) {
  char *text = scrape(), shown[64] = "";
  const char *at = find(text, series);
  if (at) (void)snprintf(shown, sizeof(shown), "%.*s", (int)strcspn(at, "\n"), at);
  if (value) {
    if (!at) fail_msg("no series %s", series);
    assert_string_equal(shown, value);
  } else {
    assert_null(at);
  }
  free(text);
}

static void every_promised_name_is_there_from_the_start(void **state) {
  (void)state;
  static const char *const series[] = {
      "callreel_plays_total{result=\"hit\"}",
      "callreel_plays_total{result=\"live\"}",
      "callreel_plays_total{result=\"wait\"}",
      "callreel_plays_total{result=\"gone\"}",
      "callreel_cache_requests_total{result=\"hit\"}",
      "callreel_cache_requests_total{result=\"miss\"}",
      "callreel_cache_requests_total{result=\"collapsed\"}",
      "callreel_deduplicated_total{reason=\"cooldown\"}",
      "callreel_fills_total{result=\"ready\"}",
      "callreel_fill_seconds_bucket{le=\"+Inf\"}",
      "callreel_fill_seconds_sum",
      "callreel_fill_seconds_count",
      "callreel_listeners",
      "callreel_provider_requests_total{code=\"404\"}",
      "callreel_webhooks_total{kind=\"call\",result=\"taken\"}",
      "callreel_webhooks_total{kind=\"recording\",result=\"bad_signature\"}",
  };
  static const char *const gauges[] = {
      "recordings", "queue_depth", "queue_oldest_seconds", "store_bytes", "store_free_bytes", "workers", "workers_full",
  };
  char *text = scrape(), head[128];
  for (size_t i = 0; i < COUNT_OF(series); i++)
    if (!find(text, series[i])) fail_msg("no %s", series[i]);
  for (size_t i = 0; i < COUNT_OF(gauges); i++) {
    (void)snprintf(head, sizeof(head), "\n# TYPE callreel_%s gauge\n", gauges[i]);
    if (!strstr(text, head)) fail_msg("no %s", gauges[i]);
  }
  free(text);
}

static bool is_name(const char *s, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!((s[i] >= 'a' && s[i] <= 'z') || s[i] == '_' || (i && s[i] >= '0' && s[i] <= '9'))) return false;
  return n > 0;
}

/* A line name, name{label="value"} or name{label="value",label="value"}, a space, a number. */
static bool is_sample(const char *line, const char *family) {
  size_t n = strcspn(line, "{ ");
  if (!is_name(line, n) || strncmp(line, family, strlen(family)) != 0) return false;
  line += n;
  if (*line == '{') {
    do {
      size_t label = strcspn(++line, "=");
      if (!is_name(line, label) || line[label + 1] != '"') return false;
      line += label + 2;
      line += strcspn(line, "\"\\\n");
      if (*line++ != '"') return false;
    } while (*line == ',');
    if (*line++ != '}') return false;
  }
  if (*line++ != ' ') return false;
  char *end;
  (void)strtod(line, &end);
  return end != line && *end == '\0';
}

static void every_line_is_of_the_format_and_every_family_stands_once(void **state) {
  (void)state;
  char *text = scrape(), *rest = text, *families[METRIC_COUNT_];
  size_t count = 0;
  char family[128] = "";
  assert_int_equal(text[strlen(text) - 1], '\n');
  for (char *line; (line = strsep(&rest, "\n")) && rest;) {
    if (strncmp(line, "# HELP ", 7) == 0) {
      char *name = line + 7;
      size_t n = strcspn(name, " ");
      assert_true(is_name(name, n) && strncmp(name, "callreel_", 9) == 0 && name[n] == ' ' && name[n + 1]);
      name[n] = '\0';
      for (size_t i = 0; i < count; i++) assert_string_not_equal(families[i], name);
      assert_true(count < COUNT_OF(families));
      families[count++] = name;
      (void)snprintf(family, sizeof(family), "%s", name);
    } else if (strncmp(line, "# TYPE ", 7) == 0) {
      char expected[128];
      (void)snprintf(expected, sizeof(expected), "# TYPE %s ", family);
      assert_int_equal(strncmp(line, expected, strlen(expected)), 0);
    } else if (!is_sample(line, family)) {
      fail_msg("not a sample of %s: %s", family, line);
    }
  }
  assert_int_equal(count, METRIC_COUNT_);
  free(text);
}

static void counts_are_by_label_and_levels_go_down_again(void **state) {
  (void)state;
  int64_t before = metric_read(METRIC_PLAYS, METRIC_PLAY_HIT, 0);
  metric_add(METRIC_PLAYS, METRIC_PLAY_HIT, 2);
  metric_add_two(METRIC_WEBHOOKS, METRIC_WEBHOOK_KIND_RECORDING, METRIC_WEBHOOK_NO_ROOM, 5);
  metric_add(METRIC_LISTENERS, 0, 3);
  metric_add(METRIC_LISTENERS, 0, -1);
  assert_int_equal(metric_read(METRIC_PLAYS, METRIC_PLAY_HIT, 0), before + 2);
  assert_series("callreel_webhooks_total{kind=\"recording\",result=\"no_room\"}", "5");
  assert_series("callreel_webhooks_total{kind=\"call\",result=\"no_room\"}", "0");
  assert_series("callreel_listeners", "2");
  metric_add(METRIC_LISTENERS, 0, -2);
  assert_series("callreel_listeners", "0");
}

static void a_level_below_zero_shows_zero(void **state) {
  (void)state;
  metric_add(METRIC_EVENT_STREAMS, 0, -1);
  assert_series("callreel_event_streams", "0");
  metric_add(METRIC_EVENT_STREAMS, 0, 1);
}

static void a_gauge_is_left_out_until_it_is_set_and_once_it_is_forgotten(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } cases[] = {{0, "0"},
               {1, "1"},
               {-2.5, "-2.5"},
               {1795000000.123, "1795000000.123"},
               {1e15 - 1, "999999999999999"},
               {INFINITY, "+Inf"},
               {-INFINITY, "-Inf"},
               {NAN, NULL}};
  assert_series("callreel_queue_depth", NULL);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    metric_set(METRIC_QUEUE_DEPTH, 0, cases[i].value);
    assert_series("callreel_queue_depth", cases[i].text);
  }
  metric_set(METRIC_RECORDINGS, METRIC_STATUS_READY, 7);
  assert_series("callreel_recordings{status=\"ready\"}", "7");
  assert_series("callreel_recordings{status=\"failed\"}", NULL);
  metric_forget(METRIC_RECORDINGS);
  assert_series("callreel_recordings{status=\"ready\"}", NULL);
}

static void a_bound_belongs_to_its_own_bucket(void **state) {
  (void)state;
  static const int64_t durations_us[] = {-5, 0, 250000, 250001, 600000000, 600000001};
  for (size_t i = 0; i < COUNT_OF(durations_us); i++) metric_observe(METRIC_FILL_SECONDS, durations_us[i]);
  assert_series("callreel_fill_seconds_bucket{le=\"0.25\"}", "3");
  assert_series("callreel_fill_seconds_bucket{le=\"0.5\"}", "4");
  assert_series("callreel_fill_seconds_bucket{le=\"300\"}", "4");
  assert_series("callreel_fill_seconds_bucket{le=\"600\"}", "5");
  assert_series("callreel_fill_seconds_bucket{le=\"+Inf\"}", "6");
  assert_series("callreel_fill_seconds_count", "6");
  assert_series("callreel_fill_seconds_sum", "1200.500002");
}

enum { THREADS = 40, ROUNDS = 2000 };

static void *add_many(void *barrier) {
  (void)pthread_barrier_wait(barrier);
  for (int i = 0; i < ROUNDS; i++) {
    metric_add(METRIC_MEDIA_BYTES, 0, 3);
    metric_add(METRIC_FILLS_RUNNING, 0, i % 2 ? -1 : 1);
    metric_observe(METRIC_WEBHOOK_SECONDS, 100);
  }
  return NULL;
}

static void no_count_is_lost_with_more_threads_than_shards(void **state) {
  (void)state;
  pthread_t threads[THREADS];
  pthread_barrier_t barrier;
  int64_t seen = metric_read(METRIC_MEDIA_BYTES, 0, 0);
  assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, add_many, &barrier), 0);
  (void)pthread_barrier_wait(&barrier);
  for (int i = 0; i < 100; i++) { /* a counter never goes back, even while it is read */
    int64_t now = metric_read(METRIC_MEDIA_BYTES, 0, 0);
    assert_true(now >= seen);
    seen = now;
    free(scrape());
  }
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(metric_read(METRIC_MEDIA_BYTES, 0, 0), 3 * THREADS * ROUNDS);
  assert_series("callreel_fills_running", "0");
  assert_series("callreel_webhook_seconds_bucket{le=\"0.0001\"}", "80000");
  assert_series("callreel_webhook_seconds_sum", "8");
  pthread_barrier_destroy(&barrier);
}

static void set_free_bytes(void *arg) {
  metric_set(METRIC_STORE_FREE_BYTES, 0, (double)++*(int *)arg);
}

static void a_scrape_function_is_called_at_each_scrape_until_it_is_removed(void **state) {
  (void)state;
  int asked = 0;
  assert_int_equal(metric_on_scrape(set_free_bytes, &asked), OK);
  assert_series("callreel_store_free_bytes", "1");
  assert_series("callreel_store_free_bytes", "2");
  metric_off_scrape(set_free_bytes, &asked);
  metric_off_scrape(set_free_bytes, &asked);
  free(scrape());
  assert_int_equal(asked, 2);
  for (int i = 0; i < METRIC_SCRAPES_MAX; i++) assert_int_equal(metric_on_scrape(set_free_bytes, &asked), OK);
  assert_int_equal(metric_on_scrape(set_free_bytes, &asked), ERR_FULL);
  metric_off_scrape(set_free_bytes, &asked); /* removes every registration */
  free(scrape());
  assert_int_equal(asked, 2);
}

static void the_process_has_its_own_gauges(void **state) {
  (void)state;
  static const char *const series[] = {"callreel_process_cpu_seconds_total", "callreel_process_resident_memory_bytes",
                                       "callreel_process_start_time_seconds"};
  assert_int_equal(metric_process_watch(), OK);
  char *text = scrape();
  for (size_t i = 0; i < COUNT_OF(series); i++) {
    const char *value = find(text, series[i]);
    assert_non_null(value);
    assert_true(strtod(value, NULL) >= 0);
  }
  free(text);
}

static void every_http_status_has_a_label_value(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *code, *class;
  } cases[] = {{200, "200", "2xx"}, {206, "206", "2xx"},   {299, "other", "2xx"}, {100, "other", "1xx"},
               {304, "304", "3xx"}, {404, "404", "4xx"},   {429, "429", "4xx"},   {418, "other", "4xx"},
               {503, "503", "5xx"}, {999, "other", "5xx"}, {-1, "other", "5xx"},  {0, "none", "5xx"}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    assert_string_equal(metric_label_text(METRIC_PROVIDER_REQUESTS, 0, metric_http_code(cases[i].status)),
                        cases[i].code);
    assert_string_equal(metric_label_text(METRIC_HTTP_REQUESTS, 0, metric_http_class(cases[i].status)), cases[i].class);
  }
  assert_null(metric_label_text(METRIC_PROVIDER_REQUESTS, 0, METRIC_HTTP_CODE_COUNT_));
}

static void lines_of_the_log_are_counted_by_level(void **state) {
  (void)state;
  int pipe_fds[2];
  assert_int_equal(pipe(pipe_fds), 0);
  log_set_fd(pipe_fds[1]);
  int64_t errors = metric_read(METRIC_LOG_LINES, LOG_ERROR, 0), debugs = metric_read(METRIC_LOG_LINES, LOG_DEBUG, 0);
  log_error("Broken");
  log_debug("Not said");
  assert_int_equal(metric_read(METRIC_LOG_LINES, LOG_ERROR, 0), errors + 1);
  assert_int_equal(metric_read(METRIC_LOG_LINES, LOG_DEBUG, 0), debugs);
  assert_string_equal(metric_label_text(METRIC_LOG_LINES, 0, LOG_ERROR), "error");
  log_set_fd(STDERR_FILENO);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void a_full_buffer_is_an_error(void **state) {
  (void)state;
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
  assert_int_equal(metric_write(&b), ERR_TOO_BIG);
}

enum { NOT_INSTALLED = 127 };

/* Only if promtool is installed. */
static void promtool_finds_nothing(void **state) {
  (void)state;
  char *text = scrape(), said[512] = "";
  FILE *in = tmpfile(), *out = tmpfile();
  assert_true(in && out && fwrite(text, 1, strlen(text), in) == strlen(text) && fflush(in) == 0);
  rewind(in);
  free(text);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (dup2(fileno(in), 0) >= 0 && dup2(fileno(out), 1) >= 0 && dup2(fileno(out), 2) >= 0)
      execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
    _exit(NOT_INSTALLED);
  }
  int status;
  assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
  rewind(out);
  (void)!fread(said, 1, sizeof(said) - 1, out);
  fclose(in);
  fclose(out);
  if (WEXITSTATUS(status) == NOT_INSTALLED) {
    print_message("# skipped: promtool is not installed\n");
    skip();
  }
  assert_string_equal(said, "");
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_promised_name_is_there_from_the_start),
      cmocka_unit_test(every_line_is_of_the_format_and_every_family_stands_once),
      cmocka_unit_test(counts_are_by_label_and_levels_go_down_again),
      cmocka_unit_test(a_level_below_zero_shows_zero),
      cmocka_unit_test(a_gauge_is_left_out_until_it_is_set_and_once_it_is_forgotten),
      cmocka_unit_test(a_bound_belongs_to_its_own_bucket),
      cmocka_unit_test(no_count_is_lost_with_more_threads_than_shards),
      cmocka_unit_test(a_scrape_function_is_called_at_each_scrape_until_it_is_removed),
      cmocka_unit_test(the_process_has_its_own_gauges),
      cmocka_unit_test(every_http_status_has_a_label_value),
      cmocka_unit_test(lines_of_the_log_are_counted_by_level),
      cmocka_unit_test(a_full_buffer_is_an_error),
      cmocka_unit_test(promtool_finds_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
