/* calls_list_blocks.h - the source TEXT of lists of calls on SQLite: the newest documents of a business, then those of its blocks
 * that may have the search (calls_blocks.h). Thread rule: the connection's. */
#pragma once

#include "ledger/calls_list_query.h"

/* Adds the keys of calls of which a number or name contains the search. */
CHECKED enum err list_source_text_sqlite(struct list_query *a);
