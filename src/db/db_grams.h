/* db_grams.h - the tokenizer `scoped_grams` of the full-text index: parts of words and of numbers, each kept apart by a scope.
 *
 *   create virtual table documents using fts5(digits, names, tokenize = 'scoped_grams')
 *   insert … the text that db_grams_text makes; match 'names : "…"' with the text that db_grams_text makes of the search
 *
 * The scope stands in front of every term, so that what one scope holds neither costs another's search nor shows in it.
 * A document's terms are: of digits every 3 and every 4 in a row, of names every 2, 3 and 4 characters, folded.
 * A search of 3 characters or more (of names 2) finds the documents that hold it as it is, anywhere.
 * Thread rule: the connection's. */
#pragma once

#include <sqlite3.h>

#include "base/buf.h"

enum db_grams_kind { DB_GRAMS_DIGITS = 'd', DB_GRAMS_NAMES = 'n' };

/* Appends what the tokenizer takes: the scope, the kind and the text. Of a document's names each ends with '\n'. */
CHECKED enum err db_grams_text(struct buf *b, int64_t scope, enum db_grams_kind kind, struct str text);
/* Makes the tokenizer known to a connection. Answers SQLite's code. */
int db_grams_register(sqlite3 *sqlite);
