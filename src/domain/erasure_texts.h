/* erasure_texts.h - what names a number besides the from and to of its calls: addresses such as sip:+972501234567@a.example,
 * whose calls go too; and texts of other calls, which lose the number and stay. Used by erasure.c alone. */
#pragma once

#include "ledger/erasures.h"

/* Does a part of the steps from ERASURE_CALLS on. Sets tree_sid if a call is to be removed: it goes on once that is gone.
 * *ret_done: there is nothing left. */
CHECKED enum err erasure_texts_part(struct db *db, struct erasure *erasure, bool *ret_done);
