/* twilio_list.h - Twilio's lists of calls and recordings, page by page.
 *
 *   TRY(twilio_list_url(&account, TWILIO_LIST_RECORDINGS, since_ms, 1000, &url));
 *   … GET url, with the account's credentials …
 *   TRY(twilio_page_parse(&account, TWILIO_LIST_RECORDINGS, body, now_ms, &page));
 *   for (i …) twilio_page_delivery(page, i, &storage, &delivery);
 *   the next page is at twilio_page_next(page), until that is empty.
 *
 * Thread rule: pure. */
#pragma once

#include "base/buf.h"
#include "provider/provider.h"

enum twilio_list { TWILIO_LIST_CALLS, TWILIO_LIST_RECORDINGS };
enum { TWILIO_PAGE_ITEMS_MAX = 1000, TWILIO_PAGE_BYTES_MAX = 16 * 1024 * 1024 };

/* Appends the first page's url to b, for entries created on since_ms's day (UTC) or later. page_size: 1 …
 * TWILIO_PAGE_ITEMS_MAX. ERR_INVALID: the account has no SID. */
CHECKED enum err twilio_list_url(const struct provider_account *account, enum twilio_list list, int64_t since_ms,
                                 unsigned page_size, struct buf *b);

struct twilio_page;
/* ERR_INVALID: the body is not such a list; ERR_TOO_BIG; ERR_DENIED: the next page is not at the account's base. account
 * must outlive the page. */
CHECKED enum err twilio_page_parse(const struct provider_account *account, enum twilio_list list, struct str body,
                                   int64_t received_ms, struct twilio_page **ret_page);
size_t twilio_page_count(const struct twilio_page *page);
/* Entry i as a delivery. Its views are valid as long as the page, the account and storage's content are. Clear storage
 * before each entry; its ceiling must be at least 8 KiB. ERR_INVALID: the entry is malformed: skip it. ERR_DENIED: it
 * belongs to another account. */
CHECKED enum err twilio_page_delivery(struct twilio_page *page, size_t i, struct buf *storage,
                                      struct delivery *ret_delivery);
/* The next page's absolute url, at the base's origin; empty if this is the last page. */
struct str twilio_page_next(const struct twilio_page *page);
/* NULL is fine. Always returns NULL. */
struct twilio_page *twilio_page_free(struct twilio_page *page);
