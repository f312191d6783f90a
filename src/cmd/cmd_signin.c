/* cmd_signin.c - a link that signs a person in at the page: good once, for ten minutes. Only its digest is kept. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_url.h"
#include "domain/access.h"
#include "ledger/sessions.h"

enum { LINK_LIVES_MS = 10 * 60 * 1000, LINE_MAX = 8192 };

struct linking {
  struct link link;
  char token[SESSION_TOKEN_SIZE];
};

static enum err run_create(struct db *db, void *arg) {
  struct linking *l = arg;
  l->link.expires_at = db_now_ms(db) + LINK_LIVES_MS;
  return links_create(db, &l->link, l->token);
}

static enum err write_link(struct buf *b, const struct conf *conf, const struct linking *l, bool json) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  TRY(url_add_base(&url, conf));
  TRY(buf_addf(&url, "/signin?token=%s", l->token));
  if (!json) return buf_add(b, buf_str(&url));
  TRY(buf_add(b, STR("{\"url\":")));
  TRY(buf_add_json(b, buf_str(&url)));
  TRY(buf_addf(b, ",\"business_id\":%lld,\"role\":\"%s\",", (long long)l->link.business_id, l->link.role));
  TRY(print_json_time(b, "expires_at", l->link.expires_at));
  return buf_add_char(b, '}');
}

static int print_link(const struct cmd_args *args, const struct conf *conf, const struct linking *l) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(2 * LINE_MAX);
  enum err e = write_link(&b, conf, l, args->json);
  if (e == OK) e = print_line(&b);
  if (e == OK && !args->json) fprintf(stderr, "Good once, for 10 minutes (%s).\n", l->link.role);
  return e == OK ? CMD_DONE : cmd_fail(args, "the link can't be printed: %s", err_text(e));
}

int cmd_signin(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct linking l = {.token = ""};
  struct cmd_options o;
  enum access_role role = ACCESS_VIEWER;
  cmd_options_init(&o, args);
  const char *business = cmd_option(&o, "--business"), *word = cmd_option(&o, "--role");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  if (!business) return cmd_misuse(args, "--business ID is needed");
  if (!cmd_number("--business", business, 1, INT64_MAX, &l.link.business_id)) return CMD_USAGE;
  if (word && (access_role_of(str_from(word), &role) != OK || role == ACCESS_PLATFORM))
    return cmd_misuse(args, "--role must be viewer, agent or admin");
  (void)snprintf(l.link.role, sizeof(l.link.role), "%s", access_role_name(role));
  int code = app_open(&app, args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(&app, run_create, &l);
  if (e == ERR_NOT_FOUND) return cmd_fail(args, "there is no business %lld", (long long)l.link.business_id);
  if (e != OK) return app_fail(args, app.db, e);
  return print_link(args, &app.conf, &l);
}
