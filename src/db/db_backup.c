/* db_backup.c - copies the database as of one moment, while others write.
 *
 * Invariants
 *  (1) One read transaction spans the copy: other connections' commits neither appear in it nor restart it.
 *  (2) The file gets its name when the copy is complete and on disk. It never replaces another file. */
#include "db/db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGES_PER_STEP = 256 };

static enum err path_failed(struct db *db, const char *path) {
  enum err e = err_from_errno(errno);
  (void)snprintf(db->problem, sizeof(db->problem), "%s: %s", path, strerror(errno));
  return e;
}

static int backup_copy_pages(sqlite3_backup *copy, void (*progress)(void *arg, int done_percent), void *arg) {
  int rc;
  do {
    rc = sqlite3_backup_step(copy, PAGES_PER_STEP);
    int64_t all = sqlite3_backup_pagecount(copy), left = sqlite3_backup_remaining(copy);
    if (progress && all > 0) progress(arg, (int)((all - left) * 100 / all));
  } while (rc == SQLITE_OK);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum err backup_copy_into(struct db *db, const char *part, void (*progress)(void *arg, int done_percent),
                                 void *arg) {
  sqlite3 *to = NULL;
  int rc = sqlite3_open_v2(part, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
  /* The partial copy is not read by others and is useless after a crash, so it needs no journal. */
  if (rc == SQLITE_OK) rc = sqlite3_exec(to, "pragma journal_mode=off", NULL, NULL, NULL);
  sqlite3_backup *copy = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", db_sqlite_of(db)->sqlite, "main") : NULL;
  if (rc == SQLITE_OK && !copy) rc = sqlite3_extended_errcode(to);
  if (copy) {
    rc = backup_copy_pages(copy, progress, arg);
    int finished = sqlite3_backup_finish(copy);
    if (rc == SQLITE_OK) rc = finished;
  }
  enum err e = db_sqlite_error(rc, !to ? 0 : sqlite3_system_errno(to));
  if (e != OK) {
    (void)snprintf(db->problem, sizeof(db->problem), "%s: %s", part, !to ? "out of memory" : sqlite3_errmsg(to));
  }
  sqlite3_close(to);
  return e;
}

static enum err sync_path(struct db *db, const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) return path_failed(db, path);
  enum err e = fsync(fd) == 0 ? OK : path_failed(db, path);
  close(fd);
  return e;
}

static enum err backup_publish(struct db *db, const char *part, const char *path) {
  TRY(sync_path(db, part, O_RDONLY));
  if (link(part, path) != 0) return path_failed(db, path);
  char *copy CLEANUP(free_char) = strdup(path);
  if (!copy) return ERR_NOMEM;
  return sync_path(db, dirname(copy), O_RDONLY | O_DIRECTORY);
}

enum err db_sqlite_backup(struct db *db, const char *path, void (*progress)(void *arg, int done_percent), void *arg) {
  if (db_in_transaction(db)) return ERR_INVALID;
  if (access(path, F_OK) == 0) {
    errno = EEXIST;
    return path_failed(db, path);
  }
  char *part CLEANUP(free_char) = NULL;
  if (asprintf(&part, "%s.%ld.part", path, (long)getpid()) < 0) {
    part = NULL;
    return ERR_NOMEM;
  }
  if (mknod(part, S_IFREG | 0600, 0) != 0) return path_failed(db, part);
  enum err e = db_begin(db);                                             /* (1) */
  if (e == OK) e = db_script(db, "select 1 from sqlite_schema limit 1"); /* the snapshot is taken at the first read */
  if (e == OK) e = backup_copy_into(db, part, progress, arg);
  db_rollback(db);
  if (e == OK) e = backup_publish(db, part, path);
  (void)unlink(part); /* the copy has its final name, or it failed */
  return e;
}
