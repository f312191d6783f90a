/* cmd_business.c - adds, lists, changes and removes businesses. A running server sees the change within 2 s. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_secret.h"
#include "db/db_writer.h"
#include "domain/part.h"
#include "domain/queue.h"
#include "fetch/fetch.h"
#include "ledger/audit.h"
#include "ledger/holds.h"
#include "ledger/businesses.h"
#include "ledger/businesses_speech.h"
#include "ledger/keys.h"
#include "provider/provider.h"

/* The changes that add, set and remove are asked for: options of the command line, and the result. */
struct edit_request {
  const struct cmd_args *args;
  struct app *app;
  int64_t id;
  struct str name, account_sid, tokens[2], api_key, api_secret, base_url;
  struct str transcribe, language, vocabulary;
  char *token_texts[2], *secret_text; /* owned */
  char *vocabulary_text;              /* owned */
  struct str numbers[BUSINESS_NUMBERS_MAX];
  size_t number_count;
  struct business_edit edit;
  bool new_credentials; /* set by businesses_set: account, token or key changed */
  bool purge;
  bool despite_holds, is_held;
  bool purge_unfinished;
  bool keys_left; /* to be revoked */
};

static void edit_request_done(struct edit_request *w) {
  cmd_secret_free(w->token_texts[0]);
  cmd_secret_free(w->token_texts[1]);
  cmd_secret_free(w->secret_text);
  free(w->vocabulary_text);
}

/* ---- options ---- */

static int edit_request_read_tokens(struct edit_request *w, struct cmd_options *o) {
  const char *path;
  int n = 0;
  while ((path = cmd_option_next(o, "--auth-token-file"))) {
    if (n == 2) return cmd_misuse(w->args, "--auth-token-file may be given at most twice");
    int code = cmd_secret_read(w->args, "--auth-token-file", path, &w->token_texts[n]);
    if (code != CMD_DONE) return code;
    w->tokens[n] = str_from(w->token_texts[n]);
    n++;
  }
  if (n) w->edit.tokens = w->tokens;
  return CMD_DONE;
}

static int edit_request_read_api_key(struct edit_request *w, struct cmd_options *o) {
  const char *key = cmd_option(o, "--api-key"), *path = cmd_option(o, "--api-secret-file");
  if (!key != !path) return cmd_misuse(w->args, "--api-key goes with --api-secret-file");
  if (!key) return CMD_DONE;
  int code = cmd_secret_read(w->args, "--api-secret-file", path, &w->secret_text);
  if (code != CMD_DONE) return code;
  w->api_key = str_from(key);
  w->api_secret = str_from(w->secret_text);
  w->edit.api_key = &w->api_key;
  w->edit.api_secret = &w->api_secret;
  return CMD_DONE;
}

static int edit_request_read_base_url(struct edit_request *w, const char *text) {
  struct fetch_url url;
  struct str s = str_from(text);
  while (s.n && s.p[s.n - 1] == '/') s.n--;
  bool good =
      fetch_url_parse(s, &url) == OK && url.path.n <= 1 && !url.has_query && !url.has_fragment && !url.has_userinfo;
  if (!good) return cmd_misuse(w->args, "--base-url must be an origin like https://api.example.com");
  w->base_url = s;
  w->edit.base_url = &w->base_url;
  return CMD_DONE;
}

/* A number of days; "never": 0; "default": -1. */
static int edit_request_read_retention(struct edit_request *w, const char *text) {
  uint64_t days = 0;
  bool is_default = strcmp(text, "default") == 0;
  if (!is_default && strcmp(text, "never") != 0 &&
      (str_to_u64(str_from(text), BUSINESS_DAYS_MAX, &days) != OK || days == 0))
    return cmd_misuse(w->args, "--retention must be a number of days from 1 to %d, never or default",
                      BUSINESS_DAYS_MAX);
  w->edit.set_retention = true;
  w->edit.retention_days = is_default ? -1 : (int64_t)days;
  return CMD_DONE;
}

/* A number of days; "never": 0. */
static int edit_request_read_metadata(struct edit_request *w, const char *text) {
  uint64_t days = 0;
  if (strcmp(text, "never") != 0 && (str_to_u64(str_from(text), BUSINESS_DAYS_MAX, &days) != OK || days == 0))
    return cmd_misuse(w->args, "--retention-metadata must be a number of days from 1 to %d or never",
                      BUSINESS_DAYS_MAX);
  w->edit.set_metadata = true;
  w->edit.metadata_days = (int64_t)days;
  return CMD_DONE;
}

/* "default" clears what was said. */
static void edit_request_take(const char *text, struct str *value, const struct str **ret_edit) {
  *value = strcmp(text, "default") == 0 ? STR("") : str_from(text);
  *ret_edit = value;
}

static int edit_request_read_vocabulary(struct edit_request *w, const char *path) {
  size_t size;
  enum err e = fs_read_operators(path, false, BUSINESS_VOCABULARY_SIZE - 1, &w->vocabulary_text, &size);
  if (e == ERR_TOO_BIG)
    return cmd_misuse(w->args, "--vocabulary %s: more than %d bytes", path, BUSINESS_VOCABULARY_SIZE - 1);
  if (e != OK) return cmd_fail(w->args, "--vocabulary %s: %s", path, err_text(e));
  w->vocabulary = str_of(w->vocabulary_text, size);
  if (!str_is_utf8(w->vocabulary)) return cmd_fail(w->args, "--vocabulary %s: not UTF-8", path);
  w->edit.vocabulary = &w->vocabulary;
  return CMD_DONE;
}

static int edit_request_read_speech(struct edit_request *w, struct cmd_options *o) {
  const char *text;
  if ((text = cmd_option(o, "--transcribe"))) {
    static const char *const words[] = {"all", "asked", "never", "default"};
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(words); i++) known = known || strcmp(text, words[i]) == 0;
    if (!known) return cmd_misuse(w->args, "--transcribe must be all, asked, never or default");
    edit_request_take(text, &w->transcribe, &w->edit.transcribe);
  }
  if ((text = cmd_option(o, "--language"))) {
    edit_request_take(text, &w->language, &w->edit.language);
    if (w->language.n && !business_is_language(w->language))
      return cmd_misuse(w->args, "--language must be auto, default or a language like he or iw-IL");
  }
  text = cmd_option(o, "--vocabulary");
  return text ? edit_request_read_vocabulary(w, text) : CMD_DONE;
}

static int edit_request_read(struct edit_request *w, struct cmd_options *o) {
  const char *text;
  if ((text = cmd_option(o, "--name"))) {
    w->name = str_from(text);
    w->edit.name = &w->name;
  }
  if ((text = cmd_option(o, "--account-sid"))) {
    w->account_sid = str_from(text);
    if (!provider_twilio.is_account_sid(w->account_sid))
      return cmd_misuse(w->args, "--account-sid must be AC and 32 hexadecimal digits");
    w->edit.account_sid = &w->account_sid;
  }
  int code = edit_request_read_tokens(w, o);
  if (code == CMD_DONE) code = edit_request_read_api_key(w, o);
  if (code == CMD_DONE && (text = cmd_option(o, "--base-url"))) code = edit_request_read_base_url(w, text);
  if (code == CMD_DONE && (text = cmd_option(o, "--retention"))) code = edit_request_read_retention(w, text);
  if (code == CMD_DONE && (text = cmd_option(o, "--retention-metadata"))) code = edit_request_read_metadata(w, text);
  if (code == CMD_DONE) code = edit_request_read_speech(w, o);
  while (code == CMD_DONE && (text = cmd_option_next(o, "--number"))) {
    if (w->number_count == BUSINESS_NUMBERS_MAX) return cmd_misuse(w->args, "too many --number");
    w->numbers[w->number_count++] = str_from(text);
    w->edit.numbers = w->numbers;
    w->edit.set_numbers = true;
  }
  w->edit.number_count = w->number_count;
  return code;
}

/* ---- add, set, remove ---- */

/* edit: the changed values; NULL: it was removed. */
static enum err business_audit(struct db *db, int64_t business_id, enum audit_action action,
                               const struct business_edit *edit) {
  struct buf details CLEANUP(buf_done) = BUF_INIT(AUDIT_DETAILS_SIZE);
  char id[24];
  (void)snprintf(id, sizeof(id), "%lld", (long long)business_id);
  if (edit) TRY(business_edit_write(&details, edit));
  return audit_append_command(db, business_id, action, "business", id, buf_str(&details));
}

static enum err business_run_add(struct db *db, void *arg) {
  struct edit_request *w = arg;
  TRY(businesses_add(db, w->app->secrets_key, w->id, &w->edit, &w->id));
  return business_audit(db, w->id, AUDIT_SETTINGS_CHANGED, &w->edit);
}

static enum err business_run_set(struct db *db, void *arg) {
  struct edit_request *w = arg;
  TRY(businesses_set(db, w->app->secrets_key, w->id, &w->edit, &w->new_credentials));
  if (w->new_credentials) TRY(queue_release_account(db, w->id, db_now_ms(db)));
  return business_audit(db, w->id, AUDIT_SETTINGS_CHANGED, &w->edit);
}

static enum err business_run_remove(struct db *db, void *arg) {
  struct edit_request *w = arg;
  if (w->purge && !w->despite_holds) TRY(holds_in_force(db, w->id, &w->is_held));
  if (w->is_held) return ERR_CONFLICT;
  enum err e = businesses_remove(db, w->id);
  if (e == OK) return business_audit(db, w->id, AUDIT_DELETE, NULL);
  return e == ERR_NOT_FOUND && w->purge ? OK : e; /* an earlier remove ran without --purge: purge now */
}

static enum err business_run_revoke(struct db *db, void *arg) {
  struct edit_request *w = arg;
  return keys_revoke_some(db, w->id, &w->keys_left);
}

/* One transaction: others' webhooks wait for its end. */
static enum err business_run_purge(struct db *db, void *arg) {
  struct edit_request *w = arg;
  int64_t began = db_touched(db);
  do TRY(businesses_purge(db, w->id, BUSINESSES_PURGE_STEP, &w->purge_unfinished));
  while (w->purge_unfinished && db_touched(db) - began <= DB_JOB_ROWS - BUSINESSES_PURGE_ROWS);
  return OK;
}

static int business_fail(struct edit_request *w, enum err e) {
  if (w->is_held)
    return cmd_fail(w->args, "legal holds keep what business %lld has; remove them, or use --despite-holds",
                    (long long)w->id);
  switch (e) {
    case ERR_INVALID:
      return cmd_fail(w->args, "--name must be UTF-8 of 1 to %d bytes; --number must be E.164 like +15550100",
                      BUSINESS_NAME_SIZE - 1);
    case ERR_EXISTS:
      return cmd_fail(w->args, "--id: %lld is in use, or was; ids are never given twice", (long long)w->id);
    case ERR_NOT_FOUND:
      return cmd_fail(w->args, "business %lld does not exist", (long long)w->id);
    default:
      return app_fail(w->args, w->app->db, e);
  }
}

static int business_add(struct edit_request *w, struct cmd_options *o) {
  const char *id = cmd_option(o, "--id");
  if (id && !cmd_number("--id", id, 1, INT64_MAX, &w->id)) return CMD_USAGE;
  int code = edit_request_read(w, o);
  if (code != CMD_DONE) return code;
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!w->edit.name) return cmd_misuse(w->args, "--name is needed");
  code = app_open(w->app, w->args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(w->app, business_run_add, w);
  if (e != OK) return business_fail(w, e);
  if (!w->args->json) {
    printf("Business %lld added.\n", (long long)w->id);
    return CMD_DONE;
  }
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  bool written = buf_addf(&b, "{\"business_id\":%lld,\"name\":", (long long)w->id) == OK &&
                 buf_add_json(&b, w->name) == OK && buf_add_char(&b, '}') == OK && print_line(&b) == OK;
  return written ? CMD_DONE : cmd_fail(w->args, "standard output can't be written");
}

static int edit_request_read_id(struct edit_request *w, struct cmd_options *o) {
  const char *id = cmd_word(o);
  if (!id) return cmd_misuse(w->args, "ID is needed; callreel business list shows it");
  return cmd_number("ID", id, 1, INT64_MAX, &w->id) ? CMD_DONE : CMD_USAGE;
}

static int business_set(struct edit_request *w, struct cmd_options *o) {
  int code = edit_request_read_id(w, o);
  if (code == CMD_DONE) code = edit_request_read(w, o);
  if (code != CMD_DONE) return code;
  if (!cmd_options_end(o)) return CMD_USAGE;
  code = app_open(w->app, w->args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(w->app, business_run_set, w);
  if (e != OK) return business_fail(w, e);
  printf(w->args->json ? "{\"business_id\":%lld,\"new_credentials\":%s}\n" : "Business %lld is set%s.\n",
         (long long)w->id,
         w->args->json ? (w->new_credentials ? "true" : "false")
                       : (w->new_credentials ? "; recordings that failed for its credentials are tried again" : ""));
  return CMD_DONE;
}

struct purge {
  struct blob_store *store;
  int64_t business_id;
};

static enum err purge_delete_part(void *arg, const char *owner, int64_t token, int64_t size) {
  const struct purge *d = arg;
  int64_t business_id;
  char recording_sid[SID_SIZE];
  (void)size;
  if (!part_owner_parse(owner, &business_id, recording_sid) || business_id != d->business_id) return OK;
  enum err e = blob_remove_part(d->store, owner, token);
  return e == ERR_NOT_FOUND ? OK : e;
}

/* Deletes the files of the business's directories, and its parts in .parts. */
static enum err purge_delete_files(struct edit_request *w) {
  struct purge d = {.business_id = w->id};
  char directory[24];
  if (app_open_store(w->app, w->args, &d.store) != CMD_DONE) return ERR_IO;
  (void)snprintf(directory, sizeof(directory), "%lld", (long long)w->id);
  enum err e = blob_delete_below(d.store, directory);
  if (e == OK) e = blob_each_part(d.store, purge_delete_part, &d);
  blob_close(d.store);
  return e;
}

static int business_remove(struct edit_request *w, struct cmd_options *o) {
  w->purge = cmd_flag(o, "--purge");
  w->despite_holds = cmd_flag(o, "--despite-holds");
  int code = edit_request_read_id(w, o);
  if (code != CMD_DONE) return code;
  if (!cmd_options_end(o)) return CMD_USAGE;
  code = app_open(w->app, w->args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(w->app, business_run_remove, w);
  for (w->keys_left = true; w->keys_left && e == OK;) e = app_write(w->app, business_run_revoke, w);
  if (e != OK) return business_fail(w, e);
  w->purge_unfinished = w->purge;
  if (w->purge && purge_delete_files(w) != OK)
    return cmd_fail(w->args, "some of its files could not be deleted; run the command again");
  while (w->purge_unfinished && e == OK) e = app_write(w->app, business_run_purge, w);
  if (e != OK) return business_fail(w, e);
  printf(w->args->json ? "{\"business_id\":%lld}\n" : "Business %lld removed.\n", (long long)w->id);
  return CMD_DONE;
}

/* ---- list ---- */

struct listing {
  bool json;
  struct buf out;
  int n;
};

static enum err business_write_json(struct buf *b, const struct business *x) {
  TRY(buf_addf(b, "{\"business_id\":%lld,", (long long)x->business_id));
  TRY(print_json_text(b, "name", x->name));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "account_sid", x->account_sid));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "api_key", x->api_key));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "base_url", x->base_url));
  TRY(buf_addf(b, ",\"has_auth_token\":%s,\"credentials_refused\":%s,\"numbers\":[", x->has_token ? "true" : "false",
               x->auth_failed_at ? "true" : "false"));
  for (size_t i = 0; i < x->number_count; i++) TRY(buf_addf(b, "%s\"%s\"", i ? "," : "", x->numbers[i]));
  TRY(buf_add(b, STR("],\"retention_days\":")));
  TRY(x->retention_days < 0 ? buf_add(b, STR("null")) : buf_addf(b, "%lld", (long long)x->retention_days));
  TRY(buf_addf(b, ",\"retention_metadata_days\":%lld,", (long long)x->metadata_days));
  TRY(print_json_time(b, "created_at", x->created_at));
  return buf_add_char(b, '}');
}

static enum err business_list_row(void *arg, const struct business *x) {
  struct listing *l = arg;
  char created[PRINT_TIME_SIZE], name[PRINT_NAME_SIZE];
  const char *state = x->auth_failed_at                   ? "credentials refused"
                      : x->has_token || x->has_api_secret ? "ok"
                                                          : "no credentials";
  if (!l->json) {
    printf("%6lld  %-24s  %-34s  %-20s  %s\n", (long long)x->business_id, print_name(x->name, name),
           x->account_sid[0] ? x->account_sid : "-", state, print_time(x->created_at, created));
    return OK;
  }
  if (l->n++) TRY(buf_add_char(&l->out, ','));
  return business_write_json(&l->out, x);
}

static int business_list(struct edit_request *w, struct cmd_options *o) {
  struct listing l = {.json = w->args->json, .out = BUF_INIT(64 * 1024 * 1024)};
  if (!cmd_options_end(o)) return CMD_USAGE;
  int code = app_open(w->app, w->args);
  if (code != CMD_DONE) return code;
  if (!l.json) printf("%6s  %-24s  %-34s  %-20s  %s\n", "ID", "NAME", "ACCOUNT", "STATE", "CREATED");
  enum err e = l.json ? buf_add_char(&l.out, '[') : OK;
  if (e == OK) e = businesses_each(w->app->db, NULL, false, business_list_row, &l);
  if (e == OK && l.json) e = buf_add_char(&l.out, ']');
  if (e == OK && l.json) e = print_line(&l.out);
  buf_done(&l.out);
  return e == OK ? CMD_DONE : business_fail(w, e);
}

int cmd_business(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct edit_request *w = calloc(1, sizeof(*w));
  struct cmd_options o;
  if (!w) return cmd_fail(args, "out of memory");
  w->args = args;
  w->app = &app;
  cmd_options_init(&o, args);
  const char *verb = args->count ? args->words[0] : "";
  (void)cmd_word(&o);
  int code = strcmp(verb, "add") == 0      ? business_add(w, &o)
             : strcmp(verb, "set") == 0    ? business_set(w, &o)
             : strcmp(verb, "list") == 0   ? business_list(w, &o)
             : strcmp(verb, "remove") == 0 ? business_remove(w, &o)
                                           : cmd_misuse(args, "the first word must be add, list, set or remove");
  edit_request_done(w);
  free(w);
  return code;
}
