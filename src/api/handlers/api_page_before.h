/* api_page_before.h - the assets of the release that served before this one. A tab that was opened before an update loads the
 * rest of its release from here.
 *
 *   page_before_load("/data", ui_files, &before);     at start; also keeps this release's assets for the next one
 *   const struct http_static_file *file = page_before_file(before, STR("assets/x-1a2b.js"));
 *
 * Thread rule: load and free on one thread, load may block on the volume; page_before_file on any thread. */
#pragma once

#include "base/embedded.h"
#include "http/static.h"

struct page_before;

/* files: of this release; those below assets/ are kept. An asset that can't be read or kept is logged, which is no error:
 * *ret_before may be NULL, for no assets. ERR_NOMEM. */
CHECKED enum err page_before_load(const char *data_dir, const struct embedded_file *files,
                                  struct page_before **ret_before);
struct page_before *page_before_free(struct page_before *b); /* accepts NULL; returns NULL */
/* NULL: the release before had no asset of that name. b may be NULL. */
const struct http_static_file *page_before_file(const struct page_before *b, struct str name);
