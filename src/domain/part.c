#include "domain/part.h"

#include <stdio.h>
#include <string.h>

#include "domain/recording.h"

void part_owner_of(const struct recording *row, struct part_owner *ret_owner) {
  (void)snprintf(ret_owner->text, sizeof(ret_owner->text), "%lld.%s", (long long)row->business_id, row->recording_sid);
  ret_owner->blob = (struct blob_owner){ret_owner->text, row->stem};
}

bool part_owner_parse(const char *owner, int64_t *ret_business_id, char ret_recording_sid[SID_SIZE]) {
  struct str business, sid;
  uint64_t id;
  if (!str_cut(str_from(owner), '.', &business, &sid) || str_to_u64(business, INT64_MAX, &id) != OK) return false;
  if (sid.n == 0 || str_copy(ret_recording_sid, SID_SIZE, sid) != OK) return false;
  *ret_business_id = (int64_t)id;
  return true;
}

/* Cuts the text after the last '.' of the last path component off. False: there is no '.'. */
static bool cut_extension(struct str *s, struct str *ret_last) {
  size_t from = s->n;
  while (from > 0 && s->p[from - 1] != '.' && s->p[from - 1] != '/') from--;
  if (from == 0 || s->p[from - 1] != '.') return false;
  *ret_last = str_skip(*s, from);
  *s = str_head(*s, from - 1);
  return true;
}

bool part_parse_old(const char *name, struct part_old *ret_part) {
  struct part_old part;
  struct str rest = str_from(name), last, business, stem, sid;
  uint64_t id, token;
  if (!cut_extension(&rest, &last) || !str_eq(last, STR("part"))) return false;
  if (!cut_extension(&rest, &last) || str_to_u64(last, INT64_MAX, &token) != OK) return false;
  if (!str_cut(rest, '/', &business, &stem) || str_to_u64(business, INT64_MAX, &id) != OK) return false;
  if (!cut_extension(&stem, &sid)) { /* a recording without a call */
    size_t from = stem.n;
    while (from > 0 && stem.p[from - 1] != '/') from--;
    sid = str_skip(stem, from);
  }
  if (sid.n == 0 || str_copy(part.recording_sid, sizeof(part.recording_sid), sid) != OK) return false;
  part.business_id = (int64_t)id;
  part.token = (int64_t)token;
  *ret_part = part;
  return true;
}

/* The row keeps validators that listeners got until its next fill has compared its bytes. */
static bool next_fill_compares(const struct recording *row, int64_t token) {
  bool on_its_way = row->status == RECORDING_QUEUED || row->status == RECORDING_DOWNLOADING;
  return on_its_way && row->etag[0] != '\0' && token > row->lease_token - BLOB_TOKENS_BACK;
}

bool part_is_needed(const struct recording *row, int64_t token, int64_t now) {
  return row && ((row->lease_token == token && recording_is_leased(row, now)) || next_fill_compares(row, token));
}
