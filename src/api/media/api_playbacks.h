/* api_playbacks.h - groups requests into playbacks: all requests of one subject for one recording within PLAYBACK_MS of
 * the first are one playback, and are logged and counted once.
 *
 *   key = playbacks_key(all, business_id, subject_kind, subject_id, recording_sid);
 *   if (playbacks_note(all, local, key, PLAYBACK_HIT, clock_mono_ms())) log_info("Cache HIT", …);
 *
 * The process has one table, locked in stripes; each loop has a local table in front of it without a lock. The
 * process's table is used only for what the local table does not know. A full table forgets its oldest playback, which
 * is then counted again.
 * Thread rule: any thread; a local table belongs to one loop. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct playbacks;
struct playbacks_local;

enum { PLAYBACK_MS = 10 * 60 * 1000 };

/* Facts about a playback, as bits; each is noted once. */
enum playback_note { PLAYBACK_HIT = 1, PLAYBACK_ANSWERED = 2, PLAYBACK_HEARD = 4, PLAYBACK_DOWNLOADED = 8 };

CHECKED enum err playbacks_new(struct playbacks **ret_playbacks);
struct playbacks *playbacks_free(struct playbacks *p);
CHECKED enum err playbacks_local_new(struct playbacks_local **ret_local);
struct playbacks_local *playbacks_local_free(struct playbacks_local *n);
/* A hash of subject and recording. It is seeded, so it differs from process to process. */
uint64_t playbacks_key(const struct playbacks *p, int64_t business_id, int subject_kind, int64_t subject_id,
                       struct str recording_sid);
/* Notes a request of the playback key. notes: the facts that are true of it (enum playback_note; 0: none). Returns
 * those that were not noted of this playback before. */
unsigned playbacks_note(struct playbacks *p, struct playbacks_local *local, uint64_t key, unsigned notes,
                        int64_t mono_ms);
