/* store.c - the calls and recordings of the account. */
#define HASH_NONFATAL_OOM 1
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static const char *const CALL_STATUSES[] = {"queued", "initiated", "ringing",   "in-progress", "completed",
                                            "busy",   "failed",    "no-answer", "canceled"};
static const char *const RECORDING_STATUSES[] = {"in-progress", "paused", "stopped", "processing",
                                                 "completed",   "absent", "deleted", "failed"};

enum err sid_make(const char *kind, char ret_sid[SID_ROOM]) {
  uint8_t bytes[16];
  TRY(secret_random(bytes, sizeof(bytes)));
  memcpy(ret_sid, kind, 2);
  hex_encode(bytes, sizeof(bytes), ret_sid + 2);
  return OK;
}

struct call *call_free(struct call *c) {
  if (!c) return NULL;
  free(c->from);
  free(c->to);
  free(c->caller_name);
  free(c);
  return NULL;
}

struct recording *recording_free(struct recording *r) {
  if (!r) return NULL;
  free(r->source);
  free(r);
  return NULL;
}

void store_done(struct store *s) {
  HASH_CLEAR(hh, s->calls_by_sid);
  HASH_CLEAR(hh, s->recordings_by_sid);
  for (size_t i = 0; i < s->call_count; i++) call_free(s->calls[i]);
  for (size_t i = 0; i < s->recording_count; i++) recording_free(s->recordings[i]);
  free(s->calls);
  free(s->recordings);
  *s = (struct store){0};
}

/* Room for one more pointer in a list. */
static enum err store_make_room(void **list, size_t count, size_t *room) {
  if (count < *room) return OK;
  if (count >= STORE_ITEMS_MAX) return ERR_TOO_BIG;
  size_t wanted = *room ? 2 * *room : 64;
  void *grown = realloc(*list, wanted * sizeof(void *));
  if (!grown) return ERR_NOMEM;
  *list = grown;
  *room = wanted;
  return OK;
}

enum err store_add_call(struct store *s, struct call *c) {
  void *list = s->calls;
  enum err e = store_make_room(&list, s->call_count, &s->call_room);
  s->calls = list;
  TRY(e);
  HASH_ADD_STR(s->calls_by_sid, sid, c);
  if (!c->hh.tbl) return ERR_NOMEM;
  size_t at = s->call_count;
  while (at > 0 && s->calls[at - 1]->started_ms > c->started_ms) at--;
  memmove(s->calls + at + 1, s->calls + at, (s->call_count - at) * sizeof(struct call *));
  s->calls[at] = c;
  s->call_count++;
  return OK;
}

enum err store_add_recording(struct store *s, struct recording *r) {
  void *list = s->recordings;
  enum err e = store_make_room(&list, s->recording_count, &s->recording_room);
  s->recordings = list;
  TRY(e);
  HASH_ADD_STR(s->recordings_by_sid, sid, r);
  if (!r->hh.tbl) return ERR_NOMEM;
  size_t at = s->recording_count;
  while (at > 0 && s->recordings[at - 1]->started_ms > r->started_ms) at--;
  memmove(s->recordings + at + 1, s->recordings + at, (s->recording_count - at) * sizeof(struct recording *));
  s->recordings[at] = r;
  s->recording_count++;
  return OK;
}

struct call *store_find_call(struct store *s, struct str sid) {
  struct call *c = NULL;
  if (sid.n == SID_ROOM - 1) HASH_FIND(hh, s->calls_by_sid, sid.p, sid.n, c);
  return c;
}

struct recording *store_find_recording(struct store *s, struct str sid) {
  struct recording *r = NULL;
  if (sid.n == SID_ROOM - 1) HASH_FIND(hh, s->recordings_by_sid, sid.p, sid.n, r);
  return r;
}

static const char *find_text(const char *const *texts, size_t count, struct str text) {
  for (size_t i = 0; i < count; i++)
    if (str_eq(text, str_from(texts[i]))) return texts[i];
  return NULL;
}

const char *call_status_find(struct str text) {
  return find_text(CALL_STATUSES, COUNT_OF(CALL_STATUSES), text);
}

const char *recording_status_find(struct str text) {
  return find_text(RECORDING_STATUSES, COUNT_OF(RECORDING_STATUSES), text);
}
