/* sim_main.c - callreel-sim: options, routes, start and end. */
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "fetch/fetch.h"
#include "provider/twilio_sid.h"

enum { TOKEN_BYTES = 16, BODY_MAX = 64 * 1024, CONNECTIONS = 4096, DRAIN_MS = 500, ALLOW_MAX = 64, PROBLEM_MAX = 200 };

#define DEFAULT_LISTEN "127.0.0.1:8090"
#define DEFAULT_AUDIO "/usr/share/asterisk/sounds/en_US_f_Allison"
#define ACCOUNTS "/" API_VERSION "/Accounts/"

static const char HELP[] =
    "Usage: callreel-sim [OPTION]...\n"
    "Simulates a telephony provider: its recordings, lists and webhooks, and what goes wrong with them.\n"
    "\n"
    "  --listen ADDR        where to listen (default " DEFAULT_LISTEN
    "; port 0: any)\n"
    "  --base-url URL       under which others reach it (default: http:// and the address)\n"
    "  --audio DIR          real speech, *.wav of 8 kHz mono (default " DEFAULT_AUDIO
    ")\n"
    "  --account AC...      the account's SID (default: a new one)\n"
    "  --token T            its auth token (default: a new one, printed at the start)\n"
    "  --token-file FILE    the same in a file, so that no other user sees it in the list of processes\n"
    "  --api-key SK:SECRET  further credentials; up to 8 times\n"
    "  --webhooks URL       send webhooks to URL/call and URL/recording\n"
    "  --data DIR           keep calls and recordings in DIR/calls.jsonl\n"
    "  --help               this text\n"
    "\n"
    "POST /sim/calls makes calls. There are no credentials on /sim: keep it to yourself.\n";

typedef void handle_fn(struct sim *sim, struct http_exchange *x, const struct http_match *match);

static const struct {
  enum http_method method;
  const char *pattern;
  handle_fn *handle;
} ROUTES[] = {
    {HTTP_POST, "/sim/calls", control_create_call},
    {HTTP_GET, "/sim/calls", control_list_calls},
    {HTTP_POST, "/sim/calls/{call}/recordings", control_create_recording},
    {HTTP_GET, "/sim/recordings/{recording}", control_get_recording},
    {HTTP_PUT, "/sim/recordings/{recording}", control_put_recording},
    {HTTP_GET, "/sim/recordings/{recording}/deletions", deletion_get},
    {HTTP_PUT, "/sim/faults", control_put_faults},
    {HTTP_GET, "/sim/lists", control_get_lists},
    {HTTP_GET, "/sim/webhooks", control_get_webhooks},
    {HTTP_PUT, "/sim/webhooks", control_put_webhooks},
    {HTTP_GET, ACCOUNTS "{account}/Recordings.json", lists_recordings},
    {HTTP_GET, ACCOUNTS "{account}/Recordings/{recording}", media_get},
    {HTTP_DELETE, ACCOUNTS "{account}/Recordings/{recording}", deletion_answer},
    {HTTP_GET, ACCOUNTS "{account}/Calls.json", lists_calls},
    {HTTP_GET, ACCOUNTS "{account}/Calls/{call}/Recordings.json", lists_call_recordings},
    {HTTP_GET, ACCOUNTS "{account}/Calls/{call}/Recordings/{recording}", media_call_get},
    {HTTP_GET, ACCOUNTS "{account}/Calls/{call}", lists_call},
    {HTTP_GET, ACCOUNTS "{account}", lists_account},
};

static struct http_route routes[COUNT_OF(ROUTES)];

static void sim_on_request(void *arg, struct http_exchange *x) {
  struct sim *sim = arg;
  const struct http_request *r = http_request(x);
  struct http_match match;
  char allow[ALLOW_MAX];
  enum err e = http_route_find(routes, COUNT_OF(routes), r->method, r->path, allow, sizeof(allow), &match);
  if (e == OK) {
    ROUTES[match.index].handle(sim, x, &match);
    return;
  }
  if (str_starts(r->path, STR("/sim")))
    answer_problem(x, e == ERR_DENIED ? 405 : 404, e == ERR_DENIED ? "not with this method" : "no such path");
  else
    answer_api_error(x, e == ERR_DENIED ? API_NO_METHOD : API_NOT_FOUND, true);
}

struct options {
  const char *listen, *base_url, *audio, *account, *token, *webhooks, *data;
};

static int usage_error(const char *sentence, const char *what) {
  fprintf(stderr, "callreel-sim: %s%s%s\nTry 'callreel-sim --help'.\n", sentence, what ? ": " : "", what ? what : "");
  return 2;
}

static bool add_key(struct sim *sim, const char *text) {
  struct str sid, secret;
  if (sim->key_count == SIM_KEYS_MAX || !str_cut(str_from(text), ':', &sid, &secret)) return false;
  if (sid.n == 0 || secret.n == 0) return false;
  sim->keys[sim->key_count++] = (struct sim_key){sid, secret};
  return true;
}

/* The first line of the file, which lives as long as the process; NULL: there is none. */
static const char *read_token_file(const char *path) {
  static char text[256];
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  if (fs_open_chosen(path, &fd, &mode) != OK) return NULL;
  ssize_t n = read(fd, text, sizeof(text) - 1);
  if (n <= 0) return NULL;
  text[n] = '\0';
  text[strcspn(text, "\r\n")] = '\0';
  return text[0] ? text : NULL;
}

static int parse_options(int argc, char **argv, struct sim *sim, struct options *o) {
  static const struct option LONG[] = {
      {"listen", required_argument, NULL, 'l'},
      {"base-url", required_argument, NULL, 'b'},
      {"audio", required_argument, NULL, 'd'},
      {"account", required_argument, NULL, 'a'},
      {"token", required_argument, NULL, 't'},
      {"token-file", required_argument, NULL, 'f'},
      {"api-key", required_argument, NULL, 'k'},
      {"webhooks", required_argument, NULL, 'w'},
      {"data", required_argument, NULL, 'D'},
      {"help", no_argument, NULL, 'h'},
      {NULL, 0, NULL, 0},
  };
  int c;
  while ((c = getopt_long(argc, argv, "h", LONG, NULL)) != -1) {
    switch (c) {
      case 'l':
        o->listen = optarg;
        break;
      case 'b':
        o->base_url = optarg;
        break;
      case 'd':
        o->audio = optarg;
        break;
      case 'a':
        o->account = optarg;
        break;
      case 't':
        o->token = optarg;
        break;
      case 'f':
        o->token = read_token_file(optarg);
        if (!o->token) return usage_error("--token-file: can't be read, or holds no token", optarg);
        break;
      case 'w':
        o->webhooks = optarg;
        break;
      case 'D':
        o->data = optarg;
        break;
      case 'k':
        if (!add_key(sim, optarg)) return usage_error("--api-key: must be SK...:SECRET, at most 8 times", NULL);
        break;
      case 'h':
        fputs(HELP, stdout);
        exit(0);
      default:
        return usage_error("unknown option", NULL);
    }
  }
  if (optind < argc) return usage_error("not an option", argv[optind]);
  if (o->account && !twilio_sid_is_account(str_from(o->account)))
    return usage_error("--account: must be AC and 32 hex digits", NULL);
  if (o->webhooks && strlen(o->webhooks) > SIM_URL_MAX) return usage_error("--webhooks: too long", NULL);
  if (o->base_url && strlen(o->base_url) > SIM_URL_MAX) return usage_error("--base-url: too long", NULL);
  return 0;
}

/* "127.0.0.1" of "127.0.0.1:8090", "[::1]" of "[::1]:0". */
static struct str host_of(const char *listen) {
  const char *colon = strrchr(listen, ':');
  return colon ? str_of(listen, (size_t)(colon - listen)) : str_from(listen);
}

static struct str without_slash(struct str url) {
  return str_ends(url, STR("/")) ? str_head(url, url.n - 1) : url;
}

/* Sets account, token and URLs; generates those that were not given. account and token are buffers of the caller. */
static enum err sim_set_identity(struct sim *sim, const struct options *o, char account[SID_ROOM],
                                 char token[2 * TOKEN_BYTES + 1]) {
  uint8_t bytes[TOKEN_BYTES];
  TRY(sid_make("AC", account));
  TRY(secret_random(bytes, sizeof(bytes)));
  hex_encode(bytes, sizeof(bytes), token);
  sim->account = o->account ? o->account : account;
  sim->token = o->token ? o->token : token;
  if (o->webhooks && !(sim->webhooks = str_dup(without_slash(str_from(o->webhooks))))) return ERR_NOMEM;
  return OK;
}

static enum err name_base(struct sim *sim, const struct options *o) {
  struct buf url CLEANUP(buf_done) = BUF_INIT(SIM_URL_MAX + 16);
  if (o->base_url)
    TRY(buf_add(&url, without_slash(str_from(o->base_url))));
  else
    TRY(buf_addf(&url, "http://%.*s:%d", STR_ARG(host_of(o->listen)), http_server_port(sim->server)));
  sim->base_url = str_dup(buf_str(&url));
  return sim->base_url ? OK : ERR_NOMEM;
}

static enum err sim_start(struct sim *sim, const struct options *o, const char **ret_problem) {
  const struct http_app app = {.arg = sim, .request = sim_on_request};
  const struct http_config config = {
      .listen = o->listen, .loops = 1, .connections = CONNECTIONS, .ret_problem = ret_problem};
  struct fetch_url base;
  for (size_t i = 0; i < COUNT_OF(ROUTES); i++)
    routes[i] = (struct http_route){.method = ROUTES[i].method, .pattern = ROUTES[i].pattern, .body_max = BODY_MAX};
  if (o->data) {
    *ret_problem = "--data: calls.jsonl can't be read or written there";
    TRY(journal_open(&sim->journal, o->data, &sim->store));
    *ret_problem = NULL;
  }
  TRY(voice_new(o->audio, &sim->voice));
  TRY(hooks_new(&sim->hooks));
  TRY(http_server_new(&config, &app, &sim->server));
  TRY(name_base(sim, o));
  *ret_problem = "--base-url is no http or https URL";
  TRY(fetch_url_parse(str_from(sim->base_url), &base));
  *ret_problem = "the other origin can't listen";
  TRY(bucket_new(sim, host_of(o->listen), base.host));
  return http_server_start(sim->server);
}

/* In the reverse order of start: a thread that posts ends before the loop that it posts to. */
static void sim_stop(struct sim *sim) {
  if (sim->server) http_server_drain(sim->server, DRAIN_MS);
  sim->hooks = hooks_free(sim->hooks);
  sim->bucket = http_server_free(sim->bucket);
  sim->server = http_server_free(sim->server);
  store_done(&sim->store);
  journal_close(&sim->journal);
  sim->voice = voice_free(sim->voice);
  free(sim->base_url);
  free(sim->webhooks);
  free(sim->bucket_url);
}

static void print_first_line(const struct sim *sim, const struct options *o) {
  if (!voice_is_real(sim->voice)) fprintf(stderr, "callreel-sim: no speech in %s, using tones\n", o->audio);
  printf("callreel-sim listening on %s account %s", sim->base_url, sim->account);
  if (!o->token) printf(" token %s", sim->token);
  printf("\n");
  (void)fflush(stdout);
}

int main(int argc, char **argv) {
  struct sim sim = {.journal = JOURNAL_NONE};
  struct options options = {.listen = DEFAULT_LISTEN, .audio = DEFAULT_AUDIO};
  char account[SID_ROOM], token[2 * TOKEN_BYTES + 1];
  const char *problem = NULL;
  sigset_t signals;
  int status = parse_options(argc, argv, &sim, &options), signal_number;
  if (status != 0) return status;
  (void)signal(SIGPIPE, SIG_IGN);
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread starts: threads inherit the mask */
  enum err e = sim_set_identity(&sim, &options, account, token);
  if (e == OK) e = sim_start(&sim, &options, &problem);
  if (e == OK) {
    print_first_line(&sim, &options);
    (void)sigwait(&signals, &signal_number);
  } else {
    fprintf(stderr, "callreel-sim: %s (%s)\n", problem ? problem : "can't start", err_text(e));
  }
  sim_stop(&sim);
  return e == OK ? 0 : 1;
}
