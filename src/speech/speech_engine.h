/* speech_engine.h - the recognisers: how to ask one, and what its answer means.
 *
 *   speech_engine_new(&settings, &engine);
 *   if (speech_engine_needs_token(engine, now)) … send speech_engine_token_request, give its reply to speech_engine_token_take …
 *   speech_engine_request(engine, &input, &request);   send request.fetch (fetch_getter_send, fetch_start), collect the reply
 *   error = speech_engine_answer(engine, &input, &reply, &answer);
 *
 * Nothing here sends anything. An answer is hostile input: any bytes give an error or clean texts and times within the piece.
 * Thread rule: an engine is for any thread; requests and answers have one owner at a time. */
#pragma once

#include "fetch/fetch.h"
#include "speech/speech_arena.h"
#include "speech/speech_document.h"

enum {
  SPEECH_RATE = 16000,               /* samples a second of all that is sent */
  SPEECH_PIECE_MAX_MS = 30 * 1000,   /* an engine gets no longer piece */
  SPEECH_ANSWER_MAX = 1024 * 1024,   /* of the body of a reply, bytes: give it to fetch as max_bytes */
  SPEECH_PROMPT_MAX = 896,           /* bytes: an engine of Whisper's looks at 224 tokens */
  SPEECH_RETRY_MAX_MS = 3600 * 1000, /* of retry_after_ms */
};

enum speech_error {
#define X(name, text) name,
#include "speech/speech_error.def"
#undef X
  SPEECH_ERROR_COUNT_
};
/* Its text in speech_error.def, never NULL. */
const char *speech_error_text(enum speech_error error);

struct speech_engine;

struct speech_settings {
  const char *engine;     /* "openai", "google" */
  const char *api_key;    /* openai; NULL or "": none is sent */
  const char *model;      /* NULL or "": openai "whisper-1", google "long" */
  const char *google_url; /* NULL or "": https://speech.googleapis.com */
  struct str google_key;  /* the JSON text of a service account's key file */
};

struct speech_input {
  const char *url;        /* openai: the server's base, "http://127.0.0.1:8080"; google: not used */
  const char *language;   /* "auto", NULL or "": the engine finds it; else "en", "he", "iw-IL" … */
  const char *model;      /* NULL or "": as in the settings */
  struct str prompt;      /* speech_map_prompt; clean; cut at SPEECH_PROMPT_MAX, from its front */
  const int16_t *samples; /* SPEECH_RATE, one channel */
  size_t count;
  int64_t wait_ms; /* for the answer's head; 0: 60 s, and 10 times the piece's length */
};

/* A request, ready for fetch_start: method, url, headers, body, limits. Callbacks and arg are the caller's. */
struct speech_request {
  struct fetch_request fetch; /* points into what follows */
  struct buf url, body, authorization, type;
  const char *headers[4];
};

/* The reply, which on_reply, on_data and on_end fill in. */
struct speech_reply {
  enum fetch_end end;
  int status;             /* 0: none */
  bool no_connection;     /* of struct fetch_result */
  int64_t retry_after_ms; /* fetch_retry_after_ms; 0: unknown */
  struct str body;
};

struct speech_answer {
  char language[SPEECH_LANGUAGE_SIZE]; /* as the engine found it; "": it does not say, or is not sure */
  double language_probability;         /* of the language that it found by itself; 0: unknown */
  bool is_of_one_language;             /* the model wrote another language than it found: it knows one */
  struct speech_phrase *phrases;       /* in order of start_ms */
  size_t phrase_count;
  bool has_times; /* phrases have times; else there is one, over the whole piece */
  /* Several words have one and the same time: the engine lost the sound's time, and often words too. A prompt does that to
   * models of Whisper: if one was sent, ask again without. */
  bool has_lost_time;
  int64_t retry_after_ms; /* with SPEECH_RATE_LIMITED and SPEECH_ERROR; 0: unknown */
  struct speech_arena arena;
};

/* A segment as the engine cut it. Times are from the piece's start, within it. */
struct speech_phrase {
  int64_t start_ms, end_ms;
  struct str text;        /* clean, not empty */
  double confidence;      /* 0 … 1; -1: unknown */
  double no_speech;       /* probability that nobody speaks; -1: unknown */
  double log_probability; /* mean of its tokens'; 0: unknown */
  struct speech_word *words;
  size_t word_count; /* 0: unknown */
};

/* ERR_INVALID: unknown engine, or a key file that can't be used. ERR_NOMEM. Copies the settings. */
CHECKED enum err speech_engine_new(const struct speech_settings *settings, struct speech_engine **ret_engine);
struct speech_engine *speech_engine_free(struct speech_engine *e); /* wipes its secrets. NULL is allowed; always NULL */
const char *speech_engine_name(const struct speech_engine *e);
/* The model that a request without one of its own asks for. */
const char *speech_engine_model(const struct speech_engine *e);
/* True: send a token request first. Only google has tokens, each for an hour, kept until a minute before its end. */
bool speech_engine_needs_token(struct speech_engine *e, int64_t now_ms);
/* ERR_UNSUPPORTED: the engine has no tokens. ERR_NOMEM. The caller calls speech_request_done after OK. */
CHECKED enum err speech_engine_token_request(struct speech_engine *e, int64_t now_ms,
                                             struct speech_request *ret_request);
/* Keeps the token of the reply. */
enum speech_error speech_engine_token_take(struct speech_engine *e, const struct speech_reply *reply, int64_t now_ms);
/* ERR_INVALID: no url, a malformed one, no samples, a bad language or model. ERR_NOT_YET: a token is needed. ERR_TOO_BIG: the
 * piece is longer than SPEECH_PIECE_MAX_MS. ERR_NOMEM. The caller calls speech_request_done after OK. */
CHECKED enum err speech_engine_request(struct speech_engine *e, const struct speech_input *input,
                                       struct speech_request *ret_request);
void speech_request_done(struct speech_request *r); /* wipes credentials and frees */
/* *ret_answer is always set; the caller calls speech_answer_done. With SPEECH_OK it has phrases, or none: the engine heard
 * nothing. After SPEECH_AUTH_FAILED the engine's token is dropped. */
enum speech_error speech_engine_answer(struct speech_engine *e, const struct speech_input *input,
                                       const struct speech_reply *reply, struct speech_answer *ret_answer);
void speech_answer_done(struct speech_answer *a);
