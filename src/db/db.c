/* db.c - values of statements. */
#include "db/db.h"

struct db_value db_int_or_null(int64_t value) {
  return value < 0 ? DB_NULL : DB_INT(value);
}

struct db_value db_text_or_null(struct str s) {
  return s.p == NULL ? DB_NULL : DB_TEXT(s);
}
