/* calls_list_text.h - the source TEXT of lists of calls (calls_list.c) on SQLite. Thread rule: the connection's. */
#pragma once

#include "ledger/calls_list_query.h"

/* Adds the keys of calls of which a number or name contains the search. */
CHECKED enum err list_source_text_sqlite(struct list_query *a);
