/* fault.c - parses faults and counts them down. */
#include "fault.h"

enum class { ANSWER, BODY, HOOK, LIST, DELETION, BUSY };
enum value { NONE, COUNT, NUMBER };

static const struct {
  const char *word;
  enum class class;
  enum value value;
} KINDS[FAULT_KIND_COUNT_] = {
#define X(name, word_, class_, value_) [FAULT_##name] = {.word = word_, .class = class_, .value = value_},
#include "fault.def"
#undef X
};

static enum err parse_number(struct str text, int64_t *ret) {
  uint64_t number;
  TRY(str_to_u64(text, FAULT_NUMBER_MAX, &number));
  *ret = (int64_t)number;
  return OK;
}

enum err faults_add(struct faults *f, struct str text) {
  struct str word, rest, number, count;
  struct fault fault = {.left = FAULT_ALWAYS};
  bool has_value = str_cut(text, ':', &word, &rest);
  unsigned kind = 0;
  while (kind < FAULT_KIND_COUNT_ && !str_eq(word, str_from(KINDS[kind].word))) kind++;
  if (kind == FAULT_KIND_COUNT_) return ERR_INVALID;
  fault.kind = (enum fault_kind)kind;
  if (KINDS[kind].value == NONE && has_value) return ERR_INVALID;
  if (KINDS[kind].value == COUNT && has_value) TRY(parse_number(rest, &fault.left));
  if (KINDS[kind].value == NUMBER) {
    bool has_count = str_cut(rest, ':', &number, &count);
    if (!has_value) return ERR_INVALID;
    TRY(parse_number(number, &fault.number));
    if (has_count) TRY(parse_number(count, &fault.left));
    if (kind == FAULT_SLOW && fault.number == 0) return ERR_INVALID;
    if (kind == FAULT_LOSE && fault.number > 100) return ERR_INVALID;
  }
  if (f->count == FAULTS_MAX) return ERR_TOO_BIG;
  f->list[f->count++] = fault;
  return OK;
}

static bool fault_count_down(struct fault *fault) {
  if (fault->left == 0) return false;
  if (fault->left > 0) fault->left--;
  return true;
}

static bool faults_take_of(struct faults *f, enum class class, enum fault_kind *ret_kind) {
  for (size_t i = 0; f && i < f->count; i++) {
    if (KINDS[f->list[i].kind].class != class || !fault_count_down(&f->list[i])) continue;
    *ret_kind = f->list[i].kind;
    return true;
  }
  return false;
}

bool faults_take_answer(struct faults *f, enum fault_kind *ret_kind) {
  return faults_take_of(f, ANSWER, ret_kind);
}

bool faults_take_deletion(struct faults *f, enum fault_kind *ret_kind) {
  return faults_take_of(f, DELETION, ret_kind);
}

bool faults_take(struct faults *f, enum fault_kind kind, int64_t *ret_number) {
  for (size_t i = 0; f && i < f->count; i++) {
    if (f->list[i].kind != kind || !fault_count_down(&f->list[i])) continue;
    *ret_number = f->list[i].number;
    return true;
  }
  return false;
}
