/* import_write.c - makes the recordings of files ready, in transactions of a bounded number of rows.
 *
 * Invariants
 *  (1) A recording without a row is written as a delivery of what is known, with its file: one insert.
 *  (2) On a server such files go in sets, which keep out others of the same businesses only. A set that fails is written file by
 *      file.
 *  (3) A row that another process wrote meanwhile is moved like any row that was known before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "cmd/import/import_parts.h"
#include "db/db_writer.h"
#include "domain/intake.h"
#include "domain/queue.h"

enum { ROWS_OF_A_FILE = 60 /* at most */, ROWS_OF_A_JOB = DB_JOB_ROWS - ROWS_OF_A_FILE, SET_MAX = 40 };

/* A file on its way into the database. */
struct import_row {
  struct import_file *file;
  struct recording_event event;
  char etag[RECORDING_ETAG_SIZE], started[32];
  struct intake_result result;
  struct delivery delivery;
};

struct import_writing {
  struct import_file *files;
  size_t count, from, reached; /* a part begins at `from` */
  struct import_row *rows;     /* owned; SET_MAX of them */
  int set_count;
};

static void add_field(struct delivery_part *part, const char *name, struct str value) {
  if (value.n) part->fields[part->count++] = (struct delivery_field){.name = str_from(name), .value = value};
}

/* The delivery of a recording that has no row: its SID, its call, when it was made, and its file. (1) */
static void make_delivery(struct import_row *r) {
  const struct delivery_rank lowest = {.sequence = -1, .timestamp_ms = -1, .status_order = -1};
  const struct recording *row = &r->file->row;
  struct delivery *d = &r->delivery;
  d->business_id = row->business_id;
  d->call_sid = str_from(row->call_sid);
  d->recording_sid = str_from(row->recording_sid);
  d->received_ms = r->file->modified_ms;
  d->is_backfill = true;
  d->dropped = 0;
  d->found = &r->event;
  d->call.rank = d->recording.rank = lowest;
  d->call.count = d->recording.count = 0;
  add_field(&d->recording, RECORDING_FIELD_CALL, d->call_sid);
  (void)snprintf(r->started, sizeof(r->started), "%lld", (long long)row->started_at);
  if (row->started_at) add_field(&d->recording, RECORDING_FIELD_STARTED, str_from(r->started));
}

static enum err make_etag(char ret_etag[RECORDING_ETAG_SIZE]) {
  uint8_t random[12];
  char hex[2 * sizeof(random) + 1];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), hex);
  (void)snprintf(ret_etag, RECORDING_ETAG_SIZE, "\"%s\"", hex);
  return OK;
}

static enum err row_make(struct import_row *r, struct import_file *f) {
  r->file = f;
  r->result.is_ready = false;
  TRY(make_etag(r->etag));
  r->event = (struct recording_event){.kind = RECORDING_FOUND, .stem = str_from(f->stem)};
  r->event.file = (struct recording_file){.name = str_from(f->name),
                                          .bytes = f->info.bytes,
                                          .content_type = str_from(audio_content_type(f->info.kind)),
                                          .etag = str_from(r->etag),
                                          .modified_at = f->modified_ms / 1000 * 1000,
                                          .duration_ms = f->info.duration_ms,
                                          .channels = f->info.channels,
                                          .sha256 = str_from(f->sha256),
                                          .peaks = str_of(f->info.peaks, f->info.peaks_bytes)};
  if (f->is_new) make_delivery(r);
  return OK;
}

static enum err row_move(struct db *db, struct import_row *r) {
  struct recording row;
  struct recording_outcome outcome;
  struct import_file *f = r->file;
  TRY(queue_apply(db, f->row.business_id, str_from(f->row.recording_sid), &r->event, db_now_ms(db), &row, &outcome));
  if (!outcome.moved) f->why = row.status == RECORDING_READY ? IMPORT_ALREADY : IMPORT_BUSY;
  return OK;
}

static bool is_done(const struct import_file *f) {
  return f->why || f->is_written;
}

static size_t next_unwritten(const struct import_writing *w, size_t from) {
  while (from < w->count && is_done(&w->files[from])) from++;
  return from;
}

static enum err write_part(struct db *db, void *arg) {
  struct import_writing *w = arg;
  int64_t before = db_touched(db);
  size_t i = w->from;
  for (; i < w->count && db_touched(db) - before < ROWS_OF_A_JOB; i++) {
    struct import_row *r = &w->rows[0];
    if (is_done(&w->files[i])) continue;
    TRY(row_make(r, &w->files[i]));
    if (r->file->is_new) TRY(intake_run(db, &r->delivery, db_now_ms(db), &r->result));
    if (!r->result.is_ready) TRY(row_move(db, r)); /* (3) */
  }
  w->reached = i;
  return OK;
}

/* ---- sets ---- */

static enum err files_write_set(struct db *db, void *arg) {
  struct import_writing *w = arg;
  const struct delivery *deliveries[SET_MAX];
  struct intake_result *results[SET_MAX];
  for (int i = 0; i < w->set_count; i++) {
    deliveries[i] = &w->rows[i].delivery;
    results[i] = &w->rows[i].result;
  }
  return intake_run_set(db, deliveries, w->set_count, db_now_ms(db), results);
}

/* Writes the next files that have no row. */
static enum err write_next_set(struct import *im, struct import_writing *w) {
  int64_t ids[SET_MAX];
  size_t i = w->from;
  w->set_count = 0;
  for (; i < w->count && w->set_count < SET_MAX; i++) {
    if (w->files[i].why || !w->files[i].is_new) continue;
    ids[w->set_count] = w->files[i].row.business_id;
    TRY(row_make(&w->rows[w->set_count++], &w->files[i]));
  }
  w->reached = i;
  return w->set_count ? app_write_of(&im->app, ids, w->set_count, files_write_set, w) : OK;
}

/* (2) */
static void write_sets(struct import *im, struct import_writing *w) {
  for (w->from = 0; w->from < w->count; w->from = w->reached) {
    if (write_next_set(im, w) != OK) continue;
    for (int i = 0; i < w->set_count; i++) w->rows[i].file->is_written = w->rows[i].result.is_ready;
  }
}

enum err import_write(struct import *im, struct import_file *files, size_t count) {
  struct import_writing w = {.files = files, .count = count, .rows = calloc(SET_MAX, sizeof(struct import_row))};
  enum err e = w.rows ? OK : ERR_NOMEM;
  for (size_t i = 0; i < count; i++) files[i].is_written = false;
  if (e == OK && db_kind(im->app.db) == DB_POSTGRES) write_sets(im, &w);
  for (w.from = next_unwritten(&w, 0); e == OK && w.from < count; w.from = next_unwritten(&w, w.reached))
    e = app_write(&im->app, write_part, &w);
  free(w.rows);
  return e;
}
