/* api_file_check.h - checks that files in the open-file cache were not deleted or cut on the volume meanwhile. The
 * threads of the volume do it, because even fstat may wait for a volume that does not answer.
 *
 *   item = open_files_find(…);
 *   file_check_schedule(loop, item, business_id, id, http_now_ms(x));    then answer with the item as usual
 *
 * Thread rule: the loop's. */
#pragma once

#include "api/media/api_open_files.h"
#include "api/request/api_loop.h"

enum { FILE_CHECK_MS = 1000 };

/* Call it when item, kept under id, is about to be sent. If its last check is older than FILE_CHECK_MS, a check is
 * scheduled; an item whose file is deleted or has another length leaves the cache a moment later. Never waits. */
void file_check_schedule(struct api_loop *l, struct open_file *item, int64_t business_id, struct str id,
                         int64_t mono_ms);
/* The reaction to PENDING_CHECKS: removes from the cache the files that are gone. */
void file_check_take_results(struct api_loop *l);
/* After the loop has ended: frees the checks that were gathered and not sent, and those whose results were not taken. */
void file_check_free_gathered(struct api_loop *l);
