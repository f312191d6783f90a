/* speech_code.h - codes and names of languages. Thread rule: pure. */
#pragma once

#include "speech/speech_document.h"

/* Writes the code of a language that an engine or a person named: "english", "EN", "en-us" and "iw-IL" become "en" and "he". An
 * unknown one of at most three letters stays as it is, in lower case; all else becomes "". */
void speech_code_of(struct str name, char ret_code[SPEECH_LANGUAGE_SIZE]);
/* Whether the text may be sent as a language: letters, digits and hyphens, fewer than SPEECH_LANGUAGE_SIZE. */
bool speech_code_is_tag(struct str text);
/* The tag that Google wants: a text with a hyphen as it is, else the table's, else the text. */
struct str speech_code_google(struct str text);
