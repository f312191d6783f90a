/* log.h - one event a line, for operators and for programs.
 *
 *   log_info("Recording saved", LOG_INT("business", 1), LOG_STR("recording", sid), LOG_INT("bytes", size));
 *   ts=2026-11-21T08:00:00.123Z level=info msg="Recording saved" business=1 recording=RE… bytes=4000
 *
 * The message is a fixed phrase; foreign text is a value: quoted unless it is plain, its control
 * characters escaped, cut at 512 bytes. No secret, signature, credential, signed URL or transcript is ever a value.
 * The caller that decides what happens next logs, once; low floors return errors. Each line is written with one write(2) to
 * standard error.
 * Thread rule: any thread; log_set_* before threads start. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
  const char *name; /* NULL ends the list */
  enum { LOG_FIELD_INT, LOG_FIELD_STR, LOG_FIELD_REAL } kind;
  union {
    int64_t i;
    double d;
    struct str s;
  } v;
};

#define LOG_INT(field, value) ((struct log_field){.name = (field), .kind = LOG_FIELD_INT, .v.i = (int64_t)(value)})
#define LOG_REAL(field, value) ((struct log_field){.name = (field), .kind = LOG_FIELD_REAL, .v.d = (value)})
#define LOG_STR(field, value) ((struct log_field){.name = (field), .kind = LOG_FIELD_STR, .v.s = (value)})
#define LOG_TEXT(field, value) LOG_STR(field, str_from(value))
#define LOG_ERR(value) LOG_TEXT("error", err_text(value))

#define log_at(level, ...) LOG_FIRST_(level, __VA_ARGS__, {.name = NULL})
#define LOG_FIRST_(level, message, ...)                                                       \
  do {                                                                                        \
    if (log_enabled(level)) log_write((level), (message), (struct log_field[]){__VA_ARGS__}); \
  } while (0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

bool log_enabled(enum log_level level);
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
void log_set_fd(int fd); /* default 2 */
/* Writes text as a value that needs quotes stands in a line: between quotation marks, with escapes, cut at 512 bytes. The
 * buffer holds size bytes; LOG_QUOTED_SIZE is enough for any text. */
enum { LOG_QUOTED_SIZE = 3100 };
void log_quote(struct str text, char *ret_text, size_t size);
void log_write(enum log_level level, const char *message, const struct log_field *fields);
