/* provider_try.h - the request that shows whether the provider accepts an account's credentials.
 *
 *   TRY(provider_try_make(&account, now_ms, &ask));   fetch_ask_all(&ask, 1);   provider_try_verdict(&ask)
 *
 * Thread rule: pure. */
#pragma once

#include "fetch/fetch_ask.h"
#include "provider/provider.h"

/* Asks for one row of the list of recordings. The caller calls fetch_ask_done. ERR_INVALID: the credentials are incomplete. */
CHECKED enum err provider_try_make(const struct provider_account *account, int64_t now_ms, struct fetch_ask *ret_ask);

enum provider_verdict { PROVIDER_TRY_OK, PROVIDER_TRY_REFUSED, PROVIDER_TRY_UNKNOWN };
enum provider_verdict provider_try_verdict(const struct fetch_ask *ask);
