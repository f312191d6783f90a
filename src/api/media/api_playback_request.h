/* api_playback_request.h - a request for a recording that the open_files does not have: looks, wants, waits, and answers in the end.
 *
 *   play_begin(api_request, PLAY_STREAM);     v->id says what is asked for; it answers in any case, now or later
 *
 * Thread rule: the loop's. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "domain/recording.h"

enum play_kind {
  PLAY_STREAM,
  PLAY_DOWNLOAD, /* never 202 */
  PLAY_PREPARE,  /* the status object instead of the audio */
};

void play_begin(struct api_request *v, enum play_kind kind);
/* The peer of an exchange whose http_data is p is gone. */
void play_peer_gone(struct play *p);
/* Whoever waits on this loop is answered now, as if the time were up. */
void play_drain(struct api_loop *l);
/* "Deduplication skip", at debug: why a request queued nothing. */
void play_log_skip(const struct recording *row, enum recording_skip skip);
