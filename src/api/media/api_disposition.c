/* api_disposition.c - the value of Content-Disposition for a download. */
#include "api/media/api_disposition.h"

#include <string.h>

#include "base/clock.h"

static bool is_direction_mark(uint32_t code) {
  return code == 0x61c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

static bool is_forbidden(uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029) return true;
  return is_direction_mark(code) || (code < 0x80 && strchr("/\\:*?\"<>|", (int)code));
}

/* Letters, digits and "-._~": of attr-char (RFC 8187, section 3.2.1) only what every decoder reads alike. */
static bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static enum err add_encoded(struct buf *b, struct str text) {
  for (size_t i = 0; i < text.n; i++) {
    if (is_plain(text.p[i]))
      TRY(buf_add_char(b, text.p[i]));
    else
      TRY(buf_addf(b, "%%%02X", (unsigned)(unsigned char)text.p[i]));
  }
  return OK;
}

/* Adds before and part, without the characters that a file name must not have. Adds nothing if no character is left. */
static enum err add_part(struct buf *b, char before, struct str part) {
  bool begun = false;
  size_t size = 1;
  for (size_t at = 0; at < part.n; at += size) {
    uint32_t code;
    size = str_utf8_at(part, at, &code);
    bool is_utf8 = size > 0;
    if (!is_utf8) size = 1;
    if (!is_utf8 || is_forbidden(code)) continue;
    if (!begun) TRY(buf_add_char(b, before));
    begun = true;
    TRY(add_encoded(b, str_of(part.p + at, size)));
  }
  return OK;
}

/* The same for clients without filename*: only ASCII that needs no quoting. Names of persons are never written this
 * way. */
static enum err add_ascii_part(struct buf *b, char before, struct str part) {
  bool begun = false;
  for (size_t i = 0; i < part.n; i++) {
    if (!is_plain(part.p[i]) && part.p[i] != '+') continue;
    if (!begun) TRY(buf_add_char(b, before));
    begun = true;
    TRY(buf_add_char(b, part.p[i]));
  }
  return OK;
}

enum err disposition_write(struct buf *b, const struct disposition *d) {
  char at[DATE_TEXT_SIZE];
  date_format_rfc3339(d->at_ms, at); /* 2026-11-21T08:00:00Z */
  if (d->recording_sid.n) {
    TRY(buf_addf(b, "attachment; filename=\"%.10s", at));
    TRY(add_ascii_part(b, '_', d->recording_sid));
    TRY(add_ascii_part(b, '.', d->extension));
    return buf_add_char(b, '"');
  }
  TRY(buf_addf(b, "attachment; filename=\"%.10s_%.2s%.2s", at, at + 11, at + 14));
  TRY(add_ascii_part(b, '_', d->customer_number));
  TRY(add_ascii_part(b, '.', d->extension));
  TRY(buf_addf(b, "\"; filename*=UTF-8''%.10s_%.2s%.2s", at, at + 11, at + 14));
  TRY(add_part(b, '_', str_trim(d->customer_number)));
  TRY(add_part(b, '_', str_trim(d->customer_name)));
  return add_part(b, '.', d->extension);
}
