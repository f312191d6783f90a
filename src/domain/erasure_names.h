/* erasure_names.h - a number in names that people and admins chose: of keys, of users with sessions, of the business, in its
 * vocabulary and in reasons of holds. Used by erasure.c alone. */
#pragma once

#include "ledger/erasures.h"

/* Does a part of the step ERASURE_NAMES. *ret_done: there is nothing left. */
CHECKED enum err erasure_names_part(struct db *db, struct erasure *erasure, bool *ret_done);
