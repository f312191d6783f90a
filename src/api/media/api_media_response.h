/* api_media_response.h - the response with a ready recording: validators, ranges, conditions, and the playback's log
 * line.
 *
 *   media_response_answer(loop, x, subject, item, CACHE_STATUS_HIT, STR_NONE);
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/media/api_open_files.h"
#include "api/request/api_loop.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/metric.h"

/* For the header Cache-Status (RFC 9211, section 2): where the bytes come from. */
enum cache_status {
  CACHE_STATUS_HIT,       /* the recording was ready when the request came */
  CACHE_STATUS_MISS,      /* it was not; this request queued it */
  CACHE_STATUS_COLLAPSED, /* it was not; another request had queued it */
};

/* Counts a playback by its first answer; later answers of the same playback are not counted. media_response_answer
 * counts hits itself. */
void media_response_count(struct api_loop *l, const struct subject *subject, const char *recording_sid,
                          enum metric_label_PLAY result);
/* Puts the playback into the audit, once: bytes are answered. download: as a download. media_response_answer does it itself. */
void media_response_audit(struct api_loop *l, struct http_exchange *x, const struct subject *subject,
                          const char *recording_sid, bool download);
/* Answers 200, 206, 304, 412 or 416. item->file is open; the response takes its own reference. cache_status: MISS or
 * COLLAPSED if the request waited for the file. disposition: the value of Content-Disposition; empty: a stream. */
void media_response_answer(struct api_loop *l, struct http_exchange *x, const struct subject *subject,
                           struct open_file *item, enum cache_status cache_status, struct str disposition);
/* Writes all header fields of a response with item's bytes, except Content-Range and Content-Disposition. */
void media_response_fields(const struct api *a, struct http_fields *f, const struct open_file *item,
                           enum cache_status cache_status, bool download);
/* Answers 412 or 416. item->bytes may be -1: not known. */
void media_response_refuse(const struct api *a, struct http_exchange *x, const struct open_file *item, bool download,
                           enum problem p);
/* Begins the playback of a request whose recording is not ready, and logs "Cache miss". */
void media_response_note_miss(struct api_loop *l, const struct subject *subject, const struct recording *row);
/* Notes that a listener's wait ended without a byte while a worker held the lease. Logs it once a recording and minute.
 * */
void media_response_note_lock(struct api_loop *l, const struct recording *row);
