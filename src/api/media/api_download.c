/* api_download.c - the file name of a download: when the call was, and with whom. */
#include "api/media/api_download.h"

#include <stdlib.h>

#include "api/media/api_disposition.h"
#include "audio/audio.h"
#include "domain/status.h"
#include "ledger/calls_list.h"

enum { MINUTE_MS = 60 * 1000 };

/* The legs whose data the name is made of. */
struct download_legs {
  struct call own, top, first_child; /* call_sid "": that leg has no row */
};

/* Leaves *call empty if it has no row. */
static enum err download_read_call(struct db *db, int64_t business_id, const char *call_sid, struct call *call) {
  if (!call_sid[0]) return OK;
  enum err e = calls_get(db, business_id, str_from(call_sid), call);
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err download_read_legs(struct db *db, const struct recording *row, struct download_legs *legs) {
  TRY(download_read_call(db, row->business_id, row->call_sid, &legs->own));
  TRY(download_read_call(db, row->business_id, legs->own.top_sid, &legs->top));
  if (!legs->top.call_sid[0]) return OK;
  enum err e = calls_first_child(db, row->business_id, legs->top.call_sid, &legs->first_child);
  return e == ERR_NOT_FOUND ? OK : e;
}

static struct str extension_of(struct str content_type) {
  return str_from(audio_extension(audio_kind_of_content_type(content_type)));
}

static int64_t started_at_of(const struct recording *row, const struct call *own) {
  return row->started_at ? row->started_at : own->started_at ? own->started_at : row->first_seen_at;
}

static enum err write_download_name(const struct download_legs *legs, const struct recording *row,
                                    struct str content_type, int64_t utc_offset_min, const struct str *own_numbers,
                                    size_t own_count, struct buf *b) {
  struct disposition d = {.extension = extension_of(content_type)};
  const struct call *top = legs->top.call_sid[0] ? &legs->top : &legs->own;
  const struct call *child = legs->first_child.call_sid[0] ? &legs->first_child : NULL;
  d.at_ms = started_at_of(row, &legs->own) + utc_offset_min * MINUTE_MS;
  d.customer_name = str_from(legs->own.customer_name[0] ? legs->own.customer_name : legs->top.customer_name);
  if (top->call_sid[0]) d.customer_number = status_customer_number(top, child, own_numbers, own_count);
  return disposition_write(b, &d);
}

enum err download_name(struct db *db, const struct recording *row, struct str content_type, int64_t utc_offset_min,
                       const struct str *own_numbers, size_t own_count, struct buf *b) {
  struct download_legs *legs = calloc(1, sizeof(*legs));
  if (!legs) return ERR_NOMEM;
  enum err e = download_read_legs(db, row, legs);
  if (e == OK) e = write_download_name(legs, row, content_type, utc_offset_min, own_numbers, own_count, b);
  free(legs);
  return e;
}

enum err download_name_without_call(struct db *db, const struct recording *row, struct str content_type,
                                    int64_t utc_offset_min, struct buf *b) {
  struct call call = {.started_at = 0};
  enum err e = row->started_at ? OK : calls_get(db, row->business_id, str_from(row->call_sid), &call);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  const struct disposition d = {.at_ms = started_at_of(row, &call) + utc_offset_min * MINUTE_MS,
                                .recording_sid = str_from(row->recording_sid),
                                .extension = extension_of(content_type)};
  return disposition_write(b, &d);
}
