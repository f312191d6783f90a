/* fault.h - a list of faults, and which of them is due.
 *
 *   "cut:2" is due twice, "cut" always. Faults that replace the response are due one at a time, in the order of the list:
 *   ["not_yet:2", "cut:1"] gives two 404s, then a cut, then no fault.
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
  int64_t number; /* for kinds that have one */
  int64_t left;   /* how often it is still due; FAULT_ALWAYS */
};

struct faults {
  struct fault list[FAULTS_MAX];
  size_t count;
};

/* Parses and adds "word", "word:n" … ERR_INVALID: unknown fault or invalid value; ERR_TOO_BIG: more than FAULTS_MAX. */
CHECKED enum err faults_add(struct faults *f, struct str text);
/* Returns the first due fault that replaces the response and counts it down; false if none is due. f may be NULL. */
bool faults_take_answer(struct faults *f, enum fault_kind *ret_kind);
/* The same for the response to a deletion. */
bool faults_take_deletion(struct faults *f, enum fault_kind *ret_kind);
/* Returns the number (or 0) of the fault of that kind and counts it down; false if it is not due. f may be NULL. */
bool faults_take(struct faults *f, enum fault_kind kind, int64_t *ret_number);
