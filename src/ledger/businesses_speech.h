/* businesses_speech.h - a business's settings for transcripts: columns of `businesses`.
 *
 *   struct business_speech s;   TRY(businesses_speech_get(db, business, &s));
 *
 * Thread rule: the connection's; writes run in db_writer's transaction. */
#pragma once

#include "db/db.h"

enum { BUSINESS_LANGUAGE_SIZE = 16, BUSINESS_VOCABULARY_SIZE = 2001 };

/* Which recordings are transcribed. DEFAULT: all, if there is an engine. */
enum business_transcribe { TRANSCRIBE_DEFAULT, TRANSCRIBE_ALL, TRANSCRIBE_ASKED, TRANSCRIBE_NEVER };

struct business_speech {
  enum business_transcribe transcribe;
  char language[BUSINESS_LANGUAGE_SIZE];     /* "": SPEECH_LANGUAGE */
  char vocabulary[BUSINESS_VOCABULARY_SIZE]; /* words that the engine is told to expect; never logged */
};

const char *business_transcribe_name(enum business_transcribe transcribe); /* "" for DEFAULT */
/* ERR_NOT_FOUND: no such business, or it is removed. */
CHECKED enum err businesses_speech_get(struct db *db, int64_t business_id, struct business_speech *ret_speech);
/* "auto", or letters and hyphens, as "en" and "iw-IL". */
bool business_is_language(struct str language);
/* Writes what is not NULL; an empty view: as the settings say. ERR_INVALID. */
CHECKED enum err businesses_speech_set(struct db *db, int64_t business_id, const struct str *transcribe,
                                       const struct str *language, const struct str *vocabulary);
/* Stores the name and the vocabulary as they are, and adds to `changes`. */
CHECKED enum err businesses_set_texts(struct db *db, int64_t business_id, struct str name, struct str vocabulary);
