/* remover.c - rounds on the disk pool: takes tasks of removed files, deletes the files, ends the tasks.
 *
 *   tick --due--> remover_run (disk pool)
 *                   writer: claim up to BATCH tasks --> delete the files --> writer: end the tasks, END_PART a job, or postpone
 *                           those that failed
 *                   writer: a part of the retention's round, when one is due; a part of what holds have yet to mark
 *                 --> the next round after a pause as long as the round, at most PAUSE_MAX_MS; after a second if there is no work
 *
 * Invariants
 *  (1) At most one round runs. Only it touches struct batch, turn and round.
 *  (2) A part loses its name before the recording's files do: publishing needs the part's name, so no fill can publish a file
 *      behind the removal.
 *  (3) A task ends only after its files' directories were synced. */
#include "work/remover.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "domain/erasure.h"
#include "domain/forgetting.h"
#include "domain/part.h"
#include "domain/removal_mark.h"
#include "ledger/holds.h"
#include "ledger/notes.h"
#include "ledger/tasks.h"
#include "ledger/transcript_terms.h"
#include "ledger/transcripts.h"
#include "speech/speech_content.h"
#include "work/remover_provider.h"

enum {
  PROVIDER_NEVER_MS = 60 * 1000,
  BATCH = 100,
  BATCH_LEAST = 5,
  BATCH_QUICK_MS = 1000, /* deleting a batch's files: the next is larger if it took less, ... */
  BATCH_SLOW_MS = 5000,  /* ... smaller if it took longer: it must end within the tasks' lease */
  END_PART = 40,
  EXPIRE_PARTS = 5, /* of a round */
  MAINTAIN = 50,
  EVERY_MS = 1000,
  PAUSE_MAX_MS = 100,
  RETENTION_EVERY_MS = 60 * 1000,
  METADATA_EVERY_MS = 10 * 60 * 1000,
  FAILED_AGAIN_MS = 30 * 1000,
  CUT_LATEST_MS = 60 * 1000,
  CUT_AGAIN_MS = 5 * 1000,
  MARK_CALLS = 4,
  NOTES_PART = 5, /* of each recording: END_PART of them are within a job's rows; so are ... */
  TRANSCRIPTS_PART = 3,
};

struct removing {
  struct task task;
  struct recording row;
  enum err e; /* of deleting its files */
};

struct remover {
  struct remover_parts parts;
  struct fetch *fetch;
  struct remover_provider *provider;
  char owner[40];
  atomic_bool running, woken;
  atomic_bool stopped;
  int64_t next_ms; /* mono: the next round */
  /* of the running round (1) */
  struct removing batch[BATCH];
  int count, most; /* of the batch; as many as the next one may have */
  int ended;       /* how many of the batch's tasks are ended */
  int64_t mark;    /* the round's number: domain/removal_mark.h */
  struct tasks_turn turn;
  struct retention_round round;
  int64_t retention_at_ms; /* wall clock: the next round of all businesses begins then */
  int expired;
  bool has_expired; /* this round, some recording */
  bool more_due, more_marks, more_erasures, more_metadata, more_to_forget;
  struct forgetting forgetting;
  bool has_removed;                          /* and the database's log may still have what was deleted */
  bool search_waits;                         /* terms of transcripts were left when the log was cut */
  int64_t cut_at_ms;                         /* mono: the log is cut then, also while there is work */
  int64_t metadata_at_ms, metadata_business; /* as retention_at_ms; the business that was looked at last */
  int64_t erasure_id;                        /* served last */
  atomic_int_least64_t pause_ms;
};

/* ---- on the writer ---- */

static enum err remover_claim(struct db *db, void *arg) {
  struct remover *r = arg;
  int64_t now = db_now_ms(db);
  r->count = 0;
  TRY(tasks_maintain(db, now, MAINTAIN));
  for (int i = 0; i < r->most; i++) {
    struct removing *x = &r->batch[r->count];
    enum err e = tasks_claim(db, TASK_REMOVE, BATCH, &r->turn, str_from(r->owner), now, &x->task);
    if (e == ERR_NOT_FOUND) return OK;
    TRY(e);
    e = recordings_get(db, x->task.business_id, str_from(x->task.recording_sid), &x->row);
    if (e != OK && e != ERR_NOT_FOUND) return e;
    if (e == ERR_NOT_FOUND || x->row.status != RECORDING_EXPIRED)
      TRY(tasks_end(db, &x->task)); /* its business was purged */
    else
      r->count++;
  }
  return OK;
}

static enum err remover_end_one(struct db *db, const struct removing *x, int64_t now) {
  if (x->e != OK) return tasks_postpone(db, &x->task, now + FAILED_AGAIN_MS, str_from(err_text(x->e)));
  bool more_notes, more;
  struct str sid = str_from(x->task.recording_sid);
  TRY(notes_expire(db, x->task.business_id, sid, NOTES_PART, &more_notes));
  TRY(transcripts_remove(db, x->task.business_id, sid, TRANSCRIPTS_PART, &more));
  if (more_notes || more) return tasks_postpone(db, &x->task, now, STR_NONE);
  if (x->task.again_at > now) return tasks_postpone(db, &x->task, x->task.again_at, STR_NONE);
  return tasks_end(db, &x->task);
}

static int remover_end_of_part(const struct remover *r) {
  return r->count - r->ended < END_PART ? r->count : r->ended + END_PART;
}

static enum err remover_end_part(struct db *db, void *arg) {
  struct remover *r = arg;
  int64_t now = db_now_ms(db);
  for (int i = r->ended; i < remover_end_of_part(r); i++) {
    enum err e = remover_end_one(db, &r->batch[i], now);
    if (e != OK && e != ERR_CONFLICT) return e; /* CONFLICT: another process has the task now, and does the same */
  }
  return OK;
}

static enum err remover_count_round(struct db *db, void *arg) {
  return removal_mark_count(db, &((struct remover *)arg)->mark);
}

static enum err remover_expire_part(struct db *db, void *arg) {
  struct remover *r = arg;
  return removal_retention_part(db, &r->parts.retention, &r->round, db_now_ms(db), &r->expired, &r->more_due);
}

static enum err remover_mark_part(struct db *db, void *arg) {
  struct remover *r = arg;
  return holds_mark_part(db, MARK_CALLS, &r->more_marks);
}

static enum err remover_erase_part(struct db *db, void *arg) {
  struct remover *r = arg;
  return erasure_part(db, speech_content_without, &r->erasure_id, db_now_ms(db), &r->more_erasures);
}

static enum err remover_metadata_part(struct db *db, void *arg) {
  struct remover *r = arg;
  return erasure_begin_retention(db, r->parts.retention.days, &r->metadata_business, db_now_ms(db), &r->more_metadata);
}

static enum err remover_forget_part(struct db *db, void *arg) {
  struct remover *r = arg;
  return forgetting_part(db, &r->forgetting, clock_mono_ms(), &r->more_to_forget);
}

static enum err remover_cut_log(struct db *db, void *arg) {
  struct remover *r = arg;
  db_forget_later(db);
  return transcript_terms_are_due(db, &r->search_waits);
}

static enum err remover_write(struct remover *r, enum err (*run)(struct db *db, void *arg)) {
  struct db_job job = {.name = METRIC_JOB_REMOVE, .class = DB_CLASS_UPKEEP, .run = run, .arg = r};
  return db_writer_call(r->parts.writer, job);
}

/* ---- on the disk pool ---- */

static enum err remover_delete_parts(const struct remover *r, const struct recording *row) {
  struct part_owner owner;
  part_owner_of(row, &owner);
  return blob_sweep_below(r->parts.store, &owner.blob, row->lease_token + 1);
}

/* Rows with neighbouring files come one after the other, so that a directory is synced once. */
static int compare_stems(const void *a, const void *b) {
  return strcmp(((const struct removing *)a)->row.stem, ((const struct removing *)b)->row.stem);
}

static void remover_delete_files(struct remover *r) {
  qsort(r->batch, (size_t)r->count, sizeof(r->batch[0]), compare_stems);
  struct blob_stem stems[BATCH];
  int n = 0;
  for (int i = 0; i < r->count; i++) {
    struct removing *x = &r->batch[i];
    x->e = remover_delete_parts(r, &x->row); /* (2) */
    if (x->e == ERR_NOT_FOUND) x->e = OK;
    if (x->e == OK && x->row.stem[0]) stems[n++] = (struct blob_stem){x->row.stem, x->row.lease_token};
  }
  enum err e = blob_delete_stems(r->parts.store, stems, (size_t)n);
  for (int i = 0; i < r->count; i++)
    if (r->batch[i].e == OK) r->batch[i].e = e; /* (3) */
}

static void remover_log(struct remover *r) {
  int failed = 0;
  for (int i = 0; i < r->count; i++) failed += r->batch[i].e != OK;
  metric_add(METRIC_REMOVALS, METRIC_REMOVAL_DONE, r->count - failed);
  metric_add(METRIC_REMOVALS, METRIC_REMOVAL_FAILED, failed);
  if (r->count - failed) log_info("Files of expired recordings removed", LOG_INT("count", r->count - failed));
  if (failed) log_error("Could not remove the files of expired recordings", LOG_INT("count", failed));
}

/* The files of a batch must be gone well within its lease, however slow the volume is. */
static void remover_adapt_batch(struct remover *r, int64_t took_ms) {
  if (took_ms < BATCH_QUICK_MS && r->count == r->most) r->most = r->most * 2 < BATCH ? r->most * 2 : BATCH;
  if (took_ms > BATCH_SLOW_MS) r->most = r->most / 2 > BATCH_LEAST ? r->most / 2 : BATCH_LEAST;
}

static enum err remover_remove(struct remover *r) {
  TRY(remover_write(r, remover_claim));
  if (!r->count) return OK;
  int64_t began = clock_mono_ms();
  remover_delete_files(r);
  remover_adapt_batch(r, clock_mono_ms() - began);
  remover_log(r);
  for (r->ended = 0; r->ended < r->count; r->ended = remover_end_of_part(r)) TRY(remover_write(r, remover_end_part));
  TRY(remover_write(r, remover_count_round));
  IGNORE(removal_mark_write(r->parts.store, r->mark)); /* the next round writes a higher number */
  return OK;
}

static enum err remover_expire(struct remover *r) {
  int64_t now = clock_now_ms();
  int expired = 0;
  bool is_due = now >= r->retention_at_ms || r->retention_at_ms > now + RETENTION_EVERY_MS;
  r->has_expired = false;
  if (!r->more_due && !is_due) return OK;
  for (int i = 0; i < EXPIRE_PARTS && (i == 0 || (r->more_due && r->expired)); i++) {
    TRY(remover_write(r, remover_expire_part));
    expired += r->expired;
  }
  if (is_due) r->retention_at_ms = now + RETENTION_EVERY_MS;
  r->has_expired = expired > 0;
  if (expired) log_info("Recordings expired", LOG_INT("count", expired), LOG_TEXT("why", "retention"));
  return OK;
}

/* Begins the erasure of calls whose time is over. */
static enum err remover_begin_metadata(struct remover *r) {
  int64_t now = clock_now_ms();
  bool is_due = now >= r->metadata_at_ms || r->metadata_at_ms > now + METADATA_EVERY_MS;
  if (!r->more_metadata && !is_due) return OK;
  TRY(remover_write(r, remover_metadata_part));
  r->metadata_at_ms = now + METADATA_EVERY_MS;
  return OK;
}

/* Behind the last of what was removed: notes and transcripts are in the database's log, too. The terms of transcripts go
 * later, so the log is cut again behind that. */
static enum err remover_forget_log(struct remover *r) {
  int64_t now = clock_mono_ms();
  if (r->count && !r->has_removed) r->cut_at_ms = now + CUT_LATEST_MS;
  r->has_removed = r->has_removed || r->count;
  if (!r->has_removed || ((r->count || r->more_due || r->search_waits) && now < r->cut_at_ms)) return OK;
  TRY(remover_write(r, remover_cut_log));
  r->has_removed = r->search_waits;
  r->cut_at_ms = now + CUT_AGAIN_MS;
  return OK;
}

static enum err remover_round(struct remover *r) {
  TRY(remover_remove(r));
  TRY(remover_expire(r));
  TRY(remover_forget_log(r));
  TRY(remover_begin_metadata(r));
  TRY(remover_write(r, remover_erase_part));
  TRY(remover_write(r, remover_forget_part));
  return remover_write(r, remover_mark_part);
}

static void remover_run(void *arg, unsigned worker) {
  struct remover *r = arg;
  int64_t began = clock_mono_ms();
  (void)worker;
  enum err e = remover_round(r);
  if (e != OK && e != ERR_CLOSED) log_warn("Could not remove expired recordings", LOG_ERR(e));
  bool more = e == OK && (r->count > 0 || r->has_expired || r->more_due || r->more_marks || r->more_erasures ||
                          r->more_metadata || r->more_to_forget);
  int64_t took = clock_mono_ms() - began;
  atomic_store(&r->pause_ms, !more ? EVERY_MS : took < PAUSE_MAX_MS ? took + 1 : PAUSE_MAX_MS);
  atomic_store(&r->running, false);
  fetch_wake(r->fetch);
}

/* ---- on the worker's thread ---- */

static int64_t remover_start_round(struct remover *r, int64_t mono_ms) {
  if (atomic_load(&r->running)) return EVERY_MS; /* remover_run wakes the thread */
  int64_t pause_ms = atomic_exchange(&r->pause_ms, 0);
  if (pause_ms) r->next_ms = mono_ms + pause_ms;
  bool woken = atomic_load(&r->woken) && pause_ms == EVERY_MS;
  if (mono_ms < r->next_ms && !woken && !(atomic_load(&r->woken) && r->next_ms - mono_ms > EVERY_MS / 2))
    return r->next_ms - mono_ms;
  atomic_store(&r->woken, false);
  r->next_ms = mono_ms + EVERY_MS;
  atomic_store(&r->running, true);
  if (pool_run(r->parts.disk, remover_run, r) != OK) atomic_store(&r->running, false);
  return EVERY_MS;
}

int64_t remover_tick(struct remover *r, const struct access_snapshot *snapshot, bool may_remove, int64_t mono_ms) {
  if (atomic_load(&r->stopped)) return EVERY_MS;
  int64_t wait =
      r->parts.keeps_provider_copies ? PROVIDER_NEVER_MS : remover_provider_tick(r->provider, snapshot, mono_ms);
  int64_t to_round = may_remove ? remover_start_round(r, mono_ms) : EVERY_MS;
  return to_round < wait ? to_round : wait;
}

void remover_wake(struct remover *r) {
  atomic_store(&r->woken, true);
  if (r->fetch) fetch_wake(r->fetch);
}

void remover_stop(struct remover *r) {
  if (atomic_exchange(&r->stopped, true)) return;
  remover_provider_stop(r->provider);
}

bool remover_is_idle(const struct remover *r) {
  return !atomic_load(&r->running) && remover_provider_is_idle(r->provider);
}

enum err remover_new(const struct remover_parts *parts, struct remover **ret_remover) {
  struct remover *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  r->parts = *parts;
  r->most = BATCH / 4;
  enum err e = str_copy(r->owner, sizeof(r->owner), str_from(parts->owner));
  if (e == OK) e = remover_provider_new(parts->writer, parts->provider, r->owner, &r->provider);
  if (e == OK)
    *ret_remover = r;
  else
    remover_free(r);
  return e;
}

void remover_begin(struct remover *r, struct fetch *fetch) {
  r->fetch = fetch;
  remover_provider_begin(r->provider, fetch);
}

struct remover *remover_free(struct remover *r) {
  if (!r) return NULL;
  r->provider = remover_provider_free(r->provider);
  free(r);
  return NULL;
}
