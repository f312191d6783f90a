/* calls_search.h - what calls are found by: one document a leg in `call_documents`, of its own numbers and names.
 *
 * A list puts together which rows a leg that matches is shown in. Thread rule: the connection's; writing inside db_writer's
 * transaction. */
#pragma once

#include "db/db_grams.h"
#include "ledger/calls.h"

enum { CALLS_SEARCH_ID_BITS = 20 };

/* Puts a leg's document anew, as call says, at its top leg's sort_at, in place of call->document_id (0: it has none). The
 * caller writes *ret_document_id into the leg's row. */
CHECKED enum err calls_search_put(struct db *db, const struct call *call, int64_t sort_at, int64_t *ret_document_id);
/* 0 is fine, and one that is not there. */
CHECKED enum err calls_search_delete(struct db *db, int64_t document_id);
/* When a document says that its row begins. A moment that is full lends ids of the next ones, up to a second. */
int64_t calls_search_time(int64_t document_id);
/* The first id that a document of that time can have. */
int64_t calls_search_first_id(int64_t sort_at);
/* The digits of s, nothing else, appended to b. */
CHECKED enum err calls_search_digits(struct str s, struct buf *b);
/* Appends a term of a match: column : "text", within the business. */
CHECKED enum err calls_search_phrase(struct buf *b, int64_t business_id, enum db_grams_kind kind, struct str text);
