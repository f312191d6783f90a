/* cmd_demo.c - two businesses with some forty calls, made by the simulator, told to the running server by its webhooks.
 *
 *   simulator (ours, or --sim) -> businesses that fetch from it -> for each: its webhooks' URL, its calls, all told
 *   -> names of customers -> what can be fetched is fetched -> the end, or with --stay Ctrl-C */
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
#include "cmd/cmd_url.h"
#include "cmd/demo/demo_parts.h"
#include "ledger/businesses.h"
#include "ledger/calls.h"
#include "ledger/recordings_count.h"
#include "provider/provider.h"

enum {
  URL_SIZE = 1024,
  BODY_MAX = 64 * 1024,
  LOOK_MS = 50,
  SEEN_MS = 10 * 1000,
  TOLD_MS = 120 * 1000,
  SETTLED_MS = 30 * 1000
};

struct demo {
  const struct cmd_args *args;
  struct app app;
  struct demo_simulator simulator; /* pid 0: another's */
  struct http_caller *http;
  char server[URL_SIZE];
  bool stays;
  int64_t ids[DEMO_BUSINESSES];
  struct progress progress;
  int made, in_all;
};

static void pause_a_moment(void) {
  (void)nanosleep(&(struct timespec){.tv_nsec = (long)LOOK_MS * 1000 * 1000}, NULL); /* woken early: looks early */
}

/* ---- talking ---- */

/* The status, 0 and a sentence if there was no answer. */
static int talk(struct demo *d, const char *method, const char *url, const char *const *headers, struct str body,
                struct buf *ret_body) {
  int status = 0;
  buf_clear(ret_body);
  if (http_call(d->http, method, url, headers, body, &status, ret_body) == OK) return status;
  (void)cmd_fail(d->args, "%s can't be reached: %s", url, http_caller_problem(d->http));
  return 0;
}

static int tell_simulator(struct demo *d, const char *method, const char *path, struct str body, struct buf *ret_body) {
  static const char *const headers[] = {"Content-Type: application/json", NULL};
  char url[URL_SIZE];
  (void)snprintf(url, sizeof(url), "%s%s", d->simulator.url, path);
  return talk(d, method, url, body.n ? headers : NULL, body, ret_body);
}

static int check_server(struct demo *d) {
  char url[URL_SIZE + 32];
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  (void)snprintf(url, sizeof(url), "%s/readyz", d->server);
  int status = talk(d, "GET", url, NULL, STR_NONE, &answer);
  if (status == 0) return cmd_fail(d->args, "no server is there: callreel serve, or --server URL");
  return status == 200 ? CMD_DONE : cmd_fail(d->args, "%s answers %d: it is not ready", url, status);
}

/* ---- businesses ---- */

struct adding {
  struct demo *demo;
  const struct demo_business *business;
  int64_t id;
};

static enum err run_add(struct db *db, void *arg) {
  struct adding *a = arg;
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

/* A webhook that nobody signed is refused with 404 until the server knows the business, with 403 from then on. */
static int wait_until_seen(struct demo *d, int64_t id) {
  static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", "X-Twilio-Signature: none",
                                        NULL};
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  char url[URL_SIZE + 64];
  int64_t until = clock_mono_ms() + SEEN_MS;
  (void)snprintf(url, sizeof(url), "%s/webhooks/twilio/%lld/call", d->server, (long long)id);
  while (clock_mono_ms() < until) {
    int status = talk(d, "POST", url, headers, STR("CallSid=demo"), &answer);
    if (status == 0) return CMD_FAILED;
    if (status == 403) return CMD_DONE;
    pause_a_moment();
  }
  return cmd_fail(d->args, "%s does not see the business: does it serve the same database?", d->server);
}

static int add_business(struct demo *d, int index) {
  struct adding a = {.demo = d, .business = &demo_businesses[index]};
  enum err e = app_write(&d->app, run_add, &a);
  if (e != OK) return cmd_fail(d->args, "a business can't be added: %s (%s)", err_text(e), db_problem(d->app.db));
  d->ids[index] = a.id;
  return wait_until_seen(d, a.id);
}

/* ---- calls ---- */

static int point_webhooks(struct demo *d, int64_t id) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  char url[URL_SIZE + 64];
  (void)snprintf(url, sizeof(url), "%s/webhooks/twilio/%lld", d->server, (long long)id);
  if (buf_add(&body, STR("{\"url\":")) != OK || buf_add_json(&body, str_from(url)) != OK ||
      buf_add_char(&body, '}') != OK)
    return cmd_fail(d->args, "out of memory");
  int status = tell_simulator(d, "PUT", "/sim/webhooks", buf_str(&body), &answer);
  return status == 204 ? CMD_DONE : cmd_fail(d->args, "%s takes no URL of webhooks (%d)", d->simulator.url, status);
}

static bool json_text(const struct buf *b, const char *name, char *ret_text, size_t size) {
  json_t *root = json_loadb(b->p ? b->p : "", b->n, 0, NULL);
  bool found = str_copy(ret_text, size, str_from(json_string_value(json_object_get(root, name)))) == OK && ret_text[0];
  json_decref(root);
  return found;
}

static int record_again(struct demo *d, const struct demo_call *call, const char *call_sid) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  char path[SID_SIZE + 32];
  (void)snprintf(path, sizeof(path), "/sim/calls/%.*s/recordings", SID_SIZE - 1, call_sid);
  if (demo_write_again(&body, call, clock_now_ms()) != OK) return cmd_fail(d->args, "out of memory");
  int status = tell_simulator(d, "POST", path, buf_str(&body), &answer);
  return status == 201 ? CMD_DONE : cmd_fail(d->args, "%s makes no recording (%d)", d->simulator.url, status);
}

static int make_call(struct demo *d, const struct demo_business *business, const struct demo_call *call,
                     char ret_call_sid[SID_SIZE]) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  if (demo_write_call(&body, business, call, clock_now_ms()) != OK) return cmd_fail(d->args, "out of memory");
  int status = tell_simulator(d, "POST", "/sim/calls", buf_str(&body), &answer);
  if (status != 201 || !json_text(&answer, "call_sid", ret_call_sid, SID_SIZE))
    return cmd_fail(d->args, "%s makes no call (%d): %.*s", d->simulator.url, status,
                    STR_ARG(str_head(buf_str(&answer), 300)));
  progress_show(&d->progress, ++d->made, d->in_all);
  return call->again ? record_again(d, call, ret_call_sid) : CMD_DONE;
}

/* Until every webhook so far was answered. */
static int wait_until_told(struct demo *d) {
  struct buf answer CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  int64_t until = clock_mono_ms() + TOLD_MS;
  while (clock_mono_ms() < until) {
    if (tell_simulator(d, "GET", "/sim/webhooks", STR_NONE, &answer) != 200)
      return cmd_fail(d->args, "%s does not say how its webhooks fare", d->simulator.url);
    json_t *root = json_loadb(answer.p, answer.n, 0, NULL);
    json_int_t pending = json_integer_value(json_object_get(root, "pending"));
    json_decref(root);
    if (root && pending == 0) return CMD_DONE;
    pause_a_moment();
  }
  return cmd_fail(d->args, "webhooks wait for their answer: is %s overloaded?", d->server);
}

struct naming {
  int64_t business_id;
  const struct demo_business *business;
  char (*sids)[SID_SIZE];
};

static enum err run_names(struct db *db, void *arg) {
  const struct naming *n = arg;
  for (size_t i = 0; i < n->business->count; i++) {
    struct str name = str_from(n->business->calls[i].customer);
    TRY(calls_set_host(db, n->business_id, str_from(n->sids[i]), &name, NULL, NULL));
  }
  return OK;
}

static int make_calls(struct demo *d, int index) {
  enum { CALLS_MAX = 64 };
  const struct demo_business *business = &demo_businesses[index];
  char sids[CALLS_MAX][SID_SIZE];
  struct naming names = {d->ids[index], business, sids};
  if (business->count > CALLS_MAX) return cmd_fail(d->args, "too many calls");
  int code = point_webhooks(d, d->ids[index]);
  for (size_t i = 0; code == CMD_DONE && i < business->count; i++)
    code = make_call(d, business, &business->calls[i], sids[i]);
  if (code == CMD_DONE) code = wait_until_told(d);
  if (code != CMD_DONE) return code;
  enum err e = app_write(&d->app, run_names, &names);
  if (e == ERR_NOT_FOUND) return cmd_fail(d->args, "%s did not take the webhooks: see its log", d->server);
  return e == OK ? CMD_DONE : app_fail(d->args, d->app.db, e);
}

/* ---- the end ---- */

static enum err count(struct demo *d, struct recordings_counts *ret_counts) {
  struct recordings_counts all = {.bytes = 0}, one;
  for (int i = 0; i < DEMO_BUSINESSES; i++) {
    TRY(recordings_count(d->app.db, d->ids[i], &one));
    for (int s = 0; s < RECORDING_STATUS_COUNT_; s++) all.by_status[s] += one.by_status[s];
    all.bytes += one.bytes;
  }
  *ret_counts = all;
  return OK;
}

/* Until nothing is under way but what lasts by its nature. Patience ends without harm: the server goes on by itself. */
static enum err wait_until_settled(struct demo *d, struct recordings_counts *ret_counts) {
  int64_t lasting = 0, until = clock_mono_ms() + SETTLED_MS;
  for (int i = 0; i < DEMO_BUSINESSES; i++)
    for (size_t c = 0; c < demo_businesses[i].count; c++) lasting += demo_businesses[i].calls[c].lasts;
  for (;;) {
    TRY(count(d, ret_counts));
    if (ret_counts->by_status[RECORDING_QUEUED] + ret_counts->by_status[RECORDING_DOWNLOADING] <= lasting) return OK;
    if (clock_mono_ms() >= until) return OK;
    pause_a_moment();
  }
}

static enum err write_end(struct buf *b, const struct demo *d, const struct recordings_counts *c) {
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

static int say_end(struct demo *d) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(BODY_MAX);
  struct recordings_counts counts;
  enum err e = wait_until_settled(d, &counts);
  if (e != OK) return app_fail(d->args, d->app.db, e);
  e = write_end(&b, d, &counts);
  if (e == OK) e = print_line(&b);
  if (e != OK) return cmd_fail(d->args, "standard output can't be written");
  if (!d->args->json)
    fprintf(stderr, "callreel signin --business %lld prints a link to look at it.\n", (long long)d->ids[0]);
  return CMD_DONE;
}

static void stay(const struct demo *d, const sigset_t *signals) {
  int number;
  fprintf(stderr, "The simulator is at %s until Ctrl-C.\n", d->simulator.url);
  (void)sigwait(signals, &number);
}

/* ---- the beginning ---- */

static int read_options(struct demo *d, struct cmd_options *o) {
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

static int find_server(struct demo *d) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(URL_SIZE / 2);
  if (d->server[0]) return CMD_DONE;
  if (url_add_base(&url, &d->app.conf) != OK || str_copy(d->server, sizeof(d->server), buf_str(&url)) != OK)
    return cmd_fail(d->args, "PUBLIC_BASE_URL is too long");
  return d->server[0] ? CMD_DONE : cmd_misuse(d->args, "LISTEN leaves the port open: --server URL is needed");
}

static int run(struct demo *d, const sigset_t *signals) {
  int code = app_open(&d->app, d->args);
  if (code == CMD_DONE) code = find_server(d);
  if (code == CMD_DONE && http_caller_new(&d->http) != OK) code = cmd_fail(d->args, "out of memory");
  if (code == CMD_DONE) code = check_server(d);
  if (code == CMD_DONE && !d->simulator.url[0]) code = demo_simulator_start(d->args, &d->simulator);
  for (int i = 0; i < DEMO_BUSINESSES; i++) d->in_all += (int)demo_businesses[i].count;
  progress_begin(&d->progress, "Making calls");
  for (int i = 0; code == CMD_DONE && i < DEMO_BUSINESSES; i++) {
    code = add_business(d, i);
    if (code == CMD_DONE) code = make_calls(d, i);
  }
  progress_end(&d->progress);
  if (code == CMD_DONE) code = point_webhooks(d, d->ids[0]); /* of calls that somebody makes by hand */
  if (code == CMD_DONE) code = say_end(d);
  if (code == CMD_DONE && d->stays) stay(d, signals);
  return code;
}

int cmd_demo(const struct cmd_args *args) {
  static struct demo d; /* one a process; large */
  struct cmd_options o;
  sigset_t signals;
  d.args = args;
  cmd_options_init(&o, args);
  int code = read_options(&d, &o);
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (code == CMD_DONE && d.stays) (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread */
  if (code == CMD_DONE) code = run(&d, &signals);
  d.http = http_caller_free(d.http);
  demo_simulator_stop(&d.simulator);
  app_done(&d.app);
  return code;
}
