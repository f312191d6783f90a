/* api_security.h - counts and logs that credentials were made, ended or refused.
 *
 *   security_note(METRIC_SECURITY_URL_SIGNED);  log_info("URL signed", …);
 *   security_refused(api, METRIC_CREDENTIAL_ROLE);      one line a minute and reason, with how many there were
 *
 * Thread rule: any thread. */
#pragma once

#include "api/request/api_loop.h"
#include "base/metric.h"

void security_note(enum metric_label_SECURITY what);
void security_refused(struct api *a, enum metric_label_CREDENTIAL why);
