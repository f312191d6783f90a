/* audit_view.c - see audit_view.h. */
#include "domain/audit_view.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/csv.h"

static const char *const columns[] = {"id", "at", "actor", "role", "action", "object", "ip", "details", "digest"};

/* "" is null. */
static enum err add_text(struct buf *b, const char *name, struct str text) {
  TRY(buf_addf(b, ",\"%s\":", name));
  return text.n ? buf_add_json(b, text) : buf_add(b, STR("null"));
}

/* A row that somebody edited by hand may hold anything: a value that is no JSON is shown as a text. */
static enum err add_details(struct buf *b, struct str details) {
  json_t *value = json_loadb(details.n ? details.p : "", details.n, JSON_REJECT_DUPLICATES, NULL);
  bool is_object = json_is_object(value);
  json_decref(value);
  if (!is_object) return add_text(b, "details", details);
  TRY(buf_add(b, STR(",\"details\":")));
  return buf_add(b, details);
}

enum err audit_view_json(struct buf *b, const struct audit_row *row) {
  char at[DATE_TEXT_SIZE];
  date_format_rfc3339(row->at, at);
  TRY(buf_addf(b, "{\"id\":%lld,\"at\":\"%s\"", (long long)row->number, at));
  TRY(add_text(b, "actor", row->actor));
  TRY(add_text(b, "role", row->role));
  TRY(add_text(b, "action", row->action));
  TRY(add_text(b, "object", row->object));
  TRY(add_text(b, "ip", row->ip));
  TRY(add_details(b, row->details));
  TRY(add_text(b, "digest", row->digest));
  return buf_add_char(b, '}');
}

enum err audit_view_csv_head(struct buf *b) {
  TRY(buf_add(b, STR("\xef\xbb\xbf")));
  for (size_t i = 0; i < COUNT_OF(columns); i++) TRY(csv_add_cell(b, (int)i, str_from(columns[i])));
  return csv_end_row(b);
}

enum err audit_view_csv(struct buf *b, const struct audit_row *row) {
  char number[24], at[DATE_TEXT_SIZE];
  (void)snprintf(number, sizeof(number), "%lld", (long long)row->number);
  date_format_rfc3339(row->at, at);
  const struct str cells[] = {str_from(number), str_from(at), row->actor,   row->role,  row->action,
                              row->object,      row->ip,      row->details, row->digest};
  for (size_t i = 0; i < COUNT_OF(cells); i++) TRY(csv_add_cell(b, (int)i, cells[i]));
  return csv_end_row(b);
}
