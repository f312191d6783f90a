/* verify_report.c - what `verify` prints: a line or an object for each finding, and the sums at the end. */
#include <stdio.h>

#include "cmd/cmd_print.h"
#include "cmd/verify/verify_parts.h"

enum { LINE_MAX = 8192 };

static const struct {
  const char *name, *text, *repaired;
} KINDS[] = {
    [VERIFY_MISSING] = {"missing", "its file does not exist", "marked as missing, fetched again at the next play"},
    [VERIFY_LENGTH] = {"length", "its file has another length", "renamed to .bad, fetched again at the next play"},
    [VERIFY_CHECKSUM] = {"checksum", "its file has another checksum",
                         "renamed to .bad, fetched again at the next play"},
    [VERIFY_UNREAD] = {"unreadable", "its file can't be read", ""},
    [VERIFY_FOUND] = {"found", "a complete file of a recording that is not ready", "adopted"},
    [VERIFY_BAD] = {"damaged", "it is not the recording that it is named after", "renamed to .bad"},
    [VERIFY_STRAY] = {"stray", "no recording refers to this file", ""},
    [VERIFY_PART] = {"part", "its fill has ended", "removed"},
};

const char *verify_kind_name(enum verify_kind kind) {
  return KINDS[kind].name;
}
const char *verify_kind_text(enum verify_kind kind) {
  return KINDS[kind].text;
}

static enum err verify_write_finding(struct buf *b, enum verify_kind kind, const char *name,
                                     const struct recording *row, bool is_repaired) {
  TRY(buf_addf(b, "{\"kind\":\"%s\",\"name\":", verify_kind_name(kind)));
  TRY(buf_add_json(b, str_from(name)));
  if (row)
    TRY(buf_addf(b, ",\"business_id\":%lld,\"recording_sid\":\"%s\"", (long long)row->business_id, row->recording_sid));
  else
    TRY(buf_add(b, STR(",\"business_id\":null,\"recording_sid\":null")));
  return buf_addf(b, ",\"repaired\":%s}", is_repaired ? "true" : "false");
}

enum err verify_report_finding(struct verify *v, enum verify_kind kind, const char *name, const struct recording *row,
                               bool is_repaired) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  v->found[kind]++;
  v->repaired[kind] += is_repaired;
  progress_end(&v->progress);
  if (v->args->json) {
    TRY(verify_write_finding(&b, kind, name, row, is_repaired));
    if (v->listed++) (void)putchar(',');
  } else {
    TRY(buf_addf(&b, "%-10s  ", verify_kind_name(kind)));
    TRY(buf_add_json(&b, str_from(name))); /* a stray may have any name */
    TRY(buf_addf(&b, "  %s%s%s", verify_kind_text(kind), is_repaired ? ": " : "",
                 is_repaired ? KINDS[kind].repaired : ""));
  }
  return print_line(&b);
}

int verify_report_end(struct verify *v) {
  int64_t found = 0, repaired = 0;
  for (int k = 0; k < VERIFY_KIND_COUNT_; k++) {
    found += v->found[k];
    repaired += v->repaired[k];
  }
  long long left = (long long)(found - repaired);
  if (v->args->json)
    printf("],\"files\":%lld,\"bytes\":%lld,\"found\":%lld,\"repaired\":%lld,\"left\":%lld,\"set_aside\":%lld}\n",
           (long long)v->files, (long long)v->bytes, (long long)found, (long long)repaired, left,
           (long long)v->set_aside);
  else
    printf("%lld files, %.1f MB: %lld findings, %lld repaired, %lld left.%s\n", (long long)v->files,
           (double)v->bytes / 1e6, (long long)found, (long long)repaired, left,
           left && !v->repair ? " callreel verify --repair repairs what it can." : "");
  if (fflush(stdout) != 0) return cmd_fail(v->args, "standard output can't be written");
  return left ? CMD_FAILED : CMD_DONE;
}
