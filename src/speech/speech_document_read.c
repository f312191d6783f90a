/* speech_document_read.c - reads the JSON text of a document, and a person's correction of one.
 *
 * Invariants
 *  (1) The first wrong member ends the reading, and r->wrong names it.
 *  (2) All arrays are allocated by their number of elements in the JSON text, which was checked against its ceiling.
 *  (3) Segments are loaded one by one: of a call of three hours they are megabytes. */
#include "speech/speech_document.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "speech/speech_slices.h"
#include "speech/speech_text.h"

struct document_reader {
  struct speech_document *d;
  struct speech_wrong *wrong;
  char path[64]; /* of the object that is being read: "segments[3]." */
  size_t words;
};

static enum err reader_wrong(struct document_reader *r, const char *member, enum err e) {
  (void)snprintf(r->wrong->field, sizeof(r->wrong->field), "%s%s", r->path, member); /* a long one is cut */
  return e;
}

/* ---- values ---- */

/* Missing and null: -1, if it may be unknown. */
static enum err read_seconds(struct document_reader *r, const json_t *in, const char *member, bool may_be_unknown,
                             int64_t *ret_ms) {
  const json_t *value = json_object_get(in, member);
  if (may_be_unknown && (!value || json_is_null(value))) {
    *ret_ms = -1;
    return OK;
  }
  double seconds = json_number_value(value);
  if (!json_is_number(value) || !(seconds >= 0 && seconds <= SPEECH_TIME_MAX_MS / 1000))
    return reader_wrong(r, member, ERR_INVALID);
  *ret_ms = llround(seconds * 1000);
  return OK;
}

static enum err read_times(struct document_reader *r, const json_t *in, int64_t *ret_start, int64_t *ret_end) {
  int64_t start, end;
  TRY(read_seconds(r, in, "start", false, &start));
  TRY(read_seconds(r, in, "end", false, &end));
  if (end < start) return reader_wrong(r, "end", ERR_INVALID);
  *ret_start = start;
  *ret_end = end;
  return OK;
}

static enum err read_confidence(struct document_reader *r, const json_t *in, double *ret_confidence) {
  const json_t *value = json_object_get(in, "confidence");
  double confidence = !value || json_is_null(value) ? -1 : json_number_value(value);
  bool is_known = json_is_number(value);
  if ((value && !json_is_null(value) && !is_known) || (is_known && !(confidence >= 0 && confidence <= 1)))
    return reader_wrong(r, "confidence", ERR_INVALID);
  *ret_confidence = confidence;
  return OK;
}

/* Keeps the text, clean. */
static enum err reader_keep(struct document_reader *r, struct str raw, const char *member, size_t max,
                            struct str *ret_text) {
  struct buf clean CLEANUP(buf_done) = BUF_INIT(3 * max + 8);
  if (raw.n > 3 * max) return reader_wrong(r, member, ERR_TOO_BIG);
  TRY(speech_text_clean(raw, &clean));
  if (clean.n > max) return reader_wrong(r, member, ERR_TOO_BIG);
  return speech_document_keep(r->d, buf_str(&clean), ret_text);
}

static enum err read_text(struct document_reader *r, const json_t *in, const char *member, size_t max, bool may_be_null,
                          struct str *ret_text) {
  const json_t *value = json_object_get(in, member);
  struct str text = STR_NONE;
  if (!may_be_null || (value && !json_is_null(value))) {
    if (!json_is_string(value)) return reader_wrong(r, member, ERR_INVALID);
    TRY(reader_keep(r, str_of(json_string_value(value), json_string_length(value)), member, max, &text));
    if (text.n == 0 && !may_be_null) return reader_wrong(r, member, ERR_INVALID);
  }
  *ret_text = text;
  return OK;
}

/* Missing and null count as empty, where that is allowed. */
static enum err read_array(struct document_reader *r, const json_t *in, const char *member, bool may_be_null,
                           size_t max, size_t each_bytes, const json_t **ret_array, void **ret_memory) {
  const json_t *array = json_object_get(in, member);
  if (!json_is_array(array)) {
    if (!may_be_null || (array && !json_is_null(array))) return reader_wrong(r, member, ERR_INVALID);
    array = NULL;
  }
  if (json_array_size(array) > max) return reader_wrong(r, member, ERR_TOO_BIG);
  if (json_array_size(array) > 0)
    TRY(speech_arena_take_array(&r->d->arena, json_array_size(array), each_bytes, ret_memory)); /* (2) */
  *ret_array = array;
  return OK;
}

/* ---- objects ---- */

static enum err read_words(struct document_reader *r, const json_t *in, struct speech_segment *s) {
  const json_t *array;
  void *memory = NULL;
  char path[sizeof(r->path)];
  memcpy(path, r->path, sizeof(path));
  TRY(read_array(r, in, "words", true, SPEECH_WORDS_MAX - r->words, sizeof(*s->words), &array, &memory));
  s->words = memory;
  s->word_count = json_array_size(array);
  r->words += s->word_count;
  for (size_t i = 0; i < s->word_count; i++) {
    const json_t *item = json_array_get(array, i);
    struct speech_word *w = &s->words[i];
    (void)snprintf(r->path, sizeof(r->path), "%.30swords[%zu].", path, i);
    if (!json_is_object(item)) return reader_wrong(r, "", ERR_INVALID);
    TRY(read_text(r, item, "word", SPEECH_WORD_MAX, false, &w->text));
    TRY(read_times(r, item, &w->start_ms, &w->end_ms));
    TRY(read_confidence(r, item, &w->confidence));
  }
  memcpy(r->path, path, sizeof(path));
  return OK;
}

static enum err read_channel(struct document_reader *r, const json_t *in, int *ret_channel) {
  const json_t *value = json_object_get(in, "channel");
  json_int_t channel = !value || json_is_null(value) ? -1 : json_integer_value(value);
  if (value && !json_is_null(value) && (!json_is_integer(value) || channel < 0 || channel >= SPEECH_CHANNELS_MAX))
    return reader_wrong(r, "channel", ERR_INVALID);
  *ret_channel = (int)channel;
  return OK;
}

static void free_json(json_t **root) {
  json_decref(*root);
}

/* ERR_INVALID: no JSON. */
static enum err document_load(struct str json, json_t **ret_value) {
  json_error_t why;
  json_t *value = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
  if (!value) return json_error_code(&why) == json_error_out_of_memory ? ERR_NOMEM : ERR_INVALID;
  *ret_value = value;
  return OK;
}

static enum err read_segment(struct document_reader *r, struct str json, struct speech_segment *s) {
  json_t *item CLEANUP(free_json) = NULL;
  enum err e = document_load(json, &item);
  if (e != OK) return reader_wrong(r, "", e);
  if (!json_is_object(item)) return reader_wrong(r, "", ERR_INVALID);
  TRY(read_times(r, item, &s->start_ms, &s->end_ms));
  TRY(read_channel(r, item, &s->channel));
  TRY(read_text(r, item, "speaker", SPEECH_SPEAKER_MAX, true, &s->speaker));
  TRY(read_text(r, item, "text", SPEECH_TEXT_MAX, false, &s->text));
  TRY(read_confidence(r, item, &s->confidence));
  return read_words(r, item, s);
}

/* json: the array (3). */
static enum err read_segments(struct document_reader *r, struct str json) {
  struct speech_slices slices;
  struct str key, value;
  void *memory = NULL;
  size_t count = 0;
  if (speech_slices_begin(json, '[', &slices) != OK) return reader_wrong(r, "segments", ERR_INVALID);
  while (speech_slices_next(&slices, &key, &value)) count++;
  if (slices.error != OK) return reader_wrong(r, "segments", slices.error);
  if (count > SPEECH_SEGMENTS_MAX) return reader_wrong(r, "segments", ERR_TOO_BIG);
  if (count > 0) TRY(speech_arena_take_array(&r->d->arena, count, sizeof(*r->d->segments), &memory)); /* (2) */
  r->d->segments = memory;
  TRY(speech_slices_begin(json, '[', &slices));
  for (size_t i = 0; speech_slices_next(&slices, &key, &value); i++) {
    (void)snprintf(r->path, sizeof(r->path), "segments[%zu].", i);
    TRY(read_segment(r, value, &r->d->segments[i]));
  }
  r->path[0] = '\0';
  r->d->segment_count = count;
  return OK;
}

static enum err read_gaps(struct document_reader *r, const json_t *root) {
  const json_t *array;
  void *memory = NULL;
  TRY(read_array(r, root, "gaps", true, SPEECH_GAPS_MAX, sizeof(*r->d->gaps), &array, &memory));
  r->d->gaps = memory;
  for (size_t i = 0; i < json_array_size(array); i++) {
    const json_t *item = json_array_get(array, i);
    struct speech_gap *g = &r->d->gaps[i];
    (void)snprintf(r->path, sizeof(r->path), "gaps[%zu].", i);
    if (!json_is_object(item)) return reader_wrong(r, "", ERR_INVALID);
    TRY(read_times(r, item, &g->start_ms, &g->end_ms));
    TRY(read_text(r, item, "reason", SPEECH_REASON_MAX, false, &g->reason));
  }
  r->path[0] = '\0';
  r->d->gap_count = json_array_size(array);
  return OK;
}

static enum err read_talk(struct document_reader *r, json_t *root) {
  json_t *talk = json_object_get(root, "talk"), *speakers = json_object_get(talk, "speakers");
  struct speech_talk *t = &r->d->talk;
  if (!talk || json_is_null(talk)) return OK;
  if (!json_is_object(talk)) return reader_wrong(r, "talk", ERR_INVALID);
  (void)snprintf(r->path, sizeof(r->path), "talk.");
  TRY(read_seconds(r, talk, "silence", true, &t->silence_ms));
  TRY(read_seconds(r, talk, "overlap", true, &t->overlap_ms));
  if (speakers && !json_is_object(speakers) && !json_is_null(speakers)) return reader_wrong(r, "speakers", ERR_INVALID);
  if (json_object_size(speakers) > SPEECH_TALKERS_MAX) return reader_wrong(r, "speakers", ERR_TOO_BIG);
  for (void *m = json_object_iter(speakers); m; m = json_object_iter_next(speakers, m)) {
    struct str name = str_from(json_object_iter_key(m));
    TRY(reader_keep(r, name, "speakers", SPEECH_SPEAKER_MAX, &t->speakers[t->speaker_count].speaker));
    TRY(read_seconds(r, speakers, name.p, false, &t->speakers[t->speaker_count].ms));
    if (t->speakers[t->speaker_count].speaker.n) t->speaker_count++;
  }
  r->path[0] = '\0';
  return OK;
}

static enum err read_language(struct document_reader *r, const json_t *root) {
  struct str language;
  TRY(read_text(r, root, "language", SPEECH_LANGUAGE_SIZE - 1, true, &language));
  return str_copy(r->d->language, sizeof(r->d->language), language);
}

/* The members of the whole, but for the segments, which stay text; an empty text: there are none. */
static enum err read_members(struct document_reader *r, struct str json, json_t *root, struct str *ret_segments) {
  struct speech_slices slices;
  struct str key, value, segments = STR_NONE;
  r->wrong->field[0] = '\0';
  if (json.n > SPEECH_DOCUMENT_MAX) return ERR_TOO_BIG;
  TRY(speech_slices_begin(json, '{', &slices));
  while (speech_slices_next(&slices, &key, &value)) {
    json_t *name CLEANUP(free_json) = NULL, *member = NULL;
    TRY(document_load(key, &name));
    const char *text = json_string_value(name);
    bool is_segments = strcmp(text, "segments") == 0;
    if (json_object_get(root, text) || (is_segments && segments.n > 0)) return ERR_INVALID; /* twice */
    if (is_segments) {
      segments = value;
      continue;
    }
    TRY(document_load(value, &member));
    if (json_object_set_new(root, text, member) != 0) return ERR_NOMEM;
  }
  *ret_segments = segments;
  return slices.error;
}

static enum err read_document(struct document_reader *r, struct str json) {
  json_t *root CLEANUP(free_json) = json_object();
  struct str segments = STR_NONE;
  if (!root) return ERR_NOMEM;
  TRY(read_members(r, json, root, &segments));
  TRY(read_seconds(r, root, "duration", true, &r->d->duration_ms));
  TRY(read_language(r, root));
  TRY(read_segments(r, segments));
  TRY(read_gaps(r, root));
  TRY(read_talk(r, root));
  return speech_document_sort(r->d);
}

enum err speech_document_parse(struct str json, struct speech_document *d, struct speech_wrong *ret_wrong) {
  struct speech_wrong wrong = {0};
  struct document_reader r = {.d = d, .wrong = &wrong};
  enum err e = read_document(&r, json);
  if (e == OK) return OK;
  speech_document_done(d);
  *ret_wrong = wrong;
  return e;
}

/* ---- corrections ---- */

static enum err copy_segments(struct speech_document *d, const struct speech_document *from) {
  void *memory = NULL;
  if (from->segment_count == 0) return OK;
  TRY(speech_arena_take_array(&d->arena, from->segment_count, sizeof(*d->segments), &memory));
  d->segments = memory;
  for (size_t i = 0; i < from->segment_count; i++) {
    struct speech_segment *s = &d->segments[i];
    *s = from->segments[i];
    TRY(speech_document_keep(d, s->speaker, &s->speaker));
    TRY(speech_document_keep(d, s->text, &s->text));
    if (s->word_count == 0) continue;
    TRY(speech_arena_take_array(&d->arena, s->word_count, sizeof(*s->words), &memory));
    memcpy(memory, s->words, s->word_count * sizeof(*s->words));
    s->words = memory;
    for (size_t k = 0; k < s->word_count; k++) TRY(speech_document_keep(d, s->words[k].text, &s->words[k].text));
  }
  d->segment_count = from->segment_count;
  return OK;
}

/* All but the segments. */
static enum err copy_rest(struct speech_document *d, const struct speech_document *from) {
  void *memory = NULL;
  d->duration_ms = from->duration_ms;
  memcpy(d->language, from->language, sizeof(d->language));
  d->talk = from->talk;
  for (size_t i = 0; i < d->talk.speaker_count; i++)
    TRY(speech_document_keep(d, d->talk.speakers[i].speaker, &d->talk.speakers[i].speaker));
  if (from->gap_count == 0) return OK;
  TRY(speech_arena_take_array(&d->arena, from->gap_count, sizeof(*d->gaps), &memory));
  d->gaps = memory;
  for (size_t i = 0; i < from->gap_count; i++) {
    d->gaps[i] = from->gaps[i];
    TRY(speech_document_keep(d, d->gaps[i].reason, &d->gaps[i].reason));
  }
  d->gap_count = from->gap_count;
  return OK;
}

/* Words of a text that was corrected are no longer its words. */
static enum err drop_other_words(struct speech_document *d) {
  struct buf joined CLEANUP(buf_done) = BUF_INIT(SIZE_MAX / 8);
  for (size_t i = 0; i < d->segment_count; i++) {
    struct speech_segment *s = &d->segments[i];
    bool same = true;
    buf_clear(&joined);
    for (size_t k = 0; k < s->word_count; k++) TRY(buf_add(&joined, s->words[k].text));
    if (s->word_count) TRY(speech_text_same(buf_str(&joined), s->text, &same));
    if (!same) s->word_count = 0;
  }
  return OK;
}

struct speaker_name {
  struct str from, to;
};

static struct str new_name(const struct speaker_name *names, size_t count, struct str name) {
  for (size_t i = 0; i < count; i++) {
    if (str_eq(names[i].from, name)) return names[i].to;
  }
  return name;
}

/* Names that became equal have one time. */
static void rename_talk(struct speech_talk *t, const struct speaker_name *names, size_t count) {
  size_t kept = 0;
  for (size_t i = 0; i < t->speaker_count; i++) {
    struct str name = new_name(names, count, t->speakers[i].speaker);
    size_t same = 0;
    while (same < kept && !str_eq(t->speakers[same].speaker, name)) same++;
    int64_t ms = t->speakers[i].ms + (same < kept ? t->speakers[same].ms : 0);
    t->speakers[same].speaker = name;
    t->speakers[same].ms = ms;
    if (same == kept) kept++;
  }
  t->speaker_count = kept;
}

static enum err rename_speakers(struct document_reader *r, json_t *speakers) {
  enum { NAMES_MAX = 64 };
  struct speaker_name names[NAMES_MAX];
  size_t count = 0;
  if (!json_is_object(speakers)) return reader_wrong(r, "speakers", ERR_INVALID);
  if (json_object_size(speakers) > NAMES_MAX) return reader_wrong(r, "speakers", ERR_TOO_BIG);
  (void)snprintf(r->path, sizeof(r->path), "speakers.");
  for (void *m = json_object_iter(speakers); m; m = json_object_iter_next(speakers, m), count++) {
    names[count].from = str_from(json_object_iter_key(m));
    TRY(read_text(r, speakers, names[count].from.p, SPEECH_SPEAKER_MAX, false, &names[count].to));
  }
  r->path[0] = '\0';
  for (size_t i = 0; i < r->d->segment_count; i++) {
    struct str *speaker = &r->d->segments[i].speaker;
    *speaker = new_name(names, count, *speaker);
  }
  rename_talk(&r->d->talk, names, count);
  return OK;
}

static enum err read_edit(struct document_reader *r, const struct speech_document *before, struct str json) {
  json_t *root CLEANUP(free_json) = json_object();
  struct str segments = STR_NONE;
  if (!root) return ERR_NOMEM;
  TRY(read_members(r, json, root, &segments));
  for (void *m = json_object_iter(root); m; m = json_object_iter_next(root, m)) {
    const char *key = json_object_iter_key(m);
    if (strcmp(key, "speakers") != 0) return reader_wrong(r, key, ERR_INVALID);
  }
  TRY(copy_rest(r->d, before));
  TRY(segments.n > 0 ? read_segments(r, segments) : copy_segments(r->d, before));
  if (json_object_get(root, "speakers")) TRY(rename_speakers(r, json_object_get(root, "speakers")));
  TRY(drop_other_words(r->d));
  return speech_document_sort(r->d);
}

enum err speech_document_edit(const struct speech_document *before, struct str json, struct speech_document *d,
                              struct speech_wrong *ret_wrong) {
  struct speech_wrong wrong = {0};
  struct document_reader r = {.d = d, .wrong = &wrong};
  enum err e = read_edit(&r, before, json);
  if (e == OK) return OK;
  speech_document_done(d);
  *ret_wrong = wrong;
  return e;
}
