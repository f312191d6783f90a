/* cmd_http.h - a blocking HTTP client for commands: one request at a time, to a server that runs beside the command.
 *
 *   struct http_caller *h;  http_caller_new(&h);
 *   enum err e = http_call(h, "POST", url, headers, body, &status, &answer);
 *   http_caller_free(h);
 *
 * Thread rule: one owner. */
#pragma once

#include "base/buf.h"

struct http_caller;

CHECKED enum err http_caller_new(struct http_caller **ret_caller);
struct http_caller *http_caller_free(struct http_caller *h); /* NULL is fine; always NULL */
/* headers: "Name: value" strings, ended by NULL; or NULL. Appends the response's body to ret_body, up to 1 MiB and the
 * buffer's ceiling. Each wait of the server has a limit of 10 s.
 * ERR_CLOSED: no complete response came; http_caller_problem says why. */
CHECKED enum err http_call(struct http_caller *h, const char *method, const char *url, const char *const *headers,
                           struct str body, int *ret_status, struct buf *ret_body);
/* Why the last http_call failed; valid until the next one. */
const char *http_caller_problem(const struct http_caller *h);
