/* part.h - whose a part is: the recording that it is a fill of.
 *
 *   struct part_owner owner;   part_owner_of(row, &owner);   blob_open_part(store, &owner.whose, token, &fd);
 *
 * Pure. */
#pragma once

#include "blob/blob.h"
#include "ledger/recordings.h"

struct part_owner {
  struct blob_whose whose; /* points into text, and into the row that it was made of */
  char text[24 + SID_SIZE];
};

/* "{business_id}.{recording_sid}". Both row and *ret_owner must outlive the use of ret_owner->whose. */
void part_owner_of(const struct recording *row, struct part_owner *ret_owner);
/* The other way round; false: it is no owner's name. */
bool part_owner_parse(const char *owner, int64_t *ret_business_id, char ret_recording_sid[SID_SIZE]);
/* What the name of an earlier release's part says: "{business_id}/…/[{call_sid}.]{recording_sid}.{token}.part". */
struct part_old {
  int64_t business_id;
  char recording_sid[SID_SIZE];
  int64_t token;
};
bool part_parse_old(const char *name, struct part_old *ret_part); /* false: it is none */
/* The part is written now, or the next fill is to compare its own bytes with those that listeners had from it. Once it is
 * not needed it never will be again: tokens only grow. row NULL: there is no such recording. */
bool part_is_needed(const struct recording *row, int64_t token, int64_t now);
