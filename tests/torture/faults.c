/* faults.c - see faults.h. Every wrapped call asks fault_strikes() first; if that is true, it fails as the system would. */
#include "faults.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static _Atomic int armed = FAULT_COUNT_; /* enum fault; FAULT_COUNT_: none */
static _Atomic int seen, target_n;
static _Atomic bool hit;
static _Thread_local enum { UNKNOWN, COUNTED, EXEMPT } thread_state;

static bool counts_here(void) {
  if (thread_state == UNKNOWN) {
    char name[16] = "";
    (void)pthread_getname_np(pthread_self(), name, sizeof(name));
    thread_state = strcmp(name, "http loop") == 0 ? EXEMPT : COUNTED;
  }
  return thread_state == COUNTED;
}

static bool fault_strikes(enum fault kind) {
  if (atomic_load(&armed) != (int)kind || !counts_here()) return false;
  if (atomic_fetch_add(&seen, 1) + 1 != atomic_load(&target_n)) return false;
  atomic_store(&hit, true);
  return true;
}

void faults_arm(enum fault kind, int n) {
  atomic_store(&seen, 0);
  atomic_store(&hit, false);
  atomic_store(&target_n, n);
  atomic_store(&armed, (int)kind);
}

struct fault_count faults_disarm(void) {
  atomic_store(&armed, FAULT_COUNT_);
  return (struct fault_count){atomic_load(&seen), atomic_load(&hit)};
}

bool faults_here(bool counts) {
  bool before = thread_state == COUNTED;
  thread_state = counts ? COUNTED : EXEMPT;
  return before;
}

/* ---- calls that the linker sends here; WRAP(result type, what it gives on failure, errno, kind, name, (parameters),
 * (arguments)) */

#define WRAP(type, failed, error, kind, name, parameters, arguments) \
  type __real_##name parameters;                                     \
  type __wrap_##name parameters;                                     \
  type __wrap_##name parameters {                                    \
    if (!fault_strikes(kind)) return __real_##name arguments;        \
    errno = error;                                                   \
    return failed;                                                   \
  }

WRAP(void *, NULL, ENOMEM, FAULT_MEMORY, malloc, (size_t n), (n))
WRAP(void *, NULL, ENOMEM, FAULT_MEMORY, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, ENOMEM, FAULT_MEMORY, realloc, (void *p, size_t n), (p, n))
WRAP(void *, NULL, ENOMEM, FAULT_MEMORY, aligned_alloc, (size_t to, size_t n), (to, n))
WRAP(char *, NULL, ENOMEM, FAULT_MEMORY, strdup, (const char *s), (s))
WRAP(ssize_t, -1, ENOSPC, FAULT_WRITE, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(ssize_t, -1, EIO, FAULT_WRITE, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(int, -1, EIO, FAULT_WRITE, ftruncate64, (int fd, off_t n), (fd, n))
WRAP(int, -1, EMFILE, FAULT_NAME, linkat, (int a, const char *b, int c, const char *d, int e), (a, b, c, d, e))
WRAP(int, -1, EIO, FAULT_NAME, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, -1, EIO, FAULT_NAME, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP(int, -1, ENOSPC, FAULT_NAME, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(ssize_t, -1, EIO, FAULT_READ, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(int, -1, EIO, FAULT_READ, fstat64, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, EIO, FAULT_READ, fstatat64, (int fd, const char *name, struct stat *st, int flags), (fd, name, st, flags))
WRAP(int, SQLITE_IOERR, EIO, FAULT_QUERY, sqlite3_step, (sqlite3_stmt * s), (s))
WRAP(int, SQLITE_NOMEM, EIO, FAULT_QUERY, sqlite3_prepare_v3,
     (sqlite3 * db, const char *sql, int n, unsigned flags, sqlite3_stmt **ret, const char **tail),
     (db, sql, n, flags, ret, tail))
WRAP(int, SQLITE_FULL, ENOSPC, FAULT_QUERY, sqlite3_exec,
     (sqlite3 * db, const char *sql, int (*fn)(void *, int, char **, char **), void *arg, char **why),
     (db, sql, fn, arg, why))

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, mode_t mode) {
  if (!fault_strikes(FAULT_NAME)) return __real_open64(path, flags, mode);
  errno = EMFILE;
  return -1;
}

int __real_openat64(int fd, const char *path, int flags, ...);
int __wrap_openat64(int fd, const char *path, int flags, mode_t mode);
int __wrap_openat64(int fd, const char *path, int flags, mode_t mode) {
  if (!fault_strikes(FAULT_NAME)) return __real_openat64(fd, path, flags, mode);
  errno = EMFILE;
  return -1;
}

/* ---- under their real names, so that SQLite calls them too */

/* One that does not fail does nothing either: a sync is for a machine that stops. */
static int sync_or_fail(void) {
  if (!fault_strikes(FAULT_SYNC)) return 0;
  errno = EIO;
  return -1;
}

int fsync(int fd) {
  (void)fd;
  return sync_or_fail();
}
int fdatasync(int fd) {
  (void)fd;
  return sync_or_fail();
}

/* ---- SQLite's and libcurl's functions */

static sqlite3_mem_methods sqlite_memory;
static sqlite3_syscall_ptr sqlite_write, sqlite_pwrite;

static void *database_malloc(int n) {
  return fault_strikes(FAULT_DATABASE_MEMORY) ? NULL : sqlite_memory.xMalloc(n);
}
static void *database_realloc(void *p, int n) {
  return fault_strikes(FAULT_DATABASE_MEMORY) ? NULL : sqlite_memory.xRealloc(p, n);
}

static ssize_t database_write(int fd, const void *p, size_t n) {
  if (!fault_strikes(FAULT_DATABASE_WRITE)) return ((ssize_t(*)(int, const void *, size_t))sqlite_write)(fd, p, n);
  errno = ENOSPC;
  return -1;
}

static ssize_t database_pwrite(int fd, const void *p, size_t n, off_t at) {
  if (!fault_strikes(FAULT_DATABASE_WRITE))
    return ((ssize_t(*)(int, const void *, size_t, off_t))sqlite_pwrite)(fd, p, n, at);
  errno = EIO;
  return -1;
}

static void *fetch_malloc(size_t n) {
  return fault_strikes(FAULT_FETCH_MEMORY) ? NULL : __real_malloc(n);
}
static void *fetch_calloc(size_t n, size_t size) {
  return fault_strikes(FAULT_FETCH_MEMORY) ? NULL : __real_calloc(n, size);
}
static void *fetch_realloc(void *p, size_t n) {
  return fault_strikes(FAULT_FETCH_MEMORY) ? NULL : __real_realloc(p, n);
}
static char *fetch_strdup(const char *s) {
  return fault_strikes(FAULT_FETCH_MEMORY) ? NULL : __real_strdup(s);
}

static void require(bool well) {
  if (!well) abort();
}

void faults_install(void) {
  faults_here(false);
  require(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory) == SQLITE_OK);
  sqlite3_mem_methods methods = sqlite_memory;
  methods.xMalloc = database_malloc;
  methods.xRealloc = database_realloc;
  require(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK);
  require(sqlite3_initialize() == SQLITE_OK);
  sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
  sqlite_write = vfs->xGetSystemCall(vfs, "write");
  sqlite_pwrite = vfs->xGetSystemCall(vfs, "pwrite64");
  require(sqlite_write && sqlite_pwrite);
  require(vfs->xSetSystemCall(vfs, "write", (sqlite3_syscall_ptr)database_write) == SQLITE_OK);
  require(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)database_pwrite) == SQLITE_OK);
  require(curl_global_init_mem(CURL_GLOBAL_DEFAULT, fetch_malloc, free, fetch_realloc, fetch_strdup, fetch_calloc) ==
          CURLE_OK);
}
