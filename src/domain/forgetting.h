/* forgetting.h - has the search's index of calls rewritten in the background after something was removed, so that nothing of it
 * can be put together from its terms (ledger/forgets.h).
 *
 *   TRY(forgetting_part(db, &forgetting, clock_mono_ms(), &more));      the worker, until there is no more
 *
 * Rewriting takes at most a tenth of the time: after one that took a minute nothing is rewritten for ten.
 * Thread rule: inside db_writer's transaction. */
#pragma once

#include "ledger/forgets.h"

/* Zeroed at first. */
struct forgetting {
  int64_t wanted; /* as forgets_next gave it */
  bool is_running;
  int parts;
  int64_t began_ms, rests_until_ms; /* mono */
};

/* *ret_more: call it again. */
CHECKED enum err forgetting_part(struct db *db, struct forgetting *forgetting, int64_t mono_ms, bool *ret_more);
