/* provider.c - the list of providers, and the names of formats in the settings. */
#include "provider/provider.h"

#include <stdlib.h>

static const struct provider *const PROVIDERS[] = {&provider_twilio};

static const struct {
  const char *word;
  enum provider_format format;
} FORMATS[] = {
    {"mp3", PROVIDER_MP3},
    {"wav", PROVIDER_WAV},
    {"wav-dual", PROVIDER_WAV_DUAL},
    {"any", PROVIDER_ANY},
};

const struct provider *provider_find(struct str path) {
  for (size_t i = 0; i < COUNT_OF(PROVIDERS); i++)
    if (str_eq(path, str_from(PROVIDERS[i]->path))) return PROVIDERS[i];
  return NULL;
}

void provider_request_done(struct provider_request *a) {
  if (!a) return;
  free(a->url);
  *a = (struct provider_request){0};
}

static const enum provider_format *format_find(struct str word) {
  for (size_t i = 0; i < COUNT_OF(FORMATS); i++)
    if (str_eq(word, str_from(FORMATS[i].word))) return &FORMATS[i].format;
  return NULL;
}

enum err provider_formats_parse(struct str text, enum provider_format ret_formats[PROVIDER_FORMATS_MAX],
                                size_t *ret_count, struct str *ret_word) {
  enum provider_format formats[PROVIDER_FORMATS_MAX];
  size_t count = 0;
  bool more = true;
  while (more) {
    struct str word, rest;
    more = str_cut(text, ',', &word, &rest);
    text = rest;
    word = str_trim(word);
    const enum provider_format *format = format_find(word);
    if (!format || count == PROVIDER_FORMATS_MAX) {
      *ret_word = word;
      return ERR_INVALID;
    }
    formats[count++] = *format;
  }
  for (size_t i = 0; i < count; i++) ret_formats[i] = formats[i];
  *ret_count = count;
  return OK;
}
