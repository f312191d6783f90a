#include "base_testing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

struct room {
  char path[64];
  int dir;
};

static int open_room(void **state) {
  struct room *room = calloc(1, sizeof(*room));
  if (!room) return -1;
  (void)snprintf(room->path, sizeof(room->path), "%s", "/tmp/callreel-fs-XXXXXX");
  if (!mkdtemp(room->path) || fs_open_root(room->path, false, &room->dir) != OK) return -1;
  *state = room;
  return 0;
}

static enum err remove_entry(void *arg, int dir, const char *name, bool is_dir) {
  (void)arg;
  if (is_dir && fs_each(dir, name, remove_entry, NULL) != OK) return ERR_IO;
  return unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) == 0 ? OK : ERR_IO;
}

static int close_room(void **state) {
  struct room *room = *state;
  int failed = fs_each(room->dir, ".", remove_entry, NULL) != OK || rmdir(room->path) != 0;
  fs_close_(&room->dir);
  free(room);
  return failed;
}

static void put(int dir, const char *path, struct str content) {
  int fd CLEANUP(fs_close_) = -1;
  assert_int_equal(fs_make_parents(dir, path), OK);
  assert_int_equal(fs_create(dir, path, 0640, &fd), OK);
  assert_int_equal(fs_write_all(fd, content), OK);
}

static void holds(int dir, const char *path, struct str content) {
  char *bytes CLEANUP(free_char) = NULL;
  size_t size = 0;
  assert_int_equal(fs_read_whole(dir, path, 1000, &bytes, &size), OK);
  assert_str(str_of(bytes, size), content);
  assert_int_equal(bytes[size], 0);
}

static mode_t mode_of(int dir, const char *path) {
  struct stat st;
  assert_int_equal(fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW), 0);
  return st.st_mode & 07777;
}

static void modes_are_as_asked_for_under_any_umask(void **state) {
  const struct room *room = *state;
  mode_t before = umask(077);
  put(room->dir, "1/2026/11/CA.RE.mp3", STR("audio"));
  umask(before);
  assert_int_equal(mode_of(room->dir, "1/2026/11/CA.RE.mp3"), 0640);
  assert_int_equal(mode_of(room->dir, "1/2026"), 0750);
  assert_int_equal(mode_of(room->dir, "1"), 0750);
  holds(room->dir, "1/2026/11/CA.RE.mp3", STR("audio"));
}

static void no_path_leads_out_of_its_directory(void **state) {
  const struct room *room = *state;
  put(room->dir, "inside/file", STR("x"));
  assert_int_equal(symlinkat("/etc", room->dir, "etc"), 0);
  assert_int_equal(symlinkat("inside/file", room->dir, "alias"), 0);
  char long_name[300];
  memset(long_name, 'n', sizeof(long_name));
  long_name[sizeof(long_name) - 1] = '\0';
  const struct {
    const char *path;
    enum err e;
  } rows[] = {
      {"../etc/passwd", ERR_INVALID},
      {"inside/../inside/file", ERR_INVALID},
      {"/etc/passwd", ERR_INVALID},
      {"", ERR_INVALID},
      {".", ERR_INVALID},
      {"..", ERR_INVALID},
      {"inside//file", ERR_INVALID},
      {"inside/", ERR_INVALID},
      {"./inside/file", ERR_INVALID},
      {"etc/passwd", ERR_INVALID},
      {"alias", ERR_INVALID},
      {"inside", ERR_INVALID},
      {"nobody", ERR_NOT_FOUND},
      {long_name, ERR_TOO_BIG},
      {"inside/file", OK},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int fd CLEANUP(fs_close_) = -1;
    enum err e = fs_open_read(room->dir, rows[i].path, &fd);
    if (e != rows[i].e) fail_msg("\"%s\": %s", rows[i].path, err_text(e));
    assert_true((fd >= 0) == (e == OK));
  }
  int fd = -1;
  assert_int_equal(fs_create(room->dir, "etc/callreel-was-here", 0640, &fd), ERR_INVALID);
  assert_int_equal(fs_make_parents(room->dir, "etc/callreel/x"), ERR_INVALID);
  assert_int_equal(fs_open_dir(room->dir, "etc", &fd), ERR_INVALID);
  assert_int_equal(fs_unlink(room->dir, "inside/../alias"), ERR_INVALID);
  assert_int_equal(fs_unlink_in(room->dir, "inside/file"), ERR_INVALID);
  assert_int_equal(fs_unlink_in(room->dir, ".."), ERR_INVALID);
}

static void only_regular_files_are_read(void **state) {
  const struct room *room = *state;
  int fd = -1;
  assert_int_equal(mkfifoat(room->dir, "fifo", 0600), 0);
  assert_int_equal(fs_open_read(room->dir, "fifo", &fd), ERR_INVALID);
  assert_int_equal(fd, -1);
}

static void a_name_is_never_given_twice(void **state) {
  const struct room *room = *state;
  int fd = -1;
  put(room->dir, "a.part", STR("new"));
  put(room->dir, "taken", STR("old"));
  assert_int_equal(fs_create(room->dir, "taken", 0640, &fd), ERR_EXISTS);
  assert_int_equal(fs_link(room->dir, "a.part", "taken"), ERR_EXISTS);
  assert_int_equal(fs_link(room->dir, "a.part", "free"), OK);
  assert_int_equal(fs_link(room->dir, "no.part", "other"), ERR_NOT_FOUND);
  assert_int_equal(fs_unlink(room->dir, "a.part"), OK);
  assert_int_equal(fs_unlink(room->dir, "a.part"), ERR_NOT_FOUND);
  assert_int_equal(fs_unlink_in(room->dir, "a.part"), ERR_NOT_FOUND);
  holds(room->dir, "taken", STR("old"));
  holds(room->dir, "free", STR("new"));
  assert_int_equal(fs_sync_parent(room->dir, "free"), OK);
}

static void writes_go_to_the_end(void **state) {
  const struct room *room = *state;
  int fd CLEANUP(fs_close_) = -1;
  char first;
  assert_int_equal(fs_create(room->dir, "f", 0640, &fd), OK);
  assert_int_equal(fs_write_all(fd, STR("one ")), OK);
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  assert_int_equal(read(fd, &first, 1), 1);
  assert_int_equal(fs_write_all(fd, STR("two")), OK);
  assert_int_equal(fs_write_all(fd, STR_NONE), OK);
  assert_int_equal(fs_sync_file(fd), OK);
  holds(room->dir, "f", STR("one two"));
}

static void a_full_volume_is_ERR_FULL(void **state) {
  (void)state;
  int fd CLEANUP(fs_close_) = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    print_message("# skipped: there is no /dev/full\n");
    skip();
  }
  assert_int_equal(fs_write_all(fd, STR("x")), ERR_FULL);
}

static void a_whole_file_is_read_up_to_its_ceiling(void **state) {
  const struct room *room = *state;
  char *bytes = NULL;
  size_t size = 0;
  put(room->dir, "f", STR("12345"));
  assert_int_equal(fs_read_whole(room->dir, "f", 4, &bytes, &size), ERR_TOO_BIG);
  assert_null(bytes);
  assert_int_equal(fs_read_whole(room->dir, "f", 5, &bytes, &size), OK);
  assert_int_equal(size, 5);
  free(bytes);
  put(room->dir, "empty", STR_NONE);
  holds(room->dir, "empty", STR_NONE);
}

static enum err count_entry(void *arg, int dir, const char *name, bool is_dir) {
  (void)dir, (void)name, (void)is_dir;
  return ++*(int *)arg == 3 ? ERR_BUSY : OK;
}

static void a_durable_write_replaces_and_leaves_nothing_beside(void **state) {
  const struct room *room = *state;
  int entries = 0;
  assert_int_equal(fs_write_durable(room->dir, "key", 0600, STR("old")), OK);
  assert_int_equal(fs_write_durable(room->dir, "key", 0600, STR("new")), OK);
  holds(room->dir, "key", STR("new"));
  assert_int_equal(mode_of(room->dir, "key"), 0600);
  assert_int_equal(mkdirat(room->dir, "dir", 0750), 0);
  assert_int_not_equal(fs_write_durable(room->dir, "dir", 0600, STR("x")), OK);
  assert_int_equal(fs_each(room->dir, ".", count_entry, &entries), OK);
  assert_int_equal(entries, 2);
}

static void a_walk_stops_at_the_first_error(void **state) {
  const struct room *room = *state;
  int entries = 0;
  for (char name[] = "a"; name[0] <= 'e'; name[0]++) put(room->dir, name, STR_NONE);
  assert_int_equal(fs_each(room->dir, ".", count_entry, &entries), ERR_BUSY);
  assert_int_equal(entries, 3);
  assert_int_equal(fs_each(room->dir, "a", count_entry, &entries), ERR_INVALID);
}

static void a_root_is_made_with_its_parents(void **state) {
  const struct room *room = *state;
  char path[128];
  int fd CLEANUP(fs_close_) = -1;
  (void)snprintf(path, sizeof(path), "%s/a/b//c/", room->path);
  assert_int_equal(fs_open_root(path, false, &fd), ERR_NOT_FOUND);
  assert_int_equal(fs_open_root(path, true, &fd), OK);
  fs_close_(&fd);
  assert_int_equal(fs_open_root(path, true, &fd), OK);
  put(room->dir, "file", STR_NONE);
  (void)snprintf(path, sizeof(path), "%s/file/x", room->path);
  int none = -1;
  assert_int_not_equal(fs_open_root(path, true, &none), OK);
  assert_int_equal(fs_open_root("", true, &none), ERR_INVALID);
  assert_int_equal(none, -1);
}

static void free_space_is_in_bytes(void **state) {
  const struct room *room = *state;
  uint64_t free_bytes, total_bytes;
  assert_int_equal(fs_space(room->dir, &free_bytes, &total_bytes), OK);
  assert_true(total_bytes >= free_bytes && total_bytes > 1024 * 1024);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, open_room, close_room)

static const struct CMUnitTest tests[] = {
    IN_ROOM(modes_are_as_asked_for_under_any_umask),
    IN_ROOM(no_path_leads_out_of_its_directory),
    IN_ROOM(only_regular_files_are_read),
    IN_ROOM(a_name_is_never_given_twice),
    IN_ROOM(writes_go_to_the_end),
    cmocka_unit_test(a_full_volume_is_ERR_FULL),
    IN_ROOM(a_whole_file_is_read_up_to_its_ceiling),
    IN_ROOM(a_durable_write_replaces_and_leaves_nothing_beside),
    IN_ROOM(a_walk_stops_at_the_first_error),
    IN_ROOM(a_root_is_made_with_its_parents),
    IN_ROOM(free_space_is_in_bytes),
};
RUN_TESTS(tests)
