#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "blob/blob.h"

#define STEM "7/2026/11/CA1.RE1"
#define OWNER "7.RE1"

static const struct blob_owner WHOSE = {OWNER, STEM};

struct scratch {
  char path[64];
  struct blob_store *store;
};

static void scratch_open(struct scratch *s) {
  assert_int_equal(str_copy(s->path, sizeof(s->path), STR("/tmp/callreel-blob-XXXXXX")), OK);
  assert_non_null(mkdtemp(s->path));
  assert_int_equal(blob_open_disk(s->path, &s->store), OK);
}

static void remove_tree(const char *path) {
  pid_t child = fork();
  if (child == 0) execl("/bin/rm", "rm", "-rf", path, (char *)NULL);
  waitpid(child, NULL, 0);
}

static void scratch_close(struct scratch *s) {
  assert_null(blob_close(s->store));
  remove_tree(s->path);
}

static struct blob_part *begin(struct scratch *s, const char *owner, int64_t token, const char *text) {
  struct blob_part *part = NULL;
  assert_int_equal(blob_begin(s->store, owner, token, &part), OK);
  assert_int_equal(blob_append(part, str_from(text)), OK);
  return part;
}

static void publish(struct scratch *s, const char *owner, const char *name, const char *text) {
  struct blob_part *part = begin(s, owner, 1, text);
  assert_int_equal(blob_sync(part), OK);
  assert_int_equal(blob_publish(part, name), OK);
  blob_abandon(part);
}

static void assert_content(int fd, const char *text) {
  char bytes[256];
  ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
  assert_int_equal(n, strlen(text));
  assert_memory_equal(bytes, text, (size_t)n);
}

static void assert_blob(struct scratch *s, const char *name, const char *text) {
  int fd = -1;
  int64_t size = -1;
  assert_int_equal(blob_open(s->store, name, &fd, &size), OK);
  assert_int_equal(size, strlen(text));
  assert_content(fd, text);
  close(fd);
}

static bool exists(struct scratch *s, const char *name) {
  return faccessat(blob_directory_fd(s->store), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stat stat_of(struct scratch *s, const char *name) {
  struct stat status;
  assert_int_equal(fstatat(blob_directory_fd(s->store), name, &status, AT_SYMLINK_NOFOLLOW), 0);
  return status;
}

static void touch(struct scratch *s, const char *name) {
  int fd;
  assert_int_equal(fs_make_parents(blob_directory_fd(s->store), name), OK);
  assert_int_equal(fs_create(blob_directory_fd(s->store), name, 0640, &fd), OK);
  close(fd);
}

static void a_published_blob_can_be_opened(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  assert_string_equal(blob_directory(s.store), s.path);
  mode_t before = umask(0);
  struct blob_part *part = begin(&s, OWNER, 42, "hello ");
  assert_int_equal(blob_part_size(part), 6);
  assert_true(exists(&s, ".parts/" OWNER ".42"));
  assert_int_equal(blob_append(part, STR("world")), OK);
  assert_int_equal(blob_append(part, STR_NONE), OK);
  assert_int_equal(blob_part_size(part), 11);
  assert_content(blob_part_fd(part), "hello world");
  assert_int_equal(blob_sync(part), OK);
  assert_int_equal(blob_publish(part, STEM ".mp3"), OK);
  umask(before);
  assert_blob(&s, STEM ".mp3", "hello world");
  assert_false(exists(&s, ".parts/" OWNER ".42"));
  assert_int_equal(stat_of(&s, STEM ".mp3").st_mode & 07777, 0640);
  assert_int_equal(stat_of(&s, STEM ".mp3").st_nlink, 1);
  assert_int_equal(stat_of(&s, "7/2026/11").st_mode & 07777, 0750);
  assert_content(blob_part_fd(part), "hello world"); /* a listener can still read */
  assert_int_equal(blob_append(part, STR("!")), ERR_INVALID);
  assert_int_equal(blob_part_cut(part, 1), ERR_INVALID);
  assert_int_equal(blob_publish(part, STEM ".wav"), ERR_INVALID);
  assert_null(blob_abandon(part));
  assert_blob(&s, STEM ".mp3", "hello world");
  scratch_close(&s);
}

static void publishing_syncs_what_was_not_synced(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  struct blob_part *part = begin(&s, OWNER, 1, "hello");
  assert_int_equal(blob_publish(part, STEM ".mp3"), OK);
  blob_abandon(part);
  assert_blob(&s, STEM ".mp3", "hello");
  scratch_close(&s);
}

static void a_token_has_only_one_part(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  struct blob_part *part = begin(&s, OWNER, 1, "hello"), *other = NULL;
  assert_int_equal(blob_begin(s.store, OWNER, 1, &other), ERR_EXISTS);
  assert_null(other);
  other = begin(&s, OWNER, 2, "other");
  assert_content(blob_part_fd(part), "hello");
  blob_abandon(part);
  assert_false(exists(&s, ".parts/" OWNER ".1"));
  assert_true(exists(&s, ".parts/" OWNER ".2"));
  blob_abandon(other);
  assert_null(blob_abandon(NULL));
  scratch_close(&s);
}

static void publishing_never_replaces(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  publish(&s, OWNER, STEM ".mp3", "first");
  struct blob_part *part = begin(&s, OWNER, 2, "second");
  assert_int_equal(blob_publish(part, STEM ".mp3"), ERR_EXISTS);
  assert_blob(&s, STEM ".mp3", "first");
  assert_int_equal(blob_append(part, STR("!")), OK); /* the part can still grow */
  assert_int_equal(blob_publish(part, STEM ".wav"), OK);
  blob_abandon(part);
  assert_blob(&s, STEM ".wav", "second!");
  scratch_close(&s);
}

static void a_swept_part_cannot_be_published(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  struct blob_part *old = begin(&s, OWNER, 5, "frozen");
  assert_int_equal(blob_sweep_below(s.store, &WHOSE, 6), OK);
  struct blob_part *new = begin(&s, OWNER, 6, "fresh");
  assert_int_equal(blob_append(old, STR(" wakes")), OK);
  assert_int_equal(blob_publish(old, STEM ".mp3"), ERR_NOT_FOUND);
  assert_false(exists(&s, STEM ".mp3"));
  assert_int_equal(blob_publish(new, STEM ".mp3"), OK);
  assert_int_equal(blob_publish(old, STEM ".mp3"), ERR_NOT_FOUND);
  blob_abandon(old);
  blob_abandon(new);
  assert_blob(&s, STEM ".mp3", "fresh");
  scratch_close(&s);
}

/* Of the BLOB_TOKENS_BACK tokens below, in both places: .parts, and beside the blob, where an earlier release put them. */
static void only_older_parts_of_the_owner_are_swept(void **state) {
  (void)state;
  const struct {
    const char *name;
    bool swept;
  } cases[] = {
      {".parts/7.RE1.3", true},    {".parts/7.RE1.6", true},
      {".parts/7.RE1.2", false},   {".parts/7.RE1.7", false},
      {".parts/7.RE1.8", false},   {".parts/7.RE11.6", false},
      {".parts/17.RE1.6", false},  {".parts/7.RE1.6.part", false},
      {".parts/7.RE1", false},     {STEM ".3.part", true},
      {STEM ".6.part", true},      {STEM ".7.part", false},
      {STEM ".12345.part", false}, {STEM ".x.part", false},
      {STEM ".part", false},       {STEM ".mp3", false},
      {STEM "2.5.part", false},    {"7/2026/11/XCA1.RE1.5.part", false},
      {STEM ".mp3.5.part", false}, {"7/2026/12/CA1.RE1.5.part", false},
  };
  struct scratch s;
  scratch_open(&s);
  assert_int_equal(blob_sweep_below(s.store, &WHOSE, 7), OK); /* both directories are missing */
  for (size_t i = 0; i < COUNT_OF(cases); i++) touch(&s, cases[i].name);
  assert_int_equal(mkdirat(blob_directory_fd(s.store), ".parts/7.RE1.5", 0750), 0);
  assert_int_equal(blob_sweep_below(s.store, &WHOSE, 7), OK);
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    if (exists(&s, cases[i].name) == cases[i].swept) fail_msg("%s", cases[i].name);
  }
  assert_true(exists(&s, ".parts/7.RE1.5"));
  touch(&s, "RE9.0.part");
  assert_int_equal(blob_sweep_below(s.store, &(struct blob_owner){"7.RE9", "RE9"}, 1), OK);
  assert_false(exists(&s, "RE9.0.part"));
  scratch_close(&s);
}

static void another_holders_part_is_opened_by_its_token(void **state) {
  (void)state;
  struct scratch s;
  int fd = -1;
  int64_t size = -1;
  scratch_open(&s);
  assert_int_equal(blob_open_part(s.store, &WHOSE, 3, &fd), ERR_NOT_FOUND);
  assert_int_equal(blob_open_part_below(s.store, &WHOSE, 9, &fd, &size), ERR_NOT_FOUND);
  struct blob_part *older = begin(&s, OWNER, 5, "older"), *newer = begin(&s, OWNER, 7, "newer!");
  touch(&s, STEM ".6.part");
  assert_int_equal(blob_open_part(s.store, &WHOSE, 5, &fd), OK);
  assert_content(fd, "older");
  close(fd);
  assert_int_equal(blob_open_part(s.store, &WHOSE, 6, &fd), OK); /* of an earlier release */
  assert_content(fd, "");
  close(fd);
  assert_int_equal(blob_open_part_below(s.store, &WHOSE, 9, &fd, &size), OK);
  assert_content(fd, "newer!");
  assert_int_equal(size, 6);
  close(fd);
  assert_int_equal(blob_open_part_below(s.store, &WHOSE, 7, &fd, &size), OK);
  assert_int_equal(size, 0);
  close(fd);
  assert_int_equal(blob_open_part_below(s.store, &WHOSE, 7 + BLOB_TOKENS_BACK + 1, &fd, &size), ERR_NOT_FOUND);
  blob_abandon(older);
  blob_abandon(newer);
  scratch_close(&s);
}

static enum err note_part(void *arg, const char *owner, int64_t token, int64_t size) {
  struct buf *b = arg;
  return buf_addf(b, "%s %lld %lld\n", owner, (long long)token, (long long)size);
}

static void every_part_is_found_without_reading_the_blobs(void **state) {
  (void)state;
  struct scratch s;
  struct buf b CLEANUP(buf_done) = BUF_INIT(1000);
  scratch_open(&s);
  assert_int_equal(blob_each_part(s.store, note_part, &b), OK);
  assert_int_equal(b.n, 0);
  publish(&s, OWNER, STEM ".mp3", "hello");
  touch(&s, STEM ".6.part");
  struct blob_part *part = begin(&s, OWNER, 42, "par");
  touch(&s, ".parts/note");
  assert_int_equal(symlinkat("/etc/passwd", blob_directory_fd(s.store), ".parts/7.RE2.1"), 0);
  assert_int_equal(blob_each_part(s.store, note_part, &b), OK);
  assert_int_equal(buf_add_char(&b, '\0'), OK);
  assert_string_equal(b.p, "7.RE1 42 3\n");
  assert_int_equal(blob_remove_part(s.store, OWNER, 42), OK);
  assert_int_equal(blob_remove_part(s.store, OWNER, 42), ERR_NOT_FOUND);
  assert_int_equal(blob_publish(part, STEM ".wav"), ERR_NOT_FOUND);
  blob_abandon(part);
  scratch_close(&s);
}

static void a_crash_between_link_and_unlink_is_harmless(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  /* The process died after the link and before it removed the part's name. */
  struct blob_part *dead = begin(&s, OWNER, 1, "whole");
  assert_int_equal(fs_make_parents(blob_directory_fd(s.store), STEM ".mp3"), OK);
  assert_int_equal(fs_link(blob_directory_fd(s.store), ".parts/" OWNER ".1", STEM ".mp3"), OK);
  assert_int_equal(blob_sweep_below(s.store, &WHOSE, 2), OK);
  assert_blob(&s, STEM ".mp3", "whole");
  assert_int_equal(stat_of(&s, STEM ".mp3").st_nlink, 1);
  struct blob_part *part = begin(&s, OWNER, 2, "again");
  assert_int_equal(blob_publish(part, STEM ".mp3"), ERR_EXISTS);
  blob_abandon(part);
  blob_abandon(dead);
  assert_blob(&s, STEM ".mp3", "whole");
  scratch_close(&s);
}

static void a_part_can_be_cut_back(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  struct blob_part *part = begin(&s, OWNER, 1, "hello world");
  assert_int_equal(blob_part_cut(part, 12), ERR_INVALID);
  assert_int_equal(blob_part_cut(part, -1), ERR_INVALID);
  assert_int_equal(blob_part_cut(part, 11), OK);
  assert_int_equal(blob_part_cut(part, 5), OK);
  assert_int_equal(blob_part_size(part), 5);
  assert_int_equal(blob_append(part, STR("!")), OK);
  assert_content(blob_part_fd(part), "hello!");
  assert_int_equal(blob_part_cut(part, 0), OK);
  assert_int_equal(blob_append(part, STR("x")), OK);
  assert_int_equal(blob_publish(part, STEM ".mp3"), OK);
  blob_abandon(part);
  assert_blob(&s, STEM ".mp3", "x");
  scratch_close(&s);
}

static char filler[64 * 1024];

static void fail_to_append(struct scratch *s) {
  struct blob_part *part = begin(s, OWNER, 1, "kept");
  enum err e = OK;
  int64_t before = 4;
  for (int i = 0; i < 1000 && e == OK; i++) {
    before = blob_part_size(part);
    e = blob_append(part, str_of(filler, sizeof(filler)));
  }
  assert_int_equal(e, ERR_FULL);
  assert_int_equal(blob_part_size(part), before);
  assert_int_equal(stat_of(s, ".parts/" OWNER ".1").st_size, before); /* the excess is gone */
  assert_int_equal(blob_part_cut(part, 4), OK);
  assert_content(blob_part_fd(part), "kept");
  assert_int_equal(blob_append(part, STR("!")), OK);
  assert_int_equal(blob_publish(part, STEM ".mp3"), OK);
  blob_abandon(part);
  assert_blob(s, STEM ".mp3", "kept!");
}

static void a_write_past_the_file_limit_leaves_the_part_as_it_was(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  struct rlimit before, small;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = before;
  small.rlim_cur = 200 * 1000;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  fail_to_append(&s);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  scratch_close(&s);
}

/* Makes a volume for the test, in a mount namespace of its own. If that is not allowed, prints why and returns false. */
static bool mount_small(struct scratch *s) {
  assert_int_equal(str_copy(s->path, sizeof(s->path), STR("/tmp/callreel-blob-XXXXXX")), OK);
  assert_non_null(mkdtemp(s->path));
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("tmpfs", s->path, "tmpfs", 0, "size=512k") != 0) {
    print_message("# skipped: no tmpfs can be mounted here: %s\n", strerror(errno));
    rmdir(s->path);
    return false;
  }
  assert_int_equal(blob_open_disk(s->path, &s->store), OK);
  return true;
}

static void unmount_small(struct scratch *s) {
  blob_close(s->store);
  umount2(s->path, MNT_DETACH);
  rmdir(s->path);
}

static void a_full_volume_leaves_the_part_as_it_was(void **state) {
  (void)state;
  struct scratch s;
  if (!mount_small(&s)) skip();
  fail_to_append(&s);
  uint64_t room, total;
  assert_int_equal(blob_free_bytes(s.store, &room, &total), OK);
  assert_int_equal(total, 512 * 1024);
  assert_true(room > 0 && room < total);
  unmount_small(&s);
}

static void a_read_only_volume_refuses_and_still_reads(void **state) {
  (void)state;
  struct scratch s;
  if (!mount_small(&s)) skip();
  publish(&s, OWNER, STEM ".mp3", "hello");
  struct blob_part *part = NULL;
  assert_int_equal(mount(NULL, s.path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
  assert_true(blob_begin(s.store, OWNER, 2, &part) != OK);
  assert_null(part);
  assert_true(blob_begin(s.store, "8.RE2", 2, &part) != OK);
  assert_true(blob_delete(s.store, STEM ".mp3") != OK);
  assert_blob(&s, STEM ".mp3", "hello");
  unmount_small(&s);
}

static void a_store_that_cannot_be_made_is_an_error(void **state) {
  (void)state;
  struct blob_store *store = NULL;
  assert_true(blob_open_disk("/proc/self/nothing/here", &store) != OK);
  assert_true(blob_open_disk("/dev/null", &store) != OK);
  assert_null(store);
  assert_null(blob_close(NULL));
}

static enum err refuse(void *arg, const char *name, int64_t size, bool is_part) {
  (void)name, (void)size, (void)is_part;
  ++*(int *)arg;
  return ERR_CLOSED;
}

static void no_name_leads_out_of_the_store(void **state) {
  (void)state;
  static char long_name[BLOB_NAME_SIZE + 1];
  memset(long_name, 'a', BLOB_NAME_SIZE);
  const char *names[] = {"",     "/",   "/etc/passwd", "..",    ".",        "a/../b",    "../a",   "a/..",
                         "a//b", "a/",  "./a",         "a/./b", ".hidden",  "a/.hidden", "a b",    "a\nb",
                         "a\\b", "a:b", "a%2fb",       "a*",    "\xc3\xa9", "~a",        long_name};
  struct scratch s;
  scratch_open(&s);
  struct blob_part *part = NULL, *good = begin(&s, OWNER, 1, "x");
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    int fd;
    int64_t size;
    char found[BLOB_NAME_SIZE];
    assert_int_equal(blob_begin(s.store, names[i], 1, &part), ERR_INVALID);
    assert_int_equal(blob_remove_part(s.store, names[i], 1), ERR_INVALID);
    assert_int_equal(blob_open_part(s.store, &(struct blob_owner){names[i], STEM}, 1, &fd), ERR_INVALID);
    assert_int_equal(blob_each_below(s.store, names[i], refuse, NULL), ERR_INVALID);
    assert_int_equal(blob_publish(good, names[i]), ERR_INVALID);
    assert_int_equal(blob_open(s.store, names[i], &fd, &size), ERR_INVALID);
    assert_int_equal(blob_delete(s.store, names[i]), ERR_INVALID);
    assert_int_equal(blob_find(s.store, names[i], found), ERR_INVALID);
    assert_int_equal(blob_sweep_below(s.store, &(struct blob_owner){OWNER, names[i]}, 1), ERR_INVALID);
  }
  assert_int_equal(blob_begin(s.store, OWNER, -1, &part), ERR_INVALID);
  assert_int_equal(blob_begin(s.store, "7/RE1", 1, &part), ERR_INVALID);
  assert_int_equal(blob_publish(good, "RE1.7.part"), ERR_INVALID); /* an earlier release's part's */
  blob_abandon(good);
  long_name[BLOB_NAME_SIZE - 1] = '\0';
  good = begin(&s, long_name, INT64_MAX, "x");
  blob_abandon(good);
  scratch_close(&s);
}

static void links_are_not_followed(void **state) {
  (void)state;
  struct scratch s;
  scratch_open(&s);
  touch(&s, "7/x.mp3");
  assert_int_equal(symlinkat("/etc/passwd", blob_directory_fd(s.store), "7/y.mp3"), 0);
  assert_int_equal(symlinkat("/etc", blob_directory_fd(s.store), "8"), 0);
  int fd;
  int64_t size;
  struct blob_part *part, *good = begin(&s, OWNER, 1, "x");
  assert_true(blob_open(s.store, "7/y.mp3", &fd, &size) != OK);
  assert_true(blob_open(s.store, "8/passwd", &fd, &size) != OK);
  assert_true(blob_publish(good, "8/RE1.mp3") != OK);
  assert_int_equal(symlinkat("/etc/passwd", blob_directory_fd(s.store), ".parts/7.RE1.2"), 0);
  assert_int_equal(blob_begin(s.store, OWNER, 2, &part), ERR_EXISTS);
  assert_true(blob_open_part(s.store, &WHOSE, 2, &fd) != OK);
  blob_abandon(good);
  scratch_close(&s);
}

static void a_link_in_place_of_the_parts_is_not_followed(void **state) {
  (void)state;
  struct scratch s;
  int fd;
  int64_t size;
  struct blob_part *part;
  scratch_open(&s);
  touch(&s, "elsewhere/7.RE1.1");
  assert_int_equal(symlinkat("elsewhere", blob_directory_fd(s.store), ".parts"), 0);
  assert_true(blob_begin(s.store, OWNER, 2, &part) != OK);
  assert_true(blob_open_part(s.store, &WHOSE, 1, &fd) != OK);
  assert_true(blob_open_part_below(s.store, &WHOSE, 2, &fd, &size) != OK);
  assert_true(blob_sweep_below(s.store, &WHOSE, 2) != OK);
  assert_true(blob_remove_part(s.store, OWNER, 1) != OK);
  assert_true(blob_each_part(s.store, note_part, NULL) != OK);
  assert_true(exists(&s, "elsewhere/7.RE1.1"));
  scratch_close(&s);
}

static void a_blob_is_found_by_its_stem(void **state) {
  (void)state;
  struct scratch s;
  char name[BLOB_NAME_SIZE] = "untouched";
  const char *extensions[] = {"mp3", "wav", "ogg", "flac", "m4a", "amr"};
  scratch_open(&s);
  assert_int_equal(blob_find(s.store, STEM, name), ERR_NOT_FOUND);
  touch(&s, ".parts/" OWNER ".1");
  touch(&s, STEM ".txt");
  touch(&s, STEM "2.mp3");
  assert_int_equal(blob_find(s.store, STEM, name), ERR_NOT_FOUND);
  assert_string_equal(name, "untouched");
  for (size_t i = 0; i < COUNT_OF(extensions); i++) {
    char expected[BLOB_NAME_SIZE];
    snprintf(expected, sizeof(expected), STEM ".%s", extensions[i]);
    touch(&s, expected);
    assert_int_equal(blob_find(s.store, STEM, name), OK);
    assert_string_equal(name, expected);
    assert_int_equal(blob_delete(s.store, expected), OK);
    assert_int_equal(blob_delete(s.store, expected), ERR_NOT_FOUND);
  }
  scratch_close(&s);
}

struct seen {
  int blobs, parts;
  int64_t bytes;
  bool whole_name;
};

static enum err see(void *arg, const char *name, int64_t size, bool is_part) {
  struct seen *seen = arg;
  if (is_part) {
    seen->parts++;
  } else {
    seen->blobs++;
  }
  seen->bytes += size;
  if (strcmp(name, STEM ".mp3") == 0) seen->whole_name = true;
  return OK;
}

static void every_file_is_walked(void **state) {
  (void)state;
  struct scratch s;
  struct seen seen = {0};
  int calls = 0;
  scratch_open(&s);
  assert_int_equal(blob_each(s.store, see, &seen), OK);
  assert_int_equal(seen.blobs + seen.parts, 0);
  publish(&s, OWNER, STEM ".mp3", "hello");
  publish(&s, "8.RE2", "8/2025/01/RE2.wav", "hi");
  struct blob_part *part = begin(&s, OWNER, 3, "par");
  touch(&s, STEM ".6.part");
  touch(&s, ".store-id");
  touch(&s, "7/.hidden.mp3");
  assert_int_equal(symlinkat("/etc/passwd", blob_directory_fd(s.store), "7/link.mp3"), 0);
  touch(&s, "1/2/3/4/5/6/7/8/9/too-deep.mp3");
  assert_int_equal(blob_each(s.store, see, &seen), OK);
  assert_int_equal(seen.blobs, 2);
  assert_int_equal(seen.parts, 1);
  assert_int_equal(seen.bytes, 7);
  assert_true(seen.whole_name);
  seen = (struct seen){0};
  assert_int_equal(blob_each_below(s.store, "7", see, &seen), OK);
  assert_int_equal(seen.blobs, 1);
  assert_int_equal(seen.parts, 1);
  assert_true(seen.whole_name);
  assert_int_equal(blob_each_below(s.store, "9", see, &seen), OK); /* the directory is missing */
  assert_int_equal(seen.blobs, 1);
  assert_int_equal(blob_each(s.store, refuse, &calls), ERR_CLOSED);
  assert_int_equal(calls, 1);
  blob_abandon(part);
  scratch_close(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_published_blob_can_be_opened),
      cmocka_unit_test(publishing_syncs_what_was_not_synced),
      cmocka_unit_test(a_token_has_only_one_part),
      cmocka_unit_test(publishing_never_replaces),
      cmocka_unit_test(a_swept_part_cannot_be_published),
      cmocka_unit_test(only_older_parts_of_the_owner_are_swept),
      cmocka_unit_test(another_holders_part_is_opened_by_its_token),
      cmocka_unit_test(every_part_is_found_without_reading_the_blobs),
      cmocka_unit_test(a_crash_between_link_and_unlink_is_harmless),
      cmocka_unit_test(a_part_can_be_cut_back),
      cmocka_unit_test(a_write_past_the_file_limit_leaves_the_part_as_it_was),
      cmocka_unit_test(a_full_volume_leaves_the_part_as_it_was),
      cmocka_unit_test(a_read_only_volume_refuses_and_still_reads),
      cmocka_unit_test(a_store_that_cannot_be_made_is_an_error),
      cmocka_unit_test(no_name_leads_out_of_the_store),
      cmocka_unit_test(links_are_not_followed),
      cmocka_unit_test(a_link_in_place_of_the_parts_is_not_followed),
      cmocka_unit_test(a_blob_is_found_by_its_stem),
      cmocka_unit_test(every_file_is_walked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
