/* api_open_files.h - the open-file cache of a loop: ready recordings that were played lately, each with its open file,
 * its validators and the header lines made of them.
 *
 *   struct open_file *item = open_files_find(open_files, business_id, id);   NULL: not cached, read the row
 *   … answer with item->file …
 *   open_files_put(open_files, row, id, mark, file);                         after the row was read and the file opened
 *
 * An item is kept under its recording's SID and, once a request named it by a call, under the call's SID too. It is
 * found as long as the mark holds under which its row was read (domain/cache_version.h). A full cache drops the item
 * that was not used for longest. An item is valid until the next call of a function of this file; http_file_ref keeps
 * its file longer.
 * Thread rule: the loop that owns the cache; no lock. */
#pragma once

#include "domain/cache_version.h"
#include "http/http.h"
#include "ledger/recordings.h"

struct open_files;

/* Which leg of the call tree the recording belongs to, seen from the call that the request named. */
enum leg_relation {
  LEG_OWN,    /* that call itself, or the request named the recording */
  LEG_PARENT, /* its parent */
  LEG_CHILD,  /* one of its children */
};

struct open_file {
  struct http_file *file;
  struct cache_mark mark; /* taken before its row was read */
  int64_t bytes;          /* the length; -1: not known (of a recording that still arrives) */
  int64_t modified_s;     /* UNIX seconds, for Last-Modified */
  char recording_sid[SID_SIZE];
  char call_sid[SID_SIZE];        /* of the recording; "": none is known */
  char etag[RECORDING_ETAG_SIZE]; /* with its quotes */
  char content_type[40];
  bool by_call;          /* kept under a call's SID */
  int64_t last_check_ms; /* mono: when its name was last known to lead to this file; api_file_check.c sets it */
  /* The users of the cache set these; 0 and empty at first. */
  enum leg_relation leg_relation;
  char head[448]; /* header lines made of the fields above (api_media_response.c) */
  size_t head_n;
};

/* Sets bytes, modified_s, by_call, recording_sid, etag and content_type from a ready row. id: the SID that the request
 * named. */
void open_file_describe(struct open_file *item, const struct recording *row, struct str id);

/* max: items kept, 1 to 1,000,000; else ERR_INVALID. */
CHECKED enum err open_files_new(size_t max, struct open_files **ret_open_files);
struct open_files *open_files_free(struct open_files *s); /* NULL is fine; always NULL */
struct open_file *open_files_find(struct open_files *s, int64_t business_id, struct str id);
/* Keeps a ready recording's file; takes a reference of its own. id: the SID that the request named, the recording's or
 * a call's. mark: of that id, taken before the row was read. ERR_NOMEM; ERR_TOO_BIG: id is too long. */
CHECKED enum err open_files_put(struct open_files *s, const struct recording *row, struct str id,
                                struct cache_mark mark, struct http_file *file);
/* Removes the item if there is one: its file is known to be gone. */
void open_files_remove(struct open_files *s, int64_t business_id, struct str id);
/* Removes all items whose mark does not hold any more, so that the space of deleted files is freed. */
void open_files_sweep(struct open_files *s);
void open_files_clear(struct open_files *s);
