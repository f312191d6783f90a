/* file.c - descriptors that several answers of a loop send from, and their pages.
 *
 * A page that is not in memory makes sendfile wait for the disk, and the whole loop with it; a volume that does not answer
 * makes it wait for ever. So a stretch of a file that was not seen in memory within WARM_MS is looked at first (reads that may
 * not wait, 0.3 us each); what is missing is read in by a helper thread, and the answer goes on when it is there.
 *
 * Invariants
 *  (1) [warm_from, warm_to) was in memory at warm_ms. Use does not renew it: what is asked for in one place says
 *      nothing of another that may have been dropped meanwhile. While the server distrusts its files nothing counts as seen.
 *  (2) A helper has a reference of the exchange, and of the file or a descriptor of its own: all outlive it.
 *  (3) Players ask for the first bytes before anything else: those are kept, once they were read. A file never changes
 *      while it is open: it is replaced by rename.
 *  (4) Nothing is sent from a stretch of which a page was found missing: without a helper the answer is cut. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/closer.h"
#include "http/internal.h"

enum { PROBE_MAX = 64, LOOK_STEP = 16 * 1024 /* what a disk is read ahead by, at least */ };

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

static bool seen_lately(const struct loop *l, const struct http_file *f, int64_t offset, int64_t length) {
  if (!f || atomic_load_explicit(&l->server->distrusts_files, memory_order_relaxed)) return false;
  return l->now_ms - f->warm_ms < WARM_MS && offset >= f->warm_from && offset + length <= f->warm_to;
}

static void note_warm(struct http_file *f, int64_t now_ms, int64_t offset, int64_t length) {
  bool fresh = now_ms - f->warm_ms < WARM_MS;
  if (fresh && offset <= f->warm_to && offset + length >= f->warm_from) { /* touches: one longer stretch */
    if (offset < f->warm_from) f->warm_from = offset;
    if (offset + length > f->warm_to) f->warm_to = offset + length;
    return;
  }
  f->warm_from = offset;
  f->warm_to = offset + length;
  f->warm_ms = now_ms;
}

/* Whether the page with that byte is in memory. A file system that can't say is taken to have it missing. */
static bool page_is_here(int fd, int64_t offset) {
  char byte;
  struct iovec one = {&byte, 1};
  return preadv2(fd, &one, 1, offset, RWF_NOWAIT) >= 0;
}

/* How many bytes from offset on are in memory, as far as one page in LOOK_STEP can tell; length or less. */
static int64_t here_from(int fd, int64_t offset, int64_t length) {
  for (int64_t at = 0; at < length; at += LOOK_STEP)
    if (!page_is_here(fd, offset + at)) return at;
  return page_is_here(fd, offset + length - 1) ? length : length - 1;
}

struct read_in {
  struct http_exchange *x;
  struct http_file *file; /* or NULL: of a source's piece … */
  int fd;                 /* … by a descriptor of its own */
  int64_t offset, length;
};

static void pages_came(struct http_exchange *x, void *arg) {
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

/* On a helper thread. What can't be read is left for sendfile to find. */
static void read_in(void *arg, unsigned worker) {
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
  http_post(r->x, pages_came, r);
}

static bool start_reading(struct http_exchange *x, int64_t offset, int64_t length) {
  struct read_in *r = malloc(sizeof(*r));
  if (!r) return false;
  int fd = x->file ? x->file->fd : fcntl(x->piece.fd, F_DUPFD_CLOEXEC, 0);
  *r = (struct read_in){http_ref(x), x->file ? http_file_ref(x->file) : NULL, fd, offset, length};
  if (fd >= 0 && pool_run(x->loop->server->readers, read_in, r) == OK) return true;
  if (!r->file) closer_close(fd);
  http_file_unref(r->file);
  http_unref(x);
  free(r);
  return false;
}

int64_t file_ready(struct http_exchange *x, int64_t offset, int64_t length) {
  struct http_file *f = x->file;
  int64_t now_ms = x->loop->now_ms;
  if (seen_lately(x->loop, f, offset, length)) return length;
  int64_t here = here_from(x->piece.fd, offset, length);
  if (here > 0) {
    if (f) note_warm(f, now_ms, offset, here);
    return here;
  }
  if (x->read_to > offset && now_ms - x->read_ms < WARM_MS) { /* by a helper, for this answer */
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
  if (!seen_lately(l, f, offset, (int64_t)length)) note_warm(f, l->now_ms, offset, (int64_t)length);
  return true;
}
