/* access.c - businesses and keys in memory, in hash tables.
 *
 *   access_load, access_update --one reference--> ALIVE --last access_unref--> freed
 *
 *   snapshot --> table of 4,096 shards --> a shard: a short list of items --> a business or a key
 *                shards are shared by snapshots      items are shared by shards
 *
 * A new snapshot shares with the one before all that did not change. It costs a copy of the list of shards, and a copy
 * of each changed shard.
 *
 * Invariants
 *  (1) A snapshot that was handed out never changes. A shard that belongs to more than one snapshot never changes.
 *  (2) A key is found by the SHA-256 of its text. So the time of a look-up depends on the digest only, which a
 *      client can't steer towards a stored one. The whole digest is compared in constant time as well.
 *  (3) A business has one count of listeners in all snapshots. */
#include "domain/access.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/metric.h"
#include "domain/access_table.h"
#include "ledger/businesses.h"
#include "ledger/keys.h"

enum {
  ACCESS_BUSINESSES_MAX = 100000,
  ACCESS_KEYS_MAX = 1000000,
  NEW_IDS = 16 /* ids this near to the newest may be of a business that is being made */
};

static const char *const role_names[] = {
    [ACCESS_VIEWER] = "viewer", [ACCESS_AGENT] = "agent", [ACCESS_ADMIN] = "admin", [ACCESS_PLATFORM] = "platform"};

struct held_key {
  struct access_item item; /* first */
  struct access_key key;
  uint8_t digest[SHA256_SIZE];
  atomic_int_least64_t used_at; /* of key; the one member that changes (1) */
};

struct held_business {
  struct access_item item;     /* first */
  struct access_business view; /* its texts point into row, base_url and numbers */
  struct business row;         /* owned; numbers too */
  char *base_url;              /* owned */
  struct str *numbers;         /* owned */
};

struct access_snapshot {
  atomic_size_t references;
  char *default_base_url;
  struct access_table businesses, keys;
  int64_t newest_id; /* of all businesses that it and those before it had */
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
  listeners_unref(b->view.listeners);
  business_done(&b->row);
  free(b->base_url);
  free(b->numbers);
  free(b);
  return NULL;
}

static void free_business_item(struct access_item *item) {
  held_business_free((struct held_business *)(void *)item);
}

static void free_key_item(struct access_item *item) {
  struct held_key *k = (struct held_key *)(void *)item;
  secret_wipe(k, sizeof(*k));
  free(k);
}

static void snapshot_free(struct access_snapshot *s) {
  access_table_done(&s->businesses);
  access_table_done(&s->keys);
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

static void snapshot_unref_(struct access_snapshot **s) {
  access_unref(*s);
}

static enum err snapshot_new(struct str default_base_url, struct access_snapshot **ret_snapshot) {
  struct access_snapshot *s = calloc(1, sizeof(*s));
  if (!s) return ERR_NOMEM;
  atomic_init(&s->references, 1);
  access_table_init(&s->businesses, ACCESS_BUSINESSES_MAX, free_business_item);
  access_table_init(&s->keys, ACCESS_KEYS_MAX, free_key_item);
  s->default_base_url = str_dup(default_base_url);
  if (!s->default_base_url) {
    snapshot_free(s);
    return ERR_NOMEM;
  }
  *ret_snapshot = s;
  return OK;
}

/* ---- finding ---- */

static uint64_t hash_of_id(int64_t business_id) {
  uint64_t h = (uint64_t)business_id * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ (h >> 32);
}

static uint64_t hash_of_digest(const uint8_t digest[SHA256_SIZE]) {
  uint64_t h;
  memcpy(&h, digest, sizeof(h)); /* a digest is uniform already */
  return h;
}

static struct held_business *find_held_business(const struct access_snapshot *s, int64_t business_id) {
  const struct access_shard *shard = access_shard_of(&s->businesses, hash_of_id(business_id));
  for (size_t i = 0; shard && i < shard->count; i++)
    if (shard->entries[i].tag == (uint64_t)business_id) return (struct held_business *)(void *)shard->entries[i].item;
  return NULL;
}

const struct access_business *access_find_business(const struct access_snapshot *s, int64_t business_id) {
  const struct held_business *held = find_held_business(s, business_id);
  return held ? &held->view : NULL;
}

const struct access_key *access_find_key(const struct access_snapshot *s, struct str token) {
  uint8_t digest[SHA256_SIZE];
  keys_digest(token, digest);
  struct str want = str_of((const char *)digest, sizeof(digest));
  uint64_t hash = hash_of_digest(digest);
  const struct access_shard *shard = access_shard_of(&s->keys, hash);
  for (size_t i = 0; shard && i < shard->count; i++) {
    const struct held_key *held = (const struct held_key *)(const void *)shard->entries[i].item;
    if (shard->entries[i].tag != hash) continue;
    if (secret_equal(want, str_of((const char *)held->digest, sizeof(held->digest)))) return &held->key; /* (2) */
  }
  return NULL;
}

bool access_key_note_use(const struct access_key *key, int64_t now) {
  int_least64_t last = atomic_load_explicit(key->used_at, memory_order_relaxed);
  if (now - last < KEY_USED_EVERY_MS) return false;
  return atomic_compare_exchange_strong_explicit(key->used_at, &last, now, memory_order_relaxed, memory_order_relaxed);
}

int64_t access_retention_days(const struct access_snapshot *s, int64_t business_id, int64_t default_days) {
  const struct access_business *b = access_find_business(s, business_id);
  return b && b->retention_days >= 0 ? b->retention_days : default_days;
}

size_t access_business_count(const struct access_snapshot *s) {
  return s->businesses.count;
}

bool access_business_may_be_new(const struct access_snapshot *s, int64_t business_id) {
  return business_id > 0 && business_id > s->newest_id - NEW_IDS && business_id <= s->newest_id + NEW_IDS;
}

/* ---- adding rows ---- */

struct snapshot_build {
  struct access_snapshot *snapshot;     /* being built; no other thread has it */
  const struct access_snapshot *before; /* NULL: none */
};

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

static void fill_business_view(struct held_business *held, struct listeners *listeners) {
  const struct business *row = &held->row;
  held->view = (struct access_business){
      .business_id = row->business_id,
      .name = str_from(row->name),
      .account_sid = str_from(row->account_sid),
      .tokens = {str_from(row->tokens[0]), str_from(row->tokens[1])},
      .api_key = str_from(row->api_key),
      .api_secret = str_from(row->api_secret),
      .base_url = without_slashes(str_from(held->base_url)),
      .numbers = held->numbers,
      .number_count = row->number_count,
      .retention_days = row->retention_days,
      .credentials_version = row->credentials_version,
      .listeners = listeners,
  };
}

static enum err held_business_new(const struct snapshot_build *t, const struct business *row,
                                  struct held_business **ret_business) {
  const struct held_business *had = t->before ? find_held_business(t->before, row->business_id) : NULL;
  struct listeners *listeners = NULL;
  struct held_business *held = calloc(1, sizeof(*held));
  if (!held) return ERR_NOMEM;
  held->row = *row;
  enum err e = copy_numbers(held, row);
  held->base_url = str_dup(str_from(row->base_url[0] ? row->base_url : t->snapshot->default_base_url));
  if (e == OK && !held->base_url) e = ERR_NOMEM;
  if (e == OK && had) listeners = listeners_ref(had->view.listeners); /* (3) */
  if (e == OK && !had) e = listeners_new(&listeners);
  if (e != OK) {
    held_business_free(held);
    return e;
  }
  fill_business_view(held, listeners);
  *ret_business = held;
  return OK;
}

static enum err add_business(void *arg, const struct business *row) {
  const struct snapshot_build *t = arg;
  struct held_business *held;
  metric_add(METRIC_ACCESS_ROWS, 0, 1);
  TRY(held_business_new(t, row, &held));
  if (row->business_id > t->snapshot->newest_id) t->snapshot->newest_id = row->business_id;
  return access_table_add(&t->snapshot->businesses, hash_of_id(row->business_id), (uint64_t)row->business_id,
                          &held->item);
}

static bool is_key(const struct access_item *item, int64_t key_id) {
  return ((const struct held_key *)(const void *)item)->key.key_id == key_id;
}

static bool is_business(const struct access_item *item, int64_t business_id) {
  return ((const struct held_business *)(const void *)item)->row.business_id == business_id;
}

static enum err add_key(void *arg, const struct key *row) {
  const struct snapshot_build *t = arg;
  enum access_role role;
  metric_add(METRIC_ACCESS_ROWS, 0, 1);
  if (access_role_of(str_from(row->role), &role) != OK) return ERR_CORRUPT;
  struct held_key *held = calloc(1, sizeof(*held));
  if (!held) return ERR_NOMEM;
  atomic_init(&held->used_at, row->last_used_at);
  held->key = (struct access_key){.key_id = row->key_id,
                                  .business_id = row->business_id,
                                  .role = role,
                                  .expires_at = row->expires_at,
                                  .used_at = &held->used_at};
  memcpy(held->digest, row->digest, sizeof(held->digest));
  uint64_t hash = hash_of_digest(row->digest);
  return access_table_add(&t->snapshot->keys, hash, hash, &held->item);
}

/* Replaces a key by its row; a revoked key is removed. */
static enum err replace_key(void *arg, const struct key *row) {
  const struct snapshot_build *t = arg;
  TRY(access_table_remove(&t->snapshot->keys, hash_of_digest(row->digest), is_key, row->key_id));
  return row->revoked_at ? OK : add_key(arg, row);
}

/* ---- loading ---- */

static enum err load_rows(struct db *db, const uint8_t secrets_key[32], struct snapshot_build *t) {
  TRY(db_begin(db)); /* so that keys and businesses are of one moment */
  enum err e = businesses_each(db, secrets_key, false, add_business, t);
  if (e == OK) e = keys_each_live(db, add_key, t);
  db_rollback(db);
  return e;
}

enum err access_load(struct db *db, const uint8_t secrets_key[32], struct str default_base_url,
                     const struct access_snapshot *before, struct access_snapshot **ret_snapshot) {
  struct access_snapshot *s CLEANUP(snapshot_unref_) = NULL;
  TRY(snapshot_new(default_base_url, &s));
  struct snapshot_build t = {s, before};
  TRY(load_rows(db, secrets_key, &t));
  *ret_snapshot = TAKE(s);
  return OK;
}

/* ---- updating ---- */

static enum err update_business(struct db *db, const uint8_t secrets_key[32], struct snapshot_build *t,
                                int64_t business_id) {
  struct business row CLEANUP(business_done) = {0};
  TRY(access_table_remove(&t->snapshot->businesses, hash_of_id(business_id), is_business, business_id));
  enum err e = businesses_get(db, secrets_key, business_id, &row);
  return e == OK ? add_business(t, &row) : e == ERR_NOT_FOUND ? OK : e;
}

/* A key without a row was purged with its business. The business is unknown then, so the key is refused anyway. */
static enum err update_key(struct db *db, struct snapshot_build *t, int64_t key_id) {
  struct key row;
  enum err e = keys_get(db, key_id, &row);
  return e == OK ? replace_key(t, &row) : e == ERR_NOT_FOUND ? OK : e;
}

static enum err update_one(struct db *db, const uint8_t secrets_key[32], struct snapshot_build *t,
                           const struct access_change *c) {
  switch (c->what) {
    case ACCESS_BUSINESS:
      return update_business(db, secrets_key, t, c->business_id);
    case ACCESS_KEY:
      return update_key(db, t, c->key_id);
    case ACCESS_KEYS:
      return keys_each(db, c->business_id, replace_key, t);
  }
  return OK;
}

static enum err update_rows(struct db *db, const uint8_t secrets_key[32], struct snapshot_build *t,
                            const struct access_change *changes, size_t count) {
  enum err e = db_begin(db);
  for (size_t i = 0; e == OK && i < count; i++) e = update_one(db, secrets_key, t, &changes[i]);
  db_rollback(db);
  return e;
}

enum err access_update(struct db *db, const uint8_t secrets_key[32], const struct access_snapshot *before,
                       const struct access_change *changes, size_t count, struct access_snapshot **ret_snapshot) {
  struct access_snapshot *s CLEANUP(snapshot_unref_) = NULL;
  TRY(snapshot_new(str_from(before->default_base_url), &s));
  access_table_share(&before->businesses, &s->businesses);
  access_table_share(&before->keys, &s->keys);
  s->newest_id = before->newest_id;
  struct snapshot_build t = {s, before};
  TRY(update_rows(db, secrets_key, &t, changes, count));
  *ret_snapshot = TAKE(s);
  return OK;
}
