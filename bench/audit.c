/* audit.c - the cost of an audit entry: bench_audit DIRECTORY [ENTRIES [GROUP]]. Appends ENTRIES plays to a fresh SQLite
 * ledger, GROUP in a transaction, as domain/audit_queue.c does, and prints the processor's nanoseconds an entry, with the share
 * of begin and commit; behind that those of the thread that answers a play, which puts the entry into the queue while the writer
 * takes others out of it. Under callgrind with --toggle-collect=append_group it counts the instructions of the first. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "domain/audit_queue.h"
#include "ledger/audit.h"
#include "ledger/ledger.h"

enum { GROUP_MAX = AUDIT_APPEND_MAX, OBJECT_SIZE = 40, ENTRIES = 30000, ENTRIES_MAX = 10000000 };
#define NOW INT64_C(1790000000000)

static void check(enum err e, const char *what, struct db *db) {
  if (e == OK) return;
  fprintf(stderr, "bench_audit: %s: %s %s\n", what, err_text(e), db ? db_problem(db) : "");
  exit(1);
}

static double cpu_ns(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

__attribute__((noinline)) static void append_group(struct db *db, const struct audit_entry *entries, int count) {
  check(db_begin_immediate(db), "begin", db);
  check(audit_append_all(db, 1, entries, (size_t)count), "append", db);
  check(db_commit(db), "commit", db);
}

/* Entry n: one listener, another recording each time. */
static struct audit_entry play(long n, char object[OBJECT_SIZE]) {
  (void)snprintf(object, OBJECT_SIZE, "RE%032lx", (unsigned long)n * 0x9e3779b97f4a7c15u);
  return (struct audit_entry){.at = NOW + n,
                              .actor = STR("key:5"),
                              .role = STR("viewer"),
                              .action = AUDIT_PLAY,
                              .object = str_from(object),
                              .ip = STR("198.51.100.7")};
}

static void append(struct db *db, long first, int count) {
  static char objects[GROUP_MAX][OBJECT_SIZE];
  struct audit_entry entries[GROUP_MAX];
  for (int i = 0; i < count; i++) entries[i] = play(first + i, objects[i]);
  append_group(db, entries, count);
}

/* Nanoseconds an entry of this thread alone. */
static double queue_ns(const char *url, long entries) {
  const struct db_writer_config config = {.open = {.url = url}};
  struct db_writer *writer;
  struct audit_queue *queue;
  char object[OBJECT_SIZE];
  double ns = 0;
  check(db_writer_new(&config, &writer), "writer", NULL);
  check(audit_queue_new(writer, &queue), "queue", NULL);
  for (long n = 0; n < entries; n += AUDIT_QUEUE_BUSINESS_MAX) {
    double began = cpu_ns();
    for (long i = n; i < entries && i < n + AUDIT_QUEUE_BUSINESS_MAX; i++) {
      const struct audit_entry entry = play(i, object);
      audit_queue_add(queue, 1, &entry);
      if (i % GROUP_MAX == GROUP_MAX - 1) audit_queue_tick(queue);
    }
    ns += cpu_ns() - began;
    audit_queue_flush(queue);
  }
  db_writer_free(writer);
  audit_queue_free(queue);
  return ns / (double)entries;
}

int main(int argc, char **argv) {
  char url[4096];
  struct db *db = NULL;
  int applied;
  long entries = argc > 2 ? strtol(argv[2], NULL, 10) : ENTRIES;
  long group = argc > 3 ? strtol(argv[3], NULL, 10) : GROUP_MAX;
  if (argc < 2 || argc > 4 || entries < 1 || entries > ENTRIES_MAX || group < 1 || group > GROUP_MAX) {
    fprintf(stderr, "usage: bench_audit DIRECTORY [ENTRIES [GROUP]]\n");
    return 2;
  }
  (void)snprintf(url, sizeof(url), "sqlite://%s/audit.db", argv[1]);
  check(db_open(&(struct db_open){.url = url}, NULL, &db), url, NULL);
  check(ledger_migrate(db, NULL, &applied), "schema", db);
  append(db, 0, 1); /* prepares the statements */
  double began = cpu_ns();
  for (long n = 1; n <= entries; n += group) append(db, n, (int)(entries + 1 - n < group ? entries + 1 - n : group));
  double ns = (cpu_ns() - began) / (double)entries;
  db_close(db);
  printf("%.0f %.0f\n", ns, queue_ns(url, entries));
  return 0;
}
