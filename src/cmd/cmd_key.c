/* cmd_key.c - creates, lists and revokes API keys. A key is printed once; the database holds only its digest. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "domain/access.h"
#include "ledger/audit.h"
#include "ledger/keys.h"

struct key_creation {
  int64_t business_id;
  struct str role, name;
  int64_t expires_at;
  char text[KEY_TEXT_SIZE];
  int64_t key_id;
};

static enum err key_audit(struct db *db, int64_t business_id, enum audit_action action, int64_t key_id) {
  char id[24];
  (void)snprintf(id, sizeof(id), "%lld", (long long)key_id);
  return audit_append_command(db, business_id, action, "key", id, STR_NONE);
}

static enum err key_run_create(struct db *db, void *arg) {
  struct key_creation *m = arg;
  const struct key_wish wish = {.business_id = m->business_id,
                                .role = m->role,
                                .name = m->name,
                                .made_by = STR("command"),
                                .expires_at = m->expires_at};
  TRY(keys_make(db, &wish, m->text, &m->key_id));
  return key_audit(db, m->business_id, AUDIT_KEY_CREATED, m->key_id);
}

static int key_fail(const struct cmd_args *args, const struct app *app, enum err e) {
  if (e == ERR_NOT_FOUND) return cmd_fail(args, "the business or key does not exist");
  if (e == ERR_INVALID) return cmd_fail(args, "--name must be UTF-8 of at most %d bytes", KEY_NAME_SIZE - 1);
  return app_fail(args, app->db, e);
}

static enum err key_write_created(struct buf *b, const struct key_creation *m) {
  char id[24] = "null";
  if (m->business_id) (void)snprintf(id, sizeof(id), "%lld", (long long)m->business_id);
  return buf_addf(b, "{\"key\":\"%s\",\"key_id\":%lld,\"role\":\"%.*s\",\"business_id\":%s}", m->text,
                  (long long)m->key_id, STR_ARG(m->role), id);
}

static int key_print_created(const struct cmd_args *args, const struct key_creation *m) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  enum err e = args->json ? key_write_created(&b, m) : buf_addf(&b, "%s", m->text);
  if (e == OK) e = print_line(&b);
  if (e == OK && !args->json)
    fprintf(stderr, "Key %lld (%.*s). It is not shown again.\n", (long long)m->key_id, STR_ARG(m->role));
  secret_wipe(b.p, b.n);
  return e == OK ? CMD_DONE : cmd_fail(args, "standard output can't be written");
}

static int key_create(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  struct key_creation m = {0};
  const char *business = cmd_option(o, "--business"), *role = cmd_option(o, "--role"), *name = cmd_option(o, "--name");
  const char *expires = cmd_option(o, "--expires");
  bool platform = cmd_flag(o, "--platform");
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (platform == !!business) return cmd_misuse(args, "exactly one of --business ID and --platform is needed");
  if (platform && role) return cmd_misuse(args, "a platform key has no --role");
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &m.business_id)) return CMD_USAGE;
  enum access_role parsed = ACCESS_VIEWER;
  if (role && (access_role_of(str_from(role), &parsed) != OK || parsed == ACCESS_PLATFORM))
    return cmd_misuse(args, "--role must be viewer, agent or admin");
  m.role = str_from(access_role_name(platform ? ACCESS_PLATFORM : parsed));
  m.name = str_from(name);
  if (expires && date_parse_time_or_date(str_from(expires), &m.expires_at) != OK)
    return cmd_misuse(args, "--expires must be a time or a day, like 2027-01-31T00:00:00Z");
  int code = app_open(app, args);
  if (code == CMD_DONE) code = app_require_business(app, args, m.business_id);
  if (code != CMD_DONE) return code;
  enum err e = app_write(app, key_run_create, &m);
  code = e == OK ? key_print_created(args, &m) : key_fail(args, app, e);
  secret_wipe(m.text, sizeof(m.text));
  return code;
}

/* ---- list ---- */

struct listing {
  bool json;
  struct buf out;
  int n;
};

static enum err key_write_json(struct buf *b, const struct key *k) {
  TRY(buf_addf(b, "{\"key_id\":%lld,\"business_id\":", (long long)k->key_id));
  TRY(k->business_id ? buf_addf(b, "%lld", (long long)k->business_id) : buf_add(b, STR("null")));
  TRY(buf_addf(b, ",\"role\":\"%s\",", k->role));
  TRY(print_json_text(b, "name", k->name));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "created_at", k->created_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "revoked_at", k->revoked_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "expires_at", k->expires_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "last_used_at", k->last_used_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "made_by", k->made_by));
  return buf_add_char(b, '}');
}

static enum err key_list_row(void *arg, const struct key *k) {
  struct listing *l = arg;
  char created[PRINT_TIME_SIZE], revoked[PRINT_TIME_SIZE], used[PRINT_TIME_SIZE], expires[PRINT_TIME_SIZE],
      name[PRINT_NAME_SIZE], business[24] = "-";
  if (k->business_id) (void)snprintf(business, sizeof(business), "%lld", (long long)k->business_id);
  if (!l->json) {
    printf("%6lld  %8s  %-8s  %-24s  %-16s  %-16s  %-16s  %s\n", (long long)k->key_id, business, k->role,
           print_name(k->name, name), print_time(k->created_at, created), print_time(k->last_used_at, used),
           print_time(k->expires_at, expires), print_time(k->revoked_at, revoked));
    return OK;
  }
  if (l->n++) TRY(buf_add_char(&l->out, ','));
  return key_write_json(&l->out, k);
}

static int key_list(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  struct listing l = {.json = args->json, .out = BUF_INIT(64 * 1024 * 1024)};
  int64_t business_id = 0;
  const char *business = cmd_option(o, "--business");
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &business_id)) return CMD_USAGE;
  int code = app_open(app, args);
  if (code == CMD_DONE) code = app_require_business(app, args, business_id);
  if (code != CMD_DONE) return code;
  if (!l.json)
    printf("%6s  %8s  %-8s  %-24s  %-16s  %-16s  %-16s  %s\n", "ID", "BUSINESS", "ROLE", "NAME", "CREATED", "USED",
           "EXPIRES", "REVOKED");
  enum err e = l.json ? buf_add_char(&l.out, '[') : OK;
  if (e == OK) e = keys_each(app->db, business_id, key_list_row, &l);
  if (e == OK && l.json) e = buf_add_char(&l.out, ']');
  if (e == OK && l.json) e = print_line(&l.out);
  buf_done(&l.out);
  return e == OK ? CMD_DONE : key_fail(args, app, e);
}

static enum err key_run_revoke(struct db *db, void *arg) {
  int64_t key_id = *(int64_t *)arg;
  struct key key;
  enum err e = keys_revoke_by(db, 0, key_id, STR("command"));
  if (e == ERR_NOT_FOUND) return keys_revoke(db, key_id); /* revoked already, or unknown */
  if (e == OK) e = keys_get(db, key_id, &key);
  return e == OK ? key_audit(db, key.business_id, AUDIT_KEY_REVOKED, key_id) : e;
}

static int key_revoke(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  int64_t key_id;
  const char *id = cmd_word(o);
  if (!id) return cmd_misuse(args, "KEY_ID is needed; callreel key list shows it");
  if (!cmd_number("KEY_ID", id, 1, INT64_MAX, &key_id) || !cmd_options_end(o)) return CMD_USAGE;
  int code = app_open(app, args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(app, key_run_revoke, &key_id);
  if (e != OK) return key_fail(args, app, e);
  printf(args->json ? "{\"key_id\":%lld}\n" : "Key %lld is revoked.\n", (long long)key_id);
  return CMD_DONE;
}

int cmd_key(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *verb = args->count ? args->words[0] : "";
  (void)cmd_word(&o);
  if (strcmp(verb, "create") == 0) return key_create(args, &app, &o);
  if (strcmp(verb, "list") == 0) return key_list(args, &app, &o);
  if (strcmp(verb, "revoke") == 0) return key_revoke(args, &app, &o);
  return cmd_misuse(args, "the first word must be create, list or revoke");
}
