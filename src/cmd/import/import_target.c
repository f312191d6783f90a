/* import_target.c - which recording a file of an earlier system is.
 *
 * Invariants
 *  (1) A recording that the file's name or the call's row names is that one.
 *  (2) Else the call's only recording, or of several the one whose length fits.
 *  (3) Else a recording with a SID that is made of business and call, always the same. So a repeated import finds it again. */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "cmd/import/import_parts.h"
#include "domain/queue.h"
#include "ledger/businesses.h"
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

struct call_recordings {
  struct recording *rows; /* the first two */
  int count;
};

static enum err note_recording(void *arg, const struct recording *row) {
  struct call_recordings *c = arg;
  if (c->count < 2) c->rows[c->count] = *row;
  c->count++;
  return OK;
}

/* The row of the call's recording: (2). */
static enum err find_of_call(struct import *im, struct import_file *f, struct str call_sid, bool *ret_found) {
  struct recording rows[2];
  struct call_recordings c = {.rows = rows};
  *ret_found = false;
  TRY(recordings_of_call(im->app.db, f->row.business_id, call_sid, note_recording, &c));
  if (c.count > 1) {
    f->why = IMPORT_SEVERAL;
    return OK;
  }
  if (c.count == 0) return OK;
  f->row = rows[0];
  *ret_found = true;
  return OK;
}

static enum err find_row(struct import *im, struct import_file *f, const struct file_sids *s,
                         const struct import_entry *entry) {
  struct str sid = s->recording.n ? s->recording : entry ? str_from(entry->recording_sid) : STR_NONE;
  int64_t business_id = f->row.business_id;
  bool found = false;
  if (!sid.n) TRY(find_of_call(im, f, s->call, &found));
  if (found || f->why) return OK;
  if (sid.n)
    TRY(str_copy(f->row.recording_sid, SID_SIZE, sid));
  else
    TRY(make_sid(business_id, s->call, f->row.recording_sid));
  struct recording row;
  enum err e = recordings_get(im->app.db, business_id, str_from(f->row.recording_sid), &row);
  if (e == OK) f->row = row;
  if (e != ERR_NOT_FOUND) return e;
  f->is_new = true;
  struct str call = s->call.n ? s->call : entry ? str_from(entry->call_sid) : STR_NONE;
  return str_copy(f->row.call_sid, SID_SIZE, call);
}

/* The path in the store. Stays empty if nothing says when a new recording was made: its file does. */
static enum err find_stem(struct import *im, struct import_file *f) {
  struct call call;
  if (!f->is_new) return queue_stem(im->app.db, &f->row, f->stem);
  if (!f->row.call_sid[0]) return OK;
  enum err e = calls_get(im->app.db, f->row.business_id, str_from(f->row.call_sid), &call);
  if (e != OK || !call.started_at) return e == ERR_NOT_FOUND ? OK : e;
  return recording_stem(&f->row, call.started_at, f->stem);
}

enum err import_target(struct import *im, struct import_file *f) {
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
  if (f->why) return OK;
  TRY(find_row(im, f, &s, entry));
  if (f->why) return OK;
  if (f->row.status == RECORDING_READY && !f->is_new)
    f->why = IMPORT_ALREADY;
  else if (f->row.status == RECORDING_EXPIRED && !f->is_new)
    f->why = IMPORT_EXPIRED;
  return f->why ? OK : find_stem(im, f);
}
