/* no_sync.c - preloaded into tests, it lets a sync return at once. What a process wrote is seen by others without it, and a
 * test that kills a process loses nothing; only a machine that stops would. Tests that count syncs or let them fail wrap
 * the functions that call these. */
#include <sys/types.h>
#include <unistd.h>

int fsync(int fd) {
  (void)fd;
  return 0;
}

int fdatasync(int fd) {
  (void)fd;
  return 0;
}
