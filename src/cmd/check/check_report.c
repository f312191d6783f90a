#include "cmd/check/check_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/cmd_print.h"

enum { REPORT_MAX = 64 * 1024 * 1024, LINE_MAX = 16 * 1024 };

static const char *const LEVELS[] = {[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL"};

void report_init(struct check_report *r, bool json) {
  *r = (struct check_report){.json = json};
  buf_init(&r->out, REPORT_MAX);
}

void report_done(struct check_report *r) {
  buf_done(&r->out);
}

enum err report_write(struct buf *b, bool json, enum check_level level, const char *about, const char *mend,
                      struct str finding) {
  if (!json)
    return buf_addf(b, "%-4s  %-9s  %.*s%s%s", LEVELS[level], about, STR_ARG(finding), mend[0] ? ": " : "", mend);
  TRY(buf_addf(b, "{\"level\":\"%s\",\"about\":\"%s\",\"finding\":", LEVELS[level], about));
  TRY(buf_add_json(b, finding));
  TRY(buf_add_char(b, ','));
  TRY(print_json_text(b, "mend", mend));
  return buf_add_char(b, '}');
}

static enum err report_add_list(struct check_report *r, enum check_level level, const char *about, const char *mend,
                                const char *format, va_list list) {
  struct buf finding CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  struct buf line CLEANUP(buf_done) = BUF_INIT(2 * LINE_MAX);
  TRY(buf_vaddf(&finding, format, list));
  if (r->json && r->out.n) TRY(buf_add_char(&r->out, ','));
  if (r->json) return report_write(&r->out, true, level, about, mend, buf_str(&finding));
  TRY(report_write(&line, false, level, about, mend, buf_str(&finding)));
  return print_line(&line); /* printed at once: the next check may take seconds */
}

void report_add(struct check_report *r, enum check_level level, const char *about, const char *mend, const char *format,
                ...) {
  va_list list;
  va_start(list, format);
  enum err e = report_add_list(r, level, about, mend, format, list);
  va_end(list);
  r->counts[level]++;
  if (r->trouble == OK) r->trouble = e;
}

enum err report_print(struct check_report *r) {
  struct buf all CLEANUP(buf_done) = BUF_INIT(REPORT_MAX + LINE_MAX);
  TRY(r->trouble);
  if (!r->json)
    return printf("%d ok, %d warn, %d FAIL\n", r->counts[CHECK_OK], r->counts[CHECK_WARN], r->counts[CHECK_FAIL]) > 0
               ? OK
               : ERR_IO;
  TRY(buf_add(&all, STR("{\"findings\":[")));
  TRY(buf_add(&all, buf_str(&r->out)));
  TRY(buf_addf(&all, "],\"ok\":%d,\"warn\":%d,\"fail\":%d}", r->counts[CHECK_OK], r->counts[CHECK_WARN],
               r->counts[CHECK_FAIL]));
  return print_line(&all);
}
