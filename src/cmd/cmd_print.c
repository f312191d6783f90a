#include "cmd/cmd_print.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

const char *print_time(int64_t ms, char ret_text[PRINT_TIME_SIZE]) {
  char text[DATE_TEXT_SIZE];
  if (ms == 0) return "-";
  date_format_rfc3339(ms, text);
  (void)snprintf(ret_text, PRINT_TIME_SIZE, "%.10s %.5s", text, text + 11);
  return ret_text;
}

_Static_assert((int)PRINT_NAME_SIZE == (int)LOG_QUOTED_SIZE, "any quoted text fits");

const char *print_name(const char *text, char ret_text[PRINT_NAME_SIZE]) {
  struct str s = str_from(text);
  if (s.n == 0) return "-";
  log_quote(s, ret_text, PRINT_NAME_SIZE);
  size_t n = strlen(ret_text);
  return n == s.n + 2 && memcmp(ret_text + 1, text, s.n) == 0 ? text : ret_text; /* nothing was escaped */
}

/* In single quotes, if a shell would not take the text as it is. */
static enum err print_quoted(struct buf *b, struct str text) {
  bool is_plain = text.n > 0;
  for (size_t i = 0; i < text.n; i++)
    is_plain = is_plain && text.p[i] && (isalnum((unsigned char)text.p[i]) || strchr("/._-+:=@%,", text.p[i]));
  if (is_plain) return buf_add(b, text);
  TRY(buf_add_char(b, '\''));
  for (size_t i = 0; i < text.n; i++) TRY(text.p[i] == '\'' ? buf_add(b, STR("'\\''")) : buf_add_char(b, text.p[i]));
  return buf_add_char(b, '\'');
}

static enum err print_setting(struct buf *b, const char *name, const char *value) {
  TRY(buf_addf(b, "%s=", name));
  TRY(print_quoted(b, str_from(value)));
  return buf_add_char(b, ' ');
}

enum err print_program(struct buf *b, const struct app *app, const struct cmd_args *args) {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
  TRY(print_setting(b, "DATA_DIR", app->data_dir));
  if (app->conf.database_url &&
      str_starts(str_from(app->database_url), STR("sqlite:"))) /* another may hold a password */
    TRY(print_setting(b, "DATABASE_URL", app->database_url));
  if (app->conf.recordings_dir) TRY(print_setting(b, "RECORDINGS_DIR", app->recordings_dir));
  TRY(print_setting(b, "LISTEN", app->conf.listen));
  if (app->conf.public_base_url) TRY(print_setting(b, "PUBLIC_BASE_URL", app->conf.public_base_url));
  TRY(print_quoted(b, n > 0 ? str_of(path, (size_t)n) : STR("callreel")));
  char *config CLEANUP(free_char) = args->config ? realpath(args->config, NULL) : NULL;
  if (!config) return OK;
  TRY(buf_add(b, STR(" --config ")));
  return print_quoted(b, str_from(config));
}

enum err print_line(const struct buf *b) {
  bool written = fwrite(b->p, 1, b->n, stdout) == b->n && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
  return written ? OK : ERR_IO;
}

enum err print_json_text(struct buf *b, const char *name, const char *text) {
  TRY(buf_addf(b, "\"%s\":", name));
  return text[0] ? buf_add_json(b, str_from(text)) : buf_add(b, STR("null"));
}

enum err print_json_time(struct buf *b, const char *name, int64_t ms) {
  char text[DATE_TEXT_SIZE] = "";
  if (ms) date_format_rfc3339(ms, text);
  return print_json_text(b, name, text);
}
