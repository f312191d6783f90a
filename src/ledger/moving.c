/* moving.c - see moving.h.
 *
 * Invariants
 *  (1) A table's rows are copied in the order of its primary key, and nothing else writes to the target. So the target has the
 *      first rows of the source, and its last key says where to go on.
 *  (2) Tables come after those that their triggers read: businesses, calls, recordings.
 *  (3) The settings come last, in the transaction that takes the mark away: among them are the store's id and the keys. */
#include "ledger/moving.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "ledger/ledger.h"
#include "ledger/nodes.h"
#include "ledger/settings.h"

#define MARK "moving"
enum { SQL_MAX = 16 * 1024, ROWS_TEXT_MAX = 64 * 1024 * 1024, ROWS_TEXT_ENOUGH = 2 * 1024 * 1024 };
enum { KEY_MAX = 4096, NODE_LIVES_MS = 30 * 1000 };

/* (2) */
static const char *const TABLES[] = {"businesses",
                                     "business_numbers",
                                     "keys",
                                     "sessions",
                                     "links",
                                     "urls",
                                     "holds",
                                     "hold_keeps",
                                     "calls",
                                     "call_tags",
                                     "recordings",
                                     "waveforms",
                                     "notes",
                                     "transcripts",
                                     "transcript_versions",
                                     "transcript_pieces",
                                     "transcript_texts",
                                     "speech_days",
                                     "audit",
                                     "audit_spans",
                                     "audit_heads",
                                     "audit_checkpoints",
                                     "tasks",
                                     "retries",
                                     "call_moves",
                                     "last_webhooks"};

/* Columns that the target fills by itself. */
static const struct { const char *table, *column; } LEFT_OUT[] = {{"calls", "document_id"}, {"businesses", "fills"}};

static bool is_left_out(const char *table, const char *column) {
  for (size_t i = 0; i < COUNT_OF(LEFT_OUT); i++)
    if (strcmp(LEFT_OUT[i].table, table) == 0 && strcmp(LEFT_OUT[i].column, column) == 0) return true;
  return false;
}

static enum err moving_count_rows(struct db *db, const char *table, int64_t *ret_count) {
  char sql[128];
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  (void)snprintf(sql, sizeof(sql), "select count(*) from %s", table);
  TRY(db_query_once(db, &q, sql, DB_VALUES_()));
  TRY(db_next(&q));
  *ret_count = db_int(&q, 0);
  return OK;
}

/* ---- before and after ---- */

static enum err note_node(void *arg, const struct node *node) {
  int64_t *seen = arg;
  if (node->seen_at > *seen) *seen = node->seen_at;
  return OK;
}

enum err moving_source_fits(struct db *source, int64_t now, const char **ret_why) {
  int found = 0, known = 0;
  int64_t seen = 0;
  *ret_why = NULL;
  enum err e = ledger_schema(source, &found, &known);
  if (e == ERR_TOO_NEW || (e == OK && found != known)) {
    *ret_why = "its schema is not this release's: run callreel migrate on it first, with this release";
    return OK;
  }
  TRY(e);
  TRY(nodes_each(source, note_node, &seen));
  if (seen > now - NODE_LIVES_MS)
    *ret_why = "a process serves it: stop it first, and wait half a minute if it was killed";
  return OK;
}

enum err moving_is_unfinished(struct db *db, bool *ret_unfinished) {
  struct buf value CLEANUP(buf_done) = BUF_INIT(SETTING_VALUE_MAX);
  enum err e = settings_get(db, NULL, MARK, &value);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  *ret_unfinished = e == OK && str_eq(buf_str(&value), STR("1"));
  return OK;
}

static enum err begin_in_transaction(struct db *target, const char **ret_why) {
  bool unfinished;
  TRY(moving_is_unfinished(target, &unfinished));
  for (size_t i = 0; !unfinished && i < COUNT_OF(TABLES); i++) {
    int64_t rows;
    TRY(moving_count_rows(target, TABLES[i], &rows));
    if (rows) *ret_why = "it has businesses or calls of its own: DATABASE_SCHEMA must name an empty schema";
  }
  return *ret_why ? OK : settings_put(target, NULL, MARK, STR("1"));
}

static enum err end_transaction(struct db *db, enum err e) {
  if (e == OK) e = db_commit(db);
  if (e != OK) db_rollback(db);
  return e;
}

enum err moving_begin(struct db *target, const char **ret_why) {
  *ret_why = NULL;
  TRY(db_begin_immediate(target));
  return end_transaction(target, begin_in_transaction(target, ret_why));
}

/* ---- a table ---- */

static char kind_of(struct str type) {
  if (str_eq(type, STR("bigint")) || str_eq(type, STR("integer")) || str_eq(type, STR("smallint"))) return 'i';
  if (str_eq(type, STR("bytea"))) return 'b';
  return str_starts(type, STR("double")) || str_eq(type, STR("real")) ? 'r' : 't';
}

/* The columns that the target has and does not make itself. */
static enum err table_read_target(struct moving *m, const char *table) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  TRY(db_query_once(m->target, &q,
                    "select column_name::text, data_type::text from information_schema.columns"
                    " where table_schema = current_schema() and table_name = ?1 and is_generated = 'NEVER'"
                    " order by ordinal_position",
                    DB_VALUES_(DB_TEXT(str_from(table)))));
  enum err e;
  m->column_count = 0;
  while ((e = db_next(&q)) == OK) {
    struct moving_column *c = &m->columns[m->column_count];
    if (m->column_count == MOVING_COLUMNS_MAX) return ERR_TOO_BIG;
    TRY(str_copy(c->name, sizeof(c->name), db_text(&q, 0)));
    c->kind = kind_of(db_text(&q, 1));
    m->column_count += !is_left_out(table, c->name);
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

static size_t moving_column_find(const struct moving *m, struct str name) {
  size_t i = 0;
  while (i < m->column_count && !str_eq(str_from(m->columns[i].name), name)) i++;
  return i;
}

/* Keeps the columns that the source has too, and finds the key. */
static enum err table_read_source(struct moving *m, const char *table) {
  char sql[128];
  bool is_there[MOVING_COLUMNS_MAX] = {false};
  int64_t places[MOVING_COLUMNS_MAX] = {0};
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  (void)snprintf(sql, sizeof(sql), "select name, pk from pragma_table_info('%s')", table);
  TRY(db_query_once(m->source, &q, sql, DB_VALUES_()));
  enum err e;
  while ((e = db_next(&q)) == OK) {
    size_t i = moving_column_find(m, db_text(&q, 0));
    if (i == m->column_count) continue;
    is_there[i] = true;
    places[i] = db_int(&q, 1);
  }
  if (e != ERR_NOT_FOUND) return e;
  size_t kept = 0;
  m->key_count = 0;
  for (size_t i = 0; i < m->column_count; i++) {
    if (!is_there[i]) continue;
    m->columns[kept] = m->columns[i];
    if (places[i] > MOVING_KEYS_MAX) return ERR_TOO_BIG;
    if (places[i]) m->keys[places[i] - 1] = kept;
    m->key_count += places[i] > 0;
    kept++;
  }
  m->column_count = kept;
  return m->key_count ? OK : ERR_CORRUPT;
}

static enum err write_keys(const struct moving *m, struct buf *b, const char *after) {
  for (size_t i = 0; i < m->key_count; i++)
    TRY(buf_addf(b, "%s%s%s", i ? ", " : "", m->columns[m->keys[i]].name, after));
  return OK;
}

static enum err note_last(struct moving *m, const struct db_rows *q, const size_t *columns) {
  for (size_t i = 0; i < m->key_count; i++) {
    int column = (int)(columns ? columns[i] : i);
    bool is_number = m->columns[m->keys[i]].kind == 'i';
    buf_clear(&m->last[i]);
    if (is_number)
      m->last_numbers[i] = db_int(q, column);
    else
      TRY(buf_add(&m->last[i], db_text(q, column)));
  }
  m->has_last = true;
  return OK;
}

/* (1) */
static enum err table_find_last(struct moving *m, const char *table) {
  struct buf sql CLEANUP(buf_done) = BUF_INIT(SQL_MAX);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  const char *text;
  int64_t rows;
  TRY(buf_add(&sql, STR("select ")));
  TRY(write_keys(m, &sql, ""));
  TRY(buf_addf(&sql, " from %s order by ", table));
  TRY(write_keys(m, &sql, " desc"));
  TRY(buf_add(&sql, STR(" limit 1")));
  TRY(buf_terminate(&sql, &text));
  m->has_last = false;
  TRY(db_query_once(m->target, &q, text, DB_VALUES_()));
  enum err e = db_next(&q);
  if (e == ERR_NOT_FOUND) return OK;
  TRY(e);
  TRY(note_last(m, &q, NULL));
  db_rows_done(&q);
  TRY(moving_count_rows(m->target, table, &rows));
  m->done += rows;
  return OK;
}

static enum err table_open(struct moving *m) {
  const char *table = TABLES[m->table];
  TRY(table_read_target(m, table));
  TRY(table_read_source(m, table));
  TRY(table_find_last(m, table));
  m->is_open = true;
  return OK;
}

/* ---- rows ---- */

static enum err write_select(const struct moving *m, struct buf *b) {
  TRY(buf_add(b, STR("select ")));
  for (size_t i = 0; i < m->column_count; i++) TRY(buf_addf(b, "%s%s", i ? ", " : "", m->columns[i].name));
  TRY(buf_addf(b, " from %s", TABLES[m->table]));
  if (m->has_last) {
    TRY(buf_add(b, STR(" where (")));
    TRY(write_keys(m, b, ""));
    TRY(buf_add(b, STR(") > (")));
    for (size_t i = 0; i < m->key_count; i++) TRY(buf_addf(b, "%s?%zu", i ? ", " : "", i + 1));
    TRY(buf_add_char(b, ')'));
  }
  TRY(buf_add(b, STR(" order by ")));
  TRY(write_keys(m, b, ""));
  return buf_addf(b, " limit %d", MOVING_PART_ROWS);
}

static void bind_last(const struct moving *m, struct db_value values[MOVING_KEYS_MAX + 1]) {
  size_t n = m->has_last ? m->key_count : 0;
  for (size_t i = 0; i < n; i++) {
    char kind = m->columns[m->keys[i]].kind;
    values[i] = kind == 'i'   ? DB_INT(m->last_numbers[i])
                : kind == 'b' ? DB_BLOB(buf_str(&m->last[i]))
                              : DB_TEXT(buf_str(&m->last[i]));
  }
  values[n] = (struct db_value){.kind = DB_END};
}

static enum err write_bytes(struct buf *b, struct str bytes) {
  TRY(buf_reserve(b, 2 * bytes.n + 8));
  TRY(buf_add(b, STR("\"\\\\x")));
  for (size_t at = 0; at < bytes.n; at += 64) {
    char hex[2 * 64 + 1];
    size_t n = bytes.n - at < 64 ? bytes.n - at : 64;
    hex_encode((const uint8_t *)bytes.p + at, n, hex);
    TRY(buf_add(b, str_of(hex, 2 * n)));
  }
  return buf_add_char(b, '"');
}

/* A row as an object of JSON, as json_populate_recordset takes it. */
static enum err write_row(const struct moving *m, const struct db_rows *q, struct buf *b) {
  TRY(buf_add_char(b, '{'));
  for (size_t i = 0; i < m->column_count; i++) {
    int column = (int)i;
    TRY(buf_addf(b, "%s\"%s\":", i ? "," : "", m->columns[i].name));
    if (db_is_null(q, column))
      TRY(buf_add(b, STR("null")));
    else if (m->columns[i].kind == 'i')
      TRY(buf_addf(b, "%lld", (long long)db_int(q, column)));
    else if (m->columns[i].kind == 'r')
      TRY(buf_addf(b, "%.17g", db_real(q, column)));
    else if (m->columns[i].kind == 'b')
      TRY(write_bytes(b, db_text(q, column)));
    else
      TRY(buf_add_json(b, db_text(q, column)));
  }
  return buf_add_char(b, '}');
}

/* Reads the next rows into b as an array; *ret_rows: how many. */
static enum err moving_read_rows(struct moving *m, struct buf *b, int *ret_rows) {
  struct buf sql CLEANUP(buf_done) = BUF_INIT(SQL_MAX);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct db_value values[MOVING_KEYS_MAX + 1];
  const char *text;
  enum err e;
  int rows = 0;
  TRY(write_select(m, &sql));
  TRY(buf_terminate(&sql, &text));
  bind_last(m, values);
  TRY(db_query_once(m->source, &q, text, values));
  TRY(buf_add_char(b, '['));
  while ((e = db_next(&q)) == OK) {
    if (rows++) TRY(buf_add_char(b, ','));
    TRY(write_row(m, &q, b));
    TRY(note_last(m, &q, m->keys));
    if (b->n > ROWS_TEXT_ENOUGH) break;
  }
  *ret_rows = rows;
  if (e != OK && e != ERR_NOT_FOUND) return e;
  return buf_add_char(b, ']');
}

static enum err moving_insert_rows(struct moving *m, struct str rows) {
  struct buf sql CLEANUP(buf_done) = BUF_INIT(SQL_MAX);
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  const char *text, *table = TABLES[m->table];
  TRY(buf_addf(&sql, "insert into %s (", table));
  for (size_t i = 0; i < m->column_count; i++) TRY(buf_addf(&sql, "%s%s", i ? ", " : "", m->columns[i].name));
  TRY(buf_add(&sql, STR(") select ")));
  for (size_t i = 0; i < m->column_count; i++) TRY(buf_addf(&sql, "%s%s", i ? ", " : "", m->columns[i].name));
  TRY(buf_addf(&sql, " from json_populate_recordset(null::%s, ?1::json)", table));
  TRY(buf_terminate(&sql, &text));
  return db_query_once(m->target, &q, text, DB_VALUES_(DB_TEXT(rows)));
}

enum err moving_copy_part(struct moving *m, bool *ret_more) {
  struct buf rows CLEANUP(buf_done) = BUF_INIT(ROWS_TEXT_MAX);
  int count;
  *ret_more = m->table < COUNT_OF(TABLES);
  if (!*ret_more) return OK;
  if (!m->is_open) TRY(table_open(m));
  TRY(moving_read_rows(m, &rows, &count));
  if (count == 0) {
    m->is_open = false;
    m->table++;
    return OK;
  }
  TRY(db_begin_immediate(m->target));
  TRY(end_transaction(m->target, moving_insert_rows(m, buf_str(&rows))));
  m->done += count;
  return OK;
}

/* ---- the end ---- */

static enum err find_difference(struct moving *m, const char **ret_different) {
  for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
    int64_t here, there;
    TRY(moving_count_rows(m->source, TABLES[i], &here));
    TRY(moving_count_rows(m->target, TABLES[i], &there));
    if (here != there) {
      *ret_different = TABLES[i];
      return OK;
    }
  }
  return OK;
}

/* (3) */
static enum err copy_settings(struct moving *m) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  enum err e;
  TRY(db_query_once(m->source, &q, "select name, value, sealed, made_at from settings", DB_VALUES_()));
  while ((e = db_next(&q)) == OK) {
    struct db_rows put CLEANUP(db_rows_done) = DB_ROWS;
    TRY(db_query_once(
        m->target, &put,
        "insert into settings (name, value, sealed, made_at) values (?1, ?2, ?3, ?4) on conflict (name)"
        " do update set value = excluded.value, sealed = excluded.sealed, made_at = excluded.made_at",
        DB_VALUES_(DB_TEXT(db_text(&q, 0)), DB_BLOB(db_text(&q, 1)), DB_INT(db_int(&q, 2)), DB_INT(db_int(&q, 3)))));
  }
  return e == ERR_NOT_FOUND ? OK : e;
}

/* The next id of a table is above all that were given. */
static enum err advance_numbers(struct db *target) {
  static const char *const IDS[][2] = {
      {"businesses", "business_id"}, {"keys", "key_id"}, {"tasks", "task_id"}, {"holds", "hold_id"}};
  for (size_t i = 0; i < COUNT_OF(IDS); i++) {
    char sql[256];
    struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
    (void)snprintf(sql, sizeof(sql),
                   "select setval(pg_get_serial_sequence('%s', '%s'), greatest((select max(%s) from %s), 1))",
                   IDS[i][0], IDS[i][1], IDS[i][1], IDS[i][0]);
    TRY(db_query_once(target, &q, sql, DB_VALUES_()));
  }
  return OK;
}

static enum err end_in_transaction(struct moving *m) {
  TRY(copy_settings(m));
  TRY(advance_numbers(m->target));
  return settings_put(m->target, NULL, MARK, STR("0"));
}

enum err moving_end(struct moving *m, const char **ret_different) {
  *ret_different = NULL;
  TRY(find_difference(m, ret_different));
  if (*ret_different) return OK;
  TRY(db_begin_immediate(m->target));
  return end_transaction(m->target, end_in_transaction(m));
}

bool moving_table(struct moving *m, size_t n, const char **ret_name, int64_t *ret_rows) {
  if (n >= COUNT_OF(TABLES)) return false;
  *ret_name = TABLES[n];
  *ret_rows = 0;
  return moving_count_rows(m->source, TABLES[n], ret_rows) == OK;
}

enum err moving_init(struct moving *m, struct db *source, struct db *target) {
  memset(m, 0, sizeof(*m));
  m->source = source;
  m->target = target;
  for (size_t i = 0; i < MOVING_KEYS_MAX; i++) buf_init(&m->last[i], KEY_MAX);
  for (size_t i = 0; i < COUNT_OF(TABLES); i++) {
    int64_t rows;
    TRY(moving_count_rows(source, TABLES[i], &rows));
    m->all += rows;
  }
  return OK;
}

void moving_done(struct moving *m) {
  for (size_t i = 0; i < MOVING_KEYS_MAX; i++) buf_done(&m->last[i]);
}
