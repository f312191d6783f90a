/* calls_search.h - what calls are found by: one document a leg in `call_search`.
 *
 * A leg's document holds the numbers and names of the legs that it is shown with: of a top leg all of its tree, of another
 * its own, its parent's and its children's. Thread rule: the connection's; writing inside db_writer's transaction. */
#pragma once

#include "base/buf.h"
#include "db/db.h"

enum { CALLS_SEARCH_ID_BITS = 20, CALLS_SEARCH_SCOPE_SIZE = 10 };

/* Brings the documents of a leg, and of those that show it, in line with `calls`. was_parent, was_top: what the leg named
 * before, or empty. */
CHECKED enum err calls_search_put(struct db *db, int64_t business_id, struct str call_sid, struct str was_parent,
                                  struct str was_top);
/* The first id that a document of that time can have. */
int64_t calls_search_first_id(int64_t sort_at);
/* The word that a business's documents, and as good as no others, have as their scope. */
void calls_search_scope(int64_t business_id, char ret_scope[CALLS_SEARCH_SCOPE_SIZE]);
/* The digits of s, nothing else, appended to b. */
CHECKED enum err calls_search_digits(struct str s, struct buf *b);
