/* app.h - opens what every command needs: settings, directories, the secrets key, the database and its schema.
 *
 *   struct app app CLEANUP(app_done) = APP_NONE;
 *   int code = app_open(&app, args);
 *   if (code != CMD_DONE) return code;      the error is on standard error already
 *
 * Functions that return int return an exit code: CMD_DONE, or CMD_FAILED after an error message on standard error.
 * Thread rule: one owner; no function may run in two threads at once. */
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
  bool migrates; /* set before app_open: bring the schema of a server up to date; else app_open fails if it is old */
  bool needs_sessions; /* set before app_open: fail behind a pooler that keeps none; so does migrates */
  bool is_patient;     /* set before app_open: wait about a minute for a database that another process has locked */
  struct db *db;       /* read-write; its schema is this release's */
};
#define APP_NONE \
  { .db = NULL }

/* The error text for a database for which db_keeps_sessions says no. */
extern const char app_no_sessions[];
/* How connections to the database are opened. Its texts are the app's. */
struct db_open app_database(const struct app *app);
/* True: the database is a server, not a file of this machine. */
bool app_has_server(const struct app *app);
/* Opens settings, DATA_DIR, key and database, and creates each that is missing. RECORDINGS_DIR is app_open_store's to create. */
CHECKED int app_open(struct app *app, const struct cmd_args *args);
/* Loads and checks the settings only. */
CHECKED int app_open_conf(struct app *app, const struct cmd_args *args);
/* After app_open_conf: fills in the paths of the directories and the database. Creates nothing: a missing directory keeps
 * the path that its setting names. */
CHECKED int app_locate(struct app *app, const struct cmd_args *args);
void app_done(struct app *app);
/* After app_open: opens the store of recordings and checks that its id is the one in the database. */
CHECKED int app_open_store(struct app *app, const struct cmd_args *args, struct blob_store **ret_store);
/* The same for `serve`: if the database knows a store and it is missing or another one is there, the store waits for it (see
 * store_reopen) and an error is logged. Nothing is created then. */
CHECKED int app_open_store_or_wait(struct app *app, const struct cmd_args *args, struct blob_store **ret_store);
/* Runs fn in a write transaction on app->db. If is_patient is set and another process has locked the database, fn runs again. */
CHECKED enum err app_write(struct app *app, enum err (*fn)(struct db *db, void *arg), void *arg);
/* The same for what touches only rows of these businesses (db_begin_shared): a server writes those of others meanwhile. */
CHECKED enum err app_write_of(struct app *app, const int64_t *business_ids, int count,
                              enum err (*fn)(struct db *db, void *arg), void *arg);
/* cmd_fail with the text of e and, if there is one, the database's error message. */
int app_fail(const struct cmd_args *args, const struct db *db, enum err e);
/* After app_open: CMD_DONE if the business exists or business_id is 0. */
CHECKED int app_require_business(struct app *app, const struct cmd_args *args, int64_t business_id);
