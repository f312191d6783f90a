/* calls_blocks.h - blocks of a business's documents (call_documents_text), each with marks of the parts of numbers and names that
 * its documents have: a search leaves out the blocks whose marks lack a part of it. A block has BLOCK_STRIPS strips, some
 * documents in a row each, and marks of the parts of each strip: of a block that is not left out, a search reads the strips that
 * may have all its parts. SQLite only.
 *
 *   writing:  triggers note which blocks changed;   TRY(calls_blocks_update(db, &business, &count));   as part of a writer job
 *   reading:  struct block_wanted w;   calls_blocks_want(&w, BLOCK_NAMES, word);   strips = calls_blocks_strips(&w, marks);
 *             n = calls_blocks_ranges(bounds, strips, ranges);
 *
 * Marks are bits at hashes of 4 digits, or of 3 characters of a name: a strip may have a part without having the text, but no
 * text without its parts. Thread rule: the connection's; updates run in db_writer's transaction. */
#pragma once

#include "db/db.h"

enum {
  BLOCK_DOCUMENTS = 128,
  BLOCK_DOCUMENTS_MOST = 192, /* of a block that is not divided yet */
  BLOCK_STRIPS = 16,
  BLOCK_ALL_STRIPS = (1 << BLOCK_STRIPS) - 1, /* as a set: bit i stands for strip i */
  BLOCK_MARKS_SIZE = 4000,                    /* bytes */
  BLOCK_BOUNDS_SIZE = BLOCK_STRIPS * 16,      /* bytes */
  BLOCK_PARTS_MAX = 128,                      /* of a search; further ones are not looked for */
};

/* Bits of the marks that a part has. */
struct block_part_marks {
  uint16_t whole;  /* of a block with the part */
  uint16_t strips; /* the first of BLOCK_STRIPS bits, one for each strip with the part; a multiple of BLOCK_STRIPS */
};
/* The parts that a block must have. */
struct block_wanted {
  struct block_part_marks parts[BLOCK_PARTS_MAX];
  size_t count; /* 0: any block may have it */
};
enum block_part { BLOCK_DIGITS, BLOCK_NAMES };
/* Adds the parts of text: digits, or a word of a name, folded. */
void calls_blocks_want(struct block_wanted *w, enum block_part part, struct str text);
/* The strips that may have it. marks: of a block; empty: they are not made yet, so all strips may. Those that a release before
 * strips made are shorter, and are of the whole block. */
unsigned calls_blocks_strips(const struct block_wanted *w, struct str marks);

/* A search: the names or the digits are there. */
struct block_search {
  struct block_wanted names, digits;
  bool by_names, by_digits;
};
unsigned calls_blocks_search_strips(const struct block_search *search, struct str marks);

/* Ids of documents. */
struct block_range {
  int64_t low, high;
};
/* Where the documents of these strips are, neighbouring strips together, in ascending order. bounds: of a block with marks.
 * Returns how many there are. */
int calls_blocks_ranges(struct str bounds, unsigned strips, struct block_range ret_ranges[BLOCK_STRIPS]);

/* Where the next block begins; INT64_MAX: the block is the last one. */
CHECKED enum err calls_blocks_end(struct db *db, int64_t business_id, int64_t first_id, int64_t *ret_end);

/* Is there a block to be marked or divided? Never on PostgreSQL. */
CHECKED enum err calls_blocks_are_due(struct db *db, bool *ret_due);
/* Marks or divides a block of the next business behind *business_id, which it sets. *ret_count: rows that it wrote; 0: none is
 * due. */
CHECKED enum err calls_blocks_update(struct db *db, int64_t *business_id, int *ret_count);
/* Whether a search of the business can go through its blocks: at most so many are in no group (calls_groups.h), and nearly all
 * are marked. */
CHECKED enum err calls_blocks_are_ready(struct db *db, int64_t business_id, int64_t alone_most, int64_t unmarked_most,
                                        bool *ret_ready);
