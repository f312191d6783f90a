/* api_disposition.c - the value of Content-Disposition for a download. */
#include "api/media/api_disposition.h"

#include <string.h>

#include "base/clock.h"

/* File systems take names of 255 bytes. "2026-11-21", "2026-11-21_0800". */
enum { NAME_BYTES_MAX = 255, DAY_BYTES = 10, MINUTE_BYTES = 15, EXTENSION_MAX = 16 };

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

/* Adds before and part, without the characters that a file name must not have. Adds nothing if no character is left. Stops
 * before the character that does not fit into *room, which counts bytes of the decoded name. */
static enum err add_part(struct buf *b, char before, struct str part, size_t *room) {
  bool begun = false;
  size_t size = 1;
  for (size_t at = 0; at < part.n; at += size) {
    uint32_t code;
    size = str_utf8_at(part, at, &code);
    bool is_utf8 = size > 0;
    if (!is_utf8) size = 1;
    if (!is_utf8 || is_forbidden(code)) continue;
    size_t needed = begun ? size : size + 1;
    if (needed > *room) return OK;
    *room -= needed;
    if (!begun) TRY(buf_add_char(b, before));
    begun = true;
    TRY(add_encoded(b, str_of(part.p + at, size)));
  }
  return OK;
}

/* The same for clients without filename*: only ASCII that needs no quoting. Names of persons are never written this
 * way. */
static enum err add_ascii_part(struct buf *b, char before, struct str part, size_t *room) {
  bool begun = false;
  for (size_t i = 0; i < part.n; i++) {
    if (!is_plain(part.p[i]) && part.p[i] != '+') continue;
    size_t needed = begun ? 1 : 2;
    if (needed > *room) return OK;
    *room -= needed;
    if (!begun) TRY(buf_add_char(b, before));
    begun = true;
    TRY(buf_add_char(b, part.p[i]));
  }
  return OK;
}

/* The bytes that a name has for its parts, besides the date (and hour) at its start and its extension. */
static size_t room_for_parts(size_t at_bytes, struct str extension) {
  size_t taken = at_bytes + (extension.n ? 1 + extension.n : 0);
  return taken < NAME_BYTES_MAX ? NAME_BYTES_MAX - taken : 0;
}

enum err disposition_write(struct buf *b, const struct disposition *d) {
  char at[DATE_TEXT_SIZE];
  size_t room, extension_room = EXTENSION_MAX + 1;
  struct str extension = str_head_utf8(d->extension, EXTENSION_MAX);
  date_format_rfc3339(d->at_ms, at); /* 2026-11-21T08:00:00Z */
  if (d->recording_sid.n) {
    room = room_for_parts(DAY_BYTES, extension);
    TRY(buf_addf(b, "attachment; filename=\"%.10s", at));
    TRY(add_ascii_part(b, '_', d->recording_sid, &room));
    TRY(add_ascii_part(b, '.', extension, &extension_room));
    return buf_add_char(b, '"');
  }
  room = room_for_parts(MINUTE_BYTES, extension);
  TRY(buf_addf(b, "attachment; filename=\"%.10s_%.2s%.2s", at, at + 11, at + 14));
  TRY(add_ascii_part(b, '_', d->customer_number, &room));
  TRY(add_ascii_part(b, '.', extension, &extension_room));
  TRY(buf_addf(b, "\"; filename*=UTF-8''%.10s_%.2s%.2s", at, at + 11, at + 14));
  room = room_for_parts(MINUTE_BYTES, extension);
  TRY(add_part(b, '_', str_trim(d->customer_number), &room));
  TRY(add_part(b, '_', str_trim(d->customer_name), &room));
  extension_room = EXTENSION_MAX + 1;
  return add_part(b, '.', extension, &extension_room);
}
