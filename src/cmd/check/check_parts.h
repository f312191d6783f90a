/* check_parts.h - what the doctor's looks share. Each look adds findings and goes on: one that finds nothing to look at
 * says nothing, since what is missing was said where it is missing. */
#pragma once

#include "cmd/app.h"
#include "cmd/check/check_report.h"

struct check {
  const struct cmd_args *args;
  struct check_report report;
  struct app app;           /* app.db: read-only; NULL where there is none to look at */
  bool has_key;             /* app.secrets_key is the one to use */
  bool has_schema;          /* of a version whose tables may be read */
  bool is_new;              /* there is no database yet */
  struct blob_store *store; /* NULL where RECORDINGS_DIR can't be opened */
};

/* check_place.c: settings, files, secrets, database, limits. False: the settings can't be used, there is nothing to look at. */
CHECKED bool check_settings(struct check *c);
void check_files(struct check *c);
void check_key(struct check *c);
void check_database(struct check *c);
void check_limits(struct check *c);
void check_workers(struct check *c);
/* check_volume.c: the recordings' volume, and room on it */
void check_volume(struct check *c);
/* check_business.c: each business: credentials, the provider's answer to them, URLs of webhooks */
void check_businesses(struct check *c);
/* check_ask.c */
struct check_ask {
  int64_t business_id;         /* 0: the account of TWILIO_ACCOUNT_SID, before it has a business */
  char *url, *user, *password; /* owned */
  /* what came of it */
  bool is_over;
  int status; /* 0: no answer */
  char detail[160];
};
void check_ask_done(struct check_ask *a); /* wipes the password */
/* Runs all of them at once; each gets at most 10 s. */
CHECKED enum err check_ask_all(struct check_ask *asks, size_t count);
