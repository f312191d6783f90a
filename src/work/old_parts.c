/* old_parts.c - walks the store once, in pieces, for parts of an earlier release.
 *
 *   UNREAD  --the setting WALKED names a business, or is missing--> WALKING   [old_parts_read_progress]
 *   UNREAD  --WALKED is "all": a process has walked it before-----> DONE      [old_parts_read_progress]
 *   WALKING --the last business is done---------------------------> DONE      [old_parts_walk]
 *   WALKING --a piece failed--------------------------------------> UNREAD    [old_parts_run]
 *
 * A piece reads at most ENTRIES directory entries, one business after the other in the order of their ids. WALKED says up
 * to which business all is done: after a restart the walk continues with the next one.
 *
 * Invariants
 *  (1) At most one piece is under way. Only it touches the members below `done`.
 *  (2) A part is removed only if it was not needed after the walk saw it: see domain/part.h.
 *  (3) WALKED names a business only after every part that was found in its directory was removed or found to be needed. */
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

enum { ENTRIES = 2000, BATCH = 100, IDS = 200 };

#define WALKED "old_parts_walked" /* an id: the businesses up to it are done; or "all" */

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
  atomic_bool done; /* no further piece is needed */
  enum old_parts_state state;
  int64_t walked;         /* the businesses up to this one are done */
  int64_t next;           /* the business after it; 0: there is none */
  int64_t ids[IDS];       /* read ahead: next is one of them */
  size_t id_count, id_at; /* how many there are, and how many were taken */
  struct blob_walk *walk; /* in the directory of next; NULL: not begun */
  struct old_part batch[BATCH];
  size_t count;
  int64_t removed;
};

static enum err old_parts_call_writer(struct old_parts *o, enum err (*run)(struct db *db, void *arg)) {
  return db_writer_call(o->writer, (struct db_job){.name = METRIC_JOB_SWEEP, .run = run, .arg = o});
}

/* ---- on the writer ---- */

static enum err old_parts_read_progress(struct db *db, void *arg) {
  struct old_parts *o = arg;
  struct buf b CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  uint64_t id = 0;
  enum err e = settings_get(db, NULL, WALKED, &b);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  bool all = e == OK && str_eq(buf_str(&b), STR("all"));
  if (e == OK && !all && str_to_u64(buf_str(&b), INT64_MAX, &id) != OK)
    id = 0; /* unreadable: start from the beginning */
  o->walked = (int64_t)id;
  o->state = all ? OLD_PARTS_DONE : OLD_PARTS_WALKING;
  return OK;
}

static enum err old_parts_read_ids(struct db *db, void *arg) {
  struct old_parts *o = arg;
  int64_t last = o->walked;
  enum err e = OK;
  o->id_count = o->id_at = 0;
  while (o->id_count < IDS && (e = businesses_next(db, last, &last)) == OK) o->ids[o->id_count++] = last;
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err old_parts_write_progress(struct db *db, void *arg) {
  struct old_parts *o = arg;
  char text[24];
  (void)snprintf(text, sizeof(text), "%lld", (long long)o->walked);
  return settings_put(db, NULL, WALKED, o->state == OLD_PARTS_DONE ? STR("all") : str_from(text));
}

static enum err old_parts_read_needed(struct db *db, void *arg) {
  struct old_parts *o = arg;
  int64_t now = db_now_ms(db);
  for (size_t i = 0; i < o->count; i++) {
    struct old_part *p = &o->batch[i];
    struct recording row;
    struct part_old named;
    p->needed = true;
    if (!part_parse_old(p->name, &named)) continue; /* not a part's name */
    enum err e = recordings_get(db, named.business_id, str_from(named.recording_sid), &row);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    p->needed = part_is_needed(e == OK ? &row : NULL, named.token, now); /* (2) */
  }
  return OK;
}

/* ---- on the disk pool ---- */

static enum err old_parts_remove_unneeded(struct old_parts *o) {
  if (o->count == 0) return OK;
  TRY(old_parts_call_writer(o, old_parts_read_needed));
  for (size_t i = 0; i < o->count; i++)
    if (!o->batch[i].needed && blob_delete(o->store, o->batch[i].name) == OK) o->removed++;
  o->count = 0;
  return OK;
}

static enum err old_parts_add_file(void *arg, const char *name, int64_t size, bool is_part) {
  struct old_parts *o = arg;
  (void)size;
  if (!is_part || str_copy(o->batch[o->count].name, sizeof(o->batch->name), str_from(name)) != OK) return OK;
  return ++o->count == BATCH ? old_parts_remove_unneeded(o) : OK;
}

/* Opens the directory of the next business. *ret_there: it has one. */
static enum err old_parts_open_next(struct old_parts *o, bool *ret_there) {
  char directory[24];
  if (o->id_at == o->id_count) TRY(old_parts_call_writer(o, old_parts_read_ids));
  o->next = o->id_at < o->id_count ? o->ids[o->id_at++] : 0;
  *ret_there = false;
  if (o->next == 0) return OK;
  (void)snprintf(directory, sizeof(directory), "%lld", (long long)o->next);
  enum err e = blob_walk_new(o->store, directory, &o->walk);
  *ret_there = e == OK;
  return e == ERR_NOT_FOUND || e == ERR_INVALID ? OK : e; /* a link is not followed */
}

/* *entries: how many the piece may still read. */
static enum err old_parts_walk(struct old_parts *o, int64_t *entries) {
  bool there = o->walk;
  if (!there) TRY(old_parts_open_next(o, &there));
  if (o->next == 0) {
    o->state = OLD_PARTS_DONE;
    return OK;
  }
  --*entries; /* a business without a directory counts as one entry */
  enum err e = there ? blob_walk_on(o->walk, entries, old_parts_add_file, o) : ERR_NOT_FOUND;
  if (e != ERR_NOT_FOUND) return e;
  TRY(old_parts_remove_unneeded(o)); /* (3) */
  o->walk = blob_walk_free(o->walk);
  o->walked = o->next;
  return OK;
}

static enum err old_parts_run_piece(struct old_parts *o) {
  int64_t entries = ENTRIES;
  if (o->state == OLD_PARTS_UNREAD) TRY(old_parts_call_writer(o, old_parts_read_progress));
  enum old_parts_state before = o->state;
  int64_t walked = o->walked;
  while (entries > 0 && o->state == OLD_PARTS_WALKING) TRY(old_parts_walk(o, &entries));
  TRY(old_parts_remove_unneeded(o));
  return o->state != before || o->walked != walked ? old_parts_call_writer(o, old_parts_write_progress) : OK;
}

static void old_parts_run(void *arg, unsigned worker) {
  struct old_parts *o = arg;
  (void)worker;
  enum err e = old_parts_run_piece(o);
  if (e != OK) { /* the next tick starts this business again */
    o->walk = blob_walk_free(o->walk);
    o->count = o->id_count = o->id_at = 0;
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
  if (pool_run(o->disk, old_parts_run, o) != OK) atomic_store(&o->running, false);
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
