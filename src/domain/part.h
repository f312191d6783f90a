/* part.h - which recording a part file belongs to, and whether it is still needed.
 *
 *   struct part_owner owner;
 *   part_owner_of(row, &owner);
 *   blob_open_part(store, &owner.blob, token, &fd);
 *
 * Thread rule: pure. */
#pragma once

#include "blob/blob.h"
#include "ledger/recordings.h"

struct part_owner {
  struct blob_owner blob; /* points into text and into the row */
  char text[24 + SID_SIZE];
};

/* "{business_id}.{recording_sid}". Both row and *ret_owner must outlive the use of ret_owner->blob. */
void part_owner_of(const struct recording *row, struct part_owner *ret_owner);
/* Parses the name that part_owner_of makes. False: it is not such a name. */
bool part_owner_parse(const char *owner, int64_t *ret_business_id, char ret_recording_sid[SID_SIZE]);
/* A part of an earlier release, by its name: "{business_id}/…/[{call_sid}.]{recording_sid}.{token}.part". */
struct part_old {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  int64_t token;
};
bool part_parse_old(const char *name, struct part_old *ret_part); /* false: it is not such a name */
/* True while a fill writes the part, or while the next fill must compare its bytes with those that listeners got from
 * it. A part that is not needed once is never needed again, because tokens only grow; the caller may delete it. row
 * NULL: there is no such recording. */
bool part_is_needed(const struct recording *row, int64_t token, int64_t now);
