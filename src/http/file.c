/* file.c - descriptors that several answers of a loop send from, and their pages.
 *
 * A page that is not in memory makes sendfile wait for the disk, and the whole loop with it. So a stretch of a file
 * that was not seen in memory within WARM_MS is looked at first (a read that may not wait, 0.3 us); what is missing is
 * read in by a helper thread, and the answer goes on when it is there.
 *
 * Invariants
 *  (1) [warm_from, warm_to) was in memory at warm_ms. Use does not renew it: what is asked for in one place says
 *      nothing of another that may have been dropped meanwhile.
 *  (2) A helper has a reference of the file and of the exchange: both outlive it.
 *  (3) Players ask for the first bytes before anything else: those are kept, once they were read. A file never changes
 *      while it is open: it is replaced by rename. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "http/internal.h"

enum { PROBE_MAX = 64 };

struct http_file {
  int fd;
  unsigned refs;
  int64_t warm_from, warm_to, warm_ms;
  size_t probe_n; /* (3) */
  char probe[PROBE_MAX];
};

enum err http_file_new(int fd, struct http_file **ret_file) {
  struct http_file *f = malloc(sizeof *f);
  if (f == NULL) return ERR_NOMEM;
  *f = (struct http_file){.fd = fd, .refs = 1};
  *ret_file = f;
  return OK;
}

struct http_file *http_file_ref(struct http_file *f) {
  f->refs++;
  return f;
}

void http_file_unref(struct http_file *f) {
  if (f == NULL || --f->refs > 0) return;
  (void)close(f->fd); /* only read from */
  free(f);
}

int http_file_fd(const struct http_file *f) {
  return f->fd;
}

static bool seen_lately(const struct http_file *f, int64_t now_ms, int64_t offset, int64_t length) {
  return now_ms - f->warm_ms < WARM_MS && offset >= f->warm_from && offset + length <= f->warm_to;
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

struct read_in {
  struct http_exchange *x;
  struct http_file *file;
  int fd;
  int64_t offset, length;
};

static void pages_came(struct http_exchange *x, void *arg) {
  struct read_in *r = arg;
  note_warm(r->file, x->loop->now_ms, r->offset, r->length);
  x->reading_in = false;
  x->read_to = r->offset + r->length;
  x->read_ms = x->loop->now_ms;
  http_file_unref(r->file);
  free(r);
  if (x->conn != NULL) loop_make_ready(x->conn);
  http_unref(x);
}

/* On a helper thread. What can't be read is left for sendfile to find. */
static void read_in(void *arg, unsigned worker) {
  struct read_in *r = arg;
  char bytes[32 * 1024];
  int64_t done = 0;
  (void)worker;
  while (done < r->length) {
    size_t step = r->length - done < (int64_t)sizeof bytes ? (size_t)(r->length - done) : sizeof bytes;
    ssize_t n = pread(r->fd, bytes, step, r->offset + done);
    if (n <= 0 && !(n < 0 && errno == EINTR)) break;
    if (n > 0) done += n;
  }
  http_post(r->x, pages_came, r);
}

static bool start_reading(struct http_exchange *x, int64_t offset, int64_t length) {
  struct read_in *r = malloc(sizeof *r);
  if (r == NULL) return false;
  *r = (struct read_in){http_ref(x), http_file_ref(x->file), x->file->fd, offset, length};
  if (pool_run(x->loop->server->readers, read_in, r) == OK) return true;
  http_file_unref(r->file);
  http_unref(x);
  free(r);
  return false;
}

int64_t file_ready(struct http_exchange *x, int64_t offset, int64_t length) {
  struct http_file *f = x->file;
  int64_t now_ms = x->loop->now_ms;
  if (seen_lately(f, now_ms, offset, length)) return length;
  if (page_is_here(f->fd, offset) && page_is_here(f->fd, offset + length - 1)) {
    note_warm(f, now_ms, offset, length);
    return length;
  }
  if (x->read_to > offset && now_ms - x->read_ms < WARM_MS) { /* by a helper, for this answer */
    int64_t read = x->read_to - offset;
    return read < length ? read : length;
  }
  x->reading_in = start_reading(x, offset, length < READ_IN_STEP ? length : READ_IN_STEP);
  return x->reading_in ? 0 : length; /* no helper to be had: better slow than never */
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
  bool warm = seen_lately(f, l->now_ms, offset, (int64_t)length);
  if (preadv2(f->fd, &all, 1, offset, warm ? 0 : RWF_NOWAIT) != (ssize_t)length) return false;
  if (!warm) note_warm(f, l->now_ms, offset, (int64_t)length);
  return true;
}
