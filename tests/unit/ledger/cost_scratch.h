/* cost_scratch.h - counts what SQLite does for statements: steps of its virtual machine, and pages it looks at. */
#pragma once

#include "rows_scratch.h"

#include "db/db_sqlite.h"

/* For sqlite3_trace_v2 with SQLITE_TRACE_PROFILE: adds the steps of each statement that ends to the int64_t at arg. */
static inline int scratch_count_steps(unsigned kind, void *arg, void *stmt, void *took_ns) {
  (void)kind, (void)took_ns;
  *(int64_t *)arg += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
  return 0;
}

/* Pages looked at since the last call. */
static inline int64_t scratch_pages_read(sqlite3 *sqlite) {
  int hits, misses, highest;
  assert_int_equal(sqlite3_db_status(sqlite, SQLITE_DBSTATUS_CACHE_HIT, &hits, &highest, 1), SQLITE_OK);
  assert_int_equal(sqlite3_db_status(sqlite, SQLITE_DBSTATUS_CACHE_MISS, &misses, &highest, 1), SQLITE_OK);
  return hits + misses;
}
