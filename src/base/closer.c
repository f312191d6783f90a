/* closer.c - one thread that closes the descriptors it is given. It starts with the first one and lives as long as the
 * process.
 *
 * Invariants
 *  (1) The lock (rank BASE) covers the list; nothing is closed under it.
 *  (2) The list holds open descriptors only: it is never longer than the process's limit of descriptors. */
#include "base/closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/lock.h"

static struct {
  struct lock lock;
  struct lock_cond more;
  int *fds;
  size_t count, cap;
  bool runs;
} closer;

static pthread_once_t started = PTHREAD_ONCE_INIT;

static int closer_take_fd(void) {
  LOCKED(&closer.lock);
  while (closer.count == 0) lock_cond_wait(&closer.more, &closer.lock);
  return closer.fds[--closer.count];
}

static void *closer_main(void *arg) {
  (void)arg;
  for (;;) (void)close(closer_take_fd()); /* the file was only read, or is swept later: an error changes nothing */
  return NULL;
}

static void closer_start(void) {
  pthread_t thread;
  sigset_t all, before;
  lock_init(&closer.lock, "closer", LOCK_RANK_BASE);
  lock_cond_init(&closer.more);
  sigfillset(&all); /* signals are the main thread's */
  if (pthread_sigmask(SIG_BLOCK, &all, &before) != 0) return;
  closer.runs = pthread_create(&thread, NULL, closer_main, NULL) == 0;
  if (closer.runs) {
    (void)pthread_setname_np(thread, "closer"); /* for debuggers only */
    (void)pthread_detach(thread);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* can't fail: the mask is one it returned */
}

static bool closer_enqueue(int fd) {
  LOCKED(&closer.lock);
  if (closer.count == closer.cap) {
    size_t cap = closer.cap ? 2 * closer.cap : 64;
    int *fds = realloc(closer.fds, cap * sizeof(*fds));
    if (!fds) return false;
    closer.fds = fds;
    closer.cap = cap;
  }
  closer.fds[closer.count++] = fd;
  lock_cond_signal(&closer.more);
  return true;
}

void closer_close(int fd) {
  if (fd < 0) return;
  (void)pthread_once(&started, closer_start);
  if (!closer.runs || !closer_enqueue(fd)) (void)close(fd); /* no thread or no memory: block rather than leak */
}
