/* twilio_webhook.h - Twilio's callbacks: checked, and told in our own words.
 * Thread rule: pure. */
#pragma once

#include "provider/provider.h"

/* See struct provider. */
enum provider_refusal twilio_webhook(const struct provider_account *account, const struct provider_webhook *hook,
                                     struct buf *storage, struct delivery *ret_delivery, const char **ret_field);
