/* businesses_speech.c - see businesses_speech.h. */
#include "ledger/businesses_speech.h"

#include "ledger/changes.h"

static const char *const names[] = {
    [TRANSCRIBE_DEFAULT] = "", [TRANSCRIBE_ALL] = "all", [TRANSCRIBE_ASKED] = "asked", [TRANSCRIBE_NEVER] = "never"};

const char *business_transcribe_name(enum business_transcribe transcribe) {
  return names[transcribe];
}

static enum err transcribe_of(struct str name, enum business_transcribe *ret_transcribe) {
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    if (!str_eq(name, str_from(names[i]))) continue;
    *ret_transcribe = (enum business_transcribe)i;
    return OK;
  }
  return ERR_INVALID;
}

bool business_is_language(struct str language) {
  if (language.n < 2 || language.n >= BUSINESS_LANGUAGE_SIZE) return false;
  for (size_t i = 0; i < language.n; i++) {
    char c = language.p[i];
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c == '-' && i))) return false;
  }
  return true;
}

enum err businesses_speech_get(struct db *db, int64_t business_id, struct business_speech *ret_speech) {
  struct db_rows q CLEANUP(db_rows_done) = DB_ROWS;
  struct business_speech s;
  TRY(db_query(db, &q,
               "select transcribe, speech_language, speech_vocabulary from businesses"
               " where business_id = ?1 and removed_at is null",
               DB_INT(business_id)));
  TRY(db_next(&q));
  enum err e = transcribe_of(db_text(&q, 0), &s.transcribe);
  if (e == OK) e = str_copy(s.language, sizeof(s.language), db_text(&q, 1));
  if (e == OK) e = str_copy(s.vocabulary, sizeof(s.vocabulary), db_text(&q, 2));
  if (e != OK) return ERR_CORRUPT;
  *ret_speech = s;
  return OK;
}

static struct db_value text_or_null(const struct str *s) {
  return s->n ? DB_TEXT(*s) : DB_NULL;
}

enum err businesses_speech_set(struct db *db, int64_t business_id, const struct str *transcribe,
                               const struct str *language, const struct str *vocabulary) {
  enum business_transcribe known;
  if (transcribe) {
    TRY(transcribe_of(*transcribe, &known));
    TRY(db_run(db, "update businesses set transcribe = ?2 where business_id = ?1", DB_INT(business_id),
               text_or_null(transcribe)));
  }
  if (language) {
    if (language->n && !business_is_language(*language)) return ERR_INVALID;
    TRY(db_run(db, "update businesses set speech_language = ?2 where business_id = ?1", DB_INT(business_id),
               text_or_null(language)));
  }
  if (!vocabulary) return OK;
  if (vocabulary->n >= BUSINESS_VOCABULARY_SIZE || !str_is_utf8(*vocabulary)) return ERR_INVALID;
  return db_run(db, "update businesses set speech_vocabulary = ?2 where business_id = ?1", DB_INT(business_id),
                text_or_null(vocabulary));
}

enum err businesses_set_texts(struct db *db, int64_t business_id, struct str name, struct str vocabulary) {
  TRY(db_run(db, "update businesses set name = ?2, speech_vocabulary = nullif(?3, '') where business_id = ?1",
             DB_INT(business_id), DB_TEXT(name), DB_TEXT(vocabulary)));
  return changes_add(db, CHANGE_BUSINESS, business_id, STR(""));
}
