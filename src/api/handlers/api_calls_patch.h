/* api_calls_patch.h - the JSON merge patch (RFC 7396) by which the host changes a call.
 *
 *   if (call_patch_read(body, &patch, field, sizeof(field), &why) != OK) …answer 400 that names field…
 *   call_patch_merge(&patch, call.metadata, &metadata);
 *   call_patch_done(&patch);
 *
 * Numbers of metadata keep their text, however many digits they have.
 * Thread rule: pure. */
#pragma once

#include <jansson.h>

#include "ledger/calls.h"

struct call_patch {
  json_t *document; /* owned; all other members point into it */
  bool has_customer_name, has_ref, has_agent, has_tags, has_metadata;
  struct str customer_name, ref, agent; /* empty: clear it */
  char tags[CALL_TAGS_SIZE];            /* a JSON array of different texts; "": clear them */
  const json_t *metadata;               /* the object to merge; NULL: clear it */
};

/* Parses body. The caller calls call_patch_done after OK. ERR_INVALID: ret_field (size bytes with the NUL) holds the name of
 * the member that is not valid, and *ret_why the rest of a sentence that begins with it; or ret_field is "" if body is not a JSON
 * object. */
CHECKED enum err call_patch_read(struct str body, struct call_patch *ret_patch, char *ret_field, size_t size,
                                 const char **ret_why);
/* Appends a sentence that says why body is refused as a whole (ret_field was ""): which member, or at which byte. */
CHECKED enum err call_patch_explain(struct str body, struct buf *b);
void call_patch_done(struct call_patch *p);
/* Applies the patch to metadata ("" or a JSON object) and appends the result to b as compact JSON. ERR_TOO_BIG: the result is
 * over the ceiling of b. */
CHECKED enum err call_patch_merge(const struct call_patch *p, const char *metadata, struct buf *b);
