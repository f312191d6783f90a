/* claims - measures the cost of a claim beside many businesses. bench_claims DIRECTORY [ROUNDS]
 *
 * Each case has a database of its own in DIRECTORY. A round runs one claim job (queue_maintain, then CLAIMS claims) in each of
 * them in turn and rolls it back. Prints for each case its name, a tab, and the processor time of a claim in us: the median
 * of the rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "domain/queue.h"
#include "ledger/ledger.h"

#define NOW INT64_C(1790000000000)
enum { CLAIMS = 4, MANY = 20000, MANY_ROWS = 200000, ROUNDS = 101, ROUNDS_MAX = 10000, PARTS_MAX = 8 };

/* ?1 to ?2: ids; ?3: now. */
#define EACH "with recursive g(i) as (select ?1 union all select i + 1 from g where i < ?2) "
#define BUSINESSES(values)                                                                                    \
  EACH "insert into businesses (business_id, name, created_at, auth_failed_at, auth_trial_at, last_claim_at)" \
       " select i, 'Acme', ?3, " values " from g"
#define RECORDINGS(values)                                                                                          \
  EACH "insert into recordings (business_id, recording_sid, first_seen_at, status, rank, enqueued_at, next_ask_at," \
       " lease_until) select " values " from g"
#define WORKING BUSINESSES("null, null, ?3 - 60000 - i")
#define STOPPED BUSINESSES("?3 - 1000, ?3 + 1000 + i, null")
#define QUEUED RECORDINGS("i, 'RE1', ?3, 'queued', 1, ?3 - 1000 - i, null, null")
#define QUEUED_OF_ONE RECORDINGS("1, 'RE' || i, ?3, 'queued', 1, ?3 + i, null, null")
#define NOT_YET_DUE RECORDINGS("i, 'RE1', ?3, 'queued', 1, ?3 - 1000, ?3 + 1000 + i, null")
#define FILLED(sid) RECORDINGS("i, '" sid "', ?3, 'downloading', 1, ?3, null, ?3 + 10000 + i % 10000")

#define BESIDE(n) CLAIMS + 1, CLAIMS + (n)
#define CLAIMED           \
  {WORKING, 1, CLAIMS}, { \
    QUEUED, 1, CLAIMS     \
  }
static const struct claim_case {
  const char *name;
  struct part {
    const char *sql;
    int first, last;
  } parts[PARTS_MAX];
} cases[] = {
    {"1", {{WORKING, 1, 1}, {QUEUED_OF_ONE, 1, CLAIMS}}},
    {"1,000", {CLAIMED, {WORKING, BESIDE(1000)}, {QUEUED, BESIDE(1000)}}},
    {"20,000", {CLAIMED, {WORKING, BESIDE(MANY)}, {QUEUED, BESIDE(MANY)}}},
    {"20,000 at their limit",
     {CLAIMED,
      {WORKING, BESIDE(MANY)},
      {QUEUED, BESIDE(MANY)},
      {FILLED("RE2"), BESIDE(MANY)},
      {FILLED("RE3"), BESIDE(MANY)},
      {FILLED("RE4"), BESIDE(MANY)},
      {FILLED("RE5"), BESIDE(MANY)}}},
    {"20,000 with refused credentials", {CLAIMED, {STOPPED, BESIDE(MANY)}, {QUEUED, BESIDE(MANY)}}},
    {"20,000 not yet due", {CLAIMED, {WORKING, BESIDE(MANY)}, {NOT_YET_DUE, BESIDE(MANY)}}},
    {"200,000 recordings of one", {CLAIMED, {QUEUED_OF_ONE, 2, MANY_ROWS}}},
};
enum { CASES = COUNT_OF(cases) };

static void check(enum err e, const char *what, struct db *db) {
  if (e == OK) return;
  fprintf(stderr, "bench_claims: %s: %s %s\n", what, err_text(e), db ? db_problem(db) : "");
  exit(1);
}

static struct db *open_case(const char *directory, const struct claim_case *c) {
  char url[4096];
  struct db *db = NULL;
  int applied;
  (void)snprintf(url, sizeof(url), "sqlite://%s/%c.db", directory, (int)('a' + (c - cases)));
  check(db_open(&(struct db_open){.url = url}, NULL, &db), url, NULL);
  check(ledger_migrate(db, NULL, &applied), "schema", db);
  check(db_begin_immediate(db), "begin", db);
  for (const struct part *p = c->parts; p < c->parts + PARTS_MAX && p->sql; p++)
    check(db_run_values(db, p->sql, DB_VALUES_(DB_INT(p->first), DB_INT(p->last), DB_INT(NOW))), c->name, db);
  check(db_commit(db), "commit", db);
  return db;
}

static double cpu_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Processor time of a claim. */
static double run_job(struct db *db) {
  static const struct queue_limits limits = {.per_business = CLAIMS, .total = 10 * MANY};
  struct queue_maintained maintained;
  struct recording row;
  check(db_begin_immediate(db), "begin", db);
  double began = cpu_us();
  check(queue_maintain(db, NOW, 0, &maintained), "queue_maintain", db);
  for (int i = 0; i < CLAIMS; i++) check(queue_claim(db, &limits, STR("bench"), NOW, &row), "queue_claim", db);
  double took = cpu_us() - began;
  db_rollback(db);
  return took / CLAIMS;
}

static int smaller(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  static double took[CASES][ROUNDS_MAX];
  struct db *db[CASES];
  int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : ROUNDS;
  if (argc < 2 || argc > 3 || rounds < 1 || rounds > ROUNDS_MAX) {
    fprintf(stderr, "usage: bench_claims DIRECTORY [ROUNDS]\n");
    return 2;
  }
  for (int i = 0; i < CASES; i++) db[i] = open_case(argv[1], &cases[i]);
  for (int i = 0; i < CASES; i++) (void)run_job(db[i]); /* reads the pages and prepares the statements */
  for (int r = 0; r < rounds; r++)
    for (int i = 0; i < CASES; i++) took[i][r] = run_job(db[i]);
  for (int i = 0; i < CASES; i++) {
    qsort(took[i], (size_t)rounds, sizeof(took[i][0]), smaller);
    printf("%s\t%.1f\n", cases[i].name, took[i][rounds / 2]);
    db_close(db[i]);
  }
  return 0;
}
