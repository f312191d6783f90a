/* provider_try.h - the request that shows whether the provider accepts an account's credentials.
 *
 *   TRY(provider_try_make(&account, now_ms, &check));   fetch_check_all(&check, 1);   provider_try_verdict(&check)
 *
 * Thread rule: pure. */
#pragma once

#include "fetch/fetch_check.h"
#include "provider/provider.h"

/* Asks for one row of the list of recordings. The caller calls fetch_check_done. ERR_INVALID: the credentials are incomplete. */
CHECKED enum err provider_try_make(const struct provider_account *account, int64_t now_ms,
                                   struct fetch_check *ret_check);

enum provider_verdict { PROVIDER_TRY_OK, PROVIDER_TRY_REFUSED, PROVIDER_TRY_UNKNOWN };
enum provider_verdict provider_try_verdict(const struct fetch_check *check);
