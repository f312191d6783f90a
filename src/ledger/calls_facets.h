/* calls_facets.h - the table `call_facets`: what calls are listed by besides their time. Triggers maintain it
 * (schema/0023_call_facets.sql); this adds the calls that were there before it.
 *
 *   TRY(calls_facets_add_older(db, 80, &count));    as a part of a writer's job
 *
 * Thread rule: the connection's; calls_facets_add_older in db_writer's transaction. */
#pragma once

#include "db/db.h"

/* Adds at most limit older calls, the newest first. *ret_count: how many. */
CHECKED enum err calls_facets_add_older(struct db *db, int limit, int *ret_count);
