/* verify_repair.c - repairs a finding by an event of the recording (domain/recording.def).
 *
 * Invariants
 *  (1) A row changes only if its version is the one that was compared, in one transaction with the change of its file.
 *  (2) A recording becomes missing only while the volume is the one that the database knows.
 *  (3) No file is deleted: a damaged file is renamed. */
#include <stdio.h>
#include <string.h>

#include "audio/audio.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "cmd/verify/verify_parts.h"
#include "db/db_clock.h"
#include "domain/queue.h"
#include "domain/recording_log.h"
#include "domain/store.h"
#include "work/fill_found.h"

enum { TRIES = 6 };

struct move {
  struct verify *v;
  const struct recording *row; /* as it was compared */
  const char *set_aside;       /* the name of a file to rename to .bad, or NULL */
  struct recording_event event;
  bool done;
};

static enum err repair_run_move(struct db *db, void *arg) {
  struct move *m = arg;
  struct recording row;
  struct recording_outcome outcome;
  struct str sid = str_from(m->row->recording_sid);
  m->done = false;
  enum err e = recordings_get(db, m->row->business_id, sid, &row);
  if (e == ERR_NOT_FOUND || (e == OK && row.version != m->row->version)) return OK; /* (1) */
  TRY(e);
  if (m->set_aside) TRY(fill_set_file_aside(m->v->store, &row, m->set_aside)); /* (3) */
  TRY(queue_apply(db, row.business_id, sid, &m->event, db_now_ms(db), &row, &outcome));
  m->done = outcome.moved;
  return OK;
}

/* Retries while the database is locked: a server may be writing. */
static enum err repair_apply(struct move *m) {
  enum err e = ERR_BUSY;
  for (int i = 0; i < TRIES && e == ERR_BUSY; i++) e = app_write(&m->v->app, repair_run_move, m);
  return e;
}

enum err verify_give_up(struct verify *v, enum verify_kind kind, const struct recording *row, bool *ret_done) {
  char id[STORE_ID_SIZE];
  struct move m = {.v = v, .row = row, .event = {.kind = RECORDING_FILE_GONE}};
  if (kind != VERIFY_MISSING) m.set_aside = row->name;
  TRY(store_known_id(v->app.db, id));
  TRY(store_check(v->store, id, false)); /* (2) */
  TRY(repair_apply(&m));
  if (m.done) log_warn("Recording's file is gone", LOG_RECORDING(row));
  *ret_done = m.done;
  return OK;
}

enum err verify_take(struct verify *v, const struct recording *row, const char *name, const struct audio_info *info,
                     const char *sha256, bool *ret_done) {
  uint8_t random[12];
  char hex[2 * sizeof(random) + 1], etag[sizeof(hex) + 2];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), hex);
  (void)snprintf(etag, sizeof(etag), "\"%s\"", hex);
  struct move m = {.v = v, .row = row, .event = {.kind = RECORDING_FOUND}};
  m.event.file = (struct recording_file){.name = str_from(name),
                                         .bytes = info->bytes,
                                         .content_type = str_from(audio_content_type(info->kind)),
                                         .etag = str_from(etag),
                                         .modified_at = db_clock_now_ms() / 1000 * 1000,
                                         .duration_ms = info->duration_ms,
                                         .channels = info->channels,
                                         .sha256 = str_from(sha256),
                                         .peaks = str_of(info->peaks, info->peaks_bytes)};
  TRY(repair_apply(&m));
  *ret_done = m.done;
  return OK;
}
