/* secrets_key.c - see secrets_key.h.
 *
 * Invariants
 *  (1) The file secrets.key appears complete and synced, and never changes: of processes that create it at once one links its
 *      file there, and the others read that file.
 *  (2) A file that other users can read is refused: its key may be known to them. */
#include "ledger/secrets_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/problem_text.h"

static const char FILE_NAME[] = "secrets.key";
enum { FILE_MAX = 4096 };

static enum err secrets_key_decode_one(struct str text, uint8_t ret_key[SECRET_KEY_SIZE]) {
  struct buf bytes CLEANUP(secret_buf_done) = BUF_INIT(FILE_MAX);
  TRY(base64_decode(&bytes, str_trim(text)));
  if (bytes.n != SECRET_KEY_SIZE) return ERR_INVALID;
  for (size_t i = 0; i < SECRET_KEY_SIZE; i++) ret_key[i] = (uint8_t)bytes.p[i];
  return OK;
}

/* One key, or two with a comma between: the second opens what it sealed and seals nothing. */
static enum err secrets_key_decode(struct str text, uint8_t ret_key[SECRET_KEY_SIZE]) {
  struct str first, second;
  uint8_t older[SECRET_KEY_SIZE];
  while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
  bool is_two = str_cut(text, ',', &first, &second);
  if (is_two) TRY(secrets_key_decode_one(second, older));
  TRY(secrets_key_decode_one(first, ret_key));
  secret_set_older_key(is_two ? older : NULL);
  secret_wipe(older, sizeof(older));
  return OK;
}

static enum err secrets_key_read_file(int dir, struct buf *problem, uint8_t ret_key[SECRET_KEY_SIZE]) {
  int fd CLEANUP(fs_close_) = -1;
  enum err e = fs_open_read(dir, FILE_NAME, &fd);
  if (e == ERR_NOT_FOUND) return e;
  struct stat st;
  if (e == OK && fstat(fd, &st) != 0) e = err_from_errno(errno);
  if (e != OK) return problem_text_set(problem, e, "secrets.key in DATA_DIR can't be read");
  if ((st.st_mode & 077) != 0) {
    return problem_text_set(problem, ERR_DENIED, "secrets.key in DATA_DIR can be read by others: chmod 600 it");
  }
  char text[FILE_MAX];
  ssize_t n = read(fd, text, sizeof(text));
  if (n < 0) return problem_text_set(problem, err_from_errno(errno), "secrets.key in DATA_DIR can't be read");
  e = secrets_key_decode(str_of(text, (size_t)n), ret_key);
  secret_wipe(text, sizeof(text));
  return e == OK ? OK : problem_text_set(problem, e, "secrets.key in DATA_DIR is not 32 bytes in base64");
}

/* Writes a new key to a new file with that name, and syncs it. */
static enum err secrets_key_write_file(int dir, const char *name) {
  uint8_t key[SECRET_KEY_SIZE];
  struct buf text CLEANUP(secret_buf_done) = BUF_INIT(FILE_MAX);
  TRY(secret_random(key, sizeof(key)));
  enum err e = base64_encode(&text, key, sizeof(key));
  secret_wipe(key, sizeof(key));
  if (e == OK) e = buf_add_char(&text, '\n');
  int fd CLEANUP(fs_close_) = -1;
  if (e == OK) e = fs_create(dir, name, 0600, &fd);
  if (e == OK) e = fs_write_all(fd, buf_str(&text));
  if (e == OK) e = fs_sync_file(fd);
  return e;
}

static enum err secrets_key_create(int dir) {
  uint8_t random[8];
  char suffix[2 * sizeof(random) + 1], name[sizeof(FILE_NAME) + sizeof(suffix) + 1];
  TRY(secret_random(random, sizeof(random)));
  hex_encode(random, sizeof(random), suffix);
  (void)snprintf(name, sizeof(name), "%s.%s", FILE_NAME, suffix); /* fits */
  enum err e = secrets_key_write_file(dir, name);
  if (e == OK) e = fs_link(dir, name, FILE_NAME);
  (void)unlinkat(dir, name, 0); /* secrets.key is linked now, or another process's file is used */
  if (e == ERR_EXISTS) e = OK;  /* another process was first: use its file (1) */
  return e == OK ? fs_sync_parent(dir, FILE_NAME) : e;
}

enum err secrets_key_load(const char *configured, const char *data_dir, struct buf *ret_problem,
                          uint8_t ret_key[SECRET_KEY_SIZE]) {
  uint8_t key[SECRET_KEY_SIZE];
  enum err e;
  if (configured) {
    e = secrets_key_decode(str_from(configured), key);
    if (e != OK) return problem_text_set(ret_problem, e, "SECRETS_KEY is not 32 bytes in base64");
  } else {
    int dir CLEANUP(fs_close_) = -1;
    e = fs_open_root(data_dir, true, &dir);
    if (e != OK) return problem_text_set(ret_problem, e, "DATA_DIR can't be opened");
    e = secrets_key_read_file(dir, ret_problem, key);
    if (e == ERR_NOT_FOUND) {
      e = secrets_key_create(dir);
      if (e != OK) return problem_text_set(ret_problem, e, "secrets.key can't be made in DATA_DIR");
      e = secrets_key_read_file(dir, ret_problem, key);
    }
    if (e != OK) return e;
  }
  for (size_t i = 0; i < sizeof(key); i++) ret_key[i] = key[i];
  secret_wipe(key, sizeof(key));
  return OK;
}
