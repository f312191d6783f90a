/* api_calls_patch.h - what the host knows of a call, as a JSON merge patch (RFC 7396). Pure. */
#pragma once

#include <jansson.h>

#include "ledger/calls.h"

/* What a patch asks for. */
struct call_patch {
  json_t *document; /* owned; the views are into it */
  bool has_customer_name, has_ref, has_metadata;
  struct str customer_name, ref; /* empty: to be cleared */
  const json_t *metadata;        /* an object to merge; NULL: to be cleared */
};

/* ERR_INVALID: *ret_field names what is wrong, at most size bytes with its NUL; "" when it is no object in JSON at all. */
CHECKED enum err call_patch_read(struct str body, struct call_patch *ret_patch, char *ret_field, size_t size);
void call_patch_done(struct call_patch *p);
/* The metadata that the patch makes of what stands there ("" or a JSON object), compact, appended to b, which has the
 * ceiling. ERR_TOO_BIG past it. */
CHECKED enum err call_patch_merge(const struct call_patch *p, const char *metadata, struct buf *b);
