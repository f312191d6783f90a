/* migrate.c - see migrate.h.
 *
 * Invariants
 *  (1) A script and its row in schema_migrations are one transaction, which reads the number again: of two processes that race
 *      only one runs the script.
 *  (2) A schema that needs a newer release is not touched. Further scripts of a newer release that only added are accepted. */
#include "db/migrate.h"

#include <string.h>

#include "base/clock.h"

/* number: the last script that ran, 0: none; oldest: the last script that a release must know to run. */
struct schema_state {
  int64_t number, oldest;
};

static enum err read_schema_state(struct db *db, struct schema_state *ret_state) {
  struct schema_state state = {0, 0};
  bool has;
  TRY(db_has_table(db, "schema_migrations", &has));
  if (!has) {
    *ret_state = state;
    return OK;
  }
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query(db, &q, "select coalesce(max(number), 0), coalesce(max(oldest), 0) from schema_migrations"));
  enum err e = db_next(&q);
  if (e != OK) return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
  *ret_state = (struct schema_state){.number = db_int(&q, 0), .oldest = db_int(&q, 1)};
  return OK;
}

/* A script that runs. */
struct script {
  const struct migration *m;
  const struct migrate_watch *watch; /* may be NULL */
  size_t before, all;                /* bytes of the scripts before it, and of all */
};

static void tell_watch(void *arg, size_t done) {
  const struct script *s = arg;
  if (s->watch) s->watch->fn(s->watch->arg, s->m, s->before + done, s->all);
}

static enum err run_script_in_transaction(struct db *db, struct script *s, bool *ret_ran) {
  const struct migration *m = s->m;
  struct schema_state state;
  TRY(db_lock_schema(db));
  TRY(read_schema_state(db, &state));
  *ret_ran = state.number < m->number;
  if (!*ret_ran) return OK;
  TRY(db_script(db,
                "create table if not exists schema_migrations (number bigint primary key, name text not null,"
                " oldest bigint not null, applied_at bigint not null)"));
  TRY(db_script_watched(db, m->sql, tell_watch, s));
  if (!db_in_transaction(db)) return ERR_INVALID; /* the script committed by itself */
  return db_run(db, "insert into schema_migrations (number, name, oldest, applied_at) values (?1, ?2, ?3, ?4)",
                DB_INT(m->number), DB_TEXT(str_from(m->name)), DB_INT(m->oldest), DB_INT(db_now_ms(db)));
}

static enum err run_script(struct db *db, struct script *s, int *applied) {
  TRY(db_begin_immediate(db));
  bool ran = false;
  enum err e = run_script_in_transaction(db, s, &ran);
  if (e == OK) e = db_commit(db);
  if (e != OK) {
    db_rollback(db);
    return e;
  }
  if (ran) ++*applied;
  return OK;
}

enum err migrate_run(struct db *db, const struct migration *migrations, size_t count, const struct migrate_watch *watch,
                     int *ret_applied) {
  for (size_t i = 0; i < count; i++) {
    if (migrations[i].number != (int)i + 1) return ERR_INVALID;
  }
  struct schema_state state;
  TRY(read_schema_state(db, &state));
  if (state.oldest > (int64_t)count) return ERR_TOO_NEW;
  int applied = 0;
  struct script script = {.watch = watch};
  for (size_t i = (size_t)state.number; i < count; i++) script.all += strlen(migrations[i].sql);
  for (size_t i = (size_t)state.number; i < count; i++) {
    script.m = &migrations[i];
    TRY(run_script(db, &script, &applied));
    script.before += strlen(migrations[i].sql);
  }
  *ret_applied = applied;
  return OK;
}

enum err migrate_read(struct db *db, int *ret_number, int *ret_oldest) {
  struct schema_state state;
  TRY(read_schema_state(db, &state));
  *ret_number = (int)state.number;
  *ret_oldest = (int)state.oldest;
  return OK;
}

enum err migrate_version(struct db *db, int *ret_number) {
  int oldest;
  return migrate_read(db, ret_number, &oldest);
}
