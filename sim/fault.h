/* fault.h - faults that were ordered, and which of them is due.
 *
 *   "cut:2" is due twice, "cut" always. Faults that take the place of an answer are due one at a time, in the order of the
 *   list: ["not_yet:2", "cut:1"] gives two 404s, then a cut, then no fault.
 *
 * Thread rule: one owner at a time. */
#pragma once

#include "base/str.h"

enum fault_kind {
#define X(name, word, class, value) FAULT_##name,
#include "fault.def"
#undef X
  FAULT_KIND_COUNT_
};

enum { FAULTS_MAX = 16, FAULT_ALWAYS = -1, FAULT_NUMBER_MAX = 1000 * 1000 * 1000 };

struct fault {
  enum fault_kind kind;
  int64_t number; /* of those that have one */
  int64_t left;   /* how often it is due; FAULT_ALWAYS */
};

struct faults {
  struct fault list[FAULTS_MAX];
  size_t count;
};

/* Adds "word", "word:n" … ERR_INVALID: no such fault, or its value makes no sense; ERR_TOO_BIG past FAULTS_MAX. */
CHECKED enum err faults_add(struct faults *f, struct str text);
/* Uses up the first fault that takes the place of an answer; false when none is due. f may be NULL. */
bool faults_take_answer(struct faults *f, enum fault_kind *ret_kind);
/* Uses up the fault of that kind; its number, or 0 where it has none; false when it is not due. f may be NULL. */
bool faults_take(struct faults *f, enum fault_kind kind, int64_t *ret_number);
