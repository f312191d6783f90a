/* api_file_opening.h - opens a recording's file for a request, on a thread of the volume.
 *
 *   e = file_opening_begin(&p->db_call, row, on_opened, &p->file_opening);
 *   on_opened runs on the loop:   if (db_call->result == OK) result = file_opening_take_result(p->file_opening);
 *                                 p->file_opening = file_opening_release(p->file_opening);
 *
 * For a ready recording it opens the file; for one that arrives in another process, the part. For one of which nothing
 * arrives it checks whether a file has its name. If the volume does not answer within FILE_OPENING_TIMEOUT_MS,
 * db_call->result is ERR_TIMEOUT; a file that is opened later is closed again.
 * Thread rule: the loop's. */
#pragma once

#include "api/request/api_db_call.h"

enum { FILE_OPENING_TIMEOUT_MS = 5000 };

struct file_opening;

struct file_opening_result {
  int fd;            /* of a ready recording; -1: none. The caller closes it */
  struct tape *tape; /* of one that arrives, a reference; NULL: no byte can be sent yet */
  bool is_seen;      /* nothing arrives, but a file that may be it has the recording's name; only a fill checks it */
  bool is_missing;   /* the row says ready, but the volume has no file of that name and length */
  char store_id[STORE_ID_SIZE]; /* is_missing: the volume's id; "": it has none */
};

/* Copies row. ERR_BUSY, ERR_CLOSED, ERR_NOMEM: on_done will not run. */
CHECKED enum err file_opening_begin(struct db_call *c, const struct recording *row, void (*on_done)(struct db_call *c),
                                    struct file_opening **ret_opening);
/* Whether file_opening_begin looks for a file with the recording's name. */
bool file_opening_looks(const struct recording *row);
/* Once, and only after a db_call->result of OK. */
struct file_opening_result file_opening_take_result(struct file_opening *o);
/* NULL is fine; always NULL. */
struct file_opening *file_opening_release(struct file_opening *o);
