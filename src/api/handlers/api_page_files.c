/* api_page_files.c - the embedded files of the page.
 *
 * The page's links are relative to <base href="/">. Where PUBLIC_BASE_URL has a path, copies of the HTML files get that path
 * as their base. */
#include "api/handlers/api_page_files.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers/api_page_before.h"
#include "base/buf.h"

extern const struct embedded_file ui_files[];

#define BASE "<base href=\"/\">"
enum { HTML_MAX = 1024 * 1024 };

struct page_files {
  struct embedded_file *files; /* owned */
  struct buf *html; /* owned, one for each file: the HTML with another base; empty for files served as embedded */
  size_t count;
  struct http_static *statics;
  struct page_before *before; /* NULL: none */
};

/* The offset of text in html; html.n if html does not contain it. */
static size_t html_find(struct str html, struct str text) {
  size_t at = 0;
  while (at < html.n && !str_starts(str_skip(html, at), text)) at++;
  return at;
}

/* Adds s, escaped for an attribute value in double quotes. */
static enum err html_add_attribute(struct buf *b, struct str s) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '"')
      TRY(buf_add(b, STR("&quot;")));
    else if (s.p[i] == '&')
      TRY(buf_add(b, STR("&amp;")));
    else
      TRY(buf_add_char(b, s.p[i]));
  }
  return OK;
}

static enum err html_set_base(struct str html, struct str base, struct buf *b) {
  size_t at = html_find(html, STR(BASE));
  if (at == html.n) return buf_add(b, html);
  TRY(buf_add(b, str_head(html, at)));
  TRY(buf_add(b, STR("<base href=\"")));
  TRY(html_add_attribute(b, base));
  TRY(buf_add(b, STR("/\">")));
  return buf_add(b, str_skip(html, at + sizeof(BASE) - 1));
}

static enum err page_rebase_html(struct page_files *p, struct str base) {
  for (size_t i = 0; i < p->count; i++) {
    struct embedded_file *f = &p->files[i];
    buf_init(&p->html[i], HTML_MAX);
    if (!str_ends(str_from(f->name), STR(".html"))) continue;
    TRY(html_set_base(str_of((const char *)f->bytes, f->size), base, &p->html[i]));
    *f = (struct embedded_file){f->name, (const unsigned char *)p->html[i].p, p->html[i].n, NULL, 0};
  }
  return OK;
}

enum err page_files_new(struct str base, const char *data_dir, struct page_files **ret_files) {
  struct page_files *p = calloc(1, sizeof(*p));
  if (!p) return ERR_NOMEM;
  while (ui_files[p->count].name) p->count++;
  p->files = calloc(p->count + 1, sizeof(p->files[0]));
  p->html = calloc(p->count + 1, sizeof(p->html[0]));
  enum err e = p->files && p->html ? OK : ERR_NOMEM;
  if (e == OK) memcpy(p->files, ui_files, p->count * sizeof(p->files[0]));
  if (e == OK && base.n > 0) e = page_rebase_html(p, base);
  if (e == OK) e = http_static_new(p->files, &p->statics);
  if (e == OK && data_dir) e = page_before_load(data_dir, ui_files, &p->before);
  if (e == OK)
    *ret_files = p;
  else
    page_files_free(p);
  return e;
}

struct page_files *page_files_free(struct page_files *p) {
  if (!p) return NULL;
  http_static_free(p->statics);
  page_before_free(p->before);
  for (size_t i = 0; p->html && i < p->count; i++) buf_done(&p->html[i]);
  free(p->html);
  free(p->files);
  free(p);
  return NULL;
}

const struct http_static_file *page_file(const struct page_files *p, struct str name) {
  const struct http_static_file *file = http_static_find(p->statics, name);
  return file ? file : page_before_file(p->before, name);
}
