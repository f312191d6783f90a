/* hanging_volume.c - a volume that does not answer, for stories: preloaded into a server, it holds each call that goes to
 * the volume for as long as a file exists.
 *
 *   LD_PRELOAD=libhanging_volume.so HANG_BELOW=/srv/recordings HANG_WHILE=/tmp/hangs callreel serve
 *
 * Held is what a network volume would hold: opening, asking about a file or the volume, reading what is not in the page cache,
 * writing, syncing, naming, removing. Not held is what the kernel answers from memory: a read that may not wait
 * (RWF_NOWAIT), and reading or sending pages that are in the page cache. Closing is not held either. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_AGAIN_NS = 5 * 1000 * 1000, PAGE_BYTES = 4096 };

#define REAL(fn) ((__typeof__(&(fn)))next_symbol(#fn))

static void *next_symbol(const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  if (!symbol) abort();
  return symbol;
}

static bool hangs(void) {
  const char *path = getenv("HANG_WHILE");
  return path && access(path, F_OK) == 0;
}

static void hold(void) {
  const struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
  while (hangs()) (void)nanosleep(&pause, NULL);
}

static bool is_below(const char *path) {
  const char *directory = getenv("HANG_BELOW");
  size_t n = directory ? strlen(directory) : 0;
  return n > 0 && strncmp(path, directory, n) == 0;
}

static bool is_on_volume(int fd) {
  char link[64], path[PATH_MAX];
  (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof(path) - 1);
  if (n < 0) return false;
  path[n] = '\0';
  return is_below(path);
}

static void hold_fd(int fd) {
  if (hangs() && is_on_volume(fd)) hold();
}

static void hold_path(int dir, const char *path) {
  if (!hangs()) return;
  if (path[0] == '/' ? is_below(path) : dir != AT_FDCWD && is_on_volume(dir)) hold();
}

/* All pages that the bytes lie in are in the page cache. A read that may not wait would have the disk bring the others. */
static bool is_in_memory(int fd, off_t offset, size_t count) {
  unsigned char pages[1024];
  struct stat st;
  if (REAL(fstat)(fd, &st) != 0 || offset >= st.st_size) return true;
  if ((off_t)count > st.st_size - offset) count = (size_t)(st.st_size - offset);
  off_t from = offset / PAGE_BYTES * PAGE_BYTES;
  size_t length = (size_t)(offset - from) + count, n = (length + PAGE_BYTES - 1) / PAGE_BYTES;
  if (n > sizeof(pages)) return false;
  void *bytes = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, from);
  if (bytes == MAP_FAILED) return false;
  bool all = mincore(bytes, length, pages) == 0;
  for (size_t i = 0; i < n; i++) all = all && (pages[i] & 1);
  (void)munmap(bytes, length);
  return all;
}

static void hold_reading(int fd, off_t offset, size_t count) {
  if (hangs() && is_on_volume(fd) && !is_in_memory(fd, offset, count)) hold();
}

int openat(int dir, const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & (O_CREAT | O_TMPFILE)) {
    va_list args;
    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
  }
  hold_path(dir, path);
  return REAL(openat)(dir, path, flags, mode);
}

int fstat(int fd, struct stat *ret_stat) {
  hold_fd(fd);
  return REAL(fstat)(fd, ret_stat);
}

int fstatvfs(int fd, struct statvfs *ret_stat) {
  hold_fd(fd);
  return REAL(fstatvfs)(fd, ret_stat);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
  hold_reading(fd, offset, count);
  return REAL(pread)(fd, bytes, count, offset);
}

ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
  size_t all = 0;
  for (int i = 0; i < count; i++) all += parts[i].iov_len;
  if ((flags & RWF_NOWAIT) && hangs() && is_on_volume(fd) && !is_in_memory(fd, offset, all)) {
    errno = EAGAIN;
    return -1;
  }
  return REAL(preadv2)(fd, parts, count, offset, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t count) {
  hold_reading(from, offset ? *offset : 0, count);
  return REAL(sendfile)(to, from, offset, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  hold_fd(fd);
  return REAL(pwrite)(fd, bytes, count, offset);
}

int ftruncate(int fd, off_t size) {
  hold_fd(fd);
  return REAL(ftruncate)(fd, size);
}

int fsync(int fd) {
  hold_fd(fd);
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  hold_fd(fd);
  return REAL(fdatasync)(fd);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  hold_path(from_dir, from);
  return REAL(linkat)(from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *path, int flags) {
  hold_path(dir, path);
  return REAL(unlinkat)(dir, path, flags);
}

int mkdirat(int dir, const char *path, mode_t mode) {
  hold_path(dir, path);
  return REAL(mkdirat)(dir, path, mode);
}
