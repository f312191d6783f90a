/* old_parts.c - the store is walked once, in pieces that slow nobody down.
 *
 *   UNREAD --how far it was, or the start--> WALKING --the last business is done--> DONE
 *             UNREAD --it was done before, by any process--> DONE
 *
 * A piece looks at ENTRIES entries of directories at most, one business after the other in the order of their ids; the setting
 * WALKED says which of them are done. Who is restarted goes on with the one that was not.
 *
 * Invariants
 *  (1) At most one piece is under way; only it touches the members below.
 *  (2) A part is removed only if it was not needed after it was seen: see domain/part.h.
 *  (3) WALKED names a business only after every part that was found in its directory was settled. */
#include "work/old_parts.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "domain/part.h"
#include "ledger/businesses.h"
#include "ledger/settings.h"

enum { ENTRIES = 2000, BATCH = 100 };

#define WALKED "old_parts_walked" /* the id of a business: it and those below are done; "all" */

enum old_parts_state { OLD_PARTS_UNREAD, OLD_PARTS_WALKING, OLD_PARTS_DONE };

struct old_part {
  char name[BLOB_NAME_SIZE + 32];
  bool needed;
};

struct old_parts {
  struct blob_store *store;
  struct db_writer *writer;
  struct pool *disk;
  atomic_bool running;
  atomic_bool done; /* nothing is left to start a piece for */
  enum old_parts_state state;
  int64_t walked;         /* businesses up to that one are done */
  int64_t next;           /* the one after; 0: there is none */
  struct blob_walk *walk; /* of next's directory; NULL: not begun */
  struct old_part batch[BATCH];
  size_t count;
  int64_t removed;
};

static enum err ask(struct old_parts *o, enum err (*run)(struct db *db, void *arg)) {
  return db_writer_call(o->writer, (struct db_job){.name = METRIC_JOB_SWEEP, .run = run, .arg = o});
}

/* ---- on the writer ---- */

static enum err read_walked(struct db *db, void *arg) {
  struct old_parts *o = arg;
  struct buf b CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  uint64_t id = 0;
  enum err e = settings_get(db, NULL, WALKED, &b);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  bool all = e == OK && str_eq(buf_str(&b), STR("all"));
  if (e == OK && !all && str_to_u64(buf_str(&b), INT64_MAX, &id) != OK) id = 0; /* then from the start */
  o->walked = (int64_t)id;
  o->state = all ? OLD_PARTS_DONE : OLD_PARTS_WALKING;
  return OK;
}

static enum err read_next(struct db *db, void *arg) {
  struct old_parts *o = arg;
  enum err e = businesses_next(db, o->walked, &o->next);
  if (e == ERR_NOT_FOUND) o->next = 0;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err write_walked(struct db *db, void *arg) {
  struct old_parts *o = arg;
  char text[24];
  (void)snprintf(text, sizeof(text), "%lld", (long long)o->walked);
  return settings_put(db, NULL, WALKED, o->state == OLD_PARTS_DONE ? STR("all") : str_from(text));
}

static enum err ask_owners(struct db *db, void *arg) {
  struct old_parts *o = arg;
  int64_t now = db_now_ms(db);
  for (size_t i = 0; i < o->count; i++) {
    struct old_part *p = &o->batch[i];
    struct recording row;
    struct part_old named;
    p->needed = true;
    if (!part_parse_old(p->name, &named)) continue; /* none of ours */
    enum err e = recordings_get(db, named.business_id, str_from(named.recording_sid), &row);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    p->needed = part_is_needed(e == OK ? &row : NULL, named.token, now); /* (2) */
  }
  return OK;
}

/* ---- on the disk pool ---- */

static enum err settle(struct old_parts *o) {
  if (o->count == 0) return OK;
  TRY(ask(o, ask_owners));
  for (size_t i = 0; i < o->count; i++)
    if (!o->batch[i].needed && blob_delete(o->store, o->batch[i].name) == OK) o->removed++;
  o->count = 0;
  return OK;
}

static enum err see(void *arg, const char *name, int64_t size, bool is_part) {
  struct old_parts *o = arg;
  (void)size;
  if (!is_part || str_copy(o->batch[o->count].name, sizeof(o->batch->name), str_from(name)) != OK) return OK;
  return ++o->count == BATCH ? settle(o) : OK;
}

/* Begins with the directory of the next business. *ret_there: it has one. */
static enum err begin_next(struct old_parts *o, bool *ret_there) {
  char directory[24];
  TRY(ask(o, read_next));
  *ret_there = false;
  if (o->next == 0) return OK;
  (void)snprintf(directory, sizeof(directory), "%lld", (long long)o->next);
  enum err e = blob_walk_new(o->store, directory, &o->walk);
  *ret_there = e == OK;
  return e == ERR_NOT_FOUND || e == ERR_INVALID ? OK : e; /* a link of that name is none of ours */
}

/* *entries: how many may still be looked at. */
static enum err walk_on(struct old_parts *o, int64_t *entries) {
  bool there = o->walk;
  if (!there) TRY(begin_next(o, &there));
  if (o->next == 0) {
    o->state = OLD_PARTS_DONE;
    return OK;
  }
  --*entries; /* a business without a directory costs something as well */
  enum err e = there ? blob_walk_on(o->walk, entries, see, o) : ERR_NOT_FOUND;
  if (e != ERR_NOT_FOUND) return e;
  TRY(settle(o)); /* (3) */
  o->walk = blob_walk_free(o->walk);
  o->walked = o->next;
  return OK;
}

static enum err run_piece(struct old_parts *o) {
  int64_t entries = ENTRIES;
  if (o->state == OLD_PARTS_UNREAD) TRY(ask(o, read_walked));
  enum old_parts_state before = o->state;
  int64_t walked = o->walked;
  while (entries > 0 && o->state == OLD_PARTS_WALKING) TRY(walk_on(o, &entries));
  TRY(settle(o));
  return o->state != before || o->walked != walked ? ask(o, write_walked) : OK;
}

static void run(void *arg, unsigned worker) {
  struct old_parts *o = arg;
  (void)worker;
  enum err e = run_piece(o);
  if (e != OK) { /* the next tick begins with this business anew */
    o->walk = blob_walk_free(o->walk);
    o->count = 0;
    o->state = OLD_PARTS_UNREAD;
  }
  if (e == OK && o->state == OLD_PARTS_DONE) {
    if (o->removed) log_info("Parts removed", LOG_TEXT("of", "an earlier release"), LOG_INT("count", o->removed));
    atomic_store(&o->done, true);
  }
  atomic_store(&o->running, false);
}

void old_parts_tick(struct old_parts *o) {
  if (atomic_load(&o->done) || atomic_exchange(&o->running, true)) return;
  if (pool_run(o->disk, run, o) != OK) atomic_store(&o->running, false);
}

enum err old_parts_new(struct blob_store *store, struct db_writer *writer, struct pool *disk,
                       struct old_parts **ret_old) {
  struct old_parts *o = calloc(1, sizeof(*o));
  if (!o) return ERR_NOMEM;
  o->store = store;
  o->writer = writer;
  o->disk = disk;
  *ret_old = o;
  return OK;
}

struct old_parts *old_parts_free(struct old_parts *o) {
  if (!o) return NULL;
  (void)blob_walk_free(o->walk);
  free(o);
  return NULL;
}
