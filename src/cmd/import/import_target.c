/* import_target.c - which recording a file of an earlier system is.
 *
 * Invariants
 *  (1) A recording that the file's name or the call's row names is that one.
 *  (2) Else the call's only recording. If it has several, the file is refused.
 *  (3) Else a recording with a SID that is made of business and call, always the same. So a repeated import finds it again.
 *  (4) A server is asked for all files of a batch at once: twice, however many they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "cmd/import/import_parts.h"
#include "domain/queue.h"
#include "ledger/calls_many.h"
#include "ledger/recordings_many.h"
#include "provider/provider.h"

enum { SID_LENGTH = 34 };

/* The SIDs in the file's name: "CA….mp3", "RE….wav", "CA….RE….mp3", "CA…_anything.mp3". */
struct file_sids {
  struct str call, recording;
};

static bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Takes a SID off the beginning of *s. */
static struct str cut_sid(struct str *s) {
  struct str sid = str_head(*s, SID_LENGTH);
  if (sid.n < SID_LENGTH || (s->n > SID_LENGTH && is_hex(s->p[SID_LENGTH]))) return STR_NONE;
  *s = str_skip(*s, SID_LENGTH + 1);
  return sid;
}

static struct file_sids sids_of(const char *path) {
  const char *slash = strrchr(path, '/');
  struct str rest = str_from(slash ? slash + 1 : path);
  struct file_sids s = {STR_NONE, STR_NONE};
  struct str first = cut_sid(&rest);
  if (provider_twilio.is_recording_sid(first)) {
    s.recording = first;
  } else if (provider_twilio.is_call_sid(first)) {
    s.call = first;
    struct str second = cut_sid(&rest);
    if (provider_twilio.is_recording_sid(second)) s.recording = second;
  }
  return s;
}

/* (3) */
static enum err make_sid(int64_t business_id, struct str call_sid, char ret_sid[SID_SIZE]) {
  char text[128], hex[2 * SHA256_SIZE + 1];
  struct digest *d;
  TRY(digest_new(&d));
  int n = snprintf(text, sizeof(text), "%lld.%.*s", (long long)business_id, STR_ARG(call_sid));
  digest_add(d, str_of(text, (size_t)n));
  digest_hex(d, hex);
  digest_free(d);
  (void)snprintf(ret_sid, SID_SIZE, "RE%.32s", hex);
  return OK;
}

/* ---- the recordings of calls ---- */

static enum err note_recording(void *arg, const struct recording *row) {
  struct call_recordings_lookup *lookup = arg;
  if (lookup->count < 2) lookup->count++;
  lookup->row = *row;
  return OK;
}

static enum err read_of_calls(struct db *db, struct call_recordings_lookup *lookups, int count) {
  if (db_kind(db) == DB_POSTGRES) return recordings_many_of_calls(db, lookups, count);
  for (int i = 0; i < count; i++)
    TRY(recordings_of_call(db, lookups[i].business_id, str_from(lookups[i].call_sid), note_recording, &lookups[i]));
  return OK;
}

/* ---- a batch ---- */

/* The rows that are read for a file. */
struct target {
  struct import_file *file;
  struct file_sids sids; /* in its path */
  const struct import_entry *entry;
  bool is_found; /* its row is known from its call */
};
struct targets {
  struct target *list; /* owned, as all below; each has room for count */
  struct call_recordings_lookup *of_calls;
  struct recording_lookup *recordings;
  struct call_lookup *calls;
  int count, of_call_count;
};

static void targets_done(struct targets *t) {
  for (int i = 0; i < t->count; i++) {
    if (t->recordings) buf_done(&t->recordings[i].fields);
    if (t->calls) buf_done(&t->calls[i].fields);
  }
  free(t->list);
  free(t->of_calls);
  free(t->recordings);
  free(t->calls);
}

static enum err targets_allocate(struct targets *t, size_t count) {
  t->list = calloc(count, sizeof(*t->list));
  t->of_calls = calloc(count, sizeof(*t->of_calls));
  t->recordings = calloc(count, sizeof(*t->recordings));
  t->calls = calloc(count, sizeof(*t->calls));
  return t->list && t->of_calls && t->recordings && t->calls ? OK : ERR_NOMEM;
}

/* Reads the file's name. Sets its why and its business. */
static void target_begin(struct import *im, struct import_file *f, struct target *ret_target) {
  struct file_sids s = sids_of(f->path);
  const struct import_entry *entry =
      s.recording.n ? import_index_find_recording(&im->index, s.recording) : import_index_find_call(&im->index, s.call);
  if (!entry && s.recording.n && s.call.n) entry = import_index_find_call(&im->index, s.call);
  f->why = IMPORT_TAKEN;
  memset(&f->row, 0, sizeof(f->row));
  f->row.business_id = entry ? entry->business_id : im->business_id;
  if (!s.call.n && !s.recording.n)
    f->why = IMPORT_NO_SID;
  else if (!f->row.business_id)
    f->why = IMPORT_BUSINESS;
  *ret_target = (struct target){.file = f, .sids = s, .entry = entry};
}

/* (1) */
static struct str target_recording_sid(const struct target *t) {
  return t->sids.recording.n ? t->sids.recording : t->entry ? str_from(t->entry->recording_sid) : STR_NONE;
}

static struct str target_call_sid(const struct target *t) {
  return t->sids.call.n ? t->sids.call : t->entry ? str_from(t->entry->call_sid) : STR_NONE;
}

/* (2) */
static enum err targets_look_at_calls(struct db *db, struct targets *t) {
  for (int i = 0; i < t->count; i++) {
    struct call_recordings_lookup *lookup = &t->of_calls[t->of_call_count];
    if (target_recording_sid(&t->list[i]).n) continue;
    lookup->business_id = t->list[i].file->row.business_id;
    TRY(str_copy(lookup->call_sid, SID_SIZE, t->list[i].sids.call));
    t->of_call_count++;
  }
  TRY(read_of_calls(db, t->of_calls, t->of_call_count));
  for (int i = 0, k = 0; i < t->count; i++) {
    struct target *target = &t->list[i];
    if (target_recording_sid(target).n) continue;
    const struct call_recordings_lookup *lookup = &t->of_calls[k++];
    target->is_found = lookup->count == 1;
    if (lookup->count > 1) target->file->why = IMPORT_SEVERAL;
    if (lookup->count == 1) target->file->row = lookup->row;
  }
  return OK;
}

/* Fills in what to look up: the recording by its SID, its call by the one that the file or the row names. */
static enum err target_ask(const struct target *t, struct recording_lookup *recording, struct call_lookup *call) {
  struct recording *row = &t->file->row;
  struct str sid = target_recording_sid(t);
  buf_init(&recording->fields, 0);
  buf_init(&call->fields, 0);
  recording->business_id = call->business_id = row->business_id;
  if (sid.n)
    TRY(str_copy(row->recording_sid, SID_SIZE, sid));
  else if (!t->is_found)
    TRY(make_sid(row->business_id, t->sids.call, row->recording_sid));
  TRY(str_copy(recording->recording_sid, SID_SIZE, str_from(row->recording_sid)));
  return str_copy(call->call_sid, SID_SIZE, t->is_found ? str_from(row->call_sid) : target_call_sid(t));
}

static enum err target_read_one(struct db *db, struct recording_lookup *recording, struct call_lookup *call) {
  enum err e = recordings_get(db, recording->business_id, str_from(recording->recording_sid), &recording->row);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  recording->is_known = e == OK;
  e = call->call_sid[0] ? calls_get(db, call->business_id, str_from(call->call_sid), &call->call) : ERR_NOT_FOUND;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  call->is_known = e == OK;
  return OK;
}

static enum err target_read_rows(struct db *db, struct targets *t) {
  struct db_rows rows CLEANUP(db_rows_done) = DB_ROWS;
  if (db_kind(db) == DB_SQLITE) {
    for (int i = 0; i < t->count; i++) TRY(target_read_one(db, &t->recordings[i], &t->calls[i]));
    return OK;
  }
  TRY(recordings_many_send(db, &rows, t->recordings, t->count));
  TRY(calls_many_read(db, t->calls, t->count));
  return recordings_many_receive(&rows, t->recordings, t->count);
}

static enum err targets_read(struct db *db, struct targets *t) {
  TRY(targets_look_at_calls(db, t));
  for (int i = 0; i < t->count; i++) TRY(target_ask(&t->list[i], &t->recordings[i], &t->calls[i]));
  return t->count ? target_read_rows(db, t) : OK;
}

/* The path in the store. Stays empty if nothing says when a new recording was made: its file does. */
static enum err find_stem(struct import *im, struct import_file *f, const struct call_lookup *call) {
  if (f->row.stem[0]) return str_copy(f->stem, RECORDING_NAME_SIZE, str_from(f->row.stem));
  if (!f->is_new && strcmp(f->row.call_sid, call->call_sid) != 0) return queue_stem(im->app.db, &f->row, f->stem);
  int64_t started_at = call->is_known ? call->call.started_at : 0;
  return f->is_new && !started_at ? OK : recording_stem(&f->row, started_at, f->stem);
}

static enum err target_end(struct import *im, const struct target *t, const struct recording_lookup *recording,
                           const struct call_lookup *call) {
  struct import_file *f = t->file;
  if (f->why) return OK;
  f->is_new = !recording->is_known;
  if (recording->is_known) f->row = recording->row;
  if (f->is_new) TRY(str_copy(f->row.call_sid, SID_SIZE, target_call_sid(t)));
  if (f->row.status == RECORDING_READY && !f->is_new)
    f->why = IMPORT_ALREADY;
  else if (f->row.status == RECORDING_EXPIRED && !f->is_new)
    f->why = IMPORT_EXPIRED;
  return f->why ? OK : find_stem(im, f, call);
}

enum err import_targets(struct import *im, struct import_file *files, size_t count) {
  struct targets t CLEANUP(targets_done) = {.count = 0};
  struct db *db = im->app.db;
  if (count == 0) return OK;
  TRY(targets_allocate(&t, count));
  for (size_t i = 0; i < count; i++) {
    target_begin(im, &files[i], &t.list[t.count]);
    t.count += !files[i].why;
  }
  TRY(db_begin(db));
  enum err e = targets_read(db, &t);
  db_rollback(db);
  for (int i = 0; e == OK && i < t.count; i++) e = target_end(im, &t.list[i], &t.recordings[i], &t.calls[i]);
  return e;
}
