/* cmd_signin.c - prints a link that signs a person in to the page. It works once, within 10 minutes. The database holds only
 * the digest of its token. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "domain/public_url.h"
#include "domain/access.h"
#include "ledger/audit.h"
#include "ledger/security_notice.h"
#include "ledger/sessions.h"

enum { LINE_MAX = 8192 };

struct link_creation {
  struct link link;
  char token[SESSION_TOKEN_SIZE];
};

static enum err link_run_create(struct db *db, void *arg) {
  struct link_creation *l = arg;
  l->link.expires_at = db_now_ms(db) + LINK_LIVES_MS;
  TRY(links_create(db, &l->link, l->token));
  const struct security_notice notice = {METRIC_SECURITY_LINK_MADE, str_from(l->link.id), str_from(l->link.role)};
  TRY(audit_append_command(db, l->link.business_id, AUDIT_LINK_CREATED, "link", l->link.id, STR_NONE));
  return security_notice_add(db, l->link.business_id, &notice);
}

static enum err write_link(struct buf *b, const struct conf *conf, const struct link_creation *l, bool json) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  TRY(public_url_add_base(&url, conf));
  TRY(buf_addf(&url, "/signin?token=%s", l->token));
  if (!json) return buf_add(b, buf_str(&url));
  TRY(buf_add(b, STR("{\"url\":")));
  TRY(buf_add_json(b, buf_str(&url)));
  TRY(buf_addf(b, ",\"business_id\":%lld,\"role\":\"%s\",", (long long)l->link.business_id, l->link.role));
  TRY(print_json_time(b, "expires_at", l->link.expires_at));
  return buf_add_char(b, '}');
}

static int print_link(const struct cmd_args *args, const struct conf *conf, const struct link_creation *l) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(2 * LINE_MAX);
  enum err e = write_link(&b, conf, l, args->json);
  if (e == OK) e = print_line(&b);
  if (e == OK && !args->json) fprintf(stderr, "The link works once, within 10 minutes (%s).\n", l->link.role);
  return e == OK ? CMD_DONE : cmd_fail(args, "the link can't be printed: %s", err_text(e));
}

int cmd_signin(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct link_creation l = {.token = ""};
  struct cmd_options o;
  enum access_role role = ACCESS_VIEWER;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *word = cmd_option(&o, "--role");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (!business) return cmd_misuse(args, "--business ID is needed");
  if (!cmd_number("--business", business, 1, INT64_MAX, &l.link.business_id)) return CMD_USAGE;
  if (word && (access_role_of(str_from(word), &role) != OK || role == ACCESS_PLATFORM))
    return cmd_misuse(args, "--role must be viewer, agent or admin");
  (void)snprintf(l.link.made_by, sizeof(l.link.made_by), "command");
  (void)snprintf(l.link.role, sizeof(l.link.role), "%s", access_role_name(role));
  int code = app_open(&app, args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(&app, link_run_create, &l);
  if (e == ERR_NOT_FOUND) return cmd_fail(args, "business %lld does not exist", (long long)l.link.business_id);
  if (e != OK) return app_fail(args, app.db, e);
  return print_link(args, &app.conf, &l);
}
