/* journal.c - see journal.h. */
#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

#include <jansson.h>

#define JOURNAL_FILE "calls.jsonl"

enum { JOURNAL_MAX = 512 * 1024 * 1024 }; /* bytes that are read */

/* ---- reading ---- */

static const char *text_of(const json_t *line, const char *name) {
  return json_string_value(json_object_get(line, name));
}

static int64_t number_of(const json_t *line, const char *name) {
  return (int64_t)json_integer_value(json_object_get(line, name));
}

static enum err copy_sid(char dst[SID_ROOM], const json_t *line, const char *name) {
  const char *text = text_of(line, name);
  return str_copy(dst, SID_ROOM, str_from(text ? text : "")) == OK ? OK : ERR_CORRUPT;
}

static char *copy_text(const json_t *line, const char *name) {
  const char *text = text_of(line, name);
  return text ? strdup(text) : NULL;
}

static enum err fill_call(struct call *c, const json_t *line) {
  static const char *const directions[] = {"inbound", "outbound-api", "outbound-dial"};
  TRY(copy_sid(c->sid, line, "call_sid"));
  TRY(copy_sid(c->parent_sid, line, "parent_call_sid"));
  for (size_t i = 0; i < COUNT_OF(directions); i++)
    if (str_eq(str_from(directions[i]), str_from(text_of(line, "direction")))) c->direction = directions[i];
  c->status = call_status_find(str_from(text_of(line, "status")));
  c->from = copy_text(line, "from");
  c->to = copy_text(line, "to");
  c->caller_name = copy_text(line, "caller_name");
  c->started_ms = number_of(line, "started_ms");
  c->seconds = number_of(line, "seconds");
  return c->direction && c->status && c->from && c->to ? OK : ERR_CORRUPT;
}

static enum err read_call(struct store *store, const json_t *line) {
  struct call *c = calloc(1, sizeof(*c));
  if (!c) return ERR_NOMEM;
  enum err e = fill_call(c, line);
  if (e == OK) e = store_add_call(store, c);
  if (e != OK) (void)call_free(c);
  return e;
}

static enum err fill_recording(struct recording *r, const json_t *line) {
  TRY(copy_sid(r->sid, line, "recording_sid"));
  TRY(copy_sid(r->call_sid, line, "call_sid"));
  TRY(copy_sid(r->conference_sid, line, "conference_sid"));
  r->source = copy_text(line, "source");
  r->channels = number_of(line, "channels") == 2 ? 2 : 1;
  r->seconds = number_of(line, "seconds");
  r->started_ms = number_of(line, "started_ms");
  return r->source ? OK : ERR_CORRUPT;
}

static enum err read_new_recording(struct store *store, const json_t *line, struct recording **ret_recording) {
  struct recording *r = calloc(1, sizeof(*r));
  if (!r) return ERR_NOMEM;
  enum err e = fill_recording(r, line);
  if (e == OK) e = store_add_recording(store, r);
  if (e != OK) {
    (void)recording_free(r);
    return e;
  }
  *ret_recording = r;
  return OK;
}

static enum err read_recording(struct store *store, const json_t *line) {
  struct recording *r = store_find_recording(store, str_from(text_of(line, "recording_sid")));
  const char *status = recording_status_find(str_from(text_of(line, "status")));
  if (!status) return ERR_CORRUPT;
  if (!r) TRY(read_new_recording(store, line, &r));
  r->status = strcmp(status, "processing") == 0 ? recording_status_find(STR("completed")) : status;
  r->error_code = (int)number_of(line, "error_code");
  r->deleted_ms = number_of(line, "deleted_ms");
  return OK;
}

static void free_json(json_t **j) {
  json_decref(*j);
}

static enum err read_line(struct store *store, struct str text) {
  json_t *line CLEANUP(free_json) = json_loadb(text.p, text.n, 0, NULL);
  if (!line) return ERR_CORRUPT;
  return text_of(line, "recording_sid") ? read_recording(store, line) : read_call(store, line);
}

/* A line that a killed simulator did not finish is skipped; the next run has ended it. */
static enum err read_all(struct store *store, struct str text) {
  struct str line;
  for (bool more = true; more;) {
    more = str_cut(text, '\n', &line, &text);
    bool is_whole = line.n > 2 && line.p[0] == '{' && line.p[line.n - 1] == '}';
    if (is_whole) TRY(read_line(store, line));
  }
  return OK;
}

enum err journal_open(struct journal *j, const char *directory, struct store *store) {
  int dir CLEANUP(fs_close_) = -1;
  char *text CLEANUP(free_char) = NULL;
  size_t size = 0;
  TRY(fs_open_root(directory, true, &dir));
  enum err e = fs_read_whole(dir, JOURNAL_FILE, JOURNAL_MAX, &text, &size);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  TRY(read_all(store, str_of(text, size)));
  int fd = openat(dir, JOURNAL_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return ERR_IO;
  j->fd = fd;
  return fs_write_all(fd, STR("\n")); /* ends a line that was not finished */
}

/* ---- writing ---- */

/* Takes line; NULL: there was no memory for it. */
static void add_line(const struct journal *j, json_t *line) {
  char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
  struct buf b CLEANUP(buf_done) = BUF_INIT(64 * 1024);
  if (!text || buf_addf(&b, "%s\n", text) != OK || fs_write_all(j->fd, buf_str(&b)) != OK)
    fprintf(stderr, "callreel-sim: a line of " JOURNAL_FILE " could not be written\n");
  free(text);
  json_decref(line);
}

void journal_call(const struct journal *j, const struct call *c) {
  if (j->fd < 0) return;
  add_line(j, json_pack("{ss, ss, ss, ss, ss, ss, ss*, sI, sI}", "call_sid", c->sid, "parent_call_sid", c->parent_sid,
                        "direction", c->direction, "status", c->status, "from", c->from, "to", c->to, "caller_name",
                        c->caller_name, "started_ms", (json_int_t)c->started_ms, "seconds", (json_int_t)c->seconds));
}

void journal_recording(const struct journal *j, const struct recording *r) {
  if (j->fd < 0) return;
  add_line(j, json_pack("{ss, ss, ss, ss, ss, si, si, sI, sI, sI}", "recording_sid", r->sid, "call_sid", r->call_sid,
                        "conference_sid", r->conference_sid, "status", r->status, "source", r->source, "error_code",
                        r->error_code, "channels", (int)r->channels, "seconds", (json_int_t)r->seconds, "started_ms",
                        (json_int_t)r->started_ms, "deleted_ms", (json_int_t)r->deleted_ms));
}

void journal_close(struct journal *j) {
  fs_close_(&j->fd);
  j->fd = -1;
}
