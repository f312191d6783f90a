/* api_media_cut.c - see api_media_cut.h. */
#include "api/media/api_media_cut.h"

#include <stdlib.h>
#include <string.h>

#include "api/auth/api_session_cache.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/http.h"

enum { TAGS_MAX = 4096, SEND_MS = 200 };

struct media_cuts {
  int64_t sent_ms; /* mono */
  size_t count;
  uint64_t tags[TAGS_MAX];
};

struct cut {
  struct api_loop *loop;
  size_t count;
  uint64_t tags[];
};

enum err media_cuts_new(struct media_cuts **ret_cuts) {
  *ret_cuts = calloc(1, sizeof(**ret_cuts));
  return *ret_cuts ? OK : ERR_NOMEM;
}

struct media_cuts *media_cuts_free(struct media_cuts *c) {
  free(c);
  return NULL;
}

/* ---- tags ---- */

static uint64_t tag_of(const char *kind, int64_t id) {
  uint64_t tag = str_hash(str_from(kind), (uint64_t)id);
  return tag ? tag : 1;
}

static uint64_t tag_of_recording(int64_t business_id, struct str recording_sid) {
  uint64_t tag = str_hash(recording_sid, (uint64_t)business_id);
  return tag ? tag : 1;
}

void media_tag_answer(struct http_exchange *x, const struct subject *subject, const char *recording_sid) {
  int64_t key_id = subject->kind == SUBJECT_URL ? subject->url_key_id : subject->key_id;
  const uint64_t tags[HTTP_TAGS] = {
      tag_of_recording(subject->business_id, str_from(recording_sid)),
      subject->credential,
      subject->credential ? tag_of("sessions", subject->business_id) : 0,
      key_id ? tag_of("key", key_id) : 0,
      tag_of("business", subject->business_id),
  };
  http_set_tags(x, tags);
}

/* ---- cuts ---- */

/* More than TAGS_MAX within SEND_MS: those behind them are left to the ends of their answers. The ledger expires a few hundred a
 * second at most. */
static void cuts_add(struct media_cuts *c, uint64_t tag) {
  if (c->count < TAGS_MAX) c->tags[c->count++] = tag;
}

void media_cut_recording(struct media_cuts *c, int64_t business_id, struct str recording_sid) {
  cuts_add(c, tag_of_recording(business_id, recording_sid));
}

void media_cut_session(struct media_cuts *c, int64_t business_id, struct str digest) {
  uint8_t bytes[SHA256_SIZE];
  cuts_add(c, session_digest_read(digest, bytes) ? session_number(bytes) : tag_of("sessions", business_id));
}

static int compare_tags(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void cut_on_loop(void *arg) {
  struct cut *c = arg;
  loop_apply_pending(c->loop); /* the newest access: a peer that is cut asks again at once */
  http_cut_tagged(c->loop->api->server, c->loop->index, c->tags, c->count);
  free(c);
}

/* False: out of memory. Some loops may have got it; cutting twice does no harm. */
static bool cut_post(struct api *a, const uint64_t *tags, size_t count) {
  for (unsigned i = 0; a->server && i < a->loop_count; i++) {
    struct cut *cut = malloc(sizeof(*cut) + count * sizeof(tags[0]));
    if (!cut) return false;
    cut->loop = &a->loops[i];
    cut->count = count;
    memcpy(cut->tags, tags, count * sizeof(tags[0]));
    if (http_loop_post(a->server, i, cut_on_loop, cut) != OK) free(cut); /* it is stopping */
  }
  return true;
}

void media_cut_send(struct api *a) {
  struct media_cuts *c = a->cuts;
  int64_t now = clock_mono_ms();
  if (!c->count || !a->server || now - c->sent_ms < SEND_MS) return;
  qsort(c->tags, c->count, sizeof(c->tags[0]), compare_tags);
  if (!cut_post(a, c->tags, c->count)) return; /* the next tick tries again */
  c->count = 0;
  c->sent_ms = now;
}

static void cut_now(struct api *a, uint64_t tag) {
  if (!cut_post(a, &tag, 1)) log_warn("Answers under way not ended", LOG_TEXT("why", "out of memory"));
}

void media_cut_key(struct api *a, int64_t key_id) {
  cut_now(a, tag_of("key", key_id));
}

void media_cut_business(struct api *a, int64_t business_id) {
  cut_now(a, tag_of("business", business_id));
}
