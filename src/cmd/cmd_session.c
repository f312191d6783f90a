/* cmd_session.c - lists and ends sessions and sign-in links. A running server refuses an ended one within 2 s. */
#include <stdio.h>
#include <string.h>

#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "ledger/audit.h"
#include "ledger/security_notice.h"
#include "ledger/sessions.h"

enum { JSON_MAX = 64 * 1024 * 1024 };

struct listing {
  bool json;
  struct buf out;
  int n;
};

/* A row of either table. */
struct row {
  const char *kind, *id, *role, *made_by, *subject;
  int64_t made_at, expires_at;
};

static enum err row_write_json(struct listing *l, const struct row *r) {
  struct buf *b = &l->out;
  if (l->n++) TRY(buf_add_char(b, ','));
  TRY(buf_addf(b, "{\"id\":\"%s\",\"kind\":\"%s\",\"role\":\"%s\",", r->id, r->kind, r->role));
  TRY(print_json_text(b, "subject", r->subject));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "made_by", r->made_by));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "made_at", r->made_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "expires_at", r->expires_at));
  return buf_add_char(b, '}');
}

static enum err row_list(struct listing *l, const struct row *r) {
  char made[PRINT_TIME_SIZE], expires[PRINT_TIME_SIZE], by[PRINT_NAME_SIZE];
  if (l->json) return row_write_json(l, r);
  printf("%-16s  %-7s  %-6s  %-16s  %-16s  %s\n", r->id, r->kind, r->role, print_time(r->made_at, made),
         print_time(r->expires_at, expires), print_name(r->made_by, by));
  return OK;
}

static enum err list_session(void *arg, const struct session *s) {
  return row_list(arg, &(struct row){"session", s->id, s->role, s->made_by, s->subject, s->created_at, s->expires_at});
}

static enum err list_link(void *arg, const struct link *link) {
  return row_list(arg, &(struct row){"link", link->id, link->role, link->made_by, "", link->made_at, link->expires_at});
}

static int session_list(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  struct listing l = {.json = args->json, .out = BUF_INIT(JSON_MAX)};
  int64_t business_id;
  const char *business = cmd_option(o, "--business");
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!business) return cmd_misuse(args, "--business ID is needed");
  if (!cmd_number("--business", business, 1, INT64_MAX, &business_id)) return CMD_USAGE;
  int code = app_open(app, args);
  if (code == CMD_DONE) code = app_require_business(app, args, business_id);
  if (code != CMD_DONE) return code;
  int64_t now = db_now_ms(app->db);
  if (!l.json) printf("%-16s  %-7s  %-6s  %-16s  %-16s  %s\n", "ID", "KIND", "ROLE", "MADE", "UNTIL", "BY");
  enum err e = l.json ? buf_add_char(&l.out, '[') : OK;
  if (e == OK) e = sessions_each(app->db, business_id, now, list_session, &l);
  if (e == OK) e = links_each(app->db, business_id, now, list_link, &l);
  if (e == OK && l.json) e = buf_add_char(&l.out, ']');
  if (e == OK && l.json) e = print_line(&l.out);
  buf_done(&l.out);
  return e == OK ? CMD_DONE : app_fail(args, app->db, e);
}

struct revocation {
  int64_t business_id;
  const char *id; /* NULL: all of the business */
};

static enum err session_run_revoke(struct db *db, void *arg) {
  const struct revocation *r = arg;
  struct security_notice notice = {.event = METRIC_SECURITY_SESSION_ENDED, .object = STR("all")};
  struct session_ended ended = {.business_id = r->business_id};
  TRY(r->id ? sessions_end_id(db, 0, str_from(r->id), &ended) : sessions_end_all(db, r->business_id));
  if (ended.is_link) notice.event = METRIC_SECURITY_LINK_ENDED;
  if (r->id) notice.object = str_from(r->id);
  TRY(audit_append_command(db, ended.business_id, AUDIT_SESSION_REVOKED, ended.is_link ? "link" : "session",
                           r->id ? r->id : "all", STR_NONE));
  return security_notice_add(db, ended.business_id, &notice);
}

static int session_revoke(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  struct revocation r = {0};
  const char *business = cmd_option(o, "--business");
  r.id = cmd_word(o);
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!business == !r.id) return cmd_misuse(args, "exactly one of SESSION_ID and --business ID is needed");
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &r.business_id)) return CMD_USAGE;
  int code = app_open(app, args);
  if (code == CMD_DONE) code = app_require_business(app, args, r.business_id);
  if (code != CMD_DONE) return code;
  enum err e = app_write(app, session_run_revoke, &r);
  if (e == ERR_NOT_FOUND || e == ERR_INVALID)
    return cmd_fail(args, "no session or link with that id; callreel session list shows them");
  if (e != OK) return app_fail(args, app->db, e);
  if (args->json)
    puts("{\"revoked\":true}");
  else if (r.id)
    printf("Session or link %s is revoked.\n", r.id);
  else
    printf("All sessions and links of business %lld are revoked.\n", (long long)r.business_id);
  return CMD_DONE;
}

int cmd_session(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *verb = args->count ? args->words[0] : "";
  (void)cmd_word(&o);
  if (strcmp(verb, "list") == 0) return session_list(args, &app, &o);
  if (strcmp(verb, "revoke") == 0) return session_revoke(args, &app, &o);
  return cmd_misuse(args, "the first word must be list or revoke");
}
