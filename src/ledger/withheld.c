#include "ledger/withheld.h"

bool withheld_number(struct str number) {
  static const char *const words[] = {"anonymous", "restricted", "blocked", "unknown", "unavailable", "private",
                                      "266696687", "7378742833", "2562533", "8656696", "86282452253", "7748283"};
  struct str user, rest;
  if (str_starts_nocase(number, STR("sip:"))) number = str_skip(number, sizeof("sip:") - 1);
  if (str_starts_nocase(number, STR("client:"))) return false;
  (void)str_cut(number, '@', &user, &rest);
  user = str_trim(user);
  bool has_plus = str_starts(user, STR("+"));
  if (has_plus) user = str_skip(user, 1);
  for (size_t i = 0; i < COUNT_OF(words); i++)
    if (str_eq_nocase(user, str_from(words[i])) && (has_plus || !str_is_digit(words[i][0]))) return true;
  return false;
}
