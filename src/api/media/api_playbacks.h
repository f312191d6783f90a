/* api_playbacks.h - playbacks: what one subject asks of one recording within 10 minutes of its first request, however many
 * requests that are.
 *
 *   if (playbacks_note(all, near, playbacks_key(all, …), PLAYBACK_HIT, clock_mono_ms())) log_info("Cache HIT", …);
 *
 * One table a process (locked, in stripes) behind one a loop (no lock): the first is asked only for what the second does
 * not know. Both forget when they are full, the oldest first; a playback forgotten is counted again.
 * Thread rule: any thread, but a near table belongs to one loop. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct playbacks;
struct playbacks_near;

enum { PLAYBACK_MS = 10 * 60 * 1000 };

/* What happens to a playback, each noted once. */
enum playback_note { PLAYBACK_HIT = 1, PLAYBACK_ANSWERED = 2 };

CHECKED enum err playbacks_new(struct playbacks **ret_playbacks);
struct playbacks *playbacks_free(struct playbacks *p);
CHECKED enum err playbacks_near_new(struct playbacks_near **ret_near);
struct playbacks_near *playbacks_near_free(struct playbacks_near *n);
/* Who plays what, as a number that differs from process to process. */
uint64_t playbacks_key(const struct playbacks *p, int64_t business_id, int subject_kind, int64_t subject_id,
                       struct str recording_sid);
/* Notes a request, of which notes (enum playback_note, 0: none) are true; returns those that were not noted of its
 * playback before. */
unsigned playbacks_note(struct playbacks *p, struct playbacks_near *near, uint64_t key, unsigned notes,
                        int64_t mono_ms);
