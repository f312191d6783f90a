/* ledger.c - see ledger.h. */
#include "ledger/ledger.h"

#include <stdlib.h>

#include "base/embedded.h"

extern const struct embedded_file schema_files[], schema_postgres_files[];

static const struct embedded_file *files_of(enum db_kind kind) {
  return kind == DB_POSTGRES ? schema_postgres_files : schema_files;
}

static enum err migration_of(const struct embedded_file *file, struct migration *ret_migration) {
  struct str name = str_from(file->name), number, rest, line;
  uint64_t n, oldest = 0;
  if (!str_cut(name, '_', &number, &rest) || number.n != 4 || !str_ends(rest, STR(".sql"))) return ERR_INVALID;
  TRY(str_to_u64(number, LEDGER_MIGRATIONS_MAX, &n));
  const char *sql = (const char *)file->bytes;
  (void)str_cut(str_of(sql, file->size), '\n', &line, &rest); /* a file of one line has no newline */
  if (str_starts(line, STR("-- oldest: "))) TRY(str_to_u64(str_skip(line, 11), n, &oldest));
  *ret_migration = (struct migration){(int)n, file->name, sql, (int)oldest};
  return OK;
}

enum err ledger_migrations(enum db_kind kind, struct ledger_migrations *ret_migrations) {
  const struct embedded_file *files = files_of(kind);
  size_t count = 0;
  for (; files[count].name; count++) {
    if (count == LEDGER_MIGRATIONS_MAX) return ERR_TOO_BIG;
    TRY(migration_of(&files[count], &ret_migrations->all[count]));
    if (ret_migrations->all[count].number != (int)count + 1) return ERR_INVALID;
  }
  ret_migrations->count = count;
  return OK;
}

enum err ledger_migrate(struct db *db, const struct migrate_watch *watch, int *ret_applied) {
  struct ledger_migrations *migrations = malloc(sizeof(*migrations));
  if (!migrations) return ERR_NOMEM;
  enum err e = ledger_migrations(db_kind(db), migrations);
  if (e == OK) e = migrate_run(db, migrations->all, migrations->count, watch, ret_applied);
  free(migrations);
  return e;
}

enum err ledger_schema(struct db *db, int *ret_found, int *ret_known) {
  int number, oldest, known = 0;
  TRY(migrate_read(db, &number, &oldest));
  while (files_of(db_kind(db))[known].name) known++;
  *ret_found = number;
  *ret_known = known;
  return oldest > known ? ERR_TOO_NEW : OK;
}
