/* api_live_body.h - answers with a recording while it still arrives.
 *
 *   if (live_body_can_answer(http_request, tape)) live_body_answer(&request);
 *   else wait until the recording's length is known
 *
 * The body sends bytes as the tape commits them. It ends when the tape is done and is cut when the tape breaks, so that
 * no client takes a part for the whole. Thread rule: the exchange's loop. */
#pragma once

#include "api/media/api_media_response.h"
#include "api/request/api_loop.h"
#include "api/request/api_subject.h"
#include "domain/tape.h"

struct live_body_request {
  struct api_loop *loop;
  struct http_exchange *x;
  const struct subject *subject;
  struct tape *tape;
  bool by_call; /* the path names a call */
  enum cache_status cache_status;
  struct str disposition; /* of a download; empty: a stream */
};

/* True if the status and headers that this request gets once the recording is ready are known now. False if they depend
 * on the length, and the provider did not announce it. */
bool live_body_can_answer(const struct http_request *r, struct tape *tape);
/* True if the client can tell the end of a body without a length from a cut: chunked in HTTP/1.1; not in HTTP/1.0. */
bool live_body_may_lack_length(const struct http_request *r);
/* Answers in every case. Where live_body_can_answer is false it sends the whole from the first byte, without a length.
 * Copies or references what it needs of request. */
void live_body_answer(const struct live_body_request *request);
