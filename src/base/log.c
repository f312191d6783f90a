/* log.c - one event a line, built in a buffer of the stack and written at once.
 *
 * Invariants
 *  (1) A line has no control character but its last byte, no quotation mark of a value, no character that turns
 *      the direction of text, and is UTF-8: such characters in a value are escaped.
 *  (2) A line is one write(2) of at most LINE_MAX_BYTES: lines of several threads and processes never mix on a pipe.
 *      Fields that do not fit are left out whole, and counted in left_out.
 *  (3) No lock and no allocation: any thread logs at any time, also when memory is short. */
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metric.h"

enum {
  LINE_MAX_BYTES = 4096, /* PIPE_BUF: what a pipe takes in one piece */
  TAIL_BYTES = 32,       /* kept for left_out, the closing brace and the end of the line */
  VALUE_MAX_BYTES = 512
};

struct line {
  char text[LINE_MAX_BYTES];
  size_t n;
  size_t max;
  bool full; /* something did not fit */
  bool json;
};

static _Atomic int least_level = LOG_INFO;
static _Atomic int chosen_format = LOG_LOGFMT;
static _Atomic int chosen_fd = STDERR_FILENO;

bool log_enabled(enum log_level level) {
  return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_set_level(enum log_level level) {
  least_level = level;
}

void log_set_format(enum log_format format) {
  chosen_format = format;
}

void log_set_fd(int fd) {
  chosen_fd = fd;
}

static void line_add(struct line *l, struct str s) {
  if (l->full || s.n > l->max - l->n) {
    l->full = true;
    return;
  }
  if (s.n) memcpy(l->text + l->n, s.p, s.n);
  l->n += s.n;
}

PRINTF(2, 3) static void line_addf(struct line *l, const char *format, ...) {
  char text[64];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof(text)) {
    l->full = true;
  } else {
    line_add(l, str_of(text, (size_t)n));
  }
}

/* Invisible characters, and those that change how their neighbours are displayed. */
static bool is_hidden(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c || code == 0x180e ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
         (code >= 0xe0000 && code <= 0xe007f);
}

static void add_hidden(struct line *l, uint32_t code) {
  if (code == '\n') return line_add(l, STR("\\n"));
  if (code == '\r') return line_add(l, STR("\\r"));
  if (code == '\t') return line_add(l, STR("\\t"));
  if (code <= 0xffff) return line_addf(l, "\\u%04x", (unsigned)code);
  code -= 0x10000;
  line_addf(l, "\\u%04x\\u%04x", (unsigned)(0xd800 + (code >> 10)), (unsigned)(0xdc00 + (code & 0x3ff)));
}

static void add_quoted(struct line *l, struct str s) {
  line_add(l, STR("\""));
  size_t at = 0;
  while (at < s.n && at < VALUE_MAX_BYTES) {
    uint32_t code;
    size_t size = str_utf8_at(s, at, &code);
    if (size && at + size > VALUE_MAX_BYTES) break;
    if (size == 0) {
      if (l->json) line_add(l, STR("\\ufffd"));
      if (!l->json) line_addf(l, "\\x%02x", (unsigned)(unsigned char)s.p[at]);
    } else if (is_hidden(code)) {
      add_hidden(l, code);
    } else {
      if (code == '"' || code == '\\') line_add(l, STR("\\"));
      line_add(l, str_of(s.p + at, size));
    }
    at += size ? size : 1;
  }
  line_add(l, at < s.n ? STR("\xe2\x80\xa6\"") : STR("\"")); /* an ellipsis if the value was cut */
}

void log_quote(struct str text, char *ret_text, size_t size) {
  struct line l = {.max = size - 1 < LINE_MAX_BYTES ? size - 1 : LINE_MAX_BYTES};
  add_quoted(&l, text);
  memcpy(ret_text, l.text, l.n);
  ret_text[l.n] = '\0';
}

static bool is_plain(struct str s) {
  if (s.n == 0 || s.n > VALUE_MAX_BYTES) return false;
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

static void add_value(struct line *l, const struct log_field *f) {
  if (f->kind == LOG_FIELD_INT) {
    line_addf(l, "%lld", (long long)f->v.i);
  } else if (f->kind == LOG_FIELD_REAL) {
    if (isfinite(f->v.d)) return line_addf(l, "%.6g", f->v.d);
    line_add(l, l->json ? STR("null") : STR("none"));
  } else if (!l->json && is_plain(f->v.s)) {
    line_add(l, f->v.s);
  } else {
    add_quoted(l, f->v.s);
  }
}

static void add_field(struct line *l, const struct log_field *f) {
  line_add(l, l->json ? STR(",\"") : STR(" "));
  line_add(l, str_from(f->name));
  line_add(l, l->json ? STR("\":") : STR("="));
  add_value(l, f);
}

static void add_start(struct line *l, enum log_level level, const char *message) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  char ts[DATE_TEXT_SIZE];
  date_format_rfc3339(clock_now_ms(), ts);
  line_addf(l, l->json ? "{\"ts\":\"%s\",\"level\":\"%s\"" : "ts=%s level=%s", ts, names[level]);
  line_add(l, l->json ? STR(",\"msg\":") : STR(" msg="));
  add_quoted(l, str_from(message));
}

/* Returns how many did not fit (2). */
static unsigned add_fields(struct line *l, const struct log_field *fields) {
  unsigned left_out = 0;
  for (const struct log_field *f = fields; f->name; f++) {
    size_t before = l->n;
    add_field(l, f);
    if (!l->full) continue;
    l->n = before;
    l->full = false;
    left_out++;
  }
  return left_out;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields) {
  struct line l;
  l.n = 0;
  l.max = LINE_MAX_BYTES - TAIL_BYTES;
  l.full = false;
  l.json = chosen_format == LOG_JSON;
  add_start(&l, level, message);
  unsigned left_out = add_fields(&l, fields);
  l.max = LINE_MAX_BYTES;
  if (left_out) add_field(&l, &LOG_INT("left_out", left_out));
  line_add(&l, l.json ? STR("}\n") : STR("\n"));
  metric_add(METRIC_LOG_LINES, level, 1);
  int fd = chosen_fd;
  while (write(fd, l.text, l.n) < 0 && errno == EINTR) continue; /* another error can't be reported anywhere */
}
