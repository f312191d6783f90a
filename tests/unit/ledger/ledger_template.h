/* ledger_template.h - writes a migrated, empty ledger. Running all migrations takes longer than most tests, so each program
 * runs them once, and copies the file from then on. Two ledgers of one program have the same identity. */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/ledger.h"

static struct {
  char *bytes; /* freed with the process */
  size_t size;
} ledger_template;

static inline enum err ledger_template_migrate(const char *url) {
  struct db *db;
  int applied;
  TRY(db_open(&(struct db_open){.url = url}, NULL, &db));
  enum err e = ledger_migrate(db, NULL, &applied);
  db_close(db); /* puts all into the file */
  return e;
}

static inline enum err ledger_template_read(const char *path) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ERR_IO;
  char *bytes = fstat(fd, &st) == 0 ? malloc((size_t)st.st_size) : NULL;
  bool whole = bytes && read(fd, bytes, (size_t)st.st_size) == st.st_size;
  close(fd);
  if (!whole) {
    free(bytes);
    return ERR_IO;
  }
  ledger_template.bytes = bytes;
  ledger_template.size = (size_t)st.st_size;
  return OK;
}

/* Makes the file unless it exists. url: sqlite:// and the path. */
static inline enum err ledger_template_write(const char *url) {
  const char *path = url + sizeof("sqlite://") - 1;
  if (access(path, F_OK) == 0) return OK;
  if (!ledger_template.bytes) {
    TRY(ledger_template_migrate(url));
    return ledger_template_read(path);
  }
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ERR_IO;
  bool whole = write(fd, ledger_template.bytes, ledger_template.size) == (ssize_t)ledger_template.size;
  return close(fd) == 0 && whole ? OK : ERR_IO;
}
