/* bench_db_writer - commits a second of db_writer: SUBMITTERS threads that each wait for their row, in PROCESSES
 * processes. bench_db_writer DIRECTORY [SUBMITTERS [PROCESSES [SECONDS]]] Prints a line a process: rows, rows a second,
 * and how long a row waited at the middle, the 99th of 100, and at most. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/db_writer.h"

enum { TIMES_MAX = 200000 };

static struct db_writer *writer;
static atomic_bool stop;
static atomic_int failed;

struct submitter {
  pthread_t thread;
  int number;
  size_t rows;
  int32_t *times_us;
};

static enum err insert_row(struct db *db, void *arg) {
  static const char text[] =
      "a webhook's fields, about as long as they come: AccountSid, CallSid, From, To, CallStatus, Direction";
  struct submitter *s = arg;
  return db_run(db, "insert into rows (who, text) values (?1, ?2)", DB_INT(s->number), DB_TEXT(str_from(text)));
}

static void *submitter_main(void *arg) {
  struct submitter *s = arg;
  while (!atomic_load(&stop) && s->rows < TIMES_MAX) {
    int64_t began = clock_mono_us();
    if (db_writer_call(writer, (struct db_job){.run = insert_row, .arg = s}) == OK) {
      s->times_us[s->rows++] = (int32_t)(clock_mono_us() - began);
    } else {
      atomic_fetch_add(&failed, 1);
    }
  }
  return NULL;
}

static int smaller(const void *a, const void *b) {
  return *(const int32_t *)a - *(const int32_t *)b;
}

static int run_process(const char *url, int submitters, unsigned seconds) {
  struct db_writer_config config = {.open = {.url = url}};
  if (db_writer_new(&config, &writer) != OK) return 1;
  struct submitter *all = calloc((size_t)submitters, sizeof(*all));
  for (int i = 0; i < submitters; i++) {
    all[i].number = i;
    all[i].times_us = malloc(TIMES_MAX * sizeof(*all[i].times_us));
    pthread_create(&all[i].thread, NULL, submitter_main, &all[i]);
  }
  sleep(seconds);
  atomic_store(&stop, true);
  size_t rows = 0;
  for (int i = 0; i < submitters; i++) {
    pthread_join(all[i].thread, NULL);
    rows += all[i].rows;
  }
  int32_t *times = malloc((rows + 1) * sizeof(*times));
  size_t n = 0;
  for (int i = 0; i < submitters; i++) {
    memcpy(times + n, all[i].times_us, all[i].rows * sizeof(*times));
    n += all[i].rows;
  }
  qsort(times, n, sizeof(*times), smaller);
  if (n > 0) {
    printf("pid %d: %zu rows, %zu rows/s, %d failed, waited us: middle %d, 99th %d, at most %d\n", getpid(), rows,
           rows / seconds, atomic_load(&failed), times[n / 2], times[n * 99 / 100], times[n - 1]);
  }
  writer = db_writer_free(writer);
  return 0;
}

static int number(int argc, char **argv, int at, int otherwise) {
  return argc > at ? (int)strtol(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int submitters = number(argc, argv, 2, 64), processes = number(argc, argv, 3, 1);
  unsigned seconds = (unsigned)number(argc, argv, 4, 3);
  char url[4096];
  (void)snprintf(url, sizeof(url), "sqlite://%s/bench.db", argv[1]);
  struct db *db;
  if (db_open(&(struct db_open){.url = url}, NULL, &db) != OK) return 1;
  enum err e = db_script(db, "create table if not exists rows (id integer primary key, who integer, text text)");
  db_close(db);
  if (e != OK) return 1;
  for (int i = 0; i < processes; i++) {
    if (fork() == 0) exit(run_process(url, submitters, seconds));
  }
  while (wait(NULL) > 0) continue;
  return 0;
}
