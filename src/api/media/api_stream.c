/* api_stream.c - the routes that play and download. A recording that this loop has an open file of is answered at once,
 * from memory; every other request goes to api_playback_request.c. */
#include "api/media/api_stream.h"

#include "api/media/api_file_check.h"
#include "api/media/api_media_response.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_loop.h"
#include "base/metric.h"

static void stream_on_end(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  (void)complete;
  if (http_status(x) == 200 || http_status(x) == 206) metric_add(METRIC_MEDIA_BYTES, 0, sent);
  metric_add(METRIC_LISTENERS, 0, -1);
  listeners_leave(arg);
  struct playback_request *request = http_data(x);
  if (request) playback_request_peer_gone(request);
}

static bool answer_from_open_files(struct api_request *req) {
  struct open_file *item = open_files_find(req->loop->open_files, req->subject.business_id, str_from(req->id));
  if (!item) return false;
  metric_add(METRIC_CACHE_REQUESTS, METRIC_CACHE_HIT, 1);
  file_check_schedule(req->loop, item, req->subject.business_id, str_from(req->id), http_now_ms(req->x));
  media_response_answer(req->loop, req->x, &req->subject, item, CACHE_STATUS_HIT, STR_NONE);
  return true;
}

static void answer_media(struct api_request *req, enum id_kind id_kind, enum playback_request_kind kind) {
  if (!request_id(req, id_kind)) return;
  struct listener_place *listener = request_listen(req);
  if (!listener) return;
  http_on_end(req->x, stream_on_end, listener);
  if (kind == PLAYBACK_REQUEST_STREAM && answer_from_open_files(req)) return;
  playback_request_begin(req, kind);
}

void api_stream(void *arg, struct http_exchange *x) {
  (void)x;
  answer_media(arg, ID_RECORDING_OR_CALL, PLAYBACK_REQUEST_STREAM);
}

void api_download(void *arg, struct http_exchange *x) {
  (void)x;
  answer_media(arg, ID_RECORDING_OR_CALL, PLAYBACK_REQUEST_DOWNLOAD);
}

void api_call_download(void *arg, struct http_exchange *x) {
  (void)x;
  answer_media(arg, ID_CALL, PLAYBACK_REQUEST_DOWNLOAD);
}
