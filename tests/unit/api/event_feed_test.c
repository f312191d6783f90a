#include "../ledger/rows_scratch.h"

#include <pthread.h>
#include <time.h>

#include "api/events/api_event_feed.h"
#include "base/clock.h"

enum { BUSINESS = 7, OTHER = 8, LOOP = 1, LOOPS = 2, BATCHES_MAX = 64, MINUTE_MS = 60 * 1000 };

/* An event feed over a real database; batches are kept as they come. */
struct stage {
  struct scratch *scratch;
  struct db *db;
  struct db_readers *readers;
  struct event_feed *event_feed;
  pthread_mutex_t mutex;
  pthread_cond_t came;
  struct event_feed_batch *batches[BATCHES_MAX];
  unsigned loops[BATCHES_MAX];
  size_t count;
  enum err write_fails; /* the result of writing an object */
  pthread_mutex_t gate; /* held: a read waits in its first write */
  bool at_gate;         /* a read has come there, so the changes it covers are fixed */
};

static bool deliver(void *arg, unsigned loop, struct event_feed_batch *batch) {
  struct stage *s = arg;
  pthread_mutex_lock(&s->mutex);
  assert_true(s->count < BATCHES_MAX);
  s->loops[s->count] = loop;
  s->batches[s->count++] = batch;
  pthread_cond_broadcast(&s->came);
  pthread_mutex_unlock(&s->mutex);
  return true;
}

static enum err write_id(void *arg, struct db *db, int64_t business_id, const struct event_feed_change *change,
                         struct buf *b) {
  struct stage *s = arg;
  (void)db;
  (void)business_id;
  pthread_mutex_lock(&s->mutex);
  s->at_gate = true;
  pthread_cond_broadcast(&s->came);
  pthread_mutex_unlock(&s->mutex);
  pthread_mutex_lock(&s->gate);
  pthread_mutex_unlock(&s->gate);
  if (s->write_fails != OK) return s->write_fails;
  return buf_add_json(b, str_from(change->id));
}

static int setup(void **state) {
  struct stage *s = calloc(1, sizeof(*s));
  void *scratch;
  if (!s || scratch_setup(&scratch) != 0) return -1;
  s->scratch = scratch;
  s->db = scratch_ledger(s->scratch);
  pthread_mutex_init(&s->mutex, NULL);
  pthread_mutex_init(&s->gate, NULL);
  pthread_cond_init(&s->came, NULL);
  struct db_open how = {.url = s->scratch->url, .read_only = true};
  if (db_readers_new(&how, 2, 100, &s->readers) != OK) return -1;
  struct event_feed_parts parts = {
      .readers = s->readers, .loops = LOOPS, .seq = 0, .deliver = deliver, .write = write_id, .arg = s};
  *state = s;
  return event_feed_new(&parts, &s->event_feed) == OK ? 0 : -1;
}

static int teardown(void **state) {
  struct stage *s = *state;
  void *scratch = s->scratch;
  db_readers_free(s->readers);
  for (size_t i = 0; i < s->count; i++) event_feed_batch_unref(s->batches[i]);
  event_feed_free(s->event_feed);
  db_close(s->db);
  free(s);
  return scratch_teardown(&scratch);
}

static void wait_until(struct stage *s, const bool *flag, size_t count) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 20;
  pthread_mutex_lock(&s->mutex);
  while (!*flag || s->count < count)
    if (pthread_cond_timedwait(&s->came, &s->mutex, &until) != 0) fail_msg("the batch never came");
  pthread_mutex_unlock(&s->mutex);
}

/* Waits for batch number i. */
static const struct event_feed_batch *batch(struct stage *s, size_t i) {
  const bool any = true;
  wait_until(s, &any, i + 1);
  return s->batches[i];
}

/* commit writes a change, tell reports it as the changes thread does, change does both. */
static int64_t commit(struct stage *s, enum change_kind kind, int64_t business, const char *id) {
  assert_int_equal(changes_add(s->db, kind, business, str_from(id)), OK);
  int64_t oldest, newest;
  assert_int_equal(changes_bounds(s->db, &oldest, &newest), OK);
  return newest;
}
static void tell(struct stage *s, enum change_kind kind, int64_t business, const char *id, int64_t seq) {
  event_feed_change(s->event_feed,
                    &(struct change){.seq = seq, .kind = kind, .business_id = business, .id = str_from(id)});
}
static int64_t change(struct stage *s, enum change_kind kind, int64_t business, const char *id) {
  int64_t seq = commit(s, kind, business, id);
  tell(s, kind, business, id, seq);
  return seq;
}

static int64_t join(struct stage *s, int64_t business) {
  int64_t seq = -1;
  assert_int_equal(event_feed_join(s->event_feed, business, LOOP, 10, &seq), OK);
  return seq;
}

static void assert_event(const struct event_feed_batch *b, size_t i, const char *text) {
  assert_false(b->lost);
  assert_true(i < b->count);
  if (!str_eq(str_of(b->events[i]->text, b->events[i]->n), str_from(text)))
    fail_msg("%.*s instead of %s", (int)b->events[i]->n, b->events[i]->text, text);
}

static void a_stream_gets_events_of_its_business_only(void **state) {
  struct stage *s = *state;
  assert_int_equal(join(s, BUSINESS), 0);
  change(s, CHANGE_RECORDING, OTHER, "theirs");
  change(s, CHANGE_KEY, BUSINESS, "3");
  change(s, CHANGE_RECORDING, BUSINESS, "ours");
  assert_int_equal(batch(s, 0)->count, 1);
  assert_event(batch(s, 0), 0, "event: recording\nid: 3\ndata: \"ours\"\n\n");
  assert_int_equal(s->loops[0], LOOP);
  assert_int_equal(batch(s, 0)->business_id, BUSINESS);
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
  assert_false(event_feed_has_streams(s->event_feed));
}

static void an_object_that_changed_several_times_has_one_event_with_the_newest_number(void **state) {
  struct stage *s = *state;
  join(s, BUSINESS);
  pthread_mutex_lock(&s->gate);
  change(s, CHANGE_RECORDING, BUSINESS, "first");
  wait_until(s, &s->at_gate, 0);
  change(s, CHANGE_RECORDING, BUSINESS, "a");
  change(s, CHANGE_CALL, BUSINESS, "b");
  change(s, CHANGE_RECORDING, BUSINESS, "a");
  pthread_mutex_unlock(&s->gate);
  assert_int_equal(batch(s, 0)->count, 1);
  assert_event(batch(s, 0), 0, "event: recording\nid: 1\ndata: \"first\"\n\n");
  assert_int_equal(batch(s, 1)->count, 2);
  assert_event(batch(s, 1), 0, "event: call\nid: 3\ndata: \"b\"\n\n");
  assert_event(batch(s, 1), 1, "event: recording\nid: 4\ndata: \"a\"\n\n");
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
}

static void progress_has_no_number(void **state) {
  struct stage *s = *state;
  join(s, BUSINESS);
  change(s, CHANGE_PROGRESS, BUSINESS, "a");
  assert_event(batch(s, 0), 0, "event: recording\ndata: \"a\"\n\n");
  assert_int_equal(batch(s, 0)->events[0]->seq, 1);
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
}

static void progress_waits_for_its_time_and_a_change_does_not(void **state) {
  struct stage *s = *state;
  join(s, BUSINESS);
  change(s, CHANGE_PROGRESS, BUSINESS, "a");
  assert_int_equal(batch(s, 0)->count, 1);
  clock_test_advance_ms(-MINUTE_MS); /* so that progress does not become due by itself */
  change(s, CHANGE_PROGRESS, BUSINESS, "b");
  event_feed_tick(s->event_feed);
  change(s, CHANGE_RECORDING, BUSINESS, "c"); /* b's progress comes with its next change */
  assert_int_equal(batch(s, 1)->count, 1);
  assert_event(batch(s, 1), 0, "event: recording\nid: 3\ndata: \"c\"\n\n");
  clock_test_advance_ms(2 * MINUTE_MS);
  change(s, CHANGE_PROGRESS, BUSINESS, "b");
  assert_event(batch(s, 2), 0, "event: recording\ndata: \"b\"\n\n");
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
}

static void a_change_with_progress_has_a_number(void **state) {
  struct stage *s = *state;
  join(s, BUSINESS);
  pthread_mutex_lock(&s->gate);
  change(s, CHANGE_RECORDING, BUSINESS, "first");
  wait_until(s, &s->at_gate, 0);
  change(s, CHANGE_RECORDING, BUSINESS, "a");
  change(s, CHANGE_PROGRESS, BUSINESS, "a");
  pthread_mutex_unlock(&s->gate);
  assert_int_equal(batch(s, 1)->count, 1);
  assert_event(batch(s, 1), 0, "event: recording\nid: 3\ndata: \"a\"\n\n");
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
}

static void a_later_stream_gets_no_event_from_before_it_joined(void **state) {
  struct stage *s = *state;
  assert_int_equal(join(s, BUSINESS), 0);
  commit(s, CHANGE_RECORDING, BUSINESS, "a");
  commit(s, CHANGE_RECORDING, BUSINESS, "b");
  tell(s, CHANGE_RECORDING, BUSINESS, "a", 1); /* the read sees b, which was not reported yet */
  assert_int_equal(batch(s, 0)->seq, 2);
  assert_int_equal(join(s, BUSINESS), 2);
  tell(s, CHANGE_RECORDING, BUSINESS, "b", 2);
  change(s, CHANGE_RECORDING, BUSINESS, "c");
  assert_int_equal(batch(s, 1)->count, 1);
  assert_event(batch(s, 1), 0, "event: recording\nid: 3\ndata: \"c\"\n\n");
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
}

static void streams_of_a_business_are_limited(void **state) {
  struct stage *s = *state;
  int64_t seq;
  assert_int_equal(event_feed_join(s->event_feed, BUSINESS, 0, 2, &seq), OK);
  assert_int_equal(event_feed_join(s->event_feed, BUSINESS, 1, 2, &seq), OK);
  assert_int_equal(event_feed_join(s->event_feed, BUSINESS, 0, 2, &seq), ERR_BUSY);
  assert_int_equal(event_feed_join(s->event_feed, OTHER, 0, 2, &seq), OK);
  event_feed_leave(s->event_feed, BUSINESS, 0);
  assert_int_equal(event_feed_join(s->event_feed, BUSINESS, 0, 2, &seq), OK);
  event_feed_leave(s->event_feed, BUSINESS, 0);
  event_feed_leave(s->event_feed, BUSINESS, 1);
  event_feed_leave(s->event_feed, OTHER, 0);
}

static void changes_that_are_too_many_or_unreadable_are_marked_lost(void **state) {
  struct stage *s = *state;
  char id[SID_SIZE];
  join(s, BUSINESS);
  for (int i = 0; i <= EVENT_FEED_ITEMS_MAX; i++) {
    (void)snprintf(id, sizeof(id), "RE%d", i);
    commit(s, CHANGE_RECORDING, BUSINESS, id);
  }
  tell(s, CHANGE_RECORDING, BUSINESS, "RE0", 1);
  assert_true(batch(s, 0)->lost);
  assert_int_equal(batch(s, 0)->seq, 1);
  for (int64_t seq = 2; seq <= EVENT_FEED_ITEMS_MAX + 1; seq++) tell(s, CHANGE_RECORDING, BUSINESS, "RE", seq);
  assert_int_equal(batch(s, 1)->count, EVENT_FEED_ITEMS_MAX); /* the lost changes are covered, and the rest fits */
  size_t n = s->count;
  s->write_fails = ERR_IO;
  int64_t newest = change(s, CHANGE_RECORDING, BUSINESS, "x");
  assert_true(batch(s, n)->lost);
  assert_int_equal(batch(s, n)->seq, newest);
  s->write_fails = ERR_NOT_FOUND; /* the object was deleted: no event */
  (void)change(s, CHANGE_RECORDING, BUSINESS, "y");
  assert_false(batch(s, n + 1)->lost);
  assert_int_equal(batch(s, n + 1)->count, 0);
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
}

static void after_a_loss_all_streams_get_a_lost_batch_and_later_events(void **state) {
  struct stage *s = *state;
  change(s, CHANGE_CALL, BUSINESS, "before");
  join(s, BUSINESS);
  event_feed_lost(s->event_feed);
  for (size_t i = 0; i < LOOPS; i++) {
    assert_true(batch(s, i)->lost);
    assert_int_equal(batch(s, i)->business_id, 0);
    assert_int_equal(batch(s, i)->seq, 0);
  }
  assert_int_equal(join(s, OTHER), 0); /* the newest seq is not known now */
  int64_t seq = change(s, CHANGE_CALL, BUSINESS, "after");
  assert_int_equal(batch(s, LOOPS)->seq, seq);
  assert_int_equal(batch(s, LOOPS)->count, 1);
  event_feed_leave(s->event_feed, BUSINESS, LOOP);
  event_feed_leave(s->event_feed, OTHER, LOOP);
}

static void reading_after_a_forgotten_change_finds_nothing(void **state) {
  struct stage *s = *state;
  struct event_feed_batch *b = NULL;
  commit(s, CHANGE_CALL, BUSINESS, "a");
  commit(s, CHANGE_CALL, BUSINESS, "b");
  assert_int_equal(db_run(s->db, "delete from changes where seq = 1"), OK);
  assert_int_equal(event_feed_read(s->event_feed, s->db, BUSINESS, 0, &b), ERR_NOT_FOUND);
  assert_int_equal(event_feed_read(s->event_feed, s->db, BUSINESS, 3, &b), ERR_NOT_FOUND);
  assert_null(b);
  assert_int_equal(event_feed_read(s->event_feed, s->db, BUSINESS, 1, &b), OK);
  assert_int_equal(b->count, 1);
  event_feed_batch_unref(b);
}

#define FEED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      FEED_TEST(a_stream_gets_events_of_its_business_only),
      FEED_TEST(an_object_that_changed_several_times_has_one_event_with_the_newest_number),
      FEED_TEST(progress_has_no_number),
      FEED_TEST(progress_waits_for_its_time_and_a_change_does_not),
      FEED_TEST(a_change_with_progress_has_a_number),
      FEED_TEST(a_later_stream_gets_no_event_from_before_it_joined),
      FEED_TEST(streams_of_a_business_are_limited),
      FEED_TEST(changes_that_are_too_many_or_unreadable_are_marked_lost),
      FEED_TEST(after_a_loss_all_streams_get_a_lost_batch_and_later_events),
      FEED_TEST(reading_after_a_forgotten_change_finds_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
