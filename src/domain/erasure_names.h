/* erasure_names.h - takes a number out of names that people and admins chose: of keys, of users with sessions, of the business,
 * in its vocabulary and in reasons of holds. Used by erasure.c alone.
 * Thread rule: inside db_writer's transaction. */
#pragma once

#include "ledger/erasures.h"

/* Does a part of the step ERASURE_NAMES. *ret_done: there is nothing left. */
CHECKED enum err erasure_names_part(struct db *db, struct erasure *erasure, bool *ret_done);
