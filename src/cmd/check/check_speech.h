/* check_speech.h - the sample that `callreel check` sends to the speech engine.
 * Thread rule: any thread. */
#pragma once

#include "base/buf.h"

extern const char check_sample[];       /* an MP3 in base64: a person says check_sample_words */
extern const char check_sample_words[]; /* English, lower case */

/* How many of the sample's words are in a text, in any order and spelling of letters' case. Pure. */
int check_sample_count(struct str heard);
