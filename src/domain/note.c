/* note.c - see note.h. */
#include "domain/note.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

#define AT_MAX_S (1000.0 * 86400)
_Static_assert(NOTE_TEXT_MAX == 2000, "a sentence below names it");

/* These return what is wrong; NULL: nothing is. */

static const char *note_read_at(const json_t *value, struct note_patch *p) {
  double s = json_is_null(value) ? 0 : json_number_value(value);
  if (!json_is_null(value) && !json_is_number(value)) return "at must be a number of seconds or null.";
  if (!(s >= 0 && s <= AT_MAX_S)) return "at must be a number of seconds from the beginning of the recording.";
  p->has_at = true;
  p->at_ms = json_is_null(value) ? -1 : llround(s * 1000);
  return NULL;
}

static const char *note_read_text(const json_t *value, struct note_patch *p) {
  struct str text = str_of(json_string_value(value), json_string_length(value));
  if (!json_is_string(value)) return "text must be a text.";
  if (str_utf8_count(text) > NOTE_TEXT_MAX) return "text has more than 2,000 characters.";
  size_t blank = 0;
  while (blank < text.n && strchr(" \t\r\n", text.p[blank])) blank++;
  if (blank == text.n) return "text is empty.";
  p->has_text = true;
  p->text = text;
  return NULL;
}

static const char *note_read_member(struct note_patch *p, const char *key, const json_t *value) {
  if (strcmp(key, "at") == 0) return note_read_at(value, p);
  return strcmp(key, "text") == 0 ? note_read_text(value, p) : "A note has no members but at and text.";
}

enum err note_patch_read(struct str body, bool is_new, struct note_patch *ret_patch, const char **ret_why) {
  struct note_patch p = {.document = json_loadb(body.n ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL)};
  const char *why = json_is_object(p.document) ? NULL : "The body is not a JSON object, or it holds U+0000.";
  for (void *m = json_object_iter(p.document); !why && m; m = json_object_iter_next(p.document, m))
    why = note_read_member(&p, json_object_iter_key(m), json_object_iter_value(m));
  if (!why && is_new && !p.has_text) why = "text is missing.";
  if (why) {
    note_patch_done(&p);
    *ret_why = why;
    return ERR_INVALID;
  }
  if (is_new && !p.has_at) p.at_ms = -1;
  *ret_patch = p;
  return OK;
}

void note_patch_done(struct note_patch *p) {
  json_decref(p->document);
  p->document = NULL;
}

bool note_patch_apply(const struct note_patch *p, struct note *note) {
  bool other_at = p->has_at && p->at_ms != note->at_ms;
  bool other_text = p->has_text && !str_eq(p->text, str_from(note->text));
  if (other_at) note->at_ms = p->at_ms;
  if (other_text) {
    memcpy(note->text, p->text.p, p->text.n); /* its length was checked in characters */
    note->text[p->text.n] = '\0';
  }
  return other_at || other_text;
}

static enum err add_time(struct buf *b, int64_t at) {
  char text[DATE_TEXT_SIZE];
  if (!at) return buf_add(b, STR("null"));
  date_format_rfc3339(at, text);
  return buf_addf(b, "\"%s\"", text);
}

static enum err add_seconds(struct buf *b, int64_t ms) {
  if (ms < 0) return buf_add(b, STR("null"));
  long long whole = ms / 1000, rest = ms % 1000;
  return rest ? buf_addf(b, "%lld.%03lld", whole, rest) : buf_addf(b, "%lld", whole);
}

static enum err add_members(struct buf *b, const struct note *n) {
  TRY(buf_addf(b, "\"id\":%lld,\"at\":", (long long)n->note_id));
  TRY(add_seconds(b, n->at_ms));
  TRY(buf_add(b, STR(",\"text\":")));
  TRY(buf_add_json(b, str_from(n->text)));
  TRY(buf_add(b, STR(",\"by\":")));
  TRY(buf_add_json(b, str_from(n->by)));
  TRY(buf_add(b, STR(",\"created_at\":")));
  TRY(add_time(b, n->created_at));
  TRY(buf_add(b, STR(",\"edited_at\":")));
  return add_time(b, n->edited_at);
}

enum err note_write(struct buf *b, const struct note *note) {
  TRY(buf_add_char(b, '{'));
  TRY(add_members(b, note));
  return buf_add_char(b, '}');
}

enum err note_write_event(struct buf *b, const char *recording_sid, int64_t note_id, const struct note *note) {
  TRY(buf_add(b, STR("{\"recording_sid\":")));
  TRY(buf_add_json(b, str_from(recording_sid)));
  if (!note) return buf_addf(b, ",\"id\":%lld,\"deleted\":true}", (long long)note_id);
  TRY(buf_add_char(b, ','));
  TRY(add_members(b, note));
  return buf_add(b, STR(",\"deleted\":false}"));
}
