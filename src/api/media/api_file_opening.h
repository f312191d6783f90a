/* api_file_opening.h - opens what a request wants of the recordings' volume, on the volume's threads.
 *
 *   e = opening_begin(&play->db_call, row, back, &play->opening);
 *   … back runs on the loop; db_call.result OK: opening_take …     play->opening = opening_end(play->opening);
 *
 * A volume that does not answer within OPENING_MS makes the db_call's result ERR_TIMEOUT; what is opened after that is closed
 * again. Thread rule: the loop's. */
#pragma once

#include "api/request/api_db_call.h"

enum { OPENING_MS = 5000 };

struct opening;

struct opened {
  int fd;                       /* of a ready recording; -1: none. The caller's to close */
  struct tape *tape;            /* of one that arrives, a reference; NULL: none that can be heard yet */
  bool is_missing;              /* ready by its row, and the volume has no file of that name and length */
  char store_id[STORE_ID_SIZE]; /* is_missing: the volume's own; "": it has none */
};

/* The row is copied. ERR_BUSY, ERR_CLOSED, ERR_NOMEM: back will not run. */
CHECKED enum err opening_begin(struct db_call *e, const struct recording *row, void (*back)(struct db_call *e),
                               struct opening **ret_opening);
/* After an db_call.result of OK, once. */
struct opened opening_take(struct opening *o);
/* NULL is fine. Always NULL. */
struct opening *opening_end(struct opening *o);
