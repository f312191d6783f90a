/* open_files.h - what is ready and was played lately: (business, id) to an open file and its validators. One a loop, so no lock.
 *
 *   struct open_file *item = open_files_find(open_files, business, id);    NULL: not here, look in the ledger
 *
 * An item stands under its recording's SID and, once it was asked for by its call, under the call's SID too. It is found
 * while the mark holds under which its row was read (cache_version.h). At most max items are kept, the longest unused go
 * first. An item found is valid until the next function of the open_files is called; its file is kept by http_file_ref.
 * Thread rule: its loop only. */
#pragma once

#include "domain/cache_version.h"
#include "http/http.h"
#include "ledger/recordings.h"

struct open_files;

struct open_file {
  struct http_file *file;
  struct cache_mark mark; /* under which its row was read */
  int64_t bytes;
  int64_t modified_s;
  char recording_sid[SID_SIZE];
  char etag[RECORDING_ETAG_SIZE];
  char content_type[40];
  bool by_call;          /* found under a call's SID */
  int64_t last_check_ms; /* clock_mono_ms when the name was last seen to be this file; the finder's to renew */
  /* The finder's own, kept with the item; 0 and empty at first. */
  int via;        /* how the recording is related to the id */
  char head[448]; /* header lines that were made of it */
  size_t head_n;
};

CHECKED enum err open_files_new(size_t max, struct open_files **ret_shelf);
struct open_files *open_files_free(struct open_files *s);
struct open_file *open_files_find(struct open_files *s, int64_t business_id, struct str id);
/* Puts a ready recording's open file up; takes a ref of its own. id: what it was asked for by, its SID or a call's. mark:
 * of that id, from before the row was read. */
CHECKED enum err open_files_put(struct open_files *s, const struct recording *row, struct str id,
                                struct cache_mark mark, struct http_file *file);
/* That item, if there is one: its file is known to be gone. */
void open_files_drop(struct open_files *s, int64_t business_id, struct str id);
/* Closes the files of all items whose mark does not hold any more, so that what was deleted gives its room back. */
void open_files_sweep(struct open_files *s);
void open_files_clear(struct open_files *s);
