/* twilio_webhook.h - checks Twilio's webhooks and turns them into a delivery.
 * Thread rule: pure. */
#pragma once

#include "provider/provider.h"

/* As struct provider says of `webhook`. */
enum provider_refusal twilio_webhook(const struct provider_account *account, const struct provider_webhook *hook,
                                     struct buf *storage, struct delivery *ret_delivery, const char **ret_field);
