/* api_stream.c - playing and downloading: what is hot is answered here and now, from memory; the rest is api_playback_request.c's. */
#include "api/media/api_stream.h"

#include "api/media/api_file_check.h"
#include "api/media/api_media_response.h"
#include "api/media/api_open_files.h"
#include "api/media/api_playback_request.h"
#include "api/request/api_loop.h"
#include "base/metric.h"

static void media_ended(struct http_exchange *x, void *arg, bool complete, int64_t sent) {
  (void)complete;
  if (http_status(x) == 200 || http_status(x) == 206) metric_add(METRIC_MEDIA_BYTES, 0, sent);
  metric_add(METRIC_LISTENERS, 0, -1);
  listeners_leave(arg);
  struct play *waiting = http_data(x);
  if (waiting) play_peer_gone(waiting);
}

static bool answer_from_shelf(struct api_request *v) {
  struct open_file *item = open_files_find(v->loop->open_files, v->subject.business_id, str_from(v->id));
  if (!item) return false;
  metric_add(METRIC_CACHE_REQUESTS, METRIC_CACHE_HIT, 1);
  media_check_soon(v->loop, item, v->subject.business_id, str_from(v->id), http_now_ms(v->x));
  media_answer(v->loop, v->x, &v->subject, item, MEDIA_HIT, STR_NONE);
  return true;
}

static void answer(struct api_request *v, enum id_kind id_kind, enum play_kind kind) {
  if (!request_id(v, id_kind)) return;
  struct listener_place *listener = request_listen(v);
  if (!listener) return;
  http_on_end(v->x, media_ended, listener);
  if (kind == PLAY_STREAM && answer_from_shelf(v)) return;
  play_begin(v, kind);
}

void api_stream(void *arg, struct http_exchange *x) {
  (void)x;
  answer(arg, ID_RECORDING_OR_CALL, PLAY_STREAM);
}

void api_download(void *arg, struct http_exchange *x) {
  (void)x;
  answer(arg, ID_RECORDING_OR_CALL, PLAY_DOWNLOAD);
}

void api_call_download(void *arg, struct http_exchange *x) {
  (void)x;
  answer(arg, ID_CALL, PLAY_DOWNLOAD);
}
