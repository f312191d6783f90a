/* api_download.c - the name of a download: when, with whom. */
#include "api/media/api_download.h"

#include <stdlib.h>

#include "api/media/api_disposition.h"
#include "audio/audio.h"
#include "domain/status.h"
#include "ledger/calls_list.h"

/* The legs that a name is made of. */
struct kin {
  struct call own, top, first_child; /* call_sid "": not known */
};

/* Leaves *call empty where it is not known. */
static enum err read_call(struct db *db, int64_t business_id, const char *call_sid, struct call *call) {
  if (!call_sid[0]) return OK;
  enum err e = calls_get(db, business_id, str_from(call_sid), call);
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err read_kin(struct db *db, const struct recording *row, struct kin *k) {
  TRY(read_call(db, row->business_id, row->call_sid, &k->own));
  TRY(read_call(db, row->business_id, k->own.top_sid, &k->top));
  if (!k->top.call_sid[0]) return OK;
  enum err e = calls_first_child(db, row->business_id, k->top.call_sid, &k->first_child);
  return e == ERR_NOT_FOUND ? OK : e;
}

static struct str extension_of(struct str content_type) {
  return str_from(audio_extension(audio_kind_of_content_type(content_type)));
}

static int64_t begin_of(const struct recording *row, const struct call *own) {
  return row->started_at ? row->started_at : own->started_at ? own->started_at : row->first_seen_at;
}

static enum err write_name(const struct kin *k, const struct recording *row, struct str content_type,
                           const struct str *own_numbers, size_t own_count, struct buf *b) {
  struct disposition d = {.extension = extension_of(content_type)};
  const struct call *top = k->top.call_sid[0] ? &k->top : &k->own;
  const struct call *child = k->first_child.call_sid[0] ? &k->first_child : NULL;
  d.at_ms = begin_of(row, &k->own);
  d.customer_name = str_from(k->own.customer_name[0] ? k->own.customer_name : k->top.customer_name);
  if (top->call_sid[0]) d.customer_number = status_customer_number(top, child, own_numbers, own_count);
  return disposition_write(b, &d);
}

enum err download_name(struct db *db, const struct recording *row, struct str content_type,
                       const struct str *own_numbers, size_t own_count, struct buf *b) {
  struct kin *k = calloc(1, sizeof(*k));
  if (!k) return ERR_NOMEM;
  enum err e = read_kin(db, row, k);
  if (e == OK) e = write_name(k, row, content_type, own_numbers, own_count, b);
  free(k);
  return e;
}

enum err download_name_plain(struct db *db, const struct recording *row, struct str content_type, struct buf *b) {
  struct call call = {.started_at = 0};
  enum err e = row->started_at ? OK : calls_get(db, row->business_id, str_from(row->call_sid), &call);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  const struct disposition d = {.at_ms = begin_of(row, &call),
                                .recording_sid = str_from(row->recording_sid),
                                .extension = extension_of(content_type)};
  return disposition_write(b, &d);
}
