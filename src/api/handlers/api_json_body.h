/* api_json_body.h - reads a request's body as a JSON object with a closed list of members.
 *
 *   json_t *body = json_body_read(req, members, COUNT_OF(members));      NULL: 400 was answered
 *   if (!json_body_text(req, body, "name", 100, &name)) …                false: 400 that names the member was answered
 *
 * Thread rule: the exchange's loop. The caller calls json_decref. */
#pragma once

#include <jansson.h>

#include "api/request/api_request.h"

json_t *json_body_read(const struct api_request *req, const char *const *members, size_t count);
/* *ret_text: the member's text of at most max bytes; empty if it is missing or null. It lives as long as body. */
CHECKED bool json_body_text(const struct api_request *req, const json_t *body, const char *member, size_t max,
                            struct str *ret_text);
