/* api_file_check.h - is an open file of the open_files still the one under its name? Asked of the volume's threads, since even fstat
 * may wait for a volume that does not answer. Thread rule: the loop's. */
#pragma once

#include "api/media/api_open_files.h"
#include "api/request/api_loop.h"

enum { FILE_CHECK_MS = 1000 };

/* The item is about to be answered with. Where it was not checked within FILE_CHECK_MS, it will be: an item whose file has
 * gone, or has another length, leaves the open_files a moment later. Never waits. */
void media_check_soon(struct api_loop *l, struct open_file *item, int64_t business_id, struct str id, int64_t mono_ms);
/* At the end, on no loop any more: lets go of what was gathered. */
void media_check_done(struct api_loop *l);
