/* plans_test.c - no statement walks a table, or sorts an unbounded number of rows, unless plans_allowed.h says why it may.
 *
 * The statements are all literals given to db_run and db_query in the program's text (db_texts_each), run or not; those inside
 * triggers; and what lists of calls are made of, caught while every kind of list is asked for. Their plans are looked at with
 * SQLite's own guesses, as in service, and with the statistics that an operator's ANALYZE would leave. */
#include "rows_scratch.h"

#include <search.h>

#include "db/db_sqlite.h"
#include "ledger/calls_list.h"

#define NOW SCRATCH_NOW

/* Allows a plan's step that begins with `step`, in statements that contain `sql`; NULL: in all. */
static const struct allowance {
  const char *sql, *step, *why;
} allowed[] = {
#include "plans_allowed.h"
};
static bool was_needed[COUNT_OF(allowed)];

struct plans {
  struct db *db;
  int failures, statements;
  bool is_quiet;
  char **lists; /* texts of lists; owned */
  size_t list_count;
  void *seen;       /* a tree (search.h) of `lists` */
  char *tables[96]; /* names of the schema's tables and views, and of the schema itself; owned */
  size_t table_count;
};

/* True: the search ends in one row, or in the rows of one call or recording of one business. Others may go through as many rows
 * as a table or a business has, also those with an equality of a state, a rank or a ref. */
static bool is_narrow(const char *step) {
  static const char *const keys[] = {
      "(rowid=?",  "(digest=?", "(node_id=?",     "(name=?",
      "(url_id=?", "(slot=?",   "(document_id=?", "(kind=? AND business_id=? AND recording_sid=?"};
  static const char *const of_business[] = {
      "call_sid=?", "recording_sid=?", "top_sid=?",    "parent_call_sid=?",  "code=?",
      "key=?",      "sid=?",           "rowid=?",      "url_id=?",           "digest>?",
      "rowid=?",    "hold_id=?",       "erasure_id=?", "term=? AND rowid=?", "span=?",
      "first_id=?"};
  for (size_t i = 0; i < COUNT_OF(keys); i++)
    if (strstr(step, keys[i])) return true;
  const char *rest = strstr(step, "(business_id=? AND ");
  if (!rest) return false;
  rest += strlen("(business_id=? AND ");
  for (size_t i = 0; i < COUNT_OF(of_business); i++)
    if (strncmp(rest, of_business[i], strlen(of_business[i])) == 0) return true;
  return false;
}

static bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* True if sql has `text` as whole words. */
static bool has_words(const char *sql, const char *text) {
  size_t n = strlen(text);
  for (const char *at = sql; (at = strstr(at, text)); at++)
    if ((at == sql || !is_word_char(at[-1])) && !is_word_char(at[n])) return true;
  return false;
}

/* True: `name` is a table of the schema, or another name of one. Else it is a subquery or a table-valued function of the
 * statement, whose cost is in steps of its own. */
static bool is_table(struct plans *p, const char *sql, const char *name) {
  char bare[64], alias[160];
  size_t n = strcspn(name, " ");
  if (name[0] == '(' || strstr(name, "CONSTANT ROW")) return false;
  assert_true(n < sizeof(bare));
  memcpy(bare, name, n);
  bare[n] = '\0';
  for (size_t i = 0; i < p->table_count; i++) {
    if (strcmp(p->tables[i], bare) == 0) return true;
    sqlite3_snprintf((int)sizeof(alias), alias, "%s %s", p->tables[i], bare);
    if (has_words(sql, alias)) return true;
    sqlite3_snprintf((int)sizeof(alias), alias, "%s as %s", p->tables[i], bare);
    if (has_words(sql, alias)) return true;
  }
  return false;
}

static bool is_costly(struct plans *p, const char *sql, const char *step) {
  if (strncmp(step, "USE TEMP B-TREE", 15) == 0) return true;
  if (strncmp(step, "SCAN ", 5) == 0) return is_table(p, sql, step + 5);
  return strncmp(step, "SEARCH ", 7) == 0 && !is_narrow(step);
}

static bool is_allowed(const char *sql, const char *step) {
  for (size_t i = 0; i < COUNT_OF(allowed); i++) {
    if (allowed[i].sql && !strstr(sql, allowed[i].sql)) continue;
    if (strncmp(allowed[i].step, step, strlen(allowed[i].step)) != 0) continue;
    was_needed[i] = true;
    return true;
  }
  return false;
}

static void check_plan(void *arg, const char *sql) {
  struct plans *p = arg;
  static const char *const without[] = {"begin",   "commit", "rollback", "savepoint",
                                        "release", "pragma", "end",      "create"};
  if (strncmp(sql, DB_FOR_POSTGRES, strlen(DB_FOR_POSTGRES)) == 0) return;
  if (strncmp(sql, DB_FOR_SQLITE, strlen(DB_FOR_SQLITE)) == 0) sql += strlen(DB_FOR_SQLITE);
  for (size_t i = 0; i < COUNT_OF(without); i++)
    if (strncmp(sql, without[i], strlen(without[i])) == 0) return;
  char *explain = sqlite3_mprintf("explain query plan %s", sql);
  sqlite3_stmt *stmt = NULL;
  p->statements++;
  if (sqlite3_prepare_v2(db_sqlite_of(p->db)->sqlite, explain, -1, &stmt, NULL) != SQLITE_OK) {
    print_message("# can't be prepared: %s\n#   %s\n", sqlite3_errmsg(db_sqlite_of(p->db)->sqlite), sql);
    p->failures++;
  }
  while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
    const char *step = (const char *)sqlite3_column_text(stmt, 3);
    if (!is_costly(p, sql, step) || is_allowed(sql, step)) continue;
    if (!p->is_quiet) print_message("# %s\n#   in: %s\n", step, sql);
    p->failures++;
  }
  sqlite3_finalize(stmt);
  sqlite3_free(explain);
}

/* ---- the statements of triggers ---- */

/* Copies a statement of a trigger. ret has room for it. Columns of the row that fires it become parameters. */
static void make_statement(const char *from, const char *to, char *ret) {
  while (from < to) {
    bool is_row = strncmp(from, "new.", 4) == 0 || strncmp(from, "old.", 4) == 0;
    if (is_row && !is_word_char(from[-1])) {
      *ret++ = '?';
      for (from += 4; is_word_char(*from); from++) continue;
    } else {
      *ret++ = *from++;
    }
  }
  *ret = '\0';
}

static void check_trigger(struct plans *p, const char *sql) {
  const char *at = strstr(sql, " begin\n"), *begin;
  if (!at) at = strstr(sql, "\nbegin\n");
  assert_non_null(at);
  char *statement = malloc(strlen(sql) + 1);
  assert_non_null(statement);
  for (begin = at += strlen(" begin\n"); *at; at++) {
    if (*at != ';') continue;
    begin += strspn(begin, " \n");
    make_statement(begin, at, statement);
    check_plan(p, statement);
    begin = at + 1;
  }
  free(statement);
}

static void check_triggers(struct plans *p) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(
      db_query_once(p->db, &q, "select sql from sqlite_schema where type = 'trigger' order by name", DB_VALUES_()), OK);
  int count = 0;
  for (; db_next(&q) == OK; count++) {
    char *sql = strndup(db_text(&q, 0).p, db_text(&q, 0).n);
    check_trigger(p, sql);
    free(sql);
  }
  assert_true(count > 30);
}

static void read_tables(struct plans *p) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_int_equal(db_query_once(p->db, &q,
                                 "select name from sqlite_schema where type in ('table', 'view')"
                                 " union select 'sqlite_schema'",
                                 DB_VALUES_()),
                   OK);
  for (; db_next(&q) == OK; p->table_count++) {
    assert_true(p->table_count < COUNT_OF(p->tables));
    p->tables[p->table_count] = strndup(db_text(&q, 0).p, db_text(&q, 0).n);
  }
}

/* ---- the statements of lists ---- */

static int compare_texts(const void *a, const void *b) {
  return strcmp(a, b);
}

static int note_statement(unsigned kind, void *arg, void *stmt, void *text) {
  (void)kind, (void)text;
  struct plans *p = arg;
  const char *sql = sqlite3_sql(stmt);
  if (tfind(sql, &p->seen, compare_texts)) return 0;
  p->lists = realloc(p->lists, (p->list_count + 1) * sizeof(*p->lists));
  assert_non_null(p->lists);
  char *kept = p->lists[p->list_count++] = strdup(sql);
  assert_non_null(kept);
  assert_non_null(tsearch(kept, &p->seen, compare_texts));
  return 0;
}

/* Combines each search with all filters, for rows and for legs; with the first so many of the statuses. */
static void ask_for_every_kind_of_list(struct db *db, size_t statuses_most) {
  static const struct str searches[] = {{"", 0}, {"555", 3}, {"CA1", 3}, {"dana", 4}, {"5551234", 7}, {"12 ab", 5}};
  static const struct str statuses[] = {{"", 0}, {"completed", 9}, {"busy", 4}};
  enum { BITS = 8 };
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  for (size_t i = 0; i < COUNT_OF(searches) * statuses_most; i++) {
    for (unsigned bits = 0; bits < 1U << BITS; bits++) {
      struct calls_filter f = {.limit = 10, .search = searches[i % COUNT_OF(searches)]};
      f.status = statuses[i / COUNT_OF(searches)];
      if (bits & 1) f.all_legs = true;
      if (bits & 2) f.direction = STR("inbound");
      if (bits & 4) f.ref = STR("42");
      if (bits & 8) f.by_recording_status = true, f.recording_status = bits & 1 ? RECORDING_FAILED : RECORDING_MISSING;
      if (bits & 16) f.has_recording = bits & 2 ? CALLS_YES : CALLS_NO;
      if (bits & 32) f.since = NOW - 1000, f.until = NOW;
      if (bits & 64) f.after_key = true, f.after = (struct calls_key){NOW, "CA1"};
      if (bits & 128) f.few = 1;
      if (bits & 128 && bits & 32 && f.search.n) f.sort = CALLS_OLDEST;
      size_t count;
      bool more;
      assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
    }
  }
}

/* Combines agent, number, tag, lengths and orders with the filters that other sources are for. */
static void ask_for_lists_by_facets(struct db *db) {
  enum { BITS = 13 };
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  for (unsigned bits = 0; bits < 1U << BITS; bits++) {
    struct calls_filter f = {.limit = 10, .few = bits & 1 ? 1 : 0, .sort = (enum calls_sort)((bits >> 1) % 4)};
    if (bits & 8) f.all_legs = true;
    if (bits & 16) f.agent = STR("noa");
    if (bits & 32) f.own_number = STR("+1 500");
    if (bits & 64) f.tag = STR("vip");
    if (bits & 128) f.min_duration_s = 3, f.by_max_duration = bits & 16, f.max_duration_s = 9;
    if (bits & 256) f.after_key = true, f.after = (struct calls_key){NOW, "CA1", 5};
    if (bits & 512) f.since = NOW - 1000, f.until = bits & 32 ? NOW : 0;
    if (bits & 1024)
      f.by_recording_status = true, f.recording_status = bits & 16 ? RECORDING_FAILED : RECORDING_MISSING;
    if (bits & 2048) f.has_recording = bits & 64 ? CALLS_YES : CALLS_NO;
    if (bits & 4096) f.status = bits & 32 ? STR("busy") : STR_NONE, f.ref = bits & 32 ? STR_NONE : STR("42");
    static const char *const searches[] = {"555", "CA1", "dana", "12 ab"};
    if (!(bits & 1) && bits & (16 | 32 | 64) && bits % 7 == 0) f.search = str_from(searches[bits / 7 % 4]);
    size_t count;
    bool more;
    assert_int_equal(calls_list_page(db, 1, &f, keys, &count, &more), OK);
  }
}

static void fill(struct db *db) {
  assert_int_equal(db_begin_immediate(db), OK);
  for (int i = 0; i < 600; i++) {
    char sid[SID_SIZE], parent[SID_SIZE];
    (void)snprintf(sid, sizeof(sid), "CA%04d", i);
    (void)snprintf(parent, sizeof(parent), "CA%04d", i - 1);
    scratch_call(db, 1 + i % 4, sid, i % 5 ? "" : parent, NOW + i);
    (void)snprintf(sid, sizeof(sid), "RE%04d", i);
    (void)snprintf(parent, sizeof(parent), "CA%04d", i);
    (void)scratch_recording(db, 1 + i % 4, sid, parent, i % 20 ? RECORDING_READY : RECORDING_FAILED,
                            RECORDING_RANK_REST, NOW);
  }
  for (int i = 0; i < 40; i++) (void)scratch_business(db, "Acme");
  assert_int_equal(db_script(db,
                             "update calls set to_number = 'client:noa', from_number = '+1500', direction = 'outbound',"
                             " duration_s = 5, tags = '[\"vip\"]', ref = '42' where sort_at % 3 = 0;"
                             "delete from call_documents_stale"),
                   OK);
  assert_int_equal(db_commit(db), OK);
}

static void every_statement_finds_what_it_asks_for(void **state) {
  struct plans p = {.db = scratch_ledger(*state)};
  fill(p.db);
  read_tables(&p);
  assert_int_equal(sqlite3_trace_v2(db_sqlite_of(p.db)->sqlite, SQLITE_TRACE_STMT, note_statement, &p), SQLITE_OK);
  ask_for_every_kind_of_list(p.db, 3);
  /* as while an upgrade makes the blocks */
  assert_int_equal(
      db_script(p.db, "update call_documents_blocks set added = 1000000000 where business_id = 1 and first_id = 0"),
      OK);
  ask_for_every_kind_of_list(p.db, 1);
  ask_for_lists_by_facets(p.db);
  assert_int_equal(sqlite3_trace_v2(db_sqlite_of(p.db)->sqlite, 0, NULL, NULL), SQLITE_OK);
  for (int analyzed = 0; analyzed < 2; analyzed++) {
    if (analyzed) assert_int_equal(db_script(p.db, "analyze"), OK);
    db_texts_each(check_plan, &p);
    check_triggers(&p);
    for (size_t i = 0; i < p.list_count; i++) check_plan(&p, p.lists[i]);
  }
  for (size_t i = 0; i < COUNT_OF(allowed); i++) {
    if (was_needed[i]) continue;
    print_message("# allowed, but not there any more: %s in %s\n", allowed[i].step,
                  allowed[i].sql ? allowed[i].sql : "all");
    p.failures++;
  }
  for (size_t i = 0; i < p.list_count; i++) {
    (void)tdelete(p.lists[i], &p.seen, compare_texts);
    free(p.lists[i]);
  }
  free(p.lists);
  for (size_t i = 0; i < p.table_count; i++) free(p.tables[i]);
  db_close(p.db);
  print_message("# %d plans\n", p.statements);
  assert_true(p.statements > 200);
  assert_int_equal(p.failures, 0);
}

static void statements_that_may_walk_a_table_are_found(void **state) {
  static const char *const walking[] = {
      "select 1 from recordings where status = 'queued' and rank = 1",
      "select count(*) from recordings where business_id = 1",
      "select count(*) from recordings where business_id = 1 and status = 'failed'",
      "select count(*) from recordings where status = 'queued' and enqueued_at > 1",
      "select 1 from calls where business_id = 1 and ref = '1' and direction = 'inbound' limit 1",
      "select id from changes where seq > 1 and (?1 = 0 or business_id = ?1) limit 10",
      "insert into links(digest, business_id, role, expires_at) select digest, 1, '', 1 from (select 1) a, links",
      "select n from recording_counts where status = 'ready'",
      "select 1 from calls as x, (select 1) y where x.ref = '1'",
      "select business_id from businesses where auth_failed_at is not null",
  };
  struct plans p = {.db = scratch_ledger(*state), .is_quiet = true};
  read_tables(&p);
  for (size_t i = 0; i < COUNT_OF(walking); i++) {
    p.failures = 0;
    check_plan(&p, walking[i]);
    if (p.failures == 0) fail_msg("was not found: %s", walking[i]);
  }
  p.failures = 0;
  check_trigger(&p,
                "create trigger t after insert on calls begin\n  select new.ref;\n"
                "  update calls set ref = new.ref where ref = old.ref;\nend");
  assert_int_equal(p.failures, 1);
  for (size_t i = 0; i < p.table_count; i++) free(p.tables[i]);
  db_close(p.db);
}

int main(void) {
  const struct CMUnitTest tests[] = {SCRATCH_TEST(every_statement_finds_what_it_asks_for),
                                     SCRATCH_TEST(statements_that_may_walk_a_table_are_found)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
