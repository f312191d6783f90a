/* Input: the first byte chooses the engine, the status and how a transfer ended; the rest is the body of an answer. Property: any
 * bytes give an error, or clean texts with times within the piece, which can be mapped, merged, written, read back, exported. */
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "speech/speech_export.h"
#include "speech/speech_map.h"
#include "speech/speech_merge.h"
#include "speech/speech_text.h"

enum { PIECE_MS = 9600 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static struct speech_engine *google_new(void) {
  char *pem;
  struct speech_engine *e;
  struct buf json CLEANUP(buf_done) = BUF_INIT(1 << 16);
  BIO *bio = BIO_new(BIO_s_mem());
  EVP_PKEY *key = EVP_RSA_gen(2048);
  require(bio && key && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
  long size = BIO_get_mem_data(bio, &pem);
  require(buf_add(&json,
                  STR("{\"project_id\":\"p\",\"client_email\":\"a@b\",\"token_uri\":\"http://a/\",\"private_key\":")) ==
          OK);
  require(buf_add_json(&json, str_of(pem, (size_t)size)) == OK && buf_add_char(&json, '}') == OK);
  struct speech_settings settings = {.engine = "google", .google_key = buf_str(&json)};
  require(speech_engine_new(&settings, &e) == OK);
  BIO_free(bio);
  EVP_PKEY_free(key);
  return e;
}

static struct speech_engine *engine_of(bool google) {
  static struct speech_engine *engines[2]; /* live as long as the process */
  struct speech_settings settings = {.engine = "openai"};
  if (!engines[0]) require(speech_engine_new(&settings, &engines[0]) == OK);
  if (!engines[1]) engines[1] = google_new();
  return engines[google];
}

static void check_answer(const struct speech_answer *a) {
  for (size_t i = 0; i < a->phrase_count; i++) {
    const struct speech_phrase *p = &a->phrases[i];
    require(p->text.n > 0 && speech_text_is_clean(p->text) && p->confidence >= -1 && p->confidence <= 1);
    require(p->start_ms >= 0 && p->start_ms <= p->end_ms && p->end_ms <= PIECE_MS);
    for (size_t k = 0; k < p->word_count; k++) {
      const struct speech_word *w = &p->words[k];
      require(w->text.n > 0 && speech_text_is_clean(w->text));
      require(w->start_ms >= 0 && w->start_ms <= w->end_ms && w->end_ms <= PIECE_MS);
      if (k > 0) require(w->start_ms >= p->words[k - 1].start_ms);
    }
  }
}

static void check_document(const struct speech_document *d) {
  struct speech_document again CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct buf first CLEANUP(buf_done) = BUF_INIT(SPEECH_DOCUMENT_MAX),
                   second CLEANUP(buf_done) = BUF_INIT(SPEECH_DOCUMENT_MAX);
  struct speech_wrong wrong;
  for (size_t i = 0; i < d->segment_count; i++) {
    const struct speech_segment *s = &d->segments[i];
    require(s->start_ms >= 10000 && s->end_ms <= 67400 && s->start_ms <= s->end_ms && speech_text_is_clean(s->text));
    for (size_t k = 0; k < s->word_count; k++)
      require(s->words[k].start_ms >= 10000 && s->words[k].start_ms <= s->words[k].end_ms &&
              s->words[k].end_ms <= 67400);
  }
  require(speech_document_write(d, &first) == OK);
  require(speech_document_parse(buf_str(&first), &again, &wrong) == OK);
  require(speech_document_write(&again, &second) == OK && str_eq(buf_str(&first), buf_str(&second)));
  for (int export = SPEECH_EXPORT_TXT; export <= SPEECH_EXPORT_VTT; export ++) {
    buf_clear(&second);
    require(speech_export_write(d, (enum speech_export) export, &second) == OK &&
            (!second.n || str_is_utf8(buf_str(&second))));
  }
}

static void map_and_merge(const struct speech_answer *a, struct str reply_text) {
  static const struct speech_span spans[] = {{0, 10000, 13000}, {3300, 60000, 63000}, {6600, 64400, 67400}};
  const struct speech_place place = {.piece_ms = PIECE_MS, .spans = spans, .span_count = 3, .prompt = STR("a b c d e")};
  const struct speech_summary summary = {.channels = 2, .duration_ms = 67400, .decoded_ms = 67400, .has_speech = true};
  struct speech_document d CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT,
                           whole CLEANUP(speech_document_done) = SPEECH_DOCUMENT_INIT;
  struct speech_merge_config config = {.speakers = {"customer", "agent"}, .language = a->language};
  struct speech_mapped mapped;
  struct speech_merge *m;
  struct buf prompt CLEANUP(buf_done) = BUF_INIT(SPEECH_PROMPT_MAX);
  require(speech_map_answer(a, &place, &d, &mapped) == OK && mapped.dropped <= a->phrase_count);
  check_document(&d);
  require(speech_map_prompt(reply_text, &prompt) == OK);
  require(speech_merge_new(&config, &m) == OK && speech_merge_add(m, &d) == OK && speech_merge_add(m, &d) == OK);
  require(speech_merge_finish(m, &summary, &whole) == OK);
  check_document(&whole);
  speech_merge_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const int statuses[] = {200, 200, 200, 400, 401, 422, 429, 500};
  static int16_t samples[PIECE_MS * 16];
  if (n == 0) return 0;
  struct speech_engine *e = engine_of(bytes[0] & 1);
  struct speech_input input = {.url = "http://a", .samples = samples, .count = PIECE_MS * 16};
  struct speech_reply reply = {.end = bytes[0] & 128 ? (enum fetch_end)(bytes[0] >> 4 & 7) : FETCH_DONE,
                               .status = statuses[bytes[0] >> 1 & 7],
                               .body = str_of((const char *)bytes + 1, n - 1)};
  struct speech_answer a;
  enum speech_error error = speech_engine_answer(e, &input, &reply, &a);
  require(error < SPEECH_ERROR_COUNT_ && (error == SPEECH_OK || a.phrase_count == 0));
  check_answer(&a);
  if (error == SPEECH_OK) map_and_merge(&a, reply.body);
  speech_answer_done(&a);
  reply.status = 200;
  if (bytes[0] & 1) require(speech_engine_token_take(e, &reply, 0) < SPEECH_ERROR_COUNT_);
  return 0;
}
