/* opening.h - opens what a request wants of the recordings' volume, on the volume's threads.
 *
 *   e = opening_begin(&play->errand, row, back, &play->opening);
 *   … back runs on the loop; errand.result OK: opening_take …     play->opening = opening_end(play->opening);
 *
 * A volume that does not answer within OPENING_MS makes the errand's result ERR_TIMEOUT; what is opened after that is closed
 * again. Thread rule: the loop's. */
#pragma once

#include "api/errand.h"

enum { OPENING_MS = 5000 };

struct opening;

struct opened {
  int fd;            /* of a ready recording; -1: none. The caller's to close */
  struct tape *tape; /* of one that arrives, a reference; NULL: none that can be heard yet */
  bool is_missing;   /* ready by its row, and the volume has no file of that name and length */
  char store_id[STORE_ID_SIZE]; /* is_missing: the volume's own; "": it has none */
};

/* The row is copied. ERR_BUSY, ERR_CLOSED, ERR_NOMEM: back will not run. */
CHECKED enum err opening_begin(struct errand *e, const struct recording *row, void (*back)(struct errand *e),
                               struct opening **ret_opening);
/* After an errand.result of OK, once. */
struct opened opening_take(struct opening *o);
/* NULL is fine. Always NULL. */
struct opening *opening_end(struct opening *o);
