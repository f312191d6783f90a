/* check_report.h - collects and prints the findings of `callreel check`: one line each, with its level and what to do.
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
  int counts[3];    /* findings, by level */
  struct buf out;   /* with json: all findings so far; text is printed at once */
  enum err trouble; /* the first error of memory or output; the report is incomplete then */
};

void report_init(struct check_report *r, bool json);
void report_done(struct check_report *r);
/* about: the subject, one word. mend: the step that the operator must take, or "". format: the finding. */
void report_add(struct check_report *r, enum check_level level, const char *about, const char *mend, const char *format,
                ...) PRINTF(5, 6);
/* Prints the last line with the counts, or all of the JSON. ERR_IO: standard output can't be written. */
CHECKED enum err report_print(struct check_report *r);
/* Appends one finding: a line without its newline, or a JSON object. Pure. */
CHECKED enum err report_write(struct buf *b, bool json, enum check_level level, const char *about, const char *mend,
                              struct str finding);
