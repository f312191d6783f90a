/* calls_list_transcripts.h - the source of a list of calls whose transcripts hold all words of a search, and the same as a
 * condition. Thread rule: the connection's. */
#pragma once

#include "ledger/calls_list_query.h"

/* Adds the keys of calls with such transcripts to those that the query has. */
CHECKED enum err list_source_transcripts(struct list_query *a);
/* Appends " or" and a condition on leg l: a transcript of it holds all words. terms: empty at first, of the size below; the
 * statement needs them until it has run. SQLite only. */
enum { LIST_TERMS_MAX = 512 };
CHECKED enum err sql_add_or_transcribed(struct statement *s, const struct list_query *a, struct buf *terms);
