/* api_media_response.c - the response with a ready recording.
 *
 * Header lines that depend on the recording alone are made once and kept with its item in the open-file cache. */
#include "api/media/api_media_response.h"

#include <string.h>

#include "api/media/api_hits.h"
#include "api/media/api_media_cut.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playbacks.h"
#include "api/request/api_answer.h"
#include "api/request/api_audit.h"
#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "domain/recording_log.h"
#include "http/range.h"

enum { MEDIA_NO_CACHE, MEDIA_NO_STORE }; /* the values of the setting MEDIA_CACHE */

static const char *leg_relation_name(enum leg_relation relation) {
  static const char *const names[] = {[LEG_OWN] = "own", [LEG_PARENT] = "parent", [LEG_CHILD] = "child"};
  return names[relation];
}

/* ---- the playback's log line ---- */

static void log_hit(const struct api *a, enum log_level level, const struct subject *s, const struct open_file *item) {
  char by[SUBJECT_TEXT_SIZE];
  if (!log_enabled(level)) return;
  subject_text(s, &a->url_key, by);
  log_at(level, "Cache HIT", LOG_INT("business", s->business_id), LOG_TEXT("call", item->call_sid),
         LOG_TEXT("recording", item->recording_sid), LOG_TEXT("via", leg_relation_name(item->leg_relation)),
         LOG_TEXT("by", by));
}

/* Returns those of notes that the playback did not have before. */
static unsigned note_playback(struct api_loop *l, const struct subject *s, const char *recording_sid, unsigned notes,
                              int64_t mono_ms) {
  struct playbacks *all = l->api->playbacks;
  uint64_t key = playbacks_key(all, s->business_id, (int)s->kind, (int64_t)s->number, str_from(recording_sid));
  return playbacks_note(all, l->playbacks, key, notes, mono_ms);
}

void media_response_note_miss(struct api_loop *l, const struct subject *subject, const struct recording *row) {
  (void)note_playback(l, subject, row->recording_sid, 0, clock_mono_ms());
  log_debug("Cache miss", LOG_RECORDING(row), LOG_TEXT("status", recording_status_name(row->status)));
}

/* A slot holds the hash of a recording and the second of its last line. Two recordings that share a slot replace each
 * other; then a line may come more often. */
void media_response_note_lock(struct api_loop *l, const struct recording *row) {
  enum { EVERY_S = 60 };
  uint64_t now_s = (uint64_t)clock_mono_ms() / 1000;
  uint64_t hash = str_hash(str_from(row->recording_sid), (uint64_t)row->business_id) >> 32;
  atomic_uint_least64_t *slot = &l->api->lock_waits[hash % LOCK_WAIT_SLOTS];
  uint_least64_t last = atomic_load(slot);
  if (last && last >> 32 == hash && (uint32_t)now_s - (uint32_t)last < EVERY_S) return;
  if (!atomic_compare_exchange_strong(slot, &last, hash << 32 | (uint32_t)now_s)) return; /* another loop logs it */
  log_warn("Could not acquire lock", LOG_RECORDING(row), LOG_TEXT("holder", row->lease_owner),
           LOG_TEXT("why", "a listener waited in vain: the fill that another holds has sent no byte yet"));
}

static void count_first_answer(struct api_loop *l, const struct subject *subject, enum metric_label_PLAY result) {
  metric_add(METRIC_PLAYS, result, 1);
  hits_count(l->api->hits, subject->business_id, result == METRIC_PLAY_HIT);
}

void media_response_count(struct api_loop *l, const struct subject *subject, const char *recording_sid,
                          enum metric_label_PLAY result) {
  if (note_playback(l, subject, recording_sid, PLAYBACK_ANSWERED, clock_mono_ms()))
    count_first_answer(l, subject, result);
}

/* How the audit counts a request's answer: HEAD asks for no bytes. */
static unsigned audit_note(const struct http_exchange *x, bool download) {
  if (http_request(x)->method == HTTP_HEAD) return 0;
  return download ? PLAYBACK_DOWNLOADED : PLAYBACK_HEARD;
}

/* first_of: the notes that the playback did not have before. */
static void audit_first(struct api_loop *l, struct http_exchange *x, const struct subject *subject,
                        const char *recording_sid, unsigned first_of) {
  if (first_of & PLAYBACK_HEARD) audit_playback(l, x, subject, str_from(recording_sid), AUDIT_PLAY);
  if (first_of & PLAYBACK_DOWNLOADED) audit_playback(l, x, subject, str_from(recording_sid), AUDIT_DOWNLOAD);
}

void media_response_audit(struct api_loop *l, struct http_exchange *x, const struct subject *subject,
                          const char *recording_sid, bool download) {
  audit_first(l, x, subject, recording_sid,
              note_playback(l, subject, recording_sid, audit_note(x, download), clock_mono_ms()));
}

/* ---- header lines ---- */

/* X-Accel-Buffering: no makes a reverse proxy pass on a live body piece by piece. */
static const char *const cache_status_lines[] = {
    [CACHE_STATUS_HIT] = "Accept-Ranges: bytes\r\nCache-Status: callreel; hit\r\n",
    [CACHE_STATUS_MISS] = "Accept-Ranges: bytes\r\nCache-Status: callreel; fwd=miss\r\nX-Accel-Buffering: no\r\n",
    [CACHE_STATUS_COLLAPSED] =
        "Accept-Ranges: bytes\r\nCache-Status: callreel; fwd=miss; collapsed\r\nX-Accel-Buffering: no\r\n",
};

void media_response_fields(const struct api *a, struct http_fields *f, const struct open_file *item,
                           enum cache_status cache_status, bool download) {
  char modified[DATE_TEXT_SIZE];
  answer_fields_media(f);
  answer_lines(f, a->parts.conf->media_cache == MEDIA_NO_STORE ? STR("Cache-Control: no-store\r\n")
                                                               : STR("Cache-Control: private, no-cache\r\n"));
  answer_lines(f, str_from(cache_status_lines[cache_status]));
  http_field(f, STR("ETag"), str_from(item->etag));
  date_format_http(item->modified_s * 1000, modified);
  http_field(f, STR("Last-Modified"), str_from(modified));
  http_field(f, STR("Content-Type"), str_from(item->content_type));
  if (item->by_call)
    field_recording_path(a, f, STR("Content-Location"), item->recording_sid, download ? "download" : "stream");
}

/* Takes the header lines of a stream's hit from item, or makes them and keeps them there. */
static void add_kept_fields(const struct api *a, struct http_fields *f, struct open_file *item) {
  if (item->head_n) {
    http_fields_init(f);
    answer_lines(f, str_of(item->head, item->head_n));
    return;
  }
  media_response_fields(a, f, item, CACHE_STATUS_HIT, false);
  if (f->bad || f->n > sizeof(item->head)) return;
  memcpy(item->head, f->bytes, f->n);
  item->head_n = f->n;
}

/* ---- the response ---- */

void media_response_refuse(const struct api *a, struct http_exchange *x, const struct open_file *item, bool download,
                           enum problem p) {
  struct http_fields f;
  answer_fields(&f);
  if (p == PROBLEM_RANGE_NOT_SATISFIABLE) {
    answer_lines(&f, STR("Accept-Ranges: bytes\r\n"));
    answer_content_range(&f, -1, -1, item->bytes);
  }
  if (item->by_call)
    field_recording_path(a, &f, STR("Content-Location"), item->recording_sid, download ? "download" : "stream");
  problem_answer_with(x, &f, p, NULL);
}

static void count_hit(struct api_loop *l, struct http_exchange *x, const struct subject *subject,
                      const struct open_file *item, bool download) {
  unsigned notes = PLAYBACK_HIT | PLAYBACK_ANSWERED | audit_note(x, download);
  unsigned first_of = note_playback(l, subject, item->recording_sid, notes, http_now_ms(x));
  if (first_of & PLAYBACK_ANSWERED) count_first_answer(l, subject, METRIC_PLAY_HIT);
  log_hit(l->api, first_of & PLAYBACK_HIT ? LOG_INFO : LOG_DEBUG, subject, item);
  audit_first(l, x, subject, item->recording_sid, first_of);
}

void media_response_answer(struct api_loop *l, struct http_exchange *x, const struct subject *subject,
                           struct open_file *item, enum cache_status cache_status, struct str disposition) {
  struct http_fields f;
  const struct http_representation have = {str_from(item->etag), item->modified_s, item->bytes};
  struct http_body body = {.kind = HTTP_BODY_FILE, .file = item->file, .offset = 0, .length = item->bytes};
  int64_t first, last;
  int status = 200;

  if (cache_status == CACHE_STATUS_HIT)
    count_hit(l, x, subject, item, disposition.n > 0);
  else
    media_response_audit(l, x, subject, item->recording_sid, disposition.n > 0);
  if (disposition.n || cache_status != CACHE_STATUS_HIT)
    media_response_fields(l->api, &f, item, cache_status, disposition.n > 0);
  else
    add_kept_fields(l->api, &f, item);
  if (disposition.n) http_field(&f, STR("Content-Disposition"), disposition);
  switch (http_select(http_request(x), &have, &first, &last)) {
    case HTTP_SELECT_WHOLE:
      break;
    case HTTP_SELECT_PART:
      status = 206;
      answer_content_range(&f, first, last, item->bytes);
      body.offset = first;
      body.length = last - first + 1;
      break;
    case HTTP_SELECT_UNCHANGED:
      status = 304;
      body = (struct http_body){.kind = HTTP_BODY_NONE};
      break;
    case HTTP_SELECT_FAILED:
      media_response_refuse(l->api, x, item, disposition.n > 0, PROBLEM_PRECONDITION_FAILED);
      return;
    case HTTP_SELECT_UNSATISFIABLE:
      media_response_refuse(l->api, x, item, disposition.n > 0, PROBLEM_RANGE_NOT_SATISFIABLE);
      return;
  }
  answer_origin(x, &f);
  media_tag_answer(x, subject, item->recording_sid);
  http_respond(x, status, &f, &body);
}
