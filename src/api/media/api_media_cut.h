/* api_media_cut.h - ends answers under way whose recording has expired, or whose credential has ended.
 *
 *   media_tag_answer(x, subject, recording_sid);                                     when an answer with audio begins
 *   media_cut_recording(a->cuts, business_id, recording_sid); … media_cut_send(a);  the changes thread
 *   media_cut_key(a, key_id);                                                        any thread, at once
 *
 * Each loop looks through its answers under way once for all that was added since the last send.
 * Thread rule: the changes thread, except what says otherwise. */
#pragma once

#include "api/request/api_loop.h"
#include "api/request/api_subject.h"

struct media_cuts;

CHECKED enum err media_cuts_new(struct media_cuts **ret_cuts);
struct media_cuts *media_cuts_free(struct media_cuts *c); /* NULL is fine; always NULL */
/* Tells the server what the answer is of and what admits it. Thread rule: the exchange's loop. */
void media_tag_answer(struct http_exchange *x, const struct subject *subject, const char *recording_sid);
void media_cut_recording(struct media_cuts *c, int64_t business_id, struct str recording_sid);
/* A session or a signed URL ended. digest: as a CHANGE_SESSION has it; if it is no digest, all of the business did. */
void media_cut_session(struct media_cuts *c, int64_t business_id, struct str digest);
/* Tells the loops, at most every SEND_MS; at once when the list is full. */
void media_cut_send(struct api *a);
/* (any thread) Cuts what the key admits, or its sessions and signed URLs; all that is of a business. To be called when the loops
 * have the access without it: a client whose answer is cut asks again at once. */
void media_cut_key(struct api *a, int64_t key_id);
void media_cut_business(struct api *a, int64_t business_id);
