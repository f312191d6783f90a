#include "base/problem_text.h"

enum err problem_text_set(struct buf *problem, enum err e, const char *format, ...) {
  if (!problem) return e;
  buf_clear(problem);
  va_list args;
  va_start(args, format);
  if (buf_vaddf(problem, format, args) != OK) buf_clear(problem);
  va_end(args);
  return e;
}
