/* api_media_response.h - answering with a recording that is here: validators, ranges, conditions, the log line of a playback.
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/media/api_open_files.h"
#include "api/request/api_loop.h"
#include "api/request/api_subject.h"
#include "api/request/problem.h"
#include "base/metric.h"

/* How a recording's call is related to the call that it was asked for by. */
enum via { VIA_OWN, VIA_PARENT, VIA_CHILD };
const char *via_name(enum via v);

/* Where an answer's bytes come from, for Cache-Status (RFC 9211). */
enum media_source {
  MEDIA_HIT,    /* they are here */
  MEDIA_BEGAN,  /* they arrive: this request had them fetched */
  MEDIA_JOINED, /* they arrive: somebody else had */
};

/* What a playback was answered with counts once, by its first answer: media_answer counts a hit unless another was said
 * before. */
void media_count_play(struct api_loop *l, const struct subject *subject, const char *recording_sid,
                      enum metric_label_PLAY result);
/* item->file is there. source: BEGAN and JOINED of who waited until it was. disposition: of a download; empty: a stream. Takes
 * nothing over. */
void media_answer(struct api_loop *l, struct http_exchange *x, const struct subject *subject, struct open_file *item,
                  enum media_source source, struct str disposition);
/* The fields of an answer with these bytes, but Content-Range and Content-Disposition. */
void media_fields(const struct api *a, struct http_fields *f, const struct open_file *item, enum media_source source,
                  bool download);
/* Answers 412 or 416. item->bytes -1: not known. */
void media_refuse(const struct api *a, struct http_exchange *x, const struct open_file *item, bool download,
                  enum problem p);
/* A request for a recording that is not here belongs to a playback, too. */
void media_note_miss(struct api_loop *l, const struct subject *subject, const struct recording *row);
