/* api_page_files.h - the embedded files of the web page, served below the path of PUBLIC_BASE_URL.
 *
 *   page_files_new(STR("/sub"), "/data", &files);
 *   const struct http_static_file *file = page_file(files, STR("index.html"));
 *   if (file) http_static_answer(exchange, file, &fields);
 *
 * Thread rule: new and free on one thread; page_file on any thread. */
#pragma once

#include "http/static.h"

struct page_files;

/* base: the path of PUBLIC_BASE_URL without its trailing '/', or "". data_dir: where assets are kept for the release after this
 * one, and those of the one before were (api_page_before.h); NULL: nowhere. */
CHECKED enum err page_files_new(struct str base, const char *data_dir, struct page_files **ret_files);
struct page_files *page_files_free(struct page_files *p); /* accepts NULL; returns NULL */
/* Of this release, else of the one before. NULL: neither has a file of that name. */
const struct http_static_file *page_file(const struct page_files *p, struct str name);
