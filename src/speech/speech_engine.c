/* speech_engine.c - what all engines have in common: settings, the request's limits, the meaning of a status.
 *
 * Invariants
 *  (1) No text of an answer, no prompt and no credential leaves this room but as a document.
 *  (2) Any reply gives a value of enum speech_error; *ret_answer is empty unless that is SPEECH_OK. */
#include "speech/speech_engine.h"

#include <stdlib.h>

#include "base/secret.h"
#include "speech/speech_engine_parts.h"

enum {
  ANSWER_ARENA_MAX = 16 << 20,
  BODY_MAX = 4 << 20,
  URL_MAX = 2048,
  KEY_MAX = 4096,
  MODEL_MAX = 200,
  WAIT_MS = 60 * 1000,
  WAIT_TIMES = 10,
  IDLE_MS = 30 * 1000,
  LOST_WORDS = 4,
};

const char *speech_error_text(enum speech_error error) {
  static const char *const texts[] = {
#define X(name, text) text,
#include "speech/speech_error.def"
#undef X
  };
  return (unsigned)error < COUNT_OF(texts) ? texts[error] : "engine_error";
}

/* ---- engines ---- */

static enum err copy_setting(const char *text, size_t max, char **ret_copy) {
  struct str s = str_from(text);
  if (s.n == 0) return OK;
  if (s.n > max) return ERR_INVALID;
  for (size_t i = 0; i < s.n; i++) {
    if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f) return ERR_INVALID;
  }
  *ret_copy = str_dup(s);
  return *ret_copy ? OK : ERR_NOMEM;
}

static enum err engine_set(struct speech_engine *e, const struct speech_settings *s) {
  static const struct speech_operations *const all[] = {&speech_openai, &speech_google};
  for (size_t i = 0; i < COUNT_OF(all); i++) {
    if (str_eq(str_from(s->engine), str_from(all[i]->name))) e->operations = all[i];
  }
  if (!e->operations) return ERR_INVALID;
  TRY(copy_setting(s->api_key, KEY_MAX, &e->api_key));
  TRY(copy_setting(s->model, MODEL_MAX, &e->model));
  TRY(copy_setting(s->google_url && s->google_url[0] ? s->google_url : "https://speech.googleapis.com", URL_MAX,
                   &e->google_url));
  return e->operations == &speech_google ? speech_google_read_key(e, s->google_key) : OK;
}

enum err speech_engine_new(const struct speech_settings *settings, struct speech_engine **ret_engine) {
  struct speech_engine *e = calloc(1, sizeof(*e));
  if (!e) return ERR_NOMEM;
  lock_init(&e->lock, "speech engine", LOCK_RANK_ENGINE);
  enum err error = engine_set(e, settings);
  if (error != OK) {
    speech_engine_free(e);
    return error;
  }
  *ret_engine = e;
  return OK;
}

static void wipe_and_free(char *text) {
  if (text) secret_wipe(text, strlen(text));
  free(text);
}

struct speech_engine *speech_engine_free(struct speech_engine *e) {
  if (!e) return NULL;
  wipe_and_free(e->api_key);
  wipe_and_free(e->token);
  EVP_PKEY_free(e->key);
  free(e->model);
  free(e->google_url);
  free(e->project);
  free(e->email);
  free(e->token_url);
  lock_done(&e->lock);
  free(e);
  return NULL;
}

const char *speech_engine_name(const struct speech_engine *e) {
  return e->operations->name;
}

const char *speech_engine_model(const struct speech_engine *e) {
  return e->model ? e->model : e->operations->model;
}

/* ---- requests ---- */

void speech_request_init(struct speech_request *r) {
  *r = (struct speech_request){.url = BUF_INIT(URL_MAX + 256),
                               .body = BUF_INIT(BODY_MAX),
                               .authorization = BUF_INIT(KEY_MAX + 64),
                               .type = BUF_INIT(256)};
}

void speech_request_done(struct speech_request *r) {
  buf_done(&r->url);
  secret_buf_done(&r->body); /* it may have a signed assertion */
  secret_buf_done(&r->authorization);
  buf_done(&r->type);
}

enum err speech_request_ready(struct speech_request *r, int64_t wait_ms) {
  const char *url;
  size_t n = 0;
  TRY(buf_terminate(&r->url, &url));
  TRY(buf_terminate(&r->type, &r->headers[n++]));
  if (r->authorization.n > 0) TRY(buf_terminate(&r->authorization, &r->headers[n++]));
  r->fetch = (struct fetch_request){.method = "POST",
                                    .url = url,
                                    .headers = r->headers,
                                    .body = buf_str(&r->body),
                                    .first_byte_ms = wait_ms,
                                    .idle_ms = IDLE_MS,
                                    .max_bytes = SPEECH_ANSWER_MAX,
                                    .trust_origin = true};
  return OK;
}

int64_t speech_input_ms(const struct speech_input *input) {
  return (int64_t)(input->count * 1000 / SPEECH_RATE);
}

static enum err add_le(struct buf *b, uint32_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) TRY(buf_add_char(b, (char)(value >> (8 * i) & 255)));
  return OK;
}

enum err speech_add_wav(struct buf *b, const struct speech_input *input) {
  uint32_t bytes = (uint32_t)(input->count * 2);
  TRY(buf_add(b, STR("RIFF")));
  TRY(add_le(b, 36 + bytes, 4));
  TRY(buf_add(b, STR("WAVEfmt ")));
  TRY(add_le(b, 16, 4));
  TRY(add_le(b, 1, 2)); /* PCM */
  TRY(add_le(b, 1, 2)); /* channel */
  TRY(add_le(b, SPEECH_RATE, 4));
  TRY(add_le(b, SPEECH_RATE * 2, 4));
  TRY(add_le(b, 2, 2));
  TRY(add_le(b, 16, 2));
  TRY(buf_add(b, STR("data")));
  TRY(add_le(b, bytes, 4));
  TRY(buf_reserve(b, bytes));
  for (size_t i = 0; i < input->count; i++) {
    b->p[b->n++] = (char)((uint16_t)input->samples[i] & 255);
    b->p[b->n++] = (char)((uint16_t)input->samples[i] >> 8);
  }
  return OK;
}

enum err speech_engine_request(struct speech_engine *e, const struct speech_input *input,
                               struct speech_request *ret_request) {
  struct speech_request r;
  if (input->count == 0 || !input->samples) return ERR_INVALID;
  if (speech_input_ms(input) > SPEECH_PIECE_MAX_MS) return ERR_TOO_BIG;
  speech_request_init(&r);
  enum err error = e->operations->request(e, input, &r);
  if (error == OK) {
    *ret_request = r;
    error = speech_request_ready(ret_request,
                                 input->wait_ms > 0 ? input->wait_ms : WAIT_MS + WAIT_TIMES * speech_input_ms(input));
    if (error == OK) return OK;
    r = *ret_request;
  }
  speech_request_done(&r);
  return error;
}

/* ---- tokens ---- */

bool speech_engine_needs_token(struct speech_engine *e, int64_t now_ms) {
  LOCKED(&e->lock);
  return e->operations == &speech_google && (!e->token || now_ms >= e->token_until_ms);
}

enum err speech_engine_token_request(struct speech_engine *e, int64_t now_ms, struct speech_request *ret_request) {
  struct speech_request r;
  if (e->operations != &speech_google) return ERR_UNSUPPORTED;
  speech_request_init(&r);
  enum err error = speech_google_token_request(e, now_ms, &r);
  if (error == OK) {
    *ret_request = r;
    error = speech_request_ready(ret_request, WAIT_MS);
    if (error == OK) return OK;
    r = *ret_request;
  }
  speech_request_done(&r);
  return error;
}

/* ---- replies ---- */

bool speech_mentions(struct str text, const char *word) {
  struct str wanted = str_from(word);
  for (size_t i = 0; i + wanted.n <= text.n; i++) {
    if (str_starts_nocase(str_skip(text, i), wanted)) return true;
  }
  return false;
}

/* How a reply without a status, or without its whole body, is to be taken. SPEECH_OK: it is whole. */
static enum speech_error judge_transfer(const struct speech_reply *reply) {
  switch (reply->end) {
    case FETCH_DONE:
      return reply->status ? SPEECH_OK : SPEECH_UNREACHABLE;
    case FETCH_TIMEOUT:
      return SPEECH_SLOW;
    case FETCH_TOO_BIG:
      return SPEECH_ERROR;
    default:
      return SPEECH_UNREACHABLE; /* refused, cut, forbidden, stopped */
  }
}

static enum speech_error judge_status(int status) {
  if (status == 200) return SPEECH_OK;
  if (status == 401 || status == 403) return SPEECH_AUTH_FAILED;
  if (status == 429) return SPEECH_RATE_LIMITED;
  if (status == 408 || status == 503 || status == 504) return SPEECH_SLOW;
  if (status == 502) return SPEECH_UNREACHABLE;
  if (status == 400 || status == 413 || status == 415 || status == 422) return SPEECH_BAD_PIECE;
  return SPEECH_ERROR;
}

static int64_t retry_after(enum speech_error error, const struct speech_reply *reply) {
  if (error != SPEECH_RATE_LIMITED && error != SPEECH_SLOW && error != SPEECH_ERROR) return 0;
  return reply->retry_after_ms < SPEECH_RETRY_MAX_MS ? reply->retry_after_ms : SPEECH_RETRY_MAX_MS;
}

static void token_drop(struct speech_engine *e) {
  wipe_and_free(e->token);
  e->token = NULL;
  e->token_was_good = false;
}

enum speech_error speech_engine_token_take(struct speech_engine *e, const struct speech_reply *reply, int64_t now_ms) {
  char *token = NULL;
  int64_t seconds;
  enum speech_error error = judge_transfer(reply);
  if (error == SPEECH_OK) error = judge_status(reply->status);
  if (error == SPEECH_BAD_PIECE) error = SPEECH_AUTH_FAILED; /* 400: invalid_grant */
  if (error != SPEECH_OK) return error;
  if (speech_google_parse_token(reply->body, &token, &seconds) != OK) return SPEECH_ERROR;
  LOCKED(&e->lock);
  token_drop(e);
  e->token = token;
  e->token_until_ms = now_ms + (seconds > 120 ? seconds - 60 : seconds / 2) * 1000;
  return SPEECH_OK;
}

/* A token may end before its time: then the next one may do. */
static enum speech_error judge_token(struct speech_engine *e, enum speech_error error) {
  LOCKED(&e->lock);
  if (error == SPEECH_OK) e->token_was_good = true;
  if (error != SPEECH_AUTH_FAILED || !e->token) return error;
  bool was_good = e->token_was_good;
  token_drop(e);
  return was_good ? SPEECH_SLOW : error;
}

/* Whether LOST_WORDS words in a row take no time, all at the same moment: that is no chance. */
static bool has_lost_time(const struct speech_answer *a) {
  size_t run = 0;
  int64_t at = -1;
  for (size_t i = 0; i < a->phrase_count; i++) {
    for (size_t k = 0; k < a->phrases[i].word_count; k++) {
      const struct speech_word *w = &a->phrases[i].words[k];
      bool is_same = w->start_ms == at && w->end_ms == at;
      run = is_same ? run + 1 : w->end_ms == w->start_ms;
      at = w->end_ms;
      if (run >= LOST_WORDS) return true;
    }
  }
  return false;
}

uint64_t speech_url_bit(const char *url) {
  return UINT64_C(1) << (str_hash(str_from(url), 0) % 64);
}

static void engine_learn(struct speech_engine *e, const struct speech_input *input, const struct speech_answer *a) {
  if (!a->is_of_one_language) return;
  LOCKED(&e->lock);
  e->one_language |= speech_url_bit(input->url);
}

enum speech_error speech_engine_answer(struct speech_engine *e, const struct speech_input *input,
                                       const struct speech_reply *reply, struct speech_answer *ret_answer) {
  struct speech_answer a = {.arena = {.max = ANSWER_ARENA_MAX}};
  enum speech_error error = judge_transfer(reply), more = SPEECH_OK;
  if (error == SPEECH_OK) {
    error = judge_status(reply->status);
    if (error != SPEECH_OK)
      more = e->operations->judge(e, input, reply->status, str_head(reply->body, SPEECH_ERROR_TEXT_MAX));
    if (more != SPEECH_OK) error = more;
    error = judge_token(e, error);
  }
  if (error == SPEECH_OK) {
    bool is_too_big = reply->body.n > SPEECH_ANSWER_MAX;
    enum err parsed = is_too_big ? ERR_TOO_BIG : e->operations->parse(input, reply->body, &a);
    if (parsed != OK) error = SPEECH_ERROR;
    a.has_lost_time = has_lost_time(&a);
    engine_learn(e, input, &a);
  }
  if (error != SPEECH_OK) { /* (2) */
    speech_arena_done(&a.arena);
    a = (struct speech_answer){.retry_after_ms = retry_after(error, reply), .arena = {.max = ANSWER_ARENA_MAX}};
  }
  *ret_answer = a;
  return error;
}

void speech_answer_done(struct speech_answer *a) {
  speech_arena_done(&a->arena);
  a->phrases = NULL;
  a->phrase_count = 0;
}
