/* tape_test.c - the promises to listeners, with both writers: a fill of this process, and a followed fill of another one. */
#include "../unit/ledger/rows_scratch.h"

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "domain/tape_follow.h"

enum { TOTAL = 5000 };
static const char SID[] = "RE00000000000000000000000000000001";
static const char STEM[] = "1/2026/11/RE00000000000000000000000000000001";
static const char OWNER[] = "1.RE00000000000000000000000000000001";
static char sound[2 * TOTAL];

/* A recording that arrives, and its listeners in this process. */
struct stage {
  struct scratch *scratch;
  const struct writer *writer;
  struct db *db;
  struct db_readers *readers;
  struct events *events;
  struct tapes *tapes;
  struct tape_follows *follows;
  struct blob_store *store;
  struct volume *volume;
  struct blob_part *part;
  struct recording row; /* as the other process writes it */
  struct tape *written; /* of the writer in this process */
  atomic_int opened;
};

/* The writers. */
struct writer {
  const char *name;
  void (*begin)(struct stage *s, int64_t total, int64_t committed);
  void (*extend)(struct stage *s, int64_t committed);
  void (*finish)(struct stage *s);
  void (*give_up)(struct stage *s);
};

/* ---- a fill of this process ---- */

static void append(struct stage *s, int64_t to) {
  int64_t from = blob_part_size(s->part);
  assert_int_equal(blob_append(s->part, str_of(sound + from, (size_t)(to - from))), OK);
}

static struct tape_head head_of(const struct stage *s) {
  struct tape_head head = {
      .business_id = 1, .modified_at = s->row.modified_at, .announced_bytes = s->row.announced_bytes};
  memcpy(head.recording_sid, SID, sizeof(SID));
  memcpy(head.etag, s->row.etag, sizeof(head.etag));
  memcpy(head.content_type, s->row.content_type, sizeof(head.content_type));
  return head;
}

static void begin_here(struct stage *s, int64_t total, int64_t committed) {
  s->row.announced_bytes = total;
  const struct tape_head head = head_of(s);
  append(s, committed);
  assert_int_equal(tapes_open(s->tapes, &head, blob_part_fd(s->part), committed, &s->written), OK);
}
static void extend_here(struct stage *s, int64_t committed) {
  append(s, committed);
  tape_extend(s->written, committed);
}
static void finish_here(struct stage *s) {
  tape_finish(s->written);
}
static void give_up_here(struct stage *s) {
  tape_fail(s->written);
}

/* ---- a fill of another process: only its row and its part are visible ---- */

static void store_row(struct stage *s) {
  struct recording had = scratch_row(s->db, 1, SID);
  assert_int_equal(recordings_store(s->db, &had, &s->row), OK);
  s->row = scratch_row(s->db, 1, SID);
  events_notify(s->events, 1, str_from(SID));
}
static void begin_elsewhere(struct stage *s, int64_t total, int64_t committed) {
  append(s, committed);
  s->row.status = RECORDING_DOWNLOADING;
  s->row.announced_bytes = total;
  s->row.received_bytes = committed;
  store_row(s);
}
static void extend_elsewhere(struct stage *s, int64_t committed) {
  append(s, committed);
  s->row.received_bytes = committed;
  store_row(s);
}
static void finish_elsewhere(struct stage *s) {
  assert_int_equal(blob_publish(s->part, "1/2026/11/RE00000000000000000000000000000001.mp3"), OK);
  s->row.status = RECORDING_READY;
  s->row.bytes = s->row.received_bytes = s->row.announced_bytes = blob_part_size(s->part);
  (void)snprintf(s->row.name, sizeof(s->row.name), "%s.mp3", STEM);
  store_row(s);
}
static void give_up_elsewhere(struct stage *s) {
  s->row.status = RECORDING_FAILED;
  (void)snprintf(s->row.error_code, sizeof(s->row.error_code), "truncated");
  store_row(s);
}

static const struct writer writers[] = {
    {"here", begin_here, extend_here, finish_here, give_up_here},
    {"elsewhere", begin_elsewhere, extend_elsewhere, finish_elsewhere, give_up_elsewhere},
};

/* ---- the stage ---- */

static void on_open(void *arg, int64_t business_id, struct str recording_sid) {
  struct stage *s = arg;
  assert_int_equal(business_id, 1);
  assert_true(str_eq(recording_sid, str_from(SID)));
  atomic_fetch_add(&s->opened, 1);
}

static struct stage *stage_new(struct scratch *scratch, const struct writer *writer) {
  char directory[128];
  struct stage *s = calloc(1, sizeof(*s));
  assert_non_null(s);
  for (size_t i = 0; i < sizeof(sound); i++) sound[i] = (char)(i * 2654435761u >> 13);
  s->scratch = scratch;
  s->writer = writer;
  s->db = scratch_ledger(scratch);
  assert_int_equal(scratch_business(s->db, "one"), 1);
  scratch_path(scratch, ".recordings", directory);
  assert_int_equal(blob_open_disk(directory, &s->store), OK);
  assert_int_equal(blob_begin(s->store, OWNER, 7, &s->part), OK);
  assert_int_equal(db_readers_new(&(struct db_open){.url = scratch->url, .read_only = true}, 2, 100, &s->readers), OK);
  assert_int_equal(volume_new(s->store, 2, 100, &s->volume), OK);
  assert_int_equal(events_new(&s->events), OK);
  assert_int_equal(tapes_new(on_open, s, &s->tapes), OK);
  const struct tape_follow_parts parts = {s->tapes, s->events, s->readers, s->store, s->volume};
  assert_int_equal(tape_follows_new(&parts, &s->follows), OK);
  s->row = scratch_recording(s->db, 1, SID, "", RECORDING_QUEUED, 0, SCRATCH_NOW);
  s->row.lease_token = 7;
  s->row.modified_at = SCRATCH_NOW;
  (void)snprintf(s->row.stem, sizeof(s->row.stem), "%s", STEM);
  (void)snprintf(s->row.etag, sizeof(s->row.etag), "\"first\"");
  (void)snprintf(s->row.content_type, sizeof(s->row.content_type), "audio/mpeg");
  return s;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st, (void)kind, (void)at;
  return remove(path);
}

static void stage_free(struct stage *s) {
  char directory[128];
  tape_unref(s->written);
  s->part = blob_abandon(s->part);
  assert_true(volume_stop(s->volume, 10000));
  s->readers = db_readers_free(s->readers);
  s->follows = tape_follows_free(s->follows);
  s->tapes = tapes_free(s->tapes);
  s->events = events_free(s->events);
  s->volume = volume_free(s->volume);
  s->store = blob_close(s->store);
  db_close(s->db);
  scratch_path(s->scratch, ".recordings", directory);
  assert_int_equal(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
  free(s);
}

/* ---- a listener ---- */

struct ear {
  struct tape *tape;
  struct tape_listener listener;
  pthread_mutex_t mutex;
  pthread_cond_t called;
  int times;
};

static void on_extend(void *arg) {
  struct ear *e = arg;
  pthread_mutex_lock(&e->mutex);
  e->times++;
  pthread_cond_signal(&e->called);
  pthread_mutex_unlock(&e->mutex);
}

static void ear_open(struct stage *s, struct ear *e) {
  struct recording row = s->row;
  *e = (struct ear){.mutex = PTHREAD_MUTEX_INITIALIZER, .called = PTHREAD_COND_INITIALIZER};
  e->listener = (struct tape_listener){.on_extend = on_extend, .arg = e};
  assert_int_equal(tape_follow(s->follows, &row, &e->tape), OK);
}

static void ear_close(struct ear *e) {
  tape_stop_waiting(e->tape, &e->listener);
  tape_unref(e->tape);
}

/* Waits for a view that is not open or has more than `have` bytes; asserts that all its bytes are right. */
static struct tape_view hear(struct ear *e, int64_t have) {
  char bytes[sizeof(sound)];
  for (;;) {
    struct tape_view v = tape_wait_extend(e->tape, have, &e->listener);
    if (v.state != TAPE_OPEN || v.committed > have) {
      assert_int_equal(pread(tape_bytes_fd(v.bytes), bytes, (size_t)v.committed, 0), v.committed);
      assert_memory_equal(bytes, sound, (size_t)v.committed);
      tape_bytes_unref(v.bytes);
      return v;
    }
    tape_bytes_unref(v.bytes);
    pthread_mutex_lock(&e->mutex);
    while (e->times == 0) pthread_cond_wait(&e->called, &e->mutex);
    e->times = 0;
    pthread_mutex_unlock(&e->mutex);
  }
}

static void assert_view(struct tape_view v, enum tape_state state, int64_t committed) {
  assert_int_equal(v.state, state);
  assert_int_equal(v.committed, committed);
}

#define WITH_BOTH(...)                                             \
  for (size_t w_ = 0; w_ < COUNT_OF(writers); w_++) {              \
    struct stage *s = stage_new(*state, &writers[w_]);             \
    struct ear ear;                                                \
    __VA_ARGS__ stage_free(s);                                     \
    assert_int_equal(unlink(((struct scratch *)*state)->path), 0); \
  }

static void committed_bytes_are_readable_at_once(void **state) {
  WITH_BOTH({
    s->writer->begin(s, TOTAL, 1200);
    ear_open(s, &ear);
    assert_view(hear(&ear, 0), TAPE_OPEN, 1200);
    assert_string_equal(tape_head(ear.tape)->etag, "\"first\"");
    assert_int_equal(tape_head(ear.tape)->announced_bytes, TOTAL);
    assert_int_equal(tape_head(ear.tape)->modified_at, SCRATCH_NOW);
    assert_string_equal(tape_head(ear.tape)->content_type, "audio/mpeg");
    assert_true(s->opened >= 1);
    ear_close(&ear);
  })
}

static void a_waiting_listener_is_called_when_there_is_more(void **state) {
  WITH_BOTH({
    s->writer->begin(s, TOTAL, 1200);
    ear_open(s, &ear);
    assert_view(hear(&ear, 0), TAPE_OPEN, 1200);
    s->writer->extend(s, 3000);
    assert_view(hear(&ear, 1200), TAPE_OPEN, 3000);
    s->writer->extend(s, TOTAL);
    assert_view(hear(&ear, 3000), TAPE_OPEN, TOTAL);
    s->writer->finish(s);
    assert_view(hear(&ear, TOTAL), TAPE_DONE, TOTAL);
    ear_close(&ear);
  })
}

static void a_tape_without_a_length_ends_when_it_is_done(void **state) {
  WITH_BOTH({
    s->writer->begin(s, -1, 1200);
    ear_open(s, &ear);
    assert_int_equal(tape_head(ear.tape)->announced_bytes, -1);
    s->writer->extend(s, 4000);
    s->writer->finish(s);
    struct tape_view v = hear(&ear, 1200);
    if (v.state == TAPE_OPEN) v = hear(&ear, v.committed);
    assert_view(v, TAPE_DONE, 4000);
    ear_close(&ear);
  })
}

static void a_broken_tape_is_broken_for_all_and_never_found(void **state) {
  WITH_BOTH({
    struct ear other;
    s->writer->begin(s, TOTAL, 1200);
    ear_open(s, &ear);
    ear_open(s, &other);
    assert_ptr_equal(ear.tape, other.tape);
    s->writer->give_up(s);
    assert_view(hear(&ear, 1200), TAPE_BROKEN, 1200);
    assert_view(hear(&other, 1200), TAPE_BROKEN, 1200);
    assert_null(tapes_find(s->tapes, 1, str_from(SID)));
    ear_close(&ear);
    ear_close(&other);
  })
}

/* Its file did not get its name. */
static void a_done_tape_that_fails_stays_done_and_is_not_found(void **state) {
  struct stage *s = stage_new(*state, &writers[0]);
  struct ear ear;
  begin_here(s, TOTAL, TOTAL);
  ear_open(s, &ear);
  finish_here(s);
  give_up_here(s);
  assert_view(hear(&ear, 0), TAPE_DONE, TOTAL);
  assert_null(tapes_find(s->tapes, 1, str_from(SID)));
  ear_close(&ear);
  stage_free(s);
}

static void a_listener_that_stopped_waiting_is_not_called(void **state) {
  WITH_BOTH({
    s->writer->begin(s, TOTAL, 1200);
    ear_open(s, &ear);
    struct tape_view v = tape_wait_extend(ear.tape, 1200, &ear.listener);
    tape_bytes_unref(v.bytes);
    tape_stop_waiting(ear.tape, &ear.listener);
    struct ear other;
    ear_open(s, &other);
    s->writer->extend(s, 2000);
    assert_view(hear(&other, 1200), TAPE_OPEN, 2000);
    assert_int_equal(ear.times, 0);
    ear_close(&other);
    ear_close(&ear);
  })
}

static void a_tape_of_another_business_is_not_found(void **state) {
  WITH_BOTH({
    s->writer->begin(s, TOTAL, 1200);
    ear_open(s, &ear);
    assert_null(tapes_find(s->tapes, 2, str_from(SID)));
    ear_close(&ear);
  })
}

/* ---- another fill takes over ---- */

static void a_tape_continues_with_the_part_of_the_next_token(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  struct ear ear;
  s->writer->begin(s, TOTAL, 3000);
  ear_open(s, &ear);
  assert_view(hear(&ear, 0), TAPE_OPEN, 3000);
  s->row.status = RECORDING_QUEUED; /* its worker died */
  s->row.received_bytes = 0;
  store_row(s);
  struct blob_part *dead = s->part;
  assert_int_equal(blob_begin(s->store, OWNER, 8, &s->part), OK);
  append(s, 1500);
  s->row.status = RECORDING_DOWNLOADING;
  s->row.lease_token = 8;
  s->row.received_bytes = 1500; /* less than listeners have: nothing changes */
  store_row(s);
  s->writer->extend(s, 4000);
  dead = blob_abandon(dead);
  assert_view(hear(&ear, 3000), TAPE_OPEN, 4000);
  s->writer->extend(s, TOTAL);
  s->writer->finish(s);
  struct tape_view v = hear(&ear, 4000);
  if (v.state == TAPE_OPEN) v = hear(&ear, v.committed);
  assert_view(v, TAPE_DONE, TOTAL);
  ear_close(&ear);
  stage_free(s);
}

static void other_validators_break_a_tape(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  struct ear ear;
  s->writer->begin(s, TOTAL, 3000);
  ear_open(s, &ear);
  (void)snprintf(s->row.etag, sizeof(s->row.etag), "\"second\"");
  store_row(s);
  assert_view(hear(&ear, 3000), TAPE_BROKEN, 3000);
  ear_close(&ear);
  stage_free(s);
}

static void a_fill_of_this_process_takes_a_followed_tape_over(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  struct ear ear;
  s->writer->begin(s, TOTAL, 3000);
  ear_open(s, &ear);
  assert_view(hear(&ear, 0), TAPE_OPEN, 3000);
  struct blob_part *dead = s->part;
  assert_int_equal(blob_begin(s->store, OWNER, 8, &s->part), OK);
  begin_here(s, TOTAL, 1100);
  assert_ptr_equal(s->written, ear.tape);
  extend_here(s, 2500);
  struct tape_view v = tape_wait_extend(ear.tape, 3000, NULL);
  tape_bytes_unref(v.bytes);
  assert_view(v, TAPE_OPEN, 3000); /* the new part is not as long yet */
  extend_here(s, TOTAL);
  finish_here(s);
  assert_view(hear(&ear, 3000), TAPE_DONE, TOTAL);
  (void)blob_abandon(dead);
  ear_close(&ear);
  stage_free(s);
}

static void a_length_announced_later_does_not_break_a_tape(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  struct ear ear;
  s->writer->begin(s, -1, 3000);
  ear_open(s, &ear);
  begin_here(s, TOTAL,
             3000); /* this process's fill: followed by its row before it opened its tape, and broken meanwhile */
  assert_ptr_equal(s->written, ear.tape);
  extend_here(s, TOTAL);
  finish_here(s);
  assert_view(hear(&ear, 3000), TAPE_DONE, TOTAL);
  ear_close(&ear);
  stage_free(s);
}

static void a_fill_that_lost_its_lease_hands_its_listeners_over(void **state) {
  struct stage *s = stage_new(*state, &writers[0]);
  struct ear ear;
  begin_here(s, TOTAL, 3000);
  ear_open(s, &ear);
  begin_elsewhere(s, TOTAL, 3000); /* as the row shows it */
  tape_follow_successor(s->follows, s->written);
  tape_unref(TAKE(s->written));
  struct blob_part *lost = s->part;
  assert_int_equal(blob_begin(s->store, OWNER, 8, &s->part), OK);
  s->row.lease_token = 8;
  extend_elsewhere(s, TOTAL);
  assert_view(hear(&ear, 3000), TAPE_OPEN, TOTAL);
  (void)blob_abandon(lost);
  ear_close(&ear);
  stage_free(s);
}

static void a_fill_without_accepted_bytes_is_not_followed(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  struct tape *tape = NULL;
  s->row.status = RECORDING_DOWNLOADING;
  store_row(s);
  assert_int_equal(tape_follow(s->follows, &s->row, &tape), ERR_NOT_FOUND);
  s->row.received_bytes = 1200;
  s->row.lease_token = 9; /* a token without a part */
  store_row(s);
  assert_int_equal(tape_follow(s->follows, &s->row, &tape), ERR_NOT_FOUND);
  stage_free(s);
}

/* ---- many at once ---- */

enum { EARS = 8 };

static void *hear_all(void *arg) {
  struct stage *s = arg;
  for (int i = 0; i < 20; i++) {
    struct ear ear;
    ear_open(s, &ear);
    struct tape_view v = {.state = TAPE_OPEN, .committed = 0};
    while (v.state == TAPE_OPEN && v.committed < TOTAL) v = hear(&ear, v.committed);
    ear_close(&ear);
  }
  return NULL;
}

static void many_listeners_join_and_leave_while_a_tape_grows(void **state) {
  struct stage *s = stage_new(*state, &writers[0]);
  pthread_t threads[EARS];
  begin_here(s, TOTAL, 1100);
  for (int i = 0; i < EARS; i++) assert_int_equal(pthread_create(&threads[i], NULL, hear_all, s), 0);
  for (int64_t n = 1200; n <= TOTAL; n += 100) extend_here(s, n);
  for (int i = 0; i < EARS; i++) pthread_join(threads[i], NULL);
  stage_free(s);
}

struct opener {
  struct stage *s;
  pthread_barrier_t *both;
  struct tape *tape;
};

static void *open_it(void *arg) {
  struct opener *o = arg;
  const struct tape_head head = head_of(o->s);
  (void)pthread_barrier_wait(o->both);
  assert_int_equal(tapes_open(o->s->tapes, &head, blob_part_fd(o->s->part), 1100, &o->tape), OK);
  return NULL;
}

/* The fill, and a thread that reads in the ledger that it has begun. */
static void two_threads_that_open_a_recording_at_once_share_one_tape(void **state) {
  struct stage *s = stage_new(*state, &writers[0]);
  pthread_barrier_t both;
  append(s, 1100);
  assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
  for (int i = 0; i < 5000; i++) {
    struct opener openers[2] = {{s, &both, NULL}, {s, &both, NULL}};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, open_it, &openers[0]), 0);
    (void)open_it(&openers[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(openers[0].tape, openers[1].tape);
    tape_unref(openers[0].tape);
    tape_unref(openers[1].tape);
  }
  (void)pthread_barrier_destroy(&both);
  stage_free(s);
}

static void *follow_it(void *arg) {
  struct opener *o = arg;
  (void)pthread_barrier_wait(o->both);
  assert_int_equal(tape_follow(o->s->follows, &o->s->row, &o->tape), OK);
  return NULL;
}

static void a_fill_that_begins_during_a_follow_takes_the_tape_over(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  pthread_barrier_t both;
  begin_elsewhere(s, TOTAL, 1100);
  assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
  for (int i = 0; i < 5000; i++) {
    struct opener openers[2] = {{s, &both, NULL}, {s, &both, NULL}};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, follow_it, &openers[0]), 0);
    (void)open_it(&openers[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(openers[0].tape, openers[1].tape);
    tape_unref(openers[0].tape);
    tape_unref(openers[1].tape);
  }
  (void)pthread_barrier_destroy(&both);
  stage_free(s);
}

/* A refresh that read the row earlier has the length of the followed part, which says nothing about the fill's part. */
static void a_row_read_before_a_fill_took_over_does_not_extend_its_tape(void **state) {
  struct stage *s = stage_new(*state, &writers[1]);
  struct blob_part *own;
  begin_elsewhere(s, TOTAL, 1100);
  append(s, TOTAL);
  const struct tape_head head = head_of(s);
  assert_int_equal(blob_begin(s->store, OWNER, 8, &own), OK);
  assert_int_equal(blob_append(own, str_of(sound, 1100)), OK);
  for (int i = 0; i < 100; i++) {
    struct tape *followed, *filled;
    struct stat st;
    s->row.received_bytes = 1100;
    store_row(s);
    assert_int_equal(tape_follow(s->follows, &s->row, &followed), OK);
    s->row.received_bytes = 3000;
    store_row(s);
    assert_int_equal(tapes_open(s->tapes, &head, blob_part_fd(own), 1100, &filled), OK);
    for (int n = 0; n < 200; n++) {
      struct tape_view v = tape_wait_extend(filled, 0, NULL);
      assert_int_equal(fstat(tape_bytes_fd(v.bytes), &st), 0);
      assert_true(v.committed <= st.st_size);
      tape_bytes_unref(v.bytes);
    }
    tape_unref(followed);
    tape_unref(filled);
  }
  (void)blob_abandon(own);
  stage_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      SCRATCH_TEST(committed_bytes_are_readable_at_once),
      SCRATCH_TEST(a_waiting_listener_is_called_when_there_is_more),
      SCRATCH_TEST(a_tape_without_a_length_ends_when_it_is_done),
      SCRATCH_TEST(a_broken_tape_is_broken_for_all_and_never_found),
      SCRATCH_TEST(a_done_tape_that_fails_stays_done_and_is_not_found),
      SCRATCH_TEST(a_listener_that_stopped_waiting_is_not_called),
      SCRATCH_TEST(a_tape_of_another_business_is_not_found),
      SCRATCH_TEST(a_tape_continues_with_the_part_of_the_next_token),
      SCRATCH_TEST(other_validators_break_a_tape),
      SCRATCH_TEST(a_fill_of_this_process_takes_a_followed_tape_over),
      SCRATCH_TEST(a_length_announced_later_does_not_break_a_tape),
      SCRATCH_TEST(a_fill_that_lost_its_lease_hands_its_listeners_over),
      SCRATCH_TEST(a_fill_without_accepted_bytes_is_not_followed),
      SCRATCH_TEST(many_listeners_join_and_leave_while_a_tape_grows),
      SCRATCH_TEST(two_threads_that_open_a_recording_at_once_share_one_tape),
      SCRATCH_TEST(a_fill_that_begins_during_a_follow_takes_the_tape_over),
      SCRATCH_TEST(a_row_read_before_a_fill_took_over_does_not_extend_its_tape),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
