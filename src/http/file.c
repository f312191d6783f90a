/* file.c - descriptors that several answers of a loop send from, and whether their pages are in memory.
 *
 * If a page is not in memory, sendfile waits for the disk, and the whole loop with it; if the volume does not answer, it waits
 * for ever. So file_ready checks a stretch of a file that was not seen in memory within WARM_MS, with reads that do not wait
 * (0.3 us each). A helper thread reads missing pages, and the answer continues when they are in memory.
 *
 * Invariants
 *  (1) [warm_from, warm_to) was in memory at warm_ms. Sending does not renew warm_ms: use of one place does not show that
 *      another is still in memory. While the server distrusts its files, [warm_from, warm_to) is not used.
 *  (2) A helper holds a ref of the exchange, and a ref of the file or its own descriptor, until it is done.
 *  (3) `probe` keeps the first bytes of the file, which players request before others. It stays valid because a file does not
 *      change while it is open: it is replaced by rename.
 *  (4) Nothing is sent from a stretch with a page that was found missing. If no helper is available, the answer is cut. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/closer.h"
#include "http/internal.h"

enum {
  PROBE_MAX = 64,
  CHECK_STEP = 16 * 1024 /* one page in so many bytes is checked: kernels read ahead at least as much */
};

struct http_file {
  int fd;
  unsigned refs;
  int64_t warm_from, warm_to, warm_ms;
  size_t probe_n; /* (3) */
  char probe[PROBE_MAX];
};

enum err http_file_new(int fd, struct http_file **ret_file) {
  struct http_file *f = malloc(sizeof(*f));
  if (!f) return ERR_NOMEM;
  *f = (struct http_file){.fd = fd, .refs = 1};
  *ret_file = f;
  return OK;
}

struct http_file *http_file_ref(struct http_file *f) {
  f->refs++;
  return f;
}

void http_file_unref(struct http_file *f) {
  if (!f || --f->refs > 0) return;
  closer_close(f->fd);
  free(f);
}

int http_file_fd(const struct http_file *f) {
  return f->fd;
}

static bool is_known_warm(const struct loop *l, const struct http_file *f, int64_t offset, int64_t length) {
  if (!f || atomic_load_explicit(&l->server->distrusts_files, memory_order_relaxed)) return false;
  return l->now_ms - f->warm_ms < WARM_MS && offset >= f->warm_from && offset + length <= f->warm_to;
}

static void note_warm(struct http_file *f, int64_t now_ms, int64_t offset, int64_t length) {
  bool fresh = now_ms - f->warm_ms < WARM_MS;
  if (fresh && offset <= f->warm_to && offset + length >= f->warm_from) { /* they touch: join them */
    if (offset < f->warm_from) f->warm_from = offset;
    if (offset + length > f->warm_to) f->warm_to = offset + length;
    return;
  }
  f->warm_from = offset;
  f->warm_to = offset + length;
  f->warm_ms = now_ms;
}

/* True if the page with that byte is in memory. False if the file system can't tell. */
static bool page_is_in_memory(int fd, int64_t offset) {
  char byte;
  struct iovec one = {&byte, 1};
  return preadv2(fd, &one, 1, offset, RWF_NOWAIT) >= 0;
}

/* How many bytes from offset on are in memory, at most length, judged by one page in CHECK_STEP. */
static int64_t count_in_memory(int fd, int64_t offset, int64_t length) {
  for (int64_t at = 0; at < length; at += CHECK_STEP)
    if (!page_is_in_memory(fd, offset + at)) return at;
  return page_is_in_memory(fd, offset + length - 1) ? length : length - 1;
}

struct read_in {
  struct http_exchange *x;
  struct http_file *file; /* NULL: the piece of a source */
  int fd;                 /* the file's, or a duplicate of the piece's descriptor */
  int64_t offset, length;
};

static void on_pages_read(struct http_exchange *x, void *arg) {
  struct read_in *r = arg;
  if (r->file) note_warm(r->file, x->loop->now_ms, r->offset, r->length);
  x->reading_in = false;
  x->read_to = r->offset + r->length;
  x->read_ms = x->loop->now_ms;
  http_file_unref(r->file);
  free(r);
  if (x->conn) loop_make_ready(x->conn);
  http_unref(x);
}

/* Runs on a helper thread. An error of the read is ignored: sendfile will meet it again. */
static void read_pages(void *arg, unsigned worker) {
  struct read_in *r = arg;
  char bytes[32 * 1024];
  int64_t done = 0;
  (void)worker;
  while (done < r->length) {
    size_t step = r->length - done < (int64_t)sizeof(bytes) ? (size_t)(r->length - done) : sizeof(bytes);
    ssize_t n = pread(r->fd, bytes, step, r->offset + done);
    if (n <= 0 && !(n < 0 && errno == EINTR)) break;
    if (n > 0) done += n;
  }
  if (!r->file) closer_close(r->fd);
  http_post(r->x, on_pages_read, r);
}

static bool start_reading(struct http_exchange *x, int64_t offset, int64_t length) {
  struct read_in *r = malloc(sizeof(*r));
  if (!r) return false;
  int fd = x->file ? x->file->fd : fcntl(x->piece.fd, F_DUPFD_CLOEXEC, 0);
  *r = (struct read_in){http_ref(x), x->file ? http_file_ref(x->file) : NULL, fd, offset, length};
  if (fd >= 0 && pool_run(x->loop->server->readers, read_pages, r) == OK) return true;
  if (!r->file) closer_close(fd);
  http_file_unref(r->file);
  http_unref(x);
  free(r);
  return false;
}

int64_t file_ready(struct http_exchange *x, int64_t offset, int64_t length) {
  struct http_file *f = x->file;
  int64_t now_ms = x->loop->now_ms;
  if (is_known_warm(x->loop, f, offset, length)) return length;
  int64_t here = count_in_memory(x->piece.fd, offset, length);
  if (here > 0) {
    if (f) note_warm(f, now_ms, offset, here);
    return here;
  }
  if (x->read_to > offset && now_ms - x->read_ms < WARM_MS) { /* a helper read them for this answer */
    int64_t read = x->read_to - offset;
    return read < length ? read : length;
  }
  int64_t step = x->sent == 0 ? READ_IN_FIRST : READ_IN_STEP;
  x->reading_in = start_reading(x, offset, length < step ? length : step);
  return x->reading_in ? 0 : -1; /* (4) */
}

static bool read_probe(struct http_file *f, int64_t end, int64_t offset, size_t length, char *ret_bytes) {
  struct iovec all = {f->probe, PROBE_MAX};
  if (f->probe_n == 0) {
    ssize_t n = preadv2(f->fd, &all, 1, 0, RWF_NOWAIT);
    if (n > 0) f->probe_n = (size_t)n;
  }
  if (end > (int64_t)f->probe_n) return false;
  memcpy(ret_bytes, f->probe + offset, length);
  return true;
}

bool file_read_now(struct loop *l, struct http_file *f, int64_t offset, size_t length, char *ret_bytes) {
  int64_t end = offset + (int64_t)length;
  if (end <= PROBE_MAX && read_probe(f, end, offset, length, ret_bytes)) return true;
  struct iovec all = {ret_bytes, length};
  if (preadv2(f->fd, &all, 1, offset, RWF_NOWAIT) != (ssize_t)length) return false;
  if (!is_known_warm(l, f, offset, (int64_t)length)) note_warm(f, l->now_ms, offset, (int64_t)length);
  return true;
}
