/* queue_claims_test.c - claims of several at once choose what as many claims, one after the other, would choose. */
#include "../ledger/postgres_scratch.h"

#include "domain/queue.h"

enum { ROUNDS = 9, STEPS = 25, MOST = 8 };
#define NOW INT64_C(1700000000000)

static uint32_t seed;

static unsigned any(unsigned n) { /* the same numbers each time */
  seed = seed * 1664525 + 1013904223;
  return (seed >> 8) % n;
}

/* Businesses with few and many recordings at each rank, some served lately. Of one some are not yet due: a claim makes at most
 * TURNS_DUE_MAX turns due, and several at once as many in all, so with more of them the order would not be the same. */
static const char GROUND[] =
    "insert into businesses (business_id, name, created_at, credentials_version, last_claim_at)"
    " select i, 'b', 1, i, case when i % 3 = 0 then 1699999000000 + i end from generate_series(1, 12) i;"
    "insert into calls (business_id, call_sid, top_sid, first_seen_at, sort_at, started_at, fields)"
    " select i, 'CA1', 'CA1', 1, 1600000000000, 1600000000000, '{}' from generate_series(1, 12) i;"
    "insert into recordings (business_id, recording_sid, call_sid, provider_status, url, first_seen_at, status, rank,"
    " enqueued_at, next_ask_at, file_seen_at, stem)"
    " select b, 'RE' || k, case when k % 2 = 0 then 'CA1' end, 'completed', 'u', 1, 'queued', (b + k) % 3,"
    "  1700000000000 - (k * 7919 + b) % 1000,"
    "  case when b = 12 then case k % 7 when 1 then 1700000000000 - k when 2 then 1700000000000 + 40 * k"
    "   when 3 then 1800000000000 end end,"
    "  case when k % 11 = 1 then 5 end, case when k % 5 = 0 then '1/2020/01/CA' || k end"
    " from generate_series(1, 12) b, generate_series(1, 14) k where k <= b * 2 or b > 7";

/* Everything that claims change, as one text. A turn whose time has come, or is too far ahead, is as good as one that was
 * made due. ?1: now */
#define TURN                                                                                                           \
  "json_build_array(rank, business_id, fills, served_at, case when due_at <= ?1 or due_at > ?1 + 7200000 then 0 else " \
  "due_at end)"
#define STATE                                                                                  \
  DB_FOR_POSTGRES                                                                              \
  "select (select json_agg(r order by business_id, recording_sid) from recordings r)::text ||" \
  " (select json_agg(" TURN                                                                    \
  " order by rank, business_id) from turns)::text ||"                                          \
  " (select json_agg(f order by rank) from fill_counts f)::text ||"                            \
  " (select json_agg(b order by business_id) from businesses b)::text ||"                      \
  " (select json_agg(json_build_array(kind, business_id, id) order by seq) from changes)::text"

static void read_state(struct db *db, int64_t now, struct buf *b) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  buf_clear(b);
  if (db_query(db, &q, STATE, DB_INT(now)) != OK || db_next(&q) != OK) fail_msg("%s", db_problem(db));
  assert_int_equal(buf_add(b, db_text(&q, 0)), OK);
}

struct made {
  struct queue_claimed claimed[MOST];
  int n;
};

static void claim_alone(struct db *db, const struct queue_limits *limits, int64_t now, int most, struct made *m) {
  memset(m, 0, sizeof(*m));
  for (; m->n < most; m->n++) {
    struct queue_claimed *c = &m->claimed[m->n];
    enum err e = queue_claim(db, limits, STR("worker"), now, &c->row);
    if (e == ERR_NOT_FOUND) break;
    if (e != OK) fail_msg("%s: %s", err_text(e), db_problem(db));
    assert_int_equal(queue_credentials_version(db, c->row.business_id, &c->credentials_version), OK);
  }
}

static void assert_same(const struct made *alone, const struct made *many) {
  for (int i = 0; i < alone->n || i < many->n; i++) {
    const struct queue_claimed *a = &alone->claimed[i], *m = &many->claimed[i];
    bool is_same = i < alone->n && i < many->n && a->row.business_id == m->row.business_id &&
                   strcmp(a->row.recording_sid, m->row.recording_sid) == 0 && strcmp(a->row.stem, m->row.stem) == 0 &&
                   a->row.version == m->row.version && a->row.lease_token == m->row.lease_token &&
                   a->row.lease_until == m->row.lease_until && a->credentials_version == m->credentials_version;
    if (!is_same)
      fail_msg("claim %d: %lld.%s, and %lld.%s", i, (long long)a->row.business_id, a->row.recording_sid,
               (long long)m->row.business_id, m->row.recording_sid);
  }
}

static void show_difference(struct str a, struct str b) {
  size_t i = 0;
  while (i < a.n && i < b.n && a.p[i] == b.p[i]) i++;
  size_t from = i > 300 ? i - 300 : 0;
  fail_msg("alone: %.*s\nat once: %.*s", STR_ARG(str_head(str_skip(a, from), 600)),
           STR_ARG(str_head(str_skip(b, from), 600)));
}

/* Both from the same rows; those of the second stay. */
static int claim_both_ways(struct db *db, const struct queue_limits *limits, int64_t now) {
  static struct made alone, many;
  struct buf after_alone CLEANUP(buf_done) = BUF_INIT(1 << 22), after_many CLEANUP(buf_done) = BUF_INIT(1 << 22);
  int most = 1 + (int)any(MOST);
  assert_int_equal(db_begin_immediate(db), OK);
  claim_alone(db, limits, now, most, &alone);
  read_state(db, now, &after_alone);
  db_rollback(db);
  memset(&many, 0, sizeof(many));
  assert_int_equal(db_begin_immediate(db), OK);
  enum err e = queue_claim_many(db, limits, STR("worker"), now, most, many.claimed, &many.n);
  if (e != OK) fail_msg("%s: %s", err_text(e), db_problem(db));
  read_state(db, now, &after_many);
  assert_int_equal(db_commit(db), OK);
  assert_same(&alone, &many);
  if (!str_eq(buf_str(&after_alone), buf_str(&after_many)))
    show_difference(buf_str(&after_alone), buf_str(&after_many));
  return many.n;
}

/* Changes that fills, people and accounts make between claims. */
static void disturb(struct db *db) {
  static const char *const what[] = {
      "update recordings set status = 'ready', lease_until = null where lease_until is not null and business_id in (3, "
      "8)",
      "update recordings set status = 'queued', lease_until = null, rank = 0 where lease_until is not null"
      " and recording_sid in ('RE3', 'RE4')",
      "update recordings set status = 'ready', lease_until = null where lease_until is not null and business_id % 2 = "
      "0",
      "update recordings set status = 'ready', lease_until = null where lease_until is not null and business_id % 2 = "
      "1",
      "update businesses set error_streak = 5 - error_streak where business_id = 9",
      "update businesses set auth_failed_at = 1, auth_trial_at = 1 where business_id = 10",
      "update businesses set auth_failed_at = null, auth_trial_at = null where business_id = 10",
      "update recordings set rank = 0 where status = 'queued' and lease_until is null and recording_sid = 'RE7'",
      "update turns set due_at = 0 where due_at > 0 and business_id = 12", /* as by a clock that went back */
      "select 1",
  };
  assert_int_equal(db_script(db, what[any(COUNT_OF(what))]), OK);
}

static void several_at_once_are_those_of_one_after_the_other(void **state) {
  static const struct queue_limits limits[] = {{4, 60}, {2, 9}, {100, 1000}};
  (void)state;
  for (unsigned round = 0; round < ROUNDS; round++) {
    struct db *db = scratch_postgres();
    int claimed = 0;
    seed = round + 1;
    if (db_script(db, GROUND) != OK) fail_msg("%s", db_problem(db));
    for (int step = 0; step < STEPS; step++) {
      claimed += claim_both_ways(db, &limits[round % COUNT_OF(limits)], NOW + 10 * step);
      disturb(db);
    }
    assert_true(claimed > MOST); /* it continued after the first ones */
    scratch_postgres_drop(db);
  }
}

static const char MANY[] =
    "set session_replication_role = replica;" /* no triggers */
    "insert into businesses (business_id, name, created_at) select i, 'b', 1 from generate_series(1, 2000) i;"
    "insert into recordings (business_id, recording_sid, call_sid, provider_status, url, first_seen_at, status, rank, "
    "enqueued_at)"
    " select 1 + i % 2000, 'RE' || md5(i::text), 'CA' || md5(i::text), 'completed', 'u', 1, 'queued', 1, i"
    " from generate_series(1, 100000) i;"
    "insert into calls (business_id, call_sid, top_sid, first_seen_at, sort_at, fields)"
    " select business_id, call_sid, call_sid, 1, 1, '{}' from recordings;"
    "insert into turns (rank, business_id, fills, served_at, due_at)"
    " select rank, business_id, fills, served_at, due_at from turns_expected;"
    "set session_replication_role = default; analyze";

static void note_claimable(void *arg, const char *sql) {
  const char **text = arg;
  if (strncmp(sql, DB_FOR_POSTGRES, strlen(DB_FOR_POSTGRES)) == 0 && strstr(sql, " as room from ")) *text = sql;
}

/* It reads what it needs by indexes, however much waits. */
static void the_statement_of_several_claims_walks_no_table(void **state) {
  (void)state;
  struct db *db = scratch_postgres();
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct buf sql CLEANUP(buf_done) = BUF_INIT(1 << 20);
  const char *text = NULL, *explain;
  const struct db_value values[] = {DB_INT(NOW), DB_INT(4), DB_INT(MOST), DB_INT(NOW), {.kind = DB_END}};
  int lines = 0;
  if (db_script(db, MANY) != OK) fail_msg("%s", db_problem(db));
  db_texts_each(note_claimable, &text);
  assert_non_null(text);
  assert_int_equal(buf_addf(&sql, "explain %s", text), OK);
  assert_int_equal(buf_terminate(&sql, &explain), OK);
  if (db_query_once(db, &q, explain, values) != OK) fail_msg("%s", db_problem(db));
  for (; db_next(&q) == OK; lines++) {
    struct str line = db_text(&q, 0);
    bool is_walk = str_contains(line, STR("Seq Scan on")) && !str_contains(line, STR("Seq Scan on fill_counts"));
    if (is_walk) fail_msg("%.*s", STR_ARG(line));
  }
  assert_true(lines > 10);
  db_rows_done(&q);
  scratch_postgres_drop(db);
}

int main(void) {
  if (!getenv("CALLREEL_TEST_POSTGRES")) {
    puts("1..0 # SKIP CALLREEL_TEST_POSTGRES names no server (script/test postgres starts one)");
    return 0;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(several_at_once_are_those_of_one_after_the_other),
      cmocka_unit_test(the_statement_of_several_claims_walks_no_table),
  };
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
