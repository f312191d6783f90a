/* access.c - businesses and keys in memory, found by hashing.
 *
 *   access_load --one reference--> ALIVE --access_ref, access_unref--> ALIVE --last access_unref--> secrets wiped,
 * freed
 *
 * Invariants
 *  (1) Nothing but the count of references changes after access_load.
 *  (2) A key is found by the SHA-256 of its text: what a comparison's time could tell is of the digest, which nobody
 * can steer towards a stored one, so it says nothing of how much of a key is right. The whole digest is compared in
 *      constant time besides.
 *  (3) Both tables are at most half full, so a search ends at an empty slot soon. */
#include "domain/access.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/businesses.h"
#include "ledger/keys.h"

enum { ACCESS_BUSINESSES_MAX = 100000, ACCESS_KEYS_MAX = 1000000 };

static const char *const role_names[] = {
    [ACCESS_VIEWER] = "viewer", [ACCESS_AGENT] = "agent", [ACCESS_ADMIN] = "admin", [ACCESS_PLATFORM] = "platform"};

struct held_key {
  struct access_key key;
  uint8_t digest[SHA256_SIZE];
};

struct held_business {
  struct access_business view; /* its texts point into row, numbers and the snapshot's base URL */
  struct business row;         /* owned; numbers too */
  struct str *numbers;         /* owned */
};

struct access_snapshot {
  atomic_size_t references;
  char *default_base_url;
  struct held_business **businesses; /* in order of id; each owned: views point into it */
  size_t business_count, business_room;
  struct held_key *keys;
  size_t key_count, key_room;
  size_t *business_slots, *key_slots; /* 1 + index; 0: empty */
  size_t business_mask, key_mask;
};

const char *access_role_name(enum access_role role) {
  assert((unsigned)role < COUNT_OF(role_names));
  return role_names[role];
}

enum err access_role_of(struct str name, enum access_role *ret_role) {
  for (size_t i = 0; i < COUNT_OF(role_names); i++) {
    if (!str_eq(name, str_from(role_names[i]))) continue;
    *ret_role = (enum access_role)i;
    return OK;
  }
  return ERR_INVALID;
}

/* ---- life ---- */

static struct held_business *held_business_free(struct held_business *b) {
  if (!b) return NULL;
  business_done(&b->row);
  free(b->numbers);
  free(b);
  return NULL;
}

static void snapshot_free(struct access_snapshot *s) {
  for (size_t i = 0; i < s->business_count; i++) held_business_free(s->businesses[i]);
  free(s->businesses);
  if (s->keys) secret_wipe(s->keys, s->key_room * sizeof(s->keys[0]));
  free(s->keys);
  free(s->business_slots);
  free(s->key_slots);
  free(s->default_base_url);
  free(s);
}

struct access_snapshot *access_ref(struct access_snapshot *s) {
  atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
  return s;
}

void access_unref(struct access_snapshot *s) {
  if (s && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1) snapshot_free(s);
}

static void unref_(struct access_snapshot **s) {
  access_unref(*s);
}

/* ---- loading ---- */

/* Room for one more item of a growing array. */
static enum err room_for_one(void **items, size_t item_size, size_t count, size_t max, size_t *room) {
  if (count < *room) return OK;
  if (count >= max) return ERR_TOO_BIG;
  size_t want = *room ? *room * 2 : 16;
  void *grown = realloc(*items, want * item_size);
  if (!grown) return ERR_NOMEM;
  *items = grown;
  *room = want;
  return OK;
}

static struct str without_slashes(struct str url) {
  while (url.n && url.p[url.n - 1] == '/') url.n--;
  return url;
}

static enum err copy_numbers(struct held_business *held, const struct business *from) {
  held->row.numbers = NULL;
  held->row.number_count = 0;
  if (!from->number_count) return OK;
  held->row.numbers = calloc(from->number_count, sizeof(held->row.numbers[0]));
  held->numbers = calloc(from->number_count, sizeof(held->numbers[0]));
  if (!held->row.numbers || !held->numbers) return ERR_NOMEM;
  memcpy(held->row.numbers, from->numbers, from->number_count * sizeof(held->row.numbers[0]));
  held->row.number_count = from->number_count;
  for (size_t i = 0; i < from->number_count; i++) held->numbers[i] = str_from(held->row.numbers[i]);
  return OK;
}

static void view_business(const struct access_snapshot *s, struct held_business *held) {
  const struct business *row = &held->row;
  held->view = (struct access_business){
      .business_id = row->business_id,
      .name = str_from(row->name),
      .account_sid = str_from(row->account_sid),
      .tokens = {str_from(row->tokens[0]), str_from(row->tokens[1])},
      .api_key = str_from(row->api_key),
      .api_secret = str_from(row->api_secret),
      .base_url = without_slashes(str_from(row->base_url[0] ? row->base_url : s->default_base_url)),
      .numbers = held->numbers,
      .number_count = row->number_count,
      .credentials_version = row->credentials_version,
  };
}

static enum err take_business(void *arg, const struct business *row) {
  struct access_snapshot *s = arg;
  void *items = s->businesses;
  TRY(room_for_one(&items, sizeof(s->businesses[0]), s->business_count, ACCESS_BUSINESSES_MAX, &s->business_room));
  s->businesses = items;
  struct held_business *held = calloc(1, sizeof(*held));
  if (!held) return ERR_NOMEM;
  held->row = *row;
  enum err e = copy_numbers(held, row);
  if (e != OK) {
    held_business_free(held);
    return e;
  }
  view_business(s, held);
  s->businesses[s->business_count++] = held;
  return OK;
}

static enum err take_key(void *arg, const struct key *row) {
  struct access_snapshot *s = arg;
  struct held_key held = {.key = {.key_id = row->key_id, .business_id = row->business_id}};
  if (access_role_of(str_from(row->role), &held.key.role) != OK) return ERR_CORRUPT;
  memcpy(held.digest, row->digest, sizeof(held.digest));
  void *items = s->keys;
  TRY(room_for_one(&items, sizeof(s->keys[0]), s->key_count, ACCESS_KEYS_MAX, &s->key_room));
  s->keys = items;
  s->keys[s->key_count++] = held;
  return OK;
}

/* ---- the tables ---- */

static size_t hash_of_id(int64_t business_id) {
  uint64_t h = (uint64_t)business_id * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(h ^ (h >> 32));
}

static size_t hash_of_digest(const uint8_t digest[SHA256_SIZE]) {
  size_t h;
  memcpy(&h, digest, sizeof(h)); /* uniform as it is */
  return h;
}

static enum err slots_new(size_t count, size_t **ret_slots, size_t *ret_mask) {
  size_t size = 16;
  while (size < count * 2) size *= 2; /* (3) */
  size_t *slots = calloc(size, sizeof(slots[0]));
  if (!slots) return ERR_NOMEM;
  *ret_slots = slots;
  *ret_mask = size - 1;
  return OK;
}

static void slots_add(size_t *slots, size_t mask, size_t hash, size_t index) {
  size_t at = hash & mask;
  while (slots[at]) at = (at + 1) & mask;
  slots[at] = index + 1;
}

static enum err build_tables(struct access_snapshot *s) {
  TRY(slots_new(s->business_count, &s->business_slots, &s->business_mask));
  TRY(slots_new(s->key_count, &s->key_slots, &s->key_mask));
  for (size_t i = 0; i < s->business_count; i++)
    slots_add(s->business_slots, s->business_mask, hash_of_id(s->businesses[i]->row.business_id), i);
  for (size_t i = 0; i < s->key_count; i++) slots_add(s->key_slots, s->key_mask, hash_of_digest(s->keys[i].digest), i);
  return OK;
}

static enum err load_rows(struct db *db, const uint8_t seal_key[32], struct access_snapshot *s) {
  TRY(db_begin(db)); /* keys and businesses of one moment */
  enum err e = businesses_each(db, seal_key, false, take_business, s);
  if (e == OK) e = keys_each_live(db, take_key, s);
  db_rollback(db);
  return e;
}

enum err access_load(struct db *db, const uint8_t seal_key[32], struct str default_base_url,
                     struct access_snapshot **ret_snapshot) {
  struct access_snapshot *s CLEANUP(unref_) = calloc(1, sizeof(*s));
  if (!s) return ERR_NOMEM;
  atomic_init(&s->references, 1);
  s->default_base_url = str_dup(default_base_url);
  if (!s->default_base_url) return ERR_NOMEM;
  TRY(load_rows(db, seal_key, s));
  TRY(build_tables(s));
  *ret_snapshot = TAKE(s);
  return OK;
}

/* ---- finding ---- */

const struct access_key *access_find_key(const struct access_snapshot *s, struct str token) {
  uint8_t digest[SHA256_SIZE];
  keys_digest(token, digest);
  struct str want = str_of((const char *)digest, sizeof(digest));
  for (size_t at = hash_of_digest(digest) & s->key_mask; s->key_slots[at]; at = (at + 1) & s->key_mask) {
    const struct held_key *held = &s->keys[s->key_slots[at] - 1];
    if (secret_equal(want, str_of((const char *)held->digest, sizeof(held->digest)))) return &held->key;
  }
  return NULL;
}

const struct access_business *access_find_business(const struct access_snapshot *s, int64_t business_id) {
  for (size_t at = hash_of_id(business_id) & s->business_mask; s->business_slots[at];
       at = (at + 1) & s->business_mask) {
    const struct held_business *held = s->businesses[s->business_slots[at] - 1];
    if (held->row.business_id == business_id) return &held->view;
  }
  return NULL;
}

size_t access_business_count(const struct access_snapshot *s) {
  return s->business_count;
}

const struct access_business *access_business_at(const struct access_snapshot *s, size_t i) {
  assert(i < s->business_count);
  return &s->businesses[i]->view;
}
