/* speech_export.c - a document as plain text, SRT or WebVTT.
 *
 * Invariants
 *  (1) Each line whose first letter is of a script from right to left stands between U+202B and U+202C: players take the
 *      direction of a subtitle's line from its first letter or from the player's language, and place full stops by it. In plain
 *      text, the speaker and the text have an isolate each (U+2067 … U+2069).
 *  (2) No text can end a cue, begin a tag or give a player a command.
 *  (3) Each cue lasts at least CUE_LEAST_MS. */
#include "speech/speech_export.h"

#include "speech/speech_text.h"

enum { CUE_MOST_MS = 7000, CUE_LEAST_MS = 200, CUE_CHARACTERS = 84, LINE_CHARACTERS = 42, PAUSE_MS = 1000 };

static const struct {
  const char *name, *content_type;
} EXPORTS[] = {[SPEECH_EXPORT_TXT] = {"txt", "text/plain; charset=utf-8"},
               [SPEECH_EXPORT_SRT] = {"srt", "application/x-subrip; charset=utf-8"},
               [SPEECH_EXPORT_VTT] = {"vtt", "text/vtt; charset=utf-8"}};

bool speech_export_find(struct str name, enum speech_export *ret_export) {
  for (size_t i = 0; i < COUNT_OF(EXPORTS); i++) {
    if (!str_eq(name, str_from(EXPORTS[i].name))) continue;
    *ret_export = (enum speech_export)i;
    return true;
  }
  return false;
}

const char *speech_export_content_type(enum speech_export export) {
  return EXPORTS[(size_t) export < COUNT_OF(EXPORTS) ? export : SPEECH_EXPORT_TXT].content_type;
}

/* ---- texts ---- */

static struct str escape_char(char c, enum speech_export export) {
  bool is_vtt = export == SPEECH_EXPORT_VTT;
  switch (c) {
    case '&':
      return is_vtt ? STR("&amp;") : STR("&");
    case '<':
      return is_vtt ? STR("&lt;") : STR("\xe2\x80\xb9"); /* SRT has no escape: a tag is not to begin */
    case '>':
      return is_vtt ? STR("&gt;") : STR("\xe2\x80\xba");
    case '{':
      return is_vtt ? STR("{") : STR("(");
    case '}':
      return is_vtt ? STR("}") : STR(")");
    default:
      return STR_NONE;
  }
}

/* (2) */
static enum err add_escaped(struct buf *b, struct str text, enum speech_export export) {
  for (size_t i = 0; i < text.n; i++) {
    struct str other = escape_char(text.p[i], export);
    TRY(other.n ? buf_add(b, other) : buf_add_char(b, text.p[i]));
  }
  return OK;
}

/* A line of a cue, after `before` (1). */
static enum err add_line(struct buf *b, struct str before, struct str text, bool is_right, enum speech_export export) {
  if (is_right) TRY(buf_add(b, STR("\xe2\x80\xab")));
  TRY(add_escaped(b, before, export));
  TRY(add_escaped(b, text, export));
  return is_right ? buf_add(b, STR("\xe2\x80\xac")) : OK;
}

static enum err add_isolated(struct buf *b, struct str text) {
  bool is_right = speech_text_is_right_to_left(text);
  if (is_right) TRY(buf_add(b, STR("\xe2\x81\xa7")));
  TRY(buf_add(b, text));
  return is_right ? buf_add(b, STR("\xe2\x81\xa9")) : OK;
}

/* ---- plain text ---- */

static enum err write_text(const struct speech_document *d, struct buf *b) {
  for (size_t i = 0; i < d->segment_count; i++) {
    const struct speech_segment *s = &d->segments[i];
    long long at = s->start_ms / 1000;
    TRY(buf_addf(b, "[%lld:%02lld:%02lld] ", at / 3600, at / 60 % 60, at % 60));
    if (s->speaker.n) {
      TRY(add_isolated(b, s->speaker));
      TRY(buf_add(b, STR(": ")));
    }
    TRY(add_isolated(b, s->text));
    TRY(buf_add_char(b, '\n'));
  }
  return OK;
}

/* ---- cues ---- */

struct cue_writer {
  struct buf *b;
  enum speech_export export;
  size_t number;
};

static enum err add_time(const struct cue_writer *w, int64_t ms) {
  long long s = ms / 1000;
  char point = w->export == SPEECH_EXPORT_SRT ? ',' : '.';
  return buf_addf(w->b, "%02lld:%02lld:%02lld%c%03lld", s / 3600, s / 60 % 60, s % 60, point, (long long)(ms % 1000));
}

/* Where a text is broken into two lines: the space nearest to its middle; n: it fits. */
static size_t line_break(struct str text) {
  if (str_utf8_count(text) <= LINE_CHARACTERS) return text.n;
  size_t best = text.n, middle = text.n / 2;
  for (size_t i = 0; i < text.n; i++) {
    size_t away = i > middle ? i - middle : middle - i, best_away = best > middle ? best - middle : middle - best;
    if (text.p[i] == ' ' && away < best_away) best = i;
  }
  return best;
}

static enum err write_cue(struct cue_writer *w, const struct speech_segment *s, int64_t start_ms, int64_t end_ms,
                          struct str text) {
  bool is_right = speech_text_is_right_to_left(text), is_vtt = w->export == SPEECH_EXPORT_VTT;
  size_t first = line_break(text);
  if (end_ms < start_ms + CUE_LEAST_MS) end_ms = start_ms + CUE_LEAST_MS; /* (3) */
  if (!is_vtt) TRY(buf_addf(w->b, "%zu\n", ++w->number));
  TRY(add_time(w, start_ms));
  TRY(buf_add(w->b, STR(" --> ")));
  TRY(add_time(w, end_ms));
  TRY(buf_add_char(w->b, '\n'));
  if (is_vtt && s->speaker.n) {
    TRY(buf_add(w->b, STR("<v ")));
    TRY(add_escaped(w->b, s->speaker, w->export));
    TRY(buf_add_char(w->b, '>'));
  }
  struct buf before CLEANUP(buf_done) = BUF_INIT(SPEECH_SPEAKER_MAX + 2);
  if (!is_vtt && s->speaker.n) {
    TRY(buf_add(&before, s->speaker));
    TRY(buf_add(&before, STR(": ")));
  }
  TRY(add_line(w->b, buf_str(&before), str_head(text, first), is_right, w->export));
  if (first < text.n) {
    TRY(buf_add_char(w->b, '\n'));
    TRY(add_line(w->b, STR_NONE, str_skip(text, first + 1), is_right, w->export));
  }
  return buf_add(w->b, STR("\n\n"));
}

/* How many words from `from` on a cue has. */
static size_t cue_words(const struct speech_segment *s, size_t from) {
  size_t count = 1, characters = str_utf8_count(s->words[from].text);
  for (size_t i = from + 1; i < s->word_count; i++, count++) {
    characters += 1 + str_utf8_count(s->words[i].text);
    bool fits = characters <= CUE_CHARACTERS && s->words[i].end_ms - s->words[from].start_ms <= CUE_MOST_MS;
    if (!fits || s->words[i].start_ms - s->words[i - 1].end_ms > PAUSE_MS) break;
  }
  return count;
}

/* Whether the text can be cut where its words are: it has as many words. */
static bool can_be_cut(const struct speech_segment *s) {
  size_t n = 1;
  for (size_t i = 0; i < s->text.n; i++) n += s->text.p[i] == ' ';
  return s->word_count == n;
}

static enum err write_cues(struct cue_writer *w, const struct speech_segment *s) {
  if (!can_be_cut(s)) return write_cue(w, s, s->start_ms, s->end_ms, s->text);
  struct str rest = s->text;
  for (size_t from = 0, count; from < s->word_count; from += count) {
    size_t end = 0;
    count = cue_words(s, from);
    for (size_t i = 0; i < count; i++) end = str_index(rest, ' ', i ? end + 1 : 0);
    TRY(write_cue(w, s, s->words[from].start_ms, s->words[from + count - 1].end_ms, str_head(rest, end)));
    rest = str_skip(rest, end + 1);
  }
  return OK;
}

enum err speech_export_write(const struct speech_document *d, enum speech_export export, struct buf *b) {
  struct cue_writer w = {.b = b, .export = export};
  if (export == SPEECH_EXPORT_TXT) return write_text(d, b);
  if (export == SPEECH_EXPORT_VTT) TRY(buf_add(b, STR("WEBVTT\n\n")));
  for (size_t i = 0; i < d->segment_count; i++) TRY(write_cues(&w, &d->segments[i]));
  return OK;
}
