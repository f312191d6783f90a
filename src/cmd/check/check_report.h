/* check_report.h - what the doctor found: a line a finding, its level first, how to mend it last.
 *
 *   report_add(&r, CHECK_FAIL, "secrets", "chmod 600 data/secrets.key", "%s can be read by others", path);
 *   FAIL  secrets    data/secrets.key can be read by others: chmod 600 data/secrets.key
 *
 * Thread rule: one owner. */
#pragma once

#include "base/buf.h"

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check_report {
  bool json;
  int counts[3];    /* by level */
  struct buf out;   /* JSON of all findings; text is printed line by line */
  enum err trouble; /* why the report is not whole */
};

void report_init(struct check_report *r, bool json);
void report_done(struct check_report *r);
/* mend: what to do, "" where nothing is to be done. */
void report_add(struct check_report *r, enum check_level level, const char *about, const char *mend, const char *format,
                ...) PRINTF(5, 6);
/* The last line, or all of the JSON. ERR_IO when it can't be written. */
CHECKED enum err report_print(struct check_report *r);
/* One finding as a line without its end, or as an object. Pure. */
CHECKED enum err report_write(struct buf *b, bool json, enum check_level level, const char *about, const char *mend,
                              struct str finding);
