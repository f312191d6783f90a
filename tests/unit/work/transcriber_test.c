/* The transcriber over a real database, a real file and a server whose every answer a test decides: its threads, and what ends
 * their work. */
#include "works.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../fetch/origin.h"
#include "base/clock.h"
#include "base/metric.h"
#include "db/db_clock.h"
#include "domain/transcription.h"
#include "ledger/tasks.h"
#include "work/transcriber.h"

enum { WAIT_MS = 20 * 1000, LOOK_MS = 5, ACTS_MAX = 40, RATE = 8000, SECONDS_MAX = 92, WAIT_WORK_MS = 10 * 1000 };

/* ---- sound ---- */

static struct {
  unsigned char header[44];
  int16_t samples[RATE * SECONDS_MAX];
} wav;

static void put_le(unsigned char *p, uint32_t value, int n) {
  for (int i = 0; i < n; i++) p[i] = (unsigned char)(value >> (8 * i));
}

/* A WAV whose channels speak in turn, 2 s each with 0.8 s between: a tone, the recognisers of these tests do not listen. */
static struct str spoken(int channels, int seconds) {
  const int turn = RATE * 14 / 5, speaks = RATE * 2;
  const double step = 2 * 3.14159265358979 * 700 / RATE;
  uint32_t bytes = (uint32_t)(2 * RATE * seconds);
  int frames = RATE * seconds / channels;
  memcpy(wav.header, "RIFF....WAVEfmt ", 16);
  put_le(wav.header + 4, bytes + 36, 4), put_le(wav.header + 16, 16, 4), put_le(wav.header + 20, 1, 2);
  put_le(wav.header + 22, (uint32_t)channels, 2), put_le(wav.header + 24, RATE, 4);
  put_le(wav.header + 28, (uint32_t)(2 * RATE * channels), 4), put_le(wav.header + 32, (uint32_t)(2 * channels), 2);
  put_le(wav.header + 34, 16, 2);
  memcpy(wav.header + 36, "data", 4);
  put_le(wav.header + 40, bytes, 4);
  for (int i = 0; i < frames; i++) {
    for (int c = 0; c < channels; c++) {
      bool loud = i % turn < speaks && i / turn % channels == c;
      wav.samples[i * channels + c] = loud ? (int16_t)(9000 * sin(step * i)) : 0;
    }
  }
  return str_of((const char *)&wav, sizeof(wav.header) + bytes);
}

/* ---- the engine ---- */

enum act {
  HEARS,
  HOLDS,   /* answers when the gate opens */
  FREEZES, /* never answers */
  STOPS,   /* sends half of its answer, and no more */
  CUTS,    /* closes the connection: nobody is there */
  REFUSES, /* 400 */
  FAILS,   /* 500 */
  BUSY,    /* 429, Retry-After: 7 */
  FORBIDS, /* 401 */
};

struct stage {
  struct works *works;
  struct origin *engine;
  struct transcriber *transcriber, *second;
  int64_t tick_ms; /* of transcribers */
  const char *sid;
  char url[ORIGIN_URL_SIZE];
  struct lock lock; /* covers what follows */
  struct lock_cond changed;
  enum act acts[ACTS_MAX]; /* by request; then the last */
  int act_count;
  bool is_open;
  int working, most, gave_up; /* requests at once; requests that the transcriber ended */
};

static const char HEARD[] =
    "{\"language\":\"english\",\"text\":\"hello there\",\"segments\":[{\"start\":0.3,\"end\":1.8,\"text\":\" hello "
    "there\",\"words\":[{\"word\":\" hello\",\"start\":0.3,\"end\":1.0},{\"word\":\" there\",\"start\":1.0,\"end\":1.8}"
    "]}]}";

static void say(int fd, const char *status, const char *more, const char *body, size_t bytes) {
  char head[256];
  (void)snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
                 status, more, strlen(body));
  origin_say(fd, head);
  origin_say_bytes(fd, body, bytes);
}

static bool act_on(struct stage *s, int fd, enum act act) {
  switch (act) {
    case HEARS:
    case HOLDS:
      say(fd, "200 OK", "", HEARD, sizeof(HEARD) - 1);
      return true;
    case STOPS:
      say(fd, "200 OK", "", HEARD, sizeof(HEARD) / 2);
      break;
    case FREEZES:
      break;
    case CUTS:
      return false;
    case REFUSES:
      say(fd, "400 Bad Request", "", "{}", 2);
      return true;
    case FAILS:
      say(fd, "500 Internal Server Error", "", "{}", 2);
      return true;
    case BUSY:
      say(fd, "429 Too Many Requests", "Retry-After: 7\r\n", "{}", 2);
      return true;
    case FORBIDS:
      say(fd, "401 Unauthorized", "", "{}", 2);
      return true;
  }
  origin_wait_for_close(fd);
  LOCKED(&s->lock);
  s->gave_up++;
  lock_cond_broadcast(&s->changed);
  return false;
}

static bool answer(void *arg, int fd, const struct origin_request *request) {
  struct stage *s = arg;
  enum act act;
  {
    LOCKED(&s->lock);
    act = s->acts[request->number < s->act_count ? request->number : s->act_count - 1];
    if (++s->working > s->most) s->most = s->working;
    while (act == HOLDS && !s->is_open) lock_cond_wait(&s->changed, &s->lock);
  }
  {
    LOCKED(&s->lock); /* before the answer: the next request may come at once */
    s->working--;
  }
  return act_on(s, fd, act);
}

static void open_gate(struct stage *s) {
  LOCKED(&s->lock);
  s->is_open = true;
  lock_cond_broadcast(&s->changed);
}

static void wait_gave_up(struct stage *s, int count) {
  LOCKED(&s->lock);
  while (s->gave_up < count) lock_cond_wait(&s->changed, &s->lock);
}

/* ---- the whole ---- */

static void check(enum err e) {
  assert_string_equal(err_text(e), err_text(OK));
}

static struct transcriber *start_one(struct stage *s, const char *owner) {
  struct transcriber *t;
  const struct transcriber_parts parts = {.conf = &s->works->conf,
                                          .writer = s->works->writer,
                                          .store = s->works->store,
                                          .owner = owner,
                                          .tick_ms = s->tick_ms};
  check(transcriber_new(&parts, &t));
  assert_non_null(t);
  return t;
}

static void start(struct stage *s) {
  s->transcriber = start_one(s, "test");
}

static void stop(struct stage *s) {
  transcriber_stop(s->transcriber);
  assert_true(transcriber_wait(s->transcriber, WAIT_WORK_MS));
  s->transcriber = transcriber_free(s->transcriber);
}

/* A recording that is ready and queued for an engine that acts like that. */
static struct stage *stage_new(struct str sound, const enum act *acts, int act_count) {
  struct stage *s = calloc(1, sizeof(*s));
  assert_non_null(s);
  lock_init(&s->lock, "engine", LOCK_RANK_BASE);
  lock_cond_init(&s->changed);
  memcpy(s->acts, acts, (size_t)act_count * sizeof(*acts));
  s->act_count = act_count;
  s->works = works_new((struct works_answer[]){{.status = 200, .body = sound}, {0}});
  s->engine = origin_new(answer, s);
  origin_url(s->engine, "http", "", s->url);
  works_start_worker(s->works);
  s->sid = works_announce(s->works, 1);
  (void)works_wait(s->works, s->sid, RECORDING_READY);
  works_stop_worker(s->works);
  s->works->conf.speech_engine = 1; /* openai */
  s->works->conf.speech_url = s->url;
  s->works->conf.speech_language = (char *)"en";
  s->works->conf.speech_concurrency = 1;
  return s;
}
#define STAGE(sound, ...) \
  stage_new(sound, (const enum act[]){__VA_ARGS__}, (int)COUNT_OF(((const enum act[]){__VA_ARGS__})))

static void stage_free(struct stage *s) {
  open_gate(s);
  s->transcriber = transcriber_free(s->transcriber);
  s->second = transcriber_free(s->second);
  origin_free(s->engine);
  works_free(s->works);
  lock_cond_done(&s->changed);
  lock_done(&s->lock);
  free(s);
}

#define NUMBER(s, sql)                                  \
  ({                                                    \
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;   \
    check(db_query((s)->works->db, &q, "select " sql)); \
    enum err found = db_next(&q);                       \
    assert_true(found == OK || found == ERR_NOT_FOUND); \
    found == OK ? db_int(&q, 0) : INT64_C(-1);          \
  })
/* step: ms that pass for the programs with each look. */
#define WAIT_NUMBER_BY(s, sql, wanted, step)                                      \
  do {                                                                            \
    for (int at = 0; at < WAIT_MS && NUMBER(s, sql) != (wanted); at += LOOK_MS) { \
      clock_test_advance_ms(step);                                                \
      pause_to_look();                                                            \
    }                                                                             \
    assert_int_equal(NUMBER(s, sql), wanted);                                     \
  } while (0)
#define WAIT_NUMBER(s, sql, wanted) WAIT_NUMBER_BY(s, sql, wanted, 0)
#define IS_READY "count(*) from transcripts where status = 'ready'"
#define WAITS_FOR(code)                                                         \
  "count(*) from transcripts t join tasks k using (business_id, recording_sid)" \
  " where t.status = 'queued' and t.error = '" code "' and k.lease_until is null"
#define TASKS "count(*) from tasks where kind = 'transcribe'"
#define PIECES "count(*) from transcript_pieces"
#define VERSIONS "count(*) from transcript_versions"
#define TAKEN "count(*) from speech_slots where lease_owner is not null"
#define GAPS "json_array_length(document, '$.gaps') from transcript_versions order by version desc limit 1"

static void pause_to_look(void) {
  const struct timespec pause = {.tv_nsec = LOOK_MS * 1000 * 1000};
  (void)nanosleep(&pause, NULL);
}

static enum err maintain(struct db *db, void *arg) {
  (void)arg;
  return tasks_maintain(db, db_now_ms(db), 50);
}

/* Lets so much time pass, and makes due what waited for it, as the remover of a worker does. */
static void pass(struct stage *s, int64_t ms) {
  clock_test_advance_ms(ms);
  check(db_writer_call(s->works->writer, (struct db_job){.run = maintain}));
  transcriber_wake(s->transcriber);
}

#define NOT_DUE "update tasks set due_at = 1 << 50"

/* How often transcribers found nothing to claim: the only writes of these tests that fail. */
static int64_t looks(void) {
  return metric_read(METRIC_DATABASE_WRITES, METRIC_WRITE_FAILED, 0);
}

static void wait_looks(int64_t wanted) {
  for (int at = 0; at < WAIT_MS && looks() < wanted; at += LOOK_MS) pause_to_look();
  assert_true(looks() >= wanted);
}

/* ---- tests ---- */

static void each_piece_is_asked_for_once_and_nothing_is_left_over(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HEARS);
  start(s);
  WAIT_NUMBER(s, IS_READY, 1);
  WAIT_NUMBER(s, PIECES, 0);
  stop(s);
  assert_int_equal(origin_requests(s->engine), 2);
  assert_int_equal(NUMBER(s, VERSIONS), 1);
  assert_int_equal(NUMBER(s, TASKS), 0);
  assert_int_equal(NUMBER(s, TAKEN), 0);
  assert_int_equal(NUMBER(s, "json_array_length(document, '$.segments') from transcript_versions"), 2);
  stage_free(s);
}

static void a_stored_piece_is_not_asked_for_again_after_a_stop(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HEARS, FREEZES, HEARS);
  start(s);
  origin_wait_requests(s->engine, 2);
  stop(s);
  wait_gave_up(s, 1);
  assert_int_equal(NUMBER(s, PIECES), 1);
  assert_int_equal(NUMBER(s, TAKEN), 0);
  assert_int_equal(NUMBER(s, "count(*) from tasks where lease_until is null and attempts = 0 and due_at = 0"), 1);
  start(s);
  WAIT_NUMBER(s, IS_READY, 1);
  assert_int_equal(origin_requests(s->engine), 3);
  stage_free(s);
}

static void an_expired_recording_ends_the_request_that_runs(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HEARS, FREEZES);
  start(s);
  origin_wait_requests(s->engine, 2);
  works_run(s->works, "update recordings set status = 'expired', version = version + 1");
  transcriber_expired(s->transcriber, 2, str_from(s->sid)); /* another's recording */
  transcriber_expired(s->transcriber, 1, str_from(s->sid));
  wait_gave_up(s, 1); /* no time passes: its limits did not end it */
  WAIT_NUMBER(s, TAKEN, 0);
  assert_int_equal(NUMBER(s, VERSIONS), 0);
  assert_int_equal(NUMBER(s, TASKS), 0);
  assert_int_equal(NUMBER(s, "count(*) from transcripts where status <> 'removed'"), 0);
  stage_free(s);
}

static void a_lost_lease_ends_the_request_at_the_next_renewal(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), FREEZES);
  start(s);
  origin_wait_requests(s->engine, 1);
  works_run(s->works, "update tasks set lease_token = lease_token + 1, lease_owner = 'another'");
  clock_test_advance_ms(9000);
  wait_gave_up(s, 1);
  WAIT_NUMBER(s, TAKEN, 0);
  assert_int_equal(NUMBER(s, "count(*) from tasks where lease_owner = 'another'"), 1);
  assert_int_equal(NUMBER(s, "count(*) from transcripts where status = 'running'"), 1);
  stage_free(s);
}

static void an_answer_under_a_lost_lease_changes_nothing(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HOLDS);
  start(s);
  origin_wait_requests(s->engine, 1);
  works_run(s->works, "update tasks set lease_token = lease_token + 1, lease_owner = 'another'");
  open_gate(s);
  WAIT_NUMBER(s, TAKEN, 0);
  stop(s);
  assert_int_equal(origin_requests(s->engine), 1);
  assert_int_equal(NUMBER(s, PIECES), 0);
  assert_int_equal(NUMBER(s, "count(*) from tasks where lease_owner = 'another'"), 1);
  stage_free(s);
}

static void a_lease_is_renewed_for_as_long_as_the_engine_takes(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HOLDS);
  start(s);
  origin_wait_requests(s->engine, 1);
  for (int i = 0; i < 5; i++) {
    int64_t until = NUMBER(s, "lease_until from tasks");
    clock_test_advance_ms(9000);
    WAIT_NUMBER(s, "count(*) from tasks, speech_slots s where s.lease_until = tasks.lease_until", 1);
    for (int at = 0; at < WAIT_MS && NUMBER(s, "lease_until from tasks") == until; at += LOOK_MS) pause_to_look();
    assert_true(NUMBER(s, "lease_until from tasks") > until);
  }
  open_gate(s);
  WAIT_NUMBER(s, IS_READY, 1);
  assert_int_equal(origin_requests(s->engine), 2);
  stage_free(s);
}

static void an_engine_that_never_answers_is_asked_again_later(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), FREEZES, STOPS, HEARS);
  start(s);
  for (int i = 1; i <= 2; i++) { /* silent from the start; in the middle of its answer */
    origin_wait_requests(s->engine, i);
    WAIT_NUMBER_BY(s, WAITS_FOR("engine_unreachable"), 1, 1000);
    wait_gave_up(s, i);
    assert_int_equal(NUMBER(s, TAKEN), 0);
    pass(s, 120 * 1000);
  }
  WAIT_NUMBER(s, IS_READY, 1);
  assert_int_equal(origin_requests(s->engine), 4);
  stage_free(s);
}

static void an_engine_that_is_gone_for_ten_minutes_costs_no_attempt(void **state) {
  (void)state;
  enum { TIMES = 12 };
  struct stage *s = STAGE(spoken(2, 12), CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, CUTS, FAILS,
                          FAILS, FAILS, FAILS, FAILS, FAILS, HEARS); /* after that it takes a while to be well */
  start(s);
  for (int i = 1; i <= TIMES; i++) {
    origin_wait_requests(s->engine, i);
    WAIT_NUMBER(s, WAITS_FOR("engine_unreachable"), 1);
    assert_int_equal(NUMBER(s, "failures from speech_slots"), i);
    assert_int_equal(NUMBER(s, "attempts from tasks"), 0);
    pass(s, 60 * 1000);
  }
  WAIT_NUMBER_BY(s, WAITS_FOR("engine_error"), 1, 50); /* both pieces, three times each */
  assert_int_equal(NUMBER(s, "attempts from tasks"), 1);
  pass(s, 60 * 1000);
  WAIT_NUMBER(s, IS_READY, 1);
  assert_int_equal(NUMBER(s, GAPS), 0);
  stage_free(s);
}

static void what_an_engine_says_decides_what_it_waits_for(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), BUSY, FORBIDS, HEARS);
  start(s);
  WAIT_NUMBER(s, WAITS_FOR("rate_limited"), 1);
  int64_t left = NUMBER(s, "pause_until from speech_slots") - clock_now_ms();
  assert_in_range(left, 1, 7000);
  pass(s, 7000);
  WAIT_NUMBER(s, WAITS_FOR("auth_failed"), 1);
  assert_int_equal(NUMBER(s, "attempts from tasks"), 1);
  pass(s, 600 * 1000);
  WAIT_NUMBER(s, IS_READY, 1);
  assert_int_equal(origin_requests(s->engine), 4);
  stage_free(s);
}

static void a_piece_that_is_refused_while_others_pass_is_a_gap(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), REFUSES, REFUSES, REFUSES, HEARS);
  start(s);
  WAIT_NUMBER_BY(s, IS_READY, 1, 50);
  assert_int_equal(origin_requests(s->engine), 4);
  assert_int_equal(NUMBER(s, GAPS), 1);
  stage_free(s);
}

static void attempts_begin_anew_when_a_piece_is_heard(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(1, 90), HEARS, FAILS, FAILS, FAILS, FAILS, FAILS, FAILS, FAILS, FAILS, FAILS, HEARS,
                          FAILS, FAILS, FAILS, FAILS, FAILS, FAILS, HEARS);
  start(s);
  WAIT_NUMBER_BY(s, WAITS_FOR("engine_error"), 1, 50); /* the second, third and fourth piece, three times each */
  assert_int_equal(origin_requests(s->engine), 10);
  assert_int_equal(NUMBER(s, "attempts from tasks"), 1);
  pass(s, 60 * 1000);
  origin_wait_requests(s->engine, 11); /* the second piece is heard */
  WAIT_NUMBER(s, "attempts from tasks", 0);
  WAIT_NUMBER_BY(s, IS_READY, 1, 50);
  assert_int_equal(NUMBER(s, GAPS), 2);
  stage_free(s);
}

static void a_stop_ends_the_pause_after_a_refusal(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), FAILS, FREEZES);
  start(s);
  origin_wait_requests(s->engine, 1);
  stop(s);
  assert_int_equal(NUMBER(s, TAKEN), 0);
  assert_int_equal(NUMBER(s, "count(*) from tasks where lease_until is null"), 1);
  stage_free(s);
}

static void nothing_begins_while_it_is_held(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HEARS);
  works_run(s->works, NOT_DUE);
  start(s);
  transcriber_hold(s->transcriber, true);
  works_run(s->works, "update tasks set due_at = 0");
  int64_t before = looks();
  transcriber_wake(s->transcriber);
  wait_looks(before + 2);
  assert_int_equal(NUMBER(s, "lease_token from tasks"), 0);
  assert_int_equal(origin_requests(s->engine), 0);
  transcriber_hold(s->transcriber, false);
  WAIT_NUMBER(s, IS_READY, 1);
  stage_free(s);
}

static void each_wake_is_followed_by_a_look(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HEARS);
  works_run(s->works, NOT_DUE);
  s->tick_ms = INT64_C(24) * 3600 * 1000;
  start(s);
  for (int i = 0; i < 5; i++) {
    int64_t before = looks();
    transcriber_wake(s->transcriber); /* in the pause after the look before */
    wait_looks(before + 1);
  }
  stage_free(s);
}

static void several_transcribers_share_an_engine_that_takes_one_request_at_a_time(void **state) {
  (void)state;
  enum { RECORDINGS = 4 };
  struct stage *s = STAGE(spoken(2, 12), HEARS);
  works_start_worker(s->works);
  for (int i = 2; i <= RECORDINGS; i++) (void)works_wait(s->works, works_announce(s->works, i), RECORDING_READY);
  works_stop_worker(s->works);
  s->works->conf.speech_concurrency = 4;
  start(s);
  s->second = start_one(s, "second");
  WAIT_NUMBER(s, IS_READY, RECORDINGS);
  assert_int_equal(NUMBER(s, VERSIONS), RECORDINGS);
  stop(s);
  assert_int_equal(s->most, 1);
  assert_int_equal(origin_requests(s->engine), 2 * RECORDINGS);
  stage_free(s);
}

static void a_new_request_ends_the_run_of_before(void **state) {
  (void)state;
  struct stage *s = STAGE(spoken(2, 12), HOLDS);
  start(s);
  origin_wait_requests(s->engine, 1);
  struct recording row = works_row(s->works, s->sid);
  works_run(s->works,
            "delete from tasks; insert into tasks (kind, business_id, recording_sid, rank, due_at, created_at)"
            " select 'transcribe', business_id, recording_sid, 0, 0, 0 from transcripts;"
            "update transcripts set status = 'queued', run = run + 1, pieces_done = 0, pieces_all = 0");
  open_gate(s);
  WAIT_NUMBER(s, IS_READY, 1);
  stop(s);
  assert_int_equal(origin_requests(s->engine), 3); /* the answer of the first counts for nothing */
  assert_int_equal(NUMBER(s, VERSIONS), 1);
  assert_string_equal(works_row(s->works, s->sid).etag, row.etag);
  stage_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_piece_is_asked_for_once_and_nothing_is_left_over),
      cmocka_unit_test(a_stored_piece_is_not_asked_for_again_after_a_stop),
      cmocka_unit_test(an_expired_recording_ends_the_request_that_runs),
      cmocka_unit_test(a_lost_lease_ends_the_request_at_the_next_renewal),
      cmocka_unit_test(an_answer_under_a_lost_lease_changes_nothing),
      cmocka_unit_test(a_lease_is_renewed_for_as_long_as_the_engine_takes),
      cmocka_unit_test(an_engine_that_never_answers_is_asked_again_later),
      cmocka_unit_test(an_engine_that_is_gone_for_ten_minutes_costs_no_attempt),
      cmocka_unit_test(what_an_engine_says_decides_what_it_waits_for),
      cmocka_unit_test(a_piece_that_is_refused_while_others_pass_is_a_gap),
      cmocka_unit_test(attempts_begin_anew_when_a_piece_is_heard),
      cmocka_unit_test(a_stop_ends_the_pause_after_a_refusal),
      cmocka_unit_test(nothing_begins_while_it_is_held),
      cmocka_unit_test(each_wake_is_followed_by_a_look),
      cmocka_unit_test(several_transcribers_share_an_engine_that_takes_one_request_at_a_time),
      cmocka_unit_test(a_new_request_ends_the_run_of_before),
  };
  transcription_enable(true);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
