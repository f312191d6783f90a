/* metric_process.c - gauges of this process, as the kernel reports them. A value that can't be read is left out. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/metric.h"

/* The second figure of /proc/self/statm: pages in memory. */
static void read_memory(void) {
  char text[128];
  int fd CLEANUP(fs_close_) = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text));
  struct str all, rest, resident;
  uint64_t pages;
  if (n <= 0 || !str_cut(str_of(text, (size_t)n), ' ', &all, &rest)) return;
  (void)str_cut(rest, ' ', &resident, &rest);
  if (str_to_u64(resident, INT64_MAX, &pages) != OK) return;
  metric_set(METRIC_PROCESS_RESIDENT_BYTES, 0, (double)pages * (double)sysconf(_SC_PAGESIZE));
}

static void read_process(void *arg) {
  (void)arg;
  struct timespec used;
  struct rlimit limit;
  struct stat st;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
    metric_set(METRIC_PROCESS_CPU_SECONDS, 0, (double)used.tv_sec + (double)(used.tv_nsec / 1000000) / 1e3);
  read_memory();
  /* Since Linux 6.2 the directory's size is the count; reading 16,000 names would cost too much in a loop. */
  if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) metric_set(METRIC_PROCESS_OPEN_FDS, 0, (double)st.st_size);
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    metric_set(METRIC_PROCESS_MAX_FDS, 0, (double)limit.rlim_cur);
}

enum err metric_process_watch(void) {
  metric_set(METRIC_PROCESS_START_TIME, 0, (double)clock_now_ms() / 1e3);
  metric_off_scrape(read_process, NULL);
  return metric_on_scrape(read_process, NULL);
}
