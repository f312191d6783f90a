/* ledger_contract.h - a migrated, empty ledger for each test of the contract suite, and which statements the tests have run.
 *
 * contract_url names a PostgreSQL server, on which each test has a schema of its own; NULL: each has a SQLite file. */
#pragma once

#include "../unit/ledger/rows_scratch.h"

#include "base/lock.h"
#include "db/db_clock.h"

#define NOW SCRATCH_NOW
enum { RAN_MAX = 2048 };

struct contract {
  struct scratch *scratch;
  char schema[48];
  struct db_open open;
  struct db *db;
};

/* ---- the statements that were run: the program is linked with --wrap for these ---- */

static struct {
  struct lock lock;
  const char *texts[RAN_MAX];
  size_t count;
} ran;

static void note_ran(const char *sql) {
  LOCKED(&ran.lock);
  for (size_t i = 0; i < ran.count; i++)
    if (ran.texts[i] == sql) return;
  assert_true(ran.count < RAN_MAX);
  ran.texts[ran.count++] = sql;
}

enum err __real_db_run_values(struct db *db, const char *sql, const struct db_value *values);
enum err __wrap_db_run_values(struct db *db, const char *sql, const struct db_value *values);
enum err __wrap_db_run_values(struct db *db, const char *sql, const struct db_value *values) {
  note_ran(sql);
  return __real_db_run_values(db, sql, values);
}

enum err __real_db_query_later_values(struct db *db, struct db_rows *rows, const char *sql,
                                      const struct db_value *values);
enum err __wrap_db_query_later_values(struct db *db, struct db_rows *rows, const char *sql,
                                      const struct db_value *values);
enum err __wrap_db_query_later_values(struct db *db, struct db_rows *rows, const char *sql,
                                      const struct db_value *values) {
  note_ran(sql);
  return __real_db_query_later_values(db, rows, sql, values);
}

enum err __real_db_run_later_values(struct db *db, const char *sql, const struct db_value *values);
enum err __wrap_db_run_later_values(struct db *db, const char *sql, const struct db_value *values);
enum err __wrap_db_run_later_values(struct db *db, const char *sql, const struct db_value *values) {
  note_ran(sql);
  return __real_db_run_later_values(db, sql, values);
}

enum err __real_db_run_apart_values(struct db *db, const char *sql, const struct db_value *values);
enum err __wrap_db_run_apart_values(struct db *db, const char *sql, const struct db_value *values);
enum err __wrap_db_run_apart_values(struct db *db, const char *sql, const struct db_value *values) {
  note_ran(sql);
  return __real_db_run_apart_values(db, sql, values);
}

enum err __real_db_query_values(struct db *db, struct db_rows *q, const char *sql, const struct db_value *values);
enum err __wrap_db_query_values(struct db *db, struct db_rows *q, const char *sql, const struct db_value *values);
enum err __wrap_db_query_values(struct db *db, struct db_rows *q, const char *sql, const struct db_value *values) {
  note_ran(sql);
  return __real_db_query_values(db, q, sql, values);
}

/* ---- the ledger ---- */

static const char *contract_url;
static struct db *contract_db; /* of the test that runs */
static enum db_kind contract_kind;

static inline struct db *contract_open(const struct contract *c) {
  struct db *db = NULL;
  struct buf problem CLEANUP(buf_done) = BUF_INIT(4096);
  if (db_open(&c->open, &problem, &db) != OK) fail_msg("%.*s", STR_ARG(buf_str(&problem)));
  return db;
}

static int contract_setup(void **state) {
  static int made;
  struct contract *c = calloc(1, sizeof(*c));
  if (!c || scratch_setup((void **)&c->scratch) != 0) return -1;
  (void)snprintf(c->schema, sizeof(c->schema), "contract_%d_%d", (int)getpid(), made++);
  c->open.url = contract_url ? contract_url : c->scratch->url;
  c->open.schema = c->schema;
  if (!contract_url && ledger_template_write(c->open.url) != OK) return -1;
  contract_db = c->db = contract_open(c);
  contract_kind = db_kind(c->db);
  int applied;
  if (ledger_migrate(c->db, NULL, &applied) != OK) {
    print_message("# %s\n", db_problem(c->db));
    return -1;
  }
  *state = c;
  return 0;
}

static int contract_teardown(void **state) {
  struct contract *c = *state;
  void *scratch = c->scratch;
  if (db_kind(c->db) == DB_POSTGRES && db_in_transaction(c->db)) db_rollback(c->db);
  if (db_kind(c->db) == DB_POSTGRES)
    IGNORE(db_script(c->db, "do $$ begin execute 'drop schema ' || current_schema || ' cascade'; end $$"));
  db_close(c->db);
  free(c);
  return scratch_teardown(&scratch);
}

#define CONTRACT_TEST(name) cmocka_unit_test_setup_teardown(name, contract_setup, contract_teardown)

/* ---- helpers ---- */

/* Runs statements in one transaction. */
#define IN_TRANSACTION(db, ...)                   \
  do {                                            \
    assert_int_equal(db_begin_immediate(db), OK); \
    __VA_ARGS__;                                  \
    assert_int_equal(db_commit(db), OK);          \
  } while (0)

/* Prints the database's text of the error. */
#define assert_ok(expression)                                                           \
  do {                                                                                  \
    enum err ok_ = (expression);                                                        \
    if (ok_ != OK) print_message("# %s: %s\n", err_text(ok_), db_problem(contract_db)); \
    assert_int_equal(ok_, OK);                                                          \
  } while (0)
#define VIEW(text) \
  { text, sizeof(text) - 1 }

/* Collects texts as "a b c". */
struct words {
  char text[4096];
};

static inline void words_add(struct words *w, const char *text) {
  size_t n = strlen(w->text);
  (void)snprintf(w->text + n, sizeof(w->text) - n, "%s%s", n ? " " : "", text);
}

static inline int64_t count_of(struct db *db, const char *sql) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  assert_ok(db_query_once(db, &q, sql, DB_VALUES_()));
  assert_ok(db_next(&q));
  return db_int(&q, 0);
}

static inline enum err words_add_recording(void *arg, const struct recording *row) {
  words_add(arg, row->recording_sid);
  return OK;
}
