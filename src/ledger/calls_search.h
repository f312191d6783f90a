/* calls_search.h - the search index of calls: one document for each leg in `call_documents`, with the leg's numbers and names.
 *
 *   TRY(calls_search_put(db, &call, top_sort_at, &call.document_id));          and store document_id in the call's row
 *   TRY(calls_search_phrase(&match, business, DB_GRAMS_NAMES, search));        … where call_documents match …
 *
 * calls_list.c finds the rows in which a matching leg is shown. Thread rule: the connection's; writes run in db_writer's
 * transaction. */
#pragma once

#include "db/db_grams.h"
#include "ledger/calls.h"

enum {
  CALLS_SEARCH_ID_BITS = 20,
  CALLS_SEARCH_FOLDING =
      2, /* the folding of names (base/fold.h); after a change of it, one more: all calls are indexed again */
  CALLS_SEARCH_WORDS_MAX = 8,    /* of a search that are found in any order */
  CALLS_SEARCH_NUMBER_LEAST = 6, /* digits that are a number also among letters */
};

/* Replaces the leg's document, call->document_id (0: none), by a new one at sort_at, its top leg's. The caller must store
 * *ret_document_id in the leg's row. ERR_FULL: no free id at that time. */
CHECKED enum err calls_search_put(struct db *db, const struct call *call, int64_t sort_at, int64_t *ret_document_id);
/* PostgreSQL only: the text of that document, appended to digits and names, and its new id, for a caller that writes it
 * itself. */
CHECKED enum err calls_search_document(const struct call *call, int64_t sort_at, struct buf *digits, struct buf *names,
                                       int64_t *ret_id);
/* Merges segments of the index, in a bounded part, if this process has written enough documents since it last did. SQLite itself
 * merges none (0025_search_merges.sql), so each job that writes documents calls this once. */
CHECKED enum err calls_search_merge(struct db *db);
/* The time in a document's id, in ms: the top leg's sort_at, or up to a second later if that millisecond had no free id. */
int64_t calls_search_time(int64_t document_id);
/* The smallest id of that time. */
int64_t calls_search_first_id(int64_t sort_at);
/* Appends only the digits of s to b, in ASCII. */
CHECKED enum err calls_search_digits(struct str s, struct buf *b);
/* Appends an FTS5 match phrase for text, limited to the business: column : "…". */
CHECKED enum err calls_search_phrase(struct buf *b, int64_t business_id, enum db_grams_kind kind, struct str text);
/* Appends a match expression for names: all words of search, folded, in any order; or search as one phrase if a word has one
 * character or there are more than CALLS_SEARCH_WORDS_MAX. also_unfolded: documents that an earlier release wrote match too. */
CHECKED enum err calls_search_names(struct buf *b, int64_t business_id, struct str search, bool also_unfolded);
/* The words that a name must contain to be found: the words of search, or all of it, folded as documents are. They point into
 * text. None: the search has nothing that a name can contain, as "---". */
CHECKED enum err calls_search_parts(struct str search, struct buf *text, struct str ret_parts[CALLS_SEARCH_WORDS_MAX],
                                    size_t *ret_count);
/* Whether the database still has documents with an earlier folding. */
CHECKED enum err calls_search_is_refolding(struct db *db, bool *ret_refolding);
/* Appends the digits of the number in search, without "(0)" behind a country code and without an extension. */
CHECKED enum err calls_search_number(struct str search, struct buf *b);
