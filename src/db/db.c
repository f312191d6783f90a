/* db.c - parameter values, and the list of the program's statements. */
#include "db/db.h"

#include <string.h>

struct db_value db_int_or_null(int64_t value) {
  return value < 0 ? DB_NULL : DB_INT(value);
}

struct db_value db_text_or_null(struct str s) {
  return !s.p ? DB_NULL : DB_TEXT(s);
}

/* The linker defines these: the first byte of the section, and the byte after its last. */
extern const char __start_db_texts[], __stop_db_texts[];

void db_texts_each(void (*fn)(void *arg, const char *sql), void *arg) {
  for (const char *p = __start_db_texts; p < __stop_db_texts; p++) {
    if (*p == '\0') continue; /* padding between two texts */
    fn(arg, p);
    p += strlen(p);
  }
}
