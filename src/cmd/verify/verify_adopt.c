/* verify_adopt.c - verify --adopt-store: makes the volume at RECORDINGS_DIR the one that the database knows, after an operator
 * moved the recordings.
 *
 *   the volume has an id                                          -> the database stores that id
 *   it has no id, and is empty or has a recording of the database -> it gets the database's id
 *   it has no id, and has only other files                        -> refused: it is probably the wrong volume */
#include <stdio.h>
#include <string.h>

#include "cmd/verify/verify_parts.h"
#include "domain/store.h"

struct known_search {
  struct db *db;
  bool has_files;
};

static enum err adopt_find_known(void *arg, const char *name, int64_t size, bool is_part) {
  struct known_search *a = arg;
  struct verify_name n;
  struct recording row;
  (void)size, (void)is_part;
  a->has_files = true;
  verify_name_parse(str_from(name), &n);
  if (n.kind != VERIFY_NAME_BLOB) return OK;
  enum err e = recordings_get(a->db, n.business_id, str_from(n.recording_sid), &row);
  if (e == ERR_NOT_FOUND) return OK;
  return e == OK ? ERR_EXISTS : e; /* stops the search: one is enough */
}

struct adoption {
  struct blob_store *store;
  char id[STORE_ID_SIZE];
  bool of_volume;
};

static enum err adopt_run(struct db *db, void *arg) {
  struct adoption *a = arg;
  if (a->of_volume) return store_adopt(db, a->id);
  TRY(store_id_of_database(db, a->id));
  return store_check(a->store, a->id, true);
}

static int adopt_volume(const struct cmd_args *args, struct app *app, struct blob_store *store) {
  struct adoption a = {.store = store};
  struct known_search known = {.db = app->db};
  enum err e = store_id_of_volume(store, a.id);
  a.of_volume = e == OK;
  if (e != OK && e != ERR_NOT_FOUND)
    return cmd_fail(args, "%s/.store-id can't be read or is not valid; remove it if the volume is the right one",
                    app->recordings_dir);
  if (!a.of_volume) {
    e = blob_each(store, adopt_find_known, &known);
    if (e == OK && known.has_files)
      return cmd_fail(args, "%s has files, but none of a recording in the database; see that RECORDINGS_DIR is right",
                      app->recordings_dir);
    if (e != OK && e != ERR_EXISTS) return cmd_fail(args, "RECORDINGS_DIR can't be read: %s", err_text(e));
  }
  e = app_write(app, adopt_run, &a);
  if (e != OK) return cmd_fail(args, "the volume can't be adopted: %s (%s)", err_text(e), db_problem(app->db));
  fprintf(stderr, "The database and %s belong together now. Restart servers that still use another volume.\n",
          app->recordings_dir);
  return CMD_DONE;
}

int verify_adopt(const struct cmd_args *args, struct app *app) {
  struct blob_store *store = NULL;
  enum err e = blob_open_disk(app->recordings_dir, &store);
  if (e != OK) return cmd_fail(args, "RECORDINGS_DIR can't be used: %s", err_text(e));
  int code = adopt_volume(args, app, store);
  blob_close(store);
  return code;
}
