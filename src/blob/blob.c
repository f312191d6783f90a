/* blob.c - checks names, which follow the same rules in every store, and calls the store's operations.
 *
 * Invariants
 *  (1) No name leads out of the store: a name that reaches an operation is relative, has no "..", no hidden file, and no
 *      byte that a shell, a URL or another file system reads differently.
 *  (2) A part's name can't be a blob's: parts have a directory of their own, which no blob's name leads into (1).
 *  (3) The name of an earlier release's part can't be a blob's either: no audio file ends in ".part". */
#include <stdio.h>
#include <string.h>

#include "blob/blob.h"
#include "blob/blob_operations.h"

static const char *const EXTENSIONS[] = {"mp3", "wav", "ogg", "flac", "m4a", "amr", "aac", "webm"};

enum { SET_ASIDE_TOKENS = 4, STEM_NAMES_MAX = COUNT_OF(EXTENSIONS) * (1 + SET_ASIDE_TOKENS) };

static bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool blob_name_is_valid(const char *name) {
  size_t n = strnlen(name, BLOB_NAME_SIZE);
  if (n == 0 || n == BLOB_NAME_SIZE) return false;
  bool at_start = true; /* of a component */
  for (size_t i = 0; i < n; i++) {
    if (name[i] == '/' ? at_start : !is_name_byte(name[i])) return false;
    if (at_start && name[i] == '.') return false;
    at_start = name[i] == '/';
  }
  return !at_start;
}

static bool owner_name_is_valid(const char *owner) {
  return blob_name_is_valid(owner) && !strchr(owner, '/');
}

static bool owner_is_valid(const struct blob_owner *w) {
  return owner_name_is_valid(w->owner) && blob_name_is_valid(w->stem);
}

void blob_part_name(const char *owner, int64_t token, char ret_name[BLOB_PART_NAME_SIZE]) {
  (void)snprintf(ret_name, BLOB_PART_NAME_SIZE, "%s.%lld", owner, (long long)token); /* a valid owner fits */
}

bool blob_part_name_parse(struct str name, struct str *ret_owner, int64_t *ret_token) {
  size_t digits = 0;
  while (digits < name.n && name.p[name.n - 1 - digits] >= '0' && name.p[name.n - 1 - digits] <= '9') digits++;
  if (digits == 0 || digits + 1 >= name.n || name.p[name.n - 1 - digits] != '.') return false;
  uint64_t token;
  if (str_to_u64(str_skip(name, name.n - digits), INT64_MAX, &token) != OK) return false;
  *ret_owner = str_head(name, name.n - digits - 1);
  *ret_token = (int64_t)token;
  return true;
}

void blob_old_part_name(const char *stem, int64_t token, char ret_name[BLOB_PART_NAME_SIZE]) {
  (void)snprintf(ret_name, BLOB_PART_NAME_SIZE, "%s.%lld.part", stem, (long long)token); /* a valid stem fits */
}

bool blob_old_part_name_parse(struct str name, struct str *ret_stem, int64_t *ret_token) {
  return str_ends(name, STR(".part")) && blob_part_name_parse(str_head(name, name.n - 5), ret_stem, ret_token);
}

struct blob_store *blob_close(struct blob_store *s) {
  return s ? s->operations->close(s) : NULL;
}

const char *blob_directory(const struct blob_store *s) {
  return s->operations->directory(s);
}

int blob_directory_fd(const struct blob_store *s) {
  return s->operations->directory_fd(s);
}

enum err blob_begin(struct blob_store *s, const char *owner, int64_t token, struct blob_part **ret_part) {
  if (!owner_name_is_valid(owner) || token < 0) return ERR_INVALID;
  return s->operations->begin(s, owner, token, ret_part);
}

enum err blob_append(struct blob_part *p, struct str bytes) {
  if (p->is_published) return ERR_INVALID;
  return bytes.n == 0 ? OK : p->store->operations->append(p, bytes);
}

int64_t blob_part_size(const struct blob_part *p) {
  return p->size;
}

int blob_part_fd(const struct blob_part *p) {
  return p->store->operations->part_fd(p);
}

enum err blob_part_cut(struct blob_part *p, int64_t size) {
  if (p->is_published || size < 0 || size > p->size) return ERR_INVALID;
  return size == p->size ? OK : p->store->operations->cut(p, size);
}

enum err blob_sync(struct blob_part *p) {
  return p->store->operations->sync(p);
}

enum err blob_publish(struct blob_part *p, const char *name) {
  struct str stem;
  int64_t token;
  if (p->is_published || !blob_name_is_valid(name)) return ERR_INVALID;
  if (blob_old_part_name_parse(str_from(name), &stem, &token)) return ERR_INVALID; /* (3) */
  return p->store->operations->publish(p, name);
}

struct blob_part *blob_abandon(struct blob_part *p) {
  return p ? p->store->operations->abandon(p) : NULL;
}

struct blob_part *blob_leave(struct blob_part *p) {
  return p ? p->store->operations->leave(p) : NULL;
}

enum err blob_open_part(struct blob_store *s, const struct blob_owner *w, int64_t token, int *ret_fd) {
  if (!owner_is_valid(w) || token < 0) return ERR_INVALID;
  return s->operations->open_part(s, w, token, ret_fd);
}

enum err blob_open_part_below(struct blob_store *s, const struct blob_owner *w, int64_t token, int *ret_fd,
                              int64_t *ret_size) {
  if (!owner_is_valid(w)) return ERR_INVALID;
  return s->operations->open_part_below(s, w, token, ret_fd, ret_size);
}

enum err blob_sweep_below(struct blob_store *s, const struct blob_owner *w, int64_t token) {
  if (!owner_is_valid(w)) return ERR_INVALID;
  return s->operations->sweep_below(s, w, token);
}

enum err blob_remove_part(struct blob_store *s, const char *owner, int64_t token) {
  if (!owner_name_is_valid(owner) || token < 0) return ERR_INVALID;
  return s->operations->remove_part(s, owner, token);
}

enum err blob_each_part(struct blob_store *s, blob_part_fn *fn, void *arg) {
  return s->operations->each_part(s, fn, arg);
}

enum err blob_open(struct blob_store *s, const char *name, int *ret_fd, int64_t *ret_size) {
  if (!blob_name_is_valid(name)) return ERR_INVALID;
  return s->operations->open(s, name, ret_fd, ret_size);
}

enum err blob_delete(struct blob_store *s, const char *name) {
  if (!blob_name_is_valid(name)) return ERR_INVALID;
  TRY(s->operations->remove(s, name));
  return s->operations->sync_directory_of(s, name);
}

enum err blob_find(struct blob_store *s, const char *stem, char ret_name[BLOB_NAME_SIZE]) {
  if (!blob_name_is_valid(stem)) return ERR_INVALID;
  for (size_t i = 0; i < COUNT_OF(EXTENSIONS); i++) {
    char name[BLOB_NAME_SIZE];
    int n = snprintf(name, sizeof(name), "%s.%s", stem, EXTENSIONS[i]);
    if (n < 0 || n >= (int)sizeof(name)) return ERR_INVALID;
    enum err e = s->operations->exists(s, name);
    if (e == ERR_NOT_FOUND) continue;
    if (e == OK) memcpy(ret_name, name, (size_t)n + 1);
    return e;
  }
  return ERR_NOT_FOUND;
}

enum err blob_free_bytes(struct blob_store *s, uint64_t *ret_free, uint64_t *ret_total) {
  return s->operations->free_bytes(s, ret_free, ret_total);
}

static enum err blob_walk_whole(struct blob_store *s, const char *directory, blob_each_fn *fn, void *arg) {
  struct blob_walk *w;
  int64_t all = INT64_MAX;
  enum err e = s->operations->walk(s, directory, &w);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  e = blob_walk_on(w, &all, fn, arg);
  w = blob_walk_free(w);
  return e == ERR_NOT_FOUND ? OK : e;
}

enum err blob_each(struct blob_store *s, blob_each_fn *fn, void *arg) {
  return blob_walk_whole(s, ".", fn, arg);
}

enum err blob_each_below(struct blob_store *s, const char *directory, blob_each_fn *fn, void *arg) {
  return blob_name_is_valid(directory) ? blob_walk_whole(s, directory, fn, arg) : ERR_INVALID;
}

struct deleting {
  struct blob_store *store;
  char last[BLOB_PART_NAME_SIZE]; /* the file that was deleted last; "": its directory is synced */
};

static size_t directory_length(const char *name) {
  const char *slash = strrchr(name, '/');
  return slash ? (size_t)(slash - name) : 0;
}

/* A directory that is missing needs no sync. */
static enum err deleting_sync(struct deleting *d) {
  if (!d->last[0]) return OK;
  enum err e = d->store->operations->sync_directory_of(d->store, d->last);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  d->last[0] = '\0';
  return OK;
}

static enum err deleting_take(void *arg, const char *name, int64_t size, bool is_part) {
  struct deleting *d = arg;
  size_t n = directory_length(name);
  (void)size, (void)is_part;
  if (d->last[0] && (n != directory_length(d->last) || memcmp(d->last, name, n) != 0)) TRY(deleting_sync(d));
  enum err e = d->store->operations->remove(d->store, name);
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  return str_copy(d->last, sizeof(d->last), str_from(name));
}

enum err blob_delete_below(struct blob_store *s, const char *directory) {
  struct deleting d = {.store = s};
  TRY(blob_each_below(s, directory, deleting_take, &d));
  return deleting_sync(&d);
}

struct stem_names {
  char text[STEM_NAMES_MAX][BLOB_PART_NAME_SIZE];
  const char *names[STEM_NAMES_MAX];
  size_t count;
};

static void stem_names_make(const struct blob_stem *b, struct stem_names *ret_names) {
  struct stem_names *s = ret_names;
  s->count = 0;
  for (size_t i = 0; i < COUNT_OF(EXTENSIONS); i++) {
    (void)snprintf(s->text[s->count++], BLOB_PART_NAME_SIZE, "%s.%s", b->stem, EXTENSIONS[i]);
    for (int64_t token = b->token; token >= 0 && token > b->token - SET_ASIDE_TOKENS; token--)
      (void)snprintf(s->text[s->count++], BLOB_PART_NAME_SIZE, "%s.%s.%lld.bad", b->stem, EXTENSIONS[i],
                     (long long)token);
  }
  for (size_t i = 0; i < s->count; i++) s->names[i] = s->text[i];
}

static enum err delete_stem(struct blob_store *s, const struct blob_stem *b) {
  struct stem_names names;
  if (!blob_name_is_valid(b->stem)) return ERR_INVALID;
  stem_names_make(b, &names);
  return s->operations->remove_names(s, names.names, names.count);
}

/* A directory is synced even if nothing was there: the process that removed the files before may have ended before its sync. */
enum err blob_delete_stems(struct blob_store *s, const struct blob_stem *stems, size_t count) {
  struct deleting d = {.store = s};
  for (size_t i = 0; i < count; i++) {
    const char *stem = stems[i].stem;
    size_t n = directory_length(stem);
    if (d.last[0] && (n != directory_length(d.last) || memcmp(d.last, stem, n) != 0)) TRY(deleting_sync(&d));
    TRY(delete_stem(s, &stems[i]));
    TRY(str_copy(d.last, sizeof(d.last), str_from(stem)));
  }
  return deleting_sync(&d);
}

enum err blob_walk_new(struct blob_store *s, const char *directory, struct blob_walk **ret_walk) {
  return blob_name_is_valid(directory) ? s->operations->walk(s, directory, ret_walk) : ERR_INVALID;
}
