#include "domain/part.h"

#include <stdio.h>
#include <string.h>

#include "domain/recording.h"

void part_owner_of(const struct recording *row, struct part_owner *ret_owner) {
  (void)snprintf(ret_owner->text, sizeof(ret_owner->text), "%lld.%s", (long long)row->business_id, row->recording_sid);
  ret_owner->whose = (struct blob_whose){ret_owner->text, row->stem};
}

bool part_owner_parse(const char *owner, int64_t *ret_business_id, char ret_recording_sid[SID_SIZE]) {
  struct str business, sid;
  uint64_t id;
  if (!str_cut(str_from(owner), '.', &business, &sid) || str_to_u64(business, INT64_MAX, &id) != OK) return false;
  if (sid.n == 0 || str_copy(ret_recording_sid, SID_SIZE, sid) != OK) return false;
  *ret_business_id = (int64_t)id;
  return true;
}

/* Validators that were told stand in the row until its next fill has compared. */
static bool is_to_compare_with(const struct recording *row, int64_t token) {
  bool on_its_way = row->status == RECORDING_QUEUED || row->status == RECORDING_DOWNLOADING;
  return on_its_way && row->etag[0] != '\0' && token > row->lease_token - BLOB_TOKENS_BACK;
}

bool part_is_needed(const struct recording *row, int64_t token, int64_t now) {
  return row && (recording_holds_lease(row, token, now) || is_to_compare_with(row, token));
}
