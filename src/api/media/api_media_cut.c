/* api_media_cut.c - see api_media_cut.h. */
#include "api/media/api_media_cut.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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

uint64_t media_tag(int64_t business_id, struct str recording_sid) {
  uint64_t tag = str_hash(recording_sid, (uint64_t)business_id);
  return tag ? tag : 1;
}

/* More than TAGS_MAX within SEND_MS: those behind them are left to the ends of their answers. The ledger expires a few hundred a
 * second at most. */
void media_cut_add(struct media_cuts *c, int64_t business_id, struct str recording_sid) {
  if (c->count < TAGS_MAX) c->tags[c->count++] = media_tag(business_id, recording_sid);
}

static int compare_tags(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static void cut_on_loop(void *arg) {
  struct cut *c = arg;
  http_cut_tagged(c->loop->api->server, c->loop->index, c->tags, c->count);
  free(c);
}

void media_cut_send(struct api *a) {
  struct media_cuts *c = a->cuts;
  int64_t now = clock_mono_ms();
  if (!c->count || !a->server || now - c->sent_ms < SEND_MS) return;
  qsort(c->tags, c->count, sizeof(c->tags[0]), compare_tags);
  for (unsigned i = 0; i < a->loop_count; i++) {
    struct cut *cut = malloc(sizeof(*cut) + c->count * sizeof(c->tags[0]));
    if (!cut) return; /* the next tick tries again; cutting twice does no harm */
    cut->loop = &a->loops[i];
    cut->count = c->count;
    memcpy(cut->tags, c->tags, c->count * sizeof(c->tags[0]));
    if (http_loop_post(a->server, i, cut_on_loop, cut) != OK) free(cut); /* it is stopping */
  }
  c->count = 0;
  c->sent_ms = now;
}
