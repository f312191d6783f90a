/* speech_document.h - what was said in a recording: segments with their speakers and words, gaps, and talk times.
 *
 *   struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
 *   TRY(speech_document_parse(json, &d, &wrong));   TRY(speech_document_write(&d, &buf));
 *
 * A document owns all its texts and arrays, in its arena. All texts are clean (speech_text.h). The answer for one piece of a
 * recording is a document too: segments alone, at the recording's times. Thread rule: one owner at a time. */
#pragma once

#include "speech/speech_arena.h"

enum {
  SPEECH_CHANNELS_MAX = 2,
  SPEECH_LANGUAGE_SIZE = 16,
  SPEECH_SPEAKER_MAX = 120,        /* bytes */
  SPEECH_TEXT_MAX = 16 * 1024,     /* of a segment, bytes */
  SPEECH_WORD_MAX = 1024,          /* bytes */
  SPEECH_REASON_MAX = 64,          /* bytes */
  SPEECH_SEGMENTS_MAX = 30 * 1000, /* of a document */
  SPEECH_WORDS_MAX = 300 * 1000,   /* of a document */
  SPEECH_GAPS_MAX = 10 * 1000,     /* of a document */
  SPEECH_TALKERS_MAX = 8,          /* speakers whose time is known */
  SPEECH_DOCUMENT_MAX = 32 << 20,  /* of its JSON text, bytes */
  SPEECH_ARENA_MAX = 64 << 20,     /* of its texts and arrays, bytes */
  SPEECH_TIME_MAX_MS = 1000000000, /* 11 days */
};

struct speech_word {
  struct str text; /* with its punctuation, without spaces around it */
  int64_t start_ms, end_ms;
  double confidence; /* 0 … 1; -1: unknown */
};

struct speech_segment {
  int64_t start_ms, end_ms; /* 0 <= start_ms <= end_ms */
  int channel;              /* from 0; -1: unknown, or the channels are alike */
  struct str speaker;       /* empty: unknown */
  struct str text;          /* never empty */
  double confidence;        /* 0 … 1; -1: unknown */
  struct speech_word *words;
  size_t word_count; /* 0: unknown */
};

/* Speech that is not in the document. */
struct speech_gap {
  int64_t start_ms, end_ms;
  struct str reason; /* "engine_error", "empty", "damaged" … */
};

struct speech_talk {
  struct {
    struct str speaker;
    int64_t ms;
  } speakers[SPEECH_TALKERS_MAX];
  size_t speaker_count;
  int64_t silence_ms, overlap_ms; /* -1: unknown */
};

struct speech_document {
  int64_t duration_ms;                 /* of the recording; -1: unknown */
  char language[SPEECH_LANGUAGE_SIZE]; /* "en", "he" …; "": unknown */
  struct speech_segment *segments;     /* by start_ms */
  size_t segment_count;
  struct speech_gap *gaps; /* by start_ms */
  size_t gap_count;
  struct speech_talk talk;
  struct speech_arena arena;
};

#define SPEECH_DOCUMENT_INIT                                                                             \
  {                                                                                                      \
    .duration_ms = -1, .talk = {.silence_ms = -1, .overlap_ms = -1}, .arena = {.max = SPEECH_ARENA_MAX } \
  }

void speech_document_done(struct speech_document *d);

/* Appends {"duration","language","text","segments","gaps","talk"}: times are seconds, what is unknown is null. text is the
 * segments' texts, a line each. ERR_NOMEM; ERR_TOO_BIG past b's ceiling, for which SPEECH_DOCUMENT_MAX suffices. */
CHECKED enum err speech_document_write(const struct speech_document *d, struct buf *b);

/* Which member of a JSON text was wrong: "segments[3].words[0].start", or "" where the whole text is no JSON object. */
struct speech_wrong {
  char field[96];
};

/* Reads what speech_document_write wrote into *d, which is initialised and empty. Unknown members are ignored, texts are
 * cleaned, segments are sorted. ERR_INVALID and ERR_TOO_BIG: *ret_wrong names the member. ERR_NOMEM. After a failure *d is
 * empty. */
CHECKED enum err speech_document_parse(struct str json, struct speech_document *d, struct speech_wrong *ret_wrong);

/* A person's correction: {"segments":[…],"speakers":{"customer":"agent","agent":"customer"}}. segments, if there, replace those
 * of before; speakers, if there, rename the speakers of all segments and of the talk times, all at once. Everything else is as
 * in before, of which a copy is made. Words that no longer make up their segment's text are dropped. Any other member is wrong.
 * *d is initialised and empty. Errors as speech_document_parse. */
CHECKED enum err speech_document_edit(const struct speech_document *before, struct str json, struct speech_document *d,
                                      struct speech_wrong *ret_wrong);

/* A copy of text that d owns. ERR_NOMEM, ERR_TOO_BIG. */
CHECKED enum err speech_document_keep(struct speech_document *d, struct str text, struct str *ret_text);
/* Sorts the segments and the gaps by start_ms; equal ones keep their order. ERR_NOMEM. */
CHECKED enum err speech_document_sort(struct speech_document *d);
