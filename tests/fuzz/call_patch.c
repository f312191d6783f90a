/* Input: the first byte is the length of the stored metadata, which follows; the rest is the body of PATCH /api/calls/{sid}.
 * Property: accepted values are within their bounds, the result is valid JSON, and the same patch once more changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_calls_patch.h"
#include "api/handlers/api_json_numbers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds) {
  if (!holds) abort();
}

static void check_merged(const struct call_patch *p, const char *before) {
  struct buf once CLEANUP(buf_done) = BUF_INIT(CALL_METADATA_SIZE - 1),
                  twice CLEANUP(buf_done) = BUF_INIT(CALL_METADATA_SIZE - 1);
  const char *text;
  enum err e = call_patch_merge(p, before, &once);
  require(e == OK || e == ERR_TOO_BIG);
  if (e != OK) return;
  require(buf_terminate(&once, &text) == OK);
  struct buf hidden CLEANUP(buf_done) = BUF_INIT(64 * 1024); /* jansson reads no number such as 1e999 */
  require(json_numbers_hide(buf_str(&once), &hidden) == OK);
  json_t *read = json_loadb(hidden.p, hidden.n, JSON_REJECT_DUPLICATES, NULL);
  require(json_is_object(read));
  json_decref(read);
  require(call_patch_merge(p, text, &twice) == OK && str_eq(buf_str(&once), buf_str(&twice)));
}

static void check_tags(const struct call_patch *p) {
  if (!p->tags[0]) return;
  json_t *tags = json_loads(p->tags, 0, NULL);
  require(p->has_tags && json_array_size(tags) > 0 && json_array_size(tags) <= CALL_TAGS_MAX);
  for (size_t i = 0; i < json_array_size(tags); i++) {
    const char *tag = json_string_value(json_array_get(tags, i));
    require(tag && tag[0] && str_utf8_count(str_from(tag)) <= CALL_TAG_MAX);
  }
  json_decref(tags);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  if (n < 1) return 0;
  struct str all = str_of((const char *)bytes + 1, n - 1), before = str_head(all, bytes[0]);
  struct call_patch p;
  char field[65];
  const char *why = NULL;
  char *kept = str_dup(before);
  if (!kept) return 0;
  memset(field, 'x', sizeof(field));
  enum err e = call_patch_read(str_skip(all, before.n), &p, field, sizeof(field), &why);
  if (e == OK) {
    require(p.customer_name.n < CALL_NAME_SIZE && p.ref.n < CALL_NAME_SIZE && p.agent.n < CALL_NAME_SIZE);
    check_tags(&p);
    require(!p.metadata || (p.has_metadata && json_is_object(p.metadata)));
    if (p.metadata) check_merged(&p, kept);
    call_patch_done(&p);
  } else {
    require(e == ERR_INVALID && (why || !field[0]) && memchr(field, '\0', sizeof(field)) &&
            str_is_utf8(str_from(field)));
  }
  free(kept);
  return 0;
}
