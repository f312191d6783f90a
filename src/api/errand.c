/* errand.c - a request that goes to the database and comes back to its loop. */
#include "api/errand.h"

#include <assert.h>

#include "base/metric.h"

void errand_begin_for(struct errand *e, struct api_loop *loop, struct http_exchange *x, const struct subject *subject) {
  *e = (struct errand){.api = loop->api, .loop = loop, .x = http_ref(x), .subject = *subject};
}

void errand_begin(struct errand *e, const struct visit *v) {
  errand_begin_for(e, v->loop, v->x, &v->subject);
}

void errand_end(struct errand *e) {
  assert(!e->busy);
  http_unref(TAKE(e->x));
}

static void come_back(struct http_exchange *x, void *arg) {
  struct errand *e = arg;
  (void)x;
  e->busy = false;
  e->back(e);
}

static enum err set_out(struct errand *e, enum err (*act)(struct db *db, struct errand *e),
                        void (*back)(struct errand *e)) {
  assert(!e->busy);
  if (http_gone(e->x)) return ERR_CLOSED; /* also once the server was drained: nothing new is begun then */
  e->act = act;
  e->back = back;
  e->busy = true;
  return OK;
}

static void look(struct db *db, void *arg) {
  struct errand *e = arg;
  if (db) e->now = db_now_ms(db);
  e->result = db ? e->act(db, e) : ERR_IO;
  http_post(e->x, come_back, e);
}

enum err errand_leave(struct errand *e, void (*back)(struct errand *e)) {
  return set_out(e, NULL, back);
}

void errand_return(struct errand *e, enum err result) {
  e->result = result;
  http_post(e->x, come_back, e);
}

enum err errand_stay(struct errand *e, enum err failed) {
  if (failed == ERR_BUSY) metric_add(METRIC_HTTP_LIMITED, METRIC_LIMIT_QUEUES, 1);
  e->busy = false;
  return failed;
}

enum err errand_look(struct errand *e, enum err (*act)(struct db *db, struct errand *e),
                     void (*back)(struct errand *e)) {
  TRY(set_out(e, act, back));
  enum err failed = db_readers_run(e->api->parts.readers, e->subject.business_id, look, e);
  return failed == OK ? OK : errand_stay(e, failed);
}

static enum err write_run(struct db *db, void *arg) {
  struct errand *e = arg;
  e->now = db_now_ms(db);
  return e->act(db, e);
}

static void write_done(void *arg, enum err result) {
  struct errand *e = arg;
  e->result = result;
  if (result == OK && !e->keeps_catalog) catalog_changed(e->api, e->subject.business_id);
  http_post(e->x, come_back, e);
}

enum err errand_write(struct errand *e, enum err (*act)(struct db *db, struct errand *e),
                      void (*back)(struct errand *e)) {
  TRY(set_out(e, act, back));
  enum err failed = db_writer_submit(e->api->parts.writer, (struct db_job){.run = write_run, .done = write_done, .arg = e});
  return failed == OK ? OK : errand_stay(e, failed);
}
