/* import_index.c - the rows of an earlier system, by the SIDs of their calls and recordings, in memory. */
#include <stdlib.h>
#include <string.h>

#include "cmd/import/import_parts.h"

enum { ENTRIES_MAX = 20 * 1000 * 1000 };

enum err import_index_add(struct import_index *x, const struct import_entry *entry) {
  if (x->count == ENTRIES_MAX) return ERR_TOO_BIG;
  if (x->count == x->room) {
    size_t room = x->room ? x->room * 2 : 1024;
    struct import_entry *grown = realloc(x->by_call, room * sizeof(*grown));
    if (!grown) return ERR_NOMEM;
    x->by_call = grown;
    x->room = room;
  }
  x->by_call[x->count++] = *entry;
  return OK;
}

static int compare_calls(const void *a, const void *b) {
  return strcmp(((const struct import_entry *)a)->call_sid, ((const struct import_entry *)b)->call_sid);
}

static int compare_recordings(const void *a, const void *b) {
  const struct import_entry *const *x = a, *const *y = b;
  return strcmp((*x)->recording_sid, (*y)->recording_sid);
}

enum err import_index_sort(struct import_index *x) {
  if (!x->count) return OK;
  qsort(x->by_call, x->count, sizeof(x->by_call[0]), compare_calls);
  x->by_recording = malloc(x->count * sizeof(x->by_recording[0]));
  if (!x->by_recording) return ERR_NOMEM;
  for (size_t i = 0; i < x->count; i++)
    if (x->by_call[i].recording_sid[0]) x->by_recording[x->recording_count++] = &x->by_call[i];
  if (x->recording_count) qsort(x->by_recording, x->recording_count, sizeof(x->by_recording[0]), compare_recordings);
  return OK;
}

const struct import_entry *import_index_find_call(const struct import_index *x, struct str sid) {
  struct import_entry key;
  if (!x->count || str_copy(key.call_sid, sizeof(key.call_sid), sid) != OK) return NULL;
  return bsearch(&key, x->by_call, x->count, sizeof(x->by_call[0]), compare_calls);
}

const struct import_entry *import_index_find_recording(const struct import_index *x, struct str sid) {
  struct import_entry key, *at = &key;
  if (!x->recording_count || str_copy(key.recording_sid, sizeof(key.recording_sid), sid) != OK) return NULL;
  struct import_entry **found =
      bsearch(&at, x->by_recording, x->recording_count, sizeof(x->by_recording[0]), compare_recordings);
  return found ? *found : NULL;
}

void import_index_done(struct import_index *x) {
  free(x->by_call);
  free(x->by_recording);
  memset(x, 0, sizeof(*x));
}
