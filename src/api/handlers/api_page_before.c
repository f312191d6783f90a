/* api_page_before.c - the assets of the release that served before this one.
 *
 * DATA_DIR has two files: page.assets, of the release that served last, and page.before.assets, of the one before that. Each has
 * a line "NAME SIZE" for each asset, an empty line, and the assets' bytes one after the other.
 *
 * Invariants
 *  (1) Both files are written at start alone, and whole: page.before.assets first, so that no crash loses a release.
 *  (2) A request reads no file: what is served of the release before is in memory.
 *  (3) Nothing is served that is not below assets/: the names of those change with their contents. */
#include "api/handlers/api_page_before.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/log.h"

#define ASSETS "assets/"
#define LAST "page.assets"
#define BEFORE "page.before.assets"

enum { ASSETS_MAX = 8 * 1024 * 1024, COUNT_MAX = 512 };

struct page_before {
  char *text;                  /* a whole file; names and bytes point into it */
  struct embedded_file *files; /* ends with a row without a name */
  struct http_static *statics;
};

/* ---- what is kept ---- */

static enum err add_names(const struct embedded_file *files, struct buf *b) {
  for (size_t i = 0; files[i].name; i++)
    if (str_starts(str_from(files[i].name), STR(ASSETS))) TRY(buf_addf(b, "%s %zu\n", files[i].name, files[i].size));
  return OK;
}

/* Leaves b empty if there are no assets. */
static enum err write_assets(const struct embedded_file *files, struct buf *b) {
  TRY(add_names(files, b));
  if (b->n == 0) return OK;
  TRY(buf_add_char(b, '\n'));
  for (size_t i = 0; files[i].name; i++)
    if (str_starts(str_from(files[i].name), STR(ASSETS)))
      TRY(buf_add(b, str_of((const char *)files[i].bytes, files[i].size)));
  return OK;
}

/* ---- what was kept ---- */

/* Cuts the next line off *rest; false: there is none. */
static bool cut_line(struct str *rest, struct str *ret_line) {
  struct str after;
  if (!str_cut(*rest, '\n', ret_line, &after)) return false;
  *rest = after;
  return true;
}

/* Reads the lines; the bytes begin at *rest. The name of each gets its NUL in place of the blank. */
static enum err parse_lines(struct page_before *b, struct str *rest, size_t *ret_count) {
  struct str line, name, digits;
  size_t count = 0;
  while (cut_line(rest, &line) && line.n > 0) {
    uint64_t size;
    if (count == COUNT_MAX || !str_cut(line, ' ', &name, &digits)) return ERR_CORRUPT;
    if (!str_starts(name, STR(ASSETS)) || str_to_u64(digits, ASSETS_MAX, &size) != OK) return ERR_CORRUPT; /* (3) */
    b->text[name.p + name.n - b->text] = '\0';
    b->files[count++] = (struct embedded_file){.name = name.p, .size = (size_t)size};
  }
  *ret_count = count;
  return OK;
}

static enum err page_before_parse(struct page_before *b, size_t size) {
  struct str rest = str_of(b->text, size);
  size_t count;
  b->files = calloc(COUNT_MAX + 1, sizeof(b->files[0]));
  if (!b->files) return ERR_NOMEM;
  TRY(parse_lines(b, &rest, &count));
  for (size_t i = 0; i < count; i++) {
    if (b->files[i].size > rest.n) return ERR_CORRUPT;
    b->files[i].bytes = (const unsigned char *)rest.p;
    rest = str_skip(rest, b->files[i].size);
  }
  return rest.n == 0 ? http_static_new(b->files, &b->statics) : ERR_CORRUPT;
}

/* Takes text. */
static enum err before_new(char *text, size_t size, struct page_before **ret_before) {
  struct page_before *b = calloc(1, sizeof(*b));
  if (!b) {
    free(text);
    return ERR_NOMEM;
  }
  b->text = text;
  enum err e = page_before_parse(b, size);
  if (e == OK)
    *ret_before = b;
  else
    page_before_free(b);
  return e;
}

/* ---- at start ---- */

/* Makes this release the last one. *ret_text: the assets of the one before, which the caller frees; NULL: there are none. */
static enum err take_over(int dir, struct str own, char **ret_text, size_t *ret_size) {
  char *last CLEANUP(free_char) = NULL;
  size_t size = 0;
  enum err e = fs_read_whole(dir, LAST, ASSETS_MAX, &last, &size);
  if (e != OK && e != ERR_NOT_FOUND) return e;
  bool is_own = e == OK && str_eq(str_of(last, size), own);
  if (is_own) {
    e = fs_read_whole(dir, BEFORE, ASSETS_MAX, ret_text, ret_size);
    return e == ERR_NOT_FOUND ? OK : e;
  }
  if (last && own.n > 0) TRY(fs_write_durable(dir, BEFORE, 0640, str_of(last, size))); /* (1) */
  if (own.n > 0) TRY(fs_write_durable(dir, LAST, 0640, own));
  *ret_text = TAKE(last);
  *ret_size = size;
  return OK;
}

enum err page_before_load(const char *data_dir, const struct embedded_file *files, struct page_before **ret_before) {
  struct buf own CLEANUP(buf_done) = BUF_INIT(ASSETS_MAX);
  int dir CLEANUP(fs_close_) = -1;
  char *text = NULL;
  size_t size = 0;
  *ret_before = NULL;
  enum err e = write_assets(files, &own);
  if (e == OK) e = fs_open_root(data_dir, false, &dir);
  if (e == OK) e = take_over(dir, buf_str(&own), &text, &size);
  if (e == OK && text) e = before_new(text, size, ret_before);
  if (e == ERR_NOMEM) return e;
  if (e != OK) log_warn("Assets of the release before not kept", LOG_TEXT("error", err_text(e)));
  return OK;
}

struct page_before *page_before_free(struct page_before *b) {
  if (!b) return NULL;
  http_static_free(b->statics);
  free(b->files);
  free(b->text);
  free(b);
  return NULL;
}

const struct http_static_file *page_before_file(const struct page_before *b, struct str name) {
  return b ? http_static_find(b->statics, name) : NULL;
}
