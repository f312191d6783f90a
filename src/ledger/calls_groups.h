/* calls_groups.h - groups of a business's blocks (calls_blocks.h): up to GROUP_BLOCKS in a row. A group has, for each mark, which
 * of its blocks have it, so a search reads some rows of a group where it would read the marks of each block. SQLite only.
 *
 *   writing:  triggers note new and changed blocks;   TRY(calls_groups_update(db, &business, 0, &count));   in a writer job
 *   reading:  TRY(calls_groups_match(db, group_id, &search, hits, &count));
 *
 * A block that changes leaves its group, in the same transaction (0046_block_groups.sql); a group that lost an eighth of its
 * blocks is made again. Thread rule: the connection's; updates run in db_writer's transaction. */
#pragma once

#include "ledger/calls_blocks.h"

enum { GROUP_BLOCKS = 192 };

struct block_hit {
  int64_t first_id;
  unsigned strips; /* that may match; not 0 */
};

/* True if a group must be made again, or new blocks must be read. Never on PostgreSQL. */
CHECKED enum err calls_groups_are_due(struct db *db, bool *ret_due);
/* Makes or ends a group: of the next business behind *business_id, which it sets. blocks_most: of a group; 1 … GROUP_BLOCKS, or
 * 0: GROUP_BLOCKS. *ret_count: rows that it wrote, about; 0: nothing was due. */
CHECKED enum err calls_groups_update(struct db *db, int64_t *business_id, int blocks_most, int *ret_count);
/* The group's blocks that may match, in ascending order. Some may have left the group since. */
CHECKED enum err calls_groups_match(struct db *db, int64_t group_id, const struct block_search *search,
                                    struct block_hit ret_hits[GROUP_BLOCKS], int *ret_count);
