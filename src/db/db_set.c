/* db_set.c - rows that one statement of PostgreSQL takes at once, as arrays of their columns.
 *
 *   columns[0]: {1,2,"3"    columns[1]: {"a","b",NULL …   db_run_set_later closes the braces */
#include <assert.h>
#include <stdio.h>

#include "db/db_operations.h"

enum { COLUMN_MAX = 64 * 1024 * 1024 };

void db_set_done(struct db_set *set) {
  for (int i = 0; i < DB_SET_COLUMNS_MAX; i++) buf_done(&set->columns[i]);
}

/* An element of an array's text: in quotes, with a backslash before each quote and backslash. */
static enum err add_text(struct buf *b, struct str s) {
  TRY(buf_add_char(b, '"'));
  size_t from = 0;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '\0') return ERR_INVALID;
    if (s.p[i] != '"' && s.p[i] != '\\') continue;
    TRY(buf_add(b, str_of(s.p + from, i - from)));
    TRY(buf_add_char(b, '\\'));
    from = i;
  }
  if (s.n > from) TRY(buf_add(b, str_of(s.p + from, s.n - from)));
  return buf_add_char(b, '"');
}

static enum err add_value(struct buf *b, const struct db_value *v) {
  if (v->kind == DB_KIND_INT) return buf_addf(b, "%lld", (long long)v->i);
  if (v->kind == DB_KIND_TEXT) return add_text(b, v->s);
  assert(v->kind == DB_KIND_NULL);
  return buf_add(b, STR("NULL"));
}

enum err db_set_add_values(struct db_set *set, const struct db_value *values) {
  for (int i = 0; values[i].kind != DB_END; i++) {
    assert(i < DB_SET_COLUMNS_MAX);
    struct buf *b = &set->columns[i];
    if (set->rows == 0) buf_init(b, COLUMN_MAX);
    TRY(buf_add_char(b, set->rows == 0 ? '{' : ','));
    TRY(add_value(b, &values[i]));
  }
  set->rows++;
  return OK;
}

/* Closes the arrays. */
static enum err set_values(struct db_set *set, struct db_value ret_values[DB_SET_COLUMNS_MAX + 1]) {
  assert(set->rows > 0);
  int count = 0;
  for (; count < DB_SET_COLUMNS_MAX && set->columns[count].n > 0; count++) {
    TRY(buf_add_char(&set->columns[count], '}'));
    ret_values[count] = DB_TEXT(buf_str(&set->columns[count]));
  }
  ret_values[count] = (struct db_value){.kind = DB_END};
  return OK;
}

enum err db_run_set_later_values(struct db *db, struct db_set *set, const char *sql) {
  struct db_value values[DB_SET_COLUMNS_MAX + 1];
  TRY(set_values(set, values));
  return db_run_later_values(db, sql, values);
}

enum err db_query_set_later_values(struct db *db, struct db_rows *rows, struct db_set *set, const char *sql) {
  struct db_value values[DB_SET_COLUMNS_MAX + 1];
  TRY(set_values(set, values));
  return db_query_later_values(db, rows, sql, values);
}

enum err db_query_set_values(struct db *db, struct db_rows *rows, struct db_set *set, const char *sql) {
  struct db_value values[DB_SET_COLUMNS_MAX + 1];
  TRY(set_values(set, values));
  return db_query_values(db, rows, sql, values);
}
