/* Marks by which processes find out that they do not have the same volume. */
#include "domain_scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "domain/node_marks.h"
#include "domain/store.h"

struct place {
  char directory[64];
  struct blob_store *store;
};

static int place_new(void **state) {
  struct place *p = calloc(1, sizeof(*p));
  if (!p) return -1;
  (void)snprintf(p->directory, sizeof(p->directory), "/tmp/callreel-marks-XXXXXX");
  if (!mkdtemp(p->directory)) return -1;
  *state = p;
  return blob_open_disk(p->directory, &p->store) == OK ? 0 : -1;
}

static int place_free(void **state) {
  struct place *p = *state;
  int dir = blob_directory_fd(p->store);
  static const char *const names[] = {"a", "b", "old"};
  for (size_t i = 0; i < COUNT_OF(names); i++) IGNORE(node_mark_remove(p->store, names[i])); /* may be gone */
  (void)unlinkat(dir, ".nodes", AT_REMOVEDIR);                                               /* may not exist */
  blob_close(p->store);
  (void)rmdir(p->directory);
  free(p);
  return 0;
}

static void a_mark_is_missing_if_it_is_not_there_or_older(void **state) {
  struct place *p = *state;
  assert_int_equal(node_mark_write(p->store, "a", 9), OK);
  assert_int_equal(node_mark_write(p->store, "a", 10), OK);
  const struct {
    const char *node_id;
    int64_t mark;
    bool missing;
  } cases[] = {{"a", 9, false}, {"a", 10, false}, {"a", 11, true}, {"b", 1, true}};
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct node_marks marks = {.count = 1};
    (void)snprintf(marks.marks[0].node_id, NODE_ID_SIZE, "%s", cases[i].node_id);
    marks.marks[0].mark = cases[i].mark;
    const struct node_mark *missing = node_marks_first_missing(p->store, &marks);
    assert_ptr_equal(missing, cases[i].missing ? &marks.marks[0] : NULL);
  }
}

static void marks_of_processes_long_gone_are_swept(void **state) {
  struct place *p = *state;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - NODE_FORGOTTEN_MS / 1000 - 60}};
  assert_int_equal(node_mark_write(p->store, "old", 1), OK);
  assert_int_equal(utimensat(blob_directory_fd(p->store), ".nodes/old", times, 0), 0);
  assert_int_equal(node_mark_write(p->store, "a", 1), OK);
  assert_int_equal(node_mark_write(p->store, "b", 1), OK);
  assert_int_equal(node_marks_sweep(p->store, "a"), OK);
  assert_int_equal(node_mark_remove(p->store, "old"), ERR_NOT_FOUND);
  assert_int_equal(node_mark_remove(p->store, "b"), OK);
}

static void beat(struct db *db, const char *node_id, int64_t mark) {
  struct node node = {.role = "all", .host = "h", .mark = mark};
  (void)snprintf(node.node_id, sizeof(node.node_id), "%s", node_id);
  assert_int_equal(nodes_beat(db, &node), OK);
}

static void only_live_processes_that_wrote_a_mark_are_looked_for(void **state) {
  struct db *db = scratch_ledger(*state);
  beat(db, "dead", 4);
  assert_int_equal(db_script(db, "update nodes set seen_at = seen_at - 60000"), OK);
  beat(db, "own", 3);
  beat(db, "unmarked", 0);
  beat(db, "other", 7);
  struct node_marks found;
  assert_int_equal(node_marks_read(db, "own", &found), OK);
  assert_int_equal(found.count, 1);
  assert_string_equal(found.marks[0].node_id, "other");
  assert_int_equal(found.marks[0].mark, 7);
  db_close(db);
}

static void a_directory_that_was_moved_away_leads_elsewhere(void **state) {
  struct place *p = *state;
  char away[80];
  (void)snprintf(away, sizeof(away), "%s.away", p->directory);
  assert_false(store_is_elsewhere(p->store));
  assert_int_equal(rename(p->directory, away), 0);
  assert_true(store_is_elsewhere(p->store)); /* the path leads nowhere */
  assert_int_equal(mkdir(p->directory, 0700), 0);
  assert_true(store_is_elsewhere(p->store)); /* the path leads to another directory */
  assert_int_equal(rename(away, p->directory), 0);
  assert_false(store_is_elsewhere(p->store));
}

#define PLACED(test) cmocka_unit_test_setup_teardown(test, place_new, place_free)

int main(void) {
  const struct CMUnitTest tests[] = {
      PLACED(a_mark_is_missing_if_it_is_not_there_or_older),
      PLACED(marks_of_processes_long_gone_are_swept),
      SCRATCH_TEST(only_live_processes_that_wrote_a_mark_are_looked_for),
      PLACED(a_directory_that_was_moved_away_leads_elsewhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
