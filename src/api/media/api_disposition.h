/* api_disposition.h - what a downloaded recording is called (RFC 6266). Pure. */
#pragma once

#include "base/buf.h"

/* Empty parts are left out, with their '_'. */
struct disposition {
  int64_t at_ms; /* when the call or recording began */
  struct str customer_number;
  struct str customer_name;
  struct str extension;     /* without its dot */
  struct str recording_sid; /* instead of hour, number and name, for who is not to know them */
};

enum { DISPOSITION_MAX = 2048 };

/* The value of Content-Disposition, appended to b:
 *   attachment; filename="2026-11-21_0800_+1555….mp3"; filename*=UTF-8''2026-11-21_0800_%2B1555…_NAME.mp3
 * or, with a recording_sid, which must be one:   attachment; filename="2026-11-21_RE….mp3"
 * The customer's name stands in filename* only. Control and bidi characters, /\:*?"<>| and what is no UTF-8 are left
 * out. */
CHECKED enum err disposition_write(struct buf *b, const struct disposition *d);
