/* removal_mark.c - see removal_mark.h.
 *
 * Invariants
 *  (1) The volume gets a number only after the transaction that made it. So it is never ahead of its own database. */
#include "domain/removal_mark.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "ledger/settings.h"

#define REMOVALS_SETTING "removal_rounds"
#define REMOVALS_FILE ".removals"

enum { NUMBER_SIZE = 32 };

static enum err parse_number(struct str text, int64_t *ret_number) {
  uint64_t number;
  TRY(str_to_u64(text, INT64_MAX, &number));
  *ret_number = (int64_t)number;
  return OK;
}

/* 0: no round has ended yet. */
static enum err number_of_database(struct db *db, int64_t *ret_number) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  enum err e = settings_get(db, NULL, REMOVALS_SETTING, &text);
  *ret_number = 0;
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  return parse_number(buf_str(&text), ret_number) == OK ? OK : ERR_CORRUPT;
}

static enum err number_of_volume(struct blob_store *store, int64_t *ret_number) {
  char *text CLEANUP(free_char) = NULL;
  size_t size;
  enum err e = fs_read_whole(blob_directory_fd(store), REMOVALS_FILE, NUMBER_SIZE, &text, &size);
  *ret_number = 0;
  if (e != OK) return e == ERR_NOT_FOUND ? OK : e;
  return parse_number(str_of(text, size), ret_number) == OK ? OK : ERR_CORRUPT;
}

enum err removal_mark_count(struct db *db, int64_t *ret_number) {
  char text[NUMBER_SIZE];
  TRY(number_of_database(db, ret_number));
  ++*ret_number;
  (void)snprintf(text, sizeof(text), "%lld", (long long)*ret_number);
  return settings_put(db, NULL, REMOVALS_SETTING, str_from(text));
}

enum err removal_mark_write(struct blob_store *store, int64_t number) {
  char text[NUMBER_SIZE];
  int64_t there;
  enum err e = number_of_volume(store, &there);
  if (e != OK && e != ERR_CORRUPT) return e;
  if (e == OK && there >= number) return OK;
  (void)snprintf(text, sizeof(text), "%lld", (long long)number);
  return fs_write_durable(blob_directory_fd(store), REMOVALS_FILE, 0640, str_from(text));
}

enum err removal_mark_compare(struct db *db, struct blob_store *store, int64_t *ret_rounds) {
  int64_t known, there;
  TRY(number_of_database(db, &known));
  TRY(number_of_volume(store, &there));
  *ret_rounds = there > known ? there - known : 0;
  return OK;
}
