/* problem.h - turns errors into HTTP answers (RFC 9457). problem.def lists every problem. No other file does this.
 *
 *   problem_answer(x, PROBLEM_NOT_FOUND, NULL);
 *   problem_answer_field(x, STR("since"));  400 that names the field
 *   problem_answer_err(x, e);               the answer for the error of a failed read or write
 *
 * Thread rule: the exchange's loop; problem_write, problem_of_status and problem_of_err are pure. */
#pragma once

#include "base/buf.h"
#include "domain/playback.h"
#include "http/http.h"

enum problem {
#define PROBLEM(name, ...) PROBLEM_##name,
#include "api/request/problem.def"
#undef PROBLEM
  PROBLEM_COUNT_
};

/* Values that replace those of a problem's row in problem.def. */
struct problem_words {
  const char *code;      /* NULL: the row's */
  struct str detail;     /* empty: the row's */
  int64_t retry_after_s; /* 0: the row's */
};

enum { PROBLEM_SIZE_MAX = 2048 };

int problem_status(enum problem p);
const char *problem_code(enum problem p);
/* Seconds for Retry-After; 0: none. */
int64_t problem_retry_after_s(enum problem p, const struct problem_words *words);
/* The problem for a status with which the HTTP engine refused a request by itself. */
enum problem problem_of_status(int status);
/* The problem for an error of a read, a write or an allocation. */
enum problem problem_of_err(enum err e);
/* Appends the JSON document to b. words: may be NULL. */
CHECKED enum err problem_write(struct buf *b, enum problem p, const struct problem_words *words);

/* These send the answer. words: may be NULL. fields: begun with answer_fields; may have more fields. */
void problem_answer(struct http_exchange *x, enum problem p, const struct problem_words *words);
void problem_answer_with(struct http_exchange *x, struct http_fields *fields, enum problem p,
                         const struct problem_words *words);
void problem_answer_detail(struct http_exchange *x, enum problem p, const char *detail);
void problem_answer_field(struct http_exchange *x, struct str field);
void problem_answer_err(struct http_exchange *x, enum err e);
/* Answers with the reason why a recording can't be played. p is not PLAYBACK_FILE. */
void problem_answer_playback(struct http_exchange *x, struct http_fields *fields, const struct playback *p);
