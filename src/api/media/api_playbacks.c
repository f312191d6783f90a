/* api_playbacks.c - hash tables of playbacks: one a process, and one a loop in front of it.
 *
 * Invariants
 *  (1) A stamp is NOTE_FACTOR * (mono ms of the playback's first request + 1) + its notes, in one number; 0: an empty
 *      place.
 *  (2) Every note in a local table is in the shared table too, or was forgotten there. A note is never taken back.
 *  (3) Lock number i covers the shared sets whose number modulo STRIPES is i. */
#include "api/media/api_playbacks.h"

#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/secret.h"

enum {
  NOTE_FACTOR = 16, /* greater than all notes together (1) */
  WAYS = 4,         /* places of a set */
  SHARED_SETS = 16384,
  LOCAL_SETS = 1024,
  STRIPES = 64
};

struct place {
  uint64_t key;
  int64_t stamp; /* (1) */
};

struct playbacks {
  uint64_t seed;
  struct lock locks[STRIPES];
  struct place places[SHARED_SETS][WAYS];
};

struct playbacks_local {
  struct place places[LOCAL_SETS][WAYS];
};

enum err playbacks_new(struct playbacks **ret_playbacks) {
  struct playbacks *p = calloc(1, sizeof(*p));
  if (!p) return ERR_NOMEM;
  enum err e = secret_random(&p->seed, sizeof(p->seed));
  if (e != OK) {
    free(p);
    return e;
  }
  for (size_t i = 0; i < STRIPES; i++) lock_init(&p->locks[i], "playbacks", LOCK_RANK_API);
  *ret_playbacks = p;
  return OK;
}

struct playbacks *playbacks_free(struct playbacks *p) {
  if (!p) return NULL;
  for (size_t i = 0; i < STRIPES; i++) lock_done(&p->locks[i]);
  free(p);
  return NULL;
}

enum err playbacks_local_new(struct playbacks_local **ret_local) {
  struct playbacks_local *n = calloc(1, sizeof(*n));
  if (!n) return ERR_NOMEM;
  *ret_local = n;
  return OK;
}

struct playbacks_local *playbacks_local_free(struct playbacks_local *n) {
  free(n);
  return NULL;
}

uint64_t playbacks_key(const struct playbacks *p, int64_t business_id, int subject_kind, int64_t subject_id,
                       struct str recording_sid) {
  uint64_t h = str_hash_word(p->seed, (uint64_t)business_id);
  h = str_hash_word(h, (uint64_t)subject_kind << 56 ^ (uint64_t)subject_id);
  return str_hash(recording_sid, h);
}

static bool is_current(const struct place *place, uint64_t key, int64_t mono_ms) {
  return place->stamp && place->key == key && mono_ms - (place->stamp / NOTE_FACTOR - 1) < PLAYBACK_MS;
}

static struct place *find_place(struct place set[WAYS], uint64_t key, int64_t mono_ms) {
  for (size_t i = 0; i < WAYS; i++)
    if (is_current(&set[i], key, mono_ms)) return &set[i];
  return NULL;
}

/* Replaces the place of the same key, else the oldest one. */
static void put_place(struct place set[WAYS], struct place new) {
  struct place *oldest = &set[0];
  for (size_t i = 0; i < WAYS; i++) {
    if (set[i].key == new.key) {
      oldest = &set[i];
      break;
    }
    if (set[i].stamp < oldest->stamp) oldest = &set[i];
  }
  *oldest = new;
}

static unsigned note_shared(struct playbacks *p, uint64_t key, unsigned notes, int64_t mono_ms,
                            struct place *ret_place) {
  size_t set = key % SHARED_SETS;
  LOCKED(&p->locks[set % STRIPES]);
  struct place *known = find_place(p->places[set], key, mono_ms);
  struct place place = known ? *known : (struct place){key, NOTE_FACTOR * (mono_ms + 1)};
  unsigned first = notes & ~(unsigned)(place.stamp % NOTE_FACTOR);
  place.stamp |= notes;
  put_place(p->places[set], place);
  *ret_place = place;
  return first;
}

unsigned playbacks_note(struct playbacks *p, struct playbacks_local *local, uint64_t key, unsigned notes,
                        int64_t mono_ms) {
  struct place *set = local->places[(key >> 32) % LOCAL_SETS], place;
  const struct place *known = find_place(set, key, mono_ms);
  if (known && (notes & ~(unsigned)(known->stamp % NOTE_FACTOR)) == 0) return 0;
  unsigned first = note_shared(p, key, notes, mono_ms, &place);
  put_place(set, place);
  return first;
}
