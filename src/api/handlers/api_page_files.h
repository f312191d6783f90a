/* api_page_files.h - the files of the page, ready to be answered with: their base is PUBLIC_BASE_URL's path.
 *
 * Thread rule: made once, used by any thread. */
#pragma once

#include "http/static.h"

struct page_files;

/* base: "" or "/sub". */
CHECKED enum err page_files_new(struct str base, struct page_files **ret_files);
struct page_files *page_files_free(struct page_files *p); /* NULL is fine; always NULL */
const struct http_static_file *page_file(const struct page_files *p, struct str name);
