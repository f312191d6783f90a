/* speech_google.c - Google's Speech-to-Text v2: `recognize`, synchronously. Pieces fit into its limits (60 s, 10 MB).
 *
 *   key file -> signed assertion -> token (an hour) -> recognize
 *
 * Invariants
 *  (1) A protobuf leaves zeros out: a word without an offset starts at 0. Durations are texts: "0.700s".
 *  (2) All times are clamped to the piece. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "speech/speech_code.h"
#include "speech/speech_engine_parts.h"
#include "speech/speech_text.h"
#include "speech/speech_words.h"

enum { PHRASE_BYTES_MAX = 100 };

/* ---- the request ---- */

/* "europe-west4" of https://europe-west4-speech.googleapis.com, else "global". */
static struct str google_location(const char *url) {
  static const char suffix[] = "-speech.googleapis.com";
  struct fetch_url parts;
  if (fetch_url_parse(str_from(url), &parts) != OK || !str_ends(parts.host, str_from(suffix))) return STR("global");
  return str_head(parts.host, parts.host.n - strlen(suffix));
}

/* The vocabulary: the texts between commas and line breaks are phrases that are expected. */
static enum err google_adaptation(struct str vocabulary, struct buf *b) {
  struct str phrase;
  bool is_first = true;
  while (vocabulary.n > 0) {
    size_t n = 0;
    while (n < vocabulary.n && vocabulary.p[n] != ',' && vocabulary.p[n] != '\n') n++;
    phrase = str_head_utf8(str_trim(str_head(vocabulary, n)), PHRASE_BYTES_MAX);
    vocabulary = str_skip(vocabulary, n < vocabulary.n ? n + 1 : n);
    if (phrase.n == 0) continue;
    TRY(buf_add(b, is_first ? STR(",\"adaptation\":{\"phraseSets\":[{\"inlinePhraseSet\":{\"phrases\":[{\"value\":")
                            : STR("},{\"value\":")));
    TRY(buf_add_json(b, phrase));
    is_first = false;
  }
  return is_first ? OK : buf_add(b, STR("}]}}]}"));
}

static enum err google_body(const struct speech_engine *e, const struct speech_input *input, struct buf *b) {
  struct str language = str_from(input->language);
  struct buf wav CLEANUP(buf_done) = BUF_INIT(4 << 20);
  const char *model = input->model && input->model[0] ? input->model : speech_engine_model(e);
  if (language.n == 0) language = STR("auto");
  if (!speech_code_is_tag(language)) return ERR_INVALID;
  TRY(buf_add(b, STR("{\"config\":{\"autoDecodingConfig\":{},\"languageCodes\":[")));
  TRY(buf_add_json(b, speech_code_google(language)));
  TRY(buf_add(b, STR("],\"model\":")));
  TRY(buf_add_json(b, str_from(model)));
  TRY(buf_add(b, STR(",\"features\":{\"enableWordTimeOffsets\":true,\"enableWordConfidence\":true,"
                     "\"enableAutomaticPunctuation\":true}")));
  TRY(google_adaptation(input->prompt, b));
  TRY(buf_add(b, STR("},\"content\":\"")));
  TRY(speech_add_wav(&wav, input));
  TRY(base64_encode(b, (const uint8_t *)wav.p, wav.n));
  return buf_add(b, STR("\"}"));
}

static enum err google_request(struct speech_engine *e, const struct speech_input *input, struct speech_request *r) {
  struct str base = str_from(e->google_url);
  {
    LOCKED(&e->lock);
    if (!e->token) return ERR_NOT_YET;
    TRY(buf_addf(&r->authorization, "Authorization: Bearer %s", e->token));
  }
  while (str_ends(base, STR("/"))) base.n--;
  TRY(buf_addf(&r->url, "%.*s/v2/projects/%s/locations/%.*s/recognizers/_:recognize", STR_ARG(base), e->project,
               STR_ARG(google_location(e->google_url))));
  TRY(buf_add(&r->type, STR("Content-Type: application/json")));
  return google_body(e, input, &r->body);
}

/* ---- the answer ---- */

static double confidence_of(const json_t *object) {
  double confidence = speech_json_number(object, "confidence", 0);
  return confidence > 0 && confidence <= 1 ? confidence : -1; /* (1): 0 is unknown */
}

static enum err add_words(struct speech_tokens *t, size_t phrase, const json_t *words, int64_t max_ms) {
  struct buf bytes CLEANUP(buf_done) = BUF_INIT(SPEECH_TOKEN_BYTES_MAX);
  for (size_t i = 0; i < json_array_size(words); i++) {
    const json_t *word = json_array_get(words, i);
    struct speech_token token = {.probability = confidence_of(word)};
    buf_clear(&bytes);
    TRY(buf_add_char(&bytes, ' ')); /* each is a whole word */
    TRY(speech_json_bytes(json_object_get(word, "word"), &bytes));
    token.start_ms = speech_json_ms(word, "startOffset", max_ms, 0);
    token.end_ms = speech_json_ms(word, "endOffset", max_ms, token.start_ms);
    TRY(speech_tokens_add(t, phrase, &token, buf_str(&bytes)));
  }
  return OK;
}

/* before_ms: where the result before it ended. */
static enum err read_result(const json_t *result, int64_t before_ms, int64_t max_ms, size_t phrase,
                            struct speech_answer *a, struct speech_tokens *t) {
  const json_t *best = json_array_get(json_object_get(result, "alternatives"), 0);
  const json_t *words = json_object_get(best, "words"), *last = json_array_get(words, json_array_size(words) - 1);
  struct buf text CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
  struct speech_phrase *p = &a->phrases[phrase];
  *p = (struct speech_phrase){.start_ms = before_ms, .confidence = confidence_of(best), .no_speech = -1};
  p->end_ms = speech_json_ms(result, "resultEndOffset", max_ms, max_ms);
  if (json_array_size(words) > 0) {
    p->start_ms = speech_json_ms(json_array_get(words, 0), "startOffset", max_ms, 0);
    p->end_ms = speech_json_ms(last, "endOffset", max_ms, p->end_ms);
  }
  if (p->end_ms < p->start_ms) p->end_ms = p->start_ms;
  TRY(speech_json_text(json_object_get(best, "transcript"), &text));
  TRY(speech_arena_copy(&a->arena, buf_str(&text), &p->text));
  return add_words(t, phrase, words, max_ms);
}

static enum err read_results(const json_t *results, int64_t max_ms, struct speech_answer *a) {
  struct speech_tokens tokens CLEANUP(speech_tokens_done) = {0};
  void *memory = NULL;
  size_t count = json_array_size(results), kept = 0;
  if (count > SPEECH_PHRASES_MAX) return ERR_TOO_BIG;
  if (count > 0) TRY(speech_arena_take_array(&a->arena, count, sizeof(*a->phrases), &memory));
  a->phrases = memory;
  speech_tokens_init(&tokens);
  for (size_t i = 0; i < count; i++) {
    const json_t *result = json_array_get(results, i);
    struct buf code CLEANUP(buf_done) = BUF_INIT(SPEECH_TEXT_MAX);
    TRY(read_result(result, i ? a->phrases[i - 1].end_ms : 0, max_ms, i, a, &tokens));
    TRY(speech_json_bytes(json_object_get(result, "languageCode"), &code));
    if (!a->language[0]) speech_code_of(buf_str(&code), a->language);
  }
  a->phrase_count = count;
  TRY(speech_tokens_join(&tokens, a));
  for (size_t i = 0; i < count; i++) {
    if (a->phrases[i].text.n > 0) a->phrases[kept++] = a->phrases[i];
  }
  a->phrase_count = kept;
  a->has_times = true;
  return OK;
}

static enum err google_parse(const struct speech_input *input, struct str body, struct speech_answer *answer) {
  json_t *root = NULL;
  TRY(speech_json_load(body, &root));
  const json_t *results = json_object_get(root, "results");
  bool is_answer = json_is_object(root) && (!results || json_is_array(results));
  enum err e = is_answer ? read_results(results, speech_input_ms(input), answer) : ERR_INVALID;
  json_decref(root);
  return e;
}

static enum speech_error google_judge(struct speech_engine *e, const struct speech_input *input, int status,
                                      struct str text) {
  (void)e, (void)input;
  bool is_language = status == 400 && (speech_mentions(text, "language") || speech_mentions(text, "locale"));
  return is_language ? SPEECH_UNSUPPORTED_LANGUAGE : SPEECH_OK;
}

const struct speech_operations speech_google = {
    .name = "google", .model = "long", .request = google_request, .parse = google_parse, .judge = google_judge};
