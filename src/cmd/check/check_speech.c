/* check_speech.c - sends a sentence of real speech to each speech engine, and says what it heard and how long it took. */
#include "cmd/check/check_speech.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/speech_pieces.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/secret.h"
#include "cmd/check/check_parts.h"
#include "fetch/fetch_get.h"
#include "speech/speech_engine.h"

enum { SAMPLE_BYTES_MAX = 64 * 1024, SAMPLE_COUNT_MAX = 4 * SPEECH_RATE, HEARD_MAX = 4096, URL_MAX = 2048 };
enum { ENGINE_GOOGLE = 2, KEY_FILE_MAX = 64 * 1024 }; /* SPEECH_ENGINE: none, openai, google */
enum { WORDS_ENOUGH = 5 };                            /* of eight: other models hear a word or two differently */

struct speech_check {
  struct check *c;
  struct fetch_getter *getter;
  struct speech_engine *engine;
  int16_t samples[SAMPLE_COUNT_MAX];
  size_t count;
};

/* ---- the sample ---- */

static enum err sample_take_piece(void *arg, const struct speech_piece *piece) {
  struct speech_check *s = arg;
  if (piece->count > SAMPLE_COUNT_MAX) return ERR_TOO_BIG;
  memcpy(s->samples, piece->samples, piece->count * sizeof(piece->samples[0]));
  s->count = piece->count;
  return OK;
}

static enum err sample_read(struct speech_check *s) {
  struct buf mp3 CLEANUP(buf_done) = BUF_INIT(SAMPLE_BYTES_MAX);
  struct speech_pieces_config config = {.arg = s, .on_piece = sample_take_piece};
  struct speech_summary summary;
  struct speech_pieces *p = NULL;
  TRY(base64_decode(&mp3, str_from(check_sample)));
  TRY(speech_pieces_new(&config, &p));
  enum err e = speech_pieces_feed(p, buf_str(&mp3));
  if (e == OK) e = speech_pieces_finish(p, &summary);
  p = speech_pieces_free(p);
  return e == OK && !s->count ? ERR_CORRUPT : e;
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool has_word(struct str text, struct str word) {
  for (size_t i = 0; i + word.n <= text.n; i++) {
    bool is_start = !i || !is_letter(text.p[i - 1]), is_end = i + word.n == text.n || !is_letter(text.p[i + word.n]);
    if (is_start && is_end && str_eq_nocase((struct str){text.p + i, word.n}, word)) return true;
  }
  return false;
}

int check_sample_count(struct str heard) {
  struct str rest = str_from(check_sample_words);
  int count = 0;
  while (rest.n) {
    size_t n = 0;
    while (n < rest.n && rest.p[n] != ' ') n++;
    if (has_word(heard, (struct str){rest.p, n})) count++;
    if (n < rest.n) n++;
    rest = (struct str){rest.p + n, rest.n - n};
  }
  return count;
}

/* ---- a request ---- */

static struct speech_reply reply_of(const struct fetch_get *get) {
  return (struct speech_reply){.end = get->end,
                               .status = get->status,
                               .no_connection = get->no_connection,
                               .retry_after_ms = get->retry_after_ms,
                               .body = buf_str(get->body)};
}

/* Google: a token for the requests. */
static enum speech_error speech_take_token(struct speech_check *s) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(SPEECH_ANSWER_MAX);
  struct fetch_get get = {.body = &body};
  struct speech_request request;
  if (!speech_engine_needs_token(s->engine, clock_now_ms())) return SPEECH_OK;
  if (speech_engine_token_request(s->engine, clock_now_ms(), &request) != OK) return SPEECH_ERROR;
  enum err e = fetch_getter_send(s->getter, &request.fetch, &get);
  speech_request_done(&request);
  const struct speech_reply reply = reply_of(&get);
  return e == OK ? speech_engine_token_take(s->engine, &reply, clock_now_ms()) : SPEECH_UNREACHABLE;
}

static enum err heard_add(struct buf *heard, const struct speech_answer *answer) {
  for (size_t i = 0; i < answer->phrase_count; i++) {
    if (heard->n) TRY(buf_add_char(heard, ' '));
    TRY(buf_add(heard, answer->phrases[i].text));
  }
  return OK;
}

static enum speech_error speech_send(struct speech_check *s, const char *url, struct buf *heard) {
  struct buf body CLEANUP(buf_done) = BUF_INIT(SPEECH_ANSWER_MAX);
  const struct speech_input input = {.url = url, .language = "en", .samples = s->samples, .count = s->count};
  struct fetch_get get = {.body = &body};
  struct speech_request request;
  struct speech_answer answer;
  enum speech_error error = speech_take_token(s);
  if (error != SPEECH_OK) return error;
  if (speech_engine_request(s->engine, &input, &request) != OK) return SPEECH_ERROR;
  enum err e = fetch_getter_send(s->getter, &request.fetch, &get);
  speech_request_done(&request);
  if (e != OK) return SPEECH_UNREACHABLE;
  const struct speech_reply reply = reply_of(&get);
  error = speech_engine_answer(s->engine, &input, &reply, &answer);
  if (error == SPEECH_OK && heard_add(heard, &answer) != OK) error = SPEECH_ERROR;
  speech_answer_done(&answer);
  return error;
}

/* ---- what is reported ---- */

static const char *mend_of(enum speech_error error) {
  switch (error) {
    case SPEECH_UNREACHABLE:
      return "start it (script/whisper serve, systemctl start callreel-whisper), or set SPEECH_URL";
    case SPEECH_AUTH_FAILED:
      return "set SPEECH_API_KEY or GOOGLE_APPLICATION_CREDENTIALS to valid ones";
    case SPEECH_RATE_LIMITED:
      return "wait, or raise the quota";
    case SPEECH_SLOW:
      return "it loads its model or has too few cores: see docs/ops/speech.md, or raise SPEECH_WAIT";
    default:
      return "see its log, and whether SPEECH_ENGINE and SPEECH_MODEL fit it";
  }
}

static void speech_report(struct speech_check *s, const char *where, enum speech_error error, struct str heard,
                          int64_t took_ms) {
  struct check_report *r = &s->c->report;
  const char *model = speech_engine_model(s->engine);
  if (error != SPEECH_OK)
    report_add(r, CHECK_FAIL, "speech", mend_of(error), "%s: the engine gives no text: %s", where,
               speech_error_text(error));
  else if (check_sample_count(heard) >= WORDS_ENOUGH)
    report_add(r, CHECK_OK, "speech", "", "%s (%s) heard in %.1f s: \"%.*s\"", where, model, (double)took_ms / 1000,
               STR_ARG(heard));
  else
    report_add(r, CHECK_WARN, "speech", "see whether its model knows English, which the check speaks",
               "%s (%s) heard \"%.*s\" where \"%s\" was said", where, model, STR_ARG(heard), check_sample_words);
}

static void speech_check_url(struct speech_check *s, const char *url, const char *where) {
  struct buf heard CLEANUP(buf_done) = BUF_INIT(HEARD_MAX);
  int64_t began = clock_mono_ms();
  enum speech_error error = speech_send(s, url, &heard);
  speech_report(s, where, error, buf_str(&heard), clock_mono_ms() - began);
}

/* Each URL of SPEECH_URL, one after the other. */
static void speech_check_urls(struct speech_check *s) {
  const struct conf *conf = &s->c->app.conf;
  struct str rest = str_from(conf->speech_url);
  while (rest.n) {
    char url[URL_MAX];
    size_t n = 0;
    while (n < rest.n && rest.p[n] != ',') n++;
    struct str one = str_trim((struct str){rest.p, n});
    if (one.n && str_copy(url, sizeof(url), one) == OK) speech_check_url(s, url, url);
    if (n < rest.n) n++;
    rest = (struct str){rest.p + n, rest.n - n};
  }
}

/* The text of the service account's key file. */
static enum err speech_read_key(const char *path, struct buf *key) {
  int fd CLEANUP(fs_close_) = -1;
  mode_t mode;
  char piece[4096];
  ssize_t n;
  TRY(fs_open_chosen(path, &fd, &mode));
  if (mode & (S_IRWXG | S_IRWXO)) return ERR_DENIED;
  while ((n = read(fd, piece, sizeof(piece))) > 0) TRY(buf_add(key, (struct str){piece, (size_t)n}));
  secret_wipe(piece, sizeof(piece));
  return n < 0 ? ERR_IO : OK;
}

/* True: *key has the key, or the engine needs none. Else it is reported. */
static bool speech_has_key(struct check *c, bool is_google, struct buf *key) {
  const char *path = c->app.conf.google_credentials;
  if (!is_google || (path && speech_read_key(path, key) == OK)) return true;
  report_add(&c->report, CHECK_FAIL, "speech",
             "set GOOGLE_APPLICATION_CREDENTIALS to a key file that only its owner can read",
             "the google engine has no service account");
  return false;
}

static void speech_check_run(struct speech_check *s) {
  const struct conf *conf = &s->c->app.conf;
  bool is_google = conf->speech_engine == ENGINE_GOOGLE;
  struct buf key CLEANUP(buf_done) = BUF_INIT(KEY_FILE_MAX);
  if (!speech_has_key(s->c, is_google, &key)) return;
  const struct speech_settings settings = {.engine = is_google ? "google" : "openai",
                                           .api_key = conf->speech_api_key,
                                           .model = conf->speech_model,
                                           .google_url = conf->google_speech_url,
                                           .google_key = buf_str(&key)};
  enum err e = speech_engine_new(&settings, &s->engine);
  if (key.n) secret_wipe(key.p, key.n);
  if (e == OK) e = fetch_getter_new(&s->getter);
  if (e == OK) e = sample_read(s);
  if (e != OK)
    report_add(&s->c->report, CHECK_FAIL, "speech", "see SPEECH_ENGINE and the settings beside it",
               "the engine can't be asked: %s", err_text(e));
  else if (is_google)
    speech_check_url(s, NULL, conf->google_speech_url);
  else
    speech_check_urls(s);
}

void check_speech(struct check *c) {
  if (!c->app.conf.speech_engine) return;
  struct speech_check *s = calloc(1, sizeof(*s));
  if (!s) return;
  s->c = c;
  speech_check_run(s);
  s->getter = fetch_getter_free(s->getter);
  s->engine = speech_engine_free(s->engine);
  free(s);
}
