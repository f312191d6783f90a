#include "../domain/domain_scratch.h"

#include <fcntl.h>
#include <semaphore.h>
#include <unistd.h>

#include "api/media/api_file_check.h"
#include "base/clock.h"

static sem_t posted;

/* Stands for a server that has no memory for the post. */
enum err __wrap_http_loop_post(struct http_server *s, unsigned i, void (*fn)(void *arg), void *arg);
enum err __wrap_http_loop_post(struct http_server *s, unsigned i, void (*fn)(void *arg), void *arg) {
  (void)s, (void)i, (void)fn, (void)arg;
  sem_post(&posted);
  return ERR_NOMEM;
}

static struct http_file *a_file(const char *path) {
  struct http_file *file;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_int_equal(write(fd, "ID3", 3), 3);
  assert_int_equal(http_file_new(fd, &file), OK);
  return file;
}

static void checks_go_on_after_a_post_that_failed(void **state) {
  static const struct loop_reaction reactions[] = {{PENDING_CHECKS, file_check_take_results}, {0, NULL}};
  static struct api api;
  static struct api_loop loop;
  struct recording row;
  struct blob_store *store;
  int64_t now = clock_mono_ms();
  const struct scratch *s = *state;
  char path[128];
  scratch_path(s, ".mp3", path);
  sem_init(&posted, 0, 0);
  assert_int_equal(blob_open_disk(s->dir, &store), OK);
  assert_int_equal(volume_new(store, 1, 8, &api.parts.volume), OK);
  assert_int_equal(cache_versions_new(&api.versions), OK);
  api.reactions = reactions;
  api.server = (struct http_server *)(void *)&api; /* never looked into */
  loop.api = &api;
  assert_int_equal(open_files_new(10, &loop.open_files), OK);
  memset(&row, 0, sizeof(row));
  row.business_id = 1;
  row.bytes = 3;
  (void)snprintf(row.recording_sid, sizeof(row.recording_sid), "RE1");
  struct http_file *file = a_file(path);
  assert_int_equal(
      open_files_put(loop.open_files, &row, STR("RE1"), cache_mark(api.versions, CACHE_RECORDING, 1, STR("RE1")), file),
      OK);
  http_file_unref(file);

  for (int round = 0; round < 2; round++) {
    struct open_file *item = open_files_find(loop.open_files, 1, STR("RE1"));
    assert_non_null(item);
    file_check_schedule(&loop, item, 1, STR("RE1"), now + 5000 * (1 + round));
    assert_true(loop.checks_under_way);
    sem_wait(&posted);
    loop_apply_pending(&loop); /* as the loop's next request does */
    assert_false(loop.checks_under_way);
    assert_int_equal(unlink(path), round == 0 ? 0 : -1);
  }
  assert_null(open_files_find(loop.open_files, 1, STR("RE1")));

  assert_true(volume_stop(api.parts.volume, 5000));
  volume_free(api.parts.volume);
  blob_close(store);
  open_files_free(loop.open_files);
  cache_versions_free(api.versions);
  sem_destroy(&posted);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(checks_go_on_after_a_post_that_failed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
