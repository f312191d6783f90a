/* verify_catalog.c - compares every ready row with its file: existence, length, checksum.
 *
 * It reads a batch of rows, ends the transaction, and then reads the files. */
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "cmd/verify/verify_parts.h"
#include "ledger/businesses.h"

enum { BATCH = 100, CHUNK = 256 * 1024, IDS_MAX = 1000 * 1000 };

struct batch {
  struct recording rows[BATCH];
  int n;
};

static void free_batch(struct batch **b) {
  free(*b);
}
static enum err batch_add_row(void *arg, const struct recording *row) {
  struct batch *b = arg;
  b->rows[b->n++] = *row;
  return OK;
}

static enum err catalog_hash_file(struct verify *v, int fd, char ret_sha256[65]) {
  char *chunk CLEANUP(free_char) = malloc(CHUNK);
  struct digest *digest CLEANUP(digest_free_) = NULL;
  if (!chunk) return ERR_NOMEM;
  TRY(digest_new(&digest));
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* only a hint: a failure does not matter */
  for (int64_t at = 0;;) {
    ssize_t n = pread(fd, chunk, CHUNK, at);
    if (n < 0) return ERR_IO;
    if (n == 0) break;
    digest_add(digest, str_of(chunk, (size_t)n));
    at += n;
    v->bytes += n;
    progress_show(&v->progress, v->bytes, v->bytes_in_all);
  }
  digest_hex(digest, ret_sha256);
  return OK;
}

/* True: the file is wrong, and *ret_kind says how. False: it is right. */
static bool catalog_check_file(struct verify *v, const struct recording *row, enum verify_kind *ret_kind) {
  int fd CLEANUP(fs_close_) = -1;
  int64_t size;
  char sha256[65];
  enum err e = blob_open(v->store, row->name, &fd, &size);
  v->files += e == OK;
  if (e == ERR_NOT_FOUND) {
    *ret_kind = VERIFY_MISSING;
  } else if (e == OK && size != row->bytes) {
    *ret_kind = VERIFY_LENGTH;
  } else if (e != OK || catalog_hash_file(v, fd, sha256) != OK) {
    *ret_kind = VERIFY_UNREAD;
  } else if (row->sha256[0] && strcmp(row->sha256, sha256) != 0) {
    *ret_kind = VERIFY_CHECKSUM;
  } else {
    return false;
  }
  return true;
}

static enum err catalog_verify_row(struct verify *v, const struct recording *row) {
  enum verify_kind kind;
  struct recording now;
  bool is_repaired = false;
  if (!catalog_check_file(v, row, &kind)) return OK;
  /* Another process may have changed or removed the row in the meantime. */
  enum err e = recordings_get(v->app.db, row->business_id, str_from(row->recording_sid), &now);
  if (e == ERR_NOT_FOUND || (e == OK && now.version != row->version)) return OK;
  TRY(e);
  if (v->repair && kind != VERIFY_UNREAD) TRY(verify_give_up(v, kind, row, &is_repaired));
  return verify_report_finding(v, kind, row->name, row, is_repaired);
}

static enum err catalog_verify_business(struct verify *v, struct batch *b, int64_t business_id) {
  char after[SID_SIZE] = "";
  do {
    b->n = 0;
    TRY(recordings_with_status(v->app.db, business_id, RECORDING_READY, str_from(after), BATCH, batch_add_row, b));
    for (int i = 0; i < b->n; i++) TRY(catalog_verify_row(v, &b->rows[i]));
    if (b->n) memcpy(after, b->rows[b->n - 1].recording_sid, sizeof(after));
  } while (b->n == BATCH);
  return OK;
}

static enum err collect_id(void *arg, const struct business *b) {
  return buf_add(arg, str_of((const char *)&b->business_id, sizeof(b->business_id)));
}

enum err verify_catalog(struct verify *v) {
  struct buf ids CLEANUP(buf_done) = BUF_INIT(IDS_MAX * sizeof(int64_t));
  struct batch *b CLEANUP(free_batch) = malloc(sizeof(*b));
  if (!b) return ERR_NOMEM;
  TRY(businesses_each(v->app.db, NULL, true, collect_id,
                      &ids)); /* with removed businesses: their files stay until they are purged */
  for (size_t at = 0; at + sizeof(int64_t) <= ids.n; at += sizeof(int64_t)) {
    int64_t id;
    memcpy(&id, ids.p + at, sizeof(id));
    TRY(catalog_verify_business(v, b, id));
  }
  return OK;
}
