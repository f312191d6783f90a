/* db_grams.h - the FTS5 tokenizer `scoped_grams`: finds parts of names and numbers, separately for each scope (business).
 *
 *   create virtual table documents using fts5(digits, names, tokenize = 'scoped_grams')
 *   insert the text that db_grams_text makes of a document's digits or names
 *   match 'names : "…"' with the text that db_grams_text makes of the search
 *
 * Every term begins with the scope. So a search never reads or returns documents of another scope.
 * Terms of a document: every 3 and every 4 digits in a row; every 2, 3 and 4 characters of a name, case and accents folded.
 * A search of at least 3 characters (2 for names) finds the documents that contain it anywhere.
 * Thread rule: the connection's. */
#pragma once

#include <sqlite3.h>

#include "base/buf.h"

enum { DB_GRAMS_END_OF_SCOPE = '\x1f' }; /* stands before the text */
enum db_grams_kind { DB_GRAMS_DIGITS = 'd', DB_GRAMS_NAMES = 'n' };

/* Appends the tokenizer's input to b: scope, kind and text. Each name of a document must end with '\n'. */
CHECKED enum err db_grams_text(struct buf *b, int64_t scope, enum db_grams_kind kind, struct str text);
/* Registers the tokenizer with a connection. Returns SQLite's result code. */
int db_grams_register(sqlite3 *sqlite);
