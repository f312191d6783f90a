/* sweep.c - removes parts that no fill needs any more.
 *
 * A fill removes the older parts of its own recording. Other parts remain, of recordings that are not filled again:
 * failed permanently, found elsewhere, removed. A round reads the directory of parts, which holds only what is being
 * filled, and asks the ledger about them, PARTS_MOST in one job.
 *
 * Invariants
 *  (1) A part is removed only if it was not needed after the sweep saw it: tokens only grow, so it can't become needed
 *      again.
 *  (2) The part of a worker that died keeps its name until its recording's next fill, which opens it, removes the name, and
 *      compares its own bytes with it through the descriptor. */
#include "work/sweep.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/part.h"

enum { PARTS_MOST = DB_JOB_ROWS };

struct part_seen {
  char owner[BLOB_NAME_SIZE];
  int64_t token;
  bool needed;
};

struct sweep {
  struct blob_store *store;
  struct db_writer *writer;
  struct pool *disk;
  atomic_bool running;
  /* of the running round */
  struct part_seen *parts; /* to ask the ledger about */
  size_t count;
  int64_t removed;
};

static enum err sweep_read_needed(struct db *db, void *arg) {
  struct sweep *s = arg;
  int64_t now = db_now_ms(db), business_id;
  char recording_sid[SID_SIZE];
  for (size_t i = 0; i < s->count; i++) {
    struct part_seen *p = &s->parts[i];
    struct recording row;
    p->needed = true;
    if (!part_owner_parse(p->owner, &business_id, recording_sid)) continue; /* not a part's name */
    enum err e = recordings_get(db, business_id, str_from(recording_sid), &row);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    p->needed = part_is_needed(e == OK ? &row : NULL, p->token, now); /* (1), (2) */
  }
  return OK;
}

/* Asks the ledger about the parts collected so far, and removes those that are not needed. */
static enum err sweep_remove_unneeded(struct sweep *s) {
  if (s->count == 0) return OK;
  TRY(db_writer_call(s->writer, (struct db_job){.name = METRIC_JOB_SWEEP, .run = sweep_read_needed, .arg = s}));
  for (size_t i = 0; i < s->count; i++) {
    const struct part_seen *p = &s->parts[i];
    if (!p->needed && blob_remove_part(s->store, p->owner, p->token) == OK) s->removed++;
  }
  s->count = 0;
  return OK;
}

static enum err sweep_add_part(void *arg, const char *owner, int64_t token, int64_t size) {
  struct sweep *s = arg;
  (void)size;
  struct part_seen *p = &s->parts[s->count];
  TRY(str_copy(p->owner, sizeof(p->owner), str_from(owner)));
  p->token = token;
  return ++s->count == PARTS_MOST ? sweep_remove_unneeded(s) : OK;
}

static void sweep_run(void *arg, unsigned worker) {
  struct sweep *s = arg;
  (void)worker;
  s->count = 0;
  s->removed = 0;
  s->parts = calloc(PARTS_MOST, sizeof(*s->parts));
  enum err e = s->parts ? blob_each_part(s->store, sweep_add_part, s) : ERR_NOMEM;
  if (e == OK) IGNORE(sweep_remove_unneeded(s)); /* the next round tries again */
  if (s->removed) log_info("Parts removed", LOG_TEXT("of", "lost fills"), LOG_INT("count", s->removed));
  free(s->parts);
  s->parts = NULL;
  atomic_store(&s->running, false);
}

enum err sweep_new(struct blob_store *store, struct db_writer *writer, struct pool *disk, struct sweep **ret_sweep) {
  struct sweep *s = calloc(1, sizeof(*s));
  if (!s) return ERR_NOMEM;
  s->store = store;
  s->writer = writer;
  s->disk = disk;
  *ret_sweep = s;
  return OK;
}

void sweep_start(struct sweep *s) {
  if (atomic_exchange(&s->running, true)) return;
  if (pool_run(s->disk, sweep_run, s) != OK) atomic_store(&s->running, false);
}

struct sweep *sweep_free(struct sweep *s) {
  free(s);
  return NULL;
}
