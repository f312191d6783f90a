/* db_scratch.h - a directory and a database in it for one test. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/db.h"

struct scratch {
  char dir[64];
  char path[96];
  char url[128];
};

static inline int scratch_setup(void **state) {
  struct scratch *s = calloc(1, sizeof(*s));
  if (!s) return -1;
  memcpy(s->dir, "/tmp/callreel-test-XXXXXX", sizeof("/tmp/callreel-test-XXXXXX"));
  if (!mkdtemp(s->dir)) return -1;
  (void)snprintf(s->path, sizeof(s->path), "%s/test.db", s->dir);
  (void)snprintf(s->url, sizeof(s->url), "sqlite://%s", s->path);
  *state = s;
  return 0;
}

static inline int scratch_teardown(void **state) {
  struct scratch *s = *state;
  DIR *d = opendir(s->dir);
  struct dirent *entry;
  while (d && (entry = readdir(d))) (void)unlinkat(dirfd(d), entry->d_name, 0); /* "." and ".." stay */
  if (d) closedir(d);
  (void)rmdir(s->dir);
  free(s);
  return 0;
}

static inline struct db *scratch_open(const struct scratch *s, int64_t busy_ms) {
  struct db *db = NULL;
  assert_int_equal(db_open(&(struct db_open){.url = s->url, .busy_ms = busy_ms}, NULL, &db), OK);
  return db;
}

static inline int64_t scratch_int(struct db *db, const char *sql) {
  struct db_rows q = DB_ROWS;
  assert_int_equal(db_query_once(db, &q, sql, DB_VALUES_()), OK);
  assert_int_equal(db_next(&q), OK);
  int64_t value = db_int(&q, 0);
  db_rows_done(&q);
  return value;
}

static inline void scratch_path(const struct scratch *s, const char *suffix, char ret_path[128]) {
  (void)snprintf(ret_path, 128, "%s%s", s->path, suffix);
}
