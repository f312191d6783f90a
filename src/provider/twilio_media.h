/* twilio_media.h - the url of a recording's audio, and whether it may be fetched.
 * Thread rule: pure. */
#pragma once

#include "provider/provider.h"

enum { TWILIO_URL_MAX = 2048 };

/* Appends to b the url to store for a recording: absolute, without blanks around it, a query or the
 * extension of a format, at most TWILIO_URL_MAX bytes.
 * If reported_url has http and the host of the account's base, it gets the base's https. *ret_forbidden: it may not be
 * fetched, because it is not a known form with this account's and this recording's SIDs at the base's origin. */
CHECKED enum err twilio_media_url(const struct provider_account *account, struct str reported_url,
                                  struct str recording_sid, struct buf *b, struct str *ret_url, bool *ret_forbidden);
/* True if this url may be fetched, with credentials, for this recording. */
bool twilio_media_allowed(const struct provider_account *account, struct str url, struct str recording_sid);
/* The recording's SID at the end of a url's path, or an empty view. */
struct str twilio_media_sid(struct str url);

/* As struct provider says of `request`, `remove` and `answer`. */
enum err twilio_media_request(const struct provider_account *account, struct str url, struct str recording_sid,
                              enum provider_format format, bool two_channels, struct provider_request *ret_request);
enum err twilio_media_remove(const struct provider_account *account, struct str recording_sid,
                             struct provider_request *ret_request);
enum provider_answer twilio_media_answer(int status, struct str content_encoding, enum recording_error *ret_error);
