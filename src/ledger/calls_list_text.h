/* calls_list_text.h - searches in lists of calls (calls_list.c): parts of the source TEXT on SQLite (calls_list_blocks.h), and a
 * search as a condition on the rows of another source. Thread rule: the connection's. */
#pragma once

#include "ledger/calls_list_transcripts.h"
#include "ledger/calls_search.h"

/* A query's search, folded, as documents are compared with it. A statement that sql_add_matches was used for needs it until the
 * statement has run. */
struct list_text {
  const struct list_query *query;
  struct buf text;
  struct str names[CALLS_SEARCH_WORDS_MAX];
  size_t name_count;
  bool by_digits;
  struct buf terms; /* of transcripts */
};
#define LIST_TEXT \
  { .name_count = 0, .terms = BUF_INIT(LIST_TERMS_MAX) }
CHECKED enum err list_text_init(struct list_text *t, const struct list_query *a);
void list_text_done(struct list_text *t);
/* Whether all calls have a row in call_documents_text, which sql_add_matches reads. */
CHECKED enum err list_text_is_complete(struct list_query *a, bool *ret_complete);
/* Appends " and" and a condition on c: the search matches a leg that is shown with it. SQLite only. */
CHECKED enum err sql_add_matches(struct statement *s, struct list_text *t);

/* Adds the keys of calls that the index of all businesses finds. SQLite only. */
CHECKED enum err list_source_text_index(struct list_query *a);
/* The same, if the newest few_rows documents of the business do not fill the page. */
CHECKED enum err list_source_text_shared(struct list_query *a, const struct list_text *t);

/* Appends: document s contains the search. SQLite only. */
CHECKED enum err sql_add_contains(struct statement *s, const struct list_text *t);
/* Reads the keys of the business's documents that come before the one with the id `end` (0: all), or of those with the ids of a
 * JSON list (empty: all), until the page is full. SQLite only. */
CHECKED enum err list_text_read(struct list_query *a, const struct list_text *t, int64_t end, struct str ids);

/* Appends: the SID in `column` begins with a->sid[i]. */
CHECKED enum err sql_add_sid_range(struct statement *s, const struct list_query *a, size_t i, const char *column);
/* Appends: the SID of leg l, or of one of its recordings, begins with the search. */
CHECKED enum err sql_add_sids(struct statement *s, const struct list_query *a);
/* Appends: a number of leg l contains the search's one or two digits. */
CHECKED enum err sql_add_short(struct statement *s, const struct list_query *a);
