/* cmd_http.h - a request at a time, waited for: what a command asks of a server beside it.
 *
 *   struct http_caller *h;  http_caller_new(&h);  http_call(h, "POST", url, headers, body, &status, &answer);  http_caller_free(h);
 *
 * Thread rule: one owner. */
#pragma once

#include "base/buf.h"

struct http_caller;

CHECKED enum err http_caller_new(struct http_caller **ret_caller);
struct http_caller *http_caller_free(struct http_caller *h); /* NULL is fine; always NULL */
/* headers: "Name: value" lines, NULL-terminated, or NULL. The answer's body is appended to ret_body up to its ceiling; 10 s at most.
 * ERR_CLOSED: there was no whole answer; http_caller_problem says why. */
CHECKED enum err http_call(struct http_caller *h, const char *method, const char *url, const char *const *headers,
                           struct str body, int *ret_status, struct buf *ret_body);
const char *http_caller_problem(const struct http_caller *h);
