/* twilio.c - Twilio's table of functions. */
#include "provider/provider.h"

#include "provider/twilio_media.h"
#include "provider/twilio_sid.h"
#include "provider/twilio_webhook.h"

const struct provider provider_twilio = {
    .name = "Twilio",
    .path = "twilio",
    .signature_header = "X-Twilio-Signature",
    .is_call_sid = twilio_sid_is_call,
    .is_recording_sid = twilio_sid_is_recording,
    .is_account_sid = twilio_sid_is_account,
    .webhook = twilio_webhook,
    .request = twilio_media_request,
    .remove = twilio_media_remove,
    .answer = twilio_media_answer,
};
