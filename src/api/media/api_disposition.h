/* api_disposition.h - the value of Content-Disposition for a download (RFC 6266, RFC 8187). Pure.
 *
 *   const struct disposition d = {.at_ms = …, .customer_number = …, .extension = STR("mp3")};
 *   TRY(disposition_write(&buf, &d));
 *
 * Thread rule: any thread. */
#pragma once

#include "base/buf.h"

/* Empty parts are left out together with the '_' before them. */
struct disposition {
  int64_t at_ms; /* UNIX ms: when the call or recording began; written as if it were UTC */
  struct str customer_number;
  struct str customer_name;
  struct str extension;     /* without its dot */
  struct str recording_sid; /* if not empty: written instead of hour, number and name */
};

enum { DISPOSITION_MAX = 2048 };

/* The value of Content-Disposition, appended to b:
 *   attachment; filename="2026-11-21_0800_+1555….mp3"; filename*=UTF-8''2026-11-21_0800_%2B1555…_NAME.mp3
 * or, with a recording_sid, which must be one:   attachment; filename="2026-11-21_RE….mp3"
 * The customer's name is in filename* only. Control and bidirectional characters, /\:*?"<>| and bytes that are not
 * UTF-8 are left out. Each name has at most 255 bytes, with its extension: the customer's number and name are cut between two
 * characters. ERR_TOO_BIG: b is full (DISPOSITION_MAX is enough for every name). */
CHECKED enum err disposition_write(struct buf *b, const struct disposition *d);
