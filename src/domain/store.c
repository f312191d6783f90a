#include "domain/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/secret.h"
#include "ledger/settings.h"

enum { LEAST_FREE_PERCENT = 5 };
#define LEAST_FREE_MOST ((uint64_t)1 << 30)
#define STORE_FILE ".store-id"
#define STORE_SETTING "store_id"

static enum err make_store_id(char ret_id[STORE_ID_SIZE]) {
  uint8_t random[(STORE_ID_SIZE - 1) / 2];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), ret_id);
  return OK;
}

enum err store_known_id(struct db *db, char ret_id[STORE_ID_SIZE]) {
  struct buf known CLEANUP(buf_done) = BUF_INIT(256);
  TRY(settings_get(db, NULL, STORE_SETTING, &known));
  return str_copy(ret_id, STORE_ID_SIZE, buf_str(&known)) == OK ? OK : ERR_CORRUPT;
}

enum err store_id_of_database(struct db *db, char ret_id[STORE_ID_SIZE]) {
  char fresh[STORE_ID_SIZE];
  struct buf known CLEANUP(buf_done) = BUF_INIT(256);
  TRY(make_store_id(fresh));
  TRY(settings_put_if_absent(db, NULL, STORE_SETTING, str_from(fresh), &known));
  return str_copy(ret_id, STORE_ID_SIZE, buf_str(&known)) == OK ? OK : ERR_CORRUPT;
}

enum err store_check(struct blob_store *store, const char *id, bool may_make) {
  char *text CLEANUP(free_char) = NULL;
  size_t size;
  int dir = blob_directory_fd(store);
  enum err e = fs_read_whole(dir, STORE_FILE, 256, &text, &size);
  if (e == OK) return str_eq(str_trim(str_of(text, size)), str_from(id)) ? OK : ERR_CONFLICT;
  if (e != ERR_NOT_FOUND) return e;
  if (!may_make) return ERR_CONFLICT;
  return fs_write_durable(dir, STORE_FILE, 0640, str_from(id));
}

static enum err read_id(int dir, char ret_id[STORE_ID_SIZE]) {
  char *text CLEANUP(free_char) = NULL;
  size_t size;
  enum err e = fs_read_whole(dir, STORE_FILE, 256, &text, &size);
  if (e != OK) return e == ERR_TOO_BIG ? ERR_CORRUPT : e;
  struct str id = str_of(text, size);
  if (id.n && id.p[id.n - 1] == '\n') id.n--; /* written by hand */
  if (id.n != STORE_ID_SIZE - 1) return ERR_CORRUPT;
  for (size_t i = 0; i < id.n; i++)
    if (!strchr("0123456789abcdef", id.p[i])) return ERR_CORRUPT;
  return str_copy(ret_id, STORE_ID_SIZE, id) == OK ? OK : ERR_CORRUPT;
}

enum err store_id_of_volume(struct blob_store *store, char ret_id[STORE_ID_SIZE]) {
  return read_id(blob_directory_fd(store), ret_id);
}

enum err store_reopen(struct blob_store *store, const char *id, const struct node_mark *written) {
  int dir CLEANUP(fs_close_) = -1;
  char found[STORE_ID_SIZE];
  TRY(fs_open_root(blob_directory(store), false, &dir));
  TRY(read_id(dir, found));
  if (strcmp(found, id) != 0 || (written && written->mark && node_mark_is_missing(dir, written))) return ERR_CONFLICT;
  return blob_use_directory(store, dir);
}

uint64_t store_least_free(int64_t setting, uint64_t total_bytes) {
  if (setting >= 0) return (uint64_t)setting;
  uint64_t part = total_bytes / 100 * LEAST_FREE_PERCENT;
  return part < LEAST_FREE_MOST ? part : LEAST_FREE_MOST;
}

bool store_is_elsewhere(const struct blob_store *store) {
  bool is_same;
  return fs_leads_to(blob_directory(store), blob_directory_fd(store), &is_same) == OK && !is_same;
}

enum err store_adopt(struct db *db, const char *id) {
  return settings_put(db, NULL, STORE_SETTING, str_from(id));
}
