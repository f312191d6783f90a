/* api_signin_page.h - the pages of /signin as HTML. They need no script, and say what the button will do.
 *
 * Thread rule: pure, except signin_page_answer, which is the exchange's loop's. */
#pragma once

#include "api/request/api_loop.h"
#include "ledger/sessions.h"

enum { SIGNIN_PAGE_MAX = 16 * 1024 };

/* The person that the link signs in, and the session that this replaces. */
struct signin_offer {
  struct str token, business, role;
  bool replaces;
  struct str old_business, old_role, old_subject; /* of the session that the browser has now */
};

/* Appends the page with the button. path_base: of links. */
CHECKED enum err signin_page_offer(struct buf *b, struct str path_base, const struct signin_offer *offer);
/* Appends the page that says that the link was used or has expired, with a form for an API key. is_key: a key was refused. */
CHECKED enum err signin_page_refusal(struct buf *b, struct str path_base, bool is_key);
/* Sends a page, with a Content-Security-Policy that lets it post to this server alone. */
void signin_page_answer(struct http_exchange *x, int status, const struct buf *page);
