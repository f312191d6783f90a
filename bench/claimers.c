/* claimers.c - how many recordings a second several workers claim, and fill, at one database.
 *
 *   bench_claimers URL CLAIMERS SECONDS [complete] [one-by-one]
 *
 * The database has the schema and what is queued (bench/postgres.py). Each claimer has a writer of its own, as a worker's process
 * has, and submits one claim job after the other, with `complete` also the reports of fills that begin and complete. Prints one
 * line of JSON: claims, seconds, claims a second, milliseconds of a claim job at p50 and p99. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/db_writer.h"
#include "domain/queue.h"
#include "ledger/changes_postgres.h"

enum { CLAIMERS_MAX = 64, JOBS_MAX = 1000 * 1000, PEAKS = 4096 };

struct claimer {
  pthread_t thread;
  struct db_writer *writer;
  struct changes_epoch epoch;
  char owner[40];
  struct queue_claimed claimed[QUEUE_CLAIM_MAX];
  int n, reported;
  int64_t claims, maintained_ms;
  int32_t *took_us;
  int jobs;
};

static int64_t until_ms;
static bool completes, one_by_one;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void check(enum err e, const char *what) {
  if (e == OK) return;
  fprintf(stderr, "bench_claimers: %s: %s\n", what, err_text(e));
  exit(1);
}

/* For comparison. */
static enum err claim_one_by_one(struct db *db, struct claimer *c, const struct queue_limits *limits, int64_t now) {
  for (c->n = 0; c->n < QUEUE_CLAIM_MAX; c->n++) {
    struct queue_claimed *claimed = &c->claimed[c->n];
    enum err e = queue_claim(db, limits, str_from(c->owner), now, &claimed->row);
    if (e == ERR_NOT_FOUND) break;
    TRY(e);
    TRY(queue_credentials_version(db, claimed->row.business_id, &claimed->credentials_version));
  }
  return OK;
}

static enum err claim_run(struct db *db, void *arg) {
  static const struct queue_limits limits = {.per_business = 4, .total = 1000 * 1000};
  struct claimer *c = arg;
  struct queue_maintained maintained;
  int64_t now = db_now_ms(db);
  bool maintains = now - c->maintained_ms >= 1000; /* as a worker */
  if (maintains) c->maintained_ms = now;
  TRY(maintains ? queue_maintain(db, now, 0, &maintained) : queue_check_due(db, now, &maintained));
  if (one_by_one) return claim_one_by_one(db, c, &limits, now);
  return queue_claim_many(db, &limits, str_from(c->owner), now, QUEUE_CLAIM_MAX, c->claimed, &c->n);
}

struct report {
  struct claimer *claimer;
  struct queue_claimed *claimed;
  enum recording_event_kind kind;
};

static enum err report_run(struct db *db, void *arg) {
  static char peaks[PEAKS];
  const struct report *r = arg;
  const struct recording *row = &r->claimed->row;
  char name[RECORDING_NAME_SIZE + 8];
  struct recording next;
  struct recording_event event = {.kind = r->kind,
                                  .owner = str_from(row->lease_owner),
                                  .token = row->lease_token,
                                  .credentials_version = r->claimed->credentials_version};
  (void)snprintf(name, sizeof(name), "%s.mp3", row->stem);
  if (r->kind == RECORDING_COMPLETE)
    event.file = (struct recording_file){.name = str_from(name),
                                         .bytes = 720000,
                                         .content_type = STR("audio/mpeg"),
                                         .etag = STR("\"0123456789abcdef\""),
                                         .modified_at = 1790000000000,
                                         .duration_ms = 180000,
                                         .channels = 2,
                                         .sha256 = str_from(row->lease_owner),
                                         .peaks = str_of(peaks, PEAKS)};
  return queue_report(db, row->business_id, str_from(row->recording_sid), &event, db_now_ms(db), &next);
}

static void report_done(void *arg, enum err e) {
  struct report *r = arg;
  check(e, "report");
  pthread_mutex_lock(&lock);
  r->claimer->reported++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void report_all(struct claimer *c, enum recording_event_kind kind) {
  struct report reports[QUEUE_CLAIM_MAX];
  c->reported = 0;
  for (int i = 0; i < c->n; i++) {
    reports[i] = (struct report){c, &c->claimed[i], kind};
    struct db_job job = {.name = METRIC_JOB_CLAIM,
                         .class = DB_CLASS_LEASE,
                         .repeat = DB_REPEAT_ALWAYS,
                         .business_id = c->claimed[i].row.business_id,
                         .run = report_run,
                         .done = report_done,
                         .arg = &reports[i]};
    check(db_writer_submit(c->writer, job), "submit");
  }
  pthread_mutex_lock(&lock);
  while (c->reported < c->n) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

static void *claimer_main(void *arg) {
  struct claimer *c = arg;
  while (clock_mono_ms() < until_ms && c->jobs < JOBS_MAX) {
    int64_t began = clock_mono_us();
    struct db_job job = {
        .name = METRIC_JOB_CLAIM, .class = DB_CLASS_LEASE, .repeat = DB_REPEAT_UNDONE, .run = claim_run, .arg = c};
    check(db_writer_call(c->writer, job), "claim");
    if (c->n == 0) break; /* nothing is left */
    c->took_us[c->jobs++] = (int32_t)(clock_mono_us() - began);
    c->claims += c->n;
    if (!completes) continue;
    report_all(c, RECORDING_ANSWERED);
    report_all(c, RECORDING_COMPLETE);
  }
  return NULL;
}

static int smaller(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static void claimer_begin(struct claimer *c, const char *url, int number) {
  (void)snprintf(c->owner, sizeof(c->owner), "claimer-%d", number);
  c->took_us = calloc(JOBS_MAX, sizeof(*c->took_us));
  struct db_writer_config config = {.open = {.url = url, .on_connect = changes_enter, .on_connect_arg = &c->epoch}};
  check(c->took_us ? db_writer_new(&config, &c->writer) : ERR_NOMEM, "connect");
}

int main(int argc, char **argv) {
  static struct claimer claimers[CLAIMERS_MAX];
  static int32_t took_us[JOBS_MAX];
  int count = argc > 3 ? (int)strtol(argv[2], NULL, 10) : 0, jobs = 0;
  for (int i = 4; i < argc; i++) {
    completes = completes || strcmp(argv[i], "complete") == 0;
    one_by_one = one_by_one || strcmp(argv[i], "one-by-one") == 0;
  }
  if (count < 1 || count > CLAIMERS_MAX || argc > 6) {
    fprintf(stderr, "usage: bench_claimers URL CLAIMERS SECONDS [complete] [one-by-one]\n");
    return 2;
  }
  for (int i = 0; i < count; i++) claimer_begin(&claimers[i], argv[1], i);
  int64_t began = clock_mono_us(), claims = 0;
  until_ms = clock_mono_ms() + strtol(argv[3], NULL, 10) * 1000;
  for (int i = 0; i < count; i++)
    if (pthread_create(&claimers[i].thread, NULL, claimer_main, &claimers[i]) != 0) check(ERR_NOMEM, "thread");
  for (int i = 0; i < count; i++) {
    struct claimer *c = &claimers[i];
    (void)pthread_join(c->thread, NULL);
    claims += c->claims;
    for (int k = 0; k < c->jobs && jobs < JOBS_MAX; k++) took_us[jobs++] = c->took_us[k];
  }
  double seconds = (double)(clock_mono_us() - began) / 1e6;
  if (jobs == 0) check(ERR_NOT_FOUND, "nothing is queued");
  qsort(took_us, (size_t)jobs, sizeof(*took_us), smaller);
  printf("{\"claims\": %lld, \"seconds\": %.2f, \"a_second\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": %.2f}\n",
         (long long)claims, seconds, (double)claims / seconds, took_us[jobs / 2] / 1e3, took_us[jobs * 99 / 100] / 1e3);
  for (int i = 0; i < count; i++) {
    claimers[i].writer = db_writer_free(claimers[i].writer);
    free(claimers[i].took_us);
  }
  return 0;
}
