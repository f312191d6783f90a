/* problem.c - answers errors as HTTP problems.
 *
 * Invariants
 *  (1) `type` is about:blank and `title` is the status's phrase (RFC 9457 section 4.2.1). `code` says to programs what
 *      happened, `detail` says it to people.
 *  (2) A detail names fields and parameters, but never contains a value from outside. */
#include "api/request/problem.h"

#include <assert.h>

#include "api/request/api_answer.h"

enum { FIELD_SHOWN_MAX = 64 };

static const struct {
  int status;
  const char *code;
  int64_t retry_after_s;
  const char *detail;
} rows[PROBLEM_COUNT_] = {
#define PROBLEM(name, status_, code_, retry_after_s_, detail_) \
  [PROBLEM_##name] = {status_, code_, retry_after_s_, detail_},
#include "api/request/problem.def"
#undef PROBLEM
};

int problem_status(enum problem p) {
  assert(p < PROBLEM_COUNT_);
  return rows[p].status;
}

const char *problem_code(enum problem p) {
  assert(p < PROBLEM_COUNT_);
  return rows[p].code;
}

int64_t problem_retry_after_s(enum problem p, const struct problem_words *words) {
  return words && words->retry_after_s ? words->retry_after_s : rows[p].retry_after_s;
}

enum problem problem_of_status(int status) {
  for (enum problem p = 0; p < PROBLEM_COUNT_; p++)
    if (rows[p].status == status) return p;
  return status < 500 ? PROBLEM_BAD_REQUEST : PROBLEM_INTERNAL;
}

enum problem problem_of_err(enum err e) {
  switch (e) {
    case ERR_NOT_FOUND:
      return PROBLEM_NOT_FOUND;
    case ERR_CONFLICT:
    case ERR_EXISTS:
      return PROBLEM_CONFLICT;
    case ERR_BUSY:
    case ERR_NOMEM:
      return PROBLEM_BUSY;
    case ERR_CLOSED:
      return PROBLEM_UNAVAILABLE;
    case ERR_TIMEOUT:
      return PROBLEM_TOO_SLOW;
    default:
      return PROBLEM_DATABASE;
  }
}

enum err problem_write(struct buf *b, enum problem p, const struct problem_words *words) {
  const char *code = words && words->code ? words->code : rows[p].code;
  struct str detail = words && words->detail.n ? words->detail : str_from(rows[p].detail);
  struct str title = http_status_phrase(rows[p].status);
  TRY(buf_addf(b, "{\"type\":\"about:blank\",\"title\":\"%.*s\",\"status\":%d,\"code\":\"%s\",\"detail\":",
               (int)title.n, title.p, rows[p].status, code));
  TRY(buf_add_json(b, detail));
  return buf_add_char(b, '}');
}

void problem_answer_with(struct http_exchange *x, struct http_fields *fields, enum problem p,
                         const struct problem_words *words) {
  int64_t retry_after_s = problem_retry_after_s(p, words);
  if (retry_after_s) answer_field_int(fields, STR("Retry-After"), retry_after_s);
  if (rows[p].status == 401) http_field(fields, STR("WWW-Authenticate"), STR("Bearer"));
  struct buf b CLEANUP(buf_done) = BUF_INIT(PROBLEM_SIZE_MAX);
  if (problem_write(&b, p, words) != OK) buf_clear(&b); /* out of memory: the answer has no body */
  answer_bytes(x, rows[p].status, fields, STR("application/problem+json"), buf_str(&b));
}

void problem_answer(struct http_exchange *x, enum problem p, const struct problem_words *words) {
  struct http_fields fields;
  answer_fields(&fields);
  problem_answer_with(x, &fields, p, words);
}

void problem_answer_detail(struct http_exchange *x, enum problem p, const char *detail) {
  problem_answer(x, p, &(struct problem_words){.detail = str_from(detail)});
}

void problem_answer_field(struct http_exchange *x, struct str field) {
  struct buf b CLEANUP(buf_done) = BUF_INIT(256);
  struct problem_words words = {.detail = STR_NONE};
  field = str_head_utf8(field, FIELD_SHOWN_MAX);
  if (buf_addf(&b, "Missing or not valid: %.*s.", STR_ARG(field)) == OK) words.detail = buf_str(&b);
  problem_answer(x, PROBLEM_BAD_REQUEST, &words);
}

void problem_answer_err(struct http_exchange *x, enum err e) {
  problem_answer(x, problem_of_err(e), NULL);
}

void problem_answer_playback(struct http_exchange *x, struct http_fields *fields, const struct playback *p) {
  struct problem_words words = {.retry_after_s = p->retry_after_s};
  if (p->error != RECORDING_NONE) {
    words.code = recording_error_code(p->error);
    words.detail = str_from(recording_error_message(p->error));
  }
  switch (p->kind) {
    case PLAYBACK_GONE:
      problem_answer_with(x, fields, PROBLEM_GONE, NULL);
      return;
    case PLAYBACK_NOT_FOUND:
      problem_answer_with(x, fields, PROBLEM_NOT_FOUND, &words);
      return;
    case PLAYBACK_BROKEN:
      problem_answer_with(x, fields, PROBLEM_RECORDING_FAILED, &words);
      return;
    case PLAYBACK_BACKOFF:
    case PLAYBACK_TRIAL:
    case PLAYBACK_NO_WORKER:
      problem_answer_with(x, fields, PROBLEM_UNAVAILABLE, &words);
      return;
    case PLAYBACK_WAIT:
    case PLAYBACK_FILE:
      problem_answer_with(x, fields, PROBLEM_NOT_READY, &words);
      return;
  }
}
