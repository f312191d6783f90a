/* db_postgres_text.h - makes PostgreSQL's text of a statement that is written for both kinds of database. For this room only.
 *
 *   TRY(db_postgres_text(sql, &text, &why));
 *
 * It replaces ?1 by $1 and `where 1` by `where true`, json_each by json_items (a function of
 * our schema), and drops what only SQLite's planner needs: `indexed by x`, the word `cross`
 * of `cross join x on`, and a unary + before a column. Strings, quoted names and comments stay as they are.
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"

/* Appends the text to ret_text. ERR_UNSUPPORTED: the statement has words that PostgreSQL lacks; `*ret_word` names them (static).
 * ERR_INVALID: a string or comment does not end, or a parameter has no number. */
CHECKED enum err db_postgres_text(const char *sql, struct buf *ret_text, const char **ret_word);
