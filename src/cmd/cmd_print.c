#include "cmd/cmd_print.h"

#include <stdio.h>
#include <string.h>

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
