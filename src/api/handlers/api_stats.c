/* api_stats.c - GET /api/stats: counts of a business's recordings, for its admins. It only reads. */
#include <stdlib.h>

#include "api/handlers/api_handlers.h"
#include "api/media/api_hits.h"
#include "api/request/api_answer.h"
#include "api/request/api_db_call.h"
#include "api/request/api_loop.h"
#include "api/request/problem.h"
#include "ledger/recordings_count.h"
#include "ledger/retries.h"

enum { STATS_MAX = 16 * 1024 };

struct stats_request {
  struct db_call db_call;
  struct buf json;
  bool has_failures;
  bool has_retries;
};

static enum err stats_add_failure(void *arg, struct str code, int64_t count, int64_t permanent) {
  struct stats_request *s = arg;
  (void)permanent;
  if (s->has_failures) TRY(buf_add_char(&s->json, ','));
  s->has_failures = true;
  TRY(buf_add_json(&s->json, code.n ? code : STR("unknown")));
  return buf_addf(&s->json, ":%lld", (long long)count);
}

/* A retry of many that is still in progress: how many recordings it has queued so far. */
static enum err stats_add_retry(void *arg, const struct retries_row *row) {
  struct stats_request *s = arg;
  if (s->has_retries) TRY(buf_add_char(&s->json, ','));
  s->has_retries = true;
  TRY(buf_add_json(&s->json, str_from(row->code[0] ? row->code : "any")));
  return buf_addf(&s->json, ":%lld", (long long)row->queued);
}

static enum err stats_add_counts(struct stats_request *s, const struct recordings_counts *c, int64_t now) {
  struct buf *b = &s->json;
  int64_t depth = c->by_status[RECORDING_QUEUED], age_ms = now - c->oldest_queued_at;
  TRY(buf_add(b, STR("{\"recordings\":{")));
  for (int i = 0; i < RECORDING_STATUS_COUNT_; i++)
    TRY(buf_addf(b, "%s\"%s\":%lld", i ? "," : "", recording_status_name((enum recording_status)i),
                 (long long)c->by_status[i]));
  TRY(buf_addf(b, "},\"queue_depth\":%lld,\"queue_oldest_seconds\":", (long long)depth));
  if (!depth || !c->oldest_queued_at) return buf_add(b, STR("null"));
  return buf_addf(b, "%lld", (long long)(age_ms > 0 ? age_ms / 1000 : 0));
}

/* The ratio of the playbacks that this process has answered. */
static enum err stats_add_hit_ratio(struct stats_request *s) {
  int64_t hits, all;
  hits_of(s->db_call.api->hits, s->db_call.subject.business_id, &hits, &all);
  if (!all) return buf_add(&s->json, STR(",\"hit_ratio\":null"));
  return buf_addf(&s->json, ",\"hit_ratio\":%.4f", (double)hits / (double)all);
}

/* The free and reserved bytes of the recordings volume. Below the reserve no fill begins. */
static enum err stats_add_volume(struct stats_request *s) {
  const struct api_parts *parts = &s->db_call.api->parts;
  struct volume_seen seen;
  volume_seen(parts->volume, &seen);
  TRY(buf_add(&s->json, STR("},\"store_free_bytes\":")));
  if (seen.room_error == OK && seen.answers)
    TRY(buf_addf(&s->json, "%llu", (unsigned long long)seen.free_bytes));
  else
    TRY(buf_add(&s->json, STR("null")));
  return buf_addf(&s->json, ",\"store_reserved_bytes\":%llu",
                  (unsigned long long)store_least_free(parts->min_free_bytes, seen.total_bytes));
}

static enum err stats_write_json(struct db *db, struct stats_request *s) {
  int64_t business_id = s->db_call.subject.business_id;
  struct recordings_counts counts;
  TRY(recordings_count(db, business_id, &counts));
  TRY(stats_add_counts(s, &counts, s->db_call.now));
  TRY(stats_add_hit_ratio(s));
  TRY(buf_addf(&s->json, ",\"bytes\":%lld,\"failures\":{", (long long)counts.bytes));
  TRY(recordings_count_failures(db, business_id, stats_add_failure, s));
  TRY(buf_add(&s->json, STR("},\"retrying\":{")));
  TRY(retries_each(db, business_id, stats_add_retry, s));
  TRY(stats_add_volume(s));
  return buf_add_char(&s->json, '}');
}

/* One transaction, so that all counts are of the same moment. */
static enum err stats_read_rows(struct db *db, struct db_call *c) {
  TRY(db_begin(db));
  enum err failed = stats_write_json(db, (struct stats_request *)(void *)c); /* db_call is the first member */
  db_rollback(db);
  return failed;
}

static void stats_end(struct stats_request *s) {
  db_call_end(&s->db_call);
  buf_done(&s->json);
  free(s);
}

static void stats_on_json(struct db_call *c) {
  struct stats_request *s = (struct stats_request *)(void *)c;
  struct http_fields f;
  answer_fields(&f);
  if (c->result == OK)
    answer_json(c->x, 200, &f, buf_str(&s->json));
  else
    problem_answer_err(c->x, c->result);
  stats_end(s);
}

void api_stats(void *arg, struct http_exchange *x) {
  struct stats_request *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, arg);
  buf_init(&s->json, STATS_MAX);
  enum err e = db_call_read(&s->db_call, stats_read_rows, stats_on_json);
  if (e == OK) return;
  problem_answer_err(x, e);
  stats_end(s);
}
