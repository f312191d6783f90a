/* speech_code.c - codes and names of languages. */
#include "speech/speech_code.h"

static const struct {
  struct str code, name, tag;
} LANGUAGES[] = {
#define X(code, name, tag) {{code, sizeof(code) - 1}, {name, sizeof(name) - 1}, {tag, sizeof(tag) - 1}},
#include "speech/speech_languages.def"
#undef X
};

/* Names and older codes that are not in the table. */
static const struct {
  struct str other, code;
} OTHERS[] = {{{"iw", 2}, {"he", 2}},      {{"in", 2}, {"id", 2}},        {{"ji", 2}, {"yi", 2}},
              {{"jv", 2}, {"jw", 2}},      {{"fil", 3}, {"tl", 2}},       {{"cmn", 3}, {"zh", 2}},
              {{"nb", 2}, {"no", 2}},      {{"castilian", 9}, {"es", 2}}, {{"mandarin", 8}, {"zh", 2}},
              {{"burmese", 7}, {"my", 2}}, {{"flemish", 7}, {"nl", 2}}};

static void copy_lower(struct str text, char ret_code[SPEECH_LANGUAGE_SIZE]) {
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    ret_code[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
  }
  ret_code[text.n] = '\0';
}

bool speech_code_is_tag(struct str text) {
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return text.n > 0 && text.n < SPEECH_LANGUAGE_SIZE;
}

void speech_code_of(struct str name, char ret_code[SPEECH_LANGUAGE_SIZE]) {
  struct str code = name, rest;
  if (!str_cut(name, '-', &code, &rest)) (void)str_cut(name, '_', &code, &rest);
  ret_code[0] = '\0';
  for (size_t i = 0; i < COUNT_OF(OTHERS); i++) {
    if (str_eq_nocase(code, OTHERS[i].other)) code = OTHERS[i].code;
  }
  for (size_t i = 0; i < COUNT_OF(LANGUAGES); i++) {
    if (!str_eq_nocase(code, LANGUAGES[i].code) && !str_eq_nocase(name, LANGUAGES[i].name)) continue;
    copy_lower(LANGUAGES[i].code, ret_code);
    return;
  }
  if (code.n >= 2 && code.n <= 3 && speech_code_is_tag(code)) copy_lower(code, ret_code);
}

struct str speech_code_google(struct str text) {
  if (str_index(text, '-', 0) < text.n) return text;
  char code[SPEECH_LANGUAGE_SIZE];
  speech_code_of(text, code);
  for (size_t i = 0; i < COUNT_OF(LANGUAGES); i++) {
    if (str_eq(str_from(code), LANGUAGES[i].code)) return LANGUAGES[i].tag;
  }
  return text;
}
