/* cmd_import.c - takes the calls and files of an earlier system. Can run beside servers, and again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "cmd/cmd_print.h"
#include "cmd/import/import_parts.h"

enum { LINE_MAX = 16 * 1024 };

static const struct {
  const char *word, *text;
} REFUSALS[IMPORT_REFUSAL_COUNT_] = {
#define REFUSAL(name, word_, text_) [IMPORT_##name] = {word_, text_},
#include "cmd/import/import_refusal.def"
#undef REFUSAL
};

static enum err write_refusal(struct buf *b, const struct import *im, const char *file, int64_t row,
                              enum import_refusal why) {
  if (im->args->json) {
    TRY(buf_addf(b, "%s{\"file\":", im->refused > 1 ? "," : ""));
    TRY(file ? buf_add_json(b, str_from(file)) : buf_add(b, STR("null")));
    TRY(row ? buf_addf(b, ",\"row\":%lld", (long long)row) : buf_add(b, STR(",\"row\":null")));
    return buf_addf(b, ",\"why\":\"%s\"}", REFUSALS[why].word);
  }
  TRY(buf_add(b, im->compares ? STR("differs  ") : STR("refused  ")));
  TRY(file ? buf_add_json(b, str_from(file)) : buf_addf(b, "row %lld", (long long)row));
  return buf_addf(b, "  %s", REFUSALS[why].text);
}

void import_refuse(struct import *im, const char *file, int64_t row, enum import_refusal why) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(LINE_MAX);
  im->refused++;
  progress_end(&im->progress);
  if (write_refusal(&b, im, file, row, why) == OK) IGNORE(print_line(&b)); /* the end of the command tells of it */
}

static int import_report(const struct import *im) {
  if (im->args->json)
    printf(
        "],\"rows\":%lld,\"calls\":%lld,\"files\":%lld,\"linked\":%lld,\"copied\":%lld,\"already\":%lld,"
        "\"bytes\":%lld,\"refused_count\":%lld}\n",
        (long long)im->rows, (long long)im->calls, (long long)im->files, (long long)im->linked, (long long)im->copied,
        (long long)im->already, (long long)im->bytes, (long long)im->refused);
  else if (im->compares)
    printf("%lld rows and %lld files compared: %lld files are the same; %lld rows and files differ.\n",
           (long long)im->rows, (long long)im->files, (long long)im->already, (long long)im->refused);
  else
    printf(
        "%lld rows, %lld calls with news; %lld files: %lld linked, %lld copied (%.1f MB), %lld there already; "
        "%lld rows and files refused.\n",
        (long long)im->rows, (long long)im->calls, (long long)im->files, (long long)im->linked, (long long)im->copied,
        (double)im->bytes / 1e6, (long long)im->already, (long long)im->refused);
  return im->refused ? CMD_FAILED : CMD_DONE;
}

/* Files of the store itself are verify's. */
static bool is_the_store(const struct import *im) {
  struct stat a, b;
  return fstat(im->dir, &a) == 0 && fstat(blob_directory_fd(im->store), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

static int import_run(struct import *im, const char *directory) {
  int code = app_open(&im->app, im->args);
  if (code == CMD_DONE) code = app_require_business(&im->app, im->args, im->business_id);
  if (code == CMD_DONE) code = app_open_store(&im->app, im->args, &im->store);
  if (code != CMD_DONE) return code;
  enum err e = fs_open_root(directory, false, &im->dir);
  if (e != OK) return cmd_fail(im->args, "%s: %s", directory, err_text(e));
  if (is_the_store(im)) return cmd_fail(im->args, "%s is RECORDINGS_DIR itself; callreel verify --repair", directory);
  if (im->args->json) (void)fputs("{\"refused\":[", stdout);
  if (im->calls_file || im->calls_url) code = import_rows(im);
  if (code != CMD_DONE) return code;
  e = import_files(im);
  if (e != OK) return app_fail(im->args, im->app.db, e);
  return import_report(im);
}

static int import_read_options(struct import *im, struct cmd_options *o, const char **ret_directory) {
  const struct cmd_args *args = im->args;
  const char *business = cmd_option(o, "--business"), *column;
  im->calls_file = cmd_option(o, "--calls");
  im->calls_url = cmd_option(o, "--calls-from");
  const char *table = cmd_option(o, "--table");
  im->table = table ? table : "call_log";
  while ((column = cmd_option_next(o, "--column"))) {
    if (im->column_count == COUNT_OF(im->columns)) return cmd_misuse(args, "too many --column");
    im->columns[im->column_count++] = column;
  }
  im->compares = cmd_flag(o, "--compare");
  bool link = cmd_flag(o, "--link"), copy = cmd_flag(o, "--copy");
  im->how = link ? IMPORT_LINK : copy ? IMPORT_COPY : IMPORT_EITHER;
  *ret_directory = cmd_word(o);
  if (!cmd_options_end(o)) return CMD_USAGE;
  if (!*ret_directory) return cmd_misuse(args, "DIR is missing");
  if (link && copy) return cmd_misuse(args, "--link and --copy exclude each other");
  if (im->calls_file && im->calls_url) return cmd_misuse(args, "--calls and --calls-from exclude each other");
  if (!business && !im->calls_file && !im->calls_url) return cmd_misuse(args, "--business is missing");
  if (business && !cmd_number("--business", business, 1, INT64_MAX, &im->business_id)) return CMD_USAGE;
  return CMD_DONE;
}

int cmd_import(const struct cmd_args *args) {
  struct import im = {.args = args, .app = APP_NONE, .dir = -1};
  struct cmd_options o;
  const char *directory = NULL;
  cmd_options_init(&o, args);
  int code = import_read_options(&im, &o, &directory);
  im.app.is_patient = true;
  if (code == CMD_DONE) code = import_run(&im, directory);
  fs_close_(&im.dir);
  import_index_done(&im.index);
  im.store = blob_close(im.store);
  app_done(&im.app);
  return code;
}
