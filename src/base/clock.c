/* clock.c - the two clocks, and how tests move them.
 *
 * Invariants
 *  (1) Without CALLREEL_TEST_HOOKS nothing from the environment reaches the clocks.
 *  (2) The mapped offset is read atomically at every call: processes that share the file see a change at once. */
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t read_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#ifdef CALLREEL_TEST_HOOKS

static _Atomic int64_t own_offset_ms;
static const _Atomic int64_t *shared_offset_ms; /* NULL: no file is named */
static pthread_once_t mapped_once = PTHREAD_ONCE_INIT;

/* The test asked to move the clock and can't. Its result would be random, so the process ends. */
static void map_failed(const char *path) {
  dprintf(STDERR_FILENO, "CALLREEL_TEST_CLOCK %s: %s\n", path, strerror(errno));
  abort();
}

static void map_shared_offset(void) {
  const char *path = getenv("CALLREEL_TEST_CLOCK");
  if (!path || !*path) return;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) map_failed(path);
  struct stat st;
  errno = EINVAL;
  if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(int64_t)) map_failed(path);
  void *bytes = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) map_failed(path);
  close(fd);
  shared_offset_ms = bytes;
}

static int64_t offset_ms(void) {
  pthread_once(&mapped_once, map_shared_offset);
  int64_t own_ms = atomic_load_explicit(&own_offset_ms, memory_order_relaxed);
  return own_ms + (shared_offset_ms ? atomic_load_explicit(shared_offset_ms, memory_order_relaxed) : 0);
}

int64_t clock_sleep_ms(int64_t timeout_ms) {
  enum { NOTICE_MS = 20 };
  pthread_once(&mapped_once, map_shared_offset);
  bool moves = shared_offset_ms || atomic_load_explicit(&own_offset_ms, memory_order_relaxed) != 0;
  return moves && (timeout_ms < 0 || timeout_ms > NOTICE_MS) ? NOTICE_MS : timeout_ms;
}

void clock_test_advance_ms(int64_t delta_ms) {
  atomic_fetch_add(&own_offset_ms, delta_ms);
}

#else

static int64_t offset_ms(void) {
  return 0;
}

int64_t clock_sleep_ms(int64_t timeout_ms) {
  return timeout_ms;
}

void clock_test_advance_ms(int64_t delta_ms) {
  (void)delta_ms; /* (1) */
}

#endif

int64_t clock_now_ms(void) {
  return read_us(CLOCK_REALTIME) / 1000 + offset_ms();
}

int64_t clock_mono_us(void) {
  return read_us(CLOCK_MONOTONIC) + offset_ms() * 1000;
}

int64_t clock_kernel_ms(void) {
  return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_ms(void) {
  return clock_mono_us() / 1000;
}
