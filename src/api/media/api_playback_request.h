/* api_playback_request.h - a request for a recording that this loop has no open file of.
 *
 *   playback_request_begin(api_request, PLAYBACK_REQUEST_STREAM);   api_request->id says which recording or call
 *
 * It reads the recording's row, queues the recording if no fill brings it, waits if the client may wait, and answers in
 * every case, now or later. api_playback_request.c says at its top who decides between file, live, 202 and 503.
 * Thread rule: the loop of the exchange. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_request.h"
#include "domain/recording.h"

enum playback_request_kind {
  PLAYBACK_REQUEST_STREAM,
  PLAYBACK_REQUEST_DOWNLOAD, /* gets 503 where a stream gets 202; has the parameter utc_offset */
  PLAYBACK_REQUEST_PREPARE,  /* answered with the status object instead of the audio; never waits */
};

/* Without memory it answers 503. */
void playback_request_begin(struct api_request *req, enum playback_request_kind kind);
/* The exchange whose http_data is p has ended: frees p as soon as nothing is under way for it. */
void playback_request_peer_gone(struct playback_request *p);
/* Answers every request that waits on this loop by its row as it stands, as if the time were up. */
void playback_request_answer_waiting(struct api_loop *l);
/* Logs "Deduplication skip" at debug: why a request queued nothing. */
void playback_request_log_skip(const struct recording *row, enum recording_skip skip);
