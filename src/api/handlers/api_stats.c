/* api_stats.c - what a business's admin asks of how things go. It looks and never acts. */
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

struct stats {
  struct db_call db_call;
  struct buf json;
  bool has_failures;
  bool has_retries;
};

static enum err add_failure(void *arg, struct str code, int64_t count, int64_t permanent) {
  struct stats *s = arg;
  (void)permanent;
  if (s->has_failures) TRY(buf_add_char(&s->json, ','));
  s->has_failures = true;
  TRY(buf_add_json(&s->json, code.n ? code : STR("unknown")));
  return buf_addf(&s->json, ":%lld", (long long)count);
}

/* A retry of many that goes on: how many it has queued again so far. */
static enum err add_retry(void *arg, const struct retries_row *row) {
  struct stats *s = arg;
  if (s->has_retries) TRY(buf_add_char(&s->json, ','));
  s->has_retries = true;
  TRY(buf_add_json(&s->json, str_from(row->code[0] ? row->code : "any")));
  return buf_addf(&s->json, ":%lld", (long long)row->queued);
}

static enum err add_counts(struct stats *s, const struct recordings_counts *c, int64_t now) {
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

/* Of the playbacks that this process answered. */
static enum err add_hit_ratio(struct stats *s) {
  int64_t hits, all;
  hits_of(s->db_call.api->hits, s->db_call.subject.business_id, &hits, &all);
  if (!all) return buf_add(&s->json, STR(",\"hit_ratio\":null"));
  return buf_addf(&s->json, ",\"hit_ratio\":%.4f", (double)hits / (double)all);
}

/* Of the recordings' volume: below what is reserved no fill begins. */
static enum err add_volume(struct stats *s) {
  const struct api_parts *parts = &s->db_call.api->parts;
  struct volume_seen seen;
  volume_seen(parts->volume, &seen);
  TRY(buf_add(&s->json, STR("},\"store_free_bytes\":")));
  if (seen.room_error == OK && seen.answers)
    TRY(buf_addf(&s->json, "%llu", (unsigned long long)seen.free_bytes));
  else
    TRY(buf_add(&s->json, STR("null")));
  return buf_addf(&s->json, ",\"store_reserved_bytes\":%llu", (unsigned long long)parts->min_free_bytes);
}

static enum err write_all(struct db *db, struct stats *s) {
  int64_t business_id = s->db_call.subject.business_id;
  struct recordings_counts counts;
  TRY(recordings_count(db, business_id, &counts));
  TRY(add_counts(s, &counts, s->db_call.now));
  TRY(add_hit_ratio(s));
  TRY(buf_addf(&s->json, ",\"bytes\":%lld,\"failures\":{", (long long)counts.bytes));
  TRY(recordings_count_failures(db, business_id, add_failure, s));
  TRY(buf_add(&s->json, STR("},\"retrying\":{")));
  TRY(retries_each(db, business_id, add_retry, s));
  TRY(add_volume(s));
  return buf_add_char(&s->json, '}');
}

/* Of one moment. */
static enum err run_look(struct db *db, struct db_call *e) {
  TRY(db_begin(db));
  enum err failed = write_all(db, (struct stats *)(void *)e); /* its first member */
  db_rollback(db);
  return failed;
}

static void finish(struct stats *s) {
  db_call_end(&s->db_call);
  buf_done(&s->json);
  free(s);
}

static void looked(struct db_call *e) {
  struct stats *s = (struct stats *)(void *)e;
  struct http_fields f;
  answer_fields(&f);
  if (e->result == OK)
    answer_json(e->x, 200, &f, buf_str(&s->json));
  else
    problem_answer_err(e->x, e->result);
  finish(s);
}

void api_stats(void *arg, struct http_exchange *x) {
  struct stats *s = calloc(1, sizeof(*s));
  if (!s) {
    problem_answer_err(x, ERR_NOMEM);
    return;
  }
  db_call_begin(&s->db_call, arg);
  buf_init(&s->json, STATS_MAX);
  enum err e = db_call_read(&s->db_call, run_look, looked);
  if (e == OK) return;
  problem_answer_err(x, e);
  finish(s);
}
