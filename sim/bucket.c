/* bucket.c - the second origin, to which the fault `redirect` leads. It serves audio for a signed URL.
 *
 *   /audio/{sid}?seconds=…&channels=…&mp3=…&slow=…&stall_ms=…&no_length=…&signature=…
 *
 * Like a storage service it answers 400 to a request that also has an Authorization header. */
#include "sim.h"

#include <inttypes.h>
#include <string.h>

#include "talk.h"

enum { TARGET_MAX = 512, LISTEN_MAX = 128 };

#define SIGNATURE "&signature="

/* Signs a target, which has no "&signature=…" yet. */
static void bucket_sign(const struct sim *sim, struct str target, char ret_hex[2 * SHA256_SIZE + 1]) {
  uint8_t mac[SHA256_SIZE];
  secret_hmac_sha256(str_of((const char *)sim->bucket_key, sizeof(sim->bucket_key)), target, mac);
  hex_encode(mac, sizeof(mac), ret_hex);
}

enum err bucket_url(const struct sim *sim, const struct media_plan *plan, struct buf *b) {
  char hex[2 * SHA256_SIZE + 1];
  struct buf target CLEANUP(buf_done) = BUF_INIT(TARGET_MAX);
  TRY(buf_addf(&target,
               "/audio/%s?seconds=%" PRId64 "&channels=%u&mp3=%d&slow=%" PRId64 "&stall_ms=%" PRId64
               "&no_length=%d&no_range=%d",
               plan->sid, plan->seconds, plan->channels, plan->mp3, plan->slow, plan->stall_ms, plan->no_length,
               plan->no_range));
  bucket_sign(sim, buf_str(&target), hex);
  TRY(buf_addf(b, "%s%.*s" SIGNATURE "%s", sim->bucket_url, STR_ARG(buf_str(&target)), hex));
  return OK;
}

static int64_t bucket_query_number(struct str query, const char *name) {
  struct buf room CLEANUP(buf_done) = BUF_INIT(TARGET_MAX);
  struct str text;
  int64_t value;
  if (http_query_get(query, str_from(name), &room, &text) != OK) return 0;
  return str_to_i64(text, 0, INT32_MAX * (int64_t)1000, &value) == OK ? value : 0;
}

static bool is_signed(const struct sim *sim, struct str target) {
  char hex[2 * SHA256_SIZE + 1];
  size_t tail = sizeof(SIGNATURE) - 1 + 2 * SHA256_SIZE;
  if (target.n < tail) return false;
  struct str said = str_skip(target, target.n - tail);
  if (!str_starts(said, STR(SIGNATURE))) return false;
  bucket_sign(sim, str_head(target, target.n - tail), hex);
  return secret_equal(str_skip(said, sizeof(SIGNATURE) - 1), str_from(hex));
}

static void bucket_on_request(void *arg, struct http_exchange *x) {
  struct sim *sim = arg;
  const struct http_request *r = http_request(x);
  struct str sid = str_skip(r->path, sizeof("/audio/") - 1);
  struct media_plan plan = {.channels = 1};
  if (http_header_get(r, STR("Authorization")).p) {
    answer_problem(x, 400, "Only one auth mechanism allowed");
    return;
  }
  if ((r->method != HTTP_GET && r->method != HTTP_HEAD) || !is_signed(sim, r->target) || sid.n != SID_ROOM - 1) {
    answer_problem(x, 403, "The URL is not signed");
    return;
  }
  memcpy(plan.sid, sid.p, sid.n);
  plan.seconds = bucket_query_number(r->query, "seconds");
  plan.channels = (unsigned)bucket_query_number(r->query, "channels");
  plan.mp3 = bucket_query_number(r->query, "mp3") == 1;
  plan.slow = bucket_query_number(r->query, "slow");
  plan.stall_ms = bucket_query_number(r->query, "stall_ms");
  plan.no_length = bucket_query_number(r->query, "no_length") == 1;
  plan.no_range = bucket_query_number(r->query, "no_range") == 1;
  media_send(sim, x, &plan);
}

enum err bucket_new(struct sim *sim, struct str listen_host, struct str public_host) {
  struct buf listen CLEANUP(buf_done) = BUF_INIT(LISTEN_MAX), url CLEANUP(buf_done) = BUF_INIT(LISTEN_MAX);
  const char *text;
  const struct http_app app = {.arg = sim, .request = bucket_on_request};
  TRY(secret_random(sim->bucket_key, sizeof(sim->bucket_key)));
  TRY(buf_addf(&listen, "%.*s:0", STR_ARG(listen_host)));
  TRY(buf_terminate(&listen, &text));
  const struct http_config config = {.listen = text, .loops = 1, .connections = 4096};
  TRY(http_server_new(&config, &app, &sim->bucket));
  TRY(buf_addf(&url, "http://%.*s:%d", STR_ARG(public_host), http_server_port(sim->bucket)));
  sim->bucket_url = str_dup(buf_str(&url));
  if (!sim->bucket_url) return ERR_NOMEM;
  return http_server_start(sim->bucket);
}
