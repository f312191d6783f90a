/* speech_words.h - makes words of the tokens of an engine.
 *
 *   struct speech_tokens t = {0};   speech_tokens_add(&t, phrase, bytes, start, end, probability) …;
 *   speech_tokens_join(&t, &answer);   speech_tokens_done(&t);
 *
 * A token may be a word, a part of one (" פ", "ול", "ט", "ר"), punctuation, or bytes of half a character. A word goes from one
 * space to the next; punctuation belongs to the word before it. Thread rule: one owner. */
#pragma once

#include "speech/speech_engine.h"

enum { SPEECH_TOKENS_MAX = 20 * 1000, SPEECH_TOKEN_BYTES_MAX = 512 * 1024 };

struct speech_token {
  size_t phrase;    /* which phrase of the answer it is of */
  size_t at, bytes; /* in the bytes of all tokens */
  int64_t start_ms, end_ms;
  double probability; /* -1: unknown */
};

struct speech_tokens {
  struct buf bytes;
  struct buf list; /* of struct speech_token */
  size_t count;
  bool has_spaces; /* a token begins with one: so spaces part words */
};

void speech_tokens_init(struct speech_tokens *t);
void speech_tokens_done(struct speech_tokens *t);
/* Tokens come in order of their phrases. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_tokens_add(struct speech_tokens *t, size_t phrase, const struct speech_token *token,
                                   struct str bytes);
/* Gives each phrase of the answer its words, whose times never run backwards. A word gets the spelling, with punctuation, that
 * its phrase's text has, and a phrase without text gets the text of its words. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_tokens_join(const struct speech_tokens *t, struct speech_answer *answer);
