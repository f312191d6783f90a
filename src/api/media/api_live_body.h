/* api_live_body.h - answering with a recording while it still arrives.
 *
 *   if (live_can_answer(request, tape)) live_answer(&ask);      else wait until its end is known, or as long as one may
 *
 * Thread rule: the exchange's loop. */
#pragma once

#include "api/media/api_media_response.h"
#include "api/request/api_loop.h"
#include "api/request/api_subject.h"
#include "domain/tape.h"

struct live_ask {
  struct api_loop *loop;
  struct http_exchange *x;
  const struct subject *subject;
  struct tape *tape;
  bool by_call; /* it was asked for by a call's SID */
  enum media_source source;
  struct str disposition; /* of a download; empty: a stream */
};

/* True if this request can be answered now with the status and headers that it gets once the recording is ready; else its
 * length would have to be known. */
bool live_can_answer(const struct http_request *r, struct tape *tape);
/* True if a body without a length can be told from one that was cut: not in HTTP/1.0. */
bool live_may_lack_length(const struct http_request *r);
/* Answers in any case: where live_can_answer is false with the whole, from its first byte, without a length. Takes nothing
 * over. */
void live_answer(const struct live_ask *ask);
