/* speech_engine_parts.h - what the files of the engines share. For speech_engine.c, speech_openai.c, speech_google*.c.
 * Thread rule: as speech_engine.h. */
#pragma once

#include <openssl/evp.h>

#include "base/lock.h"
#include "speech/speech_engine.h"
#include "speech/speech_json.h"

enum { SPEECH_PHRASES_MAX = 1000, SPEECH_ERROR_TEXT_MAX = 8 * 1024 };

/* The functions of a kind of engine. All but parse_key may be called from several threads. */
struct speech_operations {
  const char *name, *model; /* the model that is asked for by default */
  enum err (*request)(struct speech_engine *e, const struct speech_input *input, struct speech_request *r);
  /* Of an answer with status 200. ERR_INVALID and ERR_TOO_BIG: it makes no sense. */
  enum err (*parse)(const struct speech_input *input, struct str body, struct speech_answer *answer);
  /* The meaning of an error's status and text; SPEECH_OK: nothing more than speech_engine.c knows. */
  enum speech_error (*judge)(struct speech_engine *e, const struct speech_input *input, int status, struct str text);
};
extern const struct speech_operations speech_openai, speech_google;

struct speech_engine {
  const struct speech_operations *operations;
  char *api_key, *model, *google_url;
  /* google: from the key file */
  EVP_PKEY *key;
  char *project, *email, *token_url;
  struct lock lock; /* covers what follows */
  char *token;      /* NULL: none */
  int64_t token_until_ms;
  bool token_was_good; /* a request with it was answered */
  /* openai: parameters that this server does not know */
  bool no_auto;    /* it refused language=auto: the field is left out */
  bool no_verbose; /* it refused response_format=verbose_json */
  /* URLs whose models write one language whichever is spoken, as bits of speech_url_bit: not asked how sure they are of it */
  uint64_t one_language;
};

uint64_t speech_url_bit(const char *url);
void speech_request_init(struct speech_request *r);
/* Sets the members of r->fetch, which points to r->url, r->body and r->headers. ERR_NOMEM. */
CHECKED enum err speech_request_ready(struct speech_request *r, int64_t wait_ms);
/* Piece's length. */
int64_t speech_input_ms(const struct speech_input *input);
/* A WAV of the piece. */
CHECKED enum err speech_add_wav(struct buf *b, const struct speech_input *input);
/* Whether the text names a word, in any case. */
bool speech_mentions(struct str text, const char *word);

/* google: reads the key file's JSON. ERR_INVALID, ERR_NOMEM. */
CHECKED enum err speech_google_read_key(struct speech_engine *e, struct str json);
CHECKED enum err speech_google_token_request(const struct speech_engine *e, int64_t now_ms, struct speech_request *r);
/* The token of an answer with status 200, to be freed, and its seconds. ERR_INVALID, ERR_NOMEM. */
CHECKED enum err speech_google_parse_token(struct str body, char **ret_token, int64_t *ret_seconds);
