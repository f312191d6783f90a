/* serve_business.c - if TWILIO_ACCOUNT_SID is set, adds a business for that account at the start, or updates its credentials from
 * the settings. */
#include <string.h>

#include "base/log.h"
#include "cmd/serve/serve_parts.h"
#include "domain/queue.h"
#include "ledger/businesses.h"

struct keep_job {
  struct serve *serve;
  struct business_edit edit;
  int64_t id;
  bool made;
};

static enum err business_run_keep(struct db *db, void *arg) {
  struct keep_job *k = arg;
  enum err e = businesses_find_account(db, *k->edit.account_sid, &k->id);
  if (e == ERR_NOT_FOUND) {
    k->made = true;
    return businesses_add(db, k->serve->app.secrets_key, 0, &k->edit, &k->id);
  }
  TRY(e);
  bool new_credentials;
  struct business_edit edit = k->edit;
  edit.name = NULL; /* keep a name that a person gave */
  TRY(businesses_set(db, k->serve->app.secrets_key, k->id, &edit, &new_credentials));
  return new_credentials ? queue_release_account(db, k->id, db_now_ms(db)) : OK;
}

int serve_keep_business(struct serve *s) {
  const struct conf *conf = &s->app.conf;
  if (!conf->twilio_account_sid) return CMD_DONE;
  struct str sid = str_from(conf->twilio_account_sid);
  struct str name = STR("Main"), tokens[2] = {STR_NONE, STR_NONE};
  struct str api_key = str_from(conf->twilio_api_key), api_secret = str_from(conf->twilio_api_secret);
  struct str all = str_from(conf->twilio_auth_token), rest;
  if (str_cut(all, ',', &tokens[0], &rest)) tokens[1] = str_trim(rest);
  tokens[0] = str_trim(tokens[0]);
  struct keep_job k = {.serve = s, .edit = {.name = &name, .account_sid = &sid}};
  if (conf->twilio_auth_token) k.edit.tokens = tokens;
  if (conf->twilio_api_key) {
    k.edit.api_key = &api_key;
    k.edit.api_secret = &api_secret;
  }
  enum err e = app_write(&s->app, business_run_keep, &k);
  if (e != OK) return cmd_fail(s->args, "TWILIO_ACCOUNT_SID: its business can't be added or updated: %s", err_text(e));
  if (k.made) log_info("Business added", LOG_INT("business", k.id));
  return CMD_DONE;
}
