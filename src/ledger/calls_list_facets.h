/* calls_list_facets.h - the sources of lists by agent, own number, tag or length, for calls_list.c alone.
 * Thread rule: the connection's. */
#pragma once

#include "ledger/calls_list_query.h"

/* Fills a->keys, if the filter or the order has a good index. *ret_done: it did; else a source of calls_list.c is needed. Not for
 * searches. other: how many rows the source has that calls_list.c would use, up to few_rows + 1. */
CHECKED enum err list_source_facets(struct list_query *a, int64_t other, bool *ret_done);
/* The same for a search within an agent, number or tag. *ret_done: few_rows rows have it at most, and were compared with the
 * search. SQLite only: never done on PostgreSQL. */
CHECKED enum err list_source_facet_of_search(struct list_query *a, bool *ret_done);
