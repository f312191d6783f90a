/* api_dispatch.h - the way of a request from the http engine to its handler.
 *
 *   (struct http_app){.arg = api, .head = api_on_head, .request = api_on_request, .refuse = api_on_refusal}
 *
 * Thread rule: called by the engine on the exchange's loop; api_on_refusal on any loop. */
#pragma once

#include "http/http.h"

/* The functions of struct http_app; arg is a struct api. */
void api_on_head(void *arg, struct http_exchange *x, size_t *body_max);
void api_on_request(void *arg, struct http_exchange *x);
void api_on_refusal(void *arg, const struct http_request *r, int status, const char *reason, struct http_fields *fields,
                    char *ret_body, size_t body_size, size_t *ret_body_n);
