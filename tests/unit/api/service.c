#include "service.h"

#include "../ledger/ledger_template.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "domain/recording.h"
#include "domain/signed_url.h"
#include "domain/store.h"
#include "ledger/businesses.h"
#include "ledger/urls.h"

static const uint8_t secrets_key[SECRET_KEY_SIZE] = "0123456789abcdef0123456789abcdef";

/* ---- what the process would know ---- */

static bool worker_alive(void *arg) {
  return ((struct service *)arg)->worker_alive;
}
static bool account_stopped(void *arg, int64_t business_id) {
  (void)business_id;
  return ((struct service *)arg)->account_stopped;
}
static bool storage_full(void *arg) {
  return ((struct service *)arg)->storage_full;
}
static const char *not_ready(void *arg, const char **ret_degraded) {
  *ret_degraded = NULL;
  return ((struct service *)arg)->not_ready;
}

/* ---- birth and end ---- */

static enum err add_businesses(struct db *db, void *arg) {
  struct service *s = arg;
  struct str names[] = {STR("Acme"), STR("Beta")}, account = STR(SERVICE_ACCOUNT);
  struct str tokens[2] = {STR(SERVICE_TOKEN), STR("")}, number = STR("+15550000001");
  struct business_edit acme = {.name = &names[0], .account_sid = &account, .tokens = tokens};
  acme.numbers = &number;
  acme.number_count = 1;
  acme.set_numbers = true;
  struct business_edit beta = {.name = &names[1]};
  int64_t key_id;
  char id[STORE_ID_SIZE];
  TRY(businesses_add(db, secrets_key, 0, &acme, &s->business));
  TRY(businesses_add(db, secrets_key, 0, &beta, &s->other));
  TRY(keys_create(db, s->business, STR("admin"), STR(""), s->admin, &key_id));
  TRY(keys_create(db, s->business, STR("agent"), STR(""), s->agent, &key_id));
  TRY(keys_create(db, s->business, STR("viewer"), STR(""), s->viewer, &key_id));
  TRY(keys_create(db, s->other, STR("admin"), STR(""), s->stranger, &key_id));
  TRY(keys_create(db, 0, STR("platform"), STR(""), s->platform, &key_id));
  TRY(store_id_of_database(db, id));
  return store_check(s->store, id, true);
}

void service_load_access(struct service *s) {
  struct db *db;
  struct access_snapshot *fresh;
  assert_int_equal(db_open(&(struct db_open){.url = s->url, .read_only = true}, NULL, &db), OK);
  assert_int_equal(access_load(db, secrets_key, STR("https://api.twilio.com"), s->access, &fresh), OK);
  db_close(db);
  access_unref(s->access);
  s->access = fresh;
  if (s->api) api_set_access(s->api, s->access);
  if (s->api) api_check_streams(s->api, 0);
}

static enum err revoke_all(struct db *db, void *arg) {
  struct service *s = arg;
  bool left;
  return keys_revoke_some(db, s->business, &left);
}

void service_revoke(struct service *s) {
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = revoke_all, .arg = s}), OK);
  api_key_changed(s->api, s->business, 0);
  service_load_access(s);
}

static enum err add_url(struct db *db, void *arg) {
  return urls_add(db, arg);
}

void service_sign_url(struct service *s, const char *recording_sid, int64_t ttl_s, char *ret_target, size_t size) {
  struct hmac_key key;
  struct buf b CLEANUP(buf_done) = BUF_INIT(1024);
  const char *text;
  struct url url = {.business_id = s->business, .made_by = "test"};
  url.expires_at = signed_url_expiry(ttl_s, clock_now_ms());
  (void)snprintf(url.recording_sid, sizeof(url.recording_sid), "%s", recording_sid);
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = add_url, .arg = &url}), OK);
  hmac_key_set(&key, STR(SERVICE_URL_KEY));
  assert_int_equal(
      signed_url_write(&key, STR(""), s->business, str_from(recording_sid), str_from(url.url_id), url.expires_at, &b),
      OK);
  assert_int_equal(buf_terminate(&b, &text), OK);
  assert_true((size_t)snprintf(ret_target, size, "%s", text) < size);
}

static enum err read_new_seq(struct db *db, void *arg) {
  int64_t oldest;
  return changes_bounds(db, &oldest, arg);
}

/* Does what the changes thread would do. */
static void tell(struct service *s, enum change_kind kind, int64_t business, struct str id) {
  struct change c = {.kind = kind, .business_id = business, .id = id};
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = read_new_seq, .arg = &c.seq}), OK);
  api_on_change(s->api, &c);
}

void service_tell_row(struct service *s, int64_t business, const char *sid) {
  tell(s, CHANGE_RECORDING, business, str_from(sid));
}

int service_setup(void **state) {
  struct service *s = calloc(1, sizeof(*s));
  if (!s) return -1;
  memcpy(s->dir, "/tmp/callreel-test-XXXXXX", sizeof("/tmp/callreel-test-XXXXXX"));
  if (!mkdtemp(s->dir)) return -1;
  (void)snprintf(s->url, sizeof(s->url), "sqlite://%s/test.db", s->dir);
  (void)snprintf(s->recordings, sizeof(s->recordings), "%s/recordings", s->dir);
  s->conf.listeners_per_business = 100;
  s->conf.webhooks_per_business = 2000;
  s->conf.play_wait_s = 10;
  s->worker_alive = true;
  log_set_level(LOG_ERROR);
  *state = s;
  return 0;
}

void service_start(struct service *s) {
  assert_int_equal(ledger_template_write(s->url), OK);
  assert_int_equal(blob_open_disk(s->recordings, &s->store), OK);
  assert_int_equal(volume_new(s->store, 1, 100, &s->volume), OK);
  assert_int_equal(db_writer_new(&(struct db_writer_config){.open = {.url = s->url}}, &s->writer), OK);
  assert_int_equal(db_readers_new(&(struct db_open){.url = s->url, .read_only = true}, 2, 100, &s->readers), OK);
  assert_int_equal(events_new(&s->events), OK);
  assert_int_equal(tapes_new(NULL, NULL, &s->tapes), OK);
  const struct tape_follow_parts follow = {s->tapes, s->events, s->readers, s->store, s->volume};
  assert_int_equal(tape_follows_new(&follow, &s->follows), OK);
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = add_businesses, .arg = s}), OK);
  service_load_access(s);
  struct hmac_key url_key;
  hmac_key_set(&url_key, STR(SERVICE_URL_KEY));
  struct api_parts parts = {.conf = &s->conf,
                            .readers = s->readers,
                            .writer = s->writer,
                            .secrets_key = secrets_key,
                            .store = s->store,
                            .volume = s->volume,
                            .events = s->events,
                            .follows = s->follows,
                            .url_key = &url_key,
                            .path_base = s->conf.public_base_url ? "/sub" : "",
                            .loops = s->loops ? s->loops : 1,
                            .worker_alive = worker_alive,
                            .account_stopped = account_stopped,
                            .storage_full = storage_full,
                            .not_ready = not_ready,
                            .arg = s};
  assert_int_equal(api_new(&parts, s->access, &s->api), OK);
  struct http_app app = api_http_app(s->api);
  struct http_config config = {.listen = "127.0.0.1:0", .loops = parts.loops, .connections = 1000};
  assert_int_equal(http_server_new(&config, &app, &s->server), OK);
  api_set_server(s->api, s->server);
  assert_int_equal(http_server_start(s->server), OK);
}

void service_stop(struct service *s) {
  if (!s->api) return;
  api_drain(s->api);
  http_server_drain(s->server, 0);
  assert_true(volume_stop(s->volume, 10000));
  s->readers = db_readers_free(s->readers);
  s->writer = db_writer_free(s->writer);
  s->server = http_server_free(s->server);
  s->api = api_free(s->api);
  s->follows = tape_follows_free(s->follows);
  s->tapes = tapes_free(s->tapes);
  s->events = events_free(s->events);
  access_unref(s->access);
  s->volume = volume_free(s->volume);
  s->store = blob_close(s->store);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk) {
  (void)st;
  (void)type;
  (void)walk;
  return remove(path);
}

int service_teardown(void **state) {
  struct service *s = *state;
  service_stop(s);
  (void)nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(s);
  return 0;
}

/* ---- rows ---- */

struct row_job {
  struct service *s;
  int64_t business;
  const char *sid, *other_sid;
  enum recording_status status;
  int64_t bytes;
  bool permanent;
  struct recording row;
};

static enum err put_call(struct db *db, void *arg) {
  struct row_job *j = arg;
  struct call c;
  memset(&c, 0, sizeof(c));
  c.business_id = j->business;
  (void)snprintf(c.call_sid, sizeof(c.call_sid), "%s", j->sid);
  (void)snprintf(c.parent_call_sid, sizeof(c.parent_call_sid), "%s", j->other_sid);
  (void)snprintf(c.direction, sizeof(c.direction), "inbound");
  (void)snprintf(c.from_number, sizeof(c.from_number), "+15551230001");
  c.duration_s = -1;
  c.first_seen_at = clock_now_ms();
  struct buf fields CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  struct call was;
  enum err e = calls_read(db, c.business_id, str_from(c.call_sid), &was, &fields);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return calls_put(db, e == OK ? &was : NULL, &c, STR("{}"));
}

void service_call(struct service *s, int64_t business, const char *sid, const char *parent) {
  struct row_job j = {.s = s, .business = business, .sid = sid, .other_sid = parent};
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = put_call, .arg = &j}), OK);
}

static enum err put_recording(struct db *db, void *arg) {
  struct row_job *j = arg;
  struct recording *r = &j->row;
  r->business_id = j->business;
  (void)snprintf(r->recording_sid, sizeof(r->recording_sid), "%s", j->sid);
  (void)snprintf(r->call_sid, sizeof(r->call_sid), "%s", j->other_sid);
  r->status = j->status;
  r->rank = RECORDING_RANK_REST;
  r->announced_bytes = r->duration_ms = -1;
  r->started_at = INT64_C(1795248062000); /* 2026-11-21T08:01:02Z */
  r->first_seen_at = r->started_at;
  return recordings_insert(db, r, STR("{}"));
}

void service_recording(struct service *s, int64_t business, const char *sid, const char *call,
                       enum recording_status status) {
  struct row_job j = {.s = s, .business = business, .sid = sid, .other_sid = call, .status = status};
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = put_recording, .arg = &j}), OK);
}

static enum err make_ready(struct db *db, void *arg) {
  struct row_job *j = arg;
  struct recording row;
  TRY(recordings_get(db, j->business, str_from(j->sid), &row));
  struct recording next = row;
  next.status = RECORDING_READY;
  (void)snprintf(next.name, sizeof(next.name), "%lld/%s.mp3", (long long)j->business, j->sid);
  (void)snprintf(next.etag, sizeof(next.etag), "\"%s\"", j->sid);
  (void)snprintf(next.content_type, sizeof(next.content_type), "audio/mpeg");
  next.bytes = next.received_bytes = next.announced_bytes = j->bytes;
  next.modified_at = INT64_C(1795248062000);
  return recordings_store(db, &row, &next);
}

void service_ready(struct service *s, int64_t business, const char *sid, int64_t bytes) {
  struct row_job j = {.s = s, .business = business, .sid = sid, .bytes = bytes};
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%lld", s->recordings, (long long)business);
  (void)mkdir(path, 0750);
  (void)snprintf(path, sizeof(path), "%s/%lld/%s.mp3", s->recordings, (long long)business, sid);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  for (int64_t i = 0; i < bytes; i++) assert_int_not_equal(fputc('a' + (int)(i % 26), f), EOF);
  assert_int_equal(fclose(f), 0);
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = make_ready, .arg = &j}), OK);
  service_tell_row(s, business, sid);
  events_notify(s->events, business, str_from(sid));
}

static enum err make_failed(struct db *db, void *arg) {
  struct row_job *j = arg;
  struct recording row;
  TRY(recordings_get(db, j->business, str_from(j->sid), &row));
  struct recording next = row;
  int64_t now = db_now_ms(db);
  next.status = RECORDING_FAILED;
  next.fail_count = 1;
  next.failed_at = now;
  next.permanent = j->permanent;
  next.next_retry_at = j->permanent ? 0 : now + 30 * 1000;
  for (size_t i = 0; i < COUNT_OF(next.retried); i++) next.retried[i] = now;
  (void)snprintf(next.error_code, sizeof(next.error_code), "%s", j->other_sid);
  return recordings_store(db, &row, &next);
}

void service_fail(struct service *s, int64_t business, const char *sid, const char *code, bool permanent) {
  struct row_job j = {.s = s, .business = business, .sid = sid, .other_sid = code, .permanent = permanent};
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = make_failed, .arg = &j}), OK);
}

void service_lose_file(struct service *s, int64_t business, const char *sid) {
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%lld/%s.mp3", s->recordings, (long long)business, sid);
  assert_int_equal(unlink(path), 0);
}

static enum err get_row(struct db *db, void *arg) {
  struct row_job *j = arg;
  return recordings_get(db, j->business, str_from(j->sid), &j->row);
}

struct recording service_row(struct service *s, int64_t business, const char *sid) {
  struct row_job j = {.s = s, .business = business, .sid = sid};
  assert_int_equal(db_writer_call(s->writer, (struct db_job){.run = get_row, .arg = &j}), OK);
  return j.row;
}

void service_until_wanted(struct service *s, int64_t business, const char *sid) {
  while (service_row(s, business, sid).wanted_at == 0) (void)sched_yield();
}

/* ---- the client ---- */

int service_send(struct service *s, const char *method, const char *path, const char *key, const char *headers,
                 const char *body) {
  struct buf b = BUF_INIT(1024 * 1024);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(s->server))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
  assert_int_equal(
      buf_addf(&b, "%s %s HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n%s", method, path, headers), OK);
  if (key) assert_int_equal(buf_addf(&b, "Authorization: Bearer %s\r\n", key), OK);
  if (body) assert_int_equal(buf_addf(&b, "Content-Length: %zu\r\n", strlen(body)), OK);
  assert_int_equal(buf_addf(&b, "\r\n%s", body ? body : ""), OK);
  for (size_t sent = 0; sent < b.n;) {
    ssize_t n = TEMP_FAILURE_RETRY(send(fd, b.p + sent, b.n - sent, MSG_NOSIGNAL));
    if (n <= 0) break; /* refused before it was read: the answer says so */
    sent += (size_t)n;
  }
  buf_done(&b);
  return fd;
}

void service_receive(int fd, struct answer *ret_answer) {
  const size_t room = sizeof(ret_answer->head) + sizeof(ret_answer->body);
  char *all = malloc(room);
  size_t n = 0;
  assert_non_null(all);
  for (ssize_t got; n < room - 1 && (got = TEMP_FAILURE_RETRY(recv(fd, all + n, room - 1 - n, 0))) > 0;)
    n += (size_t)got;
  (void)close(fd);
  all[n] = '\0';
  char *end = strstr(all, "\r\n\r\n");
  assert_non_null(end);
  size_t head_n = (size_t)(end - all) + 2;
  assert_true(head_n < sizeof(ret_answer->head));
  memcpy(ret_answer->head, all, head_n);
  ret_answer->head[head_n] = '\0';
  ret_answer->body_n = n - head_n - 2;
  assert_true(ret_answer->body_n < sizeof(ret_answer->body));
  memcpy(ret_answer->body, end + 4, ret_answer->body_n + 1);
  ret_answer->status = (int)strtol(all + sizeof("HTTP/1.1 ") - 1, NULL, 10);
  free(all);
}

struct answer *service_ask(struct service *s, const char *method, const char *path, const char *key,
                           const char *headers, const char *body) {
  static struct answer a;
  service_receive(service_send(s, method, path, key, headers, body), &a);
  return &a;
}

const char *answer_header(const struct answer *a, const char *name) {
  static char value[1024];
  char line[128];
  (void)snprintf(line, sizeof(line), "\r\n%s: ", name);
  const char *at = strstr(a->head, line);
  value[0] = '\0';
  if (!at) return value;
  at += strlen(line);
  size_t n = strcspn(at, "\r");
  assert_true(n < sizeof(value));
  memcpy(value, at, n);
  value[n] = '\0';
  return value;
}

void service_sign(const char *url, const char *parameters, char ret_signature[64]) {
  struct buf text = BUF_INIT(65536), signature = BUF_INIT(64);
  uint8_t mac[SHA1_SIZE];
  const char *out;
  assert_int_equal(buf_addf(&text, "%s%s", url, parameters), OK);
  secret_hmac_sha1(STR(SERVICE_TOKEN), buf_str(&text), mac);
  assert_int_equal(base64_encode(&signature, mac, sizeof(mac)), OK);
  assert_int_equal(buf_terminate(&signature, &out), OK);
  (void)snprintf(ret_signature, 64, "%s", out);
  buf_done(&text);
  buf_done(&signature);
}
