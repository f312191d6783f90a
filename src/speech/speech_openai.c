/* speech_openai.c - servers of POST /v1/audio/transcriptions: whisper.cpp, faster-whisper, vLLM, OpenAI.
 *
 *   words within segments (whisper.cpp) | words at the top level (OpenAI) | segments without words (faster-whisper) | text alone
 *
 * Invariants
 *  (1) A member that is missing, or has the wrong type, counts as unknown. Only an answer without any text that can be read, or
 *      past a ceiling, is an error.
 *  (2) A language that the request named is certain. One that the engine found counts if the engine is sure, where it says how
 *      sure it is. A model for one language writes that one, whatever whisper.cpp finds: then the found language is ignored.
 *  (3) All times are clamped to the piece, and a phrase does not end before it starts. */
#include <math.h>
#include <stdio.h>

#include "base/secret.h"
#include "speech/speech_code.h"
#include "speech/speech_engine_parts.h"
#include "speech/speech_filter.h"
#include "speech/speech_text.h"
#include "speech/speech_words.h"

#define PATH STR("/v1/audio/transcriptions")
enum { BOUNDARY_BYTES = 16 };
static const double LANGUAGE_KNOWN = 0.5;

/* ---- the request ---- */

struct openai_form {
  struct buf *b;
  char boundary[2 * BOUNDARY_BYTES + 1];
};

static enum err form_part(struct openai_form *f, const char *name, const char *more) {
  return buf_addf(f->b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n", f->boundary, name, more);
}

static enum err form_field(struct openai_form *f, const char *name, struct str value) {
  TRY(form_part(f, name, ""));
  TRY(buf_add(f->b, value));
  return buf_add(f->b, STR("\r\n"));
}

static struct str tail_utf8(struct str text, size_t most) {
  if (text.n <= most) return text;
  text = str_skip(text, text.n - most);
  while (text.n > 0 && ((unsigned char)text.p[0] & 0xc0) == 0x80) text = str_skip(text, 1);
  return text;
}

static bool is_auto(const struct speech_input *input) {
  struct str language = str_from(input->language);
  return language.n == 0 || str_eq(language, STR("auto"));
}

/* Whether it is OpenAI's own service, which does not know "auto". */
static bool is_openai(const char *url) {
  struct fetch_url parts;
  return fetch_url_parse(str_from(url), &parts) == OK && str_ends(parts.host, STR("openai.com"));
}

static enum err form_language(struct openai_form *f, const struct speech_engine *e, const struct speech_input *input) {
  struct str language = is_auto(input) ? STR("auto") : str_from(input->language);
  char code[SPEECH_LANGUAGE_SIZE];
  if (!speech_code_is_tag(language)) return ERR_INVALID;
  if (is_auto(input)) {
    if (e->no_auto || is_openai(input->url)) return OK;
    TRY(form_field(f, "language", language));
    if (e->one_language & speech_url_bit(input->url)) return OK;
    return form_field(f, "no_language_probabilities", STR("false")); /* whisper.cpp then says how sure it is */
  }
  speech_code_of(language, code);
  return form_field(f, "language", code[0] ? str_from(code) : language);
}

static enum err form_write(struct openai_form *f, const struct speech_engine *e, const struct speech_input *input) {
  const char *model = input->model && input->model[0] ? input->model : speech_engine_model(e);
  TRY(form_field(f, "model", str_from(model)));
  TRY(form_language(f, e, input));
  TRY(form_field(f, "response_format", e->no_verbose ? STR("json") : STR("verbose_json")));
  if (!e->no_verbose) {
    TRY(form_field(f, "timestamp_granularities[]", STR("word")));
    TRY(form_field(f, "timestamp_granularities[]", STR("segment")));
    TRY(form_field(f, "split_on_word", STR("true")));
  }
  struct str prompt = tail_utf8(input->prompt, SPEECH_PROMPT_MAX);
  if (prompt.n > 0) TRY(form_field(f, "prompt", prompt));
  TRY(form_part(f, "file", "; filename=\"piece.wav\"\r\nContent-Type: audio/wav"));
  TRY(speech_add_wav(f->b, input));
  return buf_addf(f->b, "\r\n--%s--\r\n", f->boundary);
}

static enum err openai_url(struct buf *b, const char *url) {
  struct fetch_url parts;
  struct str base = str_from(url);
  if (fetch_url_parse(base, &parts) != OK || parts.has_query || parts.has_fragment || parts.has_userinfo)
    return ERR_INVALID;
  while (str_ends(base, STR("/"))) base.n--;
  TRY(buf_add(b, base));
  if (str_ends(base, PATH)) return OK;
  return buf_add(b, str_ends(base, STR("/v1")) ? str_skip(PATH, 3) : PATH);
}

static enum err openai_request(struct speech_engine *e, const struct speech_input *input, struct speech_request *r) {
  uint8_t random[BOUNDARY_BYTES];
  struct openai_form form = {.b = &r->body};
  LOCKED(&e->lock);
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), form.boundary);
  TRY(openai_url(&r->url, input->url));
  TRY(form_write(&form, e, input));
  TRY(buf_addf(&r->type, "Content-Type: multipart/form-data; boundary=%s", form.boundary));
  return e->api_key ? buf_addf(&r->authorization, "Authorization: Bearer %s", e->api_key) : OK;
}

/* ---- the answer ---- */

static enum err keep_text(struct speech_answer *a, struct str bytes, struct str *ret_text) {
  struct buf clean CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  TRY(speech_text_clean(bytes, &clean));
  return speech_arena_copy(&a->arena, buf_str(&clean), ret_text);
}

/* The first bytes of s that continue a character: those of one whose start is at the end of the text before (speech_words.c). */
static size_t continuation_bytes(struct str s) {
  size_t n = 0;
  while (n < s.n && n < 3 && ((unsigned char)s.p[n] & 0xc0) == 0x80) n++;
  return n;
}

static double read_probability(const json_t *object, const char *member) {
  double p = speech_json_number(object, member, -1);
  return p >= 0 && p <= 1 ? p : -1;
}

static enum err add_tokens(struct speech_tokens *t, size_t phrase, const json_t *words, int64_t max_ms,
                           const struct speech_phrase *in) {
  struct buf bytes CLEANUP(buf_done) = BUF_INIT(SPEECH_TOKEN_BYTES_MAX);
  for (size_t i = 0; i < json_array_size(words); i++) {
    const json_t *word = json_array_get(words, i);
    struct speech_token token = {.probability = read_probability(word, "probability")};
    buf_clear(&bytes);
    TRY(speech_json_bytes(json_object_get(word, "word"), &bytes));
    token.start_ms = speech_json_ms(word, "start", max_ms, in->start_ms);
    token.end_ms = speech_json_ms(word, "end", max_ms, token.start_ms);
    TRY(speech_tokens_add(t, phrase, &token, buf_str(&bytes)));
  }
  return OK;
}

/* Words at the top level: each goes to the last phrase that starts before its middle. */
static enum err add_top_words(struct speech_tokens *t, const struct speech_answer *a, const json_t *words,
                              int64_t max_ms) {
  size_t phrase = 0;
  for (size_t i = 0; i < json_array_size(words); i++) {
    json_t *one = json_array_get(words, i), *list = json_array();
    int64_t start = speech_json_ms(one, "start", max_ms, 0), end = speech_json_ms(one, "end", max_ms, start);
    while (phrase + 1 < a->phrase_count && a->phrases[phrase + 1].start_ms <= (start + end) / 2) phrase++;
    bool ok = list && json_array_append(list, one) == 0;
    enum err e = ok ? add_tokens(t, phrase, list, max_ms, &a->phrases[phrase]) : ERR_NOMEM;
    json_decref(list);
    TRY(e);
  }
  return OK;
}

static void read_phrase(const json_t *segment, int64_t max_ms, struct speech_phrase *p) {
  p->start_ms = speech_json_ms(segment, "start", max_ms, 0);
  p->end_ms = speech_json_ms(segment, "end", max_ms, max_ms);
  if (p->end_ms < p->start_ms) p->end_ms = p->start_ms; /* (3) */
  p->no_speech = read_probability(segment, "no_speech_prob");
  p->log_probability = speech_json_number(segment, "avg_logprob", 0);
  p->confidence = p->log_probability < 0 ? exp(p->log_probability) : -1;
}

/* Reads the phrases' texts; bytes of a character at a border are joined. */
static enum err openai_read_texts(const json_t *segments, struct speech_answer *a) {
  struct buf text CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX), next CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  TRY(speech_json_bytes(json_object_get(json_array_get(segments, 0), "text"), &text));
  for (size_t i = 0; i < a->phrase_count; i++) {
    buf_clear(&next);
    TRY(speech_json_bytes(json_object_get(json_array_get(segments, i + 1), "text"), &next));
    size_t border = continuation_bytes(buf_str(&next));
    TRY(buf_add(&text, str_head(buf_str(&next), border)));
    buf_drop_front(&next, border);
    TRY(keep_text(a, buf_str(&text), &a->phrases[i].text));
    buf_clear(&text);
    TRY(buf_add(&text, buf_str(&next)));
  }
  return OK;
}

static void drop_empty(struct speech_answer *a) {
  size_t kept = 0;
  for (size_t i = 0; i < a->phrase_count; i++) {
    if (a->phrases[i].text.n > 0) a->phrases[kept++] = a->phrases[i];
  }
  a->phrase_count = kept;
}

static enum err take_phrases(struct speech_answer *a, size_t count) {
  void *memory = NULL;
  if (count > SPEECH_PHRASES_MAX) return ERR_TOO_BIG;
  if (count > 0) TRY(speech_arena_take_array(&a->arena, count, sizeof(*a->phrases), &memory));
  a->phrases = memory;
  a->phrase_count = count;
  return OK;
}

static enum err openai_read_words(const json_t *root, const json_t *segments, int64_t max_ms, struct speech_answer *a) {
  struct speech_tokens tokens CLEANUP(speech_tokens_done) = {0};
  const json_t *top = json_object_get(root, "words");
  speech_tokens_init(&tokens);
  for (size_t i = 0; i < a->phrase_count; i++) {
    const json_t *words = json_object_get(json_array_get(segments, i), "words");
    TRY(add_tokens(&tokens, i, words, max_ms, &a->phrases[i]));
  }
  if (tokens.count == 0 && json_is_array(top)) TRY(add_top_words(&tokens, a, top, max_ms));
  return speech_tokens_join(&tokens, a);
}

/* The confidence of a phrase is that of its words, where they have one. */
static void sum_confidence(struct speech_answer *a) {
  for (size_t i = 0; i < a->phrase_count; i++) {
    struct speech_phrase *p = &a->phrases[i];
    double sum = 0;
    size_t known = 0;
    for (size_t k = 0; k < p->word_count; k++) {
      if (p->words[k].confidence < 0) continue;
      sum += p->words[k].confidence;
      known++;
    }
    if (known) p->confidence = sum / (double)known;
  }
}

static enum err openai_read_segments(const json_t *root, const json_t *segments, int64_t max_ms,
                                     struct speech_answer *a) {
  TRY(take_phrases(a, json_array_size(segments)));
  for (size_t i = 0; i < a->phrase_count; i++) read_phrase(json_array_get(segments, i), max_ms, &a->phrases[i]);
  TRY(openai_read_texts(segments, a));
  TRY(openai_read_words(root, segments, max_ms, a));
  drop_empty(a);
  sum_confidence(a);
  a->has_times = true;
  return OK;
}

/* A text without segments; perhaps with words. */
static enum err read_text_alone(const json_t *root, struct str bytes, int64_t max_ms, struct speech_answer *a) {
  TRY(take_phrases(a, 1));
  a->phrases[0] = (struct speech_phrase){.end_ms = max_ms, .confidence = -1, .no_speech = -1};
  TRY(keep_text(a, bytes, &a->phrases[0].text));
  TRY(openai_read_words(root, NULL, max_ms, a));
  a->has_times = a->phrases[0].word_count > 0;
  drop_empty(a);
  sum_confidence(a);
  return OK;
}

/* Whether the engine found the language in which it wrote, as far as it says so. */
static bool writes_what_it_found(const json_t *root) {
  const json_t *found = json_object_get(root, "detected_language");
  return !found || json_equal(found, json_object_get(root, "language"));
}

/* (2) */
static void judge_language(const struct speech_input *input, const json_t *root, struct speech_answer *a) {
  double p = read_probability(root, "detected_language_probability");
  if (!is_auto(input) || p < 0) return;
  a->is_of_one_language = !writes_what_it_found(root);
  if (a->is_of_one_language) return;
  a->language_probability = p;
  if (p < LANGUAGE_KNOWN || speech_filter_is_guess(a)) a->language[0] = '\0';
}

/* (1) */
static enum err read_root(const json_t *root, int64_t max_ms, struct speech_answer *a) {
  struct buf bytes CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  const json_t *segments = json_object_get(root, "segments"), *text = json_object_get(root, "text");
  TRY(speech_json_bytes(json_object_get(root, "language"), &bytes));
  speech_code_of(buf_str(&bytes), a->language);
  buf_clear(&bytes);
  if (json_is_array(segments) && (json_array_size(segments) > 0 || !json_string_length(text)))
    return openai_read_segments(root, segments, max_ms, a);
  if (!json_is_string(text)) return ERR_INVALID;
  TRY(speech_json_bytes(text, &bytes));
  return read_text_alone(root, buf_str(&bytes), max_ms, a);
}

static enum err openai_parse(const struct speech_input *input, struct str body, struct speech_answer *answer) {
  int64_t max_ms = speech_input_ms(input);
  json_t *root = NULL;
  struct str text = str_trim(body);
  bool is_markup = text.n > 0 && (text.p[0] == '{' || text.p[0] == '[' || text.p[0] == '<' || text.p[0] == '"');
  if (!is_markup) return read_text_alone(NULL, text, max_ms, answer); /* response_format=text */
  TRY(speech_json_load(body, &root));
  enum err e = json_is_object(root) ? read_root(root, max_ms, answer) : ERR_INVALID;
  judge_language(input, root, answer);
  json_decref(root);
  return e;
}

/* Learns what this server does not know, so that the next request is without it. */
static enum speech_error openai_judge(struct speech_engine *e, const struct speech_input *input, int status,
                                      struct str text) {
  if (status != 400 && status != 404 && status != 422) return SPEECH_OK;
  LOCKED(&e->lock);
  if (status != 404 && speech_mentions(text, "response_format") && !e->no_verbose) {
    e->no_verbose = true;
    return SPEECH_SLOW;
  }
  if (status == 404 || !speech_mentions(text, "language")) return SPEECH_OK;
  if (!is_auto(input)) return SPEECH_UNSUPPORTED_LANGUAGE;
  if (e->no_auto) return SPEECH_OK;
  e->no_auto = true;
  return SPEECH_SLOW;
}

const struct speech_operations speech_openai = {
    .name = "openai", .model = "whisper-1", .request = openai_request, .parse = openai_parse, .judge = openai_judge};
