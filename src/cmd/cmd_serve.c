/* cmd_serve.c - builds a serving process in order, waits for a signal, and tears it down in reverse order.
 *
 *   BUILDING --serve_build--> LISTENING --SIGTERM, SIGINT--> DRAINING --DRAIN_TIMEOUT, or all is done--> TEARING DOWN -> exit 0
 *
 * Draining: /readyz answers 503 for DRAIN_DELAY seconds; then the process accepts no connection, and requests and fills
 * that run get DRAIN_TIMEOUT seconds. Leases of unfinished fills are given back. A second signal ends the process at once. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "cmd/serve/serve_parts.h"
#include "db/db_clock.h"
#include "domain/transcription.h"
#include "domain/signed_url.h"
#include "fetch/fetch.h"

enum {
  UPKEEP_MS = 250,
  READ_THREADS = 4,
  SERVER_READ_THREADS = 8,
  READ_QUEUE = 20000,
  VOLUME_THREADS = 4,
  VOLUME_QUEUE = 4096,
  VOLUME_STOP_MS = 2000,
  TEAR_DOWN_MAX_S = 20,
  HARD_EXIT = 130,
};

static int parse_role(struct serve *s, const char *text) {
  static const char *const names[] = {"all", "web", "worker"};
  for (int i = 0; i < (int)COUNT_OF(names); i++) {
    if (text && strcmp(text, names[i]) != 0) continue;
    s->role = (enum serve_role)i;
    (void)snprintf(s->node.role, sizeof(s->node.role), "%s", names[i]);
    return CMD_DONE;
  }
  return cmd_misuse(s->args, "--role must be all, web or worker");
}

static enum err name_node(struct serve *s) {
  uint8_t random[8];
  char hex[2 * sizeof(random) + 1];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), hex);
  (void)snprintf(s->node.node_id, sizeof(s->node.node_id), "%ld-%s", (long)getpid(), hex);
  if (gethostname(s->node.host, sizeof(s->node.host) - 1) != 0) s->node.host[0] = '\0';
  (void)snprintf(s->node.version, sizeof(s->node.version), "%s", CALLREEL_VERSION);
  s->node.pid = getpid();
  s->node.works = s->role != SERVE_WEB;
  s->node.started_at = db_clock_now_ms();
  return OK;
}

/* ---- building ---- */

static void serve_on_committed(void *arg) {
  struct serve *s = arg;
  changes_wake(s->changes);
}

/* A recording can be played live now: wakes the requests that wait for it. */
static void serve_on_tape(void *arg, int64_t business_id, struct str recording_sid) {
  struct serve *s = arg;
  events_notify(s->events, business_id, recording_sid);
}

static enum err serve_build_tapes(struct serve *s) {
  TRY(events_new(&s->events));
  TRY(tapes_new(serve_on_tape, s, &s->tapes));
  const struct tape_follow_parts parts = {s->tapes, s->events, s->readers, s->store, s->volume};
  return tape_follows_new(&parts, &s->follows);
}

/* Webhooks of different businesses need not wait for each other, nor for other writes. */
static enum err serve_build_webhook_writer(struct serve *s, struct db_writer_config write) {
  if (s->role == SERVE_WORKER || !app_has_server(&s->app)) return OK;
  write.open.on_connect_arg = &s->webhook_epoch;
  write.sets = true;
  return db_writer_new(&write, &s->webhook_writer);
}

static enum err serve_build_engines(struct serve *s) {
  struct db_open database = app_database(&s->app), read = database, follow = database;
  read.read_only = true;
  if (s->app.conf.database_direct_url) follow.url = s->app.conf.database_direct_url;
  follow.is_pooled = false;
  database.on_connect = changes_enter;
  database.on_connect_arg = &s->epoch;
  int64_t readers = s->app.conf.database_readers;
  if (readers < 0) readers = app_has_server(&s->app) ? SERVER_READ_THREADS : READ_THREADS;
  struct db_writer_config write = {.open = database, .committed = serve_on_committed, .arg = s};
  TRY(name_node(s));
  TRY(volume_new(s->store, VOLUME_THREADS, VOLUME_QUEUE, &s->volume));
  TRY(changes_new(&follow, &s->changes));
  if (app_has_server(&s->app)) changes_set_stale_max(s->changes, s->app.conf.database_stale_max_s * 1000);
  TRY(db_writer_new(&write, &s->writer));
  TRY(serve_build_webhook_writer(s, write));
  s->changes_trimmer.writer = s->writer;
  TRY(audit_queue_new(s->writer, &s->audit));
  TRY(db_readers_new(&read, (unsigned)readers, READ_QUEUE, &s->readers));
  TRY(serve_build_tapes(s));
  return serve_load_access(s);
}

static enum err serve_build_worker(struct serve *s) {
  transcription_enable(s->app.conf.speech_engine != 0);
  if (s->role == SERVE_WEB) return OK;
  struct worker_parts parts = {.conf = &s->app.conf,
                               .writer = s->writer,
                               .store = s->store,
                               .tapes = s->tapes,
                               .follows = s->follows,
                               .provider = &provider_twilio,
                               .owner = s->node.node_id,
                               .keeps_provider_copies = s->shadow,
                               .transcribes = true,
                               .min_free_bytes = s->app.conf.min_free_bytes};
  return worker_new(&parts, s->access, &s->worker);
}

/* The path of PUBLIC_BASE_URL without its trailing '/', copied into ret_path. */
static enum err path_base(const struct serve *s, char *ret_path, size_t size) {
  struct fetch_url url;
  ret_path[0] = '\0';
  if (!s->app.conf.public_base_url) return OK;
  TRY(fetch_url_parse(str_from(s->app.conf.public_base_url), &url));
  if (url.has_query || url.has_fragment || url.has_userinfo) return ERR_INVALID;
  struct str path = url.path;
  while (path.n && path.p[path.n - 1] == '/') path.n--;
  return str_copy(ret_path, size, path);
}

/* One loop for each core that this process may run on. */
static unsigned serve_count_loops(void) {
  cpu_set_t may;
  CPU_ZERO(&may);
  if (sched_getaffinity(0, sizeof(may), &may) != 0 || CPU_COUNT(&may) < 1) return 1;
  return (unsigned)CPU_COUNT(&may);
}

static bool serve_is_https(const struct serve *s) {
  return str_starts_nocase(str_from(s->app.conf.public_base_url), STR("https:"));
}

/* listen with the port that the kernel chose for port 0. */
static void address_of(const char *listen, const struct http_server *server, char *ret_address, size_t size) {
  const char *colon = strrchr(listen, ':');
  (void)snprintf(ret_address, size, "%.*s:%d", (int)(colon - listen), listen, http_server_port(server));
}

static int serve_build_server(struct serve *s) {
  static char base[512]; /* the api keeps a pointer to it */
  if (path_base(s, base, sizeof(base)) != OK)
    return cmd_fail(s->args, "PUBLIC_BASE_URL: must be an http or https URL without query");
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1024);
  struct hmac_key url_key;
  enum err e = signed_url_load_key(s->app.db, s->app.secrets_key, s->app.conf.url_signing_key, &url_key);
  if (e == ERR_INVALID) return cmd_fail(s->args, "URL_SIGNING_KEY: must have 16 bytes or more");
  if (e == ERR_CORRUPT)
    return cmd_fail(s->args, "SECRETS_KEY: the URL signing key in the database was encrypted with another key");
  if (e != OK) return cmd_fail(s->args, "the URL signing key can't be read: %s", err_text(e));
  struct api_parts parts = {.conf = &s->app.conf,
                            .readers = s->readers,
                            .writer = s->writer,
                            .webhook_writer = s->webhook_writer,
                            .audit = s->audit,
                            .store = s->store,
                            .volume = s->volume,
                            .min_free_bytes = s->app.conf.min_free_bytes,
                            .events = s->events,
                            .follows = s->follows,
                            .secrets_key = s->app.secrets_key,
                            .url_key = &url_key,
                            .ret_problem = &problem,
                            .data_dir = s->role == SERVE_WORKER ? NULL : s->app.data_dir,
                            .path_base = base,
                            .seq = changes_seq(s->changes),
                            .shadow = s->shadow,
                            .health_only = s->role == SERVE_WORKER,
                            .loops = serve_count_loops(),
                            .worker_alive = serve_worker_alive,
                            .account_stopped = serve_account_stopped,
                            .storage_full = serve_storage_full,
                            .not_ready = serve_not_ready,
                            .arg = s};
  e = api_new(&parts, s->access, &s->api);
  hmac_key_wipe(&url_key);
  if (e != OK && problem.n) return cmd_fail(s->args, "%.*s", STR_ARG(buf_str(&problem)));
  if (e != OK) return cmd_fail(s->args, "the API can't be built: %s", err_text(e));
  const char *why = NULL;
  struct http_config config = {.listen = s->app.conf.listen,
                               .loops = parts.loops,
                               .connections = (unsigned)s->app.conf.connections,
                               .lines = serve_is_https(s) ? "Strict-Transport-Security: max-age=31536000\r\n" : NULL,
                               .ret_problem = &why};
  struct http_app app = api_http_app(s->api);
  e = http_server_new(&config, &app, &s->server);
  if (e != OK) return cmd_fail(s->args, "LISTEN: %s: %s", config.listen, why ? why : err_text(e));
  api_set_server(s->api, s->server);
  address_of(config.listen, s->server, s->node.address, sizeof(s->node.address)); /* before the first beat */
  return CMD_DONE;
}

static int serve_build(struct serve *s) {
  s->app.is_patient = true;
  s->app.needs_sessions = true;
  int code = app_open(&s->app, s->args);
  if (code == CMD_DONE) code = app_open_store_or_wait(&s->app, s->args, &s->store);
  if (code == CMD_DONE) code = serve_keep_business(s);
  if (code != CMD_DONE) return code;
  enum err e = serve_build_engines(s);
  if (e == ERR_CORRUPT)
    return cmd_fail(s->args, "SECRETS_KEY: the secrets in the database were encrypted with another key");
  if (e == OK) e = serve_build_worker(s);
  if (e == ERR_INVALID) return cmd_fail(s->args, "RECORDING_FORMATS: must name mp3, wav, wav-dual or any, with commas");
  if (e != OK) return cmd_fail(s->args, "can't start: %s", err_text(e));
  code = serve_build_server(s);
  if (code == CMD_DONE) serve_log_lonely_worker(s);
  if (code == CMD_DONE) code = serve_build_admin(s);
  if (code != CMD_DONE) return code;
  e = serve_watch_figures(s);
  if (e == OK && s->admin) e = http_server_start(s->admin);
  if (e != OK) return cmd_fail(s->args, "can't start: %s", err_text(e));
  e = serve_follow_changes(s);
  serve_upkeep(s); /* reads the workers and the stopped accounts before the first request */
  if (e == OK) e = http_server_start(s->server);
  if (e == OK) serve_reseal(s);
  if (e == OK) e = serve_reconcile_start(s);
  return e == OK ? CMD_DONE : cmd_fail(s->args, "can't start: %s", err_text(e));
}

/* ---- tearing down ---- */

static enum err serve_run_leave(struct db *db, void *arg) {
  struct serve *s = arg;
  return nodes_leave(db, str_from(s->node.node_id));
}

/* A thread inside a system call on a hung volume can't be stopped, so the process exits around it. Everything that must
 * survive is in the database. */
_Noreturn static void serve_exit_past_hung_volume(void) {
  log_warn("Stopping without the recordings' volume", LOG_TEXT("why", "it does not answer"));
  log_info("Stopped");
  _exit(CMD_DONE);
}

static void *serve_watch_tear_down(void *arg) {
  const struct timespec most = {.tv_sec = TEAR_DOWN_MAX_S};
  (void)arg;
  (void)nanosleep(&most, NULL); /* real time, not the test clock: another thread may hang in the kernel */
  serve_exit_past_hung_volume();
}

/* Exits the process after TEAR_DOWN_MAX_S if the volume stops answering during the tear-down. */
static void serve_limit_tear_down(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, serve_watch_tear_down, NULL) == 0) (void)pthread_detach(thread);
}

static void serve_remove_node(struct serve *s) {
  struct db_job leaving = {.name = METRIC_JOB_BEAT, .class = DB_CLASS_LEASE, .run = serve_run_leave, .arg = s};
  if (s->writer && s->node.node_id[0])
    IGNORE(db_writer_call(s->writer, leaving)); /* if it fails, other processes drop this node after a while */
}

/* False: some threads hang in a call to the volume. */
static bool serve_stop_volume(struct serve *s) {
  bool worker_ended = !s->worker || worker_drain(s->worker, 0);
  bool volume_ended = !s->volume || volume_stop(s->volume, VOLUME_STOP_MS);
  return worker_ended && volume_ended;
}

static void serve_tear_down(struct serve *s) {
  s->admin = http_server_free(s->admin); /* first: it reads the members below; nothing is posted to its loop */
  changes_stop(s->changes);              /* from here on it does not wake the worker; the writer may still wake it */
  serve_limit_tear_down();
  serve_reconcile_stop(s);
  if (!serve_stop_volume(s)) { /* before the readers: jobs that it ends may still use one */
    if (s->audit) audit_queue_flush(s->audit);
    serve_remove_node(s);
    serve_exit_past_hung_volume();
  }
  s->worker = worker_free(s->worker);
  if (s->audit) audit_queue_flush(s->audit);
  serve_remove_node(s);
  if (s->store && s->node.mark)
    IGNORE(node_mark_remove(
        s->store,
        s->node.node_id)); /* after the row, so that no other process misses the mark; on a failure it is swept later */
  s->readers = db_readers_free(s->readers);
  s->webhook_writer = db_writer_free(s->webhook_writer);
  s->writer = db_writer_free(s->writer);
  s->server = http_server_free(s->server); /* after the writer and the readers, which post to its loops */
  s->changes = changes_free(s->changes);
  s->api = api_free(s->api);
  s->audit = audit_queue_free(s->audit);
  s->follows = tape_follows_free(s->follows);
  s->tapes = tapes_free(s->tapes);
  s->events = events_free(s->events);
  access_unref(s->access);
  s->volume = volume_free(s->volume);
  s->store = blob_close(s->store);
  free(s->stopped.ids);
  free(s->access_changes.changes);
  lock_done(&s->lock);
  app_done(&s->app);
}

/* ---- signals ---- */

/* Runs the upkeep until a signal to end comes (true), or until the monotonic time until_mono_ms (false; 0: no limit). */
static bool serve_wait_for_signal(struct serve *s, int64_t until_mono_ms) {
  for (;;) {
    struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->wake, .events = POLLIN}};
    struct signalfd_siginfo which;
    uint64_t count;
    if (poll(fds, COUNT_OF(fds), UPKEEP_MS) < 0 && errno != EINTR) return true;
    if (read(s->signals, &which, sizeof(which)) == (ssize_t)sizeof(which)) return true;
    (void)!read(s->wake, &count, sizeof(count)); /* resets the counter; it may be 0 already */
    serve_upkeep(s);
    if (until_mono_ms && clock_mono_ms() >= until_mono_ms) return false;
  }
}

static void ending_signals(sigset_t *ret_signals) {
  sigemptyset(ret_signals);
  sigaddset(ret_signals, SIGTERM);
  sigaddset(ret_signals, SIGINT);
}

/* Lets the kernel end the process at the next signal. */
static void serve_unblock_signals(void) {
  sigset_t signals;
  ending_signals(&signals);
  (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

static void serve_drain(struct serve *s) {
  log_info("Draining", LOG_INT("timeout_s", s->app.conf.drain_timeout_s));
  atomic_store(&s->draining, true);
  api_drain(s->api);
  if (s->app.conf.drain_delay_s && serve_wait_for_signal(s, clock_mono_ms() + s->app.conf.drain_delay_s * 1000))
    _exit(HARD_EXIT);
  serve_unblock_signals();
  int64_t until = clock_mono_ms() + s->app.conf.drain_timeout_s * 1000;
  http_server_drain(s->server, s->app.conf.drain_timeout_s * 1000);
  int64_t left = until - clock_mono_ms();
  if (s->worker && !worker_drain(s->worker, left > 0 ? left : 0)) {
    audit_queue_flush(s->audit);
    serve_remove_node(s);
    serve_exit_past_hung_volume();
  }
}

/* Raises the soft limit of open files to the hard limit: CONNECTIONS limits the connections. */
static void raise_file_limit(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files); /* if it fails, http_server_new lowers the connections */
}

static int serve_catch_signals(struct serve *s) {
  sigset_t signals;
  ending_signals(&signals);
  (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* threads inherit the mask: only the main thread reads signals */
  (void)signal(SIGPIPE, SIG_IGN);
  s->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (s->signals < 0 || s->wake < 0) return cmd_fail(s->args, "no descriptors: %s", strerror(errno));
  return CMD_DONE;
}

static void serve_log_listening(const struct serve *s) {
  const struct conf *conf = &s->app.conf;
  char admin[NODE_ADDRESS_SIZE] = "none";
  unsigned connections = http_server_connections_max(s->server);
  if ((int64_t)connections < conf->connections)
    log_warn("CONNECTIONS lowered to fit the file limit", LOG_INT("connections", connections),
             LOG_INT("wanted", conf->connections));
  if (s->admin) address_of(conf->admin_listen, s->admin, admin, sizeof(admin));
  log_info("Listening", LOG_TEXT("address", s->node.address), LOG_TEXT("admin", admin), LOG_TEXT("role", s->node.role),
           LOG_TEXT("version", CALLREEL_VERSION));
  if (s->shadow) log_info("Shadow: nothing is deleted at the provider");
}

int cmd_serve(const struct cmd_args *args) {
  static struct serve s; /* static, because it is large; one a process */
  struct cmd_options o;
  cmd_options_init(&o, args);
  const char *role = cmd_option(&o, "--role");
  s.shadow = cmd_flag(&o, "--shadow");
  if (!cmd_options_end(&o)) return CMD_USAGE;
  s.args = args;
  lock_init(&s.lock, "serve", LOCK_RANK_API);
  int code = parse_role(&s, role);
  if (code != CMD_DONE) return code;
  raise_file_limit();
  code = serve_catch_signals(&s);
  if (code == CMD_DONE) code = serve_build(&s);
  if (code == CMD_DONE) {
    serve_log_listening(&s);
    (void)serve_wait_for_signal(&s, 0);
    serve_drain(&s);
  }
  serve_tear_down(&s);
  if (code == CMD_DONE) log_info("Stopped");
  return code;
}
