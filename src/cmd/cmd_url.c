/* cmd_url.c - lists and revokes signed URLs. A running server refuses a revoked one within 2 s. */
#include <stdio.h>
#include <string.h>

#include "cmd/app.h"
#include "cmd/cmd_print.h"
#include "ledger/audit.h"
#include "ledger/security_notice.h"
#include "ledger/urls.h"

enum { PAGE = 500 };

struct listing {
  const struct cmd_args *args;
  struct url last;
  int count; /* of this page */
  bool has_rows;
  enum err e;
};

static enum err url_write_json(struct buf *b, const struct url *u, bool is_first) {
  if (!is_first) TRY(buf_add_char(b, ','));
  TRY(buf_addf(b, "{\"url_id\":\"%s\",\"business_id\":%lld,", u->url_id, (long long)u->business_id));
  TRY(print_json_text(b, "recording_sid", u->recording_sid));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "made_by", u->made_by));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "made_at", u->made_at));
  TRY(buf_add_char(b, ','));
  TRY(print_json_time(b, "expires_at", u->expires_at));
  return buf_add_char(b, '}');
}

static enum err url_list_row(void *arg, const struct url *u) {
  struct listing *l = arg;
  char made[PRINT_TIME_SIZE], expires[PRINT_TIME_SIZE], by[PRINT_NAME_SIZE];
  struct buf b CLEANUP(buf_done) = BUF_INIT(4096);
  l->last = *u;
  l->count++;
  if (l->args->json) {
    TRY(url_write_json(&b, u, !l->has_rows));
    l->has_rows = true;
    return fwrite(b.p, 1, b.n, stdout) == b.n ? OK : ERR_IO;
  }
  printf("%-16s  %-34s  %-16s  %-16s  %s\n", u->url_id, u->recording_sid, print_time(u->made_at, made),
         print_time(u->expires_at, expires), print_name(u->made_by, by));
  return OK;
}

static int url_list(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  struct listing l = {.args = args, .last = {.made_at = INT64_MAX}};
  int64_t business_id;
  const char *business = cmd_option(o, "--business");
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!business) return cmd_misuse(args, "--business ID is needed");
  if (!cmd_number("--business", business, 1, INT64_MAX, &business_id)) return CMD_USAGE;
  int code = app_open(app, args);
  if (code == CMD_DONE) code = app_require_business(app, args, business_id);
  if (code != CMD_DONE) return code;
  if (args->json)
    fputs("[", stdout);
  else
    printf("%-16s  %-34s  %-16s  %-16s  %s\n", "ID", "RECORDING", "MADE", "UNTIL", "BY");
  enum err e;
  do {
    l.count = 0;
    struct url after = l.last;
    e = urls_each(app->db, business_id, db_now_ms(app->db), after.made_at, str_from(after.url_id), PAGE, url_list_row,
                  &l);
  } while (e == OK && l.count == PAGE);
  if (args->json) puts("]");
  return e == OK ? CMD_DONE : app_fail(args, app->db, e);
}

struct revocation {
  int64_t business_id;
  const char *id; /* NULL: all of the business */
};

static enum err url_run_revoke(struct db *db, void *arg) {
  struct revocation *r = arg;
  TRY(r->id ? urls_end(db, 0, str_from(r->id), &r->business_id) : urls_end_all(db, r->business_id));
  const struct security_notice notice = {.event = METRIC_SECURITY_URL_REVOKED,
                                         .object = r->id ? str_from(r->id) : STR("all")};
  TRY(audit_append_command(db, r->business_id, AUDIT_URL_REVOKED, "url", r->id ? r->id : "all", STR_NONE));
  return security_notice_add(db, r->business_id, &notice);
}

static int url_revoke(const struct cmd_args *args, struct app *app, struct cmd_options *o) {
  struct revocation r = {0};
  const char *business = cmd_option(o, "--business");
  r.id = cmd_word(o);
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!business == !r.id) return cmd_misuse(args, "exactly one of URL_ID and --business ID is needed");
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &r.business_id)) return CMD_USAGE;
  int code = app_open(app, args);
  if (code != CMD_DONE) return code;
  enum err e = app_write(app, url_run_revoke, &r);
  if (e == ERR_NOT_FOUND)
    return cmd_fail(args, r.id ? "no signed URL with that id is in force" : "the business does not exist");
  if (e != OK) return app_fail(args, app->db, e);
  if (args->json)
    puts("{\"revoked\":true}");
  else if (r.id)
    printf("The URL is revoked.\n");
  else
    printf("All signed URLs of business %lld are revoked.\n", (long long)r.business_id);
  return CMD_DONE;
}

int cmd_url(const struct cmd_args *args) {
  struct app app CLEANUP(app_done) = APP_NONE;
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *verb = args->count ? args->words[0] : "";
  (void)cmd_word(&o);
  if (strcmp(verb, "list") == 0) return url_list(args, &app, &o);
  if (strcmp(verb, "revoke") == 0) return url_revoke(args, &app, &o);
  return cmd_misuse(args, "the first word must be list or revoke");
}
