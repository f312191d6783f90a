/* provider.h - what callreel needs of a provider, as a table of functions: each dialect is its own files, never a branch.
 *
 * All functions are pure (no network, no database): work runs the requests that they describe.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "domain/delivery.h"
#include "domain/recording_error.h"

/* What a provider's functions may know of a business. Views stay the caller's. */
struct provider_account {
  int64_t business_id;
  struct str account_sid;
  struct str tokens[2]; /* auth tokens; the first is ours to fetch with; empty when absent */
  struct str api_key;   /* with api_secret: preferred to fetch with; else account_sid and tokens[0] */
  struct str api_secret;
  struct str base_url; /* origin without a trailing '/' */
};

enum provider_format { PROVIDER_MP3, PROVIDER_WAV, PROVIDER_WAV_DUAL, PROVIDER_ANY };
enum { PROVIDER_FORMATS_MAX = 8 };

/* One request for a recording's audio. */
struct provider_ask {
  char *url;                 /* owned */
  struct str user, password; /* views into the account; Basic credentials for the url's origin */
};
void provider_ask_done(struct provider_ask *a);

/* What an answer to an ask means, before any byte of its body is believed. */
enum provider_answer {
  PROVIDER_AUDIO,        /* 200 (or 206 of a resumed one), plausible: take the body */
  PROVIDER_NOT_THERE,    /* 404, 410 */
  PROVIDER_OTHER_FORMAT, /* 400, 406, 415: the next format may do */
  PROVIDER_FAILED,       /* with *ret_error */
};

enum provider_webhook_kind { PROVIDER_WEBHOOK_CALL, PROVIDER_WEBHOOK_RECORDING };

/* The request as it came. */
struct provider_webhook {
  enum provider_webhook_kind kind;
  struct str signature; /* the signature header's value */
  struct str
      url_prefix;    /* scheme://host[:port][/base/path] under which the provider was told to call; no trailing '/' */
  struct str target; /* raw request target, below the base path */
  struct str body;   /* raw */
  int64_t received_ms;
};

/* Why a webhook is refused. */
enum provider_refusal {
  PROVIDER_TAKEN,
  PROVIDER_BAD_FORM,      /* 400: can't be parsed */
  PROVIDER_BAD_SIGNATURE, /* 403: also a business without a token */
  PROVIDER_OTHER_ACCOUNT, /* 403 */
  PROVIDER_BAD_FIELD,     /* 400: *ret_field names it */
  PROVIDER_NO_ROOM,       /* 503: out of memory, or past the ceiling of storage */
};

struct provider {
  const char *name;                   /* "Twilio": log phrases */
  const char *path;                   /* "twilio": /webhooks/{path}/… */
  const char *signature_header;       /* "X-Twilio-Signature" */
  bool (*is_call_sid)(struct str id); /* a known form, not: known */
  bool (*is_recording_sid)(struct str id);
  bool (*is_account_sid)(struct str id);
  /* Checks and parses. Memory of the delivery's views is in *storage (ceiling given by the caller; at least 4 x body + 8 KiB).
   * Returns the first refusal that applies, in the order of the enum; *ret_delivery holds nothing of use after one. */
  enum provider_refusal (*webhook)(const struct provider_account *account, const struct provider_webhook *hook,
                                   struct buf *storage, struct delivery *ret_delivery, const char **ret_field);
  /* The request for format number `format` (index into formats) of this recording's url; two_channels: ask for both.
   * ERR_DENIED: the url may not be fetched (forbidden_url); ERR_NOMEM. */
  enum err (*ask)(const struct provider_account *account, struct str url, struct str recording_sid,
                  enum provider_format format, bool two_channels, struct provider_ask *ret_ask);
  /* ret_error is set for PROVIDER_FAILED only. */
  enum provider_answer (*answer)(int status, struct str content_encoding, enum recording_error *ret_error);
};

/* The provider of that path, or NULL. */
const struct provider *provider_find(struct str path);
extern const struct provider provider_twilio;

/* "mp3,wav,any" into formats; ERR_INVALID names the bad word in *ret_word. */
CHECKED enum err provider_formats_parse(struct str text, enum provider_format ret_formats[PROVIDER_FORMATS_MAX],
                                        size_t *ret_count, struct str *ret_word);
