#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blob/blob.h"

static int syncs;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
  syncs++;
  return __real_fsync(fd);
}

static enum err count_file(void *arg, const char *name, int64_t size, bool is_part) {
  (void)name, (void)size, (void)is_part;
  ++*(int *)arg;
  return OK;
}

static void files_of_a_directory_are_deleted_with_one_sync(void **state) {
  static const char *const directories[] = {"7", "7/2026", "7/2026/11", "7/2026/12", "8"};
  enum { FILES = 100 };
  struct blob_store *store;
  char root[] = "/tmp/callreel-delete-XXXXXX", path[96];
  int left = 0;
  (void)state;
  assert_non_null(mkdtemp(root));
  for (size_t i = 0; i < COUNT_OF(directories); i++) {
    (void)snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int k = 0; i >= 2 && k < FILES; k++) {
      (void)snprintf(path, sizeof(path), "%s/%s/RE%d.mp3", root, directories[i], k);
      int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      assert_true(fd >= 0);
      (void)close(fd);
    }
  }
  assert_int_equal(blob_open_disk(root, &store), OK);
  syncs = 0;
  assert_int_equal(blob_delete_below(store, "7"), OK);
  assert_int_equal(syncs, 2); /* 7/2026/11 and 7/2026/12 */
  assert_int_equal(blob_each(store, count_file, &left), OK);
  assert_int_equal(left, FILES);
  assert_int_equal(blob_delete_below(store, "9"), OK);
  assert_int_equal(blob_delete_below(store, "../7"), ERR_INVALID);
  assert_int_equal(blob_delete_below(store, "8"), OK);
  assert_int_equal(syncs, 3);
  blob_close(store);
  for (size_t i = COUNT_OF(directories); i-- > 0;) {
    (void)snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
    assert_int_equal(rmdir(path), 0);
  }
  (void)snprintf(path, sizeof(path), "%s/.parts", root);
  (void)rmdir(path);
  (void)rmdir(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files_of_a_directory_are_deleted_with_one_sync)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
