/* fields.c - ranked fields as a JSON object: {"from": ["+15550100", terminal, sequence, timestamp, order], …}.
 *
 * Invariant (1): merging is commutative, associative and idempotent: per name it is the maximum of (rank, value). */
#include "domain/fields.h"

#include <jansson.h>
#include <stdlib.h>

struct fields {
  json_t *object;
};

struct fields *fields_free(struct fields *f) {
  if (!f) return NULL;
  json_decref(f->object);
  free(f);
  return NULL;
}

static bool is_entry(json_t *entry) {
  if (!json_is_array(entry) || json_array_size(entry) != 5 || !json_is_string(json_array_get(entry, 0))) return false;
  for (size_t i = 1; i < 5; i++)
    if (!json_is_integer(json_array_get(entry, i))) return false;
  return true;
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
  *ret_fields = f;
  return OK;
}

static struct delivery_rank entry_rank(const json_t *entry) {
  return (struct delivery_rank){.terminal = json_integer_value(json_array_get(entry, 1)) != 0,
                                .sequence = json_integer_value(json_array_get(entry, 2)),
                                .timestamp_ms = json_integer_value(json_array_get(entry, 3)),
                                .status_order = (int)json_integer_value(json_array_get(entry, 4))};
}

static struct str entry_value(const json_t *entry) {
  const json_t *value = json_array_get(entry, 0);
  return str_of(json_string_value(value), json_string_length(value));
}

static enum err merge_one(struct fields *f, const struct delivery_rank *rank, const struct delivery_field *field,
                          bool *changed) {
  char name[128];
  TRY(str_copy(name, sizeof(name), field->name));
  const json_t *entry = json_object_get(f->object, name);
  if (entry) {
    struct delivery_rank had = entry_rank(entry);
    int order = delivery_rank_compare(rank, &had);
    if (order < 0 || (order == 0 && str_cmp(field->value, entry_value(entry)) <= 0)) return OK;
  } else if (json_object_size(f->object) >= FIELDS_COUNT_MAX) {
    return ERR_TOO_BIG;
  }
  json_t *told = json_pack("[s%IIIi]", field->value.p, field->value.n, (json_int_t)rank->terminal,
                           (json_int_t)rank->sequence, (json_int_t)rank->timestamp_ms, rank->status_order);
  if (!told) return ERR_NOMEM;
  if (json_object_set_new(f->object, name, told) != 0) return ERR_NOMEM;
  *changed = true;
  return OK;
}

enum err fields_merge(struct fields *f, const struct delivery_part *part, bool *ret_changed) {
  bool changed = false;
  for (size_t i = 0; i < part->count; i++) TRY(merge_one(f, &part->rank, &part->fields[i], &changed));
  *ret_changed = changed;
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
