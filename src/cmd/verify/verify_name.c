/* verify_name.c - parses the names of files in the store. */
#include <stdint.h>

#include "audio/audio.h"
#include "cmd/verify/verify_parts.h"
#include "provider/provider.h"

/* Removes ".LAST" from the end of *s. False: there is none in the last segment. */
static bool cut_last(struct str *s, struct str *ret_last) {
  size_t dot = s->n;
  while (dot > 0 && s->p[dot - 1] != '.' && s->p[dot - 1] != '/') dot--;
  if (dot == 0 || s->p[dot - 1] != '.') return false;
  *ret_last = str_skip(*s, dot);
  *s = str_head(*s, dot - 1);
  return true;
}

void verify_name_parse(struct str name, struct verify_name *ret_name) {
  struct verify_name n = {.kind = VERIFY_NAME_OTHER};
  struct str path = name, last, token, business, rest;
  uint64_t id, number;
  *ret_name = n;
  if (!cut_last(&path, &last)) return;
  if (str_eq(last, STR("bad"))) {
    ret_name->kind = VERIFY_NAME_ASIDE;
    return;
  }
  bool is_part = str_eq(last, STR("part"));
  if (!is_part && audio_kind_of_extension(last) == AUDIO_NONE) return;
  if (is_part && (!cut_last(&path, &token) || str_to_u64(token, INT64_MAX, &number) != OK)) return;
  if (!str_cut(path, '/', &business, &rest) || str_to_u64(business, INT64_MAX, &id) != OK || id == 0) return;
  size_t from = path.n;
  while (from > 0 && path.p[from - 1] != '.' && path.p[from - 1] != '/') from--;
  struct str sid = str_skip(path, from);
  if (!provider_twilio.is_recording_sid(sid) || str_copy(n.recording_sid, sizeof(n.recording_sid), sid) != OK) return;
  n.kind = is_part ? VERIFY_NAME_PART : VERIFY_NAME_BLOB;
  n.business_id = (int64_t)id;
  n.token = is_part ? (int64_t)number : 0;
  *ret_name = n;
}
