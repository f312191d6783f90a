/* transcript_search.h - finds words of transcripts.
 *
 *   writing:  TRY(transcript_content_make(business, document, segments, count, &content));      then transcripts_finish or _edit
 *   lists:    list_source_transcripts (calls_list_transcripts.h) gives the calls whose transcripts hold all words of a search
 *   matches:  TRY(transcript_query_parse(search, &query));   TRY(transcripts_matches(db, business, sid, &query, 3, fn, arg));
 *
 * A word is letters and digits in a row, folded (base/fold.h). Hyphens separate words, apostrophes, quotation marks and vowel
 * points don't; a final Hebrew letter is as its other form. A Hebrew word is also found without its first letters, if these are
 * among ה ו ב ל כ מ ש: "מנוי" finds "והמנוי". Words of Latin letters and others are found whole.
 * Thread rule: pure; transcripts_matches: the connection's. */
#pragma once

#include "ledger/recordings.h"

enum {
  TRANSCRIPT_DOCUMENT_MAX = 32 * 1024 * 1024, /* bytes */
  TRANSCRIPT_TEXT_MAX = 8 * 1024 * 1024,      /* bytes of all segments */
  TRANSCRIPT_WORDS_MAX = 2 * TRANSCRIPT_TEXT_MAX,
  TRANSCRIPT_SPEAKER_MAX = 120, /* bytes; longer names are cut */
  TRANSCRIPT_QUERY_WORDS = 8,   /* further words of a search are not looked for */
  TRANSCRIPT_WORD_MAX = 64,     /* bytes of a folded word; further ones do not count */
  TRANSCRIPT_TERM_SIZE = 12,
  TRANSCRIPT_MARKS_MAX = 16, /* of a match */
};

struct transcript_segment {
  int64_t start_ms, end_ms;
  struct str speaker; /* empty: unknown */
  struct str text;    /* UTF-8 */
};

/* A version, as it is stored. */
struct transcript_content {
  struct buf document, text, marks, words; /* owned */
};
#define TRANSCRIPT_CONTENT                                                                           \
  {                                                                                                  \
    BUF_INIT(TRANSCRIPT_DOCUMENT_MAX), BUF_INIT(TRANSCRIPT_TEXT_MAX), BUF_INIT(TRANSCRIPT_TEXT_MAX), \
        BUF_INIT(TRANSCRIPT_WORDS_MAX)                                                               \
  }
void transcript_content_done(struct transcript_content *c);
/* Costs some 10 ms for an hour of speech: call it before the transaction. *c is empty. ERR_TOO_BIG, ERR_NOMEM. */
CHECKED enum err transcript_content_make(int64_t business_id, struct str document,
                                         const struct transcript_segment *segments, size_t count,
                                         struct transcript_content *c);

/* The words of a search. */
struct transcript_query {
  char words[TRANSCRIPT_QUERY_WORDS][TRANSCRIPT_WORD_MAX + 1];
  size_t count; /* 0: it has none, so no transcript matches */
};
CHECKED enum err transcript_query_parse(struct str search, struct transcript_query *ret_query);
/* Appends the terms of the query's words, as transcript_texts.words has them, each between `before` and `behind`. */
CHECKED enum err transcript_query_terms(const struct transcript_query *q, int64_t business_id, const char *before,
                                        const char *behind, struct buf *b);

struct transcript_match {
  int64_t start_ms, end_ms;
  struct str speaker, text; /* valid during the call */
  /* The words that were found, each as characters (code points) from … to (excluded) of the text. */
  struct {
    uint32_t from, to;
  } at[TRANSCRIPT_MARKS_MAX];
  size_t at_count;
};
typedef enum err transcript_match_fn(void *arg, const struct transcript_match *match);
/* Calls fn with at most `most` segments of a recording's newest version, in order of time, if it holds all words: the first
 * segments that hold most of them. Without a call: it does not match. */
CHECKED enum err transcripts_matches(struct db *db, int64_t business_id, struct str recording_sid,
                                     const struct transcript_query *query, int most, transcript_match_fn *fn,
                                     void *arg);
/* At most as many as transcripts_matches ever gives. */
enum { TRANSCRIPT_MATCHES_MAX = 10 };
