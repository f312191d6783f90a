/* twilio_signature.h - makes and checks X-Twilio-Signature.
 *
 *   base64(HMAC-SHA1(token, URL + for each distinct name, sorted, and each of its distinct values, sorted: name + value))
 *
 * The signature does not cover a body that is not a form: the URL's query then has bodySHA256, the body's digest in
 * hexadecimal. Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct twilio_parameter {
  struct str name;
  struct str value;
};

/* The parts of a request that the signature covers. */
struct twilio_signed {
  struct str url;                      /* whole, as the sender requested it; not re-encoded */
  struct str host;                     /* of the request, [:port] allowed; only checked, may be empty */
  struct twilio_parameter *parameters; /* of a form, decoded; these functions sort them */
  size_t count;
  struct str body; /* raw, if it is not a form; else empty */
};

enum { TWILIO_SIGNED_MAX = 1024 * 1024 }; /* bytes of text under one signature */

/* Appends the signature under token to b. ERR_TOO_BIG past TWILIO_SIGNED_MAX, ERR_NOMEM. */
CHECKED enum err twilio_signature_make(const struct twilio_signed *what, struct str token, struct buf *b);

/* *ret_valid: the signature is right under one of the tokens (empty ones don't count). Tries the URL byte for byte, and
 * without its port or, if it has none, with the scheme's default port; each also with its host in small letters and, if they
 * differ in case only, as what->host has it. Takes the same time whichever candidate fits.
 * ERR_TOO_BIG, ERR_NOMEM: it was not checked. */
CHECKED enum err twilio_signature_check(const struct twilio_signed *what, struct str signature,
                                        const struct str *tokens, size_t token_count, bool *ret_valid);
