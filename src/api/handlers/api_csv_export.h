/* api_csv_export.h - answers a list as CSV, all of it, page by page.
 *
 *   static const struct csv_list list = {.name = "calls", .page_max = …, .read_page = …, .free = …};
 *   csv_export_begin(req, &list, filter);      the export owns filter from here on; the request will be answered
 *
 * Thread rule: the exchange's loop; read_page runs on a reader. */
#pragma once

#include "api/request/api_db_call.h"

struct csv_list {
  const char *name; /* of the file: {name}_2027-01-31.csv; also the object of its entry in the audit */
  size_t page_max;  /* bytes */
  /* Appends the next rows, and before the first page the header. *ret_more: there are further rows. ERR_INVALID: a filter is
   * not good; 400 names bad_field. */
  enum err (*read_page)(struct db *db, const struct db_call *c, void *filter, bool is_first, struct buf *page,
                        bool *ret_more);
  void (*free)(void *filter);
  const char *bad_field;
};

void csv_export_begin(const struct api_request *req, const struct csv_list *list, void *filter);
