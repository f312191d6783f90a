/* erasure_texts.h - finds a number outside of the from and to of its calls: in addresses such as sip:+972501234567@a.example,
 * whose calls are removed too, and in texts of other calls, which stay without the number. Used by erasure.c alone.
 * Thread rule: inside db_writer's transaction. */
#pragma once

#include "ledger/erasures.h"

/* Does a part of the steps from ERASURE_CALLS to ERASURE_NOTES. Sets tree_sid if a call is to be removed: it continues once that
 * is gone. */
CHECKED enum err erasure_texts_part(struct db *db, struct erasure *erasure);
/* Whether a legal hold covers a recording that names the number. If so, counts it in held, unless its call was counted. */
CHECKED enum err erasure_texts_held(struct db *db, struct erasure *erasure, struct str recording_sid, bool *ret_held);
