/* provider.h - what callreel needs of a provider, as a table of functions. Each provider has files of its own and no
 * branches in others. Five places still assume Twilio: docs/internals/fill.md, "Another provider".
 *
 *   const struct provider *p = provider_find(STR("twilio"));
 *   p->webhook(&account, &hook, &storage, &delivery, &field)      a webhook, checked and parsed
 *   p->request(&account, url, sid, PROVIDER_MP3, false, &request)         the request for a recording's audio
 *   p->answer(status, content_encoding, &error)                   the meaning of its answer
 *
 * All functions are pure (no network, no database); `work` sends the requests that they describe.
 * Thread rule: any thread. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "domain/delivery.h"
#include "domain/recording_error.h"

/* A business, as far as a provider needs to know it. The caller owns the views. */
struct provider_account {
  int64_t business_id;
  struct str account_sid;
  struct str
      tokens[2];      /* auth tokens, empty if absent. Either may have signed a webhook; the first is used to fetch, the
                           second is the other one while tokens are replaced */
  struct str api_key; /* with api_secret: used to fetch if present; else account_sid and tokens[0] */
  struct str api_secret;
  struct str base_url; /* origin without a trailing '/' */
};

/* ANY: the url as it is, in the provider's own format. */
enum provider_format { PROVIDER_MP3, PROVIDER_WAV, PROVIDER_WAV_DUAL, PROVIDER_ANY };
enum { PROVIDER_FORMATS_MAX = 8 };

/* One request for a recording's audio. */
struct provider_request {
  char *url;                 /* owned */
  struct str user, password; /* views into the account; Basic credentials for the url's origin */
};
void provider_request_done(struct provider_request *r);

/* The meaning of the head of an answer. */
enum provider_answer {
  PROVIDER_AUDIO,        /* 200, or 206 of a resumed transfer: read the body */
  PROVIDER_NOT_FOUND,    /* 404, 410 */
  PROVIDER_OTHER_FORMAT, /* 400, 406, 415: another format may be there */
  PROVIDER_FAILED,       /* with *ret_error */
};

enum provider_webhook_kind { PROVIDER_WEBHOOK_CALL, PROVIDER_WEBHOOK_RECORDING };

/* A webhook request as it was received. */
struct provider_webhook {
  enum provider_webhook_kind kind;
  struct str signature;  /* the signature header's value */
  struct str url_prefix; /* scheme://host[:port][/base/path] of the URL that the provider calls; no trailing '/' */
  struct str target;     /* raw request target, below the base path */
  struct str host;       /* as the request's Host says it; empty if unknown */
  struct str body;       /* raw */
  int64_t received_ms;
};

/* Why a webhook is refused. */
enum provider_refusal {
  PROVIDER_ACCEPTED,
  PROVIDER_BAD_SIGNATURE, /* 403; also if the business has no token */
  PROVIDER_OTHER_ACCOUNT, /* 403 */
  PROVIDER_BAD_FIELD,     /* 400: it has no usable SID; *ret_field names the parameter that is missing */
  PROVIDER_NO_MEMORY,     /* 503: out of memory, or past the ceiling of storage */
};

struct provider {
  const char *name;                   /* "Twilio": log phrases */
  const char *path;                   /* "twilio": /webhooks/{path}/… */
  const char *signature_header;       /* "X-Twilio-Signature" */
  bool (*is_call_sid)(struct str id); /* id has the form of a call's; it need not exist */
  bool (*is_recording_sid)(struct str id);
  bool (*is_account_sid)(struct str id);
  /* Checks and parses a webhook. The delivery's views point into *storage, whose ceiling must be at least 4 x body + 8 KiB.
   * Returns the first refusal that applies, in the order of the enum; PROVIDER_NO_MEMORY wherever memory runs out. After a
   * refusal *ret_delivery has nothing but the SIDs that the form names: well-formed or empty, and not verified. */
  enum provider_refusal (*webhook)(const struct provider_account *account, const struct provider_webhook *hook,
                                   struct buf *storage, struct delivery *ret_delivery, const char **ret_field);
  /* Makes the request for this recording's audio in this format; two_channels: with both channels. ERR_DENIED: the url may
   * not be fetched (forbidden_url); ERR_NOMEM. The caller frees *ret_request with provider_request_done. */
  enum err (*request)(const struct provider_account *account, struct str url, struct str recording_sid,
                      enum provider_format format, bool two_channels, struct provider_request *ret_request);
  /* Makes the DELETE request for the provider's copy of a recording. ERR_DENIED: the account has no credentials, or a SID is not
   * one. Else as request. */
  enum err (*remove)(const struct provider_account *account, struct str recording_sid,
                     struct provider_request *ret_request);
  /* Sets *ret_error for PROVIDER_FAILED only. */
  enum provider_answer (*answer)(int status, struct str content_encoding, enum recording_error *ret_error);
};

/* The provider of that path, or NULL. */
const struct provider *provider_find(struct str path);
extern const struct provider provider_twilio;

/* Parses RECORDING_FORMATS, such as "mp3,wav,any". ERR_INVALID: *ret_word is the bad word. */
CHECKED enum err provider_formats_parse(struct str text, enum provider_format ret_formats[PROVIDER_FORMATS_MAX],
                                        size_t *ret_count, struct str *ret_word);
