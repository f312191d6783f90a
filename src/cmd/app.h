/* app.h - what every command stands on: settings, directories, the sealing key, the database, its schema.
 *
 *   struct app app CLEANUP(app_done) = APP_NONE;
 *   int code = app_open(&app, args);
 *   if (code != CMD_DONE) return code;      the sentence is on standard error already
 *
 * Thread rule: one owner. */
#pragma once

#include "blob/blob.h"
#include "cmd/cmd.h"
#include "db/db.h"
#include "ledger/secrets_key.h"

struct app {
  struct conf conf;
  bool has_conf;
  char *data_dir; /* absolute */
  char *database_url;
  char *recordings_dir;
  uint8_t secrets_key[SECRET_KEY_SIZE];
  bool is_patient; /* set before app_open: a database that another process holds is waited for, about a minute */
  struct db *db;   /* for writing, schema as this release wants it */
};
#define APP_NONE \
  { .db = NULL }

/* Settings, directories, key and database; makes what is missing. */
CHECKED int app_open(struct app *app, const struct cmd_args *args);
/* Settings only. */
CHECKED int app_open_conf(struct app *app, const struct cmd_args *args);
/* After app_open_conf: where directories and the database are. Makes nothing; what is missing keeps the path that the
 * setting says. */
CHECKED int app_locate(struct app *app, const struct cmd_args *args);
void app_done(struct app *app);
/* The store of recordings, checked to be the one that the database knows. CMD_DONE, or CMD_FAILED with its sentence. */
CHECKED int app_open_store(struct app *app, const struct cmd_args *args, struct blob_store **ret_store);
/* Runs fn in a transaction of its own on app->db; again, if the app is patient and another process holds the database. */
CHECKED enum err app_write(struct app *app, enum err (*fn)(struct db *db, void *arg), void *arg);
/* cmd_fail with what e says and, where the database has a word on it, that. */
int app_fail(const struct cmd_args *args, const struct db *db, enum err e);
/* After app_open: CMD_DONE if there is that business, or none was named (0), else CMD_FAILED with its sentence. */
CHECKED int app_require_business(struct app *app, const struct cmd_args *args, int64_t business_id);
/* MIN_FREE_BYTES, or where it is unset 5 % of the store's volume, at most 1 GiB. */
CHECKED enum err app_min_free_bytes(const struct app *app, struct blob_store *store, uint64_t *ret_bytes);
