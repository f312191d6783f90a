/* status_text.h - writes the status: counts, failures, running fills and processes.
 *
 *   struct buf out = BUF_INIT(STATUS_TEXT_MAX);
 *   e = status_write_all(app.db, &app.conf, business_id, args->json, &out);
 *
 * Thread rule: the owner of db. */
#pragma once

#include "base/buf.h"
#include "base/conf.h"
#include "db/db.h"

enum { STATUS_TEXT_MAX = 64 * 1024 * 1024 }; /* bytes */

/* Appends the status of a business (0: of all) to b: lines for people, or one line of JSON. Only reads. conf: its settings. */
CHECKED enum err status_write_all(struct db *db, const struct conf *conf, int64_t business_id, bool json,
                                  struct buf *b);
