/* db_file.c - see db_file.h. */
#include "db/db_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/problem_text.h"

enum err db_file_path(const char *url, struct buf *ret_problem, const char **ret_path) {
  struct str s = str_from(url);
  if (!str_starts(s, STR("sqlite:///")) || str_ends(s, STR("/"))) {
    return problem_text_set(ret_problem, ERR_INVALID,
                            "the database's URL is not of the form sqlite:///absolute/path or postgresql://…");
  }
  *ret_path = url + (sizeof("sqlite://") - 1);
  return OK;
}

const char *db_file_network(uint64_t magic) {
  static const struct {
    uint64_t magic;
    const char *name;
  } network[] = {
      {0x6969, "NFS"},     {0x517b, "SMB"}, {0xff534d42, "SMB"}, {0xfe534d42, "SMB"},
      {0x5346414f, "AFS"}, {0x564c, "NCP"}, {0x6b414653, "AFS"},
  };
  for (size_t i = 0; i < COUNT_OF(network); i++) {
    if (network[i].magic == (magic & 0xffffffff)) return network[i].name;
  }
  return NULL;
}

enum err db_file_check_volume(const char *path, struct buf *ret_problem) {
  char *copy CLEANUP(free_char) = strdup(path);
  if (!copy) return ERR_NOMEM;
  const char *directory = dirname(copy);
  struct statfs volume;
  if (statfs(directory, &volume) != 0) {
    enum err e = err_from_errno(errno);
    return problem_text_set(ret_problem, e, "the database's directory can't be read: %s", directory);
  }
  const char *network = db_file_network((uint64_t)volume.f_type);
  if (!network) return OK;
  return problem_text_set(
      ret_problem, ERR_UNSUPPORTED,
      "the database is on a network file system, where its locks don't hold; put it on a local disk: %s", network);
}

enum err db_file_make(const char *path) {
  if (mknod(path, S_IFREG | 0600, 0) == 0 || errno == EEXIST) return OK;
  return err_from_errno(errno);
}

enum err db_file_identify(const char *path, struct db_file *ret_file) {
  struct stat st;
  if (stat(path, &st) != 0) return err_from_errno(errno);
  *ret_file = (struct db_file){.device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino};
  return OK;
}

bool db_file_same(struct db_file a, struct db_file b) {
  return a.device == b.device && a.inode == b.inode;
}
