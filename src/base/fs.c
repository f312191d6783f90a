/* fs.c - files below a directory descriptor.
 *
 * Invariants
 *  (1) A path is walked one component at a time, each opened with O_NOFOLLOW: no link, ".." or '/' leads out of dir.
 *      The path "." alone is dir itself.
 *  (2) A name is replaced by fs_write_durable alone, and only by a whole, synced file.
 *  (3) Calls that a signal interrupted are repeated; short writes are carried on. */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/secret.h"

enum { DIR_MODE = 0750, TEMPORARY_TRIES = 4 };

struct name {
  char text[NAME_MAX + 1];
};

void fs_close_(int *fd) {
  if (*fd >= 0) (void)close(*fd); /* an error changes nothing: all that must last was synced before */
  *fd = -1;
}

/* Never returns OK; written so that the compiler sees it. */
static enum err last_error(void) {
  enum err e = err_from_errno(errno);
  return e != OK ? e : ERR_IO;
}

/* Gives a new file exactly this mode, also if the umask removed some of it. A failure is ignored: on a file system without modes
 * the file keeps fewer permissions than asked for, never more. */
static void set_mode(int fd, mode_t mode) {
  (void)fchmod(fd, mode);
}

static enum err open_at(int dir, const char *name, int flags, mode_t mode, int *ret_fd) {
  int fd;
  do fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return last_error();
  *ret_fd = fd;
  return OK;
}

static enum err open_dir_at(int dir, const char *name, int *ret_fd) {
  return open_at(dir, name, O_RDONLY | O_DIRECTORY, 0, ret_fd);
}

static enum err sync_fd(int fd) {
  int failed;
  do failed = fsync(fd);
  while (failed && errno == EINTR);
  return failed ? last_error() : OK;
}

enum err fs_sync_file(int fd) {
  int failed;
  do failed = fdatasync(fd);
  while (failed && errno == EINTR);
  return failed ? last_error() : OK;
}

/* Removes the first component from *path (1). */
static enum err take_component(struct str *path, struct name *ret_name, bool *ret_last) {
  struct str component, rest;
  bool more = str_cut(*path, '/', &component, &rest);
  if (component.n == 0 || str_eq(component, STR(".")) || str_eq(component, STR(".."))) return ERR_INVALID;
  TRY(str_copy(ret_name->text, sizeof(ret_name->text), component));
  *path = rest;
  *ret_last = !more;
  return OK;
}

/* Opens the directory name below dir, and makes it if it is missing. Syncs dir in both cases: the process that made the
 * directory may have died before it synced. */
static enum err make_dir_at(int dir, const char *name, int *ret_fd) {
  int fd CLEANUP(fs_close_) = -1;
  bool made = mkdirat(dir, name, DIR_MODE) == 0;
  if (!made && errno != EEXIST) return last_error();
  TRY(open_dir_at(dir, name, &fd));
  if (made) set_mode(fd, DIR_MODE);
  TRY(sync_fd(dir));
  *ret_fd = fd;
  fd = -1;
  return OK;
}

/* Walks all components of path but the last, which becomes *ret_leaf; ret_fd is the caller's to close. */
static enum err open_parent(int dir, const char *path, bool make, int *ret_fd, struct name *ret_leaf) {
  struct str rest = str_from(path);
  struct name name;
  bool last;
  int at CLEANUP(fs_close_) = -1;
  TRY(open_dir_at(dir, ".", &at));
  for (;;) {
    TRY(take_component(&rest, &name, &last));
    if (last) break;
    int next;
    TRY(make ? make_dir_at(at, name.text, &next) : open_dir_at(at, name.text, &next));
    fs_close_(&at);
    at = next;
  }
  *ret_leaf = name;
  *ret_fd = at;
  at = -1;
  return OK;
}

/* mkdir -p: links are followed, what exists stays as it is. */
static enum err make_root(const char *path) {
  char *prefix CLEANUP(free_char) = str_dup(str_from(path));
  if (!prefix) return ERR_NOMEM;
  for (char *p = prefix + 1;; p++) {
    if (*p != '/' && *p != '\0') continue;
    char end = *p;
    *p = '\0';
    if (mkdir(prefix, DIR_MODE) != 0 && errno != EEXIST && errno != EISDIR) {
      enum err e = last_error();
      struct stat st; /* mkdir may fail below a read-only parent though the directory is there */
      if (stat(prefix, &st) != 0 || !S_ISDIR(st.st_mode)) return e;
    }
    *p = end;
    if (end == '\0') return OK;
  }
}

enum err fs_open_root(const char *path, bool make, int *ret_fd) {
  if (!path || !*path) return ERR_INVALID;
  if (make) TRY(make_root(path));
  int fd;
  do fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return last_error();
  *ret_fd = fd;
  return OK;
}

enum err fs_open_dir(int dir, const char *path, int *ret_fd) {
  int parent CLEANUP(fs_close_) = -1;
  struct name leaf;
  if (strcmp(path, ".") == 0) return open_dir_at(dir, ".", ret_fd);
  TRY(open_parent(dir, path, false, &parent, &leaf));
  return open_dir_at(parent, leaf.text, ret_fd);
}

enum err fs_open_read(int dir, const char *path, int *ret_fd) {
  int parent CLEANUP(fs_close_) = -1, fd CLEANUP(fs_close_) = -1;
  struct name leaf;
  struct stat st;
  TRY(open_parent(dir, path, false, &parent, &leaf));
  TRY(open_at(parent, leaf.text, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd)); /* opening a FIFO must not block */
  if (fstat(fd, &st) != 0) return last_error();
  if (!S_ISREG(st.st_mode)) return ERR_INVALID;
  if (fcntl(fd, F_SETFL, O_RDONLY) != 0) return last_error();
  *ret_fd = fd;
  fd = -1;
  return OK;
}

enum err fs_open_chosen(const char *path, int *ret_fd, mode_t *ret_mode) {
  int fd CLEANUP(fs_close_) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return last_error();
  if (!S_ISREG(st.st_mode)) return ERR_INVALID;
  if (fcntl(fd, F_SETFL, O_RDONLY) != 0) return last_error();
  *ret_mode = st.st_mode & 07777;
  *ret_fd = fd;
  fd = -1;
  return OK;
}

static enum err create_at(int dir, const char *name, mode_t mode, int *ret_fd) {
  int fd;
  TRY(open_at(dir, name, O_RDWR | O_CREAT | O_EXCL, mode, &fd));
  set_mode(fd, mode);
  *ret_fd = fd;
  return OK;
}

enum err fs_create(int dir, const char *path, mode_t mode, int *ret_fd) {
  int parent CLEANUP(fs_close_) = -1;
  struct name leaf;
  TRY(open_parent(dir, path, false, &parent, &leaf));
  return create_at(parent, leaf.text, mode, ret_fd);
}

enum err fs_make_parents(int dir, const char *path) {
  int parent CLEANUP(fs_close_) = -1;
  struct name leaf;
  return open_parent(dir, path, true, &parent, &leaf);
}

enum err fs_link(int dir, const char *from, const char *to) {
  int from_dir CLEANUP(fs_close_) = -1, to_dir CLEANUP(fs_close_) = -1;
  struct name from_leaf, to_leaf;
  TRY(open_parent(dir, from, false, &from_dir, &from_leaf));
  TRY(open_parent(dir, to, false, &to_dir, &to_leaf));
  return linkat(from_dir, from_leaf.text, to_dir, to_leaf.text, 0) == 0 ? OK : last_error();
}

enum err fs_link_open(int fd, int dir, const char *to) {
  int to_dir CLEANUP(fs_close_) = -1;
  struct name leaf;
  char from[64];
  TRY(open_parent(dir, to, false, &to_dir, &leaf));
  (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
  if (linkat(AT_FDCWD, from, to_dir, leaf.text, AT_SYMLINK_FOLLOW) == 0) return OK;
  if (errno == EXDEV) return ERR_UNSUPPORTED;
  return errno == EPERM || errno == EMLINK ? ERR_DENIED : last_error();
}

enum err fs_unlink(int dir, const char *path) {
  int parent CLEANUP(fs_close_) = -1;
  struct name leaf;
  TRY(open_parent(dir, path, false, &parent, &leaf));
  return unlinkat(parent, leaf.text, 0) == 0 ? OK : last_error();
}

enum err fs_unlink_in(int dir, const char *name) {
  struct str rest = str_from(name);
  struct name leaf;
  bool last;
  TRY(take_component(&rest, &leaf, &last));
  if (!last) return ERR_INVALID;
  return unlinkat(dir, leaf.text, 0) == 0 ? OK : last_error();
}

enum err fs_sync_parent(int dir, const char *path) {
  int parent CLEANUP(fs_close_) = -1;
  struct name leaf;
  TRY(open_parent(dir, path, false, &parent, &leaf));
  return sync_fd(parent);
}

enum err fs_write_all(int fd, struct str s) {
  if (lseek(fd, 0, SEEK_END) < 0 && errno != ESPIPE) return last_error();
  while (s.n > 0) {
    ssize_t n = write(fd, s.p, s.n);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (n == 0) return ERR_IO;
    s = str_skip(s, (size_t)n);
  }
  return OK;
}

/* Reads to the end of the file, which may have changed since fstat. */
static enum err read_to_end(int fd, char *bytes, size_t room, size_t *ret_size) {
  size_t size = 0;
  while (size < room) {
    ssize_t n = read(fd, bytes + size, room - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (n == 0) break;
    size += (size_t)n;
  }
  *ret_size = size;
  return OK;
}

static enum err fs_read_all(int fd, size_t max, char **ret_bytes, size_t *ret_size) {
  struct stat st;
  if (fstat(fd, &st) != 0) return last_error();
  if (st.st_size < 0 || (uint64_t)st.st_size > max || (uint64_t)st.st_size > SIZE_MAX - 2) return ERR_TOO_BIG;
  size_t room = (size_t)st.st_size + 1, size; /* one more, to notice that it grew */
  char *bytes CLEANUP(free_char) = malloc(room + 1);
  if (!bytes) return ERR_NOMEM;
  TRY(read_to_end(fd, bytes, room, &size));
  if (size == room) return ERR_BUSY; /* another process is writing it */
  bytes[size] = '\0';
  *ret_bytes = TAKE(bytes);
  *ret_size = size;
  return OK;
}

enum err fs_read_whole(int dir, const char *path, size_t max, char **ret_bytes, size_t *ret_size) {
  int fd CLEANUP(fs_close_) = -1;
  TRY(fs_open_read(dir, path, &fd));
  return fs_read_all(fd, max, ret_bytes, ret_size);
}

enum err fs_read_operators(const char *path, bool is_secret, size_t max, char **ret_bytes, size_t *ret_size) {
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  TRY(fs_open_chosen(path, &fd, &mode));
  if (is_secret && (mode & (S_IRWXG | S_IRWXO))) return ERR_DENIED;
  return fs_read_all(fd, max, ret_bytes, ret_size);
}

static enum err create_temporary(int dir, const char *leaf, mode_t mode, struct name *ret_name, int *ret_fd) {
  enum err e = ERR_EXISTS;
  for (int i = 0; i < TEMPORARY_TRIES && e == ERR_EXISTS; i++) {
    uint8_t random[8];
    char hex[2 * sizeof(random) + 1];
    TRY(secret_random(random, sizeof(random)));
    hex_encode(random, sizeof(random), hex);
    int n = snprintf(ret_name->text, sizeof(ret_name->text), ".%s.%s.tmp", leaf, hex);
    if (n < 0 || (size_t)n >= sizeof(ret_name->text)) return ERR_TOO_BIG;
    e = create_at(dir, ret_name->text, mode, ret_fd);
  }
  return e;
}

enum err fs_write_durable(int dir, const char *path, mode_t mode, struct str content) {
  int parent CLEANUP(fs_close_) = -1, fd CLEANUP(fs_close_) = -1;
  struct name leaf, temporary;
  TRY(open_parent(dir, path, false, &parent, &leaf));
  TRY(create_temporary(parent, leaf.text, mode, &temporary, &fd));
  enum err e = fs_write_all(fd, content);
  if (e == OK) e = sync_fd(fd);
  if (e == OK && renameat(parent, temporary.text, parent, leaf.text) != 0) e = last_error();
  if (e != OK) {
    (void)unlinkat(parent, temporary.text, 0); /* a failure here leaves a stray temporary file; e is what is returned */
    return e;
  }
  return sync_fd(parent);
}

enum err fs_write_over(int dir, const char *path, mode_t mode, struct str content) {
  int parent CLEANUP(fs_close_) = -1, fd CLEANUP(fs_close_) = -1;
  struct name leaf;
  ssize_t n;
  TRY(open_parent(dir, path, false, &parent, &leaf));
  TRY(open_at(parent, leaf.text, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, mode,
              &fd)); /* opening a FIFO must not block */
  do n = pwrite(fd, content.p, content.n, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) return last_error();
  return (size_t)n == content.n ? OK : ERR_FULL;
}

enum err fs_leads_to(const char *path, int dir, bool *ret_same) {
  int fd CLEANUP(fs_close_) = -1;
  struct stat there, here;
  if (fstat(dir, &here) != 0) return last_error();
  enum err e = fs_open_root(path, false, &fd);
  if (e != OK && e != ERR_NOT_FOUND && e != ERR_INVALID) return e;
  if (e == OK && fstat(fd, &there) != 0) return last_error();
  *ret_same = e == OK && there.st_dev == here.st_dev && there.st_ino == here.st_ino;
  return OK;
}

enum err fs_space(int dir, uint64_t *ret_free, uint64_t *ret_total) {
  struct statvfs volume;
  int failed;
  do failed = fstatvfs(dir, &volume);
  while (failed && errno == EINTR);
  if (failed) return last_error();
  *ret_free = (uint64_t)volume.f_bavail * volume.f_frsize;
  *ret_total = (uint64_t)volume.f_blocks * volume.f_frsize;
  return OK;
}

static bool entry_is_dir(int dir, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  struct stat st;
  return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

struct fs_dir {
  DIR *stream;
  int fd; /* the stream's */
};

enum err fs_dir_open(int dir, const char *path, struct fs_dir **ret_dir) {
  int fd CLEANUP(fs_close_) = -1;
  struct fs_dir *d = malloc(sizeof(*d));
  if (!d) return ERR_NOMEM;
  enum err e = fs_open_dir(dir, path, &fd);
  d->stream = e == OK ? fdopendir(fd) : NULL;
  if (!d->stream) {
    free(d);
    return e == OK ? last_error() : e;
  }
  d->fd = fd;
  fd = -1;
  *ret_dir = d;
  return OK;
}

enum err fs_dir_next(struct fs_dir *d, const char **ret_name, bool *ret_is_dir) {
  const struct dirent *entry;
  do {
    errno = 0;
    entry = readdir(d->stream);
    if (!entry) return errno ? last_error() : ERR_NOT_FOUND;
  } while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
  *ret_name = entry->d_name;
  *ret_is_dir = entry_is_dir(d->fd, entry);
  return OK;
}

int fs_dir_fd(const struct fs_dir *d) {
  return d->fd;
}

struct fs_dir *fs_dir_close(struct fs_dir *d) {
  if (!d) return NULL;
  (void)closedir(d->stream); /* it was only read */
  free(d);
  return NULL;
}

enum err fs_each(int dir, const char *path, fs_entry_fn *fn, void *arg) {
  struct fs_dir *d;
  const char *name;
  bool is_dir;
  enum err e = OK, failed = OK;
  TRY(fs_dir_open(dir, path, &d));
  while (failed == OK && (e = fs_dir_next(d, &name, &is_dir)) == OK) failed = fn(arg, d->fd, name, is_dir);
  d = fs_dir_close(d);
  if (failed != OK) return failed;
  return e == ERR_NOT_FOUND ? OK : e;
}
