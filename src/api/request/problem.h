/* problem.h - the one place that turns errors into HTTP: RFC 9457 problems, all of them listed in problem.def.
 *
 *   problem_answer(x, PROBLEM_NOT_FOUND, NULL);
 *   problem_answer_field(x, STR("since"));  400 that names what is wrong
 *   problem_answer_err(x, e);               what a failed read or write means to who asked
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

/* What a problem says beyond its row of the table. */
struct problem_words {
  const char *code;      /* NULL: the table's */
  struct str detail;     /* empty: the table's */
  int64_t retry_after_s; /* 0: the table's */
};

enum { PROBLEM_SIZE_MAX = 2048 };

int problem_status(enum problem p);
const char *problem_code(enum problem p);
/* Seconds for Retry-After; 0: none. */
int64_t problem_retry_after_s(enum problem p, const struct problem_words *words);
/* The row for a status that the engine refuses with by itself. */
enum problem problem_of_status(int status);
enum problem problem_of_err(enum err e);
/* The document. words may be NULL. */
CHECKED enum err problem_write(struct buf *b, enum problem p, const struct problem_words *words);

/* Answers. fields begin with answer_fields, and may hold more; NULL: these alone. */
void problem_answer(struct http_exchange *x, enum problem p, const struct problem_words *words);
void problem_answer_with(struct http_exchange *x, struct http_fields *fields, enum problem p,
                         const struct problem_words *words);
void problem_answer_detail(struct http_exchange *x, enum problem p, const char *detail);
void problem_answer_field(struct http_exchange *x, struct str field);
void problem_answer_err(struct http_exchange *x, enum err e);
/* What a recording that can't be played is. Not for PLAYBACK_FILE. */
void problem_answer_playback(struct http_exchange *x, struct http_fields *fields, const struct playback *p);
