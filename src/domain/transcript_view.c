/* transcript_view.c - a version's document is a JSON object of its own: its members are put among those of the row.
 *
 * Invariants
 *  (1) An ETag differs whenever the answer does: it names the version, the run, and all of the row that changes within a run.
 *  (2) A correction depends on the version alone: progress of a new run does not refuse it. */
#include "domain/transcript_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static enum err add_text(struct buf *b, const char *name, const char *text) {
  TRY(buf_addf(b, ",\"%s\":", name));
  return text[0] ? buf_add_json(b, str_from(text)) : buf_add(b, STR("null"));
}

static enum err add_seconds(struct buf *b, const char *name, int64_t ms) {
  TRY(buf_addf(b, ",\"%s\":", name));
  if (ms < 0) return buf_add(b, STR("null"));
  return buf_addf(b, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
}

/* "{" and what is in sight of a transcript that is made. */
static enum err add_status(struct buf *b, const struct transcript *row) {
  TRY(buf_addf(b, "\"status\":\"%s\",\"progress\":{\"done\":%" PRId64 ",\"total\":",
               transcript_status_name(row->status), row->pieces_done));
  return row->pieces_all > 0 ? buf_addf(b, "%" PRId64 "}", row->pieces_all) : buf_add(b, STR("null}"));
}

static enum err add_error(struct buf *b, enum transcript_error error) {
  if (error == TRANSCRIPT_ERROR_NONE) return buf_add(b, STR(",\"error\":null"));
  TRY(buf_addf(b, ",\"error\":{\"code\":\"%s\",\"message\":", transcript_error_code(error)));
  TRY(buf_add_json(b, str_from(transcript_error_message(error))));
  return buf_add_char(b, '}');
}

/* The maker of a version; version 0: there is none. */
static enum err add_version(struct buf *b, int64_t version, const char *edited_by, int64_t edited_at) {
  if (version == 0) return buf_add(b, STR(",\"version\":null,\"edited_by\":null,\"edited_at\":null"));
  TRY(buf_addf(b, ",\"version\":%" PRId64, version));
  TRY(add_text(b, "edited_by", edited_by));
  if (!edited_by[0]) return buf_add(b, STR(",\"edited_at\":null"));
  char at[DATE_TEXT_SIZE];
  date_format_rfc3339(edited_at, at);
  return buf_addf(b, ",\"edited_at\":\"%s\"", at);
}

enum err transcript_write_state(struct buf *b, const struct transcript *row) {
  TRY(buf_add_char(b, '{'));
  TRY(add_status(b, row));
  TRY(add_text(b, "engine", row->engine));
  TRY(add_text(b, "model", row->model));
  TRY(add_text(b, "language", row->language));
  TRY(add_seconds(b, "duration", row->duration_ms));
  TRY(add_version(b, row->version, row->edited_by, row->edited_at));
  TRY(add_error(b, row->error));
  return buf_add_char(b, '}');
}

/* The members of a document, without its braces. */
static struct str members_of(struct str document) {
  if (document.n < 2 || document.p[0] != '{' || document.p[document.n - 1] != '}') return STR_NONE;
  return str_of(document.p + 1, document.n - 2);
}

enum err transcript_write(struct buf *b, const struct transcript *row, const struct transcript_version *version,
                          struct str document) {
  struct str members = version ? members_of(document) : STR_NONE;
  TRY(buf_add_char(b, '{'));
  TRY(add_status(b, row));
  TRY(add_text(b, "engine", version ? version->engine : row->engine));
  TRY(add_text(b, "model", version ? version->model : row->model));
  if (members.n) {
    TRY(buf_add_char(b, ','));
    TRY(buf_add(b, members));
  } else {
    TRY(add_text(b, "language", row->language));
    TRY(add_seconds(b, "duration", row->duration_ms));
    TRY(buf_add(b, STR(",\"text\":null,\"segments\":[],\"gaps\":[],\"talk\":null")));
  }
  TRY(version ? add_version(b, version->version, version->edited_by, version->made_at) : add_version(b, 0, "", 0));
  TRY(add_error(b, row->error));
  return buf_add_char(b, '}');
}

enum err transcript_write_event(struct buf *b, const char *recording_sid, const struct transcript *row) {
  TRY(buf_addf(b, "{\"recording_sid\":\"%s\",", recording_sid));
  TRY(row ? add_status(b, row) : buf_add(b, STR("\"status\":null,\"progress\":{\"done\":0,\"total\":null}")));
  return buf_add_char(b, '}');
}

/* ---- ETags ---- */

void transcript_etag(const struct transcript *row, int64_t version, const char *form,
                     char ret_etag[TRANSCRIPT_ETAG_SIZE]) { /* (1) */
  (void)snprintf(ret_etag, TRANSCRIPT_ETAG_SIZE, "\"%" PRId64 "-%" PRId64 "-%d-%d-%" PRId64 "-%" PRId64 "-%s\"",
                 version, row->run, (int)row->status, (int)row->error, row->pieces_done, row->pieces_all, form);
}

/* (2) */
bool transcript_etags_have_version(struct str etags, int64_t version) {
  char wanted[32];
  int n = snprintf(wanted, sizeof(wanted), "\"%" PRId64 "-", version);
  struct str start = str_of(wanted, (size_t)n);
  bool at_start = true, quoted = false;
  for (size_t i = 0; i < etags.n; i++) {
    char c = etags.p[i];
    if (c == '"') {
      if (!quoted && at_start && etags.n - i >= start.n && memcmp(etags.p + i, start.p, start.n) == 0) return true;
      quoted = !quoted;
      at_start = false;
    } else if (!quoted && c == ',') {
      at_start = true;
    } else if (!quoted && c == '*' && at_start && etags.n == 1) {
      return version > 0;
    } else if (!quoted && c != ' ' && c != '\t') {
      at_start = false; /* W/ */
    }
  }
  return false;
}
