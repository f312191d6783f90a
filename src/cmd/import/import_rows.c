/* import_rows.c - takes the rows of an earlier system's table of calls: a CSV file, or a table of a database.
 *
 * Invariants
 *  (1) A row is taken as a delivery of the lowest rank: values from webhooks and lists replace its own.
 *  (2) A row queues nothing: its recording is fetched when somebody plays it, unless its file is imported.
 *  (3) Rows are written in transactions of a bounded number of rows. A row that is known already changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/csv_read.h"
#include "base/fs.h"
#include "cmd/import/import_parts.h"
#include "db/db_foreign.h"
#include "db/db_writer.h"
#include "domain/intake.h"
#include "ledger/businesses.h"
#include "provider/twilio_delivery.h"
#include "provider/twilio_media.h"
#include "provider/twilio_sid.h"

enum { PART = 64, CELL_MAX = 2048, URL_ROOM = 4096, ROWS_OF_A_JOB = DB_JOB_ROWS / 2 };

enum target {
  CALL_SID,
  PARENT_CALL_SID,
  BUSINESS_ID,
  RECORDING_SID,
  RECORDING_URL,
  FROM,
  TO,
  STATUS,
  DIRECTION,
  STARTED_AT,
  DURATION,
  CALLER_NAME,
  CUSTOMER_NAME,
  TARGET_COUNT_
};

/* The name of a column, and the names in the source that it is taken from if --column does not name one. */
static const struct {
  const char *name, *others[4];
} TARGETS[TARGET_COUNT_] = {
    [CALL_SID] = {"call_sid", {"sid", "CallSid"}},
    [PARENT_CALL_SID] = {"parent_call_sid", {"ParentCallSid"}},
    [BUSINESS_ID] = {"business_id", {"tenant_id"}},
    [RECORDING_SID] = {"recording_sid", {"RecordingSid"}},
    [RECORDING_URL] = {"recording_url", {"RecordingUrl"}},
    [FROM] = {"from", {"from_number", "From", "caller"}},
    [TO] = {"to", {"to_number", "To", "called"}},
    [STATUS] = {"status", {"call_status", "CallStatus"}},
    [DIRECTION] = {"direction", {"Direction"}},
    [STARTED_AT] = {"started_at", {"start_time", "created_at"}},
    [DURATION] = {"duration", {"call_duration", "duration_seconds"}},
    [CALLER_NAME] = {"caller_name", {NULL}},
    [CUSTOMER_NAME] = {"customer_name", {NULL}},
};

struct import_row {
  struct import_entry entry;
  char cells[TARGET_COUNT_][CELL_MAX];
};

struct rows {
  struct import *im;
  int column_of[TARGET_COUNT_]; /* -1: there is none */
  struct import_row part[PART];
  size_t count, from, reached;
  int64_t number;           /* of the present row */
  struct business business; /* of the last row; business_id 0: none */
  struct delivery *delivery;
  struct buf storage;
  int64_t calls; /* in the present transaction */
};

/* ---- columns ---- */

static int row_column_find(const struct str *names, size_t count, const char *name) {
  for (size_t i = 0; name && i < count; i++)
    if (str_eq_nocase(str_trim(names[i]), str_from(name))) return (int)i;
  return -1;
}

/* Maps the columns. Returns an exit code. */
static int columns_map(struct rows *r, const struct str *names, size_t count) {
  for (int t = 0; t < TARGET_COUNT_; t++) {
    r->column_of[t] = row_column_find(names, count, TARGETS[t].name);
    for (size_t k = 0; k < COUNT_OF(TARGETS[t].others) && r->column_of[t] < 0; k++)
      r->column_of[t] = row_column_find(names, count, TARGETS[t].others[k]);
  }
  for (size_t i = 0; i < r->im->column_count; i++) {
    struct str target, name;
    int t = 0, at = -1;
    if (str_cut(str_from(r->im->columns[i]), '=', &target, &name)) {
      while (t < TARGET_COUNT_ && !str_eq(target, str_from(TARGETS[t].name))) t++;
      for (size_t k = 0; k < count && at < 0; k++)
        if (str_eq(str_trim(names[k]), name)) at = (int)k;
    }
    if (at < 0 || t == TARGET_COUNT_)
      return cmd_fail(r->im->args, "--column %s: there is no such column, or nothing that it could be",
                      r->im->columns[i]);
    r->column_of[t] = at;
  }
  if (r->column_of[CALL_SID] < 0)
    return cmd_fail(r->im->args, "there is no column call_sid; --column call_sid=NAME says which one it is");
  return CMD_DONE;
}

/* ---- a row ---- */

static struct str row_cell(const struct import_row *row, enum target t) {
  return str_from(row->cells[t]);
}

/* The business of the row, kept for the next. */
static enum err row_find_business(struct rows *r, const struct import_row *row, int64_t *ret_id) {
  uint64_t id = (uint64_t)r->im->business_id;
  struct str text = row_cell(row, BUSINESS_ID);
  *ret_id = 0;
  if (text.n && str_to_u64(text, INT64_MAX, &id) != OK) return OK;
  if (!id) return OK;
  if (r->business.business_id != (int64_t)id) {
    business_done(&r->business);
    memset(&r->business, 0, sizeof(r->business));
    enum err e = businesses_get(r->im->app.db, NULL, (int64_t)id, &r->business);
    if (e == ERR_NOT_FOUND) return OK;
    TRY(e);
  }
  *ret_id = (int64_t)id;
  return OK;
}

static void row_read_cells(const struct rows *r, const struct str *cells, size_t count, struct import_row *row) {
  for (int t = 0; t < TARGET_COUNT_; t++) {
    int at = r->column_of[t];
    struct str text = at >= 0 && (size_t)at < count ? str_trim(cells[at]) : STR_NONE;
    if (!str_is_utf8(text)) text = STR_NONE;
    if (str_copy(row->cells[t], CELL_MAX, str_head_utf8(text, CELL_MAX - 1)) != OK) row->cells[t][0] = '\0';
  }
}

/* Sets the row's entry, or says why the row is refused. */
static enum err row_judge(struct rows *r, struct import_row *row, enum import_refusal *ret_why) {
  struct import_entry *e = &row->entry;
  struct str sid = row_cell(row, RECORDING_SID);
  memset(e, 0, sizeof(*e));
  *ret_why = IMPORT_BAD_ROW;
  if (!twilio_sid_is_call(row_cell(row, CALL_SID))) return OK;
  TRY(str_copy(e->call_sid, sizeof(e->call_sid), row_cell(row, CALL_SID)));
  if (!twilio_sid_is_recording(sid)) sid = twilio_media_sid(row_cell(row, RECORDING_URL));
  if (twilio_sid_is_recording(sid)) TRY(str_copy(e->recording_sid, sizeof(e->recording_sid), sid));
  TRY(row_find_business(r, row, &e->business_id));
  *ret_why = e->business_id ? IMPORT_TAKEN : IMPORT_BUSINESS;
  return OK;
}

/* RFC 3339, RFC 2822, "2026-11-21 08:00:00" (UTC), or seconds since 1970; 0: it can't be read. */
static int64_t time_of(struct str text) {
  int64_t ms;
  uint64_t seconds;
  char buffer[40];
  struct str parsed;
  struct buf storage CLEANUP(buf_done) = BUF_INIT(256);
  if (date_parse_time_or_date(text, &ms) == OK) return ms;
  if (str_to_u64(text, UINT32_MAX, &seconds) == OK) return (int64_t)seconds * 1000;
  if (buf_reserve(&storage, 64) == OK && twilio_time(text, &storage, &parsed) == TWILIO_KEEP &&
      str_to_i64(parsed, 0, INT64_MAX, &ms) == OK)
    return ms;
  if (text.n < 19 || text.n > 32 || text.p[10] != ' ') return 0;
  struct str zone = str_skip(text, 19);
  while (zone.n && (zone.p[0] == '.' || (zone.p[0] >= '0' && zone.p[0] <= '9'))) zone = str_skip(zone, 1);
  bool is_utc = zone.n == 0 || str_eq(zone, STR("+00")) || str_eq(zone, STR("+00:00")) || str_eq(zone, STR("Z"));
  if (!is_utc) return 0;
  (void)snprintf(buffer, sizeof(buffer), "%.10sT%.8sZ", text.p, text.p + 11);
  return date_parse_rfc3339(str_from(buffer), &ms) == OK ? ms : 0;
}

static void part_add_field(struct delivery_part *part, const char *name, struct str value) {
  IGNORE(twilio_part_add(part, name, value)); /* there is room for all known fields */
}

static void row_add_number(struct rows *r, struct delivery_part *part, const char *name, int64_t value) {
  size_t from = r->storage.n;
  if (buf_addf(&r->storage, "%lld", (long long)value) == OK)
    part_add_field(part, name, str_of(r->storage.p + from, r->storage.n - from));
}

static enum err write_recording(struct rows *r, const struct import_row *row, struct delivery *d, int64_t started) {
  const struct provider_account account = {
      .business_id = r->business.business_id,
      .account_sid = str_from(r->business.account_sid),
      .base_url = str_from(r->business.base_url[0] ? r->business.base_url : r->im->app.conf.twilio_base_url)};
  struct str url;
  bool forbidden;
  d->recording_sid = str_from(row->entry.recording_sid);
  part_add_field(&d->recording, RECORDING_FIELD_CALL, d->call_sid);
  if (started) row_add_number(r, &d->recording, RECORDING_FIELD_STARTED, started);
  if (!row->cells[RECORDING_URL][0]) return OK;
  TRY(twilio_media_url(&account, row_cell(row, RECORDING_URL), d->recording_sid, &r->storage, &url, &forbidden));
  part_add_field(&d->recording, RECORDING_FIELD_URL, url);
  part_add_field(&d->recording, RECORDING_FIELD_FORBIDDEN, forbidden ? STR("1") : STR("0"));
  return OK;
}

/* (1) */
static enum err write_delivery(struct rows *r, const struct import_row *row) {
  struct delivery *d = r->delivery;
  const struct delivery_rank lowest = {.sequence = -1, .timestamp_ms = -1, .status_order = -1};
  int64_t started = time_of(row_cell(row, STARTED_AT));
  uint64_t seconds;
  struct str parent = row_cell(row, PARENT_CALL_SID);
  buf_clear(&r->storage);
  TRY(buf_reserve(&r->storage, URL_ROOM + CELL_MAX));
  d->business_id = row->entry.business_id;
  d->call_sid = str_from(row->entry.call_sid);
  d->recording_sid = STR_NONE;
  d->received_ms = started ? started : clock_now_ms();
  d->is_backfill = true;
  d->dropped = 0;
  d->call.count = d->recording.count = 0;
  d->call.rank = d->recording.rank = lowest;
  if (twilio_sid_is_call(parent) && !str_eq(parent, d->call_sid)) part_add_field(&d->call, CALL_FIELD_PARENT, parent);
  part_add_field(&d->call, CALL_FIELD_FROM, row_cell(row, FROM));
  part_add_field(&d->call, CALL_FIELD_TO, row_cell(row, TO));
  part_add_field(&d->call, CALL_FIELD_STATUS, row_cell(row, STATUS));
  part_add_field(&d->call, CALL_FIELD_CALLER_NAME, row_cell(row, CALLER_NAME));
  part_add_field(&d->call, CALL_FIELD_PROVIDER_DIRECTION, row_cell(row, DIRECTION));
  if (row->cells[DIRECTION][0])
    part_add_field(&d->call, CALL_FIELD_DIRECTION, twilio_direction(row_cell(row, DIRECTION)));
  if (started) row_add_number(r, &d->call, CALL_FIELD_STARTED, started);
  if (str_to_u64(row_cell(row, DURATION), INT32_MAX, &seconds) == OK)
    row_add_number(r, &d->call, CALL_FIELD_DURATION, (int64_t)seconds);
  return row->entry.recording_sid[0] ? write_recording(r, row, d, started) : OK;
}

/* ---- writing ---- */

static enum err row_write(struct db *db, struct rows *r, const struct import_row *row) {
  struct intake_result result;
  int64_t unused;
  TRY(row_find_business(r, row, &unused));
  TRY(write_delivery(r, row));
  TRY(intake_run(db, r->delivery, db_now_ms(db), &result));
  r->calls += result.call_changed;
  struct str name = str_head_utf8(row_cell(row, CUSTOMER_NAME), CALL_NAME_SIZE - 1);
  if (!name.n || !result.call_changed) return OK;
  return calls_set_host(db, row->entry.business_id, r->delivery->call_sid,
                        &(struct calls_host){.customer_name = &name});
}

static enum err rows_run_part(struct db *db, void *arg) {
  struct rows *r = arg;
  int64_t before = db_touched(db);
  size_t i = r->from;
  r->calls = 0;
  for (; i < r->count && db_touched(db) - before < ROWS_OF_A_JOB; i++) TRY(row_write(db, r, &r->part[i]));
  r->reached = i;
  return OK;
}

static enum err rows_write(struct rows *r) {
  for (r->from = 0; r->from < r->count; r->from = r->reached) {
    TRY(app_write(&r->im->app, rows_run_part, r));
    r->im->calls += r->calls;
  }
  r->count = 0;
  progress_count(&r->im->progress, r->im->rows);
  return OK;
}

static enum err row_compare(struct rows *r, const struct import_row *row) {
  struct call call;
  enum err e = calls_get(r->im->app.db, row->entry.business_id, str_from(row->entry.call_sid), &call);
  if (e == ERR_NOT_FOUND) import_refuse(r->im, NULL, r->number, IMPORT_UNKNOWN_CALL);
  return e == ERR_NOT_FOUND ? OK : e;
}

static enum err rows_add(struct rows *r, const struct str *cells, size_t count) {
  struct import_row *row = &r->part[r->count];
  enum import_refusal why;
  r->im->rows++;
  r->number++;
  row_read_cells(r, cells, count, row);
  TRY(row_judge(r, row, &why));
  if (why) {
    import_refuse(r->im, NULL, r->number, why);
    return OK;
  }
  TRY(import_index_add(&r->im->index, &row->entry));
  if (r->im->compares) return row_compare(r, row);
  return ++r->count == PART ? rows_write(r) : OK;
}

/* ---- sources ---- */

static int rows_fail(const struct rows *r, enum err e, const char *where) {
  const char *problem = db_problem(r->im->app.db);
  return cmd_fail(r->im->args, "%s, row %lld: %s%s%s", where, (long long)r->number + 1, err_text(e),
                  problem[0] ? ": " : "", problem);
}

static int rows_of_csv(struct rows *r, const char *path) {
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  struct csv_reader *csv;
  const struct str *cells;
  size_t count;
  enum err e = fs_open_chosen(path, &fd, &mode);
  if (e == OK) e = csv_reader_new(fd, &csv);
  if (e != OK) return cmd_fail(r->im->args, "--calls %s: %s", path, err_text(e));
  e = csv_read_row(csv, &cells, &count);
  int code = e == OK ? columns_map(r, cells, count) : rows_fail(r, e, path);
  while (code == CMD_DONE && e == OK)
    if ((e = csv_read_row(csv, &cells, &count)) == OK) e = rows_add(r, cells, count);
  if (code == CMD_DONE && e == ERR_NOT_FOUND) e = rows_write(r);
  if (code == CMD_DONE && e != OK) code = rows_fail(r, e, path);
  csv_reader_free(csv);
  return code;
}

static int rows_of_table(struct rows *r, const char *url) {
  struct buf problem CLEANUP(buf_done) = BUF_INIT(1024);
  struct str cells[DB_FOREIGN_COLUMNS_MAX];
  struct db_foreign *f;
  enum err e = db_foreign_open(url, r->im->table, &problem, &f);
  if (e != OK) return cmd_fail(r->im->args, "--calls-from: %.*s", STR_ARG(buf_str(&problem)));
  size_t count = db_foreign_columns(f);
  for (size_t i = 0; i < count; i++) cells[i] = str_from(db_foreign_column(f, i));
  int code = columns_map(r, cells, count);
  while (code == CMD_DONE && e == OK)
    if ((e = db_foreign_next(f, cells)) == OK) e = rows_add(r, cells, count);
  if (code == CMD_DONE && e == ERR_NOT_FOUND) e = rows_write(r);
  if (code == CMD_DONE && e != OK) code = rows_fail(r, e, r->im->table);
  db_foreign_close(f);
  return code;
}

int import_rows(struct import *im) {
  struct rows *r = calloc(1, sizeof(*r));
  int code = CMD_FAILED;
  if (!r) return cmd_fail(im->args, "out of memory");
  r->im = im;
  buf_init(&r->storage, URL_ROOM + 2 * CELL_MAX);
  r->delivery = calloc(1, sizeof(*r->delivery));
  progress_begin(&im->progress, "Importing rows");
  if (r->delivery) code = im->calls_file ? rows_of_csv(r, im->calls_file) : rows_of_table(r, im->calls_url);
  progress_end(&im->progress);
  if (code == CMD_DONE && import_index_sort(&im->index) != OK) code = cmd_fail(im->args, "out of memory");
  business_done(&r->business);
  buf_done(&r->storage);
  free(r->delivery);
  free(r);
  return code;
}
