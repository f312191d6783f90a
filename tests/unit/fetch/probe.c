/* probe.c - a transfer that records its callbacks. */
#include "probe.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void keep(char *dst, size_t size, struct str s) {
  s = str_head(s, size - 1);
  if (s.n > 0) memcpy(dst, s.p, s.n);
  dst[s.n] = '\0';
}

static enum err on_reply(void *arg, const struct fetch_reply *reply) {
  struct probe *p = arg;
  pthread_mutex_lock(&p->mutex);
  p->replies++;
  p->reply = *reply;
  keep(p->content_type, sizeof(p->content_type), reply->content_type);
  keep(p->etag, sizeof(p->etag), reply->etag);
  keep(p->content_range, sizeof(p->content_range), reply->content_range);
  keep(p->retry_after, sizeof(p->retry_after), reply->retry_after);
  keep(p->content_encoding, sizeof(p->content_encoding), reply->content_encoding);
  keep(p->last_modified, sizeof(p->last_modified), reply->last_modified);
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->mutex);
  enum err answer = p->reply_answer; /* it may be over, and p gone, after what is done here */
  if (p->during_reply) p->during_reply(p);
  return answer;
}

static enum err on_data(void *arg, struct str bytes) {
  struct probe *p = arg;
  assert(p->body_bytes + bytes.n <= PROBE_BODY_MAX);
  pthread_mutex_lock(&p->mutex);
  memcpy(p->body + p->body_bytes, bytes.p, bytes.n);
  p->body_bytes += bytes.n;
  p->datas++;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->mutex);
  enum err answer = p->data_answer;
  if (p->during_data) p->during_data(p);
  return answer;
}

static void on_end(void *arg, const struct fetch_result *result) {
  struct probe *p = arg;
  if (p->during_end) p->during_end(p);
  pthread_mutex_lock(&p->mutex);
  p->ends++;
  p->result = *result;
  p->transfer = NULL;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->mutex);
}

void probe_init(struct probe *p, struct fetch *f, const char *url) {
  *p = (struct probe){.fetch = f,
                      .request = {.url = url,
                                  .max_bytes = PROBE_BODY_MAX,
                                  .max_hops = 5,
                                  .allow_special_addresses = true,
                                  .arg = p,
                                  .on_reply = on_reply,
                                  .on_data = on_data,
                                  .on_end = on_end}};
  p->body = calloc(1, PROBE_BODY_MAX);
  assert(p->body);
  pthread_mutex_init(&p->mutex, NULL);
  pthread_cond_init(&p->changed, NULL);
}

void probe_done(struct probe *p) {
  free(p->body);
  pthread_cond_destroy(&p->changed);
  pthread_mutex_destroy(&p->mutex);
}

void probe_start_here(struct probe *p) {
  enum err e = fetch_start(p->fetch, &p->request, &p->transfer);
  pthread_mutex_lock(&p->mutex);
  p->started = e;
  p->started_known = true;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->mutex);
}

static void start_posted(void *arg) {
  probe_start_here(arg);
}

void probe_start(struct probe *p) {
  enum err e = fetch_post(p->fetch, start_posted, p);
  assert(e == OK);
  (void)e;
}

void probe_wait_reply(struct probe *p) {
  pthread_mutex_lock(&p->mutex);
  while (p->replies == 0 && p->ends == 0) pthread_cond_wait(&p->changed, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}

void probe_wait_data(struct probe *p) {
  pthread_mutex_lock(&p->mutex);
  while (p->datas == 0 && p->ends == 0) pthread_cond_wait(&p->changed, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}

void probe_wait_end(struct probe *p) {
  pthread_mutex_lock(&p->mutex);
  while (p->ends == 0 && !(p->started_known && p->started != OK)) pthread_cond_wait(&p->changed, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}

bool probe_has_ended(struct probe *p) {
  pthread_mutex_lock(&p->mutex);
  bool ended = p->ends > 0;
  pthread_mutex_unlock(&p->mutex);
  return ended;
}

void probe_run(struct probe *p) {
  probe_start(p);
  probe_wait_end(p);
}

struct fetch *probe_fetch_new(unsigned connections) {
  struct fetch *f = NULL;
  const struct fetch_config config = {.name = "fetch", .max_connections = connections, .user_agent = "probe/1"};
  enum err e = fetch_new(&config, &f);
  assert(e == OK);
  (void)e;
  return f;
}

struct call {
  void (*fn)(void *arg);
  void *arg;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool done;
};

static void run_call(void *arg) {
  struct call *call = arg;
  call->fn(call->arg);
  pthread_mutex_lock(&call->mutex);
  call->done = true;
  pthread_cond_signal(&call->changed);
  pthread_mutex_unlock(&call->mutex);
}

void probe_on_thread(struct fetch *f, void (*fn)(void *arg), void *arg) {
  struct call call = {fn, arg, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
  enum err e = fetch_post(f, run_call, &call);
  assert(e == OK);
  (void)e;
  pthread_mutex_lock(&call.mutex);
  while (!call.done) pthread_cond_wait(&call.changed, &call.mutex);
  pthread_mutex_unlock(&call.mutex);
}

bool probe_owns_time(void) {
  int64_t before = clock_mono_ms();
  clock_test_advance_ms(1000000);
  bool is_ours = clock_mono_ms() - before >= 1000000;
  if (!is_ours) printf("# skipped: the build has no test hooks\n");
  return is_ours;
}
