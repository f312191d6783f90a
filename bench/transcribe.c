/* Transcribes a file with an engine, without a server or database: bench_transcribe FILE URL [LANGUAGE
 * [VOCABULARY]]. Prints the JSON of the document, and on stderr what was sent and how long the engine took. For measuring error
 * rates and times. */
#include <stdio.h>
#include <stdlib.h>

#include "audio/speech_pieces.h"
#include "base/clock.h"
#include "fetch/fetch_get.h"
#include "speech/speech_map.h"
#include "speech/speech_merge.h"

struct transcription {
  struct speech_engine *engine;
  struct fetch_getter *getter;
  struct speech_merge *merge;
  struct speech_language language;
  struct buf prompt;
  const char *url, *wanted; /* language */
  int64_t sent_ms, engine_ms;
  size_t dropped;
};

static enum speech_error ask_once(struct transcription *t, const struct speech_input *input,
                                  struct speech_answer *ret) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(SPEECH_ANSWER_MAX);
  struct fetch_get get = {.body = &body};
  struct speech_request r;
  if (speech_engine_request(t->engine, input, &r) != OK) return SPEECH_ERROR;
  int64_t began = clock_mono_ms();
  enum err e = fetch_getter_send(t->getter, &r.fetch, &get);
  t->engine_ms += clock_mono_ms() - began;
  speech_request_done(&r);
  if (e != OK) return SPEECH_UNREACHABLE;
  struct speech_reply reply = {.end = get.end,
                               .status = get.status,
                               .no_connection = get.no_connection,
                               .retry_after_ms = get.retry_after_ms,
                               .body = buf_str(&body)};
  return speech_engine_answer(t->engine, input, &reply, ret);
}

static enum err take_answer(struct transcription *t, const struct speech_piece *piece, const struct speech_input *input,
                            const struct speech_answer *a) {
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_mapped mapped;
  struct speech_place place = {.channel = piece->channel,
                               .piece_ms = (int64_t)(piece->count * 1000 / SPEECH_RATE),
                               .spans = piece->spans,
                               .span_count = piece->span_count,
                               .prompt = input->prompt};
  TRY(speech_map_answer(a, &place, &d, &mapped));
  t->dropped += mapped.dropped;
  return speech_merge_add(t->merge, &d);
}

static enum err on_piece(void *arg, const struct speech_piece *piece) {
  struct transcription *t = arg;
  const char *language = t->wanted ? t->wanted : speech_language_next(&t->language, piece->channel, piece->speech_ms);
  struct speech_input input = {.url = t->url,
                               .language = language,
                               .prompt = buf_str(&t->prompt),
                               .samples = piece->samples,
                               .count = piece->count};
  bool again = true;
  enum err e = OK;
  while (e == OK && again) {
    struct speech_answer a;
    enum speech_error error = ask_once(t, &input, &a);
    again = false;
    t->sent_ms += (int64_t)(piece->count * 1000 / SPEECH_RATE);
    if (error != SPEECH_OK) {
      (void)fprintf(stderr, "piece %d of channel %d: %s\n", piece->index, piece->channel, speech_error_text(error));
      return speech_merge_add_gap(t->merge, piece->spans[0].start_ms, piece->spans[piece->span_count - 1].end_ms,
                                  speech_error_text(error));
    }
    speech_language_note(&t->language, piece->channel, piece->speech_ms, a.language);
    again = input.prompt.n > 0 && a.has_lost_time; /* the prompt did harm */
    if (!again) e = take_answer(t, piece, &input, &a);
    input.prompt = STR_NONE;
    speech_answer_done(&a);
  }
  return e;
}

static enum err transcribe(struct transcription *t, FILE *file, struct speech_document *d) {
  char bytes[64 * 1024];
  struct speech_pieces_config config = {.arg = t, .on_piece = on_piece};
  struct speech_merge_config names = {.speakers = {"1", "2"}};
  struct speech_pieces *p;
  struct speech_summary s;
  size_t n;
  TRY(speech_merge_new(&names, &t->merge));
  TRY(speech_pieces_new(&config, &p));
  enum err e = OK;
  while (e == OK && (n = fread(bytes, 1, sizeof(bytes), file)) > 0) e = speech_pieces_feed(p, str_of(bytes, n));
  if (e == OK) e = speech_pieces_finish(p, &s);
  speech_pieces_free(p);
  if (e == OK) e = speech_merge_finish(t->merge, &s, d);
  if (e == OK)
    (void)fprintf(stderr, "%.1f s, sent %.1f s in %d pieces, engine %.1f s, left out %zu\n",
                  (double)s.decoded_ms / 1000, (double)t->sent_ms / 1000, s.pieces, (double)t->engine_ms / 1000,
                  t->dropped);
  return e;
}

int main(int argc, char **argv) {
  struct speech_settings settings = {.engine = "openai"};
  struct transcription t = {.url = argc > 2 ? argv[2] : NULL, .wanted = argc > 3 ? argv[3] : NULL};
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct buf json CLEANUP(buf_done) = BUF_INIT(SPEECH_DOCUMENT_MAX);
  FILE *file = argc > 2 ? fopen(argv[1], "rb") : NULL;
  if (!file || speech_engine_new(&settings, &t.engine) != OK || fetch_getter_new(&t.getter) != OK) {
    (void)fprintf(stderr, "bench_transcribe FILE URL [LANGUAGE [VOCABULARY]]\n");
    return 1;
  }
  buf_init(&t.prompt, SPEECH_PROMPT_MAX);
  enum err e = speech_map_prompt(str_from(argc > 4 ? argv[4] : NULL), &t.prompt);
  if (e == OK) e = transcribe(&t, file, &d);
  if (e == OK) {
    (void)snprintf(d.language, sizeof(d.language), "%s",
                   t.wanted ? t.wanted : speech_language_of_recording(&t.language));
    e = speech_document_write(&d, &json);
  }
  if (e == OK)
    printf("%.*s\n", STR_ARG(buf_str(&json)));
  else
    (void)fprintf(stderr, "%s\n", err_text(e));
  buf_done(&t.prompt);
  speech_merge_free(t.merge);
  fetch_getter_free(t.getter);
  speech_engine_free(t.engine);
  (void)fclose(file);
  return e == OK ? 0 : 1;
}
