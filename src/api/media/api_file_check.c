/* api_file_check.c - checks of open files, gathered on a loop and made by the volume's threads.
 *
 *   file_check_schedule ---> gathered in l->checks
 *   file_check_send_batch -> under way on a thread of the volume; at most every CHECK_PAUSE_MS, one batch at a time
 *   file_check_take_results  back on the loop: items whose file is gone leave the cache
 *
 * Invariants
 *  (1) A loop has at most one batch under way. While the volume does not answer, that batch stays under way, and the
 *      loop answers from its open files as before.
 *  (2) A batch holds a reference to each of its files, so their descriptors stay open while the volume's thread uses
 *      them.
 *  (3) References of files are taken and given back on the loop only.
 *  (4) A finished batch stands in checks_ended before the loop's bit is set. So the loop takes it at its next request if no
 *      memory is left to wake it. */
#include "api/media/api_file_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/media/api_open_files.h"
#include "api/request/api_loop.h"

enum { CHECKS_MAX = 256, CHECK_PAUSE_MS = 50, CHECK_TIMEOUT_MS = 24 * 3600 * 1000 };

struct check {
  struct http_file *file; /* (2) */
  int fd;
  int64_t bytes;
  int64_t business_id;
  char id[SID_SIZE]; /* the item is kept under it */
  char recording_sid[SID_SIZE];
  bool is_gone; /* the result; the volume's thread sets it */
};

struct file_check_batch {
  struct volume_job job;
  struct api_loop *loop;
  enum err result;
  size_t count;
  struct check checks[CHECKS_MAX];
};

static struct file_check_batch *batch_of(struct volume_job *job) {
  return (struct file_check_batch *)(void *)job; /* its first member */
}

static enum err file_check_run_batch(struct volume_job *job) {
  struct file_check_batch *b = batch_of(job);
  for (size_t i = 0; i < b->count; i++) {
    struct check *c = &b->checks[i];
    struct stat st;
    c->is_gone = fstat(c->fd, &st) != 0 || st.st_nlink == 0 || st.st_size != c->bytes;
  }
  return OK;
}

static void file_check_remove_gone(struct api_loop *l, const struct check *c) {
  open_files_remove(l->open_files, c->business_id, str_from(c->id));
  open_files_remove(l->open_files, c->business_id, str_from(c->recording_sid));
}

static void file_check_batch_unref_files(struct file_check_batch *b) {
  for (size_t i = 0; i < b->count; i++) http_file_unref(b->checks[i].file); /* (3) */
}

void file_check_take_results(struct api_loop *l) {
  struct file_check_batch *b = atomic_exchange(&l->checks_ended, NULL);
  if (!b) return;
  for (size_t i = 0; i < b->count; i++)
    if (b->result == OK && b->checks[i].is_gone) file_check_remove_gone(l, &b->checks[i]);
  file_check_batch_unref_files(b);
  l->checks_under_way = false;
  volume_release(&b->job);
}

static void file_check_batch_done(struct volume_job *job, enum err result) {
  struct file_check_batch *b = batch_of(job);
  struct api_loop *l = b->loop;
  b->result = result;
  atomic_store(&l->checks_ended, b); /* (4); from here on the loop may free it */
  loop_set_pending(l, PENDING_CHECKS);
}

static void file_check_batch_free(struct volume_job *job) {
  free(batch_of(job));
}

static void file_check_send_batch(struct api_loop *l, int64_t mono_ms) {
  struct file_check_batch *b = l->checks;
  if (!b || l->checks_under_way || mono_ms - l->checks_sent_ms < CHECK_PAUSE_MS) return; /* (1) */
  b->job = (struct volume_job){.run = file_check_run_batch,
                               .done = file_check_batch_done,
                               .destroy = file_check_batch_free,
                               .timeout_ms = CHECK_TIMEOUT_MS};
  l->checks_sent_ms = mono_ms;
  if (volume_run(l->api->parts.volume, &b->job) != OK) return; /* a later request tries again */
  l->checks_under_way = true;
  l->checks = NULL;
}

static void file_check_add(struct api_loop *l, struct open_file *item, int64_t business_id, struct str id) {
  if (!l->checks) l->checks = calloc(1, sizeof(*l->checks));
  struct file_check_batch *b = l->checks;
  if (!b || b->count == CHECKS_MAX) return; /* the item's next request tries again */
  b->loop = l;
  struct check *c = &b->checks[b->count];
  *c = (struct check){.fd = http_file_fd(item->file), .bytes = item->bytes, .business_id = business_id};
  if (str_copy(c->id, sizeof(c->id), id) != OK) return;
  memcpy(c->recording_sid, item->recording_sid, sizeof(c->recording_sid));
  c->file = http_file_ref(item->file);
  b->count++;
}

void file_check_schedule(struct api_loop *l, struct open_file *item, int64_t business_id, struct str id,
                         int64_t mono_ms) {
  if (mono_ms - item->last_check_ms < FILE_CHECK_MS) return;
  file_check_add(l, item, business_id, id);
  item->last_check_ms = mono_ms;
  file_check_send_batch(l, mono_ms);
}

void file_check_free_gathered(struct api_loop *l) {
  struct file_check_batch *ended = atomic_exchange(&l->checks_ended, NULL);
  if (ended) {
    file_check_batch_unref_files(ended);
    volume_release(&ended->job);
  }
  if (l->checks) file_check_batch_unref_files(l->checks);
  free(l->checks);
  l->checks = NULL;
}
