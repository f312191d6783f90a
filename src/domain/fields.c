/* fields.c - ranked fields as a JSON object: {"from": ["+15550100", terminal, sequence, timestamp, order], …}.
 *
 * Invariants
 *  (1) Merging is commutative, associative and idempotent: per name it is the maximum of (rank, value).
 *  (2) Known fields always have room. Unknown ones have a quota; past it, the fields that came first stay. Only
 *      there does the order of deliveries matter. */
#include "domain/fields.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct fields {
  json_t *object;
  size_t further, further_bytes; /* (2) */
};

struct fields *fields_free(struct fields *f) {
  if (!f) return NULL;
  json_decref(f->object);
  free(f);
  return NULL;
}

static struct str entry_value(const json_t *entry) {
  const json_t *value = json_array_get(entry, 0);
  return str_of(json_string_value(value), json_string_length(value));
}

static bool is_entry(json_t *entry) {
  if (!json_is_array(entry) || json_array_size(entry) != 5 || !json_is_string(json_array_get(entry, 0))) return false;
  for (size_t i = 1; i < 5; i++)
    if (!json_is_integer(json_array_get(entry, i))) return false;
  return true;
}

/* Adds an entry to the quota's count (sign 1) or removes it (-1). */
static void count_further(struct fields *f, const char *name, const json_t *entry, int sign) {
  if (!entry || delivery_field_is_known(str_from(name))) return;
  size_t bytes = strlen(name) + entry_value(entry).n;
  f->further = sign > 0 ? f->further + 1 : f->further - 1;
  f->further_bytes = sign > 0 ? f->further_bytes + bytes : f->further_bytes - bytes;
}

enum err fields_read(struct str text, struct fields **ret_fields) {
  struct fields *f = calloc(1, sizeof(*f));
  if (!f) return ERR_NOMEM;
  f->object = text.n ? json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL) : json_object();
  bool good = json_is_object(f->object);
  const char *name;
  json_t *entry;
  if (good) json_object_foreach(f->object, name, entry) good = good && is_entry(entry);
  if (!good) {
    fields_free(f);
    return ERR_CORRUPT;
  }
  json_object_foreach(f->object, name, entry) count_further(f, name, entry, 1);
  *ret_fields = f;
  return OK;
}

static struct delivery_rank entry_rank(const json_t *entry) {
  return (struct delivery_rank){.terminal = json_integer_value(json_array_get(entry, 1)) != 0,
                                .sequence = json_integer_value(json_array_get(entry, 2)),
                                .timestamp_ms = json_integer_value(json_array_get(entry, 3)),
                                .status_order = (int)json_integer_value(json_array_get(entry, 4))};
}

/* (2) Whether the document has room for a further field, new or in place of `entry`. */
static bool has_room(const struct fields *f, size_t name_bytes, const json_t *entry, struct str value) {
  if (value.n > FIELDS_FURTHER_VALUE_MAX) return false;
  if (!entry)
    return f->further < DELIVERY_FURTHER_MAX && f->further_bytes + name_bytes + value.n <= FIELDS_FURTHER_BYTES_MAX;
  size_t had = entry_value(entry).n;
  return value.n <= had || f->further_bytes - had + value.n <= FIELDS_FURTHER_BYTES_MAX;
}

enum merged { MERGED_NOTHING, MERGED_CHANGE, MERGED_DROPPED };

static enum err merge_one(struct fields *f, const struct delivery_rank *rank, const struct delivery_field *field,
                          enum merged *ret_merged) {
  char name[FIELDS_FURTHER_NAME_MAX + 1];
  *ret_merged = MERGED_DROPPED;
  if (str_copy(name, sizeof(name), field->name) != OK) return OK;
  const json_t *entry = json_object_get(f->object, name);
  if (entry) {
    struct delivery_rank had = entry_rank(entry);
    int order = delivery_rank_compare(rank, &had);
    *ret_merged = MERGED_NOTHING;
    if (order < 0 || (order == 0 && str_cmp(field->value, entry_value(entry)) <= 0)) return OK;
    *ret_merged = MERGED_DROPPED;
  }
  if (!delivery_field_is_known(field->name) && !has_room(f, field->name.n, entry, field->value)) return OK;
  json_t *fresh = json_pack("[s%IIIi]", field->value.p, field->value.n, (json_int_t)rank->terminal,
                            (json_int_t)rank->sequence, (json_int_t)rank->timestamp_ms, rank->status_order);
  if (!fresh) return ERR_NOMEM;
  count_further(f, name, entry, -1);
  if (json_object_set_new(f->object, name, fresh) != 0) return ERR_NOMEM;
  count_further(f, name, fresh, 1);
  *ret_merged = MERGED_CHANGE;
  return OK;
}

/* A shorter value can make room for a field that was dropped before it, so this repeats until nothing changes. */
enum err fields_merge(struct fields *f, const struct delivery_part *part, bool *ret_changed, size_t *ret_dropped) {
  bool changed = false, again = true;
  size_t dropped = 0;
  while (again) {
    bool changes = false;
    dropped = 0;
    for (size_t i = 0; i < part->count; i++) {
      enum merged merged;
      TRY(merge_one(f, &part->rank, &part->fields[i], &merged));
      changes = changes || merged == MERGED_CHANGE;
      dropped += merged == MERGED_DROPPED;
    }
    changed = changed || changes;
    again = changes && dropped > 0;
  }
  *ret_changed = changed;
  *ret_dropped = dropped;
  return OK;
}

struct str fields_get(const struct fields *f, const char *name) {
  const json_t *entry = json_object_get(f->object, name);
  return entry ? entry_value(entry) : STR_NONE;
}

static int write_chunk(const char *bytes, size_t n, void *b) {
  return buf_add(b, str_of(bytes, n)) == OK ? 0 : -1;
}

enum err fields_write(const struct fields *f, struct buf *b) {
  return json_dump_callback(f->object, write_chunk, b, JSON_COMPACT | JSON_SORT_KEYS) == 0 ? OK : ERR_TOO_BIG;
}
