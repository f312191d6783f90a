/* api_open_files.c - a hash table of chains by (business, id), and a list by last use.
 *
 * Invariants
 *  (1) Every entry is in its chain and in the list by last use, the latest used first.
 *  (2) There are at most max entries. The table has its full size from the start, so open_files_find allocates nothing.
 *  (3) An entry whose mark does not hold is never found: the find that meets it removes it, or the next sweep. */
#include "api/media/api_open_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct open_files_entry {
  struct open_file item;
  int64_t business_id;
  char id[SID_SIZE];
  struct open_files_entry *chain_next;
  struct open_files_entry *newer, *older; /* by last use (1) */
};

struct open_files {
  size_t max, count;
  size_t bucket_mask;
  struct open_files_entry *newest, *oldest;
  struct open_files_entry *buckets[];
};

static struct open_files_entry **bucket_of(struct open_files *s, int64_t business_id, struct str id) {
  return &s->buckets[str_hash(id, (uint64_t)business_id) & s->bucket_mask];
}

/* ---- the list by last use ---- */

static void use_unlink(struct open_files *s, struct open_files_entry *e) {
  *(e->newer ? &e->newer->older : &s->newest) = e->older;
  *(e->older ? &e->older->newer : &s->oldest) = e->newer;
}

static void use_link_newest(struct open_files *s, struct open_files_entry *e) {
  e->newer = NULL;
  e->older = s->newest;
  *(e->older ? &e->older->newer : &s->oldest) = e;
  s->newest = e;
}

/* ---- entries ---- */

void open_file_describe(struct open_file *item, const struct recording *row, struct str id) {
  item->bytes = row->bytes;
  item->modified_s = row->modified_at / 1000;
  item->by_call = !str_eq(id, str_from(row->recording_sid));
  memcpy(item->recording_sid, row->recording_sid, sizeof(item->recording_sid));
  memcpy(item->call_sid, row->call_sid, sizeof(item->call_sid));
  memcpy(item->etag, row->etag, sizeof(item->etag));
  memcpy(item->content_type, row->content_type, sizeof(item->content_type));
}

static struct open_files_entry *entry_find(struct open_files *s, int64_t business_id, struct str id) {
  struct open_files_entry *e = *bucket_of(s, business_id, id);
  while (e && (e->business_id != business_id || !str_eq(str_from(e->id), id))) e = e->chain_next;
  return e;
}

static void entry_remove(struct open_files *s, struct open_files_entry *e) {
  struct open_files_entry **link = bucket_of(s, e->business_id, str_from(e->id));
  while (*link != e) link = &(*link)->chain_next;
  *link = e->chain_next;
  use_unlink(s, e);
  s->count--;
  http_file_unref(e->item.file);
  free(e);
}

static enum err entry_fill(struct open_files_entry *e, const struct recording *row, struct str id) {
  TRY(str_copy(e->id, sizeof(e->id), id));
  e->business_id = row->business_id;
  open_file_describe(&e->item, row, id);
  e->item.last_check_ms = clock_mono_ms();
  return OK;
}

static void entry_insert(struct open_files *s, struct open_files_entry *e) {
  struct open_files_entry **bucket = bucket_of(s, e->business_id, str_from(e->id));
  e->chain_next = *bucket;
  *bucket = e;
  use_link_newest(s, e);
  s->count++;
}

/* ---- the cache ---- */

enum err open_files_new(size_t max, struct open_files **ret_open_files) {
  if (max < 1 || max > 1000000) return ERR_INVALID;
  size_t buckets = 16;
  while (buckets < max) buckets *= 2;
  struct open_files *s = calloc(1, sizeof(*s) + buckets * sizeof(s->buckets[0]));
  if (!s) return ERR_NOMEM;
  s->max = max;
  s->bucket_mask = buckets - 1;
  *ret_open_files = s;
  return OK;
}

struct open_files *open_files_free(struct open_files *s) {
  if (!s) return NULL;
  open_files_clear(s);
  free(s);
  return NULL;
}

struct open_file *open_files_find(struct open_files *s, int64_t business_id, struct str id) {
  struct open_files_entry *e = entry_find(s, business_id, id);
  if (!e) return NULL;
  if (!cache_mark_holds(&e->item.mark)) { /* (3) */
    entry_remove(s, e);
    return NULL;
  }
  if (e != s->newest) {
    use_unlink(s, e);
    use_link_newest(s, e);
  }
  return &e->item;
}

enum err open_files_put(struct open_files *s, const struct recording *row, struct str id, struct cache_mark mark,
                        struct http_file *file) {
  struct open_files_entry *e = calloc(1, sizeof(*e));
  if (!e) return ERR_NOMEM;
  enum err failed = entry_fill(e, row, id);
  if (failed != OK) {
    free(e);
    return failed;
  }
  struct open_files_entry *had = entry_find(s, row->business_id, id);
  e->item.file = http_file_ref(file);
  e->item.mark = mark;
  if (had) entry_remove(s, had);
  if (s->count == s->max) entry_remove(s, s->oldest);
  entry_insert(s, e);
  return OK;
}

void open_files_remove(struct open_files *s, int64_t business_id, struct str id) {
  struct open_files_entry *e = entry_find(s, business_id, id);
  if (e) entry_remove(s, e);
}

void open_files_sweep(struct open_files *s) {
  struct open_files_entry *next;
  for (struct open_files_entry *e = s->newest; e; e = next) {
    next = e->older;
    if (!cache_mark_holds(&e->item.mark)) entry_remove(s, e);
  }
}

void open_files_clear(struct open_files *s) {
  while (s->oldest) entry_remove(s, s->oldest);
}
