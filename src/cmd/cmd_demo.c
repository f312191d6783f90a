/* cmd_demo.c - adds two businesses with forty calls. The simulator makes the calls and sends their webhooks to the server.
 *
 *   start the simulator (or use --sim)
 *   -> add the businesses, with the simulator as their provider
 *   -> for each: set its webhook URL, make its calls, wait for all webhooks, store the customers' names
 *   -> wait until the server has fetched what it can -> print the counts -> with --stay, wait for Ctrl-C */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd_http.h"
#include "cmd/cmd_print.h"
#include "cmd/cmd_progress.h"
#include "cmd/cmd_secret.h"
#include "domain/public_url.h"
#include "cmd/demo/demo_parts.h"
#include "ledger/businesses.h"
#include "ledger/calls.h"
#include "ledger/recordings_count.h"
#include "provider/provider.h"

enum {
  URL_SIZE = 1024,
  BODY_MAX = 64 * 1024,
  POLL_MS = 50,
  SERVER_KNOWS_MS = 10 * 1000,
  WEBHOOKS_MS = 120 * 1000,
  FILLS_MS = 30 * 1000
};

struct demo {
  const struct cmd_args *args;
  struct app app;
  struct demo_simulator simulator; /* pid 0: it is not our child (--sim) */
  struct http_caller *http;
  char server[URL_SIZE];
  bool stays;
  int64_t ids[DEMO_BUSINESSES];
  struct progress progress;
  int made, in_all;
};

static void demo_pause(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = (long)POLL_MS * 1000 * 1000}, NULL); /* a signal may cut it short */
}

/* ---- requests ---- */

/* Returns the response's status; 0 without a response, which is reported on standard error. */
static int demo_request(struct demo *d, const char *method, const char *url, const char *const *headers,
                        struct str body, struct buf *ret_body) {
  int status = 0;
  buf_clear(ret_body);
  if (http_call(d->http, method, url, headers, body, &status, ret_body) == OK) return status;
  (void)cmd_fail(d->args, "%s can't be reached: %s", url, http_caller_problem(d->http));
  return 0;
}

static int demo_request_simulator(struct demo *d, const char *method, const char *path, struct str body,
                                  struct buf *ret_body) {
  static const char *const headers[] = {"Content-Type: application/json", NULL};
  char url[URL_SIZE];
  (void)snprintf(url, sizeof(url), "%s%s", d->simulator.url, path);
  return demo_request(d, method, url, body.n ? headers : NULL, body, ret_body);
}

static int demo_check_server(struct demo *d) {
  char url[URL_SIZE + 32];
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  (void)snprintf(url, sizeof(url), "%s/readyz", d->server);
  int status = demo_request(d, "GET", url, NULL, STR_NONE, &answer);
  if (status == 0)
    return cmd_fail(d->args, "the server does not answer: start callreel serve, or name it with --server URL");
  return status == 200 ? CMD_DONE : cmd_fail(d->args, "%s answers %d: the server is not ready", url, status);
}

/* ---- businesses ---- */

struct business_addition {
  struct demo *demo;
  const struct demo_business *business;
  int64_t id;
};

static enum err demo_run_add_business(struct db *db, void *arg) {
  struct business_addition *a = arg;
  const struct demo_simulator *s = &a->demo->simulator;
  struct str name = str_from(a->business->name), number = str_from(a->business->number);
  struct str account = str_from(s->account), base = str_from(s->url), tokens[2] = {str_from(s->token), STR_NONE};
  struct business_edit edit = {.name = &name,
                               .account_sid = &account,
                               .tokens = tokens,
                               .base_url = &base,
                               .numbers = &number,
                               .number_count = 1,
                               .set_numbers = true};
  return businesses_add(db, a->demo->app.secrets_key, 0, &edit, &a->id);
}

/* Waits until the server knows the business: it answers an unsigned webhook with 404 before that, with 403 from then on. */
static int demo_wait_until_server_knows(struct demo *d, int64_t id) {
  static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", "X-Twilio-Signature: none",
                                        NULL};
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  char url[URL_SIZE + 64];
  int64_t until = clock_mono_ms() + SERVER_KNOWS_MS;
  (void)snprintf(url, sizeof(url), "%s/webhooks/twilio/%lld/call", d->server, (long long)id);
  while (clock_mono_ms() < until) {
    int status = demo_request(d, "POST", url, headers, STR("CallSid=demo"), &answer);
    if (status == 0) return CMD_FAILED;
    if (status == 403) return CMD_DONE;
    demo_pause();
  }
  return cmd_fail(d->args, "%s does not see the new business; it may serve another database", d->server);
}

static int demo_add_business(struct demo *d, int index) {
  struct business_addition a = {.demo = d, .business = &demo_businesses[index]};
  enum err e = app_write(&d->app, demo_run_add_business, &a);
  if (e != OK) return cmd_fail(d->args, "a business can't be added: %s (%s)", err_text(e), db_problem(d->app.db));
  d->ids[index] = a.id;
  return demo_wait_until_server_knows(d, a.id);
}

/* ---- calls ---- */

static int demo_set_webhook_url(struct demo *d, int64_t id) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  char url[URL_SIZE + 64];
  (void)snprintf(url, sizeof(url), "%s/webhooks/twilio/%lld", d->server, (long long)id);
  if (buf_add(&body, STR("{\"url\":")) != OK || buf_add_json(&body, str_from(url)) != OK ||
      buf_add_char(&body, '}') != OK)
    return cmd_fail(d->args, "out of memory");
  int status = demo_request_simulator(d, "PUT", "/sim/webhooks", buf_str(&body), &answer);
  return status == 204 ? CMD_DONE : cmd_fail(d->args, "%s refuses the webhook URL (%d)", d->simulator.url, status);
}

static bool json_text(const struct buf *b, const char *name, char *ret_text, size_t size) {
  json_t *root = json_loadb(b->p ? b->p : "", b->n, 0, NULL);
  bool found = str_copy(ret_text, size, str_from(json_string_value(json_object_get(root, name)))) == OK && ret_text[0];
  json_decref(root);
  return found;
}

static int demo_make_second_recording(struct demo *d, const struct demo_call *call, const char *call_sid) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  char path[SID_SIZE + 32];
  (void)snprintf(path, sizeof(path), "/sim/calls/%.*s/recordings", SID_SIZE - 1, call_sid);
  if (demo_write_again(&body, call, clock_now_ms()) != OK) return cmd_fail(d->args, "out of memory");
  int status = demo_request_simulator(d, "POST", path, buf_str(&body), &answer);
  return status == 201 ? CMD_DONE : cmd_fail(d->args, "%s does not make the recording (%d)", d->simulator.url, status);
}

static int demo_make_call(struct demo *d, const struct demo_business *business, const struct demo_call *call,
                          char ret_call_sid[SID_SIZE]) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  if (demo_write_call(&body, business, call, clock_now_ms()) != OK) return cmd_fail(d->args, "out of memory");
  int status = demo_request_simulator(d, "POST", "/sim/calls", buf_str(&body), &answer);
  if (status != 201 || !json_text(&answer, "call_sid", ret_call_sid, SID_SIZE))
    return cmd_fail(d->args, "%s does not make the call (%d): %.*s", d->simulator.url, status,
                    STR_ARG(str_head(buf_str(&answer), 300)));
  progress_show(&d->progress, ++d->made, d->in_all);
  return call->again ? demo_make_second_recording(d, call, ret_call_sid) : CMD_DONE;
}

/* Waits until the server has answered every webhook that was sent so far. */
static int demo_wait_for_webhooks(struct demo *d) {
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  int64_t until = clock_mono_ms() + WEBHOOKS_MS;
  while (clock_mono_ms() < until) {
    if (demo_request_simulator(d, "GET", "/sim/webhooks", STR_NONE, &answer) != 200)
      return cmd_fail(d->args, "%s does not report its pending webhooks", d->simulator.url);
    json_t *root = json_loadb(answer.p, answer.n, 0, NULL);
    json_int_t pending = json_integer_value(json_object_get(root, "pending"));
    json_decref(root);
    if (root && pending == 0) return CMD_DONE;
    demo_pause();
  }
  return cmd_fail(d->args, "webhooks are still unanswered; %s may be overloaded", d->server);
}

struct customer_names {
  int64_t business_id;
  const struct demo_business *business;
  char (*sids)[SID_SIZE];
};

static enum err demo_run_names(struct db *db, void *arg) {
  const struct customer_names *n = arg;
  for (size_t i = 0; i < n->business->count; i++) {
    struct str name = str_from(n->business->calls[i].customer);
    TRY(calls_set_host(db, n->business_id, str_from(n->sids[i]), &(struct calls_host){.customer_name = &name}));
  }
  return OK;
}

static int demo_make_calls(struct demo *d, int index) {
  enum { CALLS_MAX = 64 };
  const struct demo_business *business = &demo_businesses[index];
  char sids[CALLS_MAX][SID_SIZE];
  struct customer_names names = {d->ids[index], business, sids};
  if (business->count > CALLS_MAX) return cmd_fail(d->args, "too many calls");
  int code = demo_set_webhook_url(d, d->ids[index]);
  for (size_t i = 0; code == CMD_DONE && i < business->count; i++)
    code = demo_make_call(d, business, &business->calls[i], sids[i]);
  if (code == CMD_DONE) code = demo_wait_for_webhooks(d);
  if (code != CMD_DONE) return code;
  enum err e = app_write(&d->app, demo_run_names, &names);
  if (e == ERR_NOT_FOUND) return cmd_fail(d->args, "%s did not take the webhooks: see its log", d->server);
  return e == OK ? CMD_DONE : app_fail(d->args, d->app.db, e);
}

/* ---- the end ---- */

static enum err demo_count_recordings(struct demo *d, struct recordings_counts *ret_counts) {
  struct recordings_counts all = {.bytes = 0}, one;
  for (int i = 0; i < DEMO_BUSINESSES; i++) {
    TRY(recordings_count(d->app.db, d->ids[i], &one));
    for (int s = 0; s < RECORDING_STATUS_COUNT_; s++) all.by_status[s] += one.by_status[s];
    all.bytes += one.bytes;
  }
  *ret_counts = all;
  return OK;
}

/* Waits until only recordings that never settle (lasts) are queued or downloading, at most SETTLED_MS. The server
 * continues to fetch the others if the wait ends early. */
static enum err demo_wait_for_fills(struct demo *d, struct recordings_counts *ret_counts) {
  int64_t lasting = 0, until = clock_mono_ms() + FILLS_MS;
  for (int i = 0; i < DEMO_BUSINESSES; i++)
    for (size_t c = 0; c < demo_businesses[i].count; c++) lasting += demo_businesses[i].calls[c].lasts;
  for (;;) {
    TRY(demo_count_recordings(d, ret_counts));
    if (ret_counts->by_status[RECORDING_QUEUED] + ret_counts->by_status[RECORDING_DOWNLOADING] <= lasting) return OK;
    if (clock_mono_ms() >= until) return OK;
    demo_pause();
  }
}

static enum err demo_write_result(struct buf *b, const struct demo *d, const struct recordings_counts *c) {
  bool json = d->args->json;
  TRY(buf_addf(b,
               json ? "{\"businesses\":[%lld,%lld],\"calls\":%d,\"recordings\":{"
                    : "Businesses %lld and %lld, %d calls. Recordings:",
               (long long)d->ids[0], (long long)d->ids[1], d->made));
  for (int s = 0; s < RECORDING_STATUS_COUNT_; s++) {
    const char *name = recording_status_name((enum recording_status)s);
    long long n = (long long)c->by_status[s];
    TRY(json ? buf_addf(b, "%s\"%s\":%lld", s ? "," : "", name, n) : buf_addf(b, "%s %lld %s", s ? "," : "", n, name));
  }
  TRY(buf_add(b, json ? STR("},\"simulator\":") : STR(".")));
  return json ? buf_addf(b, "\"%s\"}", d->simulator.url) : OK;
}

static int demo_print_result(struct demo *d) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct recordings_counts counts;
  enum err e = demo_wait_for_fills(d, &counts);
  if (e != OK) return app_fail(d->args, d->app.db, e);
  e = demo_write_result(&b, d, &counts);
  if (e == OK) e = print_line(&b);
  if (e != OK) return cmd_fail(d->args, "standard output can't be written");
  if (d->args->json) return CMD_DONE;
  buf_clear(&b);
  if (print_program(&b, &d->app, d->args) != OK) return cmd_fail(d->args, "out of memory");
  fprintf(stderr, "To look at it, get a link that signs you in:\n  %.*s signin --business %lld\n", STR_ARG(buf_str(&b)),
          (long long)d->ids[0]);
  return CMD_DONE;
}

static void demo_wait_for_signal(const struct demo *d, const sigset_t *signals) {
  int number;
  fprintf(stderr, "The simulator is at %s until Ctrl-C.\n", d->simulator.url);
  (void)sigwait(signals, &number);
}

/* ---- options and start ---- */

static int demo_read_options(struct demo *d, struct cmd_options *o) {
  const char *server = cmd_option(o, "--server"), *sim = cmd_option(o, "--sim"), *account = cmd_option(o, "--account");
  const char *token_file = cmd_option(o, "--auth-token-file");
  d->stays = cmd_flag(o, "--stay");
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!sim != !account || !sim != !token_file)
    return cmd_misuse(d->args, "--sim URL goes with --account AC... and --auth-token-file F");
  if (sim && d->stays) return cmd_misuse(d->args, "--stay is for a simulator of our own, not with --sim");
  if (account && !provider_twilio.is_account_sid(str_from(account)))
    return cmd_misuse(d->args, "--account must be AC and 32 hexadecimal digits");
  struct str url = str_from(sim), at = str_from(server);
  while (url.n && url.p[url.n - 1] == '/') url.n--;
  while (at.n && at.p[at.n - 1] == '/') at.n--;
  bool fits = str_copy(d->simulator.url, sizeof(d->simulator.url), url) == OK &&
              str_copy(d->simulator.account, sizeof(d->simulator.account), str_from(account)) == OK &&
              str_copy(d->server, sizeof(d->server) / 2, at) == OK;
  if (!fits) return cmd_misuse(d->args, "a URL is too long");
  char *token = NULL;
  int code = token_file ? cmd_secret_read(d->args, "--auth-token-file", token_file, &token) : CMD_DONE;
  if (token && str_copy(d->simulator.token, sizeof(d->simulator.token), str_from(token)) != OK)
    code = cmd_misuse(d->args, "--auth-token-file: the token is too long");
  cmd_secret_free(token);
  return code;
}

static int demo_find_server(struct demo *d) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(URL_SIZE / 2);
  if (d->server[0]) return CMD_DONE;
  if (public_url_add_base(&url, &d->app.conf) != OK || str_copy(d->server, sizeof(d->server), buf_str(&url)) != OK)
    return cmd_fail(d->args, "PUBLIC_BASE_URL is too long");
  return d->server[0] ? CMD_DONE : cmd_misuse(d->args, "LISTEN leaves the port open: --server URL is needed");
}

static int demo_run(struct demo *d, const sigset_t *signals) {
  int code = app_open(&d->app, d->args);
  if (code == CMD_DONE) code = demo_find_server(d);
  if (code == CMD_DONE && http_caller_new(&d->http) != OK) code = cmd_fail(d->args, "out of memory");
  if (code == CMD_DONE) code = demo_check_server(d);
  if (code == CMD_DONE && !d->simulator.url[0]) code = demo_simulator_start(d->args, &d->simulator);
  for (int i = 0; i < DEMO_BUSINESSES; i++) d->in_all += (int)demo_businesses[i].count;
  progress_begin(&d->progress, "Making calls");
  for (int i = 0; code == CMD_DONE && i < DEMO_BUSINESSES; i++) {
    code = demo_add_business(d, i);
    if (code == CMD_DONE) code = demo_make_calls(d, i);
  }
  progress_end(&d->progress);
  if (code == CMD_DONE)
    code = demo_set_webhook_url(d, d->ids[0]); /* calls that a person makes by hand go to the first business */
  if (code == CMD_DONE) code = demo_print_result(d);
  if (code == CMD_DONE && d->stays) demo_wait_for_signal(d, signals);
  return code;
}

int cmd_demo(const struct cmd_args *args) {
  static struct demo d; /* static, because it is large; one a process */
  struct cmd_options o;
  sigset_t signals;
  d.args = args;
  cmd_options_init(&o, args);
  int code = demo_read_options(&d, &o);
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (code == CMD_DONE && d.stays)
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread starts: threads inherit the mask */
  if (code == CMD_DONE) code = demo_run(&d, &signals);
  d.http = http_caller_free(d.http);
  demo_simulator_stop(&d.simulator);
  app_done(&d.app);
  return code;
}
