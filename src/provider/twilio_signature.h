/* twilio_signature.h - X-Twilio-Signature: made and checked.
 *
 *   base64(HMAC-SHA1(token, URL + for each distinct name in code-point order, each distinct value in order: name +
 * value))
 *
 * A body that is no form is not in it: the URL's query then has bodySHA256, the body's digest in hexadecimal.
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct twilio_parameter {
  struct str name;
  struct str value;
};

/* What is signed. */
struct twilio_signed {
  struct str url;                      /* whole, as the sender asked for it; never encoded anew */
  struct twilio_parameter *parameters; /* of a form, decoded; brought into order by these functions */
  size_t count;
  struct str body; /* raw, when it is no form; else empty */
};

enum { TWILIO_SIGNED_MAX = 1024 * 1024 }; /* bytes of text under one signature */

/* Appends the signature under token to b. ERR_TOO_BIG past TWILIO_SIGNED_MAX, ERR_NOMEM. */
CHECKED enum err twilio_signature_make(const struct twilio_signed *what, struct str token, struct buf *b);

/* Is it signed with one of the tokens (empty ones are none)? The URL is tried byte for byte, without any port, and with
 * the scheme's default port where it has none. The time does not tell which came how near.
 * ERR_TOO_BIG, ERR_NOMEM: can't be said. */
CHECKED enum err twilio_signature_check(const struct twilio_signed *what, struct str signature,
                                        const struct str *tokens, size_t token_count, bool *ret_valid);
