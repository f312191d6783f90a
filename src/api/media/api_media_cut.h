/* api_media_cut.h - ends answers under way whose recording has expired.
 *
 *   http_set_tag(x, media_tag(business_id, recording_sid));                  when an answer with audio begins
 *   media_cut_add(a->cuts, business_id, recording_sid); … media_cut_send(a);  the changes thread
 *
 * Each loop looks through its answers under way once for all recordings that were added since the last send. */
#pragma once

#include "api/request/api_loop.h"

struct media_cuts;

CHECKED enum err media_cuts_new(struct media_cuts **ret_cuts);
struct media_cuts *media_cuts_free(struct media_cuts *c); /* NULL is fine; always NULL */
/* (any thread) Never 0. */
uint64_t media_tag(int64_t business_id, struct str recording_sid);
void media_cut_add(struct media_cuts *c, int64_t business_id, struct str recording_sid);
/* Tells the loops, at most every SEND_MS; at once when the list is full. */
void media_cut_send(struct api *a);
