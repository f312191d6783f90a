/* check_parts.h - what the files of `callreel check` share.
 *
 * Each check_* function adds findings to the report. It adds none if the thing that it checks can't be opened: the function that
 * opens that thing has reported it.
 * Thread rule: the main thread. */
#pragma once

#include "cmd/app.h"
#include "cmd/check/check_report.h"

struct check {
  const struct cmd_args *args;
  struct check_report report;
  struct app app;           /* app.db is read-only; NULL if the database can't be opened */
  bool has_key;             /* app.secrets_key is set */
  bool has_schema;          /* its version is this release's or newer, so tables can be read */
  bool is_new;              /* the database does not exist yet */
  struct blob_store *store; /* NULL if RECORDINGS_DIR can't be opened */
};

/* check_place.c: settings, files, secrets, database, limits, workers, reconcile. check_settings is first; false: the settings are
 * invalid, and the other checks can't run. */
CHECKED bool check_settings(struct check *c);
void check_files(struct check *c);
void check_key(struct check *c);
void check_database(struct check *c);
void check_limits(struct check *c);
void check_workers(struct check *c);
void check_reconcile(struct check *c);
/* check_volume.c: the recordings' volume and its free space */
void check_volume(struct check *c);
/* check_business.c: each business's credentials, whether the provider accepts them, and its webhook URLs */
void check_businesses(struct check *c);
/* check_speech.c: whether the speech engine hears words, if there is one */
void check_speech(struct check *c);
