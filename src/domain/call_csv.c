/* call_csv.c - see call_csv.h. A row is a call with the first of its recordings, as lists show it.
 *
 * Invariant
 *  (1) A page is read in one transaction, which ends before the page is sent. */
#include "domain/call_csv.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/csv.h"
#include "domain/call_page.h"

static const char *const columns[] = {"call_sid",
                                      "parent_call_sid",
                                      "started_at",
                                      "ended_at",
                                      "direction",
                                      "from",
                                      "to",
                                      "customer_number",
                                      "customer_name",
                                      "caller_name",
                                      "own_number",
                                      "agent",
                                      "status",
                                      "duration",
                                      "tags",
                                      "ref",
                                      "metadata",
                                      "recordings",
                                      "recording_sid",
                                      "recording_status",
                                      "recording_duration"};

enum err call_csv_head(struct buf *b) {
  TRY(buf_add(b, STR("\xef\xbb\xbf")));
  for (size_t i = 0; i < COUNT_OF(columns); i++) TRY(csv_add_cell(b, (int)i, str_from(columns[i])));
  return csv_end_row(b);
}

struct csv_row {
  struct buf *b;
  int column;
};

static enum err add_text(struct csv_row *r, struct str text) {
  return csv_add_cell(r->b, r->column++, text);
}

static enum err add_time(struct csv_row *r, int64_t at) {
  char text[DATE_TEXT_SIZE] = "";
  if (at) date_format_rfc3339(at, text);
  return add_text(r, str_from(text));
}

/* An empty cell if value is negative. */
static enum err add_number(struct csv_row *r, int64_t value) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(32);
  if (value >= 0) TRY(buf_addf(&text, "%lld", (long long)value));
  return add_text(r, buf_str(&text));
}

/* tags: a JSON array of texts, or "". */
static enum err add_tags(struct csv_row *r, const char *tags) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(2 * CALL_TAGS_SIZE);
  json_t *all = json_loads(tags, 0, NULL);
  enum err e = OK;
  for (size_t i = 0; e == OK && i < json_array_size(all); i++) {
    if (i) e = buf_add(&text, STR(", "));
    if (e == OK) e = buf_add(&text, str_from(json_string_value(json_array_get(all, i))));
  }
  json_decref(all);
  return e == OK ? add_text(r, buf_str(&text)) : e;
}

static enum err add_recording(struct csv_row *r, const struct recording *row) {
  TRY(add_text(r, row ? str_from(row->recording_sid) : STR("")));
  TRY(add_text(r, row ? str_from(recording_status_name(row->status)) : STR("")));
  if (!row || row->duration_ms < 0)
    return add_number(r, row && row->provider_duration_s ? row->provider_duration_s : -1);
  return add_number(r, (row->duration_ms + 500) / 1000);
}

static enum err add_parties(struct csv_row *r, const struct call *c, const struct call *top, struct str customer) {
  TRY(add_text(r, str_from(top->direction)));
  TRY(add_text(r, str_from(c->from_number)));
  TRY(add_text(r, str_from(c->to_number)));
  TRY(add_text(r, customer));
  TRY(add_text(r, str_from(c->customer_name)));
  TRY(add_text(r, str_from(c->caller_name)));
  TRY(add_text(r, str_from(c->own_number)));
  return add_text(r, str_from(c->agent));
}

static enum err add_call(struct buf *b, struct call_page *p, const struct call_leg *leg, const struct str *own_numbers,
                         size_t own_count) {
  struct csv_row r = {.b = b, .column = 0};
  const struct call *c = leg->call, *top = leg->top->call;
  const struct call_leg *child = leg->top->first_child;
  size_t recordings = call_page_recordings(p, leg);
  TRY(add_text(&r, str_from(c->call_sid)));
  TRY(add_text(&r, str_from(c->parent_call_sid)));
  TRY(add_time(&r, c->started_at));
  TRY(add_time(&r, c->ended_at));
  TRY(add_parties(&r, c, top, status_customer_number(top, child ? child->call : NULL, own_numbers, own_count)));
  TRY(add_text(&r, str_from(c->status)));
  TRY(add_number(&r, c->duration_s));
  TRY(add_tags(&r, c->tags));
  TRY(add_text(&r, str_from(c->ref)));
  TRY(add_text(&r, str_from(c->metadata)));
  TRY(add_number(&r, (int64_t)recordings));
  TRY(add_recording(&r, recordings ? p->shown[0] : NULL));
  return csv_end_row(b);
}

static enum err write_page(struct db *db, int64_t business_id, struct calls_filter *f, const struct str *own_numbers,
                           size_t own_count, struct buf *b, bool *ret_more) {
  struct calls_key keys[CALLS_LIST_LIMIT_MAX];
  struct call_page p CLEANUP(call_page_done) = CALL_PAGE;
  size_t listed, count;
  bool more;
  TRY(calls_list_page(db, business_id, f, keys, &listed, &more));
  TRY(calls_list_fit(db, business_id, keys, listed, &count));
  TRY(call_page_read(db, business_id, keys, count, &p));
  for (size_t i = 0; i < count; i++) {
    TRY(db_in_time(db));
    const struct call_leg *leg = call_page_find(&p, keys[i].call_sid);
    if (leg) TRY(add_call(b, &p, leg, own_numbers, own_count));
  }
  *ret_more = count && (more || count < listed);
  f->offset = 0;
  if (!count) return OK;
  f->after = keys[count - 1];
  f->after_sort = f->sort;
  f->after_key = true;
  return OK;
}

enum err call_csv_page(struct db *db, int64_t business_id, struct calls_filter *f, const struct str *own_numbers,
                       size_t own_count, struct buf *b, bool *ret_more) {
  f->limit = CALLS_LIST_LIMIT_MAX;
  TRY(db_begin(db)); /* (1) */
  enum err e = write_page(db, business_id, f, own_numbers, own_count, b, ret_more);
  db_rollback(db);
  return e;
}
