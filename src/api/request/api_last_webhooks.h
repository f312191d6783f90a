/* api_last_webhooks.h - writes the last webhook of each business into the database, seldom.
 *
 *   last_webhooks_note(a, business_id, "call", "refused", "bad_signature");
 *
 * One that is taken after a refused one is written at once, another refusal after a second, the same result every 10 s. At most
 * NOTES_WAITING writes wait.
 * Thread rule: any thread. */
#pragma once

#include "api/request/api_loop.h"

/* reason: "" if it was taken. The texts are static. */
void last_webhooks_note(struct api *a, int64_t business_id, const char *kind, const char *result, const char *reason);
