/* shelf.c - a table with chains by (business, id), and a list by last use.
 *
 * Invariants
 *  (1) Every entry is in its chain and in the list by use, the latest used first.
 *  (2) At most max entries; the table is as large from the start, so finding allocates nothing.
 *  (3) An entry whose mark does not hold is never found: it goes when it is asked for, or with the next sweep. */
#include "domain/shelf.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct shelf_entry {
  struct shelf_item item;
  int64_t business_id;
  char id[SID_SIZE];
  struct shelf_entry *chain_next;
  struct shelf_entry *newer, *older; /* by use */
};

struct shelf {
  size_t max, count;
  size_t bucket_mask;
  struct shelf_entry *newest, *oldest;
  struct shelf_entry *buckets[];
};

static struct shelf_entry **bucket_of(struct shelf *s, int64_t business_id, struct str id) {
  return &s->buckets[str_hash(id, (uint64_t)business_id) & s->bucket_mask];
}

/* ---- the list by use ---- */

static void use_remove(struct shelf *s, struct shelf_entry *e) {
  *(e->newer ? &e->newer->older : &s->newest) = e->older;
  *(e->older ? &e->older->newer : &s->oldest) = e->newer;
}

static void use_first(struct shelf *s, struct shelf_entry *e) {
  e->newer = NULL;
  e->older = s->newest;
  *(e->older ? &e->older->newer : &s->oldest) = e;
  s->newest = e;
}

/* ---- entries ---- */

static struct shelf_entry *entry_find(struct shelf *s, int64_t business_id, struct str id) {
  struct shelf_entry *e = *bucket_of(s, business_id, id);
  while (e && (e->business_id != business_id || !str_eq(str_from(e->id), id))) e = e->chain_next;
  return e;
}

static void entry_remove(struct shelf *s, struct shelf_entry *e) {
  struct shelf_entry **link = bucket_of(s, e->business_id, str_from(e->id));
  while (*link != e) link = &(*link)->chain_next;
  *link = e->chain_next;
  use_remove(s, e);
  s->count--;
  http_file_unref(e->item.file);
  free(e);
}

static enum err entry_fill(struct shelf_entry *e, const struct recording *row, struct str id) {
  TRY(str_copy(e->id, sizeof(e->id), id));
  e->business_id = row->business_id;
  e->item.bytes = row->bytes;
  e->item.modified_s = row->modified_at / 1000;
  e->item.by_call = !str_eq(id, str_from(row->recording_sid));
  e->item.last_check_ms = clock_mono_ms();
  memcpy(e->item.recording_sid, row->recording_sid, sizeof(e->item.recording_sid));
  memcpy(e->item.etag, row->etag, sizeof(e->item.etag));
  memcpy(e->item.content_type, row->content_type, sizeof(e->item.content_type));
  return OK;
}

static void entry_insert(struct shelf *s, struct shelf_entry *e) {
  struct shelf_entry **bucket = bucket_of(s, e->business_id, str_from(e->id));
  e->chain_next = *bucket;
  *bucket = e;
  use_first(s, e);
  s->count++;
}

/* ---- the shelf ---- */

enum err shelf_new(size_t max, struct shelf **ret_shelf) {
  if (max < 1 || max > 1000000) return ERR_INVALID;
  size_t buckets = 16;
  while (buckets < max) buckets *= 2;
  struct shelf *s = calloc(1, sizeof(*s) + buckets * sizeof(s->buckets[0]));
  if (!s) return ERR_NOMEM;
  s->max = max;
  s->bucket_mask = buckets - 1;
  *ret_shelf = s;
  return OK;
}

struct shelf *shelf_free(struct shelf *s) {
  if (!s) return NULL;
  shelf_clear(s);
  free(s);
  return NULL;
}

struct shelf_item *shelf_find(struct shelf *s, int64_t business_id, struct str id) {
  struct shelf_entry *e = entry_find(s, business_id, id);
  if (!e) return NULL;
  if (!cache_mark_holds(&e->item.mark)) { /* (3) */
    entry_remove(s, e);
    return NULL;
  }
  if (e != s->newest) {
    use_remove(s, e);
    use_first(s, e);
  }
  return &e->item;
}

enum err shelf_put(struct shelf *s, const struct recording *row, struct str id, struct cache_mark mark,
                   struct http_file *file) {
  struct shelf_entry *e = calloc(1, sizeof(*e));
  if (!e) return ERR_NOMEM;
  enum err failed = entry_fill(e, row, id);
  if (failed != OK) {
    free(e);
    return failed;
  }
  struct shelf_entry *had = entry_find(s, row->business_id, id);
  e->item.file = http_file_ref(file);
  e->item.mark = mark;
  if (had) entry_remove(s, had);
  if (s->count == s->max) entry_remove(s, s->oldest);
  entry_insert(s, e);
  return OK;
}

void shelf_drop(struct shelf *s, int64_t business_id, struct str id) {
  struct shelf_entry *e = entry_find(s, business_id, id);
  if (e) entry_remove(s, e);
}

void shelf_sweep(struct shelf *s) {
  struct shelf_entry *next;
  for (struct shelf_entry *e = s->newest; e; e = next) {
    next = e->older;
    if (!cache_mark_holds(&e->item.mark)) entry_remove(s, e);
  }
}

void shelf_clear(struct shelf *s) {
  while (s->oldest) entry_remove(s, s->oldest);
}
