/* postgres_scratch.h - a migrated schema on the server that CALLREEL_TEST_POSTGRES names, for one test. */
#pragma once

#include "rows_scratch.h"

#include "ledger/ledger.h"

/* Skips the test if there is no server. */
static inline struct db *scratch_postgres(void) {
  const char *url = getenv("CALLREEL_TEST_POSTGRES");
  if (!url) {
    print_message("# skipped: CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)\n");
    skip();
  }
  static char schema[32];
  static int made;
  struct db *db = NULL;
  struct buf problem CLEANUP(buf_done) = BUF_INIT(4096);
  int applied;
  (void)snprintf(schema, sizeof(schema), "unit_%d_%d", (int)getpid(), made++);
  if (db_open(&(struct db_open){.url = url, .schema = schema}, &problem, &db) != OK)
    fail_msg("%.*s", STR_ARG(buf_str(&problem)));
  if (ledger_migrate(db, NULL, &applied) != OK) fail_msg("%s", db_problem(db));
  return db;
}

static inline void scratch_postgres_drop(struct db *db) {
  assert_int_equal(db_script(db, "do $$ begin execute 'drop schema ' || current_schema || ' cascade'; end $$"), OK);
  db_close(db);
}
