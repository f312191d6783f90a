/* twilio_media.h - where a recording's audio is, and whether it may be asked for.
 * Thread rule: pure. */
#pragma once

#include "provider/provider.h"

enum { TWILIO_URL_MAX = 2048 };

/* Appends the url of a recording as it is to be kept: absolute, under the scheme of the account's base where it named
 * its host by http, without a format's extension; at most TWILIO_URL_MAX bytes. *ret_forbidden: it may not be fetched,
 * being no known form with this account's and this recording's SIDs at the base's own origin. */
CHECKED enum err twilio_media_url(const struct provider_account *account, struct str told, struct str recording_sid,
                                  struct buf *b, struct str *ret_url, bool *ret_forbidden);
/* May this url be fetched, with credentials, for this recording? */
bool twilio_media_allowed(const struct provider_account *account, struct str url, struct str recording_sid);
/* The recording's SID at the end of a url's path, or an empty view. */
struct str twilio_media_sid(struct str url);

enum err twilio_media_ask(const struct provider_account *account, struct str url, struct str recording_sid,
                          enum provider_format format, bool two_channels, struct provider_ask *ret_ask);
enum provider_answer twilio_media_answer(int status, struct str content_encoding, enum recording_error *ret_error);
